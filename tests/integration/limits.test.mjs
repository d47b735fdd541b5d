// What the configuration bounds stays within its bounds; who finds no room is told so, and finds some when there is some again.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { cpuSeconds, descriptors, limitDescriptors, sleep, whileStopped } from "./lib/proc.mjs";
import { openStream, subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";
import { connect, requestText, Tail, Wire } from "./lib/wire.mjs";

async function setUp(t, limits = {}, env = {}) {
    const database = await createDatabase(t);
    const settings = Object.fromEntries(Object.entries(limits).map(([name, value]) => [`TUPLECAST_LIMITS_${name.toUpperCase()}`, String(value)]));
    const gateway = await startGateway(t, { ...database.env, ...settings, ...env });
    await gateway.ready();
    return { database, gateway };
}

function stream(t, gateway, path, options) {
    return new Wire(t, gateway.port, options).send(requestText(path));
}

/** Resolves with "ready" or "busy", whichever comes; a busy stream must be one, and end. */
async function outcome(wire) {
    await wire.until(() => /event: (ready|busy)\n/.test(wire.text), "ready or busy");
    assert.match(wire.text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(wire.text, /^content-type: text\/event-stream\r$/im);
    assert.match(wire.body.toString(), /^: ok\n/);
    const { name } = wire.blocks.find((block) => "event" in block);
    if (name === "busy") {
        await wire.end();
        assert.equal(wire.error, undefined, "it ends by a FIN");
        assert.deepEqual(wire.blocks.filter((block) => "event" in block).map((block) => block.name), ["busy"]);
        assert.ok(wire.blocks.some((block) => "retry" in block), "it says when to come back");
    }
    return name;
}

async function gone(gateway, left) {
    await until(async () => (await gateway.metric("tuplecast_streams")) === left, `${left} streams`, 2000);
}

describe("limits.streams", () => {
    test("reached: 200 with busy, and room again when somebody leaves", async (t) => {
        const { database, gateway } = await setUp(t, { streams: 5 });
        const streams = [];
        for (let i = 0; i < 5; i++) streams.push(await subscribe(t, gateway.stream(`c${i % 2}`)));
        for (let i = 0; i < 3; i++) {
            const wire = stream(t, gateway, "/streams/c0");
            assert.equal(await outcome(wire), "busy");
            assert.match(wire.text, /limits\.streams\b/);
        }
        assert.equal((await gateway.get("/livez")).status, 200);
        assert.equal((await gateway.get("/streams/c0", { method: "HEAD" })).status, 200);
        streams.pop().close();
        await gone(gateway, 4);
        assert.equal(await outcome(stream(t, gateway, "/streams/c0")), "ready");
        assert.equal(await outcome(stream(t, gateway, "/streams/c0")), "busy");
        await database.notify("c0", "1");
        await streams[0].messages(1);
    });

    test("holds when all come in the same moment, and everybody hears something", async (t) => {
        const { gateway } = await setUp(t, { streams: 10 });
        for (let round = 0; round < 3; round++) {
            const wires = await whileStopped(gateway, async () => {
                const opened = await Promise.all(Array.from({ length: 60 }, () => connect(t, gateway.port)));
                for (const wire of opened) wire.send(requestText("/streams/crowd"));
                return opened;
            });
            const outcomes = await Promise.all(wires.map(outcome));
            assert.equal(outcomes.filter((name) => name === "ready").length, 10);
            assert.equal(await gateway.metric("tuplecast_streams"), 10);
            for (const wire of wires) wire.close();
            await gone(gateway, 0);
        }
    });
});

test("limits.streams_per_address counts each address on its own, and gives room back", async (t) => {
    const { gateway } = await setUp(t, { streams_per_address: 3 });
    const open = (localAddress) => stream(t, gateway, "/streams/a", { localAddress });
    const wires = [];
    for (const address of ["127.0.0.1", "127.0.0.2"])
        for (let i = 0; i < 5; i++) {
            const wire = open(address);
            assert.equal(await outcome(wire), i < 3 ? "ready" : "busy", `${address}, stream ${i}`);
            if (i < 3) wires.push(wire);
            else assert.match(wire.text, /limits\.streams_per_address/);
        }
    wires[0].close();
    wires[5].reset();
    await gone(gateway, 4);
    for (const address of ["127.0.0.1", "127.0.0.2"]) {
        assert.equal(await outcome(open(address)), "ready");
        assert.equal(await outcome(open(address)), "busy");
    }
    // All at once.
    const crowd = await whileStopped(gateway, async () => {
        const opened = await Promise.all(Array.from({ length: 30 }, () => connect(t, gateway.port, { localAddress: "127.0.0.3" })));
        for (const wire of opened) wire.send(requestText("/streams/a"));
        return opened;
    });
    const outcomes = await Promise.all(crowd.map(outcome));
    assert.equal(outcomes.filter((name) => name === "ready").length, 3);
    // Many addresses that come and go.
    for (let i = 10; i < 60; i++) {
        const wire = open(`127.0.0.${i}`);
        assert.equal(await outcome(wire), "ready");
        wire.close();
    }
});

test("limits.requests_per_address counts each address on its own, and gives room back; a trusted proxy is not counted", async (t) => {
    const { gateway } = await setUp(t, { requests_per_address: 3 }, { TUPLECAST_TRUSTED_PROXIES: "127.0.0.9,unix" });
    const open = (localAddress) => new Wire(t, gateway.port, { localAddress }).send("GET /livez HTTP/1.1\r\nHost: localhost\r\n");
    const wires = ["127.0.0.2", "127.0.0.3", "127.0.0.9"].map((address) => Array.from({ length: 5 }, () => open(address)));
    for (const [one, two] of wires.slice(0, 2).map((list) => list.slice(3))) {
        await one.end();
        await two.end();
        assert.equal(one.bytes + two.bytes, 0);
    }
    assert.equal(await gateway.metric("tuplecast_http_connections_refused_total"), 4);
    assert.match(gateway.log, /connection refused[^\n]*limits\.requests_per_address/);
    for (const wire of [wires[0][0], wires[1][1], ...wires[2]]) {
        wire.send("\r\n");
        await wire.contains("\r\n\r\nok\n");
    }
    // A stream has left this account.
    const streams = Array.from({ length: 6 }, () => stream(t, gateway, "/streams/a", { localAddress: "127.0.0.4" }));
    for (const wire of streams.slice(0, 3)) assert.equal(await outcome(wire), "ready");
});

test("limits.connects_per_address_per_s: a burst of ten seconds, then no faster than that", async (t) => {
    const { gateway } = await setUp(t, { connects_per_address_per_s: 2 });
    const from = performance.now();
    const wires = [];
    for (let i = 0; i < 40; i++) {
        const wire = new Wire(t, gateway.port, { localAddress: "127.0.0.2" }).send(requestText("/livez"));
        await wire.end();
        wires.push(wire);
    }
    const served = wires.filter((wire) => wire.bytes > 0).length;
    const most = 20 + 2 * Math.ceil((performance.now() - from) / 1000);
    assert.ok(served >= 20 && served <= most, `${served} of 40 were served, at most ${most}`);
    const other = new Wire(t, gateway.port, { localAddress: "127.0.0.3" }).send(requestText("/livez"));
    await other.contains("\r\n\r\nok\n");
});

describe("X-Forwarded-For", () => {
    const open = (t, gateway, forwarded, localAddress = "127.0.0.1") =>
        new Wire(t, gateway.port, { localAddress }).send(requestText("/streams/a", { headers: forwarded ? { "X-Forwarded-For": forwarded } : {} }));

    test("of trusted proxies tells the client's address", async (t) => {
        const { gateway } = await setUp(t, { streams_per_address: 1 }, { TUPLECAST_TRUSTED_PROXIES: "127.0.0.0/30,10.0.0.0/8,2001:db8::/32" });
        for (const [forwarded, expected] of [
            ["192.0.2.1", "ready"], ["192.0.2.1", "busy"],
            ["198.51.100.1, 192.0.2.2", "ready"], ["198.51.100.9, 192.0.2.2", "busy"], // only the last is the proxy's own word
            ["192.0.2.3, 10.1.2.3, 127.0.0.2", "ready"], ["192.0.2.3", "busy"], // past proxies before it
            ["2001:db9:1:2::1", "ready"], ["2001:db9:1:2:ffff::9", "busy"], ["2001:db9:1:3::1", "ready"], // networks of 64 bits
            ["::ffff:192.0.2.4", "ready"], ["192.0.2.4", "busy"],
            ["unknown", "ready"], ["rubbish, ,", "busy"], ["", "busy"], // what cannot be read leaves the proxy's own
        ])
            assert.equal(await outcome(open(t, gateway, forwarded)), expected, forwarded);
    });

    test("of others is ignored", async (t) => {
        const { gateway } = await setUp(t, { streams_per_address: 1 }, { TUPLECAST_TRUSTED_PROXIES: "127.0.0.2" });
        assert.equal(await outcome(open(t, gateway, "192.0.2.1")), "ready");
        assert.equal(await outcome(open(t, gateway, "192.0.2.2")), "busy");
        assert.equal(await outcome(open(t, gateway, "192.0.2.2", "127.0.0.2")), "ready");
    });
});

describe("limits.channels", () => {
    test("reached: no further channel, but those that are there; room again when one is forgotten", async (t) => {
        const { database, gateway } = await setUp(t, { channels: 3 }, { TUPLECAST_STREAMS_LINGER_MS: "0" });
        const streams = [];
        for (const name of ["a", "b", "c"]) streams.push(await subscribe(t, gateway.stream(name)));
        assert.equal(await outcome(stream(t, gateway, "/streams/b")), "ready");
        for (const path of ["/streams/d", "/streams?channel=a&channel=d"]) {
            const wire = stream(t, gateway, path);
            assert.equal(await outcome(wire), "busy", path);
            assert.match(wire.text, /limits\.channels\b/);
        }
        assert.equal(await gateway.metric("tuplecast_channels"), 3);
        streams[2].close();
        await until(async () => (await gateway.metric("tuplecast_channels")) === 2, "two channels");
        const fourth = await subscribe(t, gateway.stream("d"));
        await database.notify("d", "1");
        await fourth.messages(1);
        assert.equal(await outcome(stream(t, gateway, "/streams/c")), "busy");
    });

    test("holds when all come in the same moment", async (t) => {
        const { gateway } = await setUp(t, { channels: 4 });
        const wires = await whileStopped(gateway, async () => {
            const opened = await Promise.all(Array.from({ length: 20 }, () => connect(t, gateway.port)));
            for (const [i, wire] of opened.entries()) wire.send(requestText(`/streams/channel_${i}`));
            return opened;
        });
        const outcomes = await Promise.all(wires.map(outcome));
        assert.equal(outcomes.filter((name) => name === "ready").length, 4);
        assert.equal(await gateway.metric("tuplecast_channels"), 4);
    });
});

test("limits.channels_per_stream: more get 400", async (t) => {
    const { gateway } = await setUp(t, { channels_per_stream: 4 });
    const names = (count) => Array.from({ length: count }, (_, i) => `c${i}`);
    const { ready } = await subscribe(t, gateway.stream(names(4)));
    assert.deepEqual(ready.json.channels.toSorted(), names(4));
    const answer = await gateway.get(gateway.stream(names(5)).href.slice(gateway.origin.length));
    assert.equal(answer.status, 400);
    assert.match(answer.json.detail, /limits\.channels_per_stream/);
    assert.equal((await gateway.get("/streams/c4?channel=c0&channel=c1&channel=c2&channel=c3")).status, 400);
});

test("limits.body_timeout_ms: a definition that comes byte by byte gets 408 when its time is over, and puts nothing", async (t) => {
    const token = "correct-horse-battery-staple";
    const { gateway } = await setUp(t, { body_timeout_ms: 1000 }, { TUPLECAST_TRIGGERS_TOKEN: token });
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Content-Length": "60000" };
    const from = performance.now();
    const wire = new Wire(t, gateway.port).send(requestText("/triggers", { method: "POST", headers }));
    const dripping = setInterval(() => wire.send(" "), 50);
    t.after(() => clearInterval(dripping));
    await wire.contains("did not arrive in time");
    assert.match(wire.text, /^HTTP\/1\.1 408 /);
    const took = performance.now() - from;
    assert.ok(took > 900 && took < 9000, `${took} ms: its own time, not that of a connection without a byte`);
});

describe("limits.requests", { concurrency: true }, () => {
    test("reached by requests that do not arrive: new ones wait at first, and then the oldest make room", async (t) => {
        const { gateway } = await setUp(t, { requests: 5 });
        const idle = await Promise.all(Array.from({ length: 5 }, () => connect(t, gateway.port)));
        for (const wire of idle) wire.send("GET /livez HTTP/1.1\r\n");
        await sleep(100);
        const from = performance.now();
        const waiting = [stream(t, gateway, "/livez"), stream(t, gateway, "/streams/late"), stream(t, gateway, "/livez")];
        const used = cpuSeconds(gateway.pid);
        await waiting[0].contains("\r\n\r\nok\n");
        assert.ok(performance.now() - from > 500, "slow clients have some time");
        assert.ok(cpuSeconds(gateway.pid) - used < 0.2, "waiting keeps nobody busy");
        await waiting[1].contains("event: ready\n");
        await waiting[2].contains("\r\n\r\nok\n");
        await until(() => idle.some((wire) => wire.ended), "one that has made room");
        const ended = idle.filter((wire) => wire.ended);
        assert.ok(ended.length >= 1 && ended.length <= 3, `${ended.length} made room`);
        for (const wire of ended) assert.match(wire.text, /^HTTP\/1\.1 408 /);
        // The others are not forgotten.
        const kept = idle.find((wire) => !wire.ended);
        kept.send("Host: localhost\r\n\r\n");
        await kept.contains("\r\n\r\nok\n");
    });

    test("reached by requests whose bodies do not arrive: new ones are served when their time is over, though nothing else happens", async (t) => {
        const { gateway } = await setUp(t, { requests: 2, body_timeout_ms: 4000 }, { TUPLECAST_TRIGGERS_TOKEN: "correct-horse-battery-staple" });
        const headers = { Authorization: "Bearer correct-horse-battery-staple", "Content-Length": "9" };
        const idle = Array.from({ length: 2 }, () => new Wire(t, gateway.port).send(requestText("/triggers", { method: "POST", headers })));
        await sleep(200);
        const waiting = Array.from({ length: 10 }, (_, i) => stream(t, gateway, i % 2 ? "/livez" : "/streams/late"));
        await sleep(500);
        assert.ok(waiting.every((wire) => wire.bytes === 0), "they wait");
        for (const [i, wire] of waiting.entries()) {
            await wire.contains(i % 2 ? "\r\n\r\nok\n" : "event: ready\n");
            wire.close();
        }
        for (const wire of idle) await wire.contains("body did not arrive");
    });

    test("does not bound streams, and a crowd is served one after another", async (t) => {
        const { gateway } = await setUp(t, { requests: 2 });
        const wires = Array.from({ length: 200 }, () => stream(t, gateway, "/streams/crowd"));
        for (const wire of wires) assert.equal(await outcome(wire), "ready");
        assert.equal(await gateway.metric("tuplecast_streams"), 200);
    });
});

describe("the limit of descriptors", () => {
    const shortages = (gateway) => gateway.log.match(/descriptors are used up|connection refused/g)?.length ?? 0;

    test("known beforehand, it bounds the streams: busy for the others, and all else goes on", async (t) => {
        const { database, gateway } = await setUp(t, { requests: 20 });
        limitDescriptors(gateway.pid, 100);
        gateway.signal("SIGHUP"); // it counts anew
        await until(() => /fewer streams than configured[^\n]*possible=16\b/.test(gateway.log), () => `a warning; the log:\n${gateway.log}`);
        const wires = Array.from({ length: 40 }, () => stream(t, gateway, "/streams/few"));
        const outcomes = await Promise.all(wires.map(outcome));
        assert.equal(outcomes.filter((name) => name === "ready").length, 16);
        assert.equal((await gateway.get("/livez")).status, 200);
        await database.notify("few", "1");
        for (const [i, wire] of wires.entries()) if (outcomes[i] === "ready") await wire.contains('"data":1}');
        assert.equal(shortages(gateway), 0);
    });

    test("used up by streams: busy, /livez answers, no spinning, one line in the log, and all is well when they leave", async (t) => {
        const { database, gateway } = await setUp(t);
        const streams = [await subscribe(t, gateway.stream("short"))];
        await sleep(100);
        const room = 20;
        limitDescriptors(gateway.pid, descriptors(gateway.pid) + room);
        // One after another, until there is no room.
        let busy = 0;
        for (let i = 0; i < 2 * room; i++) {
            const wire = stream(t, gateway, "/streams/short");
            if ((await outcome(wire)) === "busy") busy++;
            else streams.push(wire);
        }
        t.diagnostic(`${streams.length} streams, ${busy} busy`);
        assert.ok(streams.length >= room - 3 && busy >= room - 1, `${streams.length} streams, ${busy} busy`);
        for (let i = 0; i < 20; i++) assert.equal((await gateway.get("/livez")).status, 200);
        assert.ok((await gateway.metric("tuplecast_http_accept_failures_total")) > 0);
        // A crowd that says nothing takes what is left; the others wait in the queue.
        const crowd = await Promise.all(Array.from({ length: 30 }, () => connect(t, gateway.port)));
        await sleep(200);
        const used = cpuSeconds(gateway.pid);
        await sleep(2000);
        const spent = cpuSeconds(gateway.pid) - used;
        t.diagnostic(`${spent.toFixed(2)} s of processor time in 2 s`);
        assert.ok(spent < 0.3, `${spent} s of processor time in 2 s`);
        assert.equal(shortages(gateway), 1, gateway.log);
        await database.notify("short", "1");
        for (const wire of streams.slice(1)) await wire.contains('"data":1}');
        // Room again.
        for (const wire of crowd) wire.close();
        for (const wire of streams.splice(1)) wire.close();
        await gone(gateway, 1);
        for (let i = 0; i < 10; i++) assert.equal(await outcome(stream(t, gateway, "/streams/short")), "ready");
        assert.equal((await gateway.get("/livez")).status, 200);
        await database.notify("short", "2");
        await streams[0].messages(2);
    });

    test("used up by connections that say nothing: who waits is served when they are gone", async (t) => {
        const { gateway } = await setUp(t);
        const own = descriptors(gateway.pid);
        limitDescriptors(gateway.pid, own + 10);
        const silent = await Promise.all(Array.from({ length: 60 }, () => connect(t, gateway.port)));
        await until(() => shortages(gateway) === 1, "a line in the log");
        const late = [stream(t, gateway, "/livez"), stream(t, gateway, "/streams/short")];
        const used = cpuSeconds(gateway.pid);
        await sleep(1000);
        assert.ok(cpuSeconds(gateway.pid) - used < 0.2);
        for (const wire of silent) wire.close();
        await late[0].contains("\r\n\r\nok\n");
        // The stream's turn may come while the ends of the others are still being taken in.
        assert.match(await outcome(late[1]), /^(ready|busy)$/);
        await until(async () => (await outcome((late[2] = stream(t, gateway, "/streams/short")))) === "ready", "there is room for a stream");
        assert.equal(shortages(gateway), 1, gateway.log);
        for (const wire of late) wire.close();
        await until(() => descriptors(gateway.pid) <= own + 1, () => `${own} descriptors, there are ${descriptors(gateway.pid)}`);
    });
});

describe("limits.memory_bytes", () => {
    const MOST = 2 << 20;
    const STUBBORN = { TUPLECAST_STREAMS_STALL_MS: "3600000", TUPLECAST_STREAMS_DRAIN_MS: "0" };
    const memory = async (gateway) => {
        const { body } = await gateway.get("/metrics");
        const number = (name) => Number(new RegExp(`^tuplecast_${name} (\\S+)$`, "m").exec(body)[1]);
        return { memory: number("memory_bytes"), feeds: number("feed_bytes") };
    };

    /** Pours events into several channels and looks at the metrics all the while. */
    async function pour(t, { database, gateway }, channels, count, bytes) {
        let pouring = true;
        const highest = { memory: 0, feeds: 0, both: 0 };
        const watching = (async () => {
            while (pouring) {
                const now = await memory(gateway);
                highest.memory = Math.max(highest.memory, now.memory);
                highest.feeds = Math.max(highest.feeds, now.feeds);
                highest.both = Math.max(highest.both, now.memory + now.feeds);
            }
        })();
        try {
            for (let from = 0; from < count; from += 200)
                for (const channel of channels)
                    await database.query("SELECT pg_notify($1, repeat('x', $2) || i) FROM generate_series($3::int, $4::int) i", [channel, bytes, from, from + 199]);
            await sleep(200);
        } finally {
            pouring = false;
        }
        await watching;
        t.diagnostic(`highest: ${JSON.stringify(highest)} of ${MOST}`);
        return highest;
    }

    test("bounds what is remembered and what waits, with readers that take nothing", async (t) => {
        const all = await setUp(t, { memory_bytes: MOST, channel_memory_bytes: MOST / 2, feed_log_bytes: MOST / 4, send_buffer_bytes: 4096 }, STUBBORN);
        const channels = ["a", "b", "c", "d"];
        for (const channel of channels) {
            const stopped = await openStream(t, all.gateway.stream(channel));
            await stopped.next("ready");
            stopped.response.pause();
        }
        const good = channels.map((channel) => new Tail(t, all.gateway.port, `/streams/${channel}`));
        for (const tail of good) await tail.until(() => tail.ready, "ready");
        const highest = await pour(t, all, channels, 1000, 4000);
        assert.ok(highest.both <= MOST, JSON.stringify(highest));
        assert.ok(highest.memory > MOST / 4, "it was filled");
        assert.ok(highest.feeds > 0);
        assert.ok(good.every((tail) => !tail.ended));
    });

    test("bounds them with many different requests, too", async (t) => {
        const all = await setUp(t, { memory_bytes: MOST, channel_memory_bytes: MOST / 2, feed_log_bytes: MOST / 4, send_buffer_bytes: 4096 }, STUBBORN);
        // Each has a log of its own, because no two ask for the same.
        const stopped = await Promise.all(Array.from({ length: 200 }, (_, i) => openStream(t, all.gateway.stream(["a", `own_${i}`]))));
        for (const one of stopped) {
            await one.next("ready");
            one.response.pause();
        }
        const highest = await pour(t, all, ["a"], 1000, 4000);
        assert.ok(highest.both <= MOST, JSON.stringify(highest));
    });
});
