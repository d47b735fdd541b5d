// Durable triggers do all that live ones do: on each table there is one of either kind, and what they tell must be the same. Beyond that,
// rows of any size, and the time of each event.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { knowsDurable, put, startOne } from "./lib/bank.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const PATIENCE_MS = 60_000;
const file = wholeFile();
let database, gateway;
before(async () => {
    database = await createDatabase(file);
    assert.equal((await run(["setup"], database.env)).code, 0);
    gateway = await startOne(file, { ...database.env, TUPLECAST_LIMITS_MEMORY_BYTES: String(2 ** 29), TUPLECAST_LIMITS_CHANNEL_MEMORY_BYTES: String(2 ** 27) });
});

/** Puts a durable trigger and opens its stream. */
async function openDurable(t, table, more) {
    const response = await put(gateway, table, { channel: `${table}_durable`, ...more }, `${table}_durable`.replaceAll(/[^a-z_]/g, "x"));
    assert.equal(response.status, 201, response.body);
    await knowsDurable(t, gateway, `${table}_durable`);
    return { level: response.json.level, stream: await subscribe(t, gateway.stream(`${table}_durable`)) };
}

/** Both kinds of trigger on one table, which `sql` then changes: both must tell the same. Returns what they told. */
async function compare(t, { table, create, more = {}, sql, level }) {
    await database.query(create);
    const name = `${table}_live`.replaceAll(/[^a-z_]/g, "x");
    assert.equal((await put(gateway, table, { channel: `${table}_live`, ...more, durable: false }, name)).status, 201);
    const live = await subscribe(t, gateway.stream(`${table}_live`));
    const durable = await openDurable(t, table, more);
    assert.equal(durable.level, level);
    for (const statement of sql) await database.query(statement);
    // The last word: the same insert by both, so that the number of events need not be known.
    const last = ({ json }) => JSON.stringify(json).includes("the last word");
    const told = [];
    for (const stream of [live, durable.stream]) {
        await stream.until(() => stream.events.some(last) || undefined, "the last word", PATIENCE_MS);
        told.push(stream.events.filter(({ name }) => name === "message").map(({ json }) => ({ ...json, channel: undefined, at: undefined })));
        assert.ok(!stream.events.some(({ name }) => name === "gap"));
    }
    assert.deepEqual(told[1], told[0]);
    return told[1];
}

describe("durable triggers tell what live ones tell", () => {
    const plain = "(id int PRIMARY KEY, a text, kind text)";
    const last = (table) => `INSERT INTO ${table} (id, a, kind) VALUES (999, 'the last word', 'news')`;
    const cases = {
        "of one row and of many, inserted, updated, deleted and truncated, in part or not at all": {
            table: "plain",
            create: `CREATE TABLE plain ${plain}`,
            level: "statement",
            sql: [
                "INSERT INTO plain SELECT i, 'a' || i FROM generate_series(1, 50) i",
                "UPDATE plain SET a = a || '!' WHERE id % 2 = 0",
                "INSERT INTO plain VALUES (1, 'new'), (60, 'new') ON CONFLICT (id) DO UPDATE SET a = excluded.a",
                "DELETE FROM plain WHERE id > 45",
                "DELETE FROM plain WHERE false",
                "WITH gone AS (DELETE FROM plain WHERE id = 1 RETURNING *) INSERT INTO plain SELECT 70, a FROM gone",
                "BEGIN; INSERT INTO plain VALUES (80); SAVEPOINT s; INSERT INTO plain VALUES (81); ROLLBACK TO s; COMMIT",
                "BEGIN; DELETE FROM plain; ROLLBACK",
                "TRUNCATE plain",
                last("plain"),
            ],
        },
        "of chosen columns, with old values and what changed": {
            table: "chosen",
            create: `CREATE TABLE chosen ${plain}`,
            more: { columns: ["a"], old: true },
            level: "statement",
            sql: [
                "INSERT INTO chosen SELECT i, 'a' || i, 'x' FROM generate_series(1, 20) i",
                "UPDATE chosen SET a = a || '!', kind = 'y'",
                "UPDATE chosen SET kind = 'z'",
                "UPDATE chosen SET id = -id",
                "DELETE FROM chosen",
                last("chosen"),
            ],
        },
        "under conditions, and of updates of a column": {
            table: "picky",
            create: `CREATE TABLE picky ${plain}`,
            more: { update_of: ["a"], old: true, where: [{ column: "kind", op: "in", value: ["news", "more"] }] },
            level: "row",
            sql: [
                "INSERT INTO picky VALUES (1, 'x', 'news'), (2, 'x', 'other'), (3, 'x', NULL), (4, 'x', 'more')",
                "UPDATE picky SET kind = 'news' WHERE id = 2",
                "UPDATE picky SET a = 'y'",
                "UPDATE picky SET a = 'z', kind = 'other' WHERE id = 1",
                "DELETE FROM picky",
                "TRUNCATE picky",
                last("picky"),
            ],
        },
        "of partitions": {
            table: "parted",
            create: `CREATE TABLE parted ${plain} PARTITION BY RANGE (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
                     CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (1000)`,
            more: { old: true },
            level: "row",
            sql: [
                "INSERT INTO parted VALUES (1, 'x'), (101, 'y')",
                "INSERT INTO parted_1 VALUES (2, 'z')",
                "UPDATE parted SET a = a || '!'",
                "UPDATE parted SET id = id + 100 WHERE id = 2",
                "DELETE FROM parted_2",
                "TRUNCATE parted",
                last("parted"),
            ],
        },
        "of tables with long keys and columns that are traps": {
            table: 'Odd "names"',
            create: `CREATE TABLE "Odd ""names""" ("key one" int, k2 text, "data" json, n numeric, d double precision, b bytea, ts timestamptz, arr int[], PRIMARY KEY ("key one", k2))`,
            more: { old: true },
            level: "statement",
            sql: [
                `INSERT INTO "Odd ""names""" VALUES (1, E'line\\nfeed "quoted" \\\\', '{"a" : 1}', 123456789012345678901234567890.123, 'NaN', '\\x00ff', '2026-01-01 00:00Z', '{1,NULL}')`,
                `UPDATE "Odd ""names""" SET "data" = '{"a":2}', n = 'Infinity', d = '-Infinity'`,
                `INSERT INTO "Odd ""names""" VALUES (2, 'the last word')`,
            ],
        },
        "of tables without a key": {
            table: "keyless",
            create: "CREATE TABLE keyless (id int, a text, kind text)",
            level: "statement",
            sql: ["INSERT INTO keyless VALUES (1), (1)", "UPDATE keyless SET a = 'x'", last("keyless")],
        },
    };
    for (const [what, one] of Object.entries(cases))
        test(what, { timeout: 120_000 }, async (t) => {
            const told = await compare(t, one);
            assert.ok(told.length >= 3, `${told.length} events`);
        });
});

test("rows of any size arrive in full, at statement level and at row level", { timeout: 120_000 }, async (t) => {
    await database.query("CREATE TABLE large (id int PRIMARY KEY, body text); INSERT INTO large VALUES (1, '')");
    await database.query("CREATE TABLE large_row (id int PRIMARY KEY, body text); INSERT INTO large_row VALUES (1, '')");
    const streams = { large: await openDurable(t, "large"), large_row: await openDurable(t, "large_row", { update_of: ["body"], operations: ["UPDATE"] }) };
    assert.deepEqual(Object.values(streams).map(({ level }) => level), ["statement", "row"]);
    for (const [table, { stream }] of Object.entries(streams)) {
        for (const bytes of [7998, 8000, 1_000_000, 16_000_000]) {
            await database.query(`UPDATE ${table} SET body = repeat('ä', $1::int / 2)`, [bytes]);
            const { json } = (await stream.messages(1, PATIENCE_MS))[0];
            assert.equal(json.cut, undefined, `${table}, ${bytes} bytes: cut`);
            assert.equal(Buffer.byteLength(json.data.body), bytes);
        }
        stream.close();
        if (table !== "large") continue;
        // And from the log, for who comes back.
        const again = await subscribe(t, gateway.stream(`${table}_durable`, { from: "earliest" }));
        const messages = await again.messages(4, PATIENCE_MS);
        assert.deepEqual(messages.map(({ json }) => Buffer.byteLength(json.data.body)), [7998, 8000, 1_000_000, 16_000_000]);
        again.close();
    }
});

test("what is larger than durable.event_bytes_max is cut, and says so; the write succeeds", { timeout: 120_000 }, async (t) => {
    const small = await startOne(t, { ...database.env, TUPLECAST_DURABLE_EVENT_BYTES_MAX: "8192" });
    await database.query("CREATE TABLE long (id int PRIMARY KEY, body text)");
    const { stream } = await openDurable(t, "long", { old: true });
    await knowsDurable(t, small, "long_durable");
    const cutting = await subscribe(t, small.stream("long_durable"));
    await database.query("INSERT INTO long VALUES (1, 'x'); UPDATE long SET body = repeat('y', 9000); UPDATE long SET body = 'z'");
    const whole = await stream.messages(3, PATIENCE_MS);
    const cut = await cutting.messages(3, PATIENCE_MS);
    assert.deepEqual(whole.map(({ json }) => json.cut), [undefined, undefined, undefined]);
    assert.deepEqual(cut.map(({ json }) => [json.id, json.data?.body, json.old?.body, json.cut]), [
        [1, "x", undefined, undefined],
        [1, undefined, undefined, ["data", "old"]],
        [1, "z", undefined, ["old"]],
    ]);
    assert.deepEqual(cut.map(({ id }) => id), whole.map(({ id }) => id));
});

test("each event has the time at which it was made, not that of its transaction's begin", { timeout: 60_000 }, async (t) => {
    await database.query("CREATE TABLE timed (id int PRIMARY KEY)");
    const { stream } = await openDurable(t, "timed");
    await database.query(`BEGIN; CREATE TEMP TABLE times AS SELECT now() AS t; INSERT INTO timed VALUES (1); SELECT pg_sleep(0.05);
        INSERT INTO times VALUES (clock_timestamp()); INSERT INTO timed VALUES (2); INSERT INTO times VALUES (clock_timestamp()); COMMIT`);
    const [first, second] = (await stream.messages(2, PATIENCE_MS)).map(({ json }) => Date.parse(json.at));
    const times = (await database.query("SELECT extract(epoch FROM t) * 1000 FROM times ORDER BY t")).map(([ms]) => Number(ms));
    assert.ok(times[0] - 1 <= first && first <= times[1] && times[1] - 1 <= second && second <= times[2] + 1, `${first}, ${second} of ${times}`);
});
