// What the functions of the database side must never do to the writer: run somebody else's code, change the writer's settings, or make
// the writer wait for DDL.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { define, Listener, put } from "./lib/changes.mjs";
import { until } from "./lib/until.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const TOKEN = "correct-horse-battery-staple-0123456789";
const file = wholeFile();
let database, env;

before(async () => {
    database = await createDatabase(file);
    env = { ...database.env, TUPLECAST_CHANNELS: "*", TUPLECAST_TRIGGERS_TOKEN: TOKEN };
    assert.equal((await run(["setup"], env)).code, 0);
});

/** Every way that a change can take: by statement (one row, some, many, large ones) and by row, with and without options. */
const VARIANTS = {
    plain: {},
    old: { old: true },
    columns: { columns: ["a", "id"], old: true },
    row: { where: [{ column: "id", op: ">", value: 0 }] },
    row_old: { where: [{ column: "id", op: ">", value: 0 }], old: true },
    durable: { durable: true },
    durable_row: { durable: true, old: true, where: [{ column: "id", op: ">", value: 0 }] },
};
const COUNTS = [1, 5, 40];

async function write(client, table, mood = "calm") {
    let first = 1;
    for (const count of COUNTS) {
        await client.query(`INSERT INTO public.${table} SELECT i, 'text', '${mood}' FROM pg_catalog.generate_series($1::int, $2::int) i`, [first, first + count - 1]);
        await client.query(`UPDATE public.${table} SET a = 'other' WHERE id OPERATOR(pg_catalog.>=) $1`, [first]);
        first += count;
    }
    await client.query(`UPDATE public.${table} SET a = pg_catalog.repeat('x', 9000) WHERE id OPERATOR(pg_catalog.=) 1`);
    await client.query(`DELETE FROM public.${table}`);
    await client.query(`TRUNCATE public.${table}`);
}

describe("who writes to a table runs no code of others", () => {
    before(async () => {
        // Functions and operators of the names that ours use, in a schema that the writer has in front of pg_catalog.
        await database.query(`
            CREATE ROLE mallory_${database.name};
            CREATE SCHEMA evil AUTHORIZATION mallory_${database.name};
            GRANT USAGE ON SCHEMA evil TO PUBLIC;
            GRANT CREATE ON SCHEMA public TO mallory_${database.name};
            SET ROLE mallory_${database.name};
            CREATE TYPE public.mood AS ENUM ('calm', 'cross');
            CREATE TYPE public.pair AS (n integer, m public.mood);
            CREATE FUNCTION evil.strike() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked as %', current_user; END $$;
            DO $do$
            DECLARE one record;
            BEGIN
                FOR one IN
                    SELECT DISTINCT o.oprname, format_type(o.oprleft, NULL) AS l, format_type(o.oprright, NULL) AS r, format_type(o.oprresult, NULL) AS result
                      FROM pg_operator o
                     WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprname IN ('||', '=', '<>', '<', '<=', '>', '>=', '+', '-', '->', '->>')
                       AND o.oprleft IN ('text'::regtype, 'json'::regtype, 'int4'::regtype, 'int8'::regtype, 'name'::regtype, 'oid'::regtype)
                LOOP
                    BEGIN
                        EXECUTE format('CREATE FUNCTION evil.%I(%s, %s) RETURNS %s LANGUAGE sql AS ''SELECT NULL::%4$s WHERE evil.strike()''',
                                       'op_' || md5(one.oprname || one.l || one.r), one.l, one.r, one.result);
                        EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.%I, LEFTARG = %s, RIGHTARG = %s)', one.oprname,
                                       'op_' || md5(one.oprname || one.l || one.r), one.l, one.r);
                    EXCEPTION WHEN feature_not_supported OR invalid_function_definition OR undefined_function THEN NULL;
                    END;
                END LOOP;
                FOR one IN
                    SELECT p.proname, pg_get_function_arguments(p.oid) AS arguments, format_type(p.prorettype, NULL) AS result
                      FROM pg_proc p
                     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND NOT p.proretset AND p.provariadic = 0
                       AND pg_get_function_arguments(p.oid) !~ '"any"|any(element|array)|internal|record'
                       AND p.proname IN ('octet_length', 'pg_notify', 'nextval', 'parse_ident', 'pg_get_indexdef', 'current_setting', 'set_config',
                                         'pg_get_replica_identity_index', 'left', 'length', 'lower', 'upper', 'substr', 'clock_timestamp', 'pg_current_xact_id',
                                         'pg_sequence_last_value', 'pg_size_bytes', 'jsonb_typeof', 'json_typeof', 'pg_partition_root', 'array_position')
                LOOP
                    EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS ''BEGIN PERFORM evil.strike(); END''',
                                   one.proname, one.arguments, one.result);
                END LOOP;
            END
            $do$;
            RESET ROLE`);
    });

    // Tables of built-in types and enums have a fast way where all columns are sent and no old ones are logged.
    const FAST = /^(plain|old|row|row_old|durable)(_builtin)?$/;
    const KINDS = Object.entries(VARIANTS).flatMap(([name, more]) => [[name, more, "public.mood"], [`${name}_builtin`, more, "varchar"], [`${name}_pair`, more, "public.pair"]]);
    for (const [name, more, type] of KINDS)
        test(`by names in front of pg_catalog: ${name}`, async (t) => {
            await database.query(`CREATE TABLE hijack_${name} (id integer PRIMARY KEY, a text, m ${type}, n numeric);
                                  ALTER TABLE hijack_${name} OWNER TO mallory_${database.name}`);
            await put(database, `hijack_${name}`, define(`hijack_${name}`, more));
            const ways = await database.query("SELECT DISTINCT prosrc ~ 'pg_catalog\\.nextval|lead_asleep' FROM pg_proc JOIN tuplecast.parts ON function = proname WHERE name = $1 AND part IN ('insert', 'update', 'delete')", [`hijack_${name}`]);
            assert.deepEqual(ways, [[FAST.test(name) ? "t" : "f"]]);
            const writer = await database.connect(t);
            await writer.query("SET search_path = evil, pg_catalog, public");
            await assert.rejects(writer.query("SELECT 'a'::text || 'b'::text"), /hijacked/); // the trap is set
            await assert.rejects(writer.query("SELECT octet_length('a'::text)"), /hijacked/);
            // A setting of ours that the writer has is compared, too.
            await writer.query("SELECT pg_catalog.set_config('tuplecast.unsent', 'no', false)");
            await write(writer, `hijack_${name}`, type === "public.pair" ? "(1,calm)" : "calm");
        });

    // [what it is, the body of the cast from public.mood to json]
    const CASTS = [
        ["writes", "BEGIN INSERT INTO evil.seen VALUES (current_user); RETURN '1'; END"],
        ["raises an error", "BEGIN RAISE 'no'; END"],
    ];
    for (const [index, [what, body]] of CASTS.entries())
        test(`by a cast, which ${what}: neither for a label nor within other types`, async (t) => {
            const writer = `writer_${index}_${database.name}`;
            await database.query(`
                CREATE ROLE ${writer};
                CREATE TABLE IF NOT EXISTS evil.seen (who text);
                GRANT INSERT ON evil.seen TO PUBLIC;
                CREATE OR REPLACE FUNCTION evil.as_json(public.mood) RETURNS json LANGUAGE plpgsql AS $$ ${body} $$;
                ALTER FUNCTION evil.as_json(public.mood) OWNER TO mallory_${database.name};
                CREATE CAST (public.mood AS json) WITH FUNCTION evil.as_json(public.mood)`);
            t.after(() => database.query("DROP CAST (public.mood AS json)"));
            for (const [name, more] of Object.entries(VARIANTS)) {
                const table = `cast_${name}_${index}`;
                await database.query(`CREATE TABLE ${table} (id integer PRIMARY KEY, a text, m public.mood, p public.pair); GRANT ALL ON ${table} TO ${writer}`);
                await put(database, table, define(table, { ...more, columns: undefined }));
                const listener = await Listener.open(t, database, `${table}_changes`);
                const client = await database.connect(t);
                await client.query(`SET ROLE ${writer}`);
                for (const count of [1, 20]) await client.query(`INSERT INTO ${table} SELECT ${count} + i, 'text', 'calm', '(1,calm)' FROM generate_series(1, ${count}) i`);
                await client.query(`UPDATE ${table} SET a = 'other'`);
                const logged = await database.query("SELECT data, lost FROM tuplecast.log WHERE channel = $1 ORDER BY id", [`${table}_changes`]);
                const events = more.durable ? logged.map(([data, lost]) => ({ data: JSON.parse(data), cut: JSON.parse(`[${lost ?? ""}]`) })) : await listener.events();
                assert.equal(events.length, 42);
                for (const { data, cut } of events) assert.deepEqual([data.m, data.p, cut ?? []], ["calm", { n: 1, m: "calm" }, []]);
            }
            assert.deepEqual(await database.query("SELECT who FROM evil.seen"), []);
        });
});

test("the writer's own settings are as they were, in the transaction and after it", async (t) => {
    for (const [name, more] of Object.entries(VARIANTS)) {
        await database.query(`CREATE TABLE settings_${name} (id integer PRIMARY KEY, a text, m text, at timestamptz DEFAULT now(), i interval DEFAULT '1 day',
                                b bytea DEFAULT '\\x00', f float8 DEFAULT 0.1, p public.pair DEFAULT '(1,calm)')`);
        await put(database, `settings_${name}`, define(`settings_${name}`, more));
        const writer = await database.connect(t);
        const settings = async () => (await writer.query("SELECT name, setting, source FROM pg_settings WHERE name !~ '^(plpgsql|tuplecast)[.]' ORDER BY 1")).rows;
        const values = async () => (await settings()).map(({ name, setting }) => [name, setting]);
        await writer.query(`SET search_path = pg_temp, public; SET TimeZone = 'Europe/Berlin'; SET DateStyle = 'German'; SET IntervalStyle = 'sql_standard';
                            SET bytea_output = 'escape'; SET extra_float_digits = 0; SET quote_all_identifiers = on; SET array_nulls = off`);
        const outside = await settings();
        await writer.query("BEGIN");
        await writer.query("SET LOCAL jit = on");
        await writer.query("SET LOCAL work_mem = '1234kB'");
        const inside = await values();
        await write(writer, `settings_${name}`);
        assert.deepEqual(await values(), inside, name);
        await writer.query("COMMIT");
        assert.deepEqual(await settings(), outside, name);
        await write(writer, `settings_${name}`);
        assert.deepEqual(await settings(), outside, name);
    }
});

test("writers wait no more than 2.5 s longer while a trigger waits for a long transaction", { timeout: 60_000 }, async (t) => {
    const gateway = await startGateway(t, env);
    await gateway.ready();
    await database.query("CREATE TABLE hot (id serial PRIMARY KEY, n integer DEFAULT 0)");
    await database.query("INSERT INTO hot SELECT FROM generate_series(1, 100)");
    const holder = await database.connect(t);
    await holder.query("BEGIN");
    await holder.query("UPDATE hot SET n = n WHERE id = 100");
    let stop = false;
    const times = [];
    const writers = Array.from({ length: 4 }, async (_, number) => {
        const client = await database.connect(t);
        while (!stop) {
            const from = performance.now();
            await client.query("UPDATE hot SET n = n + 1 WHERE id = $1", [number + 1]);
            times.push(performance.now() - from);
        }
    });
    await until(() => times.length > 200, "writers at work");
    for (let i = 0; i < 2; i++) {
        const answer = await gateway.get("/triggers/hot", {
            method: "PUT",
            headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
            body: JSON.stringify({ table: "hot" }),
        });
        assert.equal(answer.status, 409, answer.body);
        assert.match(answer.json.hint, /server process/);
        const before = times.length;
        await until(() => times.length > before + 50, "writers at work again");
    }
    stop = true;
    await Promise.all(writers);
    const worst = Math.max(...times);
    t.diagnostic(`the longest of ${times.length} writes took ${Math.round(worst)} ms`);
    assert.ok(worst < 2500);
    assert.ok(worst > 500, "the lock was waited for: the test is one");
});

test("a change that is rolled back sends nothing, savepoints included", async (t) => {
    await database.query("CREATE TABLE undone (id integer PRIMARY KEY, a text)");
    await put(database, "undone", define("undone"));
    const listener = await Listener.open(t, database, "undone_changes");
    const writer = await database.connect(t);
    await writer.query("BEGIN; INSERT INTO undone VALUES (1, 'a'); ROLLBACK");
    await writer.query("BEGIN; INSERT INTO undone VALUES (2, 'b'); SAVEPOINT s; INSERT INTO undone VALUES (3, 'c'); ROLLBACK TO s; COMMIT");
    assert.deepEqual((await listener.events()).map(({ id }) => id), [2]);
});

test("a stranger can neither call nor put on a table what runs with our owner's rights, nor use a function that was written for another table", async (t) => {
    await database.query("CREATE TABLE owned (id integer PRIMARY KEY, a text); CREATE TABLE owned_durably (id integer PRIMARY KEY, a text)");
    await put(database, "owned", define("owned"));
    await put(database, "owned_durably", define("owned_durably", { durable: true, level: "row" }));
    await database.query(`CREATE ROLE app_${database.name}`);
    const stranger = await database.connect(t);
    await stranger.query(`SET ROLE app_${database.name}; CREATE TEMP TABLE own (id integer, a text)`);
    const functions = await database.query("SELECT function, part FROM tuplecast.parts WHERE name ~ '^owned' AND part <> 'truncate'");
    assert.ok(functions.length > 8);
    for (const [name] of [...functions, ["durable_truncate"], ["durable_moves"]])
        await assert.rejects(stranger.query(`CREATE TRIGGER t AFTER INSERT ON own EXECUTE FUNCTION tuplecast.${name}()`), /permission denied for function/, name);
    for (const sql of ["SELECT tuplecast.make_function('live_999', 'owned', 'tuplecast:stolen:insert', '{stolen,\"\",INSERT}', current_user)", "SELECT tuplecast.write_functions()",
        "SELECT tuplecast.write_function('live_999', 1, 'x', '{}', false)", "SELECT tuplecast.take_turn()", "SELECT tuplecast.seal_functions()",
        "SELECT tuplecast.make_tick(0, 'causal')", "INSERT INTO tuplecast.log (channel, head, id_json) VALUES ('a', '', '')", "SELECT nextval('tuplecast.log_id')",
        "SELECT setval('tuplecast.lead_asleep', 2)", "SELECT setval('tuplecast.serial', 1)", "SELECT * FROM tuplecast.secret", "INSERT INTO tuplecast.function VALUES ('live_1', 'owned', 'x')",
        "INSERT INTO tuplecast.version VALUES (99)"])
        await assert.rejects(stranger.query(sql), /permission denied/, sql);
});
