// A stream's socket changes hands, from the HTTP library to the loop, after the head. In every corner of that: no byte is lost,
// none comes twice or too early, and whoever leaves leaves nothing behind.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { cpuSeconds, descriptors, descriptorsFall, isSanitized, memoryBytes, sleep, whileStopped } from "./lib/proc.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";
import { connect, requestText, Wire } from "./lib/wire.mjs";

const CONNECTS = Number(process.env.CONNECTS ?? 20_000);
const TOKEN = "correct-horse-battery-staple-0123456789";
/** A head, the greeting, and what comes first on a stream. */
const OPENING = /^HTTP\/1\.1 200 OK\r\n(?:[!-9;-~]+: [^\r\n]*\r\n)+\r\n: ok\n\n?retry: \d+\n\nid: [0-9A-Za-z._-]+\nevent: ready\ndata: \{[^\n]*\}\n\n/;
const QUIET = { TUPLECAST_STREAMS_HEARTBEAT_MS: "3600000" };

async function setUp(t, env = {}) {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, { ...database.env, ...QUIET, ...env });
    await gateway.ready();
    // Whatever is opened once and for all is open now: from here on the number of descriptors must come back.
    (await subscribe(t, gateway.stream("first"))).close();
    await until(async () => (await gateway.metric("tuplecast_streams")) === 0, "the first stream's end");
    await sleep(50);
    return { database, gateway, before: descriptors(gateway.pid) };
}

/** Numbers as payloads, in order. */
function notify(database, channel, from, to) {
    return database.query("SELECT pg_notify($1, i::text) FROM generate_series($2::int, $3::int) i", [channel, from, to]);
}

async function openWire(t, gateway, path, options = {}) {
    const wire = new Wire(t, gateway.port, options).send(requestText(path, options));
    await wire.contains("event: ready\n");
    return wire;
}

function assertRising(numbers, what) {
    for (const [i, number] of numbers.entries()) assert.equal(number, numbers[0] + i, `${what}, message ${i}`);
}

describe("the head and the greeting are complete before the first event", () => {
    for (const [what, query, times] of [
        ["that comes while clients connect", "", 160],
        ["of those that are remembered", "?from=earliest", 40],
    ]) {
        test(what, async (t) => {
            const { database, gateway } = await setUp(t);
            await subscribe(t, gateway.stream("early")); // keeps the channel
            let last = 0;
            let stopped = false;
            const writing = (async () => {
                while (!stopped) await notify(database, "early", last + 1, (last += 20));
            })();
            const lane = async () => {
                for (let i = 0; i < times / 8; i++) {
                    const wire = await openWire(t, gateway, `/streams/early${query}`);
                    await wire.until(() => /\ndata: \{"channel"/.test(wire.text), "a message");
                    const seen = wire.bytes;
                    await wire.until(() => wire.bytes > seen, "more");
                    wire.close();
                    assert.match(wire.text, OPENING);
                    assert.ok(wire.blocks.every((block) => block.name !== "gap"));
                    assertRising(wire.messages, "of a stream");
                }
            };
            await Promise.all(Array.from({ length: 8 }, lane)).finally(() => (stopped = true));
            await writing;
            t.diagnostic(`${last} events while ${times} clients connected`);
        });
    }

    test("even when requests and notifications are found in one go", async (t) => {
        const { database, gateway } = await setUp(t);
        await subscribe(t, gateway.stream("early"));
        for (let round = 0; round < 10; round++) {
            const wires = await whileStopped(gateway, async () => {
                const opened = await Promise.all(Array.from({ length: 20 }, () => connect(t, gateway.port)));
                for (const wire of opened) wire.send(requestText("/streams/early"));
                await notify(database, "early", 1, 500);
                return opened;
            });
            for (const wire of wires) await wire.contains("event: ready\n");
            await notify(database, "early", 501, 501);
            for (const wire of wires) {
                await wire.contains('"data":501}\n\n');
                wire.close();
                assert.match(wire.text, OPENING);
                assertRising(wire.messages, "of a stream");
            }
        }
    });

    test("also with a request that arrives byte by byte", async (t) => {
        const { database, gateway } = await setUp(t);
        const wire = await connect(t, gateway.port);
        wire.socket.setNoDelay(true);
        for (const byte of requestText("/streams/slowly", { headers: { Accept: "text/event-stream" } })) {
            wire.send(byte);
            await sleep(1);
        }
        await wire.contains("event: ready\n");
        await notify(database, "slowly", 1, 3);
        await wire.contains('"data":3}\n\n');
        assert.match(wire.text, OPENING);
        assert.deepEqual(wire.messages, [1, 2, 3]);
    });
});

describe("a silent stream whose client", () => {
    for (const [what, leave] of [
        ["closes", (wire) => wire.close()],
        ["closes its own direction only", (wire) => wire.halfClose()],
        ["resets the connection", (wire) => wire.reset()],
        ["sends something that nobody reads, and closes", (wire) => wire.send("x".repeat(1000)).halfClose()],
    ]) {
        test(`${what} is gone at once`, async (t) => {
            const { gateway, before } = await setUp(t);
            const wires = await Promise.all(Array.from({ length: 50 }, () => openWire(t, gateway, "/streams/silent")));
            assert.equal(await gateway.metric("tuplecast_streams"), 50);
            for (const wire of wires) leave(wire);
            await until(async () => (await gateway.metric("tuplecast_streams")) === 0, "no stream", 1000);
            await descriptorsFall(gateway.pid, before);
        });
    }

    test("left before the hand-over is gone at once, too", async (t) => {
        const { database, gateway, before } = await setUp(t);
        for (const leave of ["close", "halfClose", "reset"]) {
            const opened = await gateway.metric("tuplecast_http_connections_total");
            await whileStopped(gateway, async () => {
                const wires = await Promise.all(Array.from({ length: 50 }, () => connect(t, gateway.port)));
                for (const wire of wires) wire.send(requestText("/streams/silent"))[leave]();
                await sleep(50);
            });
            await until(async () => (await gateway.metric("tuplecast_http_connections_total")) >= opened + 50, "them to be accepted");
            await until(async () => (await gateway.metric("tuplecast_streams")) === 0, `no stream after ${leave}`, 2000);
            await descriptorsFall(gateway.pid, before, 2000);
            await notify(database, "silent", 1, 1);
        }
    });
});

describe("a stream is given to", () => {
    for (const headers of [{}, { Connection: "keep-alive" }, { Connection: "close" }]) {
        test(`a request of HTTP/1.0 with ${JSON.stringify(headers)}: neither length nor chunks`, async (t) => {
            const { database, gateway } = await setUp(t);
            const wire = await openWire(t, gateway, "/streams/old", { version: "1.0", headers });
            await notify(database, "old", 1, 2);
            await wire.contains('"data":2}\n\n');
            const [head] = wire.text.split("\r\n\r\n", 1);
            assert.match(head, /^HTTP\/1\.[01] 200 /);
            assert.doesNotMatch(head, /transfer-encoding|content-length|keep-alive/i);
            assert.match(wire.body.toString(), /^: ok\n/);
            assert.deepEqual(wire.messages, [1, 2]);
            await gateway.stop();
            await wire.end();
            assert.equal(wire.blocks.at(-1).name, "bye");
        });
    }

    test("a request of HTTP/1.1 that asks for keep-alive: its end is the connection's end", async (t) => {
        const { gateway } = await setUp(t);
        const wire = await openWire(t, gateway, "/streams/kept", { headers: { Connection: "keep-alive" } });
        const [head] = wire.text.split("\r\n\r\n", 1);
        assert.match(head, /^connection: close$/im);
        assert.doesNotMatch(head, /transfer-encoding|content-length/i);
    });
});

test("a connection carries one request: what comes behind it, together or later, is not answered", async (t) => {
    const { gateway, before } = await setUp(t);
    for (const together of [false, true]) {
        const wire = await connect(t, gateway.port);
        wire.send(requestText("/livez") + (together ? requestText("/streams/second") : ""));
        await wire.contains("\r\n\r\nok\n");
        if (!together) wire.send(requestText("/streams/second"));
        await wire.end();
        assert.match(wire.text, /^connection: close\r$/im);
        assert.equal(wire.text.match(/HTTP\/1/g).length, 1);
        wire.close();
    }
    assert.equal(await gateway.metric("tuplecast_streams"), 0);
    await descriptorsFall(gateway.pid, before);
});

test("HEAD has the head of a stream, no body, and opens none", async (t) => {
    const { gateway, before } = await setUp(t);
    for (const version of ["1.1", "1.0"]) {
        const wire = await connect(t, gateway.port);
        wire.send(requestText("/streams/head", { method: "HEAD", version }));
        await wire.contains("\r\n\r\n");
        assert.match(wire.text, /^HTTP\/1\.[01] 200 /);
        assert.match(wire.text, /^content-type: text\/event-stream\r$/im);
        assert.match(wire.text, /^cache-control: no-store, no-transform\r$/im);
        assert.match(wire.text, /^x-accel-buffering: no\r$/im);
        assert.doesNotMatch(wire.text, /^content-length:/im); // the head that GET gives has none
        await sleep(100);
        assert.equal(wire.body.length, 0);
        assert.equal(await gateway.metric("tuplecast_streams"), 0);
        wire.close();
    }
    assert.equal((await gateway.get("/streams/head", { method: "HEAD" })).status, 200);
    await descriptorsFall(gateway.pid, before);
});

test("what is sent behind the request of a stream neither harms the stream nor is answered", async (t) => {
    const { database, gateway, before } = await setUp(t);
    const more = [requestText("/livez"), requestText("/streams/other"), "x".repeat(100), requestText("/livez").repeat(2000)];
    const wires = [];
    for (const text of more) wires.push(new Wire(t, gateway.port).send(requestText("/streams/piped") + text));
    for (const wire of wires) await wire.contains("event: ready\n");
    // And some that sends it later.
    for (const text of more) {
        const wire = await openWire(t, gateway, "/streams/piped");
        wires.push(wire.send(text));
    }
    await notify(database, "piped", 1, 1000);
    for (const wire of wires) {
        await wire.contains('"data":1000}\n\n');
        assert.match(wire.text, OPENING);
        assertRising(wire.messages, "of a stream");
        assert.equal(wire.messages.length, 1000);
    }
    await sleep(100);
    for (const wire of wires) assert.equal(wire.text.match(/HTTP\/1/g).length, 1);
    assert.equal(await gateway.metric("tuplecast_streams"), wires.length);
    const used = cpuSeconds(gateway.pid);
    await sleep(500);
    assert.ok(cpuSeconds(gateway.pid) - used < 0.2, "unread bytes keep nobody busy");
    for (const wire of wires) wire.close();
    await until(async () => (await gateway.metric("tuplecast_streams")) === 0, "no stream", 1000);
    await descriptorsFall(gateway.pid, before);
});

// They wait for the library's timeout of 10 s, and can do so side by side.
describe("a client that leaves", { concurrency: true }, () => {
    const half = "GET /streams/left HTTP/1.1\r\nHost: loc";
    for (const [what, deadlineMs, leave] of [
        ["without a request, by FIN", 2000, (wire) => wire.halfClose()],
        ["without a request, by reset", 2000, (wire) => wire.reset()],
        ["in the middle of the head, which is read first", 2000, async (wire) => {
            wire.send(half);
            await sleep(300);
            wire.close();
        }],
        ["in the middle of the head, by a reset that comes later", 2000, async (wire) => {
            wire.send(half);
            await sleep(300);
            wire.reset();
        }],
        ["in the middle of the head, read together with its FIN", 13_000, (wire) => wire.send(half).halfClose()],
        ["in the middle of the head, read together with its reset", 13_000, (wire) => wire.send(half).reset()],
        ["in the middle of the head, without a word", 13_000, (wire) => wire.send(half)],
        ["after the head, before any answer", 13_000, (wire) => wire.send(requestText("/livez")).close()],
        ["after the head, before any answer, by reset", 13_000, (wire) => wire.send(requestText("/livez")).reset()],
        ["after the head, in the middle of the body", 13_000, (wire) =>
            wire.send(requestText("/triggers", { method: "POST", headers: { Authorization: `Bearer ${TOKEN}`, "Content-Length": "100" } }) + "{").halfClose()],
    ]) {
        test(`${what}, leaves nothing behind`, async (t) => {
            const { gateway, before } = await setUp(t, { TUPLECAST_TRIGGERS_TOKEN: TOKEN });
            const opened = await gateway.metric("tuplecast_http_connections_total");
            const wires = await whileStopped(gateway, () => Promise.all(Array.from({ length: 20 }, () => connect(t, gateway.port))));
            if (deadlineMs > 2000) await whileStopped(gateway, () => Promise.all(wires.map(leave)).then(() => sleep(50)));
            else await Promise.all(wires.map(leave));
            await until(async () => (await gateway.metric("tuplecast_http_connections_total")) >= opened + 20, "them to be accepted");
            const from = performance.now();
            await descriptorsFall(gateway.pid, before, deadlineMs);
            t.diagnostic(`after ${Math.round(performance.now() - from)} ms`);
            assert.equal(await gateway.metric("tuplecast_http_connections"), 1, "the one that asks");
        });
    }

    test("while the database works on its request, leaves nothing behind", async (t) => {
        const { database, gateway, before } = await setUp(t, { TUPLECAST_TRIGGERS_TOKEN: TOKEN });
        await database.query("CREATE TABLE held (id int PRIMARY KEY)");
        const holder = await database.connect(t);
        await holder.query("BEGIN; LOCK TABLE held");
        const body = '{"table":"held"}';
        const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json", "Content-Length": body.length };
        for (let i = 0; i < 10; i++) {
            const wire = await connect(t, gateway.port);
            wire.send(requestText(`/triggers/t${i}`, { method: "PUT", headers }) + body);
            await sleep(20);
            wire[["close", "halfClose", "reset"][i % 3]]();
        }
        assert.equal((await gateway.get("/livez")).status, 200);
        await holder.query("ROLLBACK");
        // One more for the connection that trigger calls are made on.
        await descriptorsFall(gateway.pid, before + 1, 13_000);
        assert.equal((await gateway.get("/livez")).status, 200);
    });
});

describe("on SIGTERM", () => {
    test("streams get bye, whatever they sent meanwhile; all other connections end; the exit code is 0", async (t) => {
        const { database, gateway } = await setUp(t);
        const streams = await Promise.all(Array.from({ length: 30 }, () => openWire(t, gateway, "/streams/last")));
        for (const wire of streams.slice(0, 10)) wire.send(requestText("/livez"));
        const others = [
            await connect(t, gateway.port),
            (await connect(t, gateway.port)).send("GET /streams/last HT"),
            (await connect(t, gateway.port)).send(requestText("/livez")),
        ];
        await others[2].contains("ok\n");
        await notify(database, "last", 1, 100);
        for (const wire of streams) await wire.contains('"data":100}\n\n');
        const from = performance.now();
        await gateway.stop();
        t.diagnostic(`took ${Math.round(performance.now() - from)} ms`);
        assert.ok(performance.now() - from < 4000);
        for (const wire of streams) {
            await wire.end();
            assert.equal(wire.blocks.at(-1).name, "bye");
            assert.equal(wire.messages.length, 100);
        }
        for (const wire of others) await wire.end();
    });

    test("a stream that is being handed over in that moment ends, too", async (t) => {
        for (let round = 0; round < 3; round++) {
            const { gateway } = await setUp(t);
            const stream = await openWire(t, gateway, "/streams/last");
            const wires = await whileStopped(gateway, async () => {
                const opened = await Promise.all(Array.from({ length: 20 }, () => connect(t, gateway.port)));
                for (const wire of opened) wire.send(requestText("/streams/last"));
                gateway.signal("SIGTERM");
                return opened;
            });
            assert.equal(await gateway.ended(), 0);
            await stream.end();
            assert.equal(stream.blocks.at(-1).name, "bye");
            for (const wire of wires) {
                await wire.end();
                if (wire.bytes > 0) assert.match(wire.text, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n: ok\n/);
            }
        }
    });
});

test("an idle stream has one descriptor, exactly", async (t) => {
    const { gateway, before } = await setUp(t);
    const wires = [];
    for (const count of [1, 10, 100, 500]) {
        while (wires.length < count) wires.push(await openWire(t, gateway, "/streams/idle"));
        await until(() => descriptors(gateway.pid) === before + count, () => `${before} + ${count} descriptors, not ${descriptors(gateway.pid)}`);
    }
    // And it stays so with connections that come and go beside them.
    for (let i = 0; i < 20; i++) await gateway.get("/livez");
    await until(() => descriptors(gateway.pid) === before + wires.length, () => `${before} + ${wires.length} descriptors, not ${descriptors(gateway.pid)}`);
    assert.equal(await gateway.metric("tuplecast_streams"), wires.length);
    for (const wire of wires) wire.close();
    await descriptorsFall(gateway.pid, before);
});

test(`${CONNECTS} connects and disconnects leave no descriptor and no memory behind`, { timeout: 60_000 + CONNECTS * 5 }, async (t) => {
    const { database, gateway, before } = await setUp(t);
    await subscribe(t, gateway.stream("mass")); // keeps the channel
    const quiet = { after() {} };
    const ways = [
        async (wire) => wire.send(requestText("/streams/mass")).contains(": ok\n").then(() => wire.reset()),
        async (wire) => wire.send(requestText("/streams/mass")).contains(": ok\n").then(() => wire.close()),
        async (wire) => wire.send(requestText("/streams/mass")).contains("event: ready\n").then(() => wire.reset()),
        async (wire) => wire.send(requestText("/streams/mass")).reset(),
        async (wire) => wire.send(requestText("/streams/mass", { version: "1.0" })).halfClose(),
        async (wire) => wire.send(requestText("/livez", { version: "1.0" })).end().then(() => wire.close()),
        async (wire) => wire.close(),
    ];
    const hammer = async (count) => {
        let next = 0;
        const lane = async () => {
            for (let i; (i = next++) < count; ) {
                // Many source addresses, so that ports do not run out.
                const wire = await connect(quiet, gateway.port, { localAddress: `127.0.1.${1 + (i % 200)}` });
                await ways[i % ways.length](wire);
                setTimeout(() => wire.close(), 1000).unref(); // those that wait for no answer
                if (i % 1000 === 0) await notify(database, "mass", i, i);
            }
        };
        await Promise.all(Array.from({ length: 48 }, lane));
    };
    const settled = async () => {
        await until(async () => (await gateway.metric("tuplecast_streams")) === 1, "the one stream that stays");
        await descriptorsFall(gateway.pid, before + 1, 13_000);
    };
    await hammer(2000);
    await settled();
    const memory = memoryBytes(gateway.pid, "RssAnon");
    const from = performance.now();
    await hammer(CONNECTS);
    t.diagnostic(`${Math.round((CONNECTS / (performance.now() - from)) * 1000)} connects/s`);
    await settled();
    const grown = memoryBytes(gateway.pid, "RssAnon") - memory;
    t.diagnostic(`memory grew by ${grown >> 10} KiB`);
    if (!isSanitized(gateway.pid)) assert.ok(grown < 2 << 20, `memory grew by ${grown} bytes`);
});

describe("the headers of a request", () => {
    /** Headers whose lines have so many bytes in all, in so many lines. */
    function headersOf(bytes, lines) {
        const headers = { Host: "localhost" };
        let left = bytes - "Host: localhost\r\n".length;
        for (let i = 0; i < lines; i++) {
            const name = i === 0 ? "Cookie" : `X-Padding-${i}`;
            const size = i === lines - 1 ? left : Math.floor(left / (lines - i));
            headers[name] = "c".repeat(size - name.length - ": \r\n".length);
            left -= size;
        }
        return headers;
    }

    async function answer(t, gateway, path, options) {
        const wire = new Wire(t, gateway.port).send(requestText(path, options));
        await wire.until(() => wire.text.includes("\r\n\r\n") || wire.ended, `an answer to ${path}`, 5000).catch((error) => {
            if (!wire.ended) throw error;
        });
        const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(wire.text)?.[1] ?? 0);
        if (status === 200 && path.startsWith("/streams/") && options.method !== "HEAD") {
            await wire.contains("event: ready\n");
            assert.match(wire.text, OPENING);
        }
        wire.close();
        return status;
    }

    const paths = ["/streams/large", "/livez", "/metrics", "/nothing"];

    test("may be a cookie and a token of 8 KB each", async (t) => {
        const { gateway } = await setUp(t);
        const headers = { Cookie: "c".repeat(8192), Authorization: `Bearer ${"t".repeat(8192)}` };
        for (const path of paths) assert.equal(await answer(t, gateway, path, { headers }), path === "/nothing" ? 404 : 200, path);
        assert.equal(await answer(t, gateway, "/streams/large", { method: "HEAD", headers }), 200);
        assert.equal(await answer(t, gateway, "/triggers", { headers }), 403);
    });

    test("may have 32 KB in all, in one line or in many", async (t) => {
        const { gateway, before } = await setUp(t);
        for (let kib = 1; kib <= 32; kib++)
            for (const lines of [1, 4, 20, 100]) {
                if (kib * 1024 < lines * 50) continue;
                for (const path of kib === 32 ? paths : ["/streams/large"])
                    assert.equal(await answer(t, gateway, path, { headers: headersOf(kib * 1024, lines) }), path === "/nothing" ? 404 : 200,
                        `${kib} KiB in ${lines} lines, ${path}`);
            }
        await descriptorsFall(gateway.pid, before);
    });

    test("may be many and tiny, and so may parameters, around the size where a larger pool is taken", async (t) => {
        const { gateway, before } = await setUp(t);
        for (const lines of [20, 29, 30, 31, 32, 33, 100, 300]) {
            const tiny = Object.fromEntries(Array.from({ length: lines }, (_, i) => [`a${i}`, "b"]));
            for (const padding of [0, 900, 1500, 1900, 2100])
                assert.equal(await answer(t, gateway, "/streams/large", { headers: { Host: "localhost", ...tiny, Cookie: "c".repeat(padding) } }), 200,
                    `${lines} lines and ${padding} bytes`);
        }
        for (const parameters of [10, 25, 26, 27, 28, 29, 30, 31, 32, 33, 64]) {
            const query = Array.from({ length: parameters }, (_, i) => `id=${i}`).join("&");
            for (const padding of [0, 1500]) {
                const headers = { Host: "localhost", Cookie: "c".repeat(padding) };
                assert.equal(await answer(t, gateway, `/streams/large?${query}`, { headers }), 200, `${parameters} parameters`);
            }
        }
        await descriptorsFall(gateway.pid, before);
    });

    test("of more than that get 431 or an end, and harm nobody", async (t) => {
        const { gateway, before } = await setUp(t);
        const found = new Map();
        for (const kib of [33, 36, 40, 44, 48, 52, 56, 60, 61, 62, 63, 64, 65, 66, 72, 100, 200, 1000])
            for (const lines of [1, 20, 300]) {
                const status = await answer(t, gateway, "/streams/large", { headers: headersOf(kib * 1024, lines) });
                assert.ok([200, 431, 0].includes(status), `${kib} KiB in ${lines} lines: ${status}`);
                found.set(status, [...(found.get(status) ?? []), `${kib}/${lines}`]);
            }
        for (const [status, sizes] of found) t.diagnostic(`${status || "end without an answer"}: ${sizes.join(" ")}`);
        assert.ok(found.has(431));
        assert.equal((await gateway.get("/livez")).status, 200);
        await descriptorsFall(gateway.pid, before);
    });
});

test("a client that takes 1 KB at a time gets every byte", async (t) => {
    const { database, gateway } = await setUp(t, {
        TUPLECAST_LIMITS_CHANNEL_MEMORY_BYTES: String(128 << 20),
        TUPLECAST_LIMITS_MEMORY_BYTES: String(512 << 20),
        TUPLECAST_LIMITS_SEND_BUFFER_BYTES: "4096",
        TUPLECAST_LIMITS_FEED_LOG_BYTES: "131072", // it falls out of the shared log, again and again
    });
    const fast = await openWire(t, gateway, "/streams/bytes");
    const slow = await openWire(t, gateway, "/streams/bytes", { readBytes: 1024 });
    const held = await openWire(t, gateway, "/streams/bytes", { readBytes: 777 });
    held.socket.pause();
    const count = 6000;
    for (let from = 1; from <= count; from += 500)
        await database.query("SELECT pg_notify('bytes', repeat(chr(945 + i % 20), i % 900) || i) FROM generate_series($1::int, $2::int) i", [from, from + 499]);
    const last = (wire) => wire.chunks.length > 0 && Buffer.concat(wire.chunks.slice(-20)).toString("latin1").includes(`${count}"}\n\n`);
    await fast.until(() => last(fast), "the last event");
    held.socket.resume();
    for (const wire of [slow, held]) await wire.until(() => last(wire), "the last event", 20_000);
    const behindReady = (wire) => wire.body.subarray(wire.body.indexOf("\n\n", wire.body.indexOf("event: ready\n")) + 2);
    const expected = behindReady(fast);
    t.diagnostic(`${expected.length} bytes`);
    assert.equal(fast.messages.length, count);
    for (const wire of [slow, held]) assert.ok(expected.equals(behindReady(wire)), "the same bytes");
});

test("100 clients that come and go at random all get whole events in order", async (t) => {
    const { database, gateway, before } = await setUp(t);
    await subscribe(t, gateway.stream("random"));
    let last = 0;
    let stopped = false;
    const writing = (async () => {
        while (!stopped) {
            await notify(database, "random", last + 1, (last += 50));
            await sleep(1);
        }
    })();
    const end = performance.now() + 3000;
    let connections = 0;
    let received = 0;
    const client = async () => {
        while (performance.now() < end) {
            const wire = new Wire(t, gateway.port, { readBytes: Math.random() < 0.3 ? 500 : undefined }).send(requestText("/streams/random"));
            connections++;
            const stay = Math.random() * 300;
            if (stay > 50) await wire.contains("event: ready\n");
            await sleep(stay);
            wire[Math.random() < 0.5 ? "reset" : "close"]();
            const { blocks, messages } = wire;
            if (wire.bytes > 0) assert.match(wire.text, stay > 50 ? OPENING : /^HTTP\/1\.1 200 OK\r\n/);
            assert.ok(blocks.every((block) => block.name !== "gap"));
            assertRising(messages, "of a stream");
            received += messages.length;
        }
    };
    await Promise.all(Array.from({ length: 100 }, client)).finally(() => (stopped = true));
    await writing;
    t.diagnostic(`${connections} connections got ${received} of ${last} events`);
    await until(async () => (await gateway.metric("tuplecast_streams")) === 1, "the one stream that stays", 2000);
    await descriptorsFall(gateway.pid, before + 1);
    const late = await openWire(t, gateway, "/streams/random");
    await notify(database, "random", -1, -1);
    await late.contains('"data":-1}');
});
