// What needs no code of ours: the EventSource of both browsers, through nginx with HTTP/2, in ten tabs at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeInBrowsers } from "./lib/browsers.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { startNginx } from "./lib/nginx.mjs";
import { range, startNumbers } from "./lib/numbers.mjs";
import { until } from "./lib/until.mjs";
import { Watcher } from "./lib/watcher.mjs";

const TABS = 10;
const WAIT_MS = 30_000;

describeInBrowsers((newContext) => {
    /** Ten tabs on nginx; resolves with what the test needs of it all. */
    const setUp = async (t) => {
        const numbers = await startNumbers(t);
        const cutter = await startCutter(t, numbers.gateway.port);
        const origin = await startNginx(t, cutter.port);
        const context = await newContext(t);
        return { ...numbers, publish: numbers.publish, cutter, origin, context };
    };

    test("ten tabs with a native EventSource each receive all, over HTTP/2, and resume when they are cut off", async (t) => {
        const { gateway, cutter, origin, path, publish, context } = await setUp(t);
        const tabs = await Promise.all(
            Array.from({ length: TABS }, async () => {
                const page = await context.newPage();
                await page.goto(`${origin}/tuplecast.d.ts`);
                await page.evaluate((url) => {
                    const seen = [];
                    const source = new EventSource(url);
                    source.onmessage = ({ data }) => seen.push(JSON.parse(data).data);
                    source.addEventListener("gap", ({ data }) => seen.push({ gap: JSON.parse(data).reason }));
                    let readies = 0;
                    source.addEventListener("ready", () => readies++);
                    globalThis.read = () => ({ seen, readies, protocol: performance.getEntriesByType("navigation")[0].nextHopProtocol });
                }, path);
                return page;
            }),
        );
        const all = (find, what) =>
            Promise.all(
                tabs.map((page) => {
                    let state;
                    return until(async () => find((state = await page.evaluate(() => globalThis.read()))) && state,
                        () => `${what}, a tab has ${JSON.stringify(state)}`, WAIT_MS);
                }),
            );
        const states = await all(({ readies }) => readies === 1, "ready in every tab");
        assert.deepEqual(new Set(states.map(({ protocol }) => protocol)), new Set(["h2"]));
        assert.equal(await gateway.metric("tuplecast_streams"), TABS);
        await publish(20);
        await all(({ seen }) => seen.at(-1) === 20, "number 20");
        cutter.cut();
        await publish(5);
        await all(({ readies }) => readies === 2, "ready again");
        await publish(5);
        for (const { seen } of await all(({ seen }) => seen.at(-1) === 30, "number 30")) assert.deepEqual(seen, range(1, 30));
    });

    test("ten tabs with tuplecast.js do the same over one stream", async (t) => {
        const { gateway, cutter, origin, path, publish, context } = await setUp(t);
        const tabs = await Promise.all(Array.from({ length: TABS }, () => Watcher.open(context, origin, path)));
        for (const tab of tabs) await tab.count("ready", 1, WAIT_MS);
        await publish(20);
        for (const tab of tabs) await tab.number(20, WAIT_MS);
        cutter.cut();
        await publish(10);
        for (const tab of tabs) {
            await tab.number(30, WAIT_MS);
            assert.deepEqual(await tab.seen(), range(1, 30));
        }
        await until(async () => (await gateway.metric("tuplecast_streams")) === 1, "one stream", WAIT_MS);
    });
});
