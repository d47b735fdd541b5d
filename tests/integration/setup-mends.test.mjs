// A database side that is not the right one: altered, restored without its owners or rights, older, newer, another build's. check, serve and setup say
// so; setup mends what it can, in front of running writers, and says what to do about the rest.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { startOne } from "./lib/bank.mjs";
import { define, list, Listener, put } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { noDump, startFreshServer } from "./lib/servers.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 60_000;
const execute = promisify(execFile);

async function installed(t) {
    const database = await createDatabase(t);
    await setup(database.env, /installed version 1/);
    return database;
}

async function setup(env, pattern, more = []) {
    const { code, stdout, stderr } = await run(["setup", ...more], env);
    assert.equal(code, 0, stderr);
    assert.match(stdout, pattern);
    return stdout + stderr;
}

async function refuses(env, pattern, more = []) {
    const { code, stdout, stderr } = await run(["setup", ...more], env);
    assert.equal(code, 1, stdout);
    assert.match(stderr, pattern);
    return stdout + stderr;
}

/** Our schema, by what a fingerprint may not see. */
const contents = (database) =>
    database.query(`
        SELECT 'function', oid::regprocedure::text, md5(prosrc), proconfig::text, prosecdef::text, pg_get_userbyid(proowner),
               (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(coalesce(proacl, acldefault('f', proowner))) a)
          FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND proname !~ '^(live|durable)_[0-9]'
        UNION ALL
        SELECT relkind::text, oid::regclass::text, CASE WHEN relkind = 'v' THEN md5(pg_get_viewdef(oid)) END, NULL, NULL, pg_get_userbyid(relowner),
               (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) a)
          FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace AND relkind IN ('r', 'p', 'v', 'S') ORDER BY 1, 2`);

const ALTERED = {
    "a function's source": "CREATE OR REPLACE FUNCTION tuplecast.new_nonce() RETURNS text LANGUAGE sql AS 'SELECT ''x''::text'",
    "a function's search_path": "ALTER FUNCTION tuplecast.make_tick(bigint, text) RESET search_path",
    "whose rights a function has": "ALTER FUNCTION tuplecast.list_tables(text, text[]) SECURITY DEFINER",
    "a right of everybody": "GRANT EXECUTE ON FUNCTION tuplecast.read_events(bigint, bigint, text[], bigint, bigint) TO PUBLIC",
    "a right of everybody's on the log": "GRANT SELECT ON tuplecast.log_0 TO PUBLIC",
    "a function's owner": "ALTER FUNCTION tuplecast.retain(interval, bigint) OWNER TO postgres",
    "a table's owner": "ALTER TABLE tuplecast.tick OWNER TO postgres",
    "a function that is gone": "DROP FUNCTION tuplecast.retain(interval, bigint)",
    "a function more": "CREATE FUNCTION tuplecast.put_trigger(name text) RETURNS text LANGUAGE sql AS 'SELECT name'",
    "a view's text": `DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW tuplecast.parts AS SELECT v.* FROM (' || rtrim(pg_get_viewdef('tuplecast.parts'::regclass), ';') || ') v WHERE false'; END $$`,
};

describe("altered", () => {
    for (const [what, sql] of Object.entries(ALTERED))
        test(`${what}: check, serve and --dry-run say so; setup mends it, and grants stay`, { timeout: 90_000 }, async (t) => {
            const database = await installed(t);
            const role = `gateway_${database.name}`;
            await database.query(`CREATE ROLE ${role} LOGIN; SELECT tuplecast.grant_gateway('${role}')`);
            const before = await contents(database);
            assert.equal((await run(["check"], database.env)).stderr, "");
            await database.query(sql);
            const name = /tuplecast\.(\w+)/.exec(sql)[1];
            const { code, stderr } = await run(["check"], database.env);
            assert.equal(code, 0);
            assert.match(stderr, new RegExp(`not as it was installed \\(.*${name}.*run \`tuplecast setup\``));
            const gateway = await startGateway(t, database.env);
            await until(() => new RegExp(`not the right one.*${name}.*run .tuplecast setup`).test(gateway.log), () => `a warning:\n${gateway.log}`, PATIENCE_MS);
            assert.match((await run(["setup", "--dry-run"], database.env)).stdout, new RegExp(`^-- .*${name}`, "m"));
            await setup(database.env, new RegExp(`mended version 1: .*${name}`));
            assert.deepEqual(await contents(database), before);
            await setup(database.env, /nothing to do/);
            assert.equal((await run(["check"], database.env)).stderr, "");
        });

    test("a table: its rows are worth more than its form, so setup says what to do and changes nothing", async (t) => {
        const database = await installed(t);
        await database.query("ALTER TABLE tuplecast.tick ADD COLUMN more int");
        assert.match((await run(["check"], database.env)).stderr, /table tuplecast\.tick/);
        const before = await contents(database);
        await refuses(database.env, /keeps tables.*tuplecast\.tick.*setup --remove/s);
        assert.deepEqual(await contents(database), before);
        await database.query("ALTER TABLE tuplecast.tick DROP COLUMN more");
        await setup(database.env, /nothing to do/);
    });

    test("a register of triggers from before it had their arguments: setup enters what the catalog shows", { timeout: 90_000 }, async (t) => {
        const database = await installed(t);
        await database.query("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
        await put(database, "a", define("a", { durable: true }));
        await put(database, "b", define("b", { level: "row" }));
        const triggers = () => database.query("SELECT name, channel, operations, options, equal FROM tuplecast.triggers ORDER BY name");
        const before = await triggers();
        assert.equal(before.length, 2);
        await database.query("ALTER TABLE tuplecast.function DROP COLUMN arguments CASCADE; UPDATE tuplecast.version SET checksum = 'another build'");
        await setup(database.env, /installed version 1 in place of another build's/);
        assert.deepEqual(await triggers(), before);
        await setup(database.env, /nothing to do/);
    });

    test("writers go on while setup mends: none fails, none waits for long, and nothing is lost", { timeout: 120_000 }, async (t) => {
        const database = await installed(t);
        await database.query("CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id serial PRIMARY KEY)");
        await put(database, "a", define("a"));
        await put(database, "b", define("b", { durable: true }));
        const listener = await Listener.open(t, database, "a_changes");
        let going = true;
        let longest = 0;
        const writers = Array.from({ length: 4 }, async () => {
            const client = await database.connect(t);
            let count = 0;
            for (; going; count++) {
                const began = performance.now();
                await client.query("INSERT INTO a DEFAULT VALUES; INSERT INTO b DEFAULT VALUES");
                longest = Math.max(longest, performance.now() - began);
            }
            return count;
        });
        for (let i = 0; i < 5; i++) {
            await database.query("ALTER FUNCTION tuplecast.make_tick(bigint, text) RESET search_path");
            await setup(database.env, /mended/);
        }
        going = false;
        const rows = (await Promise.all(writers)).reduce((a, b) => a + b);
        assert.equal((await listener.events()).length, rows);
        assert.equal(Number(await database.value("SELECT count(*) FROM tuplecast.log")), rows);
        t.diagnostic(`${rows} rows, the longest statement took ${Math.round(longest)} ms`);
    });

    test("a writer that is open when setup begins does not hold it up", { timeout: 60_000 }, async (t) => {
        const database = await installed(t);
        await database.query("CREATE TABLE b (id serial PRIMARY KEY)");
        await put(database, "b", define("b", { durable: true }));
        const writer = await database.connect(t);
        await writer.query("BEGIN; INSERT INTO b DEFAULT VALUES");
        await database.query("ALTER FUNCTION tuplecast.make_tick(bigint, text) RESET search_path");
        await setup(database.env, /mended/);
        await writer.query("INSERT INTO b DEFAULT VALUES; COMMIT");
    });
});

describe("older, newer, another build's", () => {
    test("of this version by other scripts: they are run again", async (t) => {
        const database = await installed(t);
        await database.query("UPDATE tuplecast.version SET checksum = 'of another build'; CREATE FUNCTION tuplecast.of_before() RETURNS int LANGUAGE sql AS 'SELECT 1'");
        assert.match((await run(["check"], database.env)).stderr, /another build's.*run `tuplecast setup`/);
        await setup(database.env, /installed version 1 in place of another build's/);
        assert.equal(await database.value("SELECT to_regproc('tuplecast.of_before')"), null);
        await setup(database.env, /nothing to do/);
    });

    test("newer: nothing is done to it, and the newer program is named", async (t) => {
        const database = await installed(t);
        await database.query("UPDATE tuplecast.version SET version = 2");
        const before = await contents(database);
        assert.match((await run(["check"], database.env)).stderr, /newer version/);
        for (const more of [[], ["--dry-run"]]) await refuses(database.env, /newer version than this program: use the newer program/, more);
        assert.deepEqual(await contents(database), before);
        const gateway = await startGateway(t, database.env);
        await until(() => /newer version/.test(gateway.log), () => `a warning:\n${gateway.log}`, PATIENCE_MS);
    });

    test("a form of before the first release: setup --remove is named, and helps", async (t) => {
        const database = await createDatabase(t);
        await database.query("CREATE ROLE tuplecast_owner NOLOGIN").catch(() => {}); // it may be there
        await database.query(`CREATE SCHEMA tuplecast AUTHORIZATION tuplecast_owner; CREATE TABLE tuplecast.version (version integer PRIMARY KEY, installed_at timestamptz);
                              ALTER TABLE tuplecast.version OWNER TO tuplecast_owner; INSERT INTO tuplecast.version VALUES (3)`);
        assert.match((await run(["check"], database.env)).stderr, /before the first release: run `tuplecast setup --remove`/);
        await refuses(database.env, /before the first release: run `tuplecast setup --remove`, then `tuplecast setup`/);
        await setup(database.env, /removed/, [`--remove=${database.name}`]);
        await setup(database.env, /installed/);
    });
});

describe("restored dumps", () => {
    const pgDump = path.join(process.env.TUPLECAST_TEST_PGCLIENTS, "pg_dump");
    const skip = noDump;

    /** Into a fresh database, here or on another server. */
    async function restore(from, to, options) {
        const { stdout } = await execute(pgDump, ["--dbname", from.name, ...options], { maxBuffer: 2 ** 28 });
        const restoring = execute(path.join(process.env.TUPLECAST_TEST_PGCLIENTS, "psql"), ["-Xq"], { env: { ...process.env, ...to.env }, maxBuffer: 2 ** 28 });
        restoring.child.stdin.end(stdout);
        await restoring;
    }

    const DUMPS = { "without owners": ["--no-owner"], "without owners and rights": ["--no-owner", "--no-privileges"], "without rights": ["--no-privileges"] };

    for (const [what, options] of Object.entries(DUMPS))
        test(`${what}: check and serve say so; setup mends it, and its triggers work`, { timeout: 90_000, skip }, async (t) => {
            const [old, now] = [await installed(t), await createDatabase(t)];
            await old.query("CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id serial PRIMARY KEY)");
            await put(old, "a", define("a"));
            await put(old, "b", define("b", { durable: true }));
            await restore(old, now, options);
            assert.match((await run(["check"], now.env)).stderr, options.includes("--no-owner") ? /belongs to the superuser "postgres"/ : /not as it was installed/);
            const gateway = await startGateway(t, now.env);
            await until(() => /not the right one/.test(gateway.log), () => `a warning:\n${gateway.log}`, PATIENCE_MS);
            await setup(now.env, /mended/);
            await setup(now.env, /nothing to do/);
            assert.deepEqual(await now.query(`SELECT DISTINCT pg_get_userbyid(owner) FROM (
                SELECT nspowner AS owner FROM pg_namespace WHERE nspname = 'tuplecast' UNION ALL
                SELECT relowner FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace UNION ALL
                SELECT proowner FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace) o ORDER BY 1`), [["tuplecast_owner"]]);
            assert.deepEqual((await contents(now)).map(([kind, name, source, config, definer]) => [kind, name, source, config, definer]),
                (await contents(old)).map(([kind, name, source, config, definer]) => [kind, name, source, config, definer]));
            assert.deepEqual(await now.query(`SELECT proname FROM pg_proc CROSS JOIN LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner))) a
                WHERE pronamespace = 'tuplecast'::regnamespace AND prosecdef AND a.grantee = 0 AND proname ~ '^(durable|live)_[0-9]'`), []);
            const listener = await Listener.open(t, now, "a_changes");
            await now.query("INSERT INTO a DEFAULT VALUES; INSERT INTO b DEFAULT VALUES");
            assert.equal((await listener.events()).length, 1);
            assert.deepEqual((await list(now)).map(({ name }) => name), ["a", "b"]);
        });

    test("onto a server without the role: the same", { timeout: 120_000, skip }, async (t) => {
        const old = await installed(t);
        const server = await startFreshServer(t);
        const now = server.database("postgres");
        await restore(old, now, []);
        assert.match((await run(["check"], now.env)).stderr, /belongs to the superuser "postgres"/);
        await setup(now.env, /mended/);
        await setup(now.env, /nothing to do/);
        await (await startOne(t, now.env)).ready(PATIENCE_MS);
    });

    test("setup --remove takes away the role that setup made, and leaves one that was there", { timeout: 120_000 }, async (t) => {
        const server = await startFreshServer(t);
        const database = server.database("postgres");
        const roles = () => database.query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'tuplecast%' ORDER BY 1");
        await setup(database.env, /installed/);
        assert.deepEqual(await roles(), [["tuplecast_owner"]]);
        await setup(database.env, /removed/, ["--remove=postgres"]);
        assert.deepEqual(await roles(), []);
        await database.query("CREATE ROLE tuplecast_owner NOLOGIN");
        await database.query("CREATE DATABASE other");
        await setup(database.env, /installed/);
        await setup(server.database("other").env, /installed/);
        await setup(database.env, /removed/, ["--remove=postgres"]);
        assert.deepEqual(await roles(), [["tuplecast_owner"]], "the other database needs it, perhaps");
        await setup(server.database("other").env, /removed/, ["--remove=other"]);
        assert.deepEqual(await roles(), [["tuplecast_owner"]]);
    });
});
