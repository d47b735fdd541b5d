// Durable channels that cannot be read, for whatever reason: their names outlive it, their streams say so, nothing that was committed is lost
// without a gap, nobody's NOTIFY takes the place of their events; and operators are told by /readyz, the metrics and the log, which session failed, and why.

import assert from "node:assert/strict";
import { test } from "node:test";
import { define, install, put } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { openStream, subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 60_000;
const LIMITS = { timeout: 180_000 };
const DOWN = { database: "up", durable: "down" };
const FORGED = JSON.stringify({ schema: "public", table: "posts", type: "INSERT", id: 666, data: { id: 666 } });

/** A database with a durable trigger on posts, and a gateway whose role has rights on the log, or not yet. */
async function open(t, { granted = true, env = {} } = {}) {
    const database = await createDatabase(t);
    const role = `poor_${database.name}`;
    await install(database);
    await database.query(`CREATE TABLE posts (id int PRIMARY KEY); DROP ROLE IF EXISTS ${role}; CREATE ROLE ${role} LOGIN`);
    await put(database, "posts", define("posts", { durable: true }));
    const grant = () => database.query(`SELECT tuplecast.grant_gateway('${role}')`);
    const revoke = () => database.query(`REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tuplecast FROM ${role}`);
    if (granted) await grant();
    const gateway = await startGateway(t, { ...database.env, PGUSER: role, ...env });
    await gateway.ready(PATIENCE_MS);
    const write = (...ids) => database.query(`INSERT INTO posts VALUES ${ids.map((id) => `(${id})`).join()}`);
    return { database, gateway, grant, revoke, write };
}

const saysDown = (stream) => stream.next(({ name, json }) => name === "status" && json.durable === "down", PATIENCE_MS);
const isUp = (gateway) => until(async () => (await gateway.metric("tuplecast_durable_up")) === 1, () => `durable channels are up; the log:\n${gateway.log}`, PATIENCE_MS);
/** All that is not a status or a ready: ids of rows and gaps. */
const told = (stream) =>
    stream.events.filter(({ name }) => name === "gap" || name === "message").map(({ name, json }) => (name === "gap" ? `gap ${json.reason}` : json.id));
const isTold = (stream, expected) => until(() => JSON.stringify(told(stream)) === JSON.stringify(expected), () => `${expected}; there is ${told(stream)}`, PATIENCE_MS);

test("rights that come late: no stream is ready before, no forged event passes, and what was written before arrives", LIMITS, async (t) => {
    const { database, gateway, grant, write } = await open(t, { granted: false });
    const stream = await openStream(t, gateway.stream("posts_changes"));
    assert.deepEqual((await saysDown(stream)).json, DOWN);
    await database.notify("posts_changes", FORGED);
    await write(1, 2);
    assert.deepEqual(stream.events.map(({ name }) => name), ["status"]);
    assert.match((await gateway.get("/readyz")).body, /^ok\nno durable channels: the role of this gateway may not read the log/);
    assert.equal(await gateway.metric('tuplecast_durable_fault{reason="rights"}'), 1);
    await grant();
    await stream.next(({ name }) => name === "ready", PATIENCE_MS);
    await write(3);
    await isTold(stream, [1, 2, 3]);
    await isUp(gateway);
    assert.equal(await gateway.metric('tuplecast_durable_fault{reason="rights"}'), 0);
    // Live channels are none of this.
    const chat = await subscribe(t, gateway.stream("chat"));
    await database.notify("chat", JSON.stringify({ n: 1 }));
    await chat.next(({ name }) => name === "message", PATIENCE_MS);
});

test("rights that are taken and given again: what was written meanwhile is replayed, and no forged event passes", LIMITS, async (t) => {
    const { database, gateway, grant, revoke, write } = await open(t);
    const stream = await subscribe(t, gateway.stream("posts_changes"));
    await write(1);
    await isTold(stream, [1]);
    await revoke();
    assert.deepEqual((await saysDown(stream)).json, DOWN);
    await write(2);
    await database.notify("posts_changes", FORGED);
    await until(async () => (await gateway.metric("tuplecast_notifications_ignored_total")) === 1, "it is counted", PATIENCE_MS);
    // Who comes meanwhile is told, too, and may resume later.
    const late = await openStream(t, gateway.stream("posts_changes"));
    assert.deepEqual((await saysDown(late)).json, DOWN);
    await database.notify("posts_changes", FORGED);
    await grant();
    await isTold(stream, [1, 2]);
    await until(() => stream.events.some(({ name, json }) => name === "status" && json.durable === "up"), "the end of it is told", PATIENCE_MS);
    await write(3);
    await isTold(stream, [1, 2, 3]);
    await until(() => told(late).includes(3), "the late one goes on, too", PATIENCE_MS);
    assert.equal([...gateway.log.matchAll(/notifications are ignored channel="posts_changes"/g)].length, 1, gateway.log);
});

test("a schema that is too old for a while: the same", LIMITS, async (t) => {
    const { database, gateway, write } = await open(t);
    const stream = await subscribe(t, gateway.stream("posts_changes"));
    await database.query("ALTER FUNCTION tuplecast.check_durable(text) RENAME TO check_durable_then; ALTER FUNCTION tuplecast.make_tick(bigint, text) RENAME TO make_tick_then");
    await saysDown(stream);
    await database.notify("posts_changes", FORGED);
    await write(1);
    const waits = await openStream(t, gateway.stream("posts_changes"));
    await saysDown(waits);
    assert.equal(await gateway.metric('tuplecast_durable_fault{reason="schema"}'), 1);
    await database.query("ALTER FUNCTION tuplecast.check_durable_then(text) RENAME TO check_durable; ALTER FUNCTION tuplecast.make_tick_then(bigint, text) RENAME TO make_tick");
    await isTold(stream, [1]);
});

test("a schema that has another name for a while: the same", LIMITS, async (t) => {
    const { database, gateway, write } = await open(t);
    const stream = await subscribe(t, gateway.stream("posts_changes"));
    await write(1);
    await isTold(stream, [1]);
    await database.query("ALTER SCHEMA tuplecast RENAME TO elsewhere");
    await saysDown(stream);
    await database.notify("posts_changes", FORGED);
    await database.query("ALTER SCHEMA elsewhere RENAME TO tuplecast");
    await write(2);
    await isTold(stream, [1, 2]);
    // When the triggers are gone as well, the channel is a live one.
    await database.query("SELECT tuplecast.drop_trigger('posts', NULL, false); DROP SCHEMA tuplecast CASCADE");
    await isTold(stream, [1, 2, "gap outage"]);
    await database.notify("posts_changes", FORGED);
    await isTold(stream, [1, 2, "gap outage", 666]);
});

test("a stranger's triggers with names like ours, without arguments too, keep no live stream from starting", LIMITS, async (t) => {
    const database = await createDatabase(t);
    await database.query(`CREATE SCHEMA own; CREATE TABLE own.t (id int); CREATE FUNCTION own.durable_1() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER "tuplecast:a:insert" AFTER INSERT ON own.t EXECUTE FUNCTION own.durable_1();
        CREATE TRIGGER "tuplecast:b:insert" AFTER INSERT ON own.t EXECUTE FUNCTION own.durable_1('chat')`);
    const gateway = await startGateway(t, database.env);
    const stream = await subscribe(t, gateway.stream("chat"));
    await database.notify("chat", JSON.stringify({ n: 1 }));
    await stream.next(({ name }) => name === "message", PATIENCE_MS);
});

test("ticks that cannot be made: the fault has a name, the server's reason is in the log alone, and its end is told", LIMITS, async (t) => {
    const { database, gateway, write } = await open(t);
    const stream = await subscribe(t, gateway.stream("posts_changes"));
    await write(1);
    await isTold(stream, [1]);
    await database.query("ALTER TABLE tuplecast.tick ADD CONSTRAINT secret_reason CHECK (false) NOT VALID");
    await write(2);
    await saysDown(stream);
    const { body } = await gateway.get("/readyz");
    assert.equal(body, "ok\nno durable channels: ticks cannot be made; the gateway's log says why\n");
    assert.equal(await gateway.metric('tuplecast_durable_fault{reason="ticks"}'), 1);
    assert.ok((await gateway.metric("tuplecast_durable_lag_seconds")) >= 5);
    assert.match(gateway.log, /session="ticks" reason="[^\n]*secret_reason/);
    await database.query("ALTER TABLE tuplecast.tick DROP CONSTRAINT secret_reason");
    await isTold(stream, [1, 2]);
    await isUp(gateway);
    assert.ok((await gateway.metric("tuplecast_durable_lag_seconds")) < 5);
    assert.equal((await gateway.get("/readyz")).body, "ok\n");
});

for (const [name, part, breaks, mends] of [
    ["reading", "reading", "ALTER FUNCTION tuplecast.read_events RENAME TO read_events_then", "ALTER FUNCTION tuplecast.read_events_then RENAME TO read_events"],
    ["retention", "retention", "ALTER FUNCTION tuplecast.retain RENAME TO retain_then", "ALTER FUNCTION tuplecast.retain_then RENAME TO retain"],
])
    test(`${name} that fails has a name on /readyz and in the metrics, until it works again`, LIMITS, async (t) => {
        const { database, gateway, write } = await open(t);
        const stream = await subscribe(t, gateway.stream("posts_changes"));
        await database.query(breaks);
        await write(1);
        await until(async () => (await gateway.metric(`tuplecast_durable_fault{reason="${part}"}`)) === 1, () => `${part}; the log:\n${gateway.log}`, PATIENCE_MS);
        assert.match((await gateway.get("/readyz")).body, new RegExp(`durable channels: .*${{ reading: "cannot be read", retention: "cannot be shortened" }[part]}`));
        await database.query(mends);
        await isTold(stream, [1]);
        await until(async () => (await gateway.metric(`tuplecast_durable_fault{reason="${part}"}`)) === 0, "the end of it", PATIENCE_MS);
        assert.equal((await gateway.get("/readyz")).body, "ok\n");
    });

test("history that cannot be read has a name, and who came back gets it when it can", LIMITS, async (t) => {
    const { database, gateway, write } = await open(t);
    await write(1, 2);
    const stream = await subscribe(t, gateway.stream("posts_changes"));
    await database.query("ALTER FUNCTION tuplecast.find_place RENAME TO find_place_then");
    const late = await openStream(t, gateway.stream("posts_changes", { from: "earliest" }));
    await until(async () => (await gateway.metric('tuplecast_durable_fault{reason="history"}')) === 1, () => `history; the log:\n${gateway.log}`, PATIENCE_MS);
    assert.match((await gateway.get("/readyz")).body, /^ok\ndurable channels: history cannot be read/);
    await write(3); // the others are served
    await until(() => told(stream).includes(3), "the live one is served", PATIENCE_MS);
    await database.query("ALTER FUNCTION tuplecast.find_place_then RENAME TO find_place");
    await isTold(late, [1, 2, 3]);
    await until(async () => (await gateway.metric('tuplecast_durable_fault{reason="history"}')) === 0, "the end of it", PATIENCE_MS);
});

test("on a public listener /readyz says that durable channels are unavailable, and no more", LIMITS, async (t) => {
    const { gateway } = await open(t, { granted: false, env: { TUPLECAST_MANAGEMENT_LISTEN: "127.0.0.1:0" } });
    await until(async () => (await gateway.get("/readyz")).body !== "ok\n", "a word of durable channels", PATIENCE_MS);
    assert.equal((await gateway.get("/readyz")).body, "ok\ndurable channels unavailable\n");
});

test("a session that the server ends: the log says which, and the server's reason, once", LIMITS, async (t) => {
    const { database, gateway } = await open(t);
    await isUp(gateway);
    await database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
    for (const session of ["listener", "ticks"]) {
        const line = new RegExp(`database away session="${session}" reason="(FATAL: +)?terminating connection due to administrator command"`, "g");
        await until(() => line.test(gateway.log), () => `${line}; the log:\n${gateway.log}`, PATIENCE_MS);
        assert.equal([...gateway.log.matchAll(new RegExp(line.source, "g"))].length, 1);
    }
    assert.doesNotMatch(gateway.log, /server closed the connection unexpectedly/);
    await isUp(gateway);
});

test("a channel that becomes durable, or ceases to be, while streams are open: they get a gap", LIMITS, async (t) => {
    const { database, gateway } = await open(t);
    await isUp(gateway);
    await database.query("CREATE TABLE notes (id int PRIMARY KEY)");
    await put(database, "notes", define("notes"));
    const stream = await subscribe(t, gateway.stream("notes_changes"));
    await database.query("INSERT INTO notes VALUES (1)");
    await isTold(stream, [1]);
    // By other ways than PUT, which refuses it.
    await database.query("SELECT tuplecast.drop_trigger('notes', NULL, false)");
    await put(database, "notes", define("notes", { durable: true }));
    await isTold(stream, [1, "gap outage"]);
    await database.query("INSERT INTO notes VALUES (2)");
    await isTold(stream, [1, "gap outage", 2]);
    await database.query("SELECT tuplecast.drop_trigger('notes', NULL, false)");
    await isTold(stream, [1, "gap outage", 2, "gap outage"]);
    await put(database, "notes", define("notes"));
    await database.query("INSERT INTO notes VALUES (3)");
    await isTold(stream, [1, "gap outage", 2, "gap outage", 3]);
});
