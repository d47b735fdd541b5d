// Each of PostgreSQL's triggers has a function of its own, in which the names of its table are written. Whatever happens to the table
// afterwards, what it sends is right, and no write fails.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";
import { define, install, Listener, put, watched } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { noDump } from "./lib/servers.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const file = wholeFile();
let database;

before(async () => {
    database = await createDatabase(file);
    await install(database);
});

/** Of each of the parts for INSERT, UPDATE and DELETE: would its function be the same if it was written now? */
async function current(table, from = database) {
    const rows = await from.query(
        `SELECT tuplecast.is_current(p.function, p.relation, p.full_name, substring(prosrc FROM 'is_current\\(''[^)]*''([0-9a-f]{32})''\\)'))
           FROM tuplecast.parts p JOIN pg_trigger g ON g.oid = p.trigger JOIN pg_proc f ON f.oid = g.tgfoid AND p.part IN ('insert', 'update', 'delete')
          WHERE p.relation = $1::regclass`,
        [table],
    );
    return rows.map(([answer]) => answer).join("");
}

/** Of each of them: is there a fast way in its function? */
async function fast(table) {
    const rows = await database.query(
        `SELECT prosrc ~ 'pg_catalog\\.nextval|lead_asleep' FROM tuplecast.parts p JOIN pg_trigger g ON g.oid = p.trigger JOIN pg_proc f ON f.oid = g.tgfoid
          WHERE p.relation = $1::regclass AND p.part IN ('insert', 'update', 'delete')`,
        [table],
    );
    return rows.map(([answer]) => answer).join("");
}

const functions = (table) => database.query("SELECT function FROM tuplecast.parts WHERE relation = $1::regclass AND function ~ '[0-9]$' ORDER BY 1", [table]);

/** What a table's durable trigger has written since the last call, as a Listener has it. */
class LogReader {
    #last = 0;

    constructor(database, channel) {
        Object.assign(this, { database, channel });
    }

    async events() {
        const rows = await this.database.query("SELECT id, head || id_json || ',\"data\":' || data FROM tuplecast.log WHERE channel = $1 AND id > $2 ORDER BY id", [this.channel, this.#last]);
        this.#last = rows.at(-1)?.[0] ?? this.#last;
        return rows.map(([, text]) => JSON.parse(`{${text}}`));
    }
}

const KINDS = ["live", "live with old values", "live at row level", "live at row level with old values", "durable"];
const options = (kind) => ({ durable: kind === "durable", old: /old values/.test(kind), level: /row level/.test(kind) ? "row" : "statement" });

/** A table with a trigger of that kind, and what it tells. */
async function told(t, kind, table, columns) {
    await database.query(`CREATE TABLE ${table} (${columns})`);
    assert.equal((await put(database, table, define(table, options(kind)))).level, /row level/.test(kind) ? "row" : "statement");
    return kind === "durable" ? new LogReader(database, `${table}_changes`) : Listener.open(t, database, `${table}_changes`);
}

const brief = (events) => events.map(({ schema, table, type, id, data }) => [schema, table, type, id, data]);

describe("a table is altered", () => {
    // [what, by whom else, the table's name then, the key and row that a new row then has]
    const alterations = [
        ["the table gets another name", "ALTER TABLE %t RENAME TO %t_now", "%t_now", { id: 2, a: "x" }],
        ["the key gets another name", "ALTER TABLE %t RENAME id TO pk", "%t", { pk: 2, a: "x" }],
        ["a measured column gets another name", "ALTER TABLE %t RENAME a TO b", "%t", { id: 2, b: "x" }],
        ["the names of key and column are exchanged", "ALTER TABLE %t RENAME id TO t; ALTER TABLE %t RENAME a TO id; ALTER TABLE %t RENAME t TO a", "%t", { a: 2, id: "x" }],
        // PostgreSQL has it only without the part that looks at the key.
        ["the key becomes a text", `DROP TRIGGER "tuplecast:%t:key" ON %t; DROP TRIGGER IF EXISTS "tuplecast:%t:moves" ON %t; ALTER TABLE %t ALTER id TYPE text`, "%t", { id: "2", a: "x" }],
        ["the text becomes a list of numbers", "ALTER TABLE %t ALTER a TYPE integer[] USING NULL", "%t", { id: 2, a: null }, "NULL"],
        ["a column comes", "ALTER TABLE %t ADD c numeric DEFAULT 'NaN'", "%t", { id: 2, a: "x", c: "NaN" }],
        ["an enum comes", "CREATE TYPE %t_mood AS ENUM ('calm'); ALTER TABLE %t ADD c %t_mood DEFAULT 'calm'", "%t", { id: 2, a: "x", c: "calm" }],
        ["a column of somebody's own type comes", "CREATE TYPE %t_pair AS (n integer); ALTER TABLE %t ADD c %t_pair DEFAULT ROW(1)", "%t", { id: 2, a: "x", c: { n: 1 } }],
        ["a column goes", "ALTER TABLE %t DROP a", "%t", { id: 2 }, null],
        ["the key goes", "ALTER TABLE %t DROP CONSTRAINT %t_pkey", "%t", { id: 2, a: "x" }, "'x'", null],
        ["the key is another column", "ALTER TABLE %t DROP CONSTRAINT %t_pkey; UPDATE %t SET a = 'y'; ALTER TABLE %t ADD PRIMARY KEY (a)", "%t", { id: 2, a: "x" }, "'x'", "x"],
    ];
    for (const [kind, fresh] of KINDS.flatMap((kind) => [[kind, false], [kind, true]]))
        for (const [index, [what, sql, name, row, value = "'x'", id = Object.values(row)[0]]] of alterations.entries())
            test(`${kind}: ${what} (${fresh ? "before a session's first write" : "between two writes of a session"})`, async (t) => {
                const table = `altered_${index}_${fresh}_${KINDS.indexOf(kind)}`;
                const definition = { channel: `${table}_changes`, ...options(kind) };
                const listener = await told(t, kind, table, "id integer PRIMARY KEY, a text");
                const writer = await database.connect(t);
                if (!fresh) await writer.query(`INSERT INTO ${table} VALUES (1, 'first')`);
                else await database.query(`INSERT INTO ${table} VALUES (1, 'first')`);
                assert.equal(await current(table), "ttt");
                assert.equal((await listener.events())[0].data.a, "first");
                await database.query(sql.replaceAll("%t", table));
                await listener.events();
                const now = name.replace("%t", table);
                for (const count of [1, 3]) {
                    await writer.query(`INSERT INTO ${now} SELECT 2 ${value === null ? "" : `, ${value}`} FROM generate_series(1, ${count}) ${/key goes/.test(what) ? "" : "LIMIT 1"}`);
                    const events = await listener.events();
                    assert.equal(events.length, /key goes/.test(what) ? count : 1);
                    assert.deepEqual(brief(events)[0], ["public", now, "INSERT", id, row]);
                    const two = Object.keys(row).find((key) => row[key] === 2 || row[key] === "2");
                    await writer.query(`UPDATE ${now} SET ${two} = ${two} WHERE ${two}::text = '2'; DELETE FROM ${now} WHERE ${two}::text = '2'`);
                    const later = await listener.events();
                    assert.deepEqual(later.map(({ type }) => type), ["UPDATE", "DELETE"].flatMap((type) => Array(events.length).fill(type)));
                    if (definition.old) assert.deepEqual([later[0].data, later[0].old, later[0].changed], [row, row, []]);
                }
                // To put it again makes it fast again, unless there is a type of somebody's own, whose code may do anything.
                await put(database, table, define(now, definition));
                assert.equal(await current(now), "ttt");
                assert.equal(await fast(now), /own type/.test(what) ? "fff" : "ttt");
                await writer.query(`INSERT INTO ${now} SELECT 2 ${value === null ? "" : `, ${value}`}`);
                assert.deepEqual(brief(await listener.events()), [["public", now, "INSERT", id, row]]);
                assert.deepEqual((await put(database, table, define(now, definition), { dryRun: true })).sql, []);
            });

    test("the schema gets another name", async (t) => {
        await database.query("CREATE SCHEMA before; CREATE TABLE before.things (id integer PRIMARY KEY)");
        await put(database, "things", define("things", { schema: "before" }));
        const listener = await Listener.open(t, database, "things_changes");
        const writer = await database.connect(t);
        await writer.query("INSERT INTO before.things VALUES (1)");
        await database.query("ALTER SCHEMA before RENAME TO afterwards");
        await writer.query("INSERT INTO afterwards.things VALUES (2)");
        assert.deepEqual((await listener.events()).map(({ schema }) => schema), ["before", "afterwards"]);
    });

    test("all its columns go", async (t) => {
        const listener = await watched(t, database, "emptied", "id integer PRIMARY KEY");
        const writer = await database.connect(t);
        await writer.query("INSERT INTO emptied VALUES (1)");
        await database.query("ALTER TABLE emptied DROP id CASCADE"); // with the part that looks at the key
        await writer.query("INSERT INTO emptied DEFAULT VALUES");
        assert.deepEqual((await listener.events()).map(({ id, data }) => [id, data]), [[1, { id: 1 }], [null, {}]]);
    });

    for (const kind of ["live", "live at row level"])
        test(`${kind}: in the writer's own transaction, and back again with it`, async (t) => {
            const name = `hither_${KINDS.indexOf(kind)}`;
            const listener = await told(t, kind, name, "id integer PRIMARY KEY, a text");
            const writer = await database.connect(t);
            await writer.query(`INSERT INTO ${name} VALUES (1, 'a')`);
            await writer.query(`BEGIN; ALTER TABLE ${name} RENAME id TO pk; INSERT INTO ${name} VALUES (2, 'b'); SAVEPOINT s; ALTER TABLE ${name} RENAME TO thither`);
            await writer.query(`INSERT INTO thither VALUES (3, 'c'); ROLLBACK TO s; INSERT INTO ${name} VALUES (4, 'd'); COMMIT`);
            await writer.query(`BEGIN; ALTER TABLE ${name} RENAME pk TO id; ROLLBACK; INSERT INTO ${name} VALUES (5, 'e')`);
            assert.deepEqual(
                (await listener.events()).map(({ table, id, data }) => [table, id, Object.keys(data)[0]]),
                [[name, 1, "id"], [name, 2, "pk"], [name, 4, "pk"], [name, 5, "pk"]],
            );
        });

    for (const kind of KINDS)
        test(`${kind}: a column gets another type, which is written alike`, async (t) => {
            const table = `retyped_${KINDS.indexOf(kind)}`;
            const listener = await told(t, kind, table, "id integer PRIMARY KEY, a text, n integer");
            const writer = await database.connect(t);
            await writer.query(`INSERT INTO ${table} VALUES (1, 'a', 7)`);
            for (const part of ["key", "moves"]) await database.query(`DROP TRIGGER IF EXISTS "tuplecast:${table}:${part}" ON ${table}`);
            await database.query(`ALTER TABLE ${table} ALTER id TYPE bigint, ALTER n TYPE smallint, ALTER a TYPE varchar`);
            await writer.query(`INSERT INTO ${table} VALUES (2, 'b', 8); UPDATE ${table} SET n = 9 WHERE id = 2`);
            await writer.query(`BEGIN; ALTER TABLE ${table} DROP n; ALTER TABLE ${table} ADD n bigint; UPDATE ${table} SET n = 1 WHERE id = 2; COMMIT`);
            assert.deepEqual(brief(await listener.events()).map(([, , ...rest]) => rest), [
                ["INSERT", 1, { id: 1, a: "a", n: 7 }],
                ["INSERT", 2, { id: 2, a: "b", n: 8 }],
                ["UPDATE", 2, { id: 2, a: "b", n: 9 }],
                ["UPDATE", 2, { id: 2, a: "b", n: 1 }],
            ]);
        });

    test("the key gets another type, or goes: PostgreSQL refuses that while the trigger is there, and not between DELETE and PUT", async (t) => {
        const listener = await watched(t, database, "strict", "id integer PRIMARY KEY, a text");
        for (const [alter, insert] of [
            ["ALTER TABLE strict ALTER id TYPE bigint", "INSERT INTO strict VALUES (5000000000, 'x')"],
            ["ALTER TABLE strict DROP id", "INSERT INTO strict VALUES ('x')"],
        ]) {
            await assert.rejects(database.query(alter), /used in a trigger definition|other objects depend on it/);
            await database.query("SELECT tuplecast.drop_trigger('strict', NULL, false)");
            await database.query(alter);
            await put(database, "strict", define("strict"));
            await database.query(insert);
        }
        assert.deepEqual(brief(await listener.events()).map(([, , ...rest]) => rest), [
            ["INSERT", 5000000000, { id: 5000000000, a: "x" }],
            ["INSERT", null, { a: "x" }],
        ]);
    });

    test("a partitioned one, and its partitions with it", async (t) => {
        await database.query("CREATE TABLE whole (id integer PRIMARY KEY, gone text, a text, b text) PARTITION BY RANGE (id)");
        await put(database, "whole", define("whole", { old: true }));
        const listener = await Listener.open(t, database, "whole_changes");
        await database.query("CREATE TABLE part_1 PARTITION OF whole FOR VALUES FROM (0) TO (100); ALTER TABLE whole DROP gone");
        await put(database, "whole", define("whole", { old: true }));
        await database.query("CREATE TABLE part_2 (b text, a text, id integer NOT NULL); ALTER TABLE whole ATTACH PARTITION part_2 FOR VALUES FROM (100) TO (200)");
        assert.equal(await current("whole"), "ttt");
        const writer = await database.connect(t);
        const row = async (sql, ...expected) => {
            await writer.query(sql);
            assert.deepEqual((await listener.events()).map(({ table, type, id, data, changed }) => [table, type, id, data, ...(changed ? [changed] : [])]), expected);
        };
        await row("INSERT INTO whole VALUES (1, 'x'), (101, 'y')", ["whole", "INSERT", 1, { id: 1, a: "x", b: null }], ["whole", "INSERT", 101, { id: 101, a: "y", b: null }]);
        await row("UPDATE whole SET b = 'z' WHERE id > 100; UPDATE part_1 SET a = NULL, b = NULL",
            ["whole", "UPDATE", 101, { id: 101, a: "y", b: "z" }, ["b"]], ["whole", "UPDATE", 1, { id: 1, a: null, b: null }, ["a"]]);
        await row("UPDATE whole SET id = 102 WHERE id = 1", ["whole", "DELETE", 1, { id: 1, a: null, b: null }], ["whole", "INSERT", 102, { id: 102, a: null, b: null }]);
        await database.query("ALTER TABLE whole RENAME a TO c; ALTER TABLE whole RENAME TO entire");
        assert.equal(await current("entire"), "fff");
        await row("INSERT INTO part_2 (id, c) VALUES (103, 'v')", ["entire", "INSERT", 103, { id: 103, c: "v", b: null }]);
        await database.query("ALTER TABLE entire DETACH PARTITION part_2");
        await row("INSERT INTO part_2 (id) VALUES (104)");
    });

    for (const kind of ["live at row level", "live at row level with old values", "durable at row level", "live", "durable"])
        for (const [alter, isolation] of [["ALTER TABLE %t ADD c integer", "READ COMMITTED"], ["SELECT", "SERIALIZABLE"]])
            for (const form of ["plain", "partitioned"])
                test(`${kind}, ${form}: what a trigger does is found out once for each part and not for each row: ${alter}, ${isolation}`, async (t) => {
                    const table = `once_${randomBytes(4).toString("hex")}`;
                    await database.query(`CREATE TABLE ${table} (id integer PRIMARY KEY, a text) ${form === "plain" ? "" : "PARTITION BY RANGE (id)"}`);
                    if (form !== "plain") await database.query(`CREATE TABLE ${table}_1 PARTITION OF ${table} FOR VALUES FROM (-1000) TO (1000)`);
                    await put(database, table, define(table, { ...options(kind), durable: /durable/.test(kind), level: form === "plain" ? options(kind).level : undefined }));
                    await database.query(alter.replace("%t", table));
                    const writer = await database.connect(t);
                    const calls = async () => {
                        const counted = await writer.query("SELECT sum(pg_stat_get_xact_function_calls(oid)) AS calls FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND proname IN ('queries_of', 'facts_of')");
                        return Number(counted.rows[0].calls ?? 0);
                    };
                    await writer.query(`SET track_functions = 'all'; BEGIN ISOLATION LEVEL ${isolation}`);
                    await writer.query(`INSERT INTO ${table} SELECT i FROM generate_series(1, 200) i; UPDATE ${table} SET a = 'x'; UPDATE ${table} SET id = -id; DELETE FROM ${table}`);
                    const first = await calls();
                    assert.ok(first > 0 && first < 30, `${first} calls`);
                    await writer.query(`INSERT INTO ${table} SELECT i FROM generate_series(1, 200) i`);
                    assert.equal(await calls(), first);
                    await writer.query("COMMIT");
                });

    for (const [level, kind] of ["REPEATABLE READ", "SERIALIZABLE"].flatMap((level) => KINDS.map((kind) => [level, kind])))
        test(`${kind}: by somebody else, in a transaction that does not see it: ${level}`, async (t) => {
            const table = `unseen_${level[0].toLowerCase()}_${KINDS.indexOf(kind)}`;
            const listener = await told(t, kind, table, "id integer PRIMARY KEY, a text");
            const writer = await database.connect(t);
            await writer.query(`BEGIN ISOLATION LEVEL ${level}`);
            await writer.query("SELECT count(*) FROM pg_class"); // the transaction's snapshot
            await database.query(`ALTER TABLE ${table} RENAME id TO pk; ALTER TABLE ${table} RENAME TO ${table}_now`);
            await writer.query(`INSERT INTO ${table}_now VALUES (1, 'a'); UPDATE ${table}_now SET pk = 7`);
            await writer.query("COMMIT");
            await writer.query(`INSERT INTO ${table}_now VALUES (2, 'b')`);
            const event = (type, pk, a) => ["public", `${table}_now`, type, pk, a ? { pk, a } : null];
            assert.deepEqual(brief(await listener.events()), [event("INSERT", 1, "a"), event("DELETE", 1), event("UPDATE", 7, "a"), event("INSERT", 2, "b")]);
        });

    for (const [what, alter, expected] of [
        ["a listed column", "ALTER TABLE %t RENAME a TO b", [{ id: 1 }, 1]],
        ["the key", "ALTER TABLE %t DROP CONSTRAINT %t_pkey, ADD PRIMARY KEY (id, a)", [{ id: 1, a: "x" }, { id: 1, a: "x" }]],
        ["the replica identity: the whole row", "ALTER TABLE %t REPLICA IDENTITY FULL", [{ id: 1, a: "x" }, 1]],
        ["the replica identity: nothing", "ALTER TABLE %t REPLICA IDENTITY NOTHING", [{ id: 1, a: "x" }, 1]],
        ["the replica identity: another index", "CREATE UNIQUE INDEX %t_a ON %t (a); ALTER TABLE %t REPLICA IDENTITY USING INDEX %t_a", [{ id: 1, a: "x" }, 1]],
        ["the key's end", "ALTER TABLE %t DROP CONSTRAINT %t_pkey", [{ id: 1, a: "x" }, null]],
        ["a new one", "ALTER TABLE %t ADD b integer DEFAULT 7, ADD c timestamptz DEFAULT '2024-01-01 00:00:00+03'", [{ id: 1, a: "x", b: 7, c: "2023-12-31T21:00:00+00:00" }, 1]],
    ])
        test(`by somebody else, in a transaction that does not see it: ${what}`, async (t) => {
            const table = `unseen_${what.split(" ").at(-1)}`;
            await database.query(`CREATE TABLE ${table} (id integer PRIMARY KEY, a text NOT NULL)`);
            await put(database, table, define(table, { columns: what === "a new one" ? undefined : ["id", "a"], operations: ["INSERT"] }));
            const listener = await Listener.open(t, database, `${table}_changes`);
            const writer = await database.connect(t);
            await writer.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
            await writer.query("SELECT count(*) FROM pg_class");
            await database.query(alter.replaceAll("%t", table));
            await writer.query(`INSERT INTO ${table} VALUES (1, 'x'); COMMIT`);
            const [{ data, id }] = await listener.events();
            assert.deepEqual([data, id], expected);
        });
});

test("values have the same bytes whatever the session's settings are, also arrays of others' types and names of objects", async (t) => {
    await database.query("CREATE TYPE shade AS ENUM ('dark', 'light')");
    const listener = await watched(t, database, "shades", "id integer PRIMARY KEY, s shade[], r regclass");
    const writer = await database.connect(t);
    const insert = (id) => writer.query(`INSERT INTO shades VALUES (${id}, '{dark,NULL}', 'shades')`);
    await insert(1);
    for (const [i, setting] of ["array_nulls = off", "quote_all_identifiers = on", "search_path = pg_temp"].entries())
        await writer.query(`SET ${setting}; INSERT INTO public.shades VALUES (${2 + i}, ARRAY['dark', NULL]::public.shade[], 'public.shades'); RESET ALL`);
    const [first, ...others] = await listener.events();
    assert.deepEqual(first.data, { id: 1, s: ["dark", null], r: "public.shades" });
    for (const { data } of others) assert.deepEqual({ ...data, id: 1 }, first.data);
    assert.equal(others.length, 3);
});

describe("functions", () => {
    test("are one for each operation and one for the key, and their names are taken again when their trigger is gone", async (t) => {
        const first = await watched(t, database, "leaving", "id integer PRIMARY KEY, a text");
        const writer = await database.connect(t);
        await writer.query("INSERT INTO leaving VALUES (1, 'a')");
        assert.equal((await first.events()).length, 1);
        const taken = await functions("leaving");
        assert.equal(taken.length, 4);
        await database.query("SELECT tuplecast.drop_trigger('leaving', NULL, false)");
        const second = await watched(t, database, "coming", "pk bigint PRIMARY KEY, b bytea");
        assert.deepEqual(await functions("coming"), taken);
        await writer.query("INSERT INTO leaving VALUES (2, 'b'); INSERT INTO coming VALUES (3, 'c')");
        assert.deepEqual(brief(await second.events()), [["public", "coming", "INSERT", 3, { pk: 3, b: "\\x63" }]]);
        assert.deepEqual(await first.events(), []);
    });

    test("that two triggers share, because somebody copied the statement, send what each is to send; the copy is not ours", async (t) => {
        const first = await watched(t, database, "original", "id integer PRIMARY KEY, a text");
        await database.query("CREATE TABLE copy (no integer PRIMARY KEY)");
        const [[name]] = await database.query("SELECT function FROM tuplecast.parts WHERE name = 'original' AND part = 'insert'");
        await database.query(`CREATE TRIGGER "tuplecast:copy:insert" AFTER INSERT ON copy REFERENCING NEW TABLE AS changed_rows
                              FOR EACH STATEMENT EXECUTE FUNCTION tuplecast.${name}('copies')`);
        const second = await Listener.open(t, database, "copies");
        await database.query("INSERT INTO copy VALUES (7); INSERT INTO original VALUES (1, 'a')");
        assert.deepEqual(brief(await second.events()), [["public", "copy", "INSERT", 7, { no: 7 }]]);
        assert.deepEqual(brief(await first.events()), [["public", "original", "INSERT", 1, { id: 1, a: "a" }]]);
        const copy = define("copy", { channel: "copies", operations: ["INSERT"] });
        await assert.rejects(put(database, "copy", copy), /has a trigger "tuplecast:copy:insert", which is not ours/);
        await database.query('DROP TRIGGER "tuplecast:copy:insert" ON copy');
        await put(database, "copy", copy);
        assert.equal(await current("copy"), "t");
        assert.equal(await current("original"), "ttt");
    });

    test("are made only by who may put triggers on the table", async (t) => {
        await database.query(`CREATE TABLE guarded (id integer PRIMARY KEY); CREATE ROLE nobody_${database.name}`);
        const client = await database.connect(t);
        await client.query(`SET SESSION AUTHORIZATION nobody_${database.name}`);
        const make = "SELECT tuplecast.make_function('live_999', 'public.guarded', 'tuplecast:stolen:insert', '{stolen,\"\",INSERT}', current_user)";
        await assert.rejects(client.query(make), /permission denied for function/);
        await database.query(`SELECT tuplecast.grant_installer('nobody_${database.name}')`);
        await assert.rejects(client.query(make), /may not put triggers/);
    });

    test("two put at once take different ones", async (t) => {
        const count = 6;
        await Promise.all(
            Array.from({ length: count }, async (_, i) => {
                const client = await database.connect(t);
                await client.query(`CREATE TABLE parallel_${i} (id integer PRIMARY KEY)`);
                await put(client, `parallel_${i}`, define(`parallel_${i}`));
            }),
        );
        for (let i = 0; i < count; i++) assert.equal(await current(`parallel_${i}`), "ttt");
    });

    test("come back from a dump, and are right there", { skip: noDump }, async (t) => {
        const other = await createDatabase(t);
        await watched(t, database, "dumped", "id integer PRIMARY KEY, a text");
        await told(t, "live at row level", "dumped_row", "id integer PRIMARY KEY, a text");
        await database.query("INSERT INTO dumped VALUES (1, 'a'); INSERT INTO dumped_row VALUES (1, 'a')");
        await promisify(execFile)("sh", ["-c", `pg_dump --no-owner "$1" | psql -qX -v ON_ERROR_STOP=1 "$2"`, "sh", database.name, other.name]);
        // The tables' numbers are part of them, which are others here; setup, or to put the trigger again, writes them anew.
        for (const [table, mend] of [["dumped", () => install(other)], ["dumped_row", () => put(other, "dumped_row", define("dumped_row", { level: "row" }))]]) {
            const listener = await Listener.open(t, other, `${table}_changes`);
            if (table === "dumped") assert.equal(await current(table, other), "fff");
            await other.query(`INSERT INTO ${table} VALUES (2, 'b')`);
            await mend();
            assert.equal(await current(table, other), "ttt");
            await other.query(`ALTER TABLE ${table} RENAME a TO b; INSERT INTO ${table} VALUES (3, 'c'); UPDATE ${table} SET id = 4 WHERE id = 3`);
            const event = (type, id, data) => ["public", table, type, id, data];
            assert.deepEqual(brief(await listener.events()), [
                event("INSERT", 2, { id: 2, a: "b" }),
                event("INSERT", 3, { id: 3, b: "c" }),
                event("DELETE", 3, null),
                event("UPDATE", 4, { id: 4, b: "c" }),
            ]);
        }
    });
});

describe("what is measured", () => {
    // Each is near the longest that passes, or far beyond it, in a way of its own.
    const values = {
        "numeric with 131,072 digits": ["numeric", "1e131071"],
        "bytea": ["bytea", "decode(repeat('ab', 3900), 'hex')"],
        "jsonb": ["jsonb", `to_jsonb(repeat('"', 3950))`],
        "text[] of quotes": ["text[]", `array_fill('"'::text, ARRAY[1900])`],
        "boolean[]": ["boolean[]", "array_fill(true, ARRAY[1300])"],
        "compressed text": ["text", "repeat('a', 400000)"],
        "control characters": ["text", "repeat(E'\\x01', 1330)"],
        "tsvector": ["tsvector", "to_tsvector('simple', (SELECT string_agg(i::text, ' ') FROM generate_series(1, 600) i))"],
        "interval": ["interval", "interval '-178000000 years'"],
        "float8": ["float8", "-1.7976931348623157e308"],
        "a domain over text": ["long_text", "repeat('a', 7900)"],
        "a range": ["numrange", "numrange(repeat('1', 3900)::numeric, repeat('2', 3900)::numeric)"],
    };
    for (const kind of ["live", "live at row level"]) test(`${kind}: of built-in types, one row and several: no write fails, and what is sent is the row or says what was cut`, async (t) => {
        await database.query("DROP DOMAIN IF EXISTS long_text CASCADE; CREATE DOMAIN long_text AS text; SET IntervalStyle = iso_8601");
        for (const [index, [what, [type, value]]] of Object.entries(values).entries()) {
            const table = `measured_${index}_${KINDS.indexOf(kind)}`;
            const listener = await told(t, kind, table, `id integer PRIMARY KEY, v ${type}, w ${type}`);
            assert.equal(await current(table), "ttt", what);
            await database.query(`INSERT INTO ${table} VALUES (1, ${value}); INSERT INTO ${table} SELECT i, ${value}, ${value} FROM generate_series(2, 4) i; UPDATE ${table} SET w = NULL`);
            const texts = await listener.texts();
            assert.equal(texts.length, 8, what);
            for (const text of texts) {
                assert.ok(Buffer.byteLength(text) < 8000, what);
                const event = JSON.parse(text);
                const row = await database.value(`SELECT row_to_json(t)::text FROM (SELECT $1::integer AS id, (${value})::${type} AS v, ${event.id > 1 && event.type === "INSERT" ? `(${value})::${type}` : `NULL::${type}`} AS w) t`, [event.id]);
                if (event.cut) assert.ok(event.data === null && Buffer.byteLength(row) > 7700, `${what}: ${Buffer.byteLength(row)}`);
                else assert.ok(text.endsWith(`"data":${row}}`), what);
            }
        }
    });
});
