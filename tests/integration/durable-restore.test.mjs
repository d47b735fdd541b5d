// Durable channels when the database is not what it was: a failover that lost the newest changes, and restored dumps. Who has an id of
// what is gone is told `rewound`; who has one of what is still there misses nothing.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { openBank, startOne } from "./lib/bank.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run } from "./lib/gateway.mjs";
import { CAN_UPGRADE, dump, noDump, startFreshServer, startStandby } from "./lib/servers.mjs";
import { subscribe } from "./lib/sse.mjs";

const PATIENCE_MS = 60_000;
const LIMITS = { timeout: 240_000 };
const SOCKET = ".s.PGSQL.5432";

/** Changes of a row, one after the other, as this stream sees them; resolves with the ids of their events. */
async function change(database, stream, versions) {
    const ids = [];
    for (const version of versions) {
        await database.query("UPDATE accounts SET version = $1 WHERE id = 1", [version]);
        const message = await stream.next(({ name }) => name !== "status", PATIENCE_MS);
        assert.equal(message.json.data?.version, version, message.raw);
        ids.push(message.id);
    }
    return ids;
}

const open = (t, gateway, id) => subscribe(t, gateway.stream("accounts_changes"), id && { headers: { "Last-Event-ID": id } });
const gapOf = (stream) => stream.events.find(({ name }) => name === "gap")?.json.reason;

/** Who comes back with an id that is kept gets what follows, `versions`, without a gap. */
async function missesNothing(t, gateway, id, versions) {
    const stream = await open(t, gateway, id);
    assert.deepEqual((await stream.messages(versions.length, PATIENCE_MS)).map(({ json }) => json.data.version), versions);
    assert.equal(gapOf(stream), undefined);
    stream.close();
}

test("after a failover that lost the newest changes, streams and clients that know of them are told, and go on", LIMITS, async (t) => {
    const relay = await startCutter(t, path.join(process.env.PGHOST, SOCKET));
    const { database, gateways: [gateway] } = await openBank(t, { settings: [{ PGHOST: "127.0.0.1", PGPORT: String(relay.port) }] });
    const standby = await startStandby(t);
    const stream = await open(t, gateway);
    const kept = await change(database, stream, [1, 2, 3]);
    await standby.caughtUp(database);
    await standby.cutOff();
    const lost = await change(database, stream, [-4, -5, -6]);
    await standby.promote();
    relay.lead(path.join(standby.dir, SOCKET));
    relay.cut();
    assert.equal((await stream.next("gap", PATIENCE_MS)).json.reason, "rewound");
    const after = standby.database(database.name);
    t.after(() => after.end());
    for (const id of [lost[0], lost[2]]) assert.equal(gapOf(await open(t, gateway, id)), "rewound");
    // New changes have the numbers of the lost ones.
    const ids = await change(after, stream, [4, 5, 6, 7]);
    assert.deepEqual(ids.slice(0, 3).map((id) => parseInt(id)), lost.map((id) => parseInt(id)));
    for (const id of lost) assert.equal(gapOf(await open(t, gateway, id)), "rewound");
    await missesNothing(t, gateway, kept[0], [2, 3, 4, 5, 6, 7]);
    await gateway.restart();
    await gateway.ready(PATIENCE_MS);
    for (const id of lost) assert.equal(gapOf(await open(t, gateway, id)), "rewound");
    await missesNothing(t, gateway, kept[0], [2, 3, 4, 5, 6, 7]);
    await missesNothing(t, gateway, kept[2], [4, 5, 6, 7]);
});

/** A dump of a channel with the versions 1 to 3, restored to `target`, and a gateway there; and ids of before the dump and after. */
async function restored(t, target) {
    const { database, gateways: [gateway] } = await openBank(t, { settings: [{}] });
    const stream = await open(t, gateway);
    const kept = await change(database, stream, [1, 2, 3]);
    const restore = await dump(database);
    const lost = await change(database, stream, [-4, -5, -6]);
    await gateway.stop();
    await restore(target);
    return { kept, lost, gateway: await startOne(t, target.env) };
}

test("after the restore of a dump to the same server, who has an id of before the dump misses nothing", { ...LIMITS, skip: noDump }, async (t) => {
    const target = await createDatabase(t);
    const { kept, lost, gateway } = await restored(t, target);
    const stream = await open(t, gateway);
    for (const id of lost) assert.equal(gapOf(await open(t, gateway, id)), "rewound");
    await change(target, stream, [4, 5]);
    for (const id of lost) assert.equal(gapOf(await open(t, gateway, id)), "rewound");
    await missesNothing(t, gateway, kept[1], [3, 4, 5]);
});

/** Who has an id of before the restore is told, whatever it was of; who has one of after it misses nothing. */
async function beganAnew(t, target, { kept, lost, gateway }) {
    const stream = await open(t, gateway);
    assert.equal(gapOf(await open(t, gateway, kept[1])), "expired");
    for (const id of [kept[2], ...lost]) assert.equal(gapOf(await open(t, gateway, id)), "rewound");
    const ids = await change(target, stream, [4, 5, 6]);
    for (const id of [kept[2], ...lost]) assert.equal(gapOf(await open(t, gateway, id)), "rewound");
    await missesNothing(t, gateway, ids[0], [5, 6]);
}

/** A database of a server of its own; `transactions` were counted there before. */
async function anotherServer(t, transactions = 0) {
    const server = await startFreshServer(t);
    const control = server.database("postgres");
    await control.query("CREATE ROLE tuplecast_owner NOLOGIN");
    await control.query("CREATE DATABASE app");
    await control.query("SET synchronous_commit = off");
    await control.query(`DO $$ BEGIN FOR i IN 1 .. ${transactions} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`);
    await control.end();
    const target = server.database("app");
    t.after(() => target.end());
    return { server, target };
}

test("after the restore of a dump to a younger server, everybody is told, and goes on", { ...LIMITS, skip: noDump }, async (t) => {
    const { target } = await anotherServer(t);
    await beganAnew(t, target, await restored(t, target));
});

test("after the restore of a dump to a server that has counted more transactions, everybody is told, and goes on", { ...LIMITS, skip: noDump }, async (t) => {
    const { target } = await anotherServer(t, 30_000);
    const result = await restored(t, target);
    assert.ok(Number(await target.value("SELECT pg_snapshot_xmax(pg_current_snapshot())")) > 30_000);
    await beganAnew(t, target, result);
});

test("after pg_upgrade, who has an id of before it misses nothing", { ...LIMITS, skip: !CAN_UPGRADE }, async (t) => {
    const { server, target } = await anotherServer(t);
    const { gateways: [gateway] } = await openBank(t, { database: target, settings: [{}] });
    const stream = await open(t, gateway);
    const ids = await change(target, stream, [1, 2, 3]);
    const identity = await target.value("SELECT system_identifier FROM pg_control_system()");
    await gateway.stop();
    await target.end();
    await server.upgrade();
    assert.notEqual(await target.value("SELECT system_identifier FROM pg_control_system()"), identity);
    await gateway.start();
    await gateway.ready(PATIENCE_MS);
    await missesNothing(t, gateway, ids[1], [3]);
    await target.query("UPDATE accounts SET version = 4 WHERE id = 1");
    await missesNothing(t, gateway, ids[0], [2, 3, 4]);
});

test("a log whose rows come from another server under a running lead begins anew, and everybody is told", LIMITS, async (t) => {
    const { target } = await anotherServer(t, 30_000);
    const { gateways: [gateway] } = await openBank(t, { database: target, settings: [{}] });
    const stream = await open(t, gateway);
    const ids = await change(target, stream, [1, 2]);
    // As if it had been copied there: the ticks are those of another server, and so is what they say.
    await target.query("BEGIN; LOCK TABLE tuplecast.tick; UPDATE tuplecast.tick SET server = server + 1; COMMIT");
    await target.query("UPDATE accounts SET version = 3 WHERE id = 1");
    assert.equal((await stream.next("gap", PATIENCE_MS)).json.reason, "rewound");
    for (const id of ids) assert.match(gapOf(await open(t, gateway, id)), /^(rewound|expired)$/);
    await change(target, stream, [4, 5]);
});

test("writers are not held up while a restored log waits for one of them to begin anew", LIMITS, async (t) => {
    const { target } = await anotherServer(t);
    assert.equal((await run(["setup"], target.env)).code, 0);
    await target.query(`INSERT INTO tuplecast.log (channel, head, id_json) VALUES ('a', '"schema":"public","table":"a","type":"INSERT","id":', '1')`);
    await target.query("UPDATE tuplecast.tick SET server = server + 1");
    const [writer, checker] = [await target.connect(t), await target.connect(t)];
    await writer.query("BEGIN; INSERT INTO tuplecast.log (channel, head, id_json) VALUES ('a', '', '1')");
    const check = checker.query("SELECT tuplecast.check_durable('causal')");
    let longest = 0;
    let ended = false;
    const refused = assert.rejects(check, { code: "55P03" }).then(() => (ended = true));
    while (!ended) {
        const begin = performance.now();
        await target.query("INSERT INTO tuplecast.log (channel, head, id_json) VALUES ('a', '', '1')");
        longest = Math.max(longest, performance.now() - begin);
    }
    await refused;
    t.diagnostic(`a writer waited ${longest.toFixed(1)} ms at the longest`);
    assert.ok(longest < 500, "20 ms, and what a busy machine adds");
    await writer.query("COMMIT");
    assert.equal((await checker.query("SELECT tuplecast.check_durable('causal') AS problem")).rows[0].problem, null);
    assert.equal(await target.value("SELECT count(*) FROM tuplecast.log"), "0");
});
