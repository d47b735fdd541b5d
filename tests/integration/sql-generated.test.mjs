// Generated columns. Stored ones are columns like others. Virtual ones, the default in PostgreSQL 18, are not there when a trigger looks:
// they are left out everywhere, no write fails by them, and their expressions are never computed.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { knowsDurable, put, startOne, TOKEN } from "./lib/bank.mjs";
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
before(async () => {
    database = await createDatabase(file);
    const { code, stderr } = await run(["setup"], database.env);
    assert.equal(code, 0, stderr);
    gateway = await startOne(file, { ...database.env, TUPLECAST_CHANNELS: "*" });
});

const MORE_WAYS = {
    ...WAYS,
    "live, with a condition": { where: [{ column: "id", op: "is not null" }] },
    "live, at some columns": { update_of: ["a"] },
};

/** A table with a trigger that tells of old values, and its stream. */
async function watch(t, columns, definition, kind = "") {
    const table = `generated_${++tables}`;
    await database.query(`CREATE TABLE ${table} (${columns}) ${kind}`);
    const response = await put(gateway, table, { durable: false, old: true, ...definition });
    assert.equal(response.status, 201, response.body);
    if (definition.durable) await knowsDurable(t, gateway, `${table}_changes`);
    return { table, stream: await subscribe(t, gateway.stream(`${table}_changes`)) };
}

/** One row, a few, many, are inserted, updated and deleted. `row` gives what is told of a row, by its id and by what `a` is. */
async function comeAndGo({ table, stream }, row, changed) {
    const told = { old: undefined, changed: undefined, cut: undefined };
    for (const count of [1, 3, 40]) {
        const ids = range(1, count);
        await database.query(`INSERT INTO ${table} (id, a) SELECT i, 2 FROM generate_series(1, ${count}) i`);
        assert.deepEqual(await statement(stream, count), ids.map((id) => ({ ...told, type: "INSERT", id, data: row(id, 2) })));
        await database.query(`UPDATE ${table} SET a = 5`);
        const updated = (id) => ({ ...told, type: "UPDATE", id, data: row(id, 5), old: row(id, 2), changed });
        assert.deepEqual(await statement(stream, count), ids.map(updated));
        await database.query(`DELETE FROM ${table}`);
        assert.deepEqual(await statement(stream, count), ids.map((id) => ({ ...told, type: "DELETE", id, data: row(id, 5) })));
    }
}

describe("stored", () => {
    const columns = "id int PRIMARY KEY, a int, s int GENERATED ALWAYS AS (a * 10) STORED, t text GENERATED ALWAYS AS ('x') STORED";

    for (const [way, definition] of Object.entries(MORE_WAYS))
        test(`they are columns like others: ${way}`, async (t) => {
            await comeAndGo(await watch(t, columns, definition), (id, a) => ({ id, a, s: a * 10, t: "x" }), ["a", "s"]);
        });

    test("one can be the key, be chosen, and stand in a condition", async (t) => {
        const key = "n int, id int GENERATED ALWAYS AS (n + 1) STORED PRIMARY KEY";
        const { table, stream } = await watch(t, key, { columns: ["id"], where: [{ column: "id", op: ">=", value: 3 }] });
        await database.query(`INSERT INTO ${table} SELECT i FROM generate_series(1, 3) i`);
        assert.deepEqual((await changes(stream, 2)).map(({ id, data }) => [id, data]), [[3, { id: 3 }], [4, { id: 4 }]]);
    });
});

describe("virtual", { skip: SERVER_VERSION < 18 && "PostgreSQL has them since 18" }, () => {
    // The last one cannot be computed when a is 5.
    const columns = "id int PRIMARY KEY, v int GENERATED ALWAYS AS (a * 10) VIRTUAL, a int, w int GENERATED ALWAYS AS (1 / (a - 5))";
    const row = (id, a) => ({ id, a });

    for (const [way, definition] of Object.entries(MORE_WAYS)) {
        test(`they are left out, and no write fails: ${way}`, async (t) => {
            await comeAndGo(await watch(t, columns, definition), row, ["a"]);
        });

        test(`they come and go while there is a trigger: ${way}`, async (t) => {
            const watched = await watch(t, "id int PRIMARY KEY, a int", definition);
            await comeAndGo(watched, row, ["a"]);
            await database.query(`ALTER TABLE ${watched.table} ADD v int GENERATED ALWAYS AS (1 / (a - 5)) VIRTUAL`);
            await comeAndGo(watched, row, ["a"]);
            await database.query(`ALTER TABLE ${watched.table} ALTER v SET EXPRESSION AS (1 / (a - 2))`);
            await comeAndGo(watched, row, ["a"]);
            await database.query(`ALTER TABLE ${watched.table} RENAME v TO "V w"`);
            await comeAndGo(watched, row, ["a"]);
            await database.query(`ALTER TABLE ${watched.table} DROP "V w"`);
            await comeAndGo(watched, row, ["a"]);
        });
    }

    for (const durable of [false, true])
        test(`of a partitioned table, ${durable ? "durable" : "live"}`, async (t) => {
            const watched = await watch(t, columns, { durable }, "PARTITION BY LIST (id)");
            await database.query(`CREATE TABLE ${watched.table}_all PARTITION OF ${watched.table} DEFAULT`);
            await comeAndGo(watched, row, ["a"]);
        });

    test("beside a list of columns, and a key of several columns", async (t) => {
        const key = "id int, b text DEFAULT 'b', a int, v text GENERATED ALWAYS AS (b || b), PRIMARY KEY (b, id)";
        const { table, stream } = await watch(t, key, { columns: ["a", "b"] });
        await database.query(`INSERT INTO ${table} (id, a) VALUES (1, 2)`);
        await database.query(`UPDATE ${table} SET a = 3`);
        const seen = (await changes(stream, 2)).map(({ id, data, old, changed }) => [id, data, old, changed]);
        const id = { b: "b", id: 1 };
        assert.deepEqual(seen, [[id, { a: 2, b: "b" }, undefined, undefined], [id, { a: 3, b: "b" }, { a: 2, b: "b" }, ["a"]]]);
    });

    test("one cannot be chosen: a definition that names one is refused, or the column is left out, and no write fails", async (t) => {
        for (const more of [{ columns: ["id", "v"] }, { update_of: ["v"] }, { where: [{ column: "v", op: "is not null" }] }]) {
            const table = `generated_${++tables}`;
            await database.query(`CREATE TABLE ${table} (${columns})`);
            const response = await put(gateway, table, { durable: false, ...more });
            assert.ok(response.status === 201 || (response.status >= 400 && response.status < 500), response.body);
            if (response.status !== 201) assert.match(response.json.detail, /virtual|\bv\b/);
            const stream = await subscribe(t, gateway.stream(`${table}_changes`));
            await database.query(`INSERT INTO ${table} (id, a) VALUES (1, 5)`);
            await database.query(`UPDATE ${table} SET a = 6; UPDATE ${table} SET a = 5; DELETE FROM ${table}`);
            await database.notify(`${table}_changes`, "the end");
            await stream.until(() => stream.events.find(({ json }) => json.data === "the end"), "the end", PATIENCE_MS);
            for (const { json } of stream.events) assert.ok(!Object.hasOwn(json.data ?? {}, "v"), JSON.stringify(json));
            stream.close();
        }
    });

    test("the list of tables does not offer them", async () => {
        const table = `generated_${++tables}`;
        await database.query(`CREATE TABLE ${table} (${columns})`);
        const response = await gateway.get("/tables", { headers: { Authorization: `Bearer ${TOKEN}` } });
        const { columns: offered } = response.json.items.find((item) => item.table === table);
        assert.deepEqual(offered.map((column) => column.name ?? column), ["id", "a"]);
    });
});
