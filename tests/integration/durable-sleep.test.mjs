// The lead of durable channels while little happens: what keeps it awake, what wakes it, and what strangers can do to it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { lead, openBank } from "./lib/bank.mjs";
import { createDatabase } from "./lib/database.mjs";
import { startFreshServer } from "./lib/servers.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 60_000;
const LIMITS = { timeout: 120_000 };
const WINDOW_MS = 5000;

const asleep = (database) => database.value("SELECT last_value FROM tuplecast.lead_asleep");
const sleeps = (database) => until(async () => (await asleep(database)) === "2", "that the lead falls asleep", PATIENCE_MS);

/** A writer whose change is not committed, and who found the lead awake. */
async function openWriter(t, database, version) {
    const writer = await database.connect(t);
    const wrote = async () => {
        await database.query("UPDATE orders SET version = version + 1 WHERE id = 1");
        await until(async () => (await asleep(database)) === "1", "that the lead is awake", PATIENCE_MS);
        await writer.query(`BEGIN; UPDATE accounts SET version = ${version} WHERE id = 1`);
        if ((await asleep(database)) === "1") return true;
        await writer.query("ROLLBACK");
    };
    await until(wrote, "a change while the lead is awake", PATIENCE_MS);
    return writer;
}

/** How many ticks are asked for in a window, in the server's log. The database must log its statements. */
/** How many ticks in WINDOW_MS, measured over about that time. */
async function ticksInWindow() {
    const log = path.join(process.env.TUPLECAST_TEST_PGDATA, "../postgres.log");
    const asked = async () => {
        const at = performance.now();
        return [(await readFile(log, "utf8")).split("\n").filter((line) => /LOG: {2}execute.*make_tick/.test(line)).length, at];
    };
    const [before, from] = await asked();
    await new Promise((resolve) => setTimeout(resolve, WINDOW_MS)); // a window, not a wait
    const [after, until] = await asked();
    return Math.round(((after - before) * WINDOW_MS) / (until - from));
}

async function openLoggedBank(t) {
    const database = await createDatabase(t);
    await database.query(`ALTER DATABASE ${database.name} SET log_statement = 'all'`);
    await database.end();
    return openBank(t, { database, settings: [{}] });
}

/** A client of a role that may connect, and nothing else. */
async function connectStranger(t, database) {
    await database.query("DO $$ BEGIN CREATE ROLE stranger LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$");
    const client = await database.connect(t);
    await client.query("SET SESSION AUTHORIZATION stranger");
    return client;
}

test("a writer that stays open without doing anything costs five ticks a second at most, and its change arrives", LIMITS, async (t) => {
    const { database, gateways: [gateway] } = await openLoggedBank(t);
    const stream = await subscribe(t, gateway.stream("accounts_changes"));
    const writer = await openWriter(t, database, 1);
    await sleeps(database);
    const ticks = await ticksInWindow();
    t.diagnostic(`${ticks} ticks in ${WINDOW_MS} ms`);
    assert.ok(ticks <= (5 * WINDOW_MS) / 1000 + 5, `${ticks} ticks in ${WINDOW_MS} ms`);
    assert.ok(ticks >= (2 * WINDOW_MS) / 1000, "it waits for the writer, who will not wake it");
    // It did not know that the lead would be asleep, and sends no notification.
    await writer.query("COMMIT");
    assert.equal((await stream.messages(1, PATIENCE_MS))[0].json.data.version, 1);
    // Nor does another one that found it asleep hide it.
    await writer.query("BEGIN; UPDATE accounts SET version = 2 WHERE id = 1");
    await database.query("UPDATE accounts SET version = 1 WHERE id = 2");
    assert.equal((await stream.messages(1, PATIENCE_MS))[0].json.id, 2);
    await sleeps(database);
    await writer.query("COMMIT");
    assert.equal((await stream.messages(1, PATIENCE_MS))[0].json.data.version, 2);
});

test("whoever can only connect neither stops nor delays the ticks by locks, sequences and notifications, nor makes them many", LIMITS, async (t) => {
    const { database, gateways: [gateway] } = await openLoggedBank(t);
    const stream = await subscribe(t, gateway.stream("accounts_changes"));
    const stranger = await connectStranger(t, database);
    for (const key of [1, 2]) await stranger.query("SELECT pg_advisory_lock(1953853548, $1)", [key]);
    for (const sql of ["SELECT setval('tuplecast.lead_lease', 1)", "SELECT nextval('tuplecast.lead_asleep')", "SELECT pg_sequence_last_value('tuplecast.lead_asleep'), 1 / 0",
        "SELECT tuplecast.claim_lead(0)", "SELECT tuplecast.take_over(0)", "SELECT tuplecast.renew_lead()", "SELECT tuplecast.fall_asleep()", "SELECT tuplecast.wake_up()",
        "SELECT tuplecast.resign_lead()", "SELECT * FROM tuplecast.find_lead()", "BEGIN; LOCK TABLE tuplecast.state IN SHARE UPDATE EXCLUSIVE MODE",
        "ROLLBACK; SELECT * FROM tuplecast.state FOR UPDATE", "SELECT pg_terminate_backend((SELECT pid FROM pg_stat_activity WHERE usename = 'postgres' AND datname = current_database() LIMIT 1))"])
        await assert.rejects(stranger.query(sql), ({ code }) => ["42501", "22012"].includes(code), sql);
    let on = true;
    let sent = 0;
    const flooding = (async () => {
        for (; on; sent += 5) await stranger.query("SELECT pg_notify('tuplecast', p) FROM unnest('{wake,alive,lead,triggers,tick 7}'::text[]) p");
    })();
    for (let version = 1; version <= 10; version++) {
        await database.query("UPDATE accounts SET version = $1 WHERE id = 1", [version]);
        assert.equal((await stream.messages(1, PATIENCE_MS))[0].json.data.version, version);
    }
    // Streams begin all the same.
    const late = await subscribe(t, gateway.stream("orders_changes"));
    await database.query("UPDATE orders SET version = 1 WHERE id = 1");
    await late.messages(1, PATIENCE_MS);
    const ticks = await ticksInWindow();
    on = false;
    await flooding;
    t.diagnostic(`${sent} notifications; ${ticks} ticks in ${WINDOW_MS} ms`);
    assert.ok(ticks <= (60 * WINDOW_MS) / 1000, `${ticks} ticks in ${WINDOW_MS} ms`);
    assert.equal(gateway.log.match(/role="lead"/g).length, 1);
});

test("where transactions can be prepared, a writer of a durable table can prepare its own, and the change arrives", LIMITS, async (t) => {
    const server = await startFreshServer(t, { settings: { max_prepared_transactions: 5 } });
    const control = server.database("postgres");
    await control.query("CREATE DATABASE app");
    await control.end();
    const database = server.database("app");
    t.after(() => database.end());
    const { gateways: [gateway] } = await openBank(t, { database, settings: [{}] });
    const stream = await subscribe(t, gateway.stream("accounts_changes"));
    const writer = await database.connect(t);
    for (let version = 1; version <= 3; version++) {
        await new Promise((resolve) => setTimeout(resolve, 500)); // as long as a lead would need to fall asleep
        await writer.query("BEGIN");
        await writer.query("UPDATE accounts SET version = $1 WHERE id = 1", [version]);
        await writer.query("PREPARE TRANSACTION 'p'");
        await writer.query("COMMIT PREPARED 'p'");
        assert.equal((await stream.messages(1, PATIENCE_MS))[0].json.data.version, version);
    }
    assert.equal(await asleep(database), "1");
});

test("a gateway that stops gives the lead up, and another one takes it", LIMITS, async (t) => {
    const { database, gateways } = await openBank(t);
    const first = await lead(gateways);
    const other = gateways.find((gateway) => gateway !== first);
    await first.stop();
    assert.equal(await lead([other], PATIENCE_MS), other);
    assert.doesNotMatch(other.log, /gave no sign of life/);
    await other.stop();
    await until(async () => (await database.value("SELECT is_gone FROM tuplecast.find_lead()")) === "t", "that nobody has the lead", PATIENCE_MS);
});

test("the lead is awake after another one slept, whatever became of that", LIMITS, async (t) => {
    const { database, gateways } = await openBank(t);
    for (let version = 1; version <= 3; version++) {
        const first = await lead(gateways, PATIENCE_MS);
        const stream = await subscribe(t, first.stream("accounts_changes"));
        await sleeps(database);
        await database.query("SELECT pg_terminate_backend((SELECT session FROM tuplecast.find_lead()), 5000)");
        await database.query("UPDATE accounts SET version = $1 WHERE id = 1", [version]);
        assert.equal((await stream.messages(1, PATIENCE_MS))[0].json.data.version, version);
        stream.close();
    }
});
