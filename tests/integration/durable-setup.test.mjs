// What durable channels need, and how they are removed; commit-timestamp order; many clients that come back at once.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { openBank, put } from "./lib/bank.mjs";
import { createDatabase, server } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const CLIENTS = Number(process.env.DURABLE_CLIENTS ?? 1000);
const PATIENCE_MS = 30_000;

const readiness = (gateway, pattern) =>
    until(async () => {
        const { status, body } = await gateway.get("/readyz");
        return status === 200 && pattern.test(body);
    }, `/readyz says ${pattern}`, PATIENCE_MS);

test("setup --remove needs the database's name, and then takes away all but the tables", { timeout: 60_000 }, async (t) => {
    const { database, gateways: [gateway] } = await openBank(t, { settings: [{}] });
    const { env } = database;
    await database.query("CREATE TABLE plain (id int PRIMARY KEY)");
    assert.equal((await put(gateway, "plain", { durable: false })).status, 201);
    const triggers = () => database.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'tuplecast:%'");
    const before = await triggers();
    for (const args of [["--remove"], ["--remove=another"], ["--remove="], ["--remove", "--dry-run"]]) {
        const { code, stdout, stderr } = await run(["setup", ...args], env);
        assert.equal(code, args.includes("--dry-run") ? 0 : 1, stderr);
        assert.match(stdout, /DROP TRIGGER "tuplecast:plain:.*" ON (public\.)?plain;/);
        assert.match(stdout, /DROP SCHEMA tuplecast CASCADE;/);
        if (!args.includes("--dry-run")) assert.match(stderr, new RegExp(`nothing was removed.*--remove=${database.name}`, "s"));
        assert.equal(await triggers(), before);
    }
    const { code, stderr } = await run(["setup", `--remove=${database.name}`], env);
    assert.equal(code, 0, stderr);
    assert.equal(await triggers(), "0");
    assert.equal(await database.value("SELECT to_regnamespace('tuplecast') IS NULL"), "t");
    await database.query("UPDATE accounts SET version = 5 WHERE id = 1");
    const again = await run(["setup", `--remove=${database.name}`], env);
    assert.match(again.stdout, /nothing of ours/);
    assert.equal((await run(["setup"], env)).code, 0, "it can be installed again");
});

test("/readyz says why there are no durable channels", { timeout: 90_000 }, async (t) => {
    const database = await createDatabase(t);
    const env = { ...database.env, TUPLECAST_CHANNELS: "*" };
    const bare = await startGateway(t, env);
    await readiness(bare, /^ok\nno durable channels: .*tuplecast setup/);
    assert.equal((await run(["setup"], env)).code, 0);
    await readiness(await startGateway(t, env), /^ok\n$/);
    await database.query("CREATE ROLE visitor LOGIN");
    t.after(() => database.query("DROP ROLE visitor").catch(() => {}));
    await readiness(await startGateway(t, { ...env, PGUSER: "visitor" }), /^ok\nno durable channels: the role of this gateway may not read the log: .*grant_gateway/);
    await readiness(await startGateway(t, { ...env, TUPLECAST_DURABLE_ORDER: "commit_timestamp" }), /^ok\nno durable channels: .*track_commit_timestamp = on/);
});

test("many clients that come back with one id cost a handful of queries", { timeout: 120_000 + 10 * CLIENTS }, async (t) => {
    const { database, gateways: [gateway] } = await openBank(t, { settings: [{ TUPLECAST_LIMITS_STREAMS: String(CLIENTS + 10) }] });
    const stream = await subscribe(t, gateway.stream("accounts_changes"));
    await database.query("UPDATE accounts SET version = 1 WHERE id = 1");
    const [{ id }] = await stream.messages(1);
    stream.close();
    for (let i = 2; i <= 6; i++) await database.query("UPDATE accounts SET version = $1", [i]);
    await gateway.restart();
    await gateway.ready();
    const rows = Number(await database.value("SELECT count(*) FROM accounts"));
    const MARK = '"table":"accounts"';
    let complete = 0;
    const broken = [];
    for (let i = 0; i < CLIENTS; i++) {
        const socket = net.connect(gateway.port, "127.0.0.1");
        t.after(() => socket.destroy());
        let events = 0;
        let rest = ""; // too short to hold a whole mark, but one may begin there
        socket.on("data", (bytes) => {
            const text = rest + bytes.toString("latin1");
            events += text.split(MARK).length - 1;
            rest = text.slice(1 - MARK.length);
            if (events === 5 * rows) complete++, (events = NaN);
        });
        socket.on("error", ({ code }) => broken.push(code));
        socket.write(`GET /streams/accounts_changes HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: ${id}\r\n\r\n`);
    }
    await until(() => complete === CLIENTS, () => `all clients have all events, ${complete} of ${CLIENTS}, ${broken.length} broken: ${[...new Set(broken)]}`, 60_000 + 10 * CLIENTS);
    const pages = await gateway.metric("tuplecast_durable_history_pages_total");
    t.diagnostic(`${pages} pages for ${CLIENTS} clients`);
    assert.ok(pages >= 1 && pages <= 5, `${pages} pages`);
});

test("with commit_timestamp, events come in the order of the commits, on each gateway under the same ids", { timeout: 120_000 }, async (t) => {
    const first = await createDatabase(t);
    await first.query("ALTER SYSTEM SET track_commit_timestamp = on");
    await first.end();
    t.after(async () => {
        await first.query("ALTER SYSTEM RESET track_commit_timestamp");
        await first.end();
        await server("restart");
    });
    await server("restart");
    const order = { TUPLECAST_DURABLE_ORDER: "commit_timestamp" };
    const { database, gateways } = await openBank(t, { settings: [order, order] });
    await database.query("ALTER TABLE accounts ADD COLUMN xid text");
    const streams = await Promise.all(gateways.map((gateway) => subscribe(t, gateway.stream("accounts_changes"))));
    // Writers that take their number early and commit late, or the other way round.
    await Promise.all(
        Array.from({ length: 8 }, async (_, writer) => {
            const client = await database.connect(t);
            for (let i = 0; i < 25; i++) {
                await client.query("BEGIN");
                await client.query("UPDATE accounts SET version = version + 1, xid = pg_current_xact_id()::text WHERE id = $1", [writer + 1]);
                await client.query("SELECT pg_sleep(random() * 0.01)");
                await client.query("COMMIT");
            }
        }),
    );
    const [events, others] = await Promise.all(streams.map((stream) => stream.messages(200, PATIENCE_MS)));
    assert.deepEqual(events.map(({ id }) => id), others.map(({ id }) => id));
    const xids = events.map(({ json }) => json.data.xid);
    const sorted = await database.query(
        "SELECT x FROM unnest($1::text[]) WITH ORDINALITY u (x, i) ORDER BY pg_xact_commit_timestamp(x::xid8::xid), i", [xids]);
    assert.deepEqual(xids, sorted.map(([xid]) => xid));
    assert.notDeepEqual(xids, [...xids].sort((a, b) => Number(a) - Number(b)), "the test can fail: the numbers' order is another one");
});
