// www/tuplecast.js in many tabs of one browser: one connection for all, and nothing lost or doubled whoever holds it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeInBrowsers } from "./lib/browsers.mjs";
import { proveNothingLostSilently } from "./lib/counter.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { range, startNumbers } from "./lib/numbers.mjs";
import { sleep } from "./lib/proc.mjs";
import { startRelay } from "./lib/relay.mjs";
import { until } from "./lib/until.mjs";
import { Watcher } from "./lib/watcher.mjs";

const WAIT_MS = 30_000;
const TABS = 8; // browsers allow six connections to a host
const SEED = Number(process.env.TUPLECAST_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Park and Miller's numbers: the same for the same seed. */
function randomFrom(seed) {
    let state = (seed % 2147483646) + 1;
    return (below) => (state = (state * 48271) % 2147483647) % below;
}

const streamsFall = (gateway, most) =>
    until(async () => (await gateway.metric("tuplecast_streams")) <= most, `at most ${most} streams`, WAIT_MS);

const leaderOf = async (tabs) => {
    const roles = await Promise.all(tabs.map(async (tab) => (await tab.now()).role));
    const leaders = tabs.filter((_, i) => roles[i] === "leader");
    return leaders.length === 1 && leaders[0];
};
const leads = (tabs) => until(() => leaderOf(tabs), "one leader", WAIT_MS);

describeInBrowsers((newContext, browser) => {
    test("more tabs than a browser has connections share one; all of them see it go and come back", async (t) => {
        const { gateway, path, publish } = await startNumbers(t);
        const context = await newContext(t);
        const tabs = await Promise.all(Array.from({ length: TABS }, () => Watcher.open(context, gateway.origin, path)));
        for (const tab of tabs) await tab.count("ready", 1, WAIT_MS);
        await streamsFall(gateway, 1);
        await publish(5);
        for (const tab of tabs) await tab.number(5, WAIT_MS);
        await gateway.stop();
        const states = await Promise.all(tabs.map((tab) => tab.is({ state: "waiting" }, WAIT_MS)));
        assert.deepEqual(new Set(states.map(({ database }) => database)), new Set(["unknown"]));
        await gateway.start();
        for (const tab of tabs) await tab.count("ready", 2, WAIT_MS);
        const last = await publish(5);
        for (const tab of tabs) await tab.number(last, WAIT_MS);
        for (const tab of tabs) {
            const seen = await tab.seen();
            assert.deepEqual(proveNothingLostSilently(range(1, last), seen), { delivered: 10, missing: 0, gaps: 1 });
        }
        assert.equal(await gateway.metric("tuplecast_streams"), 1);
        assert.ok(await leaderOf(tabs));
    });

    test("a tab takes over from a leader that is closed, or stands still; none lost, none twice", async (t) => {
        const { gateway, path, publish } = await startNumbers(t, { TUPLECAST_STREAMS_HEARTBEAT_MS: "1000" });
        const relay = await startRelay(t, gateway.port);
        const context = await newContext(t);
        const tabs = [];
        for (let i = 0; i < 4; i++) {
            tabs.push(await Watcher.open(context, relay.origin, path, { silenceMs: 2500 }));
            await tabs[i].count("ready", 1, WAIT_MS);
        }
        assert.equal(await leaderOf(tabs), tabs[0]);
        await publish(20);
        await tabs.shift().page.close();
        for (const tab of tabs) await tab.number(20);
        await publish(20);
        for (const tab of tabs) await tab.number(40, WAIT_MS);

        const leader = await leads(tabs);
        // Nothing runs in the leader's tab until it is answered. Firefox goes on with some things meanwhile, so there it counts.
        let thaw;
        const thawed = new Promise((resolve) => (thaw = () => resolve({ status: 204 })));
        relay.answer = ({ url }) => (url.pathname === "/thawed" ? thawed : null);
        const frozen = leader.page.evaluate((counts) => {
            if (counts) for (const end = Date.now() + 8000; Date.now() < end; );
            const request = new XMLHttpRequest();
            request.open("GET", "/thawed", false);
            if (!counts) request.send();
        }, browser === "Firefox");
        const awake = tabs.filter((tab) => tab !== leader);
        await publish(20);
        for (const tab of awake) await tab.number(60, WAIT_MS);
        await leads(awake);
        await publish(20);
        thaw();
        await frozen;
        const last = await publish(20);
        for (const tab of tabs) await tab.number(last, WAIT_MS);
        for (const tab of tabs) assert.deepEqual(await tab.seen(), range(1, last));
        await leads(tabs);
        await streamsFall(gateway, 1);
    });

    test("tabs that resume from different places, or from the earliest, end up on one connection with everything", async (t) => {
        const { gateway, path, publish } = await startNumbers(t);
        const context = await newContext(t);
        const open = (options, address = path) => Watcher.open(context, gateway.origin, address, { share: "us", ...options });
        const first = await open();
        await first.count("ready", 1, WAIT_MS);
        await publish(30);
        await first.number(30, WAIT_MS);
        const changes = (await first.events()).filter(({ name }) => name === "change");
        const ids = new Map(changes.map(({ detail }) => [detail.data, detail.eventId]));
        const resumed = await Promise.all([5, 20, 29, 30].map((number) => open({ lastEventId: ids.get(number) })));
        const late = await open();
        for (const tab of [...resumed, late]) await tab.count("ready", 1, WAIT_MS);
        await publish(10);
        for (const tab of [first, ...resumed, late]) await tab.number(40, WAIT_MS);
        for (const [i, from] of [5, 20, 29, 30].entries()) assert.deepEqual(await resumed[i].seen(), range(from + 1, 40));
        assert.deepEqual(await late.seen(), range(31, 40));
        await streamsFall(gateway, 1);

        const two = await Promise.all([0, 1].map(() => open({}, `${path}?from=earliest`)));
        for (const tab of two) await tab.number(40, WAIT_MS);
        await publish();
        for (const tab of two) {
            await tab.number(41, WAIT_MS);
            assert.deepEqual((await tab.seen()).filter(Number), range(1, 41));
        }
        await streamsFall(gateway, 2);
        // Who must not share does not.
        const alone = await open({ share: false });
        const others = await open({ share: "them" });
        await alone.is({ role: "alone", state: "open" });
        await others.is({ role: "leader", state: "open" });
        assert.equal(await gateway.metric("tuplecast_streams"), 4);
    });

    test(`tabs come, go, are reloaded and cut off at random: none lost, none twice (seed ${SEED})`, async (t) => {
        const random = randomFrom(SEED);
        const { gateway, path, publish } = await startNumbers(t);
        const cutter = await startCutter(t, gateway.port);
        const context = await newContext(t);
        const tabs = [];
        const before = new Map(); // what a tab had seen before it was reloaded
        const seen = async (tab) => [...(before.get(tab) ?? []), ...(await tab.seen())];
        const open = async () => {
            tabs.push(await Watcher.open(context, cutter.origin, path, { resume: "numbers" }));
            await tabs.at(-1).count("ready", 1, WAIT_MS);
        };
        // Some writing goes on all the time, so that everything happens between two events.
        let writing = true;
        const writer = (async () => {
            while (writing) {
                await publish(1 + random(4));
                await sleep(random(30));
            }
        })();
        t.after(() => (writing = false));
        await open();
        for (let step = 0; step < 20; step++) {
            const any = tabs[random(tabs.length)];
            const what = random(5);
            if (what === 0 && tabs.length < 5) await open();
            else if (what === 1 && tabs.length > 2) {
                tabs.splice(tabs.indexOf(any), 1);
                await any.page.close();
            } else if (what === 2) {
                await any.page.evaluate(() => dispatchEvent(new Event("pagehide"))); // what reload() does to it
                before.set(any, await seen(any));
                await any.reload();
            } else if (what === 3) cutter.cut();
            else await any.page.evaluate(() => document.dispatchEvent(new Event("freeze")) && document.dispatchEvent(new Event("resume")));
        }
        writing = false;
        await writer;
        const last = await publish(5);
        for (const tab of tabs) {
            await tab.number(last, WAIT_MS);
            const all = await seen(tab);
            assert.deepEqual(all, range(all[0], last));
        }
        await streamsFall(gateway, 1);
    });
});
