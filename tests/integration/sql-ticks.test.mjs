// Ticks and retention by themselves, without a gateway: each step is taken by hand, so that what is rare under load happens here each time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { define, install, put } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { sleep } from "./lib/proc.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 30_000;
const BYTES_MAX = 1_000_000;

/** A database with a table whose changes are logged, and how to make and read ticks of it. */
async function openLog(t) {
    const database = await createDatabase(t);
    await install(database);
    await database.query("CREATE TABLE things (id integer PRIMARY KEY, a text)");
    await put(database, "things", define("things", { durable: true }));
    return {
        database,
        write: (id, client = database) => client.query(`INSERT INTO things VALUES (${id}, 'a')`),
        tick: async () => {
            const last = await database.value("SELECT number FROM tuplecast.last_tick()");
            return Number((await database.query("SELECT count FROM tuplecast.make_tick($1, 'causal')", [last]))[0]?.[0] ?? 0);
        },
        /** The keys of the events behind a number. pageBytes null: as for one tick. */
        read: async (from, count, pageBytes) => {
            const rows = await database.query("SELECT kind, id_json FROM tuplecast.read_events($1, $2, '{things_changes}', $3, $4)", [from, count, BYTES_MAX, pageBytes]);
            return rows.filter(([kind]) => kind === "event").map(([, id]) => Number(id));
        },
    };
}

test("who was in flight at a tick is in the one after its commit, not in both, and is read with it, alone or in a page", async (t) => {
    const { database, write, tick, read } = await openLog(t);
    const [slow, slower] = [await database.connect(t), await database.connect(t)];
    await slow.query("BEGIN");
    await write(1, slow);
    await slower.query("BEGIN");
    await write(2, slower);
    await write(3);
    assert.equal(await tick(), 1);
    await write(4);
    assert.equal(await tick(), 1);
    await slow.query("COMMIT");
    await write(5);
    assert.equal(await tick(), 2);
    assert.equal(await tick(), 0);
    await slower.query("COMMIT");
    assert.equal(await tick(), 1);
    assert.deepEqual(await read(0, 1, null), [3]);
    assert.deepEqual(await read(1, 1, null), [4]);
    assert.deepEqual(await read(2, 2, null), [1, 5]);
    assert.deepEqual(await read(4, 1, null), [2]);
    assert.deepEqual(await read(0, 5, BYTES_MAX), [3, 4, 1, 5, 2]);
    assert.deepEqual(await read(2, 5, BYTES_MAX), [1, 5, 2]);
});

test("who commits between a tick's snapshot and its reading of the log is in the next tick, and not in both", async (t) => {
    const { database, write, tick, read } = await openLog(t);
    const [writer, holder, lead] = [await database.connect(t), await database.connect(t), await database.connect(t)];
    await writer.query("BEGIN");
    await write(1, writer);
    await write(2);
    await holder.query("BEGIN; LOCK TABLE tuplecast.tick"); // the snapshot is taken before this is waited for
    const making = lead.query("SELECT count FROM tuplecast.make_tick(0, 'causal')");
    await until(async () => (await database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'make_tick'")) === "1", "that the tick waits", PATIENCE_MS);
    await writer.query("COMMIT");
    await write(3); // by a transaction that began later still
    await holder.query("COMMIT");
    assert.equal((await making).rows[0].count, "1");
    assert.equal(await tick(), 2);
    assert.equal(await tick(), 0);
    assert.deepEqual(await read(0, 3, BYTES_MAX), [2, 1, 3]);
});

test("whatever a page holds, the pages of a log together have each event once, in order, also within and behind a large transaction", async (t) => {
    const { database, tick } = await openLog(t);
    let total = 0;
    for (const sizes of [[3, 6000, 12000], [5001], [2, 5000, 7000, 1]]) {
        for (const size of sizes) await database.query(`INSERT INTO things SELECT i, 'a' FROM generate_series(${total + 1}, ${(total += size)}) i`);
        assert.equal(await tick(), sizes.reduce((sum, size) => sum + size));
    }
    const readPage = "SELECT kind, number, id_json FROM tuplecast.read_events($1, $2, '{things_changes}', $3, $4)";
    for (const [start, count, pageBytes] of [[0, 16384, 1e9], [0, 16384, 300_000], [100, 16384, 700_000], [17_000, 16384, 1e9], [5_000, 4_000, 1e9], [7, 5_500, 200_000]]) {
        const seen = [];
        for (let place = start, end; place < total; place = end) {
            const rows = await database.query(readPage, [place, count, BYTES_MAX, pageBytes]);
            const events = rows.slice(0, rows.findIndex(([kind]) => kind === "end"));
            end = Number(rows[events.length][1]);
            assert.ok(end > place, `the page behind ${place} leads on`);
            assert.ok(events.every(([, number, id]) => number === id), "a number is its event's");
            seen.push(...events.map(([, number]) => Number(number)));
        }
        const expected = Array.from({ length: total - start }, (_, i) => start + i + 1);
        assert.deepEqual([seen.length, seen.findIndex((number, i) => number !== expected[i])], [expected.length, -1], `from ${start} by ${count} events or ${pageBytes} bytes`);
    }
});

test("events of a tick that was given up are refused, and not read as far as they are still there", async (t) => {
    const { database, write, tick, read } = await openLog(t);
    for (let id = 1; id <= 3; id++) {
        await write(id);
        await tick();
    }
    assert.deepEqual(await read(0, 1, null), [1]);
    await database.query("UPDATE tuplecast.state SET oldest_tick = 1");
    await database.query("DELETE FROM tuplecast.log WHERE id_json = '1'"); // as TRUNCATE would
    await assert.rejects(read(0, 1, null), { code: "TC001" });
    await assert.rejects(read(0, 3, BYTES_MAX), { code: "TC001" });
    assert.deepEqual(await read(1, 2, BYTES_MAX), [2, 3]);
});

test("retention goes on to the next partition once, also when two do it at once", async (t) => {
    const { database, tick } = await openLog(t);
    await database.query("INSERT INTO things SELECT i, repeat('a', 500) FROM generate_series(1, 1000) i");
    await tick();
    const partition = async () => Number(await database.value("SELECT last_value >> 40 FROM tuplecast.log_id"));
    const [one, two] = [await database.connect(t), await database.connect(t)];
    const retain = "SELECT * FROM tuplecast.retain('1 day', 1)";
    await one.query("BEGIN; SELECT FROM tuplecast.state FOR UPDATE"); // the first has begun, and has not leapt yet
    const second = two.query(retain);
    await until(async () => (await database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ '^SELECT . FROM tuplecast.retain'")) === "1", "that the second waits", PATIENCE_MS);
    assert.equal(await partition(), 0);
    await one.query(`${retain}; COMMIT`);
    await second;
    assert.equal(await partition(), 1);
});

test("retention that runs all the time, beside a transaction that never ends, holds no writer up", async (t) => {
    const { database, tick } = await openLog(t);
    const idle = await database.connect(t);
    await database.query("INSERT INTO things SELECT i, repeat('a', 500) FROM generate_series(1, 1000) i");
    await idle.query("BEGIN; UPDATE things SET a = a WHERE id = 1000");
    const keeper = await database.connect(t);
    let on = true;
    let rounds = 0;
    const retaining = (async () => {
        for (; on; rounds++) {
            await tick();
            await keeper.query("SELECT * FROM tuplecast.retain('0 s', 1)");
        }
    })();
    let longest = 0;
    const begin = performance.now();
    for (let i = 0; performance.now() - begin < 2000; i++) {
        const before = performance.now();
        await database.query("UPDATE things SET a = repeat($1, 500) WHERE id BETWEEN $2 AND $2 + 20", [String(i % 10), 1 + (i % 900)]);
        longest = Math.max(longest, performance.now() - before);
        await sleep(1);
    }
    on = false;
    await retaining;
    const partition = await database.value("SELECT last_value >> 40 FROM tuplecast.log_id");
    t.diagnostic(`a writer waited ${longest.toFixed(1)} ms at the longest; ${rounds} rounds, ${partition} partitions`);
    assert.ok(Number(partition) >= 1 && rounds > 10);
    assert.ok(longest < 1000, "100 ms, and what a busy machine adds"); // while no lock is waited for longer than 50 ms
});
