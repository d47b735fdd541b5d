// Durable channels whose log is emptied as fast as allowed, readers that are slow, and readers that begin at the earliest event while more
// arrive. What is within the promised window arrives, whatever happens; DURABLE_EVENTS as in durable-count.test.mjs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { count, dice, EVENTS, openBank, SHAPES, startReader, startReaders, Writers } from "./lib/bank.mjs";
import { sleep } from "./lib/proc.mjs";
import { until } from "./lib/until.mjs";

const LIMITS = { timeout: 300_000 };
const FORGETFUL = { TUPLECAST_LIMITS_CHANNEL_MEMORY_BYTES: "65536", TUPLECAST_LIMITS_FEED_LOG_BYTES: "131072", TUPLECAST_DURABLE_PAGE_BYTES: "65536" };
const WINDOW_MS = 3000;
const SLACK_MS = 1500; // the readers' clocks, and the time that a tick takes

test("retention that runs all the time takes nothing out of its window; who was away for longer is told", LIMITS, async (t) => {
    const { database, gateways } = await openBank(t, { settings: [{}, FORGETFUL] });
    const readers = await startReaders(t, gateways, dice(1));
    const sleeper = await startReader(t, gateways.slice(1), dice(2), SHAPES.all, { gaps: ["expired"], mayMiss: true });
    const writers = new Writers(database, 1, Infinity);
    const keeper = await database.connect(t);
    let dropped = 0;
    let retained = 0;
    const retaining = (async () => {
        while (writers.wanted > 0) {
            const { rows } = await keeper.query("SELECT dropped FROM tuplecast.retain(make_interval(secs => $1), 1::bigint << 40)", [WINDOW_MS / 1000]);
            dropped += Number(rows[0].dropped);
            retained++;
            await sleep(50);
        }
    })();
    await until(() => writers.committed > 300, "some changes", 60_000);
    sleeper.betweenMs = 3 * WINDOW_MS;
    sleeper.cut();
    await until(() => sleeper.connections === 2, "the sleeper's return", 120_000);
    const returned = Date.now();
    await until(() => writers.committed > EVENTS && dropped > 0, () => `${EVENTS} changes, and something dropped: ${writers.committed}, ${dropped}`, 120_000);
    writers.wanted = 0;
    await Promise.all([writers.done, retaining]);
    await count(t, database, [...readers, sleeper]);
    assert.deepEqual(sleeper.seen.filter((item) => item.gap).map((item) => item.gap), ["expired"]);
    const afterGap = sleeper.seen[sleeper.seen.findIndex((item) => item.gap) + 1];
    assert.ok(afterGap.at <= returned - WINDOW_MS + SLACK_MS, `what came ${returned - afterGap.at} ms before its return was missing`);
    t.diagnostic(`${retained} times, ${dropped} bytes dropped, ${writers.committed} changes; the sleeper went on ${returned - afterGap.at} ms before its return`);
});

test("readers that are slow get everything from the log", LIMITS, async (t) => {
    const { database, gateways } = await openBank(t, { settings: [FORGETFUL, FORGETFUL] });
    const readers = await startReaders(t, gateways, dice(3));
    const slow = [await startReader(t, gateways, dice(4), SHAPES.all), await startReader(t, gateways, dice(5), SHAPES.one)];
    for (const reader of slow) reader.pause();
    const writers = new Writers(database, 3, EVENTS, { padding: 2000 });
    await writers.done;
    for (const reader of slow) reader.resume();
    await count(t, database, [...readers, ...slow]);
    for (const reader of slow) assert.equal(reader.connections, 1, "it was neither cut off nor told to come back");
    const pages = await Promise.all(gateways.map((gateway) => gateway.metric("tuplecast_durable_history_pages_total")));
    assert.ok(pages[0] + pages[1] > 0);
    t.diagnostic(`${pages.join(" and ")} pages of history`);
});

test("readers that begin at the earliest event while more arrive get all of them once", LIMITS, async (t) => {
    const { database, gateways } = await openBank(t, { settings: [{}, FORGETFUL] });
    const random = dice(6);
    const readers = [];
    const writers = new Writers(database, 6, EVENTS);
    for (let part = 0; part < 1; part += 0.08) {
        await writers.reach(part);
        const shape = Object.values(SHAPES)[readers.length % 3];
        readers.push(await startReader(t, gateways, random, shape, { query: { ...shape.query, from: "earliest" } }));
        if (random() < 0.5) readers[Math.floor(random() * readers.length)].move();
    }
    await writers.done;
    await count(t, database, readers);
});
