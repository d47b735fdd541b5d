// What later versions of PostgreSQL brought, and a trigger meets: MERGE (15), keys WITHOUT OVERLAPS and RETURNING of old values (18).

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { knowsDurable, put, startOne } from "./lib/bank.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run } from "./lib/gateway.mjs";
import { SERVER_VERSION } from "./lib/servers.mjs";
import { subscribe } from "./lib/sse.mjs";
import { changes, range, statement, WAYS } from "./lib/told.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const PATIENCE_MS = 30_000;
const file = wholeFile();
let database, gateway;
let tables = 0;
const since = (version) => SERVER_VERSION < version && `PostgreSQL has it since ${version}`;

before(async () => {
    database = await createDatabase(file);
    const { code, stderr } = await run(["setup"], database.env);
    assert.equal(code, 0, stderr);
    gateway = await startOne(file, { ...database.env, TUPLECAST_CHANNELS: "*" });
});

/** A table with a trigger that tells of old values, and its stream. */
async function watch(t, columns, definition) {
    const table = `versions_${++tables}`;
    await database.query(`CREATE TABLE ${table} (${columns})`);
    const response = await put(gateway, table, { durable: false, old: true, ...definition });
    assert.equal(response.status, 201, response.body);
    if (definition.durable) await knowsDurable(t, gateway, `${table}_changes`);
    return { table, stream: await subscribe(t, gateway.stream(`${table}_changes`)) };
}

/** In an order that does not depend on that of the statement's parts. */
const inOrder = (events) => events.toSorted((a, b) => (JSON.stringify([a.type, a.id]) < JSON.stringify([b.type, b.id]) ? -1 : 1));
const told = { old: undefined, changed: undefined, cut: undefined };

describe("MERGE", { skip: since(15) }, () => {
    for (const [way, definition] of Object.entries(WAYS))
        test(`tells what it did to each row: ${way}`, async (t) => {
            const { table, stream } = await watch(t, "id int PRIMARY KEY, a int", definition);
            await database.query(`INSERT INTO ${table} VALUES (1, 1), (2, 2), (3, 3)`);
            await changes(stream, 3);
            await database.query(`
                MERGE INTO ${table} AS t USING (VALUES (2), (3), (4)) AS s (id) ON t.id = s.id
                WHEN MATCHED AND t.id = 2 THEN DELETE
                WHEN MATCHED THEN UPDATE SET a = 30
                WHEN NOT MATCHED THEN INSERT VALUES (s.id, 4)`);
            assert.deepEqual(inOrder(await changes(stream, 3)), [
                { ...told, type: "DELETE", id: 2, data: { id: 2, a: 2 } },
                { ...told, type: "INSERT", id: 4, data: { id: 4, a: 4 } },
                { ...told, type: "UPDATE", id: 3, data: { id: 3, a: 30 }, old: { id: 3, a: 3 }, changed: ["a"] },
            ]);
        });
});

describe("a key WITHOUT OVERLAPS", { skip: since(18) }, () => {
    const days = (from, to) => `["2026-01-${from} 00:00:00+00","2026-01-${to} 00:00:00+00")`;
    before(() => database.query("CREATE EXTENSION btree_gist"));

    for (const [way, definition] of Object.entries(WAYS))
        test(`is the id, of both its parts, whatever the writer's time zone: ${way}`, async (t) => {
            const key = "room int, during tstzrange, guest text, PRIMARY KEY (room, during WITHOUT OVERLAPS)";
            const { table, stream } = await watch(t, key, definition);
            const writer = await database.connect(t);
            await writer.query("SET TimeZone = 'Asia/Tokyo'");
            const id = (room) => ({ room, during: days("01", "05") });
            const row = (room, guest) => ({ ...id(room), guest });
            for (const count of [1, 3, 40]) {
                const rooms = range(1, count);
                const next = () => statement(stream, count, (event) => event.id.room);
                await writer.query(`INSERT INTO ${table} SELECT i, '${days("01", "05")}', 'Ann' FROM generate_series(1, ${count}) i`);
                assert.deepEqual(await next(), rooms.map((room) => ({ ...told, type: "INSERT", id: id(room), data: row(room, "Ann") })));
                await writer.query(`UPDATE ${table} SET guest = 'Bob'`);
                const updated = { ...told, type: "UPDATE", changed: ["guest"] };
                assert.deepEqual(await next(), rooms.map((room) => ({ ...updated, id: id(room), data: row(room, "Bob"), old: row(room, "Ann") })));
                await writer.query(`DELETE FROM ${table}`);
                assert.deepEqual(await next(), rooms.map((room) => ({ ...told, type: "DELETE", id: id(room), data: row(room, "Bob") })));
            }
        });

    test("UNIQUE as replica identity is the id, too", async (t) => {
        const key = "room int NOT NULL, during int4range NOT NULL, CONSTRAINT versions_unique UNIQUE (room, during WITHOUT OVERLAPS)";
        const { table, stream } = await watch(t, key, {});
        await database.query(`INSERT INTO ${table} VALUES (1, '[1,5)')`);
        const [{ id }] = await changes(stream, 1);
        await database.query(`ALTER TABLE ${table} REPLICA IDENTITY USING INDEX versions_unique`);
        await database.query(`INSERT INTO ${table} VALUES (1, '[5,9)')`);
        const [{ id: then }] = await changes(stream, 1);
        assert.deepEqual([id, then], [null, { room: 1, during: "[5,9)" }]);
    });

    test("a foreign key with PERIOD may cascade nothing, and tells nothing", async (t) => {
        const { table, stream } = await watch(t, "room int, during int4range, PRIMARY KEY (room, during WITHOUT OVERLAPS)", {});
        await database.query(`
            CREATE TABLE stays (guest int, room int, during int4range,
                PRIMARY KEY (guest, during WITHOUT OVERLAPS), FOREIGN KEY (room, PERIOD during) REFERENCES ${table} (room, PERIOD during))`);
        await database.query(`INSERT INTO ${table} VALUES (1, '[1,5)'), (1, '[5,9)')`);
        await database.query("INSERT INTO stays VALUES (7, 1, '[3,7)')");
        await assert.rejects(database.query(`DELETE FROM ${table} WHERE during = '[5,9)'`), /violates/);
        await database.query(`DELETE FROM stays; DELETE FROM ${table} WHERE during = '[5,9)'`);
        const seen = (await changes(stream, 3)).map(({ type, id }) => [type, id.during]);
        assert.deepEqual(seen, [["INSERT", "[1,5)"], ["INSERT", "[5,9)"], ["DELETE", "[5,9)"]]);
    });
});

describe("RETURNING", { skip: since(18) }, () => {
    for (const [way, definition] of Object.entries(WAYS))
        test(`of old and new values gives the writer its own: ${way}`, async (t) => {
            const { table, stream } = await watch(t, "id int PRIMARY KEY, a int", definition);
            const upsert = (a) => `INSERT INTO ${table} VALUES (1, ${a}) ON CONFLICT (id) DO UPDATE SET a = ${a} RETURNING old.a, new.a`;
            assert.deepEqual(await database.query(upsert(1)), [[null, "1"]]);
            assert.deepEqual(await database.query(upsert(2)), [["1", "2"]]);
            assert.deepEqual((await changes(stream, 2)).map(({ type, data }) => [type, data.a]), [["INSERT", 1], ["UPDATE", 2]]);
        });
});
