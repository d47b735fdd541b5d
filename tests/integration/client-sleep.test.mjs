// A computer that sleeps, with www/tuplecast.js in a tab: every process of the browser stands still, and the network forgets
// its connection meanwhile. With TUPLECAST_SLEEP_S they sleep for so long, and once more while the gateway is restarted; the
// ordinary tests have no minute to spare.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BROWSERS } from "./lib/browsers.mjs";
import { proveNothingLostSilently } from "./lib/counter.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { range, startNumbers } from "./lib/numbers.mjs";
import { sleep, whileBrowsersSleep } from "./lib/proc.mjs";
import { Watcher } from "./lib/watcher.mjs";

const SLEEP_MS = 1000 * Number(process.env.TUPLECAST_SLEEP_S ?? 4);
const WAIT_MS = 30_000;

/** Runs step() at the beginning of a sleep. */
const whileAsleep = (step) =>
    whileBrowsersSleep(async () => {
        await step();
        await sleep(SLEEP_MS);
    });

for (const [name, start] of Object.entries(BROWSERS)) {
    test(`${name} wakes up and gets what it missed, or is told that it cannot`, async (t) => {
        const { gateway, path, publish } = await startNumbers(t, { TUPLECAST_STREAMS_HEARTBEAT_MS: "1000" });
        const cutter = await startCutter(t, gateway.port);
        const browser = await start();
        t.after(() => browser.close());
        const context = await browser.newContext();
        const tabs = [];
        for (let i = 0; i < 2; i++) tabs.push(await Watcher.open(context, cutter.origin, path, { silenceMs: 3000 }));
        for (const tab of tabs) await tab.count("ready", 1, WAIT_MS);
        await publish(5);
        for (const tab of tabs) await tab.number(5, WAIT_MS);
        await whileAsleep(async () => {
            cutter.freeze();
            cutter.thaw();
            await publish(5);
        });
        await publish(5);
        for (const tab of tabs) {
            await tab.number(15, WAIT_MS);
            assert.deepEqual(await tab.seen(), range(1, 15));
        }
        if (!process.env.TUPLECAST_SLEEP_S) return;
        await whileAsleep(async () => {
            cutter.freeze();
            cutter.thaw();
            await publish(5);
            await gateway.restart();
        });
        for (const tab of tabs) await tab.find((events) => events.some(({ name }) => name === "gap"), "a gap", WAIT_MS);
        const last = await publish(5);
        for (const tab of tabs) {
            await tab.number(last, WAIT_MS);
            assert.deepEqual(proveNothingLostSilently(range(1, last), await tab.seen()), { delivered: 20, missing: 5, gaps: 1 });
        }
    });
}
