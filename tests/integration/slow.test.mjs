// Clients that do not read. The others notice nothing, the gateway's memory stays bounded, and who reads again gets
// everything, or is told what is missing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { proveNothingLostSilently } from "./lib/counter.mjs";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { isSanitized, memoryBytes, sleep } from "./lib/proc.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";
import { Numbers, requestText, Tail, Wire } from "./lib/wire.mjs";

const QUIET = { TUPLECAST_STREAMS_HEARTBEAT_MS: "3600000", TUPLECAST_STREAMS_DRAIN_MS: "500" };

async function setUp(t, env = {}) {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, { ...database.env, ...QUIET, ...env });
    await gateway.ready();
    return { database, gateway };
}

const PADDING = "x".repeat(150);

/** Numbers with some padding, in order. */
function notify(database, channel, from, to) {
    return database.query("SELECT pg_notify($1, json_build_object('table', 't', 'type', 'INSERT', 'id', i, 'data', $4::text)::text) FROM generate_series($2::int, $3::int) i",
        [channel, from, to, PADDING]);
}

test("20 stopped readers among 50 good ones: 50,000 events for these, everything or a gap for those", async (t) => {
    const COUNT = 50_000;
    const BATCH = 1000;
    const LATE = 47_000; // from here on all that comes is remembered until the end
    const memory = 4 << 20;
    const { database, gateway } = await setUp(t, {
        TUPLECAST_STREAMS_STALL_MS: "3600000",
        TUPLECAST_LIMITS_CHANNEL_MEMORY_BYTES: String(memory),
        TUPLECAST_LIMITS_MEMORY_BYTES: String(2 * memory),
        TUPLECAST_LIMITS_FEED_LOG_BYTES: "262144",
        TUPLECAST_LIMITS_SEND_BUFFER_BYTES: "16384",
    });
    const open = async (reader) => {
        const tail = new Tail(t, gateway.port, "/streams/poured", { reader });
        await tail.until(() => tail.ready, "ready");
        return tail;
    };
    const numberOf = (json) => json.id;
    const reader = new Numbers(numberOf);
    const good = [];
    for (let i = 0; i < 50; i++) good.push(await open(i === 0 ? reader : undefined));
    const stopped = [];
    for (let i = 0; i < 20; i++) stopped.push(await open(new Numbers(numberOf)));
    const before = memoryBytes(gateway.pid, "VmRSS");
    let highest = before;

    const started = performance.now();
    for (const tail of stopped.slice(0, 10)) tail.pause();
    for (let from = 1; from <= COUNT; from += BATCH) {
        if (from > LATE) for (const tail of stopped.slice(10)) tail.pause();
        await notify(database, "poured", from, from + BATCH - 1);
        // The good ones keep up, so that they never depend on what is remembered.
        await good[0].until(() => reader.seen.at(-1) === from + BATCH - 1, `event ${from + BATCH - 1}`);
        const { bytes } = good[0];
        for (const tail of good) await tail.until(() => tail.bytes >= bytes, `${bytes} bytes`);
        highest = Math.max(highest, memoryBytes(gateway.pid, "VmRSS"));
    }
    t.diagnostic(`${Math.round(performance.now() - started)} ms; memory grew by ${(highest - before) >> 10} KiB`);
    const committed = Array.from({ length: COUNT }, (_, i) => i + 1);
    assert.deepEqual(reader.seen, committed);
    for (const tail of good) assert.deepEqual([tail.bytes, tail.digest()], [good[0].bytes, good[0].digest()]);
    if (!isSanitized(gateway.pid)) assert.ok(highest - before < 70 * 512 * 1024 + 2 * memory, `memory grew by ${highest - before} bytes`);
    assert.equal(await gateway.metric("tuplecast_streams"), 70, "nobody was closed");

    for (const tail of stopped) tail.resume();
    for (const [i, tail] of stopped.entries()) {
        await tail.until(() => tail.reader.seen.at(-1) === COUNT, "the last event");
        const { delivered, missing } = proveNothingLostSilently(committed, tail.reader.seen);
        assert.equal(delivered + missing, COUNT);
        if (i < 10) {
            assert.ok(missing > 0 && tail.reader.gaps.length > 0);
            assert.deepEqual(new Set(tail.reader.gaps), new Set(["lagged"]));
        } else {
            assert.deepEqual([missing, tail.reader.gaps], [0, []], "it was not so far behind");
        }
    }
    assert.ok((await gateway.metric('tuplecast_gaps_total{reason="lagged"}')) >= 10);
    t.diagnostic(`${Math.round(performance.now() - started)} ms until all had everything`);
    // All are live again.
    await notify(database, "poured", COUNT + 1, COUNT + 1);
    for (const tail of stopped) await tail.until(() => tail.reader.seen.at(-1) === COUNT + 1, "one more");
});

test("a client that takes nothing for streams.stall_ms while bytes wait is closed and counted; nobody else is", async (t) => {
    const { database, gateway } = await setUp(t, { TUPLECAST_STREAMS_STALL_MS: "1500", TUPLECAST_LIMITS_FEED_LOG_BYTES: String(4 << 20) });
    const good = await subscribe(t, gateway.stream("stalled"));
    const idle = await subscribe(t, gateway.stream("nothing_comes_here"));
    idle.response.pause();
    const open = async () => {
        const wire = new Wire(t, gateway.port, { keep: false }).send(requestText("/streams/stalled"));
        await wire.until(() => wire.bytes > 200, "the beginning");
        await sleep(50);
        wire.socket.pause();
        return wire;
    };
    const stopped = await Promise.all([open(), open(), open()]);
    const sluggish = await open(); // takes something now and then
    await database.query("SELECT pg_notify('stalled', repeat('x', 7000) || i) FROM generate_series(1, 500) i");
    let done = false;
    const sipping = (async () => {
        while (!done) {
            await sleep(500);
            const enough = sluggish.bytes + 130_000; // of 3.5 MB, so that something waits all the time
            sluggish.socket.resume();
            await sluggish.until(() => sluggish.bytes >= enough && sluggish.socket.pause(), "a sip");
        }
    })();
    await good.messages(500);
    await until(async () => (await gateway.metric("tuplecast_streams_stalled_total")) === 3, "three to be closed");
    assert.equal(await gateway.metric("tuplecast_streams"), 3);
    assert.match(gateway.log, /stream closed[^\n]*stall_ms=1500/);
    for (const wire of stopped) {
        wire.socket.resume();
        await wire.end();
    }
    // Neither who takes a little at a time, nor who stopped while nothing waits for it.
    await sleep(2500);
    await database.notify("stalled", "1");
    await good.messages(1);
    assert.equal(await gateway.metric("tuplecast_streams_stalled_total"), 3);
    assert.ok(!sluggish.ended && !good.ended && !idle.ended);
    done = true;
    await sipping;
    idle.response.resume();
    await database.notify("nothing_comes_here", "1");
    await idle.messages(1);
});

test("a burst of 100,000 notifications does not keep new clients waiting, and loses nothing", async (t) => {
    const COUNT = 100_000;
    const { database, gateway } = await setUp(t, { TUPLECAST_LIMITS_CHANNEL_MEMORY_BYTES: String(128 << 20) });
    const reader = new Numbers((json) => json.id);
    const tails = Array.from({ length: 20 }, (_, i) => new Tail(t, gateway.port, "/streams/burst", { reader: i === 0 ? reader : undefined }));
    for (const tail of tails) await tail.until(() => tail.ready, "ready");
    const burst = notify(database, "burst", 1, COUNT);
    let slowest = 0;
    let asked = 0;
    while (reader.seen.length < COUNT) {
        const from = performance.now();
        const wire = new Wire(t, gateway.port).send(requestText(asked % 2 ? "/streams/burst" : "/streams/another"));
        await wire.contains(": ok\n", 5000);
        slowest = Math.max(slowest, performance.now() - from);
        wire.close();
        asked++;
        await tails[0].until(() => true, "no end");
        await sleep(5);
    }
    await burst;
    t.diagnostic(`${asked} clients came meanwhile; the slowest waited ${Math.round(slowest)} ms`);
    assert.ok(asked >= 5);
    for (const [i, number] of reader.seen.entries()) assert.equal(number, i + 1);
    const { bytes } = tails[0];
    for (const tail of tails) {
        await tail.until(() => tail.bytes >= bytes, `${bytes} bytes`, 20_000);
        assert.deepEqual([tail.bytes, tail.digest()], [bytes, tails[0].digest()]);
    }
});
