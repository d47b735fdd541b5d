// A gateway on a database of its own, and a channel on which the numbers 1, 2, 3 and so on are sent.

import { createDatabase } from "./database.mjs";
import { startGateway } from "./gateway.mjs";

const CHANNEL = "numbers";

/** Resolves with {database, gateway, path, publish(count), last}; publish resolves with the last number. */
export async function startNumbers(t, env = {}) {
    const database = await createDatabase(t);
    // Clients wait for `retry` before they reconnect: let that be short.
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_STREAMS_RETRY_MS: "300", ...env });
    await gateway.ready();
    const numbers = {
        database,
        gateway,
        path: `/streams/${CHANNEL}`,
        last: 0,
        async publish(count = 1) {
            for (let i = 0; i < count; i++) await database.notify(CHANNEL, String(++numbers.last));
            return numbers.last;
        },
    };
    return numbers;
}

export function range(from, to) {
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
