// Under a service manager: sockets that are passed, readiness, the watchdog, reloads and restarts; and what signals do.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { follow } from "./lib/follower.mjs";
import { freePort, Gateway, run, startGateway } from "./lib/gateway.mjs";
import { knock } from "./lib/knock.mjs";
import { whileStopped } from "./lib/proc.mjs";
import { startService } from "./lib/service_manager.mjs";
import { request, subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";
import { startWriter } from "./lib/writer.mjs";

const DEADLINE_MS = 30_000;
const BINARY = process.env.TUPLECAST_BIN;

async function serviceWithDatabase(t, env = {}, options = {}) {
    const database = await createDatabase(t);
    const service = await startService(t, { ...database.env, ...env }, options);
    await service.gateway.ready(DEADLINE_MS);
    return { database, ...service };
}

function configurationFile(t, text) {
    const dir = mkdtempSync(join(tmpdir(), "tuplecast-service-"));
    t.after(() => rmSync(dir, { recursive: true }));
    const path = join(dir, "tuplecast.conf");
    writeFileSync(path, text);
    return path;
}

/** Connections that nobody has accepted yet. */
function queued(port) {
    const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1);
    const hex = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    const listening = rows.map((row) => row.trim().split(/\s+/)).find(([, local, , state]) => local === hex && state === "0A");
    return listening ? parseInt(listening[4].split(":")[1], 16) : 0;
}

describe("a socket that was passed", () => {
    test("is served by systemd-socket-activate's program, and is told in the log", async (t) => {
        const port = await freePort();
        const child = spawn("setpriv", ["--pdeathsig", "KILL", "systemd-socket-activate", "--listen", `127.0.0.1:${port}`, BINARY], {
            env: { ...process.env, TUPLECAST_LISTEN: "127.0.0.1:9", TUPLECAST_CHANNELS: "*", PGHOST: "/nonexistent" },
            stdio: ["ignore", "ignore", "pipe"],
        });
        let log = "";
        child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
        t.after(() => child.kill("SIGKILL"));
        await until(() => /Listening on/.test(log), () => `the socket; ${log}`, DEADLINE_MS);
        const response = await request(`http://127.0.0.1:${port}/livez`);
        assert.equal(response.status, 200);
        await until(() => log.includes(`address="127.0.0.1:${port}"`), () => `the address; ${log}`, DEADLINE_MS);
        const ended = new Promise((resolve) => child.on("close", resolve));
        child.kill("SIGTERM");
        assert.equal(await ended, 0);
    });

    test("may be a Unix socket, whose file is left alone", async (t) => {
        const dir = mkdtempSync(join(tmpdir(), "tuplecast-service-"));
        t.after(() => rmSync(dir, { recursive: true }));
        const address = join(dir, "socket");
        const { manager } = await startService(t, { PGHOST: "/nonexistent" }, { address });
        const ask = () =>
            new Promise((resolve, reject) => {
                http.get({ socketPath: address, path: "/livez" }, (response) => resolve(response.resume().statusCode)).on("error", reject);
            });
        assert.equal(await ask(), 200);
        await manager.restart();
        assert.equal(await ask(), 200);
    });

    test("must listen: otherwise the program says what to do and exits with 78", async () => {
        const env = { LISTEN_FDS: "1", TUPLECAST_CHANNELS: "*" };
        const script = 'LISTEN_PID=$$ exec "$0" serve 3</dev/null';
        const child = spawn("sh", ["-c", script, BINARY], { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
        let log = "";
        child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
        assert.equal(await new Promise((resolve) => child.on("close", resolve)), 78);
        assert.match(log, /ListenStream=/);
    });

    test("is not taken when it was meant for another process", async (t) => {
        const gateway = await startGateway(t, { PGHOST: "/nonexistent", LISTEN_PID: "1", LISTEN_FDS: "1" });
        assert.equal((await gateway.get("/livez")).status, 200);
    });
});

describe("the service manager", () => {
    test("hears of readiness, of reloads, and of the end and how long it may take", async (t) => {
        const { manager } = await serviceWithDatabase(t, { TUPLECAST_STREAMS_CLOSE_MS: "3000", TUPLECAST_STREAMS_DRAIN_MS: "4000" });
        const ready = await manager.said("READY", "1");
        assert.match(ready.STATUS, /^\d+ streams, \d+ channels, database (up|down)$/);
        const from = manager.events.length;
        manager.signal("SIGHUP");
        const reloading = await manager.said("RELOADING", "1", from);
        assert.match(reloading.MONOTONIC_USEC, /^\d+$/);
        await manager.said("READY", "1", from);
        assert.equal(await manager.stop(), 0);
        const stopping = await manager.said("STOPPING", "1");
        assert.equal(stopping.EXTEND_TIMEOUT_USEC, "7000000");
    });

    test("is fed while the loop turns, and only then", async (t) => {
        const { manager } = await startService(t, { PGHOST: "/nonexistent", WATCHDOG_USEC: "400000" });
        const heard = () => manager.events.filter((event) => event.said?.WATCHDOG === "1").length;
        await until(() => heard() >= 3, "three signs of life", DEADLINE_MS);
        const pid = manager.events.find((event) => "started" in event).started;
        const before = await whileStopped({ pid, signal: (name) => process.kill(pid, name) }, async () => {
            const count = heard();
            const from = performance.now();
            await until(() => performance.now() - from > 1000, "a second");
            assert.ok(heard() - count <= 1, `${heard() - count} signs of life of a process that stands still`);
            return heard();
        });
        await until(() => heard() > before + 2, "signs of life again", DEADLINE_MS);
    });
});

test("processes that share a port have a part of the streams each, and while one restarts no connection is refused", async (t) => {
    const database = await createDatabase(t);
    const sharedPort = await freePort();
    const services = [];
    for (let i = 0; i < 2; i++) {
        const management = await freePort();
        const env = { ...database.env, TUPLECAST_MANAGEMENT_LISTEN: `127.0.0.1:${management}`, TUPLECAST_STREAMS_CLOSE_MS: "200" };
        services.push({ management: new Gateway(management, {}), ...(await startService(t, env, { sharedPort })) });
    }
    const streamsOf = () => Promise.all(services.map(({ management }) => management.metric("tuplecast_streams")));
    for (const { management } of services) await management.ready(DEADLINE_MS);
    const followers = await Promise.all(Array.from({ length: 40 }, () => follow(t, services[0].gateway.stream("numbers"))));
    const first = await streamsOf();
    t.diagnostic(`streams: ${first}`);
    assert.ok(first.every((count) => count > 0) && first[0] + first[1] === 40, String(first));
    const knocking = knock(t, sharedPort);
    for (const { manager, management } of services) {
        await manager.restart();
        await management.ready(DEADLINE_MS);
    }
    await until(async () => (await streamsOf()).reduce((a, b) => a + b) === 40, "all streams are back", DEADLINE_MS);
    const isReady = ({ events, connections }) => events.filter(({ name }) => name === "ready").length === connections;
    await until(() => followers.every(isReady), "nothing committed from now on is missed", DEADLINE_MS);
    await database.notify("numbers", JSON.stringify({ n: 1 }));
    for (const follower of followers) await follower.number(1, DEADLINE_MS);
    assert.deepEqual((await knocking.stop()).failures, []);
});

test("across restarts no connection is refused, and durable channels lose nothing", async (t) => {
    const database = await createDatabase(t);
    const token = "0123456789abcdef0123456789abcdef";
    const env = { ...database.env, TUPLECAST_STREAMS_CLOSE_MS: "200", TUPLECAST_TRIGGERS_TOKEN: token };
    const setup = await run(["setup"], env);
    assert.equal(setup.code, 0, setup.stderr);
    await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
    const { manager, gateway } = await startService(t, env);
    await gateway.ready(DEADLINE_MS);
    const put = await gateway.get("/triggers/posts", {
        method: "PUT",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify({ table: "posts", durable: true }),
    });
    assert.equal(put.status, 201, put.body);
    await until(
        async () => {
            const stream = await subscribe(t, gateway.stream("posts_changes"));
            const { items } = JSON.parse((await gateway.get("/channels")).body);
            stream.close();
            return items.some(({ channel, durable }) => channel === "posts_changes" && durable);
        },
        "the channel is durable",
        DEADLINE_MS,
    );
    const followers = await Promise.all(Array.from({ length: 20 }, () => follow(t, gateway.stream("posts_changes"), (json) => json.id)));
    const writer = startWriter(t, database);
    const knocking = knock(t, gateway.port);
    for (let times = 1; times <= 3; times++) {
        await writer.more(20);
        await manager.restart();
        for (const follower of followers)
            await follower.until(() => follower.connections > times || undefined, "a new connection", DEADLINE_MS);
    }
    await writer.more(20);
    const ids = await writer.stop();
    for (const follower of followers) {
        await follower.number(ids.at(-1), DEADLINE_MS);
        assert.deepEqual(follower.seen, ids);
        const byes = follower.events.filter((event) => event.name === "bye").length;
        // One for each restart: a connection gets one at most, and the gateway that ends accepts no further connection.
        assert.equal(byes, 3);
    }
    const { count, failures } = await knocking.stop();
    t.diagnostic(`${ids.length} rows, ${count} requests over connections of their own`);
    assert.deepEqual(failures, []);
});

test("without a socket that outlives it, whoever is in its queue at the end is still answered", async (t) => {
    const gateway = await startGateway(t, { PGHOST: "/nonexistent" });
    const answers = await whileStopped(gateway, async () => {
        const asked = Array.from({ length: 100 }, () => request(`${gateway.origin}/livez`).then((response) => response.status, String));
        await until(() => queued(gateway.port) === 100, () => `100 in the queue, there are ${queued(gateway.port)}`, DEADLINE_MS);
        gateway.signal("SIGTERM");
        return asked;
    });
    assert.equal(await gateway.ended(DEADLINE_MS), 0);
    assert.deepEqual(new Set(await Promise.all(answers)), new Set([200]));
});

describe("signals", () => {
    test("SIGTERM gives each stream a reconnect time of its own, and ends many streams evenly over close_ms", async (t) => {
        const database = await createDatabase(t);
        const gateway = await startGateway(t, { ...database.env, TUPLECAST_STREAMS_CLOSE_MS: "2000" });
        await gateway.ready(DEADLINE_MS);
        const streams = await Promise.all(Array.from({ length: 300 }, () => subscribe(t, gateway.stream("many"))));
        gateway.signal("SIGTERM");
        await until(() => streams.some((stream) => stream.ended), "the first end", DEADLINE_MS);
        assert.ok(streams.filter((stream) => stream.ended).length < 250, "most go on for a while");
        assert.equal(await gateway.ended(DEADLINE_MS), 0);
        const times = new Set();
        for (const stream of streams) {
            await stream.end();
            assert.equal(stream.blocks.at(-1).name, "bye");
            times.add(stream.blocks.at(-2).retry);
        }
        assert.ok(!times.has(undefined) && times.size > 100, `${times.size} different times`);
    });

    test("a second SIGTERM ends it at once", async (t) => {
        const database = await createDatabase(t);
        const gateway = await startGateway(t, { ...database.env, TUPLECAST_STREAMS_CLOSE_MS: "600000" });
        await gateway.ready(DEADLINE_MS);
        await Promise.all(Array.from({ length: 100 }, () => subscribe(t, gateway.stream("many"))));
        gateway.signal("SIGTERM");
        await until(() => gateway.log.includes("closing"), "the first signal", DEADLINE_MS);
        gateway.signal("SIGTERM");
        assert.equal(await gateway.ended(DEADLINE_MS), 0);
    });

    test("SIGHUP takes a good file over, says each time what needs a restart, and changes nothing for a bad one", async (t) => {
        const file = configurationFile(t, 'channels = ( "a" );');
        const { gateway, manager } = await startService(t, { PGHOST: "/nonexistent", TUPLECAST_CHANNELS: "" }, { args: ["-c", file] });
        const status = async (channel) => (await request(gateway.stream(channel), { method: "HEAD" })).status;
        assert.deepEqual([await status("a"), await status("b")], [200, 404]);
        const reload = async (text) => {
            writeFileSync(file, text);
            const from = manager.events.length;
            const before = manager.log.length;
            manager.signal("SIGHUP");
            await manager.said("READY", "1", from, DEADLINE_MS);
            const said = () => manager.log.slice(before);
            await until(() => /reloaded/.test(said()), () => `how the reload went; ${said()}`, DEADLINE_MS);
            return said();
        };
        for (let times = 0; times < 2; times++)
            assert.match(await reload('channels = ( "b" ); limits = { requests = 7; };'), /need a restart.*limits\.requests/);
        assert.deepEqual([await status("a"), await status("b")], [404, 200]);
        assert.match(await reload('channels = ( "c" ); limits = { requests = 0; };'), /limits\.requests[^]*not reloaded/);
        assert.deepEqual([await status("b"), await status("c")], [200, 404]);
        assert.doesNotMatch(await reload('channels = ( "c" );'), /need a restart|not reloaded/);
        assert.equal(await status("c"), 200);
    });
});

describe("exit codes", () => {
    for (const [code, what, args, env] of [
        [0, "what was asked for", ["--help"], {}],
        [1, "an address that is not ours", ["serve"], { TUPLECAST_LISTEN: "192.0.2.1:80" }],
        [2, "an unknown command, even with a bad configuration", ["swerve"], { TUPLECAST_LISTEN: "nonsense" }],
        [2, "an unknown option", ["--swerve"], {}],
        [2, "an argument too many", ["serve", "now"], {}],
        [78, "a bad configuration", ["serve"], { TUPLECAST_LISTEN: "nonsense" }],
        [78, "a configuration file that is not there", ["serve", "-c", "/nonexistent"], {}],
    ])
        test(`${code}: ${what}`, async () => {
            const ended = await run(args, env);
            assert.equal(ended.code, code, ended.stderr);
            if (code > 0) assert.notEqual(ended.stderr, "");
        });
});
