// Whoever may create things in the database lays traps before `tuplecast setup` runs, mostly as a superuser: setup trusts nothing that it
// finds. What it installs is the same whatever the session's settings and default privileges are, and goes away whatever hangs on it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openField, PATIENCE_MS, tries } from "./lib/attackers.mjs";
import { createDatabase, Database } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { startFreshServer } from "./lib/servers.mjs";
import { until } from "./lib/until.mjs";

const LIMITS = { timeout: 120_000 };

/** What a schema `tuplecast` can hold before setup comes; the creator makes it. Each table has the first version, so that there is more to do. */
const TABLE = "CREATE TABLE tuplecast.version (version integer PRIMARY KEY, installed_at timestamptz NOT NULL DEFAULT pg_catalog.now(), checksum text)";
const FIRST = "INSERT INTO tuplecast.version (version) VALUES (1)";
const TRIGGER = `CREATE FUNCTION tuplecast.strike() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM evil.strike('trigger ' || TG_WHEN || TG_LEVEL); RETURN NEW; END $$`;
const SCHEMAS = {
    "nothing": [],
    "a view called version": ["CREATE VIEW tuplecast.version AS SELECT CASE WHEN evil.strike('view') THEN 1 END AS version, 'x'::text AS checksum"],
    "a version as high as can be": [TABLE, "INSERT INTO tuplecast.version (version) VALUES (2147483647)"],
    "a materialized view": ["CREATE MATERIALIZED VIEW tuplecast.version AS SELECT 1 AS version", "CREATE FUNCTION evil.now_int() RETURNS int LANGUAGE sql AS $$ SELECT evil.strike('now')::int $$"],
    "triggers": [TABLE, FIRST, TRIGGER, "CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON tuplecast.version FOR EACH ROW EXECUTE FUNCTION tuplecast.strike()",
        "CREATE TRIGGER b AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tuplecast.version FOR EACH STATEMENT EXECUTE FUNCTION tuplecast.strike()"],
    "a trigger that waits for the commit": [TABLE, FIRST, TRIGGER,
        "CREATE CONSTRAINT TRIGGER c AFTER INSERT OR UPDATE OR DELETE ON tuplecast.version DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tuplecast.strike()"],
    "rules": [TABLE, FIRST, "CREATE RULE i AS ON INSERT TO tuplecast.version DO ALSO SELECT evil.strike('rule on INSERT')",
        "CREATE RULE d AS ON DELETE TO tuplecast.version DO ALSO SELECT evil.strike('rule on DELETE')"],
    "a default": ["CREATE TABLE tuplecast.version (version integer, installed_at timestamptz DEFAULT CASE WHEN evil.strike('default') THEN pg_catalog.now() END, checksum text DEFAULT evil.strike('default')::text)", FIRST],
    "a check": ["CREATE TABLE tuplecast.version (version integer CHECK (evil.strike('check')), installed_at timestamptz, checksum text)", FIRST],
    "a generated column": [`CREATE FUNCTION evil.fixed(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM evil.strike('generated'); RETURN 1; END $$`,
        "CREATE TABLE tuplecast.version (version integer, installed_at timestamptz, g integer GENERATED ALWAYS AS (evil.fixed(version)) STORED)", FIRST],
    "an index on an expression": [`CREATE FUNCTION evil.indexed(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM evil.strike('index'); RETURN 1; END $$`,
        TABLE, "CREATE INDEX ON tuplecast.version (evil.indexed(version))", FIRST],
    "a policy": [TABLE, FIRST, "ALTER TABLE tuplecast.version ENABLE ROW LEVEL SECURITY", "ALTER TABLE tuplecast.version FORCE ROW LEVEL SECURITY",
        "CREATE POLICY p ON tuplecast.version USING (evil.strike('policy')) WITH CHECK (evil.strike('policy'))"],
    "a domain": ["CREATE FUNCTION evil.domain_check(integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN evil.strike('domain'); END $$",
        "CREATE DOMAIN tuplecast.number AS integer CHECK (evil.domain_check(VALUE))", "CREATE TABLE tuplecast.version (version tuplecast.number, installed_at timestamptz, checksum text)", FIRST],
    "a cast": ["CREATE TYPE tuplecast.number AS (i integer)",
        "CREATE FUNCTION tuplecast.as_integer(tuplecast.number) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('cast'); RETURN 1; END $$",
        "CREATE FUNCTION tuplecast.as_text(tuplecast.number) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('cast'); RETURN '1'; END $$",
        "CREATE CAST (tuplecast.number AS integer) WITH FUNCTION tuplecast.as_integer(tuplecast.number) AS IMPLICIT",
        "CREATE CAST (tuplecast.number AS text) WITH FUNCTION tuplecast.as_text(tuplecast.number) AS IMPLICIT",
        "CREATE TABLE tuplecast.version (version tuplecast.number, checksum tuplecast.number)", "INSERT INTO tuplecast.version VALUES (ROW(1), ROW(1))"],
    "functions of our names": ["put_trigger(text, json, text, text, boolean)", "check_durable(text)", "durable_channels()", "list_triggers(text, text, text)", "get_trigger(text)",
        "list_tables(text, text[])", "make_tick(bigint, text)", "last_tick()", "find_place(bigint, text)", "try_lead()", "grant_gateway(name)", "pg_notify(text, text)"]
        .map((signature) => `CREATE FUNCTION tuplecast.${signature} RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('function ${signature.split("(")[0]}'); RETURN NULL; END $$`),
    "functions and the version before": [TABLE, FIRST, ...["new_nonce()", "log_head(text, text, text)", "arguments(bytea)", "options(text)", "stale(text)"]
        .map((signature) => `CREATE FUNCTION tuplecast.${signature} RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('function ${signature.split("(")[0]}'); RETURN NULL; END $$`)],
    "a table that inherits": [TABLE, "CREATE VIEW evil.child AS SELECT evil.strike('child')", "CREATE TABLE evil.more () INHERITS (tuplecast.version)", "INSERT INTO evil.more (version) VALUES (1)"],
};

describe("a schema `tuplecast` that was there before", () => {
    for (const [name, statements] of Object.entries(SCHEMAS))
        test(`with ${name}: setup runs nothing of it, in a dry run neither`, LIMITS, async (t) => {
            const field = await openField(t, { tuplecast: false });
            const { database } = field;
            await field.by("creator", "CREATE SCHEMA tuplecast", ...statements, "GRANT ALL ON SCHEMA tuplecast TO PUBLIC", "GRANT ALL ON ALL TABLES IN SCHEMA tuplecast TO PUBLIC");
            await field.gains();
            const codes = [];
            for (const args of [["--dry-run"], [], ["--remove"], []]) {
                codes.push((await run(["setup", ...args], field.env, PATIENCE_MS)).code);
                assert.deepEqual(await field.gains(["creator"]), [], `setup ${args.join(" ")}`);
            }
            if (codes[1] === 0) {
                const foreign = await database.query(`
                    SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'tuplecast' AND pg_get_userbyid(nspowner) <> 'tuplecast_owner'
                    UNION SELECT proname, pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND pg_get_userbyid(proowner) <> 'tuplecast_owner'
                    UNION SELECT relname, pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace AND pg_get_userbyid(relowner) <> 'tuplecast_owner'`);
                assert.deepEqual(foreign, [], "setup says that it is done: then all of it is ours");
            }
        });

    for (const user of ["gateway", "postgres"])
        test(`a gateway that connects as ${user} runs nothing of it either`, LIMITS, async (t) => {
            const field = await openField(t, { tuplecast: false });
            const declared = `TABLE (number bigint, end_number bigint, nonce text)`;
            const signatures = { "check_durable(ordering text)": "text", "durable_channels()": "SETOF text", "last_tick()": declared, "list_triggers(a text, b text, c text)": "text",
                "list_tables(a text, b text[])": "text", "get_trigger(a text)": "text", "try_lead()": "boolean" };
            await field.by("creator", "CREATE SCHEMA tuplecast", "GRANT USAGE ON SCHEMA tuplecast TO PUBLIC",
                "CREATE VIEW tuplecast.version AS SELECT CASE WHEN evil.strike('view version') THEN 3 END AS version, CASE WHEN evil.strike('view version') THEN 'x' END AS checksum",
                "GRANT SELECT ON tuplecast.version TO PUBLIC",
                ...Object.entries(signatures).map(([signature, result]) => `CREATE FUNCTION tuplecast.${signature} RETURNS ${result} LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('${signature.split("(")[0]}'); RETURN; END $$`
                    .replace("RETURN;", /TABLE|SETOF/.test(result) ? "RETURN;" : "RETURN NULL;")));
            const env = { ...field.gatewayEnv, ...(user === "postgres" && { PGUSER: "postgres", TUPLECAST_TRIGGERS_DATABASE: `dbname=${field.database.name} user=postgres` }) };
            const gateway = await startGateway(t, env);
            await gateway.ready(PATIENCE_MS);
            const strikes = async () => (await field.strikes()).filter(({ of }) => of !== field.roles.creator).length;
            await until(async () => (await gateway.get("/readyz")).body !== "ok\n" || (await strikes()) > 0, "a word on durable channels", PATIENCE_MS);
            for (const path of ["/triggers", "/tables", "/triggers/x"]) await gateway.get(path, { headers: { Authorization: `Bearer ${env.TUPLECAST_TRIGGERS_TOKEN}` } });
            assert.deepEqual(await field.gains(["creator"]), []);
        });
});

/** Everything that is installed, as text: a line for each object, with its rights. */
const INSTALLED = `
    SELECT 'function ' || p.oid::regprocedure || ' ' || pg_get_userbyid(proowner) || ' ' || coalesce(proacl::text, '') || ' ' || pg_get_functiondef(p.oid) FROM pg_proc p
     WHERE pronamespace = 'tuplecast'::regnamespace AND prokind <> 'a'
    UNION ALL SELECT 'relation ' || relname || relkind::text || ' ' || pg_get_userbyid(relowner) || ' ' || coalesce(relacl::text, '') || relpersistence::text || coalesce(reloptions::text, '')
                     || CASE relkind WHEN 'v' THEN pg_get_viewdef(oid) ELSE '' END FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace
    UNION ALL SELECT 'column ' || attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || attnotnull::text || coalesce(pg_get_expr(adbin, adrelid), '')
                FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
               WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace) AND attnum > 0
    UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'tuplecast'::regnamespace
    UNION ALL SELECT 'schema ' || pg_get_userbyid(nspowner) || ' ' || coalesce(nspacl::text, '') FROM pg_namespace WHERE nspname = 'tuplecast'
    ORDER BY 1`;

async function installed(database) {
    return (await database.query(INSTALLED)).map(([line]) => line);
}

const SETTINGS = {
    standard_conforming_strings: "off", quote_all_identifiers: "on", transform_null_equals: "on", row_security: "off", check_function_bodies: "off",
    "plpgsql.extra_errors": "'all'", array_nulls: "off", bytea_output: "escape", backslash_quote: "off", DateStyle: "'SQL, DMY'", IntervalStyle: "sql_standard",
    TimeZone: "'Asia/Kathmandu'", client_encoding: "LATIN1", default_transaction_isolation: "serializable", default_transaction_read_only: "on",
    default_transaction_deferrable: "on", search_path: "pg_temp, evil", synchronous_commit: "off", escape_string_warning: "off", extra_float_digits: "-15",
    exit_on_error: "on", enable_indexscan: "off", enable_hashjoin: "off", plan_cache_mode: "force_custom_plan", lo_compat_privileges: "on", xmloption: "document",
    idle_in_transaction_session_timeout: "'500ms'", lock_timeout: "'1ms'", client_min_messages: "debug1", work_mem: "'64kB'", session_replication_role: "replica",
};

test("what is installed is the same whatever the settings of the session are", LIMITS, async (t) => {
    const plain = await createDatabase(t);
    assert.equal((await run(["setup"], plain.env, PATIENCE_MS)).code, 0);
    const expected = await installed(plain);
    const differences = [];
    for (const [name, value] of [...Object.entries(SETTINGS), ["all", Object.entries(SETTINGS)]]) {
        const database = await createDatabase(t);
        await database.query("CREATE SCHEMA evil");
        for (const [each, its] of name === "all" ? value : [[name, value]]) await database.query(`ALTER DATABASE ${database.name} SET ${each} = ${its}`);
        const { code, stderr } = await run(["setup"], database.env, PATIENCE_MS);
        await database.query(`ALTER DATABASE ${database.name} RESET ALL`);
        await database.end();
        if (code !== 0) differences.push(`${name} = ${value}: ${stderr}`);
        else if ((await installed(database)).join("\n") !== expected.join("\n"))
            differences.push(`${name} = ${value}: ${(await installed(database)).find((line) => !expected.includes(line))}`);
        await database.end();
    }
    assert.deepEqual(differences, []);
});

test("default privileges give nobody rights on what is installed", LIMITS, async (t) => {
    const field = await openField(t, { tuplecast: false });
    const { database, roles } = field;
    await database.query("DO $$ BEGIN CREATE ROLE tuplecast_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
    for (const role of ["postgres", "tuplecast_owner"])
        for (const grantee of ["PUBLIC", roles.stranger])
            for (const kind of ["TABLES", "SEQUENCES", "FUNCTIONS", "SCHEMAS", "TYPES"]) await database.query(`ALTER DEFAULT PRIVILEGES FOR ROLE ${role} GRANT ALL ON ${kind} TO ${grantee}`);
    await field.setup();
    for (const what of ["pg_class", "pg_proc", "pg_namespace"]) {
        const [acl, space] = { pg_class: ["relacl", "relnamespace"], pg_proc: ["proacl", "pronamespace"], pg_namespace: ["nspacl", "oid"] }[what];
        const rights = await database.query(`
            SELECT o.oid::${{ pg_class: "regclass", pg_proc: "regprocedure", pg_namespace: "regnamespace" }[what]}::text, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.privilege_type
              FROM ${what} o CROSS JOIN LATERAL aclexplode(${acl}) a
             WHERE ${space} = 'tuplecast'::regnamespace AND (a.grantee = $1::text::regrole OR a.grantee = 0 AND CASE '${what}'
                   WHEN 'pg_class' THEN o.oid::regclass::text <> 'tuplecast.serial' WHEN 'pg_namespace' THEN a.privilege_type = 'CREATE' ELSE (to_jsonb(o) ->> 'prosecdef')::boolean END)`, [roles.stranger]);
        assert.deepEqual(rights.map((right) => right.join(" ")), []);
    }
});

test("in a database with an odd name, by a role with an odd name", LIMITS, async (t) => {
    const control = new Database(process.env.PGDATABASE);
    t.after(() => control.end());
    const suffix = Math.random().toString(36).slice(2, 8);
    for (const [i, odd] of [`o'"dd $$ %s %I \\ ${suffix}`, `$current %1$s "x" ${suffix}`, `new\nline; DROP ${suffix}`].entries()) {
        const quoted = `"${odd.replaceAll('"', '""')}"`;
        await control.query(`CREATE DATABASE ${quoted}`);
        await control.query(`CREATE ROLE ${quoted} LOGIN`);
        const database = new Database(odd);
        t.after(() => database.end());
        const { code, stderr } = await run(["setup"], { PGDATABASE: odd }, PATIENCE_MS);
        assert.equal(code, 0, stderr);
        await database.query(`SELECT tuplecast.grant_gateway('${odd.replaceAll("'", "''")}')`);
        assert.equal(await database.value("SELECT has_function_privilege($1, oid, 'EXECUTE') FROM pg_proc WHERE proname = 'make_tick'", [odd]), "t");
        if (i === 2) continue; // the name cannot be given as an argument of one line
        const removed = await run(["setup", `--remove=${odd}`], { PGDATABASE: odd }, PATIENCE_MS);
        assert.equal(removed.code, 0, removed.stderr);
    }
});

test("what others hang onto our objects stops neither a second setup nor the removal", LIMITS, async (t) => {
    const field = await openField(t);
    const { database } = field;
    const client = await field.as(t, "creator");
    const relations = (await database.query("SELECT relname FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace AND relkind IN ('r', 'v', 'p')")).flat();
    const held = [];
    for (const name of relations) {
        held.push(await tries(client, `CREATE TABLE evil.of_${name} (t tuplecast.${name})`));
        held.push(await tries(client, `CREATE VIEW evil.view_${name} AS SELECT NULL::tuplecast.${name} AS t`));
        held.push(await tries(client, `CREATE FUNCTION evil.f_${name}(tuplecast.${name}) RETURNS SETOF tuplecast.${name} LANGUAGE sql AS 'SELECT $1'`));
    }
    for (const [name] of await database.query("SELECT oid::regproc::text FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND prorettype = 'trigger'::regtype"))
        held.push(await tries(client, `CREATE TABLE evil.t_${held.length} (id int); CREATE TRIGGER "tuplecast:x:row" AFTER INSERT ON evil.t_${held.length} FOR EACH ROW EXECUTE FUNCTION ${name}('x')`));
    await client.query("CREATE TEMP TABLE mine (id int)");
    for (const [name] of await database.query("SELECT oid::regproc::text FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND prorettype = 'trigger'::regtype"))
        held.push(await tries(client, `CREATE TRIGGER "tuplecast:temporary:row" AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION ${name}('x')`));
    t.diagnostic(`${held.filter(Boolean).length} objects depend on ours`);
    // The locks of an open transaction on his own tables are his: a second setup needs none of them. Removal has to wait until they are gone.
    await client.query("BEGIN; LOCK TABLE mine IN ACCESS EXCLUSIVE MODE");
    for (const [i] of held.entries()) await client.query(`DO $$ BEGIN LOCK TABLE evil.t_${i}; EXCEPTION WHEN undefined_table THEN NULL; END $$`);
    for (const args of [[], ["--remove", "--dry-run"]]) assert.equal((await run(["setup", ...args], field.env, PATIENCE_MS)).code, 0, `setup ${args.join(" ")}`);
    await client.query("ROLLBACK");
    const removed = await run(["setup", `--remove=${database.name}`], field.env, PATIENCE_MS);
    assert.equal(removed.code, 0, removed.stderr);
    assert.equal(await database.value("SELECT to_regnamespace('tuplecast')"), null);
    await field.setup();
    assert.deepEqual(await field.gains(), []);
});

test("a role of our owner's name that has rights, can log in or has members is refused", LIMITS, async (t) => {
    const server = await startFreshServer(t);
    const control = server.database("postgres");
    t.after(() => control.end());
    await control.query("CREATE ROLE mallory LOGIN; CREATE ROLE other LOGIN");
    for (const statement of ["LOGIN", "ROLE mallory", "ADMIN mallory", "SUPERUSER", "CREATEROLE", "IN ROLE pg_read_all_data"]) {
        await control.query(`CREATE ROLE tuplecast_owner ${statement}`);
        const { code, stderr } = await run(["setup"], { ...server.env, PGUSER: "postgres", PGDATABASE: "postgres" }, PATIENCE_MS);
        assert.equal(code, 1, `${statement}: ${stderr}`);
        assert.match(stderr, /role tuplecast_owner/, statement);
        assert.equal(await control.value("SELECT to_regnamespace('tuplecast')"), null, statement);
        await control.query("DROP ROLE tuplecast_owner");
    }
});
