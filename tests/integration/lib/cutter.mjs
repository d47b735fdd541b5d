// A TCP relay that a test can cut, in front of the gateway or of its database: the client loses its connection, the server goes on.

import net from "node:net";
import { Transform } from "node:stream";

/** Resolves with {port, origin, connections, delayMs, cut(), refuse(), freeze(), thaw(), lead(target)}; goes away with the test `t`. target: a port, or a socket's path. */
export async function startCutter(t, target) {
    const pairs = new Set();
    let frozen = false;
    let refusing = false;
    const slowly = () =>
        new Transform({
            transform(chunk, _, done) {
                if (cutter.delayMs) setTimeout(done, cutter.delayMs, null, chunk);
                else done(null, chunk);
            },
        });
    const lately = () =>
        new Transform({
            transform(chunk, _, done) {
                const { bytes, ms } = cutter.heldBack;
                if (bytes === 0) return done(null, chunk);
                this.push(chunk.subarray(0, -bytes));
                setTimeout(done, ms, null, chunk.subarray(-bytes));
            },
        });
    const server = net.createServer((client) => {
        if (refusing) return client.resetAndDestroy();
        const upstream = typeof target === "string" ? net.connect(target) : net.connect(target, "127.0.0.1");
        const pair = [client, upstream];
        pairs.add(pair);
        cutter.connections++;
        const drop = () => {
            pairs.delete(pair);
            client.destroy();
            upstream.destroy();
        };
        for (const socket of pair) socket.on("error", drop).on("close", drop);
        if (!frozen) client.pipe(slowly()).pipe(upstream).pipe(slowly()).pipe(lately()).pipe(client);
    });
    const cutter = {
        connections: 0,
        /** How long each piece takes, of at most 64 KiB, one after the other. */
        delayMs: 0,
        /** So many bytes at the end of each piece of an answer come so much later than the rest of it. */
        heldBack: { bytes: 0, ms: 0 },
        cut() {
            for (const [client, upstream] of pairs) {
                client.resetAndDestroy();
                upstream.destroy();
            }
        },
        /** New connections are cut at once, until they are no more. */
        refuse(wanted = true) {
            refusing = wanted;
        },
        /** New connections go to another server. */
        lead(other) {
            target = other;
        },
        /** Nothing passes any more, and nobody is told. */
        freeze() {
            frozen = true;
            for (const socket of [...pairs].flat()) socket.unpipe();
        },
        /** New connections work again; those that were frozen stay so. */
        thaw() {
            frozen = false;
        },
    };
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    cutter.port = server.address().port;
    cutter.origin = `http://127.0.0.1:${cutter.port}`;
    t.after(() => {
        cutter.cut();
        server.close();
    });
    return cutter;
}
