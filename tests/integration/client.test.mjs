// www/tuplecast.js in real browsers: one tab, and what can happen to its connection.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeInBrowsers } from "./lib/browsers.mjs";
import { proveNothingLostSilently } from "./lib/counter.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { range, startNumbers } from "./lib/numbers.mjs";
import { startRelay } from "./lib/relay.mjs";
import { openStream } from "./lib/sse.mjs";
import { createFolder } from "./lib/tokens.mjs";
import { until } from "./lib/until.mjs";
import { Watcher } from "./lib/watcher.mjs";

const TOKEN = "client-token-0123456789abcdef";

describeInBrowsers((newContext, browser) => {
    /** A tab that watches the numbers from `origin`, and has `ready`. */
    const watch = async (t, origin, path, options) => {
        const tab = await Watcher.open(await newContext(t), origin, path, options);
        await tab.count("ready");
        return tab;
    };

    test("a change arrives with what it holds; the states come in their order", async (t) => {
        const { database, gateway } = await startNumbers(t);
        await database.createPosts();
        const tab = await watch(t, gateway.origin, "/streams/posts_changes");
        await database.query("INSERT INTO posts (title) VALUES ('Hello')");
        const { detail } = await tab.find((events) => events.find(({ name }) => name === "change"), "a change");
        const { eventId, text, ...rest } = detail;
        assert.deepEqual(rest, {
            channel: "posts_changes",
            table: "posts",
            type: "INSERT",
            key: 1,
            data: { id: 1, title: "Hello" },
        });
        assert.match(text, /^{"channel":"posts_changes".*"id":1,"data":{"id":1,"title":"Hello"}}$/);
        const now = await tab.now();
        assert.deepEqual(now, { ...now, state: "open", role: "leader", database: "up", lastEventId: eventId });
        await tab.page.evaluate(() => globalThis.stream.close());
        const told = (await tab.events()).map(({ name, detail }) => (name === "state" ? detail.state : name));
        assert.deepEqual(told, ["open", "ready", "change", "closed"]);
    });

    test("a cut connection is resumed, and a restarted gateway is a gap: never anything lost without a word", async (t) => {
        const { gateway, path, publish } = await startNumbers(t);
        const cutter = await startCutter(t, gateway.port);
        const tab = await watch(t, cutter.origin, path);
        await tab.number(await publish(5));
        cutter.cut();
        await publish(5);
        await tab.number(await publish(5));
        assert.deepEqual(await tab.seen(), range(1, 15));
        await gateway.stop();
        await tab.find((events) => events.some(({ detail }) => detail.reason === "bye"), "waiting because of bye");
        await publish(5);
        await gateway.start();
        await tab.count("ready", 3, 30_000);
        const last = await publish(5);
        await tab.number(last);
        assert.deepEqual(proveNothingLostSilently(range(1, last), await tab.seen()), { delivered: 20, missing: 5, gaps: 1 });
    });

    test("a proxy's 502, and its 503 with Retry-After, are waited for, longer each time", async (t) => {
        const { gateway, path, publish } = await startNumbers(t);
        const relay = await startRelay(t, gateway.port);
        const tab = await watch(t, relay.origin, path, { share: false });
        await gateway.kill();
        const waits = await tab.find((events) => {
            const found = events.filter(({ detail }) => detail.state === "waiting" && detail.status === 502);
            return found.length >= 3 && found;
        }, "three answers 502", 30_000);
        // 300 ms at first, each time up to twice as long, and at least half of that.
        const waitMs = waits.map(({ detail, at }) => detail.retryAt - at);
        waitMs.forEach((ms, i) => assert.ok(ms > 50 && ms <= 360 * 2 ** (i + 2), `${waitMs}`));
        assert.deepEqual({ ...waits[0].detail, retryAt: 0 }, {
            state: "waiting", reason: "refused", status: 502, message: "The answer was 502 Bad Gateway", retryAt: 0, role: "alone",
        });
        relay.answer = () => ({ status: 503, headers: { "Retry-After": "100" }, body: "" });
        const { detail, at } = await tab.find((events) => events.find((event) => event.detail.status === 503), "503", 30_000);
        assert.ok(detail.retryAt - at > 90_000 && detail.retryAt - at <= 100_000, `${detail.retryAt - at}`);
        relay.answer = () => null;
        await gateway.start();
        await gateway.ready();
        await tab.page.evaluate(() => globalThis.stream.reconnect());
        await tab.count("ready", 2);
        await tab.number(await publish());
    });

    test("what the gateway refuses is closed with its own words, and can be tried again", async (t) => {
        const { gateway, path } = await startNumbers(t, { TUPLECAST_CHANNELS: "numbers" });
        const relay = await startRelay(t, gateway.port);
        const tab = await Watcher.open(await newContext(t), relay.origin, "/streams/secrets");
        const now = await tab.is({ state: "closed" });
        assert.deepEqual([now.reason, now.status], ["refused", 404]);
        assert.match(now.message, /^Channel "secrets" is not among those/);

        relay.answer = ({ url }) => (url.pathname === path ? { status: 204 } : null);
        await tab.connect(path, { share: false });
        await tab.is({ state: "closed", status: 204 });
        relay.answer = () => ({ status: 200, headers: { "Content-Type": "text/html" }, body: "<p>Welcome to our network" });
        await tab.page.evaluate(() => globalThis.stream.reconnect());
        await tab.is({ state: "closed", message: 'The answer was not an event stream but "text/html".' });
        relay.answer = () => null;
        await tab.page.evaluate(() => globalThis.stream.reconnect());
        await tab.count("ready");
        // What has worked may work again: a portal's page on the way is no reason to give up.
        relay.answer = () => ({ status: 200, headers: { "Content-Type": "text/html" }, body: "<p>Log in again" });
        await gateway.restart();
        await tab.is({ state: "waiting", reason: "refused", status: 200 });
        relay.answer = () => null;
        await tab.count("ready", 2, 30_000);
    });

    test("a gateway of another origin that goes and comes back is found again", async (t) => {
        const home = await startRelay(t, 1);
        home.answer = () => ({ status: 200, headers: { "Content-Type": "text/plain" }, body: "" });
        const { gateway, path, publish } = await startNumbers(t, { TUPLECAST_CORS_ORIGINS: home.origin });
        const tab = new Watcher(await (await newContext(t)).newPage(), gateway.origin);
        await tab.page.goto(home.origin);
        await tab.connect(gateway.stream("numbers"));
        await tab.count("ready");
        await tab.number(await publish());
        await gateway.kill();
        await tab.is({ state: "waiting", reason: "unreachable" }, 30_000);
        await gateway.start();
        await tab.count("ready", 2, 30_000);
        await tab.number(await publish());
        assert.equal((await tab.seen()).filter(({ gap }) => gap === "restart").length, 1);
        assert.equal(path, gateway.stream("numbers").pathname);
    });

    test("a connection that died without a word is noticed by its silence, and none is lost", async (t) => {
        const { gateway, path, publish } = await startNumbers(t, { TUPLECAST_STREAMS_HEARTBEAT_MS: "1000" });
        const cutter = await startCutter(t, gateway.port);
        const tab = await watch(t, cutter.origin, path, { silenceMs: 2500 });
        await tab.number(await publish(5));
        cutter.freeze();
        cutter.thaw();
        await tab.number(await publish(10), 30_000);
        assert.ok((await tab.events()).some(({ detail }) => detail.reason === "silent"));
        assert.deepEqual(await tab.seen(), range(1, 15));
        // The heartbeat is enough to live on.
        const { connections } = cutter;
        const quietSince = Date.now();
        await tab.find(() => Date.now() - quietSince > 3000, "quiet seconds");
        assert.equal(cutter.connections, connections);
    });

    test("a reload goes on where the page was: none lost, none twice", async (t) => {
        const { gateway, path, publish } = await startNumbers(t);
        const tab = await watch(t, gateway.origin, path, { resume: "numbers" });
        await tab.number(await publish(5));
        await tab.leave();
        await publish(5);
        await tab.reload();
        await tab.number(await publish(5));
        assert.deepEqual(await tab.seen(), range(6, 15));
        await tab.reload();
        await tab.count("ready");
        await tab.number(await publish());
        assert.deepEqual(await tab.seen(), [16]);
    });

    test("each connection has a ticket of its own, by token or by function", async (t) => {
        const folder = await createFolder(t);
        const { gateway, path, publish } = await startNumbers(t, {
            TUPLECAST_ACCESS_STREAMS: "token",
            TUPLECAST_ACCESS_TOKENS_FILE: await folder.write("tokens", `${TOKEN} numbers`),
        });
        const relay = await startRelay(t, gateway.port);
        const tab = await watch(t, relay.origin, path, { token: TOKEN });
        await tab.number(await publish());
        assert.equal((await tab.now()).role, "alone");
        await gateway.restart();
        await tab.count("ready", 2, 30_000);
        await tab.number(await publish());
        const used = relay.requests.flatMap(({ url }) => url.searchParams.get("ticket") ?? []);
        assert.equal(new Set(used).size, used.length);
        assert.ok(used.length >= 2);
        assert.ok(relay.requests.every(({ url }) => !url.href.includes(TOKEN)));

        await tab.connect(path, { token: "some-other-token-0123456789abcdef" });
        const { message } = await tab.is({ state: "closed", reason: "refused", status: 401 });
        assert.match(message, /token/);
        await tab.page.evaluate((token) => {
            let asked = 0;
            globalThis.giveTicket = async () => {
                if (++asked === 1) throw new Error("no network");
                const answer = await fetch("/tickets", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
                return (await answer.json()).ticket;
            };
        }, TOKEN);
        await tab.connect(path, { ticket: "giveTicket", share: "somebody" });
        await tab.count("ready");
        assert.equal((await tab.events()).find(({ detail }) => detail.state === "waiting").detail.message, "no network");
        await assert.rejects(tab.connect(path, { token: TOKEN, share: true }), /share is a text of its own for each user/);
    });

    test("a full gateway says busy; the stream comes when there is room", async (t) => {
        const { gateway, path, publish } = await startNumbers(t, { TUPLECAST_LIMITS_STREAMS: "1" });
        const other = await openStream(t, gateway.stream("numbers"));
        await other.next("ready");
        const tab = await Watcher.open(await newContext(t), gateway.origin, path);
        await tab.count("busy");
        const { detail } = await tab.find((events) => events.find((event) => event.detail.reason === "busy"), "waiting");
        assert.match(detail.message, /limits\.streams/);
        other.close();
        await tab.count("ready", 1, 30_000);
        await tab.number(await publish());
    });

    test("a page that comes back by the back button goes on where it was", async (t) => {
        const { gateway, path, publish } = await startNumbers(t);
        const tab = await watch(t, gateway.origin, path, { resume: "numbers" });
        await tab.number(await publish(3));
        await tab.leave();
        await publish(3);
        await tab.page.evaluate(() => history.back());
        // Chromium keeps the page as it was, and Firefox, as it is driven here, loads it anew.
        const known = () => tab.page.evaluate(() => location.pathname.endsWith("svg") ? "" : globalThis.stream ? "kept" : "loaded");
        const kept = (await until(() => known().catch(() => ""), "the page before")) === "kept";
        if (browser === "Chromium") assert.ok(kept);
        if (!kept) await tab.connect(tab.asked.url, tab.asked.options);
        await tab.number(await publish(3));
        assert.deepEqual(await tab.seen(), kept ? range(1, 9) : range(4, 9));
    });
});
