// Things that go wrong while clients are connected and changes go on. Whatever it is: every change is delivered once and in
// order, or a gap is announced where it is missing. Counted, for each client.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { proveNothingLostSilently } from "./lib/counter.mjs";
import { createDatabase, server } from "./lib/database.mjs";
import { follow } from "./lib/follower.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { openStream } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";
import { startWriter } from "./lib/writer.mjs";

const CLIENTS = 10;
const DELIVERED_MIN = 20;

/** Clients that follow `posts_changes` while rows are written to `posts`. */
async function setUp(t, env = {}) {
    const database = await createDatabase(t);
    await database.createPosts();
    const gateway = await startGateway(t, { ...database.env, ...env });
    await gateway.ready();
    const followers = await Promise.all(Array.from({ length: CLIENTS }, () => follow(t, gateway.stream("posts_changes"))));
    const writer = startWriter(t, database);
    await writer.more(DELIVERED_MIN);
    for (const follower of followers)
        await follower.until(() => follower.seen.filter((item) => typeof item === "number").length >= DELIVERED_MIN || undefined, "the first rows", 20_000);

    /** Waits until all clients saw the last row, and counts. Returns one client's result, and the reasons of all gaps. */
    const count = async () => {
        const committed = await writer.stop();
        const results = [];
        for (const follower of followers) {
            await follower.number(committed.at(-1));
            results.push(proveNothingLostSilently(committed, follower.seen));
        }
        const summary = { committed: committed.length, ...results[0], reasons: [...new Set(followers.flatMap((follower) => follower.gaps))] };
        t.diagnostic(JSON.stringify(summary));
        assert.ok(summary.delivered >= DELIVERED_MIN);
        return summary;
    };
    /** Waits until all clients were told of an outage and of its end. */
    const outageSeen = async (times = 1) => {
        for (const follower of followers)
            await follower.until(
                () => follower.events.filter((event) => event.name === "status" && event.json.database === "up").length >= times || undefined,
                "status: up",
                20_000,
            );
    };
    return { database, gateway, followers, writer, count, outageSeen };
}

describe("when the database goes away and comes back", () => {
    for (const [action, what] of [
        ["restart", "a restart that says goodbye"],
        ["immediate", "a crash"],
    ]) {
        test(`by ${what}, nothing is lost silently`, async (t) => {
            const { followers, writer, count, outageSeen } = await setUp(t);
            await server(action);
            await outageSeen();
            await writer.more(20);
            const { reasons } = await count();
            assert.deepEqual(reasons, ["outage"]);
            for (const follower of followers) assert.equal(follower.connections, 1, "the clients stayed connected");
        });
    }

    test("only for the gateway, by pg_terminate_backend, again and again, nothing is lost silently", async (t) => {
        const { database, followers, writer, count, outageSeen } = await setUp(t);
        for (let times = 1; times <= 5; times++) {
            // By a connection of its own: the writer's goes on.
            const killer = await database.connect(t);
            const { rowCount } = await killer.query(
                `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND query ILIKE '%listen%' AND pid <> pg_backend_pid()`,
            );
            await killer.end();
            // Where the last statement was not a LISTEN, any other connection that is not the writer's.
            if (rowCount === 0) await database.terminateOthers();
            await outageSeen(times);
            await writer.more(10);
        }
        const { missing, reasons } = await count();
        assert.deepEqual(reasons, ["outage"]);
        assert.ok(missing > 0, "some were committed while nobody listened");
        for (const follower of followers) assert.equal(follower.connections, 1);
    });

    test("by freezing, that is noticed within 10 s, and after more than 10 s all goes on", async (t) => {
        const { gateway, followers, writer, count, outageSeen } = await setUp(t);
        t.after(() => server("thaw"));
        const from = performance.now();
        await server("freeze");
        await followers[0].until(
            () => followers[0].events.some((event) => event.name === "status" && event.json.database === "down") || undefined,
            "status: down",
            10_000,
        );
        t.diagnostic(`noticed after ${Math.round(performance.now() - from)} ms`);
        assert.equal((await gateway.get("/readyz")).status, 503);
        await until(() => performance.now() - from > 10_500, "10 s of frost", 12_000);
        assert.equal((await gateway.get("/livez")).status, 200);
        await server("thaw");
        await outageSeen();
        await writer.more(20);
        const { reasons } = await count();
        assert.deepEqual(reasons, ["outage"]);
        for (const follower of followers) assert.equal(follower.connections, 1);
    });

    test("a client that comes meanwhile gets 200 and status: down at once, and ready when it is back", async (t) => {
        const { database, gateway, writer, followers } = await setUp(t);
        await writer.stop();
        await server("stop");
        t.after(() => server("start").catch(() => {}));
        await followers[0].event("status");
        const stream = await openStream(t, gateway.stream("posts_changes"));
        assert.deepEqual((await stream.next()).json, { database: "down" });
        const unheard = await openStream(t, gateway.stream("another_channel"));
        assert.deepEqual((await unheard.next()).json, { database: "down" });
        assert.equal((await gateway.get("/readyz")).status, 503);
        assert.equal((await gateway.get("/livez")).status, 200);
        await server("start");
        const ready = await stream.next("ready", 20_000);
        assert.equal(ready.json.database, "up");
        await unheard.next("ready");
        await until(() => database.query("INSERT INTO posts (title) VALUES ('back')").then(() => true, () => false), "a row");
        await stream.next("message");
        await database.notify("another_channel", "1");
        await unheard.next("message");
    });

    test("a gateway started while it is away waits for it, and serves when it is there", async (t) => {
        const database = await createDatabase(t);
        await database.end();
        await server("stop");
        t.after(() => server("start").catch(() => {}));
        const gateway = await startGateway(t, database.env);
        const stream = await openStream(t, gateway.stream("late"));
        assert.deepEqual((await stream.next()).json, { database: "down" });
        await server("start");
        await stream.next("ready", 20_000);
        await database.notify("late", "1");
        await stream.next("message");
    });
});

describe("when the gateway", () => {
    test("is stopped and started, every client comes back and nothing is lost silently", async (t) => {
        const { gateway, followers, writer, count } = await setUp(t);
        for (let times = 1; times <= 3; times++) {
            await gateway.stop();
            await writer.more(10);
            await gateway.start();
            for (const follower of followers)
                await follower.until(() => follower.events.filter((event) => event.name === "ready").length > times || undefined, "ready again");
            await writer.more(10);
        }
        const { missing, reasons } = await count();
        assert.deepEqual(reasons, ["restart"]);
        assert.ok(missing > 0, "some were committed while it was away");
        for (const follower of followers) assert.equal(follower.events.filter((event) => event.name === "bye").length, 3);
    });

    test("is killed and started, every client comes back and nothing is lost silently", async (t) => {
        const { gateway, followers, writer, count } = await setUp(t);
        await gateway.kill();
        await writer.more(10);
        await gateway.start();
        for (const follower of followers)
            await follower.until(() => follower.events.filter((event) => event.name === "ready").length > 1 || undefined, "ready again");
        await writer.more(10);
        const { missing, reasons } = await count();
        assert.deepEqual(reasons, ["restart"]);
        assert.ok(missing > 0, "some were committed while it was away");
    });
});

test("when clients lose their connections again and again, all of it is delivered: no gap", async (t) => {
    const { followers, writer, count } = await setUp(t);
    for (let round = 0; round < 10; round++) {
        const some = followers.filter((_, i) => i % 2 === round % 2).map((follower) => ({ follower, before: follower.connections }));
        for (const { follower } of some) follower.cut();
        await writer.more(10);
        for (const { follower, before } of some) await follower.until(() => follower.connections > before || undefined, "to be back");
    }
    const { missing, reasons } = await count();
    assert.deepEqual([missing, reasons], [0, []]);
    for (const follower of followers) assert.equal(follower.connections, 6);
});

test("a client that does not read costs the others nothing, and is told of what it missed when it reads again", async (t) => {
    const { database, followers, writer, gateway, count } = await setUp(t, {
        TUPLECAST_LIMITS_SEND_BUFFER_BYTES: "4096",
        TUPLECAST_LIMITS_CHANNEL_MEMORY_BYTES: "524288",
        TUPLECAST_LIMITS_FEED_LOG_BYTES: "131072",
    });
    const sleeper = await follow(t, gateway.stream("posts_changes"));
    await sleeper.until(() => sleeper.seen.length > 0 || undefined, "a first row");
    sleeper.pause();
    // In all far more than the kernel and the gateway's memory hold, but never more than a reader can be behind.
    for (let i = 0; i < 25; i++) {
        const rows = await database.query("INSERT INTO posts (title) SELECT repeat('x', 7000) FROM generate_series(1, 30) RETURNING id");
        for (const follower of followers) await follower.number(Number(rows.at(-1)[0]));
    }
    await writer.more(10);
    const { missing, reasons } = await count();
    assert.deepEqual([missing, reasons], [0, []], "the others got everything");
    for (const follower of followers) assert.equal(follower.connections, 1);
    sleeper.resume();
    const committed = (await database.query("SELECT id FROM posts ORDER BY id")).map(([id]) => Number(id));
    await sleeper.number(committed.at(-1));
    // It joined late: what came before its first row was never promised to it.
    const result = proveNothingLostSilently(committed.slice(committed.indexOf(sleeper.seen[0])), sleeper.seen);
    t.diagnostic(JSON.stringify({ ...result, reasons: sleeper.gaps, connections: sleeper.connections }));
    assert.ok(result.missing > 0);
    assert.ok(sleeper.gaps.every((reason) => ["lagged", "expired"].includes(reason)), sleeper.gaps.join(" "));
});
