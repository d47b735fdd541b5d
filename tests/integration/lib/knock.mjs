// Whether a gateway answers new connections all the time.

import http from "node:http";

/** Asks /livez over a connection of its own, again and again; `failures` are the errors. */
export function knock(t, port) {
    const knocking = { count: 0, failures: [], stopped: false };
    const agent = new http.Agent({ keepAlive: false });
    const ask = () =>
        new Promise((resolve) => {
            const asked = http.get({ host: "127.0.0.1", port, path: "/livez", agent }, (response) => {
                response.resume().on("end", () => resolve(response.statusCode === 200 ? undefined : response.statusCode));
                response.on("error", resolve);
            });
            asked.on("error", resolve);
        });
    const loop = async () => {
        while (!knocking.stopped) {
            const failure = await ask();
            knocking.count++;
            if (failure) knocking.failures.push(String(failure));
        }
    };
    const loops = Promise.all(Array.from({ length: 4 }, loop));
    t.after(() => (knocking.stopped = true));
    knocking.stop = async () => {
        knocking.stopped = true;
        await loops;
        return knocking;
    };
    return knocking;
}
