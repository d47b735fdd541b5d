// A database that fails over: two servers, of which one replicates the other, and both in the connection string. The primary crashes under load,
// is switched over, stands still, and comes back as it was. The gateway finds the new one within seconds. What committed synchronously is
// delivered on durable channels; what an asynchronous standby lacks is announced, and so is every gap of live channels.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { count, dice, knowsDurable, openBank, put, startOne, startReaders, Writers } from "./lib/bank.mjs";
import { proveNothingLostSilently } from "./lib/counter.mjs";
import { follow } from "./lib/follower.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { startFreshServer, startStandby } from "./lib/servers.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";
import { startWriter } from "./lib/writer.mjs";

const PATIENCE_MS = 60_000;
const LIMITS = { timeout: 240_000 };
const FAST = { TUPLECAST_PROBE_INTERVAL_MS: "500", TUPLECAST_PROBE_TIMEOUT_MS: "1500" };

/** Nobody says anything there: packets that would open a connection are dropped, because the queue is full. Resolves with its port. */
async function startHole(t) {
    const script = `
import socket, time
hole = socket.socket(); hole.bind(("127.0.0.1", 0)); hole.listen(0)
full = [socket.socket() for _ in range(8)]
for one in full: one.setblocking(False); one.connect_ex(hole.getsockname())
print(hole.getsockname()[1], flush=True); time.sleep(3600)`;
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "python3", "-c", script], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    return Number((await once(child.stdout, "data"))[0]);
}

/** Two servers, the second one a standby of the first; a database there that goes where `database.moveTo` says; and how a gateway names both. */
async function startPair(t) {
    const one = await startFreshServer(t);
    const control = one.database("postgres");
    await control.query("CREATE DATABASE app");
    await control.end();
    const two = await startStandby(t, one);
    const database = one.database("app");
    database.moveTo = async (server) => {
        await database.end();
        Object.assign(database.env, server.env);
    };
    t.after(() => database.end());
    return { one, two, database, settings: { TUPLECAST_DATABASE: `host=${one.dir},${two.dir} port=5432 user=postgres dbname=app`, ...FAST } };
}

/** An account's changes, one after the other, as a stream sees them: number `version` and nothing else. */
async function change(database, stream, version) {
    await until(() => database.query("UPDATE accounts SET version = $1 WHERE id = 1", [version]).then(() => true, () => false), "a change", PATIENCE_MS);
    const { json } = await stream.next("message", PATIENCE_MS);
    assert.equal(json.data.version, version);
}

const gapsOf = (stream) => stream.events.filter(({ name }) => name === "gap").map(({ json }) => json.reason);
/** Waits until the gateway has gone to these servers, one after the other. Its log comes by a pipe, later than what it answers. */
async function expectWay(gateway, servers, wanted) {
    const way = () => [...gateway.log.matchAll(/database up .*host="?([^" ]+)/g)].map(([, dir]) => servers.findIndex((server) => server.dir === dir));
    await until(() => way().length >= wanted.length, () => `the way ${wanted}, it is ${way()};\n${gateway.log}`, PATIENCE_MS);
    assert.deepEqual(way(), wanted);
}

test("a crash under load with a synchronous standby: durable channels lose nothing, live ones say what may be missing", LIMITS, async (t) => {
    const { one, two, database, settings } = await startPair(t);
    const { gateways } = await openBank(t, { database, settings: [settings, settings] });
    await database.createPosts();
    await one.synchronize(two);
    const random = dice(7);
    const readers = await startReaders(t, gateways, random);
    const live = await Promise.all(gateways.map((gateway) => follow(t, gateway.stream("posts_changes"))));
    const writers = new Writers(database, 7, 300);
    const posts = startWriter(t, database);
    await writers.reach(0.5);
    await one.stop();
    const crashed = performance.now();
    await database.moveTo(two);
    await two.promote();
    const promoted = performance.now();
    for (const gateway of gateways) await expectWay(gateway, [one, two], [0, 1]);
    for (const gateway of gateways) await gateway.ready(PATIENCE_MS);
    t.diagnostic(`promoted ${Math.round(promoted - crashed)} ms after the crash, found by both gateways ${Math.round(performance.now() - promoted)} ms after that`);
    await posts.more(20);
    await writers.done;
    await count(t, database, readers);
    const ids = await posts.stop();
    for (const follower of live) {
        await follower.number(ids.at(-1), PATIENCE_MS);
        const { delivered, missing } = proveNothingLostSilently(ids, follower.seen);
        assert.deepEqual(follower.gaps, ["outage"]);
        t.diagnostic(`live: ${delivered} delivered, ${missing} announced as missing`);
    }
});

test("switched over and back, and stopped without a word: the primary is found wherever it stands in the list", LIMITS, async (t) => {
    const { one, two, database, settings } = await startPair(t);
    const { gateways: [gateway] } = await openBank(t, { database, settings: [settings] });
    const stream = await subscribe(t, gateway.stream("accounts_changes"));
    await change(database, stream, 1);

    // A gateway that knows of the standby alone says what to do, and serves when that is promoted.
    const alone = await startGateway(t, { TUPLECAST_DATABASE: `host=${two.dir} port=5432 user=postgres dbname=app`, ...FAST });
    const word = /it is a standby.*name all servers/;
    await until(() => word.test(alone.log), () => `a word of the standby; ${alone.log}`, PATIENCE_MS);
    // The line may be that of another session than the one which decides whether the gateway is ready.
    let unready;
    await until(async () => word.test((unready = await alone.get("/readyz")).body), () => `the same from /readyz, which says ${unready.body}`, PATIENCE_MS);
    assert.equal(unready.status, 503);

    await two.caughtUp(database);
    await one.stop("SIGINT");
    await database.moveTo(two);
    await two.promote();
    await one.startAsStandbyOf(two);
    await change(database, stream, 2);
    await alone.ready(PATIENCE_MS);

    // The first one in the list is a standby now, and before it stands one that does not answer at all. So it is for `setup`, too.
    const port = await startHole(t);
    const list = { TUPLECAST_DATABASE: `host=127.0.0.1,${one.dir},${two.dir} port=${port},5432,5432 user=postgres dbname=app`, ...FAST };
    const late = await startOne(t, list);
    await expectWay(late, [one, two], [1]);
    const setup = await run(["setup"], { TUPLECAST_DATABASE: settings.TUPLECAST_DATABASE });
    assert.equal(setup.code, 0, setup.stderr);

    await one.caughtUp(database);
    await two.stop("SIGINT");
    await database.moveTo(one);
    await one.promote();
    await two.startAsStandbyOf(one);
    await change(database, stream, 3);
    await late.ready(PATIENCE_MS);
    await two.caughtUp(database);

    // It stands still: its connections stay as they are, and nobody is told.
    await database.moveTo(two);
    await one.freeze();
    await two.promote();
    const promoted = performance.now();
    await change(database, stream, 4);
    t.diagnostic(`an event came ${Math.round(performance.now() - promoted)} ms after the promotion, the old primary standing still`);
    assert.ok(performance.now() - promoted < 25_000, "ticks and history must not wait for their own time-outs");
    assert.deepEqual(gapsOf(stream), []);
    await expectWay(gateway, [one, two], [0, 1, 0, 1]);
    await gateway.ready(PATIENCE_MS);
});

test("a crash whose standby was behind is told as rewound; the old primary, back as it was, is not gone to as long as the new one answers", LIMITS, async (t) => {
    const { one, two, database, settings } = await startPair(t);
    const { gateways: [gateway] } = await openBank(t, { database, settings: [settings] });
    await database.createPosts("live");
    const stream = await subscribe(t, gateway.stream("accounts_changes"));
    const live = await subscribe(t, gateway.stream("live"));
    await change(database, stream, 1);
    await two.caughtUp(database);
    await two.cutOff();
    for (const version of [-2, -3]) await change(database, stream, version);
    await one.stop();
    await database.moveTo(two);
    await two.promote();
    await change(database, stream, 2);
    assert.deepEqual(gapsOf(stream), ["rewound"]);
    await live.next("gap", PATIENCE_MS);
    assert.deepEqual(gapsOf(live), ["outage"]);

    // Nobody has fenced it off: it takes writes, of which the new one knows nothing.
    await one.start();
    assert.ok(await database.terminateOthers());
    await change(database, stream, 3);
    await expectWay(gateway, [one, two], [0, 1, 1]);
    await two.stop();
    await database.moveTo(one);
    await stream.next("gap", PATIENCE_MS);
    await change(database, stream, 4);
    assert.deepEqual(gapsOf(stream), ["rewound", "rewound"]);
    await expectWay(gateway, [one, two], [0, 1, 1, 0]);
});
