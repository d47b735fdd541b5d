// What ALTER ROLE and ALTER DATABASE set, the sessions of the program set for themselves: live channels, durable ones, trigger requests and setup go
// on as if nothing had been set.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { put, startOne, TOKEN } from "./lib/bank.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run } from "./lib/gateway.mjs";
import { sleep } from "./lib/proc.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 60_000;

const SETTINGS = {
    search_path: "evil, public, pg_catalog",
    role: "nobody_special",
    standard_conforming_strings: "off",
    default_transaction_read_only: "on",
    default_transaction_isolation: "serializable",
    default_transaction_deferrable: "on",
    statement_timeout: "5ms",
    lock_timeout: "1ms",
    idle_session_timeout: "700ms",
    idle_in_transaction_session_timeout: "1ms",
    client_encoding: "LATIN1",
    DateStyle: "German",
    IntervalStyle: "sql_standard",
    TimeZone: "Asia/Kathmandu",
    extra_float_digits: "-15",
    bytea_output: "escape",
    quote_all_identifiers: "on",
    transform_null_equals: "on",
    array_nulls: "off",
    row_security: "off",
    client_min_messages: "debug5",
    check_function_bodies: "off",
    enable_nestloop: "off",
    enable_seqscan: "off",
    plan_cache_mode: "force_generic_plan",
    jit: "on",
    jit_above_cost: "0",
};
/** Only the later versions have it. */
const TRANSACTION_TIMEOUT = { transaction_timeout: "300ms" };

/** Functions and operators that stand in for PostgreSQL's own, in a schema that comes first, and raise. */
const EVIL = `
    CREATE SCHEMA evil;
    GRANT USAGE ON SCHEMA evil TO PUBLIC;
    CREATE FUNCTION evil.raise() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil was called'; END $$;
    CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz WHERE evil.raise()';
    CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz WHERE evil.raise()';
    CREATE FUNCTION evil.make_interval(secs bigint) RETURNS interval LANGUAGE sql AS 'SELECT NULL::interval WHERE evil.raise()';
    CREATE FUNCTION evil.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT NULL WHERE evil.raise()';
    CREATE FUNCTION evil.concat(text, text) RETURNS text LANGUAGE sql AS 'SELECT NULL WHERE evil.raise()';
    CREATE FUNCTION evil.format(text, text) RETURNS text LANGUAGE sql AS 'SELECT NULL WHERE evil.raise()';
    CREATE FUNCTION evil.is(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT evil.raise()';
    CREATE FUNCTION evil.is(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT evil.raise()';
    CREATE FUNCTION evil.is(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT evil.raise()';
    CREATE FUNCTION evil.is(name, text) RETURNS boolean LANGUAGE sql AS 'SELECT evil.raise()';
    CREATE FUNCTION evil.both(int2, int4) RETURNS int4 LANGUAGE sql AS 'SELECT 1 WHERE evil.raise()';
    CREATE FUNCTION evil.both(text, regprocedure) RETURNS text LANGUAGE sql AS 'SELECT NULL WHERE evil.raise()';
    CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.is);
    CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.is);
    CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.is);
    CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.is);
    CREATE OPERATOR evil.~ (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.is);
    CREATE OPERATOR evil.& (LEFTARG = int2, RIGHTARG = int4, FUNCTION = evil.both);
    CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = regprocedure, FUNCTION = evil.both);
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA evil TO PUBLIC`;

/** Sets them: `whose` is "ROLE x" or "DATABASE x". */
async function alter(database, whose, settings) {
    for (const [name, value] of Object.entries(settings)) await database.query(`ALTER ${whose} SET ${name} = ${name === "search_path" ? value : `'${value}'`}`);
}

/** A database and a role that will be the installer, the owner and the gateway's in one. */
async function prepare(t) {
    const database = await createDatabase(t);
    const role = `role_${database.name}`;
    await database.query(EVIL);
    await database.query("CREATE ROLE nobody_special").catch(() => {}); // another test has made it
    await database.query(`CREATE ROLE ${role} LOGIN; GRANT nobody_special TO ${role}; GRANT CREATE ON DATABASE ${database.name} TO ${role}`);
    await database.query(`CREATE TABLE live (id int PRIMARY KEY, a text, at timestamptz); ALTER TABLE live OWNER TO ${role};
                          CREATE TABLE lasting (id int PRIMARY KEY, a text, at timestamptz); ALTER TABLE lasting OWNER TO ${role}`);
    return { database, role, env: { ...database.env, PGUSER: role } };
}

/** All that a gateway does, with a pause between in which sessions are idle. `writer` has settings of its own. */
async function expectWork(t, { database, env }, writer, pauseMs = 0) {
    const gateway = await startOne(t, env);
    await until(async () => (await gateway.get("/readyz")).body === "ok\n", async () => `durable channels: ${(await gateway.get("/readyz")).body}\n${gateway.log}`, PATIENCE_MS);
    for (const table of ["live", "lasting"]) {
        const response = await put(gateway, table, { durable: table === "lasting", old: true });
        assert.ok(response.status < 300, response.body);
    }
    const streams = {};
    for (const table of ["live", "lasting"]) streams[table] = await subscribe(t, gateway.stream(`${table}_changes`));
    const first = {};
    for (let round = 1; round <= 2; round++) {
        for (const table of ["live", "lasting"]) {
            await writer.query(`INSERT INTO public.${table} VALUES (${round}, 'ä\\b', '2024-01-02 03:04:05+00')`);
            const [event] = await streams[table].messages(1, PATIENCE_MS);
            assert.deepEqual([event.json.type, event.json.data.a], ["INSERT", "ä\\b"]);
            first[table] ??= event.id;
        }
        await sleep(pauseMs);
    }
    await gateway.restart();
    await gateway.ready(PATIENCE_MS);
    const again = await subscribe(t, gateway.stream("lasting_changes"), { headers: { "Last-Event-ID": first.lasting } });
    assert.equal((await again.messages(1, PATIENCE_MS))[0].json.id, 2, "from the history");
    const listed = await gateway.get("/triggers", { headers: { Authorization: `Bearer ${TOKEN}` } });
    assert.deepEqual(JSON.parse(listed.body).items.map(({ name, stale }) => [name, stale]), [["lasting", []], ["live", []]]);
    assert.doesNotMatch(gateway.log, /evil was called/);
    return gateway;
}

async function setup(env, pattern) {
    const { code, stdout, stderr } = await run(["setup"], env);
    assert.equal(code, 0, stderr);
    assert.match(stdout, pattern);
}

const all = async (database) =>
    Number(await database.value("SELECT current_setting('server_version_num')")) >= 170000 ? { ...SETTINGS, ...TRANSACTION_TIMEOUT } : SETTINGS;

for (const whose of ["ROLE", "DATABASE"])
    test(`all settings at once, by ALTER ${whose}`, { timeout: 150_000 }, async (t) => {
        const made = await prepare(t);
        const writer = await made.database.connect(t); // before: what is tried is our sessions
        await alter(made.database, whose === "ROLE" ? `ROLE ${made.role}` : `DATABASE ${made.database.name}`, await all(made.database));
        await setup(made.env, /installed version/);
        await setup(made.env, /nothing to do/);
        await expectWork(t, made, writer, 1500);
        const { code, stderr } = await run(["setup", `--remove=${made.database.name}`], made.env);
        assert.equal(code, 0, stderr);
    });

describe("one setting alone, by ALTER ROLE", { concurrency: 2 }, () => {
    for (const name of ["search_path", "role", "standard_conforming_strings", "default_transaction_read_only", "default_transaction_isolation", "statement_timeout", "idle_session_timeout", "client_encoding", "quote_all_identifiers", "transform_null_equals"])
        test(name, { timeout: 120_000 }, async (t) => {
            const made = await prepare(t);
            const writer = await made.database.connect(t);
            await alter(made.database, `ROLE ${made.role}`, { [name]: SETTINGS[name] });
            await setup(made.env, /installed version/);
            await expectWork(t, made, writer, name === "idle_session_timeout" ? 1500 : 0);
        });
});
