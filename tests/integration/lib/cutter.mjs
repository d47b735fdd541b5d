// A TCP relay in front of the gateway that a test can cut: the client loses its connection, the gateway goes on.

import net from "node:net";

/** Resolves with {origin, connections, cut()}; goes away with the test `t`. */
export async function startCutter(t, port) {
    const pairs = new Set();
    const server = net.createServer((client) => {
        const upstream = net.connect(port, "127.0.0.1");
        const pair = [client, upstream];
        pairs.add(pair);
        cutter.connections++;
        const drop = () => {
            pairs.delete(pair);
            client.destroy();
            upstream.destroy();
        };
        for (const socket of pair) socket.on("error", drop).on("close", drop);
        client.pipe(upstream).pipe(client);
    });
    const cutter = {
        connections: 0,
        cut() {
            for (const [client, upstream] of pairs) {
                client.resetAndDestroy();
                upstream.destroy();
            }
        },
    };
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    cutter.origin = `http://127.0.0.1:${server.address().port}`;
    t.after(() => {
        cutter.cut();
        server.close();
    });
    return cutter;
}
