// Dumps that are restored without owners, without rights, or where the roles are not there: functions that ran with our owner's rights would run
// with those of the superuser who restores. Nobody gains by that, the gateway says that something is wrong, and `tuplecast setup` puts it right.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";
import { Field, openField, PATIENCE_MS, tries, watch } from "./lib/attackers.mjs";
import { put } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { noDump, startFreshServer } from "./lib/servers.mjs";
import { until } from "./lib/until.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const execute = promisify(execFile);
const CLIENTS = process.env.TUPLECAST_TEST_PGCLIENTS;
const LIMITS = { timeout: 240_000, skip: noDump };
const file = wholeFile();
let field;

before(async () => {
    field = await openField(file);
    for (const [name, more] of Object.entries({ live: {}, live_old: { old: true, columns: ["id"] }, durable: { durable: true }, durable_row: { durable: true, level: "row", old: true } })) {
        await field.table(name);
        const installer = await field.as(undefined, "installer");
        await put(installer, name, watch(name, more));
        await installer.end();
    }
    await field.by("writer", "INSERT INTO app.durable VALUES (1, 'a')");
}, LIMITS);

/** Dumps the database, and restores it as a superuser into another one, going on after errors. */
async function restore(target, args = []) {
    const options = { maxBuffer: 2 ** 28 };
    const { stdout } = await execute(path.join(CLIENTS, "pg_dump"), ["--dbname", field.database.name, ...args], options);
    const restoring = execute(path.join(CLIENTS, "psql"), ["-X", "-q"], { ...options, env: { ...process.env, PGUSER: "postgres", ...target.env } });
    restoring.child.stdin.end(stdout);
    await restoring;
}

/** Functions that run with the rights of a superuser, or that everybody may call with those of somebody else. */
const DANGEROUS = `
    SELECT p.oid::regprocedure::text, r.rolname FROM pg_proc p JOIN pg_roles r ON r.oid = proowner
     WHERE pronamespace = 'tuplecast'::regnamespace AND prosecdef
       AND (rolsuper OR EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) a WHERE a.grantee = 0)) ORDER BY 1`;

/** As in attacks-functions: all that can be hung is hung onto a temporary table, and fired. */
async function attack(client) {
    await client.query("CREATE TEMP TABLE mine (id integer PRIMARY KEY, a text)");
    for (const name of ["changed_rows", "old_rows", "log", "tick"]) await client.query(`CREATE TEMP VIEW ${name} AS SELECT CASE WHEN evil.strike('view ${name}') THEN 1 END AS id, 'a'::text AS a`);
    await client.query("GRANT SELECT ON ALL TABLES IN SCHEMA pg_temp TO PUBLIC");
    const { rows } = await client.query("SELECT oid::regproc::text AS name FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND prorettype = 'trigger'::regtype");
    for (const { name } of rows)
        for (const kind of ["ROW", "STATEMENT"]) {
            if (!(await tries(client, `CREATE TRIGGER "tuplecast:hung:row" AFTER INSERT OR UPDATE OR DELETE ON mine FOR EACH ${kind} EXECUTE FUNCTION ${name}('durable_changes', '{"durable":true,"old":true}')`))) continue;
            for (const statement of ["INSERT INTO mine VALUES (1, 'a')", "UPDATE mine SET a = 'b'", "DELETE FROM mine"]) await tries(client, statement);
            await client.query('DROP TRIGGER "tuplecast:hung:row" ON mine');
        }
}

describe("on the same server", () => {
    for (const args of [["--no-owner"], ["--no-owner", "--no-acl"], ["--no-acl"], []])
        test(`a dump ${args.length ? `with ${args.join(" ")}` : "with everything"}: nobody gains by it, and setup puts it right`, LIMITS, async (t) => {
            const target = new Field(await createDatabase(t));
            target.roles = field.roles;
            await restore(target.database, args);
            const { database } = target;
            // The attackers' schema came with the dump; what the superuser who restored it was asked is his.
            await database.query("GRANT USAGE ON SCHEMA app, evil TO PUBLIC; GRANT INSERT, SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO PUBLIC");
            await target.gains();
            const stranger = await target.as(t, "stranger");
            await attack(stranger);
            assert.deepEqual(await target.gains(), []);
            // Without rights, not even the schema may be used, until setup has given them anew.
            if (!args.includes("--no-acl")) await target.by("writer", "INSERT INTO app.live VALUES (7, 'a')", "INSERT INTO app.durable VALUES (7, 'a')");
            if (args.includes("--no-owner")) {
                const gateway = await startGateway(t, { ...target.env, PGUSER: "postgres" });
                await until(async () => {
                    const { body } = await gateway.get("/readyz");
                    return (body !== "ok\n" && /owner|setup/i.test(body)) || /warn.*(owner|superuser|setup)/i.test(gateway.log);
                }, "a word on the functions' owner, in /readyz or in the log", 20_000);
                await gateway.stop();
            }
            const { code, stderr } = await run(["setup"], target.env, PATIENCE_MS);
            assert.equal(code, 0, stderr);
            assert.deepEqual(await database.query(DANGEROUS), []);
            const owners = await database.query("SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace");
            assert.deepEqual(owners, [["tuplecast_owner"]]);
            await target.grant();
            await target.gains();
            const another = await target.as(t, "stranger");
            await attack(another);
            assert.deepEqual(await target.gains(), []);
            // The triggers that the dump brought are at work.
            await target.by("writer", "INSERT INTO app.live VALUES (8, 'a')", "INSERT INTO app.durable VALUES (8, 'a')");
            const gateway = await target.startGateway(t);
            await until(async () => (await gateway.get("/readyz")).body === "ok\n", "durable channels", PATIENCE_MS);
        });
});

test("on a server without the roles, setup puts it right", LIMITS, async (t) => {
    const server = await startFreshServer(t);
    const control = server.database("postgres");
    await control.query("CREATE DATABASE app");
    await control.end();
    const target = server.database("app");
    t.after(() => target.end());
    await restore(target);
    const { code, stderr } = await run(["setup"], { ...server.env, PGUSER: "postgres", PGDATABASE: "app" }, PATIENCE_MS);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await target.query(DANGEROUS), []);
    assert.deepEqual(await target.query("SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace"), [["tuplecast_owner"]]);
    assert.deepEqual(await target.query("SELECT rolsuper, rolcanlogin FROM pg_roles WHERE rolname = 'tuplecast_owner'"), [["f", "f"]]);
    await target.query("INSERT INTO app.durable VALUES (8, 'a'); INSERT INTO app.live VALUES (8, 'a')");
});
