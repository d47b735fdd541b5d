// `tuplecast setup`: installs and upgrades the database side, as an ordinary role, in one transaction; and who may do what afterwards.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { define, list, Listener, put } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run } from "./lib/gateway.mjs";

function psql(database, ...args) {
    return promisify(execFile)("psql", ["-qX", "-v", "ON_ERROR_STOP=1", "-d", database.name, ...args]);
}

/** Everything in our schema, by what it is and does. */
const contents = (database) =>
    database.query(`
        SELECT 'function', oid::regprocedure::text, md5(prosrc), prosecdef::text, provolatile::text, proconfig::text, coalesce(proacl::text, '') ~ '(\\{|,)=X' OR proacl IS NULL
          FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace
        UNION ALL
        SELECT relkind::text, oid::regclass::text, (SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
               CASE WHEN relkind = 'v' THEN md5(pg_get_viewdef(oid)) END, NULL, NULL, coalesce(relacl::text, '') ~ '(\\{|,)=r'
          FROM pg_class c WHERE relnamespace = 'tuplecast'::regnamespace AND relkind IN ('r', 'p', 'v', 'S') ORDER BY 1, 2`);

/** A role that may log in and create in the database, and nothing else. */
async function ordinaryRole(database) {
    const role = `setup_${database.name}`;
    await database.query(`CREATE ROLE ${role} LOGIN; GRANT CREATE ON DATABASE ${database.name} TO ${role}`);
    return [role, { ...database.env, PGUSER: role }];
}

test("an ordinary role installs, everything is its own, and a second time changes nothing", async (t) => {
    const database = await createDatabase(t);
    const [role, env] = await ordinaryRole(database);
    const first = await run(["setup"], env);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /installed version 1\n/);
    assert.deepEqual(
        await database.query(`SELECT DISTINCT pg_get_userbyid(owner) FROM (
            SELECT nspowner AS owner FROM pg_namespace WHERE nspname = 'tuplecast' UNION ALL
            SELECT relowner FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace UNION ALL
            SELECT proowner FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace) o`),
        [[role]],
    );
    const rows = () => database.query("SELECT 'p', oid, xmin FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace UNION ALL SELECT 'c', oid, xmin FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace ORDER BY 1, 2");
    const before = await rows();
    const second = await run(["setup"], env);
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stdout, /nothing to do/);
    assert.deepEqual(await rows(), before);
});

/** Prints what would be run, and has psql run it. */
async function runPrinted(t, database, env) {
    const dry = await run(["setup", "--dry-run"], env);
    assert.equal(dry.code, 0, dry.stderr);
    const directory = await mkdtemp(path.join(os.tmpdir(), "tuplecast-setup-"));
    t.after(() => rm(directory, { recursive: true }));
    const file = path.join(directory, "all.sql");
    await writeFile(file, dry.stdout);
    await psql(database, "-U", env.PGUSER ?? process.env.PGUSER, "-f", file);
}

for (const who of ["an ordinary role", "a superuser"])
    test(`--dry-run prints what it would do and does nothing; what it prints, psql can run: ${who}`, async (t) => {
        const [printed, installed] = [await createDatabase(t), await createDatabase(t)];
        const as = async (database) => (who === "a superuser" ? database.env : (await ordinaryRole(database))[1]);
        const env = await as(printed);
        assert.match((await run(["setup", "--dry-run"], env)).stdout, /CREATE/);
        assert.equal(await printed.value("SELECT to_regnamespace('tuplecast')"), null);
        await runPrinted(t, printed, env);
        assert.equal((await run(["setup"], await as(installed))).code, 0);
        assert.deepEqual(await contents(printed), await contents(installed));
        const nothing = await run(["setup", "--dry-run"], env);
        assert.deepEqual([nothing.code, /nothing to do/.test(nothing.stdout), /CREATE/.test(nothing.stdout)], [0, true, false], nothing.stdout);
        await printed.query("ALTER FUNCTION tuplecast.make_tick(bigint, text) RESET ALL");
        await runPrinted(t, printed, env);
        assert.deepEqual(await contents(printed), await contents(installed));
    });

test("two at once: one installs, the other finds it done", async (t) => {
    const database = await createDatabase(t);
    const [, env] = await ordinaryRole(database);
    const results = await Promise.all([run(["setup"], env), run(["setup"], env)]);
    assert.deepEqual(results.map(({ code }) => code), [0, 0], results.map(({ stderr }) => stderr).join("\n"));
    assert.equal(results.filter(({ stdout }) => /nothing to do/.test(stdout)).length, 1);
});

test("without the right to create: a message, and nothing is there", async (t) => {
    const database = await createDatabase(t);
    await database.query(`CREATE ROLE poor_${database.name} LOGIN`);
    const { code, stderr } = await run(["setup"], { ...database.env, PGUSER: `poor_${database.name}` });
    assert.notEqual(code, 0);
    assert.match(stderr, /permission denied/);
    assert.equal(await database.value("SELECT to_regnamespace('tuplecast')"), null);
});

describe("the three roles, with the grants of docs/triggers.md", () => {
    test("the gateway's can read the log and make ticks, and nothing else; a stranger can do nothing", async (t) => {
        const database = await createDatabase(t);
        assert.equal((await run(["setup"], database.env)).code, 0);
        const [gateway, stranger] = [`gateway_${database.name}`, `stranger_${database.name}`];
        await database.query(`CREATE ROLE ${gateway} LOGIN; CREATE ROLE ${stranger} LOGIN; SELECT tuplecast.grant_gateway('${gateway}')`);
        await database.query("CREATE TABLE private (id serial PRIMARY KEY, secret text)");
        await put(database, "private", define("private"));

        // All that runs with our owner's rights, the triggers' functions aside, which cannot be called.
        const definers = async (role) =>
            (await database.query(
                `SELECT proname FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND prosecdef AND prorettype <> 'trigger'::regtype
                    AND has_function_privilege($1, oid, 'EXECUTE') ORDER BY 1`, [role])).map(([name]) => name);
        assert.deepEqual(await definers(stranger), []);
        const granted = await definers(gateway);
        const source = await database.value("SELECT prosrc FROM pg_proc WHERE proname = 'grant_gateway'");
        assert.deepEqual(granted.filter((name) => !source.includes(`tuplecast.${name}(`)), []);
        assert.ok(granted.includes("read_events") && granted.length < 20, granted.join());

        for (const role of [gateway, stranger]) {
            const rights = (sql) => database.query(sql, [role]);
            assert.deepEqual(
                await rights(`SELECT relname, right_ FROM pg_class, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) right_
                               WHERE relnamespace IN ('tuplecast'::regnamespace, 'public'::regnamespace) AND relkind IN ('r', 'p', 'v') AND has_table_privilege($1, oid, right_) ORDER BY 1`),
                (role === gateway ? ["parts", "triggers", "version"] : []).map((name) => [name, "SELECT"]),
            );
            assert.deepEqual(await rights("SELECT relname FROM pg_class WHERE CASE WHEN relkind = 'S' THEN has_sequence_privilege($1, oid, 'USAGE, SELECT, UPDATE') END"), [["serial"]]); // writers count with it
            assert.deepEqual(await rights("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'public' AND has_schema_privilege($1, oid, 'CREATE')"), []);
            assert.deepEqual(await rights("SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = $1"), [["f", "f", "f", "f", "f"]]);
            const client = await database.connect(t);
            await client.query(`SET SESSION AUTHORIZATION ${role}`);
            await assert.rejects(put(client, "private", define("private", { old: true })), /permission denied|must be owner/);
            await assert.rejects(client.query("SELECT tuplecast.drop_trigger('private', NULL, false)"), /permission denied|must be owner/);
            await assert.rejects(client.query("SELECT tuplecast.make_function('stolen', 'private', 'insert', '{}', NULL)"), /permission denied/);
            for (const sql of ["SELECT tuplecast.write_functions()", "SELECT tuplecast.take_turn()", "SELECT tuplecast.seal_functions()"])
                await assert.rejects(client.query(sql), /permission denied for function/, sql);
            const listing = list({ value: async (sql) => (await client.query({ text: sql, rowMode: "array" })).rows[0][0] });
            if (role === gateway) assert.equal((await listing).length, 1);
            else await assert.rejects(listing, /permission denied/);
        }
    });

    test("the owner's needs no more than CREATE on the database, and cannot log in when a superuser made it", async (t) => {
        const database = await createDatabase(t);
        assert.equal((await run(["setup"], database.env)).code, 0);
        assert.deepEqual(
            await database.query("SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = 'tuplecast_owner'"),
            [["f", "f", "f", "f", "f"]],
        );
        assert.deepEqual(await database.query("SELECT proname FROM pg_proc JOIN pg_roles r ON r.oid = proowner WHERE pronamespace = 'tuplecast'::regnamespace AND rolsuper"), []);
    });

    test("the installer's, a member of the tables' owner, puts, changes and drops, and its triggers' functions are the owner's", async (t) => {
        const database = await createDatabase(t);
        assert.equal((await run(["setup"], database.env)).code, 0);
        const [owner, installer] = [`app_${database.name}`, `installer_${database.name}`];
        await database.query(`CREATE ROLE ${owner}; CREATE ROLE ${installer} LOGIN; GRANT ${owner} TO ${installer}; SELECT tuplecast.grant_installer('${installer}'); CREATE TABLE mine (id serial PRIMARY KEY, a text); ALTER TABLE mine OWNER TO ${owner}`);
        const client = await database.connect(t);
        await client.query(`SET SESSION AUTHORIZATION ${installer}`);
        assert.equal((await put(client, "mine", define("mine"))).created, true);
        await put(client, "mine", define("mine", { old: true }));
        await put(client, "mine", define("mine"));
        assert.deepEqual(await database.query("SELECT DISTINCT pg_get_userbyid(proowner) FROM pg_proc WHERE proname ~ '^live_[0-9]'"), [["tuplecast_owner"]]);
        const listener = await Listener.open(t, database, "mine_changes");
        await client.query("INSERT INTO mine (a) VALUES ('x')");
        assert.equal((await listener.events())[0].data.a, "x");
        await client.query("SELECT tuplecast.drop_trigger('mine', NULL, false)");
        assert.deepEqual(await list(database), []);
    });
});
