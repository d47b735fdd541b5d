// What ticks, places, reading and retention look at, in pages of the database: what is in a tick, a page or a portion, and neither what is kept beside it
// nor what is open. No time is measured, so it holds on every machine and version. bench/durable measures the time, with a hundred times as much.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { define, install, put } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";

const KEPT = 30_000; // ticks, of two events each
const PORTION = 10_000; // ticks that a call of retain() gives up, and as many that it deletes
const OPEN = 50_000; // rows of a transaction that does not end
const LIMITS = { timeout: 240_000 };

/** The pages that a call looks at, once its plans are made. */
async function pagesOf(client, call) {
    let pages;
    for (let i = 0; i < 3; i++) {
        await client.query("BEGIN");
        const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM ${call}`);
        await client.query("ROLLBACK");
        const plan = JSON.parse(rows[0]["QUERY PLAN"])[0].Plan;
        pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
    }
    return pages;
}

describe("with many kept ticks and a large open transaction", LIMITS, () => {
    let database;
    let client;
    const pages = {};

    const write = (rows, to = database) => to.query(`INSERT INTO things SELECT i FROM generate_series((SELECT coalesce(max(id), 0) + 1 FROM things), (SELECT coalesce(max(id), 0) + ${rows} FROM things)) i`);
    const makeTick = () => database.query("SELECT number FROM tuplecast.make_tick((SELECT number FROM tuplecast.last_tick()), 'causal')");

    const end = async () => Number(await database.value("SELECT end_number FROM tuplecast.last_tick()"));
    const read = (from, count, bytes) => `tuplecast.read_events(${from}, ${count}, '{things_changes}', 1000000, ${bytes})`;

    /** The calls of a gateway, and the pages that each of them looks at: as the log is now. */
    async function measureReading() {
        const last = await end();
        const nonce = await database.value("SELECT nonce FROM tuplecast.tick ORDER BY number DESC LIMIT 1");
        return {
            "reading the events of a tick": await pagesOf(client, read(last - 10, 10, "NULL")),
            "reading a page of history": await pagesOf(client, read(last - 20, 100, 65536)),
            "a place near the end": await pagesOf(client, `tuplecast.find_place(${last - 5}, '${nonce}')`),
            "a place that is not kept": await pagesOf(client, "tuplecast.find_place(3, 'nonsense')"),
            "where the log ends": await pagesOf(client, "tuplecast.last_tick()"),
            "ticks behind one": await pagesOf(client, "tuplecast.ticks_after((SELECT number - 2 FROM tuplecast.last_tick()))"),
            "retention that has nothing to do": await pagesOf(client, "tuplecast.retain('1 day', 1::bigint << 40)"),
        };
    }

    async function measure() {
        const last = await database.value("SELECT number FROM tuplecast.last_tick()");
        return { "a tick": await pagesOf(client, `tuplecast.make_tick(${last}, 'causal')`), ...(await measureReading()) };
    }

    before(async () => {
        const t = { after }; // the suite
        database = await createDatabase(t);
        await install(database);
        await database.query("CREATE TABLE things (id integer PRIMARY KEY)");
        await put(database, "things", define("things", { durable: true }));
        client = await database.connect(t);
        for (let i = 0; i < 3; i++) {
            await write(10);
            await makeTick();
        }
        const few = await measure();

        // Each with a transaction of its own, which has ended, and all of them before those that follow.
        const xid = await database.value("SELECT pg_current_xact_id()");
        await database.query(`DO $$ BEGIN FOR i IN 1 .. ${KEPT} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`);
        await database.query(`INSERT INTO tuplecast.tick (number, base, count, nonce, snapshot, at, server, slots, channels, xids, sizes)
            SELECT t.number + i, t.base + t.count + 2 * (i - 1), 2, 'abcdef', format('%s:%s:', ${xid} + i + 1, ${xid} + i + 1)::pg_snapshot,
                   clock_timestamp() - interval '20 hours' + i * interval '2 seconds', t.server, t.slots, t.channels, ARRAY[(${xid} + i)::text::xid8], '{2}'
              FROM (SELECT * FROM tuplecast.tick ORDER BY number DESC LIMIT 1) t, generate_series(1, ${KEPT}) i`);
        await database.query(`INSERT INTO tuplecast.log (xid, channel, head, id_json, data)
            SELECT (${xid} + i)::text::xid8, l.channel, l.head, l.id_json, l.data
              FROM (SELECT * FROM tuplecast.log LIMIT 1) l, generate_series(1, ${KEPT}) i, generate_series(1, 2) ORDER BY i`);
        await database.query("UPDATE tuplecast.state SET oldest_tick = 10");
        // A large transaction between two small ones, which a tick tells together.
        const [small, open] = [await database.connect(t), await database.connect(t)];
        await small.query("BEGIN; INSERT INTO things SELECT -i FROM generate_series(1, 5) i");
        await open.query("BEGIN");
        await write(OPEN, open);
        await database.query("INSERT INTO things SELECT -i FROM generate_series(6, 10) i");
        await small.query("COMMIT");
        const many = await measure();
        await makeTick();
        Object.assign(many, await measureReading());
        await database.query("ANALYZE"); // which may change every plan
        client = await database.connect({ after });
        const analyzed = await measure();
        // The second one deletes what the first has given up, and gives up as much again.
        await database.query("SELECT tuplecast.retain('1 hour', 1::bigint << 40)");
        const portion = await pagesOf(client, "tuplecast.retain('1 hour', 1::bigint << 40)");
        // What is deleted may stand in the indexes as long as the open transaction does: nobody walks over it.
        await database.query("SELECT tuplecast.retain('1 hour', 1::bigint << 40)");
        const deleted = await measure();
        Object.assign(pages, { few, many, analyzed, deleted, portion });
    });

    for (const what of [
        "a tick",
        "reading the events of a tick",
        "reading a page of history",
        "a place near the end",
        "a place that is not kept",
        "where the log ends",
        "ticks behind one",
    ])
        test(`${what} looks at no more than otherwise`, (t) => {
            const { few, many, analyzed, deleted } = pages;
            t.diagnostic(`${many[what]} pages, ${analyzed[what]} after ANALYZE, ${deleted[what]} after retention; ${few[what]} with few ticks, and nothing open`);
            // A level more of each index, some transactions more.
            const most = Math.max(many[what], analyzed[what], deleted[what]);
            assert.ok(most <= 2 * few[what] + 100, `${most} pages instead of ${few[what]}`);
        });

    test("retention that has nothing to do looks at no more than otherwise", (t) => {
        const { few, many, analyzed } = pages;
        const what = "retention that has nothing to do";
        t.diagnostic(`${many[what]} pages, ${analyzed[what]} after ANALYZE; ${few[what]} with few ticks`);
        assert.ok(Math.max(many[what], analyzed[what]) <= 2 * few[what] + 100, `${many[what]}, ${analyzed[what]} pages instead of ${few[what]}`);
    });

    test("retention looks at few pages for each tick that it gives up or deletes", (t) => {
        t.diagnostic(`${pages.portion} pages for ${PORTION} ticks`);
        assert.ok(pages.portion > PORTION / 100, "it did delete some");
        assert.ok(pages.portion <= 3 * PORTION, `${pages.portion} pages`);
    });
});
