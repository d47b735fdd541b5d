// A client that comes back gets what it missed, or is told that something is missing, and why.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDatabase, server } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { openStream, request, subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const CHANNEL = "numbers";

async function setUp(t, env = {}) {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, { ...database.env, ...env });
    await gateway.ready();
    let last = 0;
    /** Publishes the next `count` numbers; returns the last. */
    const publish = async (count = 1, channel = CHANNEL, padding = 0) => {
        for (let i = 0; i < count; i++) await database.notify(channel, JSON.stringify({ n: ++last, padding: "x".repeat(padding) }));
        return last;
    };
    return { database, gateway, publish };
}

const resume = (t, gateway, id, channels = CHANNEL, query = {}) =>
    openStream(t, gateway.stream(channels, query), { headers: { "Last-Event-ID": id } });

/** All gaps and numbers of a stream from its beginning up to this number, once that is there. */
async function upTo(stream, number) {
    const seen = () =>
        stream.events
            .filter((event) => event.name === "gap" || event.name === "message")
            .map((event) => (event.name === "gap" ? `gap: ${event.json.reason}` : event.json.data.n));
    await stream.until(() => seen().includes(number) || undefined, `number ${number}`);
    return seen();
}

/** A gap says what was asked for and where the stream goes on, which is its own id. */
function checkGap(stream, reason, requested) {
    const gaps = stream.events.filter((event) => event.name === "gap");
    assert.equal(gaps.length, 1);
    const { reason: found, requested: asked, resumed } = gaps[0].json;
    assert.deepEqual([found, asked], [reason, requested]);
    assert.equal(resumed, gaps[0].id);
    assert.match(resumed, /^[0-9A-Za-z._-]{1,64}$/);
    return gaps[0];
}

describe("a client that comes back to a running gateway", () => {
    test("gets exactly what it missed, and no gap", async (t) => {
        const { gateway, publish } = await setUp(t);
        const first = await subscribe(t, gateway.stream(CHANNEL));
        await publish(3);
        const [, second] = await first.messages(3);
        first.close();
        await publish(100);
        assert.deepEqual(await upTo(await resume(t, gateway, second.id), 103), Array.from({ length: 101 }, (_, i) => i + 3));
    });

    test("resumes from ready when it saw nothing else", async (t) => {
        const { gateway, publish } = await setUp(t);
        const first = await subscribe(t, gateway.stream(CHANNEL));
        first.close();
        await publish(5);
        assert.deepEqual(await upTo(await resume(t, gateway, first.ready.id), 5), [1, 2, 3, 4, 5]);
    });

    test("gets what it missed on each of several channels, in order", async (t) => {
        const { gateway, publish } = await setUp(t);
        const channels = ["a", "b", "c"];
        const first = await subscribe(t, gateway.stream(channels));
        await publish(1, "a");
        const [one] = await first.messages(1);
        first.close();
        for (let i = 0; i < 30; i++) await publish(1, channels[i % 3]);
        assert.deepEqual(await upTo(await resume(t, gateway, one.id, channels), 31), Array.from({ length: 30 }, (_, i) => i + 2));
    });

    test("keeps its filters", async (t) => {
        const { database, gateway } = await setUp(t);
        const query = { type: "UPDATE" };
        const send = (type, n) => database.notify(CHANNEL, JSON.stringify({ table: "t", type, id: n, data: { n } }));
        const first = await subscribe(t, gateway.stream(CHANNEL, query));
        await send("UPDATE", 1);
        const [one] = await first.messages(1);
        first.close();
        for (let n = 2; n < 20; n++) await send(n % 2 ? "UPDATE" : "INSERT", n);
        assert.deepEqual(await upTo(await resume(t, gateway, one.id, CHANNEL, query), 19), [3, 5, 7, 9, 11, 13, 15, 17, 19]);
    });

    test("again and again, while changes go on, misses nothing and gets nothing twice", async (t) => {
        const { gateway, publish } = await setUp(t);
        const first = await subscribe(t, gateway.stream(CHANNEL));
        first.close();
        let id = first.ready.id;
        const publishing = publish(600);
        const seen = [];
        while (seen.at(-1) !== 600) {
            const stream = await resume(t, gateway, id);
            for (let i = 0; i < 20 && seen.at(-1) !== 600; i++) {
                const event = await stream.next((each) => each.name === "message" || each.name === "gap");
                assert.equal(event.name, "message", event.raw);
                seen.push(event.json.data.n);
                id = event.id;
            }
            stream.close();
        }
        await publishing;
        assert.deepEqual(seen, Array.from({ length: 600 }, (_, i) => i + 1));
    });
});

describe("a gap is announced", () => {
    test("as restart when the id is of an earlier run of the gateway", async (t) => {
        const { gateway, publish } = await setUp(t);
        const first = await subscribe(t, gateway.stream(CHANNEL));
        await publish(2);
        const { id } = (await first.messages(2))[1];
        await gateway.stop();
        await publish(2);
        await gateway.start();
        const stream = await resume(t, gateway, id);
        await stream.next("ready");
        await publish(2);
        const [gap, ...numbers] = (await stream.next("message"), stream.events.filter((event) => event.name === "gap" || event.name === "message"));
        assert.equal(gap.name, "gap", "before any change");
        checkGap(stream, "restart", id);
        assert.equal(numbers[0].json.data.n, 5);
        // Where it goes on: the gap's id leads to what came after it, without another gap.
        assert.deepEqual(await upTo(await resume(t, gateway, gap.id), 6), [5, 6]);
    });

    test("as outage to a connected client, once the database is back", async (t) => {
        const { gateway, publish } = await setUp(t);
        const stream = await subscribe(t, gateway.stream(CHANNEL));
        await publish(1);
        await stream.messages(1);
        await server("restart");
        assert.deepEqual((await stream.next("status")).json, { database: "down" });
        assert.deepEqual((await stream.next("status")).json, { database: "up" });
        // Nothing that is committed after "up" may be missed.
        await until(() => publish(1).then(() => true, () => false), "a connection of our own");
        const { json } = await stream.next("message");
        const gap = stream.events.find((event) => event.name === "gap");
        assert.ok(gap, "a gap");
        assert.deepEqual([gap.json.reason, gap.json.resumed], ["outage", gap.id]);
        assert.ok(stream.events.indexOf(gap) < stream.events.findIndex((event) => event.json.data?.n === json.data.n));
        // And it can be resumed from like any other place.
        const again = await resume(t, gateway, gap.id);
        assert.deepEqual(await upTo(again, json.data.n), [json.data.n]);
    });

    test("as outage to a client that was away meanwhile, but not to one that saw it or came after it", async (t) => {
        const { database, gateway, publish } = await setUp(t);
        const [early, keeper] = [await subscribe(t, gateway.stream(CHANNEL)), await subscribe(t, gateway.stream(CHANNEL))];
        await publish(1);
        const [one] = await early.messages(1);
        early.close();
        assert.ok((await database.terminateOthers()) > 0);
        await keeper.next((event) => event.name === "status" && event.json.database === "up");
        await publish(2);
        await upTo(keeper, 3);
        const two = keeper.events.find((event) => event.json.data?.n === 2);
        const stream = await resume(t, gateway, one.id);
        assert.deepEqual(await upTo(stream, 3), ["gap: outage", 2, 3]);
        checkGap(stream, "outage", one.id);
        assert.deepEqual(await upTo(await resume(t, gateway, two.id), 3), [3]);
    });

    test("as expired when the id is older than what is remembered, and then all that is remembered follows", async (t) => {
        const { gateway, publish } = await setUp(t, { TUPLECAST_LIMITS_CHANNEL_MEMORY_BYTES: "65536" });
        const first = await subscribe(t, gateway.stream(CHANNEL));
        await publish(1);
        const [one] = await first.messages(1);
        first.close();
        const last = await publish(100, CHANNEL, 2000);
        await until(async () => (await gateway.metric("tuplecast_events_published_total")) >= last, "all to be taken in");
        const stream = await resume(t, gateway, one.id);
        const [gap, ...numbers] = await upTo(stream, last);
        assert.equal(gap, "gap: expired");
        checkGap(stream, "expired", one.id);
        assert.ok(numbers.length >= 5 && numbers.length <= 65, `${numbers.length} of 64 KiB are remembered`);
        assert.deepEqual(numbers, Array.from({ length: numbers.length }, (_, i) => last - numbers.length + 1 + i));
    });

    test("as expired when the channel was not listened to for a while, because nobody was there", async (t) => {
        const { database, gateway, publish } = await setUp(t, { TUPLECAST_STREAMS_LINGER_MS: "0" });
        const first = await subscribe(t, gateway.stream(CHANNEL));
        await publish(1);
        const [one] = await first.messages(1);
        const channels = async () => gateway.metric("tuplecast_channels");
        const before = await channels();
        first.close();
        await until(async () => (await channels()) < before, "the channel to be let go");
        await publish(1); // nobody listens
        const stream = await resume(t, gateway, one.id);
        await stream.next("ready");
        await publish(1);
        assert.deepEqual(await upTo(stream, 3), ["gap: expired", 3]);
        checkGap(stream, "expired", one.id);
        assert.ok(database);
    });

    test("when an id of another channel's stream leads to before this one was listened to", async (t) => {
        const { gateway, publish } = await setUp(t);
        const other = await subscribe(t, gateway.stream("other"));
        await publish(1, "other");
        const [one] = await other.messages(1);
        await publish(1); // nobody listens to this channel yet
        const stream = await resume(t, gateway, one.id);
        await stream.next("ready");
        await publish(1);
        const [gap, ...numbers] = await upTo(stream, 3);
        assert.match(gap, /^gap: (expired|unknown-id)$/);
        assert.deepEqual(numbers, [3]);
    });

    test("as unknown-id when the id is none of ours, or lies in the future", async (t) => {
        const { gateway, publish } = await setUp(t);
        const first = await subscribe(t, gateway.stream(CHANNEL));
        await publish(1);
        const [one] = await first.messages(1);
        const future = one.id.replace(/^[0-9]+/, (number) => String(Number(number) + 1000));
        for (const id of ["nonsense", "1", "-", "1-", one.id + "x", "0" + one.id, "99999999999999999999-" + one.id.split("-")[1], future]) {
            const stream = await resume(t, gateway, id);
            await stream.next("ready");
            const n = await publish(1);
            const seen = await upTo(stream, n);
            assert.match(seen[0], /^gap: (unknown-id|restart)$/, id);
            assert.equal(seen.at(-1), n);
            checkGap(stream, seen[0].slice(5), id);
            if (!id.includes("-")) assert.equal(seen[0], "gap: unknown-id");
            stream.close();
        }
    });

    test("and never an error: no id that a client may hold makes a browser give up", async (t) => {
        const { gateway, publish } = await setUp(t);
        const ids = ["x".repeat(65), "x".repeat(1000), "a b", 'quote"back\\slash', "\u00e9", "\t", "<&>", "../..", "null", "%00", "%0A"];
        for (const id of ids) {
            for (const way of [{ headers: { "Last-Event-ID": id } }, { query: { last_event_id: id } }]) {
                const stream = await openStream(t, gateway.stream(CHANNEL, way.query ?? {}), { headers: way.headers ?? {} });
                await stream.next("ready");
                const n = await publish(1);
                const seen = await upTo(stream, n);
                if (id.trim()) assert.equal(seen[0], "gap: unknown-id", JSON.stringify([id, way]));
                stream.close();
            }
        }
        // Even bytes that are not text at all.
        const { status } = await request(`${gateway.origin}/streams/${CHANNEL}?last_event_id=%FF%0d%0aid:%201`, { method: "HEAD" });
        assert.equal(status, 200);
    });
});
