// Statements that change many rows: up to sixteen rows are sent each by itself, the rest as one statement and its rows. Whatever the number, and
// whichever way a row goes, each is told once, in order, and the same.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { define, install, Listener, put, watched } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const file = wholeFile();
let database;

before(async () => {
    database = await createDatabase(file);
    await install(database);
});

const ids = (events) => events.map(({ id }) => id);
const upTo = (count) => Array.from({ length: count }, (_, i) => i + 1);

/** Every operation on so many rows, and what it must tell. */
async function writeAll(query, listener, table, count, { old = false } = {}) {
    await query(`INSERT INTO ${table} SELECT i, 'a' FROM generate_series(1, ${count}) i`);
    await query(`UPDATE ${table} SET a = 'b'`);
    await query(`DELETE FROM ${table}`);
    const events = await listener.events();
    for (const [index, [type, a]] of [["INSERT", "a"], ["UPDATE", "b"], ["DELETE", "b"]].entries()) {
        const part = events.slice(index * count, (index + 1) * count);
        assert.deepEqual(ids(part).sort((x, y) => x - y), upTo(count), `${type} of ${count}`);
        if (type === "INSERT") assert.deepEqual(ids(part), upTo(count), `in order: ${count}`); // the order of others is the table's
        for (const event of part) {
            const { id } = event;
            const more = old && type === "UPDATE" ? { old: { id, a: "a" }, changed: ["a"] } : {};
            assert.deepEqual(event, { schema: "public", table, type, id, data: { id, a }, ...more });
        }
    }
    assert.equal(events.length, 3 * count);
}

const COUNTS = [1, 2, 15, 16, 17, 18, 33, 400];

for (const old of [false, true])
    test(`each of a statement's rows is told once${old ? ", with old values" : ""}`, async (t) => {
        const table = `counted_${old}`;
        const listener = await watched(t, database, table, "id integer PRIMARY KEY, a text", { old });
        const client = await database.connect(t);
        for (const count of COUNTS) await writeAll((sql) => client.query(sql), listener, table, count, { old });
        // Without the fast way it is the same.
        await database.query(`ALTER TABLE ${table} ALTER a TYPE varchar`);
        for (const count of COUNTS) await writeAll((sql) => client.query(sql), listener, table, count, { old });
    });

for (const level of ["READ COMMITTED", "REPEATABLE READ"])
    test(`also when the two queries are planned in transactions of different kinds: first ${level}`, async (t) => {
        const table = `planned_${level.replace(" ", "_").toLowerCase()}`;
        const listener = await watched(t, database, table, "id integer PRIMARY KEY, a text");
        const client = await database.connect(t);
        const within = (kind) => async (sql) => client.query(`BEGIN ISOLATION LEVEL ${kind}; ${sql}; COMMIT`);
        const other = level === "READ COMMITTED" ? "REPEATABLE READ" : "READ COMMITTED";
        await writeAll(within(level), listener, table, 1);
        for (const kind of [other, level, other]) await writeAll(within(kind), listener, table, 40);
    });

test("after the table was altered, in the middle of a session and of a transaction", async (t) => {
    const listener = await watched(t, database, "altered", "id integer PRIMARY KEY, a text");
    const unaltered = await watched(t, database, "unaltered", "id integer PRIMARY KEY, a text");
    const client = await database.connect(t);
    const query = (sql) => client.query(sql);
    await writeAll(query, listener, "altered", 20);
    await query("BEGIN");
    await query("INSERT INTO altered SELECT i, 'a' FROM generate_series(1, 20) i; ALTER TABLE altered RENAME a TO b");
    await query("UPDATE altered SET b = 'c'; ALTER TABLE altered DROP b; DELETE FROM altered");
    // What the one table's trigger remembers within the transaction must not be taken for the other's.
    await writeAll(query, { events: async () => (await query("COMMIT"), unaltered.events()) }, "unaltered", 20);
    const events = await listener.events();
    assert.deepEqual(events.map(({ data }) => data), [...upTo(20).map((id) => ({ id, a: "a" })), ...upTo(20).map((id) => ({ id, b: "c" })), ...upTo(20).map((id) => ({ id }))]);
});

test("long rows keep their place among short ones", async (t) => {
    const listener = await watched(t, database, "mixed", "id integer PRIMARY KEY, a text");
    await database.query("INSERT INTO mixed SELECT i, repeat('x', CASE i % 3 WHEN 0 THEN 9000 WHEN 1 THEN 3000 ELSE 1 END) FROM generate_series(1, 60) i");
    const events = await listener.events();
    assert.deepEqual(ids(events), upTo(60));
    for (const { id, data, cut } of events) assert.deepEqual([data?.a.length, cut], id % 3 === 0 ? [undefined, ["data"]] : [id % 3 === 1 ? 3000 : 1, undefined]);
});

test("columns may have the names that the queries use themselves", async (t) => {
    const harmless = ["n", "k", "s", "c", "o", "more", "head", "number", "settings", "row_json", "tuplecast ", "tuplecast number", "50% %s %1$s"];
    const ours = ["tuplecast's head", "tuplecast's row", "tuplecast's 1"]; // with these there is no fast way
    for (const [index, names] of [harmless, [...harmless, ...ours]].entries())
        for (const old of [false, true]) {
            const table = `names_${index}_${old}`;
            const columns = names.map((name) => `"${name}" text`).join();
            const listener = await watched(t, database, table, `id integer PRIMARY KEY, ${columns}`, { old });
            for (const count of [1, 20]) {
                await database.query(`INSERT INTO ${table} SELECT i, ${names.map((_, i) => `'${i}'`).join()} FROM generate_series(1, ${count}) i; UPDATE ${table} SET "head" = 'x'`);
                const events = await listener.events();
                assert.equal(events.length, 2 * count);
                for (const [place, { id, data, changed }] of events.entries()) {
                    const expected = { id, ...Object.fromEntries(names.map((name, i) => [name, String(i)])) };
                    assert.deepEqual(data, place < count ? expected : { ...expected, head: "x" });
                    assert.deepEqual(changed, old && place >= count ? ["head"] : undefined);
                }
                await database.query(`DELETE FROM ${table}`);
                await listener.events();
            }
        }
});

test("rows without a key that are equal are all told, and a key that is checked late is no key to tell them apart by", async (t) => {
    for (const [table, columns] of [["keyless", "a int"], ["late", "a int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED"]]) {
        const listener = await watched(t, database, table, columns);
        await database.query(`BEGIN; INSERT INTO ${table} SELECT 1 FROM generate_series(1, 100); DELETE FROM ${table}; COMMIT`);
        const events = await listener.events();
        assert.deepEqual([events.length, events.filter(({ type }) => type === "INSERT").length], [200, 100], table);
    }
});

test("a column that is text of a fixed length tells of blanks that changed", async (t) => {
    const listener = await watched(t, database, "padded", "id integer PRIMARY KEY, a bpchar, b bpchar", { old: true });
    for (const count of [1, 20]) {
        await database.query(`INSERT INTO padded SELECT i, 'x', 'y' FROM generate_series(1, ${count}) i; UPDATE padded SET a = 'x ', b = 'y'; DELETE FROM padded`);
        const updates = (await listener.events()).filter(({ type }) => type === "UPDATE");
        assert.deepEqual(updates.map(({ data, changed }) => [data.a, changed]), Array(count).fill(["x ", ["a"]]));
    }
});

test("what a statement has in common is sent once, and the writer's settings are as they were", async (t) => {
    await watched(t, database, "common", "id integer PRIMARY KEY, a text");
    const client = await database.connect(t);
    const raw = await Listener.open(t, database, "common_changes");
    const settings = "SELECT current_setting('jit'), current_setting('work_mem'), current_setting('search_path'), current_setting('tuplecast.unsent', true)";
    const now = async () => (await client.query({ text: settings, rowMode: "array" })).rows[0];
    const before = await now();
    await client.query("BEGIN; INSERT INTO common SELECT i, 'a' FROM generate_series(1, 20) i");
    assert.deepEqual(await now(), before);
    await client.query("COMMIT");
    await raw.texts();
    const [statement, ...rows] = raw.payloads.slice(16, 21);
    assert.match(statement, /^\{"_":\d+,"schema":"public","table":"common","type":"INSERT","key":\["id"\],"columns":\["id","a"\]\}$/);
    const number = /\d+/.exec(statement)[0];
    assert.deepEqual(rows, [17, 18, 19, 20].map((id) => `{"_":${number},"row":[${id},"a"]}`));
});

test("a table whose names fill a notification sends each row by itself", async (t) => {
    const columns = Array.from({ length: 130 }, (_, i) => `"${String(i).padStart(60, "c")}" integer`).join();
    const listener = await watched(t, database, "named_at_length", `id integer PRIMARY KEY, ${columns}`);
    await database.query("INSERT INTO named_at_length SELECT i FROM generate_series(1, 20) i");
    const events = await listener.events();
    assert.deepEqual(events.map(({ id, cut }) => [id, cut]), upTo(20).map((id) => [id, ["data"]]));
});

test("a trigger with a list of columns that leaves out the key sends it all the same", async (t) => {
    await database.query('CREATE TABLE listed (a integer, "b\'s" text, c text, PRIMARY KEY (a, "b\'s"))');
    await put(database, "listed", define("listed", { columns: ["c"], old: true }));
    const listener = await Listener.open(t, database, "listed_changes");
    await database.query("INSERT INTO listed SELECT i, 'x', 'y' FROM generate_series(1, 20) i; UPDATE listed SET c = NULL");
    const events = await listener.events();
    assert.equal(events.length, 40);
    for (const { type, id, data, old, changed } of events) {
        assert.deepEqual(Object.keys(id), ["a", "b's"]);
        assert.deepEqual([data, old, changed], type === "INSERT" ? [{ c: "y" }, undefined, undefined] : [{ c: null }, { c: "y" }, ["c"]]);
    }
});
