// Three gateways on one database behind HAProxy, with the configuration of etc/: one is killed, one stands still, all are
// rolled, under load. A durable channel loses nothing, and a live one nothing without saying so. TUPLECAST_REPLICA_CLIENTS says how many
// clients, 40 by default.

import assert from "node:assert/strict";
import { test } from "node:test";
import { proveNothingLostSilently } from "./lib/counter.mjs";
import { createDatabase } from "./lib/database.mjs";
import { follow } from "./lib/follower.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { startHaproxy } from "./lib/haproxy.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const CLIENTS = Number(process.env.TUPLECAST_REPLICA_CLIENTS ?? 40);
const TOKEN = "0123456789abcdef0123456789abcdef";
const WAIT_MS = 60_000;

/** A row every 20 ms, in the order of ids. */
function startWriter(database) {
    const writer = { count: 0, stopped: false };
    const running = (async () => {
        while (!writer.stopped) {
            await database.query("INSERT INTO posts (title) VALUES ('written')");
            writer.count++;
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
    })();
    writer.more = (count) => {
        const wanted = writer.count + count;
        return until(() => writer.count >= wanted, `${count} more rows`, WAIT_MS);
    };
    writer.stop = async () => {
        writer.stopped = true;
        await running;
        return (await database.query("SELECT id FROM posts ORDER BY id")).map(([id]) => Number(id));
    };
    return writer;
}

const streamsOf = (gateways) => Promise.all(gateways.map((gateway) => (gateway.running ? gateway.metric("tuplecast_streams") : 0)));

test("killed, frozen and rolled under load: a durable channel loses nothing, and streams find another gateway", async (t) => {
    const database = await createDatabase(t);
    const env = {
        ...database.env,
        TUPLECAST_TRIGGERS_TOKEN: TOKEN,
        TUPLECAST_STREAMS_RETRY_MS: "500",
        TUPLECAST_STREAMS_CLOSE_MS: "500",
        TUPLECAST_TRUSTED_PROXIES: "127.0.0.1",
    };
    const setup = await run(["setup"], env);
    assert.equal(setup.code, 0, setup.stderr);
    await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
    const gateways = [];
    while (gateways.length < 3) gateways.push(await startGateway(t, env));
    for (const gateway of gateways) await gateway.ready(WAIT_MS);
    const put = await gateways[0].get("/triggers/posts", {
        method: "PUT",
        headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
        body: JSON.stringify({ table: "posts", durable: true }),
    });
    assert.equal(put.status, 201, put.body);
    for (const gateway of gateways)
        await until(
            async () => {
                const stream = await subscribe(t, gateway.stream("posts_changes"));
                const { items } = JSON.parse((await gateway.get("/channels")).body);
                stream.close();
                return items.some(({ channel, durable }) => channel === "posts_changes" && durable);
            },
            "the channel is durable",
            WAIT_MS,
        );
    await database.createClassicTrigger("posts", "live");
    const front = await startHaproxy(t, gateways, WAIT_MS);
    const followers = [];
    while (followers.length < CLIENTS) {
        const portion = Array.from({ length: Math.min(100, CLIENTS - followers.length) }, () => follow(t, front.stream("posts_changes"), (json) => json.id));
        followers.push(...(await Promise.all(portion)));
    }
    const live = await Promise.all(Array.from({ length: 12 }, () => follow(t, front.stream("live"), (json) => json.id)));
    t.diagnostic(`streams at first: ${await streamsOf(gateways)}`);
    const writer = startWriter(database);
    t.after(() => (writer.stopped = true));
    const all = async (among) => (await streamsOf(among)).reduce((sum, count) => sum + count, 0) >= CLIENTS + live.length;
    const move = async (what, among) => {
        const from = performance.now();
        await until(() => all(among), async () => `all streams on the others after ${what}: ${await streamsOf(among)}`, WAIT_MS);
        t.diagnostic(`${what}: all streams are elsewhere after ${Math.round(performance.now() - from)} ms: ${await streamsOf(among)}`);
        await writer.more(20);
    };

    await writer.more(20);
    await gateways[0].kill();
    await move("a kill", gateways.slice(1));
    await gateways[0].start();
    await gateways[0].ready(WAIT_MS);

    gateways[1].signal("SIGSTOP");
    try {
        await move("a standstill", [gateways[0], gateways[2]]);
    } finally {
        gateways[1].signal("SIGCONT");
    }

    for (const gateway of gateways) {
        await gateway.stop();
        await move("a stop", gateways.filter((other) => other !== gateway));
        await gateway.start();
        await gateway.ready(WAIT_MS);
    }
    const ids = await writer.stop();
    for (const follower of followers) {
        await follower.number(ids.at(-1), WAIT_MS);
        // Who came before the first row sees all of them.
        assert.deepEqual(follower.seen, ids);
        assert.deepEqual(follower.gaps, []);
    }
    t.diagnostic(`${ids.length} rows to each of ${CLIENTS} clients, none lost, doubled or out of order`);
    const sums = { delivered: 0, missing: 0, gaps: 0 };
    for (const follower of live) {
        await follower.number(ids.at(-1), WAIT_MS);
        for (const [name, value] of Object.entries(proveNothingLostSilently(ids, follower.seen))) sums[name] += value;
        // Whoever came to another gateway was told: its ids are others.
        assert.ok(follower.gaps.length > 0 && follower.gaps.every((reason) => reason === "restart" || reason === "outage"), String(follower.gaps));
    }
    t.diagnostic(`live: ${live.length} clients had ${sums.delivered} rows, and ${sums.gaps} gaps in which ${sums.missing} were missing`);
});
