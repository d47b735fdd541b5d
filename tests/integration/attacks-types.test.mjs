// The owner of a type that a watched table uses: his casts, checks and functions have no part in what our functions make of a row, whoever writes it.
// So nothing of theirs is left behind in the session (settings, cursors, deferred triggers, names in pg_temp), and what they raise does not fail the writer.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { isDurable, openField, PATIENCE_MS, watch } from "./lib/attackers.mjs";
import { Listener, put } from "./lib/changes.mjs";
import { hijack } from "./lib/hijack.mjs";
import { subscribe } from "./lib/sse.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const file = wholeFile();
const LIMITS = { timeout: 240_000 };
let field, database, gateway;

const VARIANTS = {
    plain: {}, old: { old: true }, columns: { columns: ["id", "m", "p", "n"] }, row: { level: "row" }, row_where: { where: [{ column: "id", op: ">", value: 0 }], old: true },
    enum_where: { where: [{ column: "m", op: "in", value: ["calm", "cross"] }] },
    durable: { durable: true }, durable_old: { durable: true, old: true }, durable_columns: { durable: true, columns: ["p", "id"] }, durable_row: { durable: true, level: "row", old: true },
};
const COLUMNS = `id integer PRIMARY KEY, m types.mood, d types.nice, c types.code, p types.pair, n types.nested, ms types.mood[], ps types.pair[], r types.span, h types.holder`;
const ROW = `'calm'::types.mood, 'calm'::types.nice, 'x'::types.code, ROW(1, 'a')::types.pair, ROW(ROW(1, 'a')::types.pair, 'calm')::types.nested, '{calm}'::types.mood[],
    ARRAY[ROW(1, 'a')::types.pair], '[calm,cross]'::types.span, ROW('{calm}'::types.inner_mood[], '[calm,cross]'::types.span)::types.holder`;

const TYPES = [
    "CREATE FUNCTION types.check_it(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'struck in %: check as % of %', current_database(), current_user, session_user; RETURN true; END $$",
    "CREATE TYPE types.mood AS ENUM ('calm', 'cross')", "CREATE TYPE types.inner_mood AS ENUM ('calm', 'cross')", "CREATE DOMAIN types.nice AS types.mood CHECK (types.check_it(VALUE::text))",
    "CREATE DOMAIN types.code AS text CHECK (types.check_it(VALUE))", "CREATE TYPE types.pair AS (a integer, b text)", "CREATE TYPE types.nested AS (p types.pair, m types.inner_mood)",
    "CREATE TYPE types.span AS RANGE (SUBTYPE = types.mood)", "CREATE TYPE types.holder AS (ms types.inner_mood[], r types.span)",
    // What the code of a cast leaves behind, for later; each attempt may fail. The deferred triggers are of a table of its own, and of one of the session.
    "CREATE TABLE types.later (id integer)", "GRANT INSERT ON types.later TO PUBLIC",
    "CREATE FUNCTION types.strike_later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('deferred trigger'); RETURN NULL; END $$",
    "CREATE CONSTRAINT TRIGGER later AFTER INSERT ON types.later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION types.strike_later()",
    `CREATE FUNCTION types.leave_behind() RETURNS void LANGUAGE plpgsql AS $leave$
     DECLARE attempt text;
     BEGIN
         FOREACH attempt IN ARRAY ARRAY[
             $$SELECT pg_catalog.set_config('transaction_read_only', 'off', false)$$, $$SET TRANSACTION READ WRITE$$,
             $$DECLARE held CURSOR WITH HOLD FOR SELECT evil.strike('held cursor')$$,
             $$INSERT INTO types.later VALUES (1)$$, $$INSERT INTO pg_temp.later VALUES (1)$$,
             $$CREATE TEMP VIEW changed_rows AS SELECT evil.strike('view left behind')$$,
             $$INSERT INTO tuplecast.log (channel, head, id_json, data) VALUES ('durable_changes', '"schema":"app","table":"durable","type":"INSERT","id":', '666', '{"id":666}')$$,
             $$ALTER FUNCTION tuplecast.value_json SECURITY DEFINER$$, $$DROP FUNCTION tuplecast.value_json$$, $$GRANT tuplecast_owner TO PUBLIC$$,
             $$SELECT pg_catalog.set_config('DateStyle', 'German', false), pg_catalog.set_config('bytea_output', 'escape', false), pg_catalog.set_config('standard_conforming_strings', 'off', false)$$,
             $$SELECT pg_catalog.set_config('search_path', 'evil, pg_catalog, public', false)$$]
         LOOP
             BEGIN
                 EXECUTE attempt;
             EXCEPTION WHEN OTHERS THEN NULL;
             END;
         END LOOP;
     END $leave$`,
    `CREATE FUNCTION types.raise_it() RETURNS void LANGUAGE plpgsql AS $$
     DECLARE state text := coalesce(pg_catalog.current_setting('types.raise', true), '');
     BEGIN
         IF state OPERATOR(pg_catalog.=) 'recursion' THEN PERFORM types.raise_it();
         ELSIF state OPERATOR(pg_catalog.=) 'division' THEN PERFORM 1 OPERATOR(pg_catalog./) 0;
         ELSIF state OPERATOR(pg_catalog.<>) '' THEN RAISE 'raised by a cast' USING ERRCODE = state; END IF;
     END $$`,
];
const BASES = ["mood", "inner_mood", "pair", "nested", "span", "holder"];
const CASTS = BASES.flatMap((type) => [
    ...["json", "jsonb", "text"].flatMap((target) => [
        `CREATE FUNCTION types.${type}_${target}(types.${type}) RETURNS ${target} LANGUAGE plpgsql AS $$ BEGIN
             PERFORM evil.strike('cast of ${type} to ${target}'); PERFORM types.leave_behind(); PERFORM types.raise_it(); RETURN '"cast"'; END $$`,
        `CREATE CAST (types.${type} AS ${target}) WITH FUNCTION types.${type}_${target}(types.${type})${target === "json" ? "" : " AS ASSIGNMENT"}`,
    ]),
]);

/** Strikes that gave anybody anything: the check of a domain runs in each writer's statement, with or without us, and a superuser's makes the stranger one. */
async function gains({ ofSuperuser = false } = {}) {
    return (await field.gains()).filter((gain) => !/^check: as (\w+) of \1$/.test(gain) && !(ofSuperuser && gain === "stranger is a superuser"));
}

before(async () => {
    field = await openField(file);
    ({ database } = field);
    await hijack(await field.as(file, "creator"), "evil", { near: false });
    await field.by("type_owner", ...TYPES);
    const make = async (when) => {
        for (const [name, more] of Object.entries(VARIANTS)) {
            await field.table(`${name}_${when}`, COLUMNS);
            const installer = await field.as(undefined, "installer");
            await put(installer, `${name}_${when}`, watch(`${name}_${when}`, more));
            await installer.end();
        }
    };
    await make("before");
    await field.by("type_owner", ...CASTS);
    await make("after");
    assert.deepEqual(await gains(), [], "PUT runs no code of theirs");
    gateway = await field.startGateway(file);
    await isDurable(gateway);
}, LIMITS);

const sources = async () => database.value("SELECT string_agg(md5(concat(p.proname, prosrc, prosecdef, proacl, proowner)), '' ORDER BY oid) FROM pg_proc p WHERE pronamespace = 'tuplecast'::regnamespace");

async function write(client, table) {
    await client.query(`INSERT INTO app.${table} SELECT i, ${ROW} FROM pg_catalog.generate_series(1, 2) i`);
    await client.query(`UPDATE app.${table} SET p = ROW(2, 'b')::types.pair WHERE id OPERATOR(pg_catalog.=) 1`);
    await client.query(`INSERT INTO app.${table} SELECT i, ${ROW} FROM pg_catalog.generate_series(3, 40) i`);
    await client.query(`UPDATE app.${table} SET p = ROW(2, 'c')::types.pair`);
    await client.query(`DELETE FROM app.${table}`);
}

for (const when of ["before", "after"])
    describe(`casts made ${when === "before" ? "after" : "before"} the PUT`, () => {
        for (const [name, more] of Object.entries(VARIANTS))
            for (const role of ["writer", "postgres"])
                test(`${name}, written to by ${role}`, LIMITS, async (t) => {
                    const table = `${name}_${when}`;
                    const stream = more.durable && (await subscribe(t, gateway.stream(`${table}_changes`)));
                    const listener = more.durable ? undefined : await Listener.open(t, database, `${table}_changes`);
                    const before = await sources();
                    const client = await field.as(t, role);
                    // The writer and the owner of the type may be one: names and tables of the session's own wait for what comes.
                    if (role === "writer") {
                        await client.query("CREATE TEMP TABLE later (id integer); GRANT INSERT ON later TO PUBLIC");
                        await client.query("CREATE CONSTRAINT TRIGGER later AFTER INSERT ON pg_temp.later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION types.strike_later()");
                    }
                    await field.gains();
                    await write(client, table);
                    await client.query("SELECT 1");
                    const found = await gains({ ofSuperuser: role === "postgres" });
                    await database.query(`ALTER ROLE ${field.roles.stranger} NOSUPERUSER`);
                    assert.deepEqual(found, []);
                    assert.equal(await sources(), before, "our functions are as they were");
                    const events = more.durable ? (await stream.messages(121, PATIENCE_MS)).map(({ json }) => json) : await listener.events();
                    assert.equal(events.length, 121);
                    assert.deepEqual([...new Set(events.map(({ type, id }) => `${type} ${id}`))].length, 120, "each change of each row");
                    const labels = new Set(events.map(({ data }) => data?.m).filter((label) => label !== undefined));
                    assert.ok(more.columns && !more.columns.includes("m") ? labels.size === 0 : [...labels].join() === "calm", `labels: ${[...labels]}`);
                    stream?.close();
                });
    });

describe("no cast of theirs is called", () => {
    test("neither of a type itself nor within another one, by no trigger", async () => {
        // All strikes of this file until here.
        assert.deepEqual([...new Set((await field.strikes()).filter(({ how }) => /^cast/.test(how)).map(({ how, as }) => `${how} as ${as}`))], []);
    });

    test("nor in keys and conditions", LIMITS, async (t) => {
        const installer = await field.as(t, "installer");
        for (const durable of [false, true]) {
            const table = `keyed_${durable}`;
            await field.table(table, "m types.mood PRIMARY KEY, c types.code");
            await put(installer, table, watch(table, { durable, where: [{ column: "m", op: "<>", value: "cross" }, { column: "c", op: "=", value: "x" }] }));
            await field.by("owner", `INSERT INTO app.${table} VALUES ('calm', 'x'), ('cross', 'x')`, `UPDATE app.${table} SET c = 'x'`, `DELETE FROM app.${table}`);
        }
        assert.deepEqual((await field.strikes()).filter(({ how }) => /^cast/.test(how)), []);
        assert.deepEqual(await gains(), []);
    });
});

describe("columns that change after the PUT", () => {
    for (const durable of [false, true])
        test(`a type of somebody's own comes into a ${durable ? "durable" : "live"} trigger's table`, LIMITS, async (t) => {
            const table = `changing_${durable}`;
            await field.table(table, "id integer PRIMARY KEY, a text");
            const installer = await field.as(t, "installer");
            await put(installer, table, watch(table, { durable }));
            const writer = await field.as(t, "writer");
            const owner = await field.as(t, "owner");
            let id = 0;
            const both = async (type, value) => {
                for (const client of [writer, await field.as(t, "writer")])
                    for (const count of [1, 20])
                        await client.query(`INSERT INTO app.${table} SELECT i, ${value} FROM pg_catalog.generate_series($1::pg_catalog.int4, $2::pg_catalog.int4) i`, [++id, (id += count - 1)]);
            };
            await both("text", "'a'");
            for (const [type, value] of [["types.pair", "ROW(1, 'a')::types.pair"], ["types.mood", "'calm'::types.mood"], ["types.code", "'x'::types.code"], ["types.nested", "ROW(ROW(1, 'a')::types.pair, 'calm')::types.nested"]]) {
                await owner.query(`ALTER TABLE app.${table} DROP COLUMN a`);
                await owner.query(`ALTER TABLE app.${table} ADD COLUMN a ${type}`);
                await both(type, value);
            }
            assert.deepEqual(await gains(), []);
        });
});

describe("what the code of a cast does to the session of a writer", () => {
    for (const [name, more] of Object.entries(VARIANTS).filter(([, { durable }]) => durable))
        test(`${name}: settings, cursors, locks and notifications are as they were`, LIMITS, async (t) => {
            const table = `${name}_after`;
            const client = await field.as(t, "postgres");
            await client.query("CREATE TEMP TABLE seen (at text, name text, setting text)");
            const look = (at) => client.query(`INSERT INTO pg_temp.seen SELECT $1, name, setting FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.!~) '^(tuplecast|plpgsql)'
                UNION ALL SELECT $1, 'cursor', name FROM pg_catalog.pg_cursors WHERE name OPERATOR(pg_catalog.<>) '' UNION ALL SELECT $1, 'listens', c FROM pg_catalog.pg_listening_channels() c`, [at]);
            const difference = async (a, b) => (await client.query(`(SELECT name, setting FROM pg_temp.seen WHERE at OPERATOR(pg_catalog.=) $1 EXCEPT SELECT name, setting FROM pg_temp.seen WHERE at OPERATOR(pg_catalog.=) $2)
                UNION ALL (SELECT name, setting FROM pg_temp.seen WHERE at OPERATOR(pg_catalog.=) $2 EXCEPT SELECT name, setting FROM pg_temp.seen WHERE at OPERATOR(pg_catalog.=) $1)`, [a, b])).rows.map(({ name, setting }) => `${name}: ${setting}`);
            await look("before");
            await client.query("BEGIN");
            await look("begun");
            await client.query(`INSERT INTO app.${table} SELECT i, ${ROW} FROM pg_catalog.generate_series(1, 3) i`);
            await client.query(`UPDATE app.${table} SET p = ROW(2, 'b')::types.pair`);
            await look("written");
            await client.query("COMMIT");
            await look("committed");
            await client.query(`DELETE FROM app.${table}`);
            await look("deleted");
            assert.deepEqual([await difference("begun", "written"), await difference("before", "committed"), await difference("before", "deleted")], [[], [], []]);
            await field.gains();
            await database.query(`ALTER ROLE ${field.roles.stranger} NOSUPERUSER`);
        });
});

test("what a cast would raise fails no writer, and cuts no event", LIMITS, async (t) => {
    const failed = [];
    for (const [i, [name, more]] of Object.entries(VARIANTS).entries()) {
        const state = ["P0001", "53200", "57P01", "57014", "recursion"][i % 5];
        const table = `${name}_after`;
        const stream = more.durable && (await subscribe(t, gateway.stream(`${table}_changes`)));
        const listener = more.durable ? undefined : await Listener.open(t, database, `${table}_changes`);
        const writer = await field.as(t, "writer");
        await writer.query("SELECT set_config('types.raise', $1, false)", [state]);
        try {
            await writer.query(`INSERT INTO app.${table} SELECT 1, ${ROW}`);
            const [event] = more.durable ? (await stream.messages(1, PATIENCE_MS)).map(({ json }) => json) : await listener.events();
            if (event?.id !== 1 || event.data.id !== 1 || event.cut) failed.push(`${name}, ${state}: ${JSON.stringify(event)}`);
        } catch (error) {
            failed.push(`${name}, ${state}: ${error.message}`);
        }
        await writer.end();
        await database.query(`TRUNCATE app.${table}`);
        stream?.close();
        await listener?.client.end();
    }
    assert.deepEqual(failed, []);
});
