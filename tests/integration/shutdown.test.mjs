// The end, and doing nothing: both have to cost nothing.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import net from "node:net";
import { describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { openStream, request, subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

async function setUp(t, env = {}) {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, { ...database.env, ...env });
    await gateway.ready();
    return { database, gateway };
}

/** Seconds of processor time that the process has used. */
function cpuSeconds(pid) {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
}

describe("on SIGTERM", () => {
    test("every stream gets what was committed before, then bye, and ends; the exit code is 0", async (t) => {
        const { database, gateway } = await setUp(t);
        const streams = await Promise.all(Array.from({ length: 50 }, (_, i) => subscribe(t, gateway.stream(`channel_${i % 5}`))));
        for (let i = 0; i < 5; i++) await database.notify(`channel_${i}`, String(i));
        await Promise.all(streams.map((stream) => stream.next("message")));
        const from = performance.now();
        await gateway.stop();
        for (const [i, stream] of streams.entries()) {
            await stream.end();
            const names = stream.events.map((event) => event.name).filter((name) => name !== "ready");
            assert.deepEqual(names, ["message", "bye"], `stream ${i}`);
        }
        t.diagnostic(`took ${Math.round(performance.now() - from)} ms`);
        await until(async () => (await database.otherBackends()).length === 0, "no connection to the database is left");
        await assert.rejects(request(`${gateway.origin}/livez`), { code: "ECONNREFUSED" });
    });

    test("a client that reads nothing, or never finished its request, holds the end up for drain_ms at most", async (t) => {
        const { database, gateway } = await setUp(t, { TUPLECAST_STREAMS_DRAIN_MS: "1000", TUPLECAST_LIMITS_SEND_BUFFER_BYTES: "4096" });
        const sleeper = await subscribe(t, gateway.stream("busy"));
        sleeper.response.pause();
        const reader = await subscribe(t, gateway.stream("busy"));
        await database.query("SELECT pg_notify('busy', repeat('x', 7000) || i) FROM generate_series(1, 500) i");
        await reader.messages(500);
        const half = net.connect(gateway.port, "127.0.0.1");
        t.after(() => half.destroy());
        half.on("error", () => {});
        half.write("GET /streams/busy HTT");
        const from = performance.now();
        await gateway.stop();
        const took = performance.now() - from;
        assert.ok(took < 4000, `${took} ms`);
    });

    test("it ends at once while the database is away, too", async (t) => {
        const gateway = await startGateway(t, { PGHOST: "/nonexistent" });
        const stream = await openStream(t, gateway.stream("nothing"));
        await stream.next("status");
        await gateway.stop();
        assert.equal(stream.events.at(-1).name, "bye");
    });
});

test("a thousand silent streams use no processor time worth measuring", async (t) => {
    const { gateway } = await setUp(t);
    const count = 1000;
    const streams = [];
    for (let i = 0; i < count; i += 100)
        streams.push(...(await Promise.all(Array.from({ length: 100 }, (_, j) => subscribe(t, gateway.stream(`silent_${(i + j) % 10}`))))));
    assert.equal(streams.length, count);
    const [cpu, from] = [cpuSeconds(gateway.pid), performance.now()];
    await until(() => performance.now() - from >= 3000, "three seconds");
    const used = cpuSeconds(gateway.pid) - cpu;
    t.diagnostic(`${used.toFixed(2)} s of processor time in 3 s`);
    assert.ok(used <= 0.06, `${used} s of processor time in 3 s`);
    assert.ok(streams.every((stream) => !stream.ended));
});

test("a thousand streams that come and go leave nothing behind", async (t) => {
    const { gateway } = await setUp(t);
    const descriptors = () => readdirSync(`/proc/${gateway.pid}/fd`).length;
    const before = descriptors();
    for (let round = 0; round < 10; round++) {
        const streams = await Promise.all(Array.from({ length: 100 }, () => subscribe(t, gateway.stream("passing"))));
        for (const stream of streams) stream.close();
    }
    await until(() => descriptors() <= before + 2, () => `${descriptors()} descriptors, ${before} before`, 20_000);
});

describe("the program", () => {
    test("says its version and its usage", async () => {
        assert.match((await run(["--version"])).stdout, /^tuplecast \d+\.\d+\.\d+/);
        const help = await run(["--help"]);
        assert.equal(help.code, 0);
        for (const word of ["serve", "setup", "check", "ready"]) assert.match(help.stdout, new RegExp(`\\b${word}\\b`));
    });

    test("ready asks a running gateway, and fails where there is none", async (t) => {
        const { gateway } = await setUp(t);
        const env = { ...gateway.env, TUPLECAST_LISTEN: `127.0.0.1:${gateway.port}` };
        assert.equal((await run(["ready"], env)).code, 0);
        await gateway.stop();
        assert.equal((await run(["ready"], env)).code, 1);
    });

    test("check explains what is wrong, and exits with 78", async () => {
        assert.equal((await run(["check"], { TUPLECAST_CHANNELS: "a" })).code, 0);
        const { code, stderr, stdout } = await run(["check"], { TUPLECAST_STREAMS_RETRY_MS: "soon" });
        assert.equal(code, 78);
        assert.match(stderr + stdout, /RETRY_MS|retry_ms/);
    });
});
