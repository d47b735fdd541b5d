// Databases on which there can be no durable channels: the gateway says why, in its log and in /readyz, and live channels work all the same
// where they can.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import pg from "pg";
import { install } from "./lib/changes.mjs";
import { openBank } from "./lib/bank.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { startStandby } from "./lib/servers.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 30_000;
const LIMITS = { timeout: 120_000 };

/** The gateway's log and /readyz both tell the reason; and a live channel works. */
async function worksWithoutDurable(t, gateway, database, reason) {
    await gateway.ready(PATIENCE_MS);
    await until(async () => reason.test((await gateway.get("/readyz")).body), () => `${reason} in /readyz; the log:\n${gateway.log}`, PATIENCE_MS);
    const line = new RegExp(`no durable channels reason="[^\\n]*${reason.source}`);
    await until(() => line.test(gateway.log), () => `the reason in the log:\n${gateway.log}`, PATIENCE_MS);
    const stream = await subscribe(t, gateway.stream("chat"));
    await database.notify("chat", JSON.stringify({ n: 1 }));
    assert.equal((await stream.messages(1, PATIENCE_MS))[0].json.data.n, 1);
}

test("nothing installed: `tuplecast setup` is named, and found without a restart when it was run", LIMITS, async (t) => {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, database.env);
    await worksWithoutDurable(t, gateway, database, /run `tuplecast setup`/);
    assert.equal((await run(["setup"], database.env)).code, 0);
    await database.notify("tuplecast", "triggers"); // as each trigger that is put does
    await until(async () => (await gateway.metric("tuplecast_durable_lead")) === 1, "the lead", PATIENCE_MS);
    await until(async () => (await gateway.get("/readyz")).body === "ok\n", "nothing to say about them", PATIENCE_MS);
});

test("an older version of the schema: `tuplecast setup` is named", LIMITS, async (t) => {
    const database = await createDatabase(t);
    await install(database);
    await database.query("DROP FUNCTION tuplecast.check_durable(text)");
    const gateway = await startGateway(t, database.env);
    await worksWithoutDurable(t, gateway, database, /too old: run `tuplecast setup`/);
});

test("a role without rights: the statement that gives them is named, and helps", LIMITS, async (t) => {
    const database = await createDatabase(t);
    await install(database);
    await database.query("DROP ROLE IF EXISTS poor");
    await database.query("CREATE ROLE poor LOGIN");
    const gateway = await startGateway(t, { ...database.env, PGUSER: "poor" });
    await worksWithoutDurable(t, gateway, database, /may not read the log: .*SELECT tuplecast\.grant_gateway/);
    await database.query("SELECT tuplecast.grant_gateway('poor')");
    await gateway.restart();
    await gateway.ready(PATIENCE_MS);
    await until(async () => (await gateway.metric("tuplecast_durable_lead")) === 1, "the lead", PATIENCE_MS);
    await until(async () => (await gateway.get("/readyz")).body === "ok\n", "nothing to say about them", PATIENCE_MS);
});

test("a standby: not ready, and the reason names it", LIMITS, async (t) => {
    const { database, gateways } = await openBank(t, { settings: [{}] });
    const standby = await startStandby(t);
    await standby.caughtUp(database);
    const gateway = await startGateway(t, standby.database(database.name).env);
    const told = async () => {
        const { status, body } = await gateway.get("/readyz");
        return status === 503 && /recovery|standby/.test(body);
    };
    await until(told, () => `a word of the standby on /readyz; the log:\n${gateway.log}`, PATIENCE_MS);
    assert.equal(gateways.length, 1);
});

/** pgbouncer with transaction pooling in front of the server; resolves with the environment that leads there. */
async function startPooler(t) {
    const dir = await mkdtemp(path.join(os.tmpdir(), "tuplecast-pool."));
    await chmod(dir, 0o777);
    const settings = `[databases]
* = host=${process.env.PGHOST} port=${process.env.PGPORT}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = ${dir}
auth_type = any
pool_mode = transaction
ignore_startup_parameters = extra_float_digits
`;
    await writeFile(path.join(dir, "pgbouncer.ini"), settings.replace("* = ", `* = user=${process.env.PGUSER} `));
    const owner = process.getuid() === 0 ? ["--reuid=nobody", "--regid=nogroup", "--clear-groups"] : [];
    const child = spawn("setpriv", [...owner, "--pdeathsig", "KILL", "pgbouncer", "-q", path.join(dir, "pgbouncer.ini")], { stdio: "ignore", env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
    t.after(async () => {
        child.kill("SIGKILL");
        await rm(dir, { recursive: true, force: true });
    });
    await until(async () => (await readdir(dir)).some((name) => name.startsWith(".s.PGSQL")), "the pooler's socket", PATIENCE_MS);
    return { PGHOST: dir, PGPORT: "6432" };
}

test("a transaction pooler: the reason names it, and nothing is left behind in the server's sessions", LIMITS, async (t) => {
    const { database, gateways: [direct] } = await openBank(t, { settings: [{}] });
    const pooler = await startPooler(t);
    const gateway = await startGateway(t, { ...database.env, ...pooler });
    const reason = /there is a pooler between this gateway and the database/;
    await until(async () => reason.test((await gateway.get("/readyz")).body), () => `a word of the pooler; the log:\n${gateway.log}`, PATIENCE_MS);
    assert.match(gateway.log, /no durable channels reason="there is a pooler/);
    // Live channels need nothing installed, and can lose notifications behind it: who has only those is told, too.
    const plain = await startGateway(t, { ...(await createDatabase(t)).env, ...pooler });
    await until(async () => reason.test((await plain.get("/readyz")).body), () => `a word of the pooler; the log:\n${plain.log}`, PATIENCE_MS);
    // Nor are others behind it, who are given the same sessions of the server: what our sessions set is not set there.
    const behind = new pg.Client({ database: database.name, host: pooler.PGHOST, port: pooler.PGPORT });
    await behind.connect();
    for (let i = 0; i < 20; i++) assert.equal((await behind.query("SHOW search_path")).rows[0].search_path, '"$user", public');
    await behind.end();
    // The other gateway is not disturbed.
    assert.equal(await direct.metric("tuplecast_durable_lead"), 1);
    assert.equal(await database.value("SELECT is_gone FROM tuplecast.find_lead()"), "f");
    const stream = await subscribe(t, direct.stream("accounts_changes"));
    await database.query("UPDATE accounts SET version = 1 WHERE id = 1");
    await stream.messages(1, PATIENCE_MS);
});
