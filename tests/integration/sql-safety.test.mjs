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

describe("a superuser who writes to a table runs no code of the table's owner", () => {
    before(async () => {
        // Functions and operators of the names that ours use, in a schema that the writer has in front of pg_catalog.
        await database.query(`
            CREATE ROLE mallory_${database.name};
            CREATE SCHEMA evil AUTHORIZATION mallory_${database.name};
            GRANT USAGE ON SCHEMA evil TO PUBLIC;
            GRANT CREATE ON SCHEMA public TO mallory_${database.name};
            SET ROLE mallory_${database.name};
            CREATE TYPE public.mood AS ENUM ('calm', 'cross');
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
                       AND p.proname IN ('octet_length', 'pg_notify', 'row_to_json', 'nextval', 'parse_ident', 'pg_get_indexdef', 'current_setting',
                                         'set_config', 'pg_get_replica_identity_index', 'substr', 'coalesce', 'clock_timestamp', 'pg_current_xact_id',
                                         'pg_try_advisory_xact_lock_shared', 'pg_size_bytes', 'jsonb_typeof', 'json_typeof', 'pg_partition_root')
                LOOP
                    EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS ''BEGIN PERFORM evil.strike(); END''',
                                   one.proname, one.arguments, one.result);
                END LOOP;
            END
            $do$;
            RESET ROLE`);
    });

    // Plain triggers of tables without types of somebody's own have a way of theirs.
    for (const [name, more, type] of Object.entries(VARIANTS).flatMap((variant) => [[...variant, "public.mood"], [`${variant[0]}_slot`, variant[1], "varchar"]]))
        test(`by names in front of pg_catalog: ${name}`, async (t) => {
            await database.query(`CREATE TABLE hijack_${name} (id integer PRIMARY KEY, a text, m ${type}, n numeric);
                                  ALTER TABLE hijack_${name} OWNER TO mallory_${database.name}`);
            await put(database, `hijack_${name}`, define(`hijack_${name}`, more));
            const hasSlot = await database.value("SELECT bool_or(slot IS NOT NULL) FROM tuplecast.parts WHERE name = $1", [`hijack_${name}`]);
            assert.equal(hasSlot, /^((plain|old|row|row_old)_slot|durable(_slot)?)$/.test(name) ? "t" : "f");
            const writer = await database.connect(t);
            await writer.query("SET search_path = evil, pg_catalog, public");
            await assert.rejects(writer.query("SELECT 'a'::text || 'b'::text"), /hijacked/); // the trap is set
            await assert.rejects(writer.query("SELECT octet_length('a'::text)"), /hijacked/);
            // A setting of ours that the writer has is compared, too.
            await writer.query("SELECT pg_catalog.set_config('tuplecast.unsent', 'no', false)");
            await write(writer, `hijack_${name}`, type === "public.mood" ? "calm" : "fine");
        });

    test("by a cast that the row's type calls: it runs, but as nobody who may do anything", async (t) => {
        await database.query(`
            SET ROLE mallory_${database.name};
            CREATE TABLE evil.seen (who text);
            GRANT INSERT ON evil.seen TO PUBLIC;
            CREATE FUNCTION evil.as_json(public.mood) RETURNS json LANGUAGE plpgsql AS $$
                BEGIN INSERT INTO evil.seen VALUES (current_user); RETURN '"hijacked"'; END $$;
            RESET ROLE;
            CREATE CAST (public.mood AS json) WITH FUNCTION evil.as_json(public.mood)`);
        t.after(() => database.query("DROP CAST (public.mood AS json)"));
        for (const [name, more] of Object.entries(VARIANTS)) {
            await database.query(`CREATE TABLE cast_${name} (id integer PRIMARY KEY, a text, m public.mood)`);
            await put(database, `cast_${name}`, define(`cast_${name}`, { ...more, columns: undefined }));
            const writer = await database.connect(t);
            await write(writer, `cast_${name}`);
        }
        const seen = await database.query("SELECT DISTINCT who, rolsuper FROM evil.seen JOIN pg_roles ON rolname = who");
        assert.deepEqual(seen, [["tuplecast_owner", "f"]]);
    });
});

test("the writer's own settings are as they were, in the transaction and after it", async (t) => {
    for (const [name, more] of Object.entries(VARIANTS)) {
        await database.query(`CREATE TABLE settings_${name} (id integer PRIMARY KEY, a text, m text)`);
        await put(database, `settings_${name}`, define(`settings_${name}`, more));
        const writer = await database.connect(t);
        const settings = async () => (await writer.query("SELECT name, setting, source FROM pg_settings WHERE name !~ '^(plpgsql|tuplecast)[.]' ORDER BY 1")).rows;
        const values = async () => (await settings()).map(({ name, setting }) => [name, setting]);
        await writer.query("SET search_path = pg_temp, public");
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

test("a change that is rolled back sends nothing, savepoints included; a trigger function that nobody may call is refused", async (t) => {
    await database.query("CREATE TABLE undone (id integer PRIMARY KEY, a text)");
    await put(database, "undone", define("undone"));
    const listener = await Listener.open(t, database, "undone_changes");
    const writer = await database.connect(t);
    await writer.query("BEGIN; INSERT INTO undone VALUES (1, 'a'); ROLLBACK");
    await writer.query("BEGIN; INSERT INTO undone VALUES (2, 'b'); SAVEPOINT s; INSERT INTO undone VALUES (3, 'c'); ROLLBACK TO s; COMMIT");
    assert.deepEqual((await listener.events()).map(({ id }) => id), [2]);
    await database.query(`CREATE ROLE app_${database.name}`);
    await writer.query(`SET ROLE app_${database.name}`);
    for (const sql of ["SELECT tuplecast.send('a', '', NULL, NULL, '{}', NULL)", "SELECT tuplecast.payload('', '', '', NULL, NULL)",
        "SELECT nextval('tuplecast.serial')", "SELECT tuplecast.bulk_query(1, NULL, 'x', NULL)", "INSERT INTO tuplecast.version VALUES (99)"])
        await assert.rejects(writer.query(sql), /permission denied/, sql);
});
