// The lead of durable channels: another gateway takes over when it dies, and there are never two.

import assert from "node:assert/strict";
import path from "node:path";
import { describe, test } from "node:test";
import { lead, openBank } from "./lib/bank.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const SOCKET = path.join(process.env.PGHOST, `.s.PGSQL.${process.env.PGPORT}`);
const TAKEOVER_MS = 2000;
const PATIENCE_MS = 30_000;

describe("another gateway takes over within two seconds", () => {
    /** Each makes an end of the lead, and of what it was given by openBank. */
    const ends = {
        "when the lead is killed": (victim) => victim.kill(),
        "when it is frozen": (victim) => victim.signal("SIGSTOP"),
        "when it is cut off from the database": (_, relay) => relay.freeze(),
    };
    for (const [what, end] of Object.entries(ends))
        test(what, { timeout: 120_000 }, async (t) => {
            const took = [];
            // The machine may be busy with other things: one of three times will do.
            while (took.length < 3 && !took.some((ms) => ms <= TAKEOVER_MS)) {
                const relays = [await startCutter(t, SOCKET), await startCutter(t, SOCKET)];
                const { database, gateways } = await openBank(t, { settings: relays.map(({ port }) => ({ PGHOST: "127.0.0.1", PGPORT: String(port) })) });
                const victim = await lead(gateways);
                const other = gateways.find((gateway) => gateway !== victim);
                const stream = await subscribe(t, other.stream("accounts_changes"));
                const begin = performance.now();
                await end(victim, relays[gateways.indexOf(victim)]);
                // A change of now, which the old lead cannot tell of any more, arrives by the new one.
                await database.query("UPDATE accounts SET version = 1 WHERE id = 1");
                assert.equal(await lead([other], PATIENCE_MS), other);
                took.push(performance.now() - begin);
                assert.equal((await stream.messages(1, PATIENCE_MS))[0].json.data.version, 1);
            }
            t.diagnostic(`took over in ${took.map(Math.round).join(", ")} ms`);
            assert.ok(Math.min(...took) <= TAKEOVER_MS);
        });
});

test("signs of life that somebody forges do not keep a frozen lead in place", { timeout: 120_000 }, async (t) => {
    const { database, gateways } = await openBank(t);
    const victim = await lead(gateways);
    const other = gateways.find((gateway) => gateway !== victim);
    victim.signal("SIGSTOP");
    const forging = setInterval(() => {
        for (const payload of ["alive", "tick 1"]) database.notify("tuplecast", payload).catch(() => {});
    }, 50);
    t.after(() => clearInterval(forging));
    assert.equal(await lead([other], PATIENCE_MS), other);
});

test("of two leads only one can make a tick: the other's number is taken", { timeout: 60_000 }, async (t) => {
    const { database, gateways } = await openBank(t);
    for (const gateway of gateways) await gateway.kill();
    await until(async () => (await database.otherBackends()).length === 0, "the end of their sessions", PATIENCE_MS);
    await database.query("UPDATE accounts SET version = 1 WHERE id = 1");
    const last = await database.value("SELECT number FROM tuplecast.last_tick()");
    const [one, two] = await Promise.all([database.connect(t), database.connect(t)]);
    await one.query("BEGIN");
    assert.equal((await one.query("SELECT count FROM tuplecast.make_tick($1, 'causal')", [last])).rows[0].count, "1");
    const second = two.query("SELECT count FROM tuplecast.make_tick($1, 'causal')", [last]);
    await Promise.all([assert.rejects(second, { code: "23505" }), one.query("COMMIT")]);
    await assert.rejects(two.query("SELECT count FROM tuplecast.make_tick($1, 'causal')", [last]), { code: "23505" });
});

test("a lead that the database keeps busy is not replaced", { timeout: 120_000 }, async (t) => {
    const { database, gateways } = await openBank(t);
    const first = await lead(gateways);
    const other = gateways.find((gateway) => gateway !== first);
    const stream = await subscribe(t, other.stream("accounts_changes"));
    const holder = await database.connect(t);
    await holder.query("BEGIN; LOCK TABLE tuplecast.tick IN SHARE MODE");
    await database.query("UPDATE accounts SET version = 1 WHERE id = 1");
    const waited = `SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%make_tick%' AND wait_event_type = 'Lock' AND query_start < now() - interval '5 s'`;
    await until(async () => (await database.value(waited)) === "1", "a tick that has waited for five seconds", PATIENCE_MS);
    await holder.query("COMMIT");
    await stream.messages(1, PATIENCE_MS);
    assert.equal(await lead(gateways), first);
    assert.doesNotMatch(other.log, /role="lead"/);
});

test("streams go on without a gap, and without events of their own, while the lead changes again and again", { timeout: 120_000 }, async (t) => {
    const { database, gateways } = await openBank(t);
    const streams = await Promise.all(gateways.map((gateway) => subscribe(t, gateway.stream("accounts_changes"))));
    for (let version = 1; version <= 5; version++) {
        await database.query("SELECT pg_terminate_backend((SELECT session FROM tuplecast.find_lead()), 5000)");
        await database.query("UPDATE accounts SET version = $1 WHERE id = 1", [version]);
        for (const stream of streams) assert.equal((await stream.messages(1, PATIENCE_MS))[0].json.data.version, version);
        await lead(gateways);
    }
    assert.match(gateways.map(({ log }) => log).join(""), /database away session="\w+" reason="[^"]/, "the log says why");
});
