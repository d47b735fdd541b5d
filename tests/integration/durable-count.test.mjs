// Durable channels: every committed change arrives exactly once and in order, through restarts of everything. Counted.
//
//   DURABLE_EVENTS   changes in each run (2500)
//   DURABLE_SEEDS    seeds ("1 2 3"); each accident is tried with the first one only, unless they are given
//
// scripts/durable-faults runs all of it at full size.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { count, dice, EVENTS, lead, openBank, SHAPES, startReader, startReaders, Writers } from "./lib/bank.mjs";
import { server } from "./lib/database.mjs";
import { sleep } from "./lib/proc.mjs";
import { until } from "./lib/until.mjs";

const SEEDS = (process.env.DURABLE_SEEDS ?? "1 2 3").split(" ").map(Number);
const ACCIDENT_SEEDS = process.env.DURABLE_SEEDS ? SEEDS : SEEDS.slice(0, 1);
const LIMITS = { timeout: 300_000 };

/** The second gateway remembers next to nothing: who comes back there reads the log. */
const SETTINGS = [{}, { TUPLECAST_LIMITS_CHANNEL_MEMORY_BYTES: "65536", TUPLECAST_LIMITS_FEED_LOG_BYTES: "131072", TUPLECAST_DURABLE_PAGE_BYTES: "65536" }];

/** Reads as one is tempted to, by "id > last"; returns a function that stops, and tells how many changes were lost. */
function readNaively(t, database) {
    const seen = new Set();
    let last = 0;
    let stopped = false;
    const reading = (async () => {
        const client = await database.connect(t);
        while (!stopped) {
            const { rows } = await client.query("SELECT id FROM tuplecast.log WHERE id > $1 ORDER BY id", [last]);
            for (const { id } of rows) seen.add(Number(id));
            if (rows.length > 0) last = Number(rows.at(-1).id);
            await sleep(5);
        }
    })();
    return async () => {
        await until(async () => Number(await database.value("SELECT coalesce(max(id), 0) FROM tuplecast.log")) === last, "the end of the log", 30_000);
        stopped = true;
        await reading;
        const rows = await database.query("SELECT id FROM tuplecast.log");
        return rows.filter(([id]) => !seen.has(Number(id))).length;
    };
}

/** Numbers on a live channel, until the function that is returned is called; it returns them. */
function chat(database) {
    const numbers = [];
    let stopped = false;
    const talking = (async () => {
        while (!stopped) {
            await database.notify("chat", JSON.stringify({ n: numbers.push(numbers.length + 1) }));
            await sleep(10);
        }
    })();
    return async () => {
        stopped = true;
        await talking;
        return numbers;
    };
}

describe("16 writers, two gateways, readers that come and go", { concurrency: 3, ...LIMITS }, () => {
    for (const seed of SEEDS)
        test(`without accidents (seed ${seed})`, LIMITS, async (t) => {
            const { database, gateways } = await openBank(t, { settings: SETTINGS });
            const readers = await startReaders(t, gateways, dice(seed));
            // On one gateway a mixed stream has no gap at all, and its live channel is whole, too.
            const faithful = await startReader(t, gateways.slice(0, 1), dice(seed), SHAPES.mixed, { gaps: [] });
            const cutting = setInterval(() => faithful.move(), 500);
            t.after(() => clearInterval(cutting));
            const lostNaively = readNaively(t, database);
            const said = chat(database);
            const writers = new Writers(database, seed, EVENTS);
            await writers.done;
            const numbers = await said();
            await count(t, database, [...readers, faithful]);
            const heard = () => faithful.seen.filter((item) => item.chat).map((item) => item.chat);
            await faithful.until(() => heard().at(-1) === numbers.at(-1) || undefined, "the last word", 30_000);
            assert.deepEqual(heard(), numbers.slice(numbers.length - heard().length));
            assert.ok(writers.rolledBack > 0);
            const lost = await lostNaively();
            t.diagnostic(`reading by "id > last" lost ${lost}`);
            assert.ok(lost > 0, "the test can fail: reading by the log's own numbers must lose something");
        });
});

async function everySecond(writers, what) {
    while (writers.committed < writers.wanted) {
        await what();
        await sleep(1000);
    }
}

/** Each gets {database, gateways, writers} while changes are made, and goes on for as long as it likes. */
const ACCIDENTS = {
    "the lead is killed": async ({ gateways, writers }) => {
        for (const part of [0.2, 0.5, 0.8]) {
            await writers.reach(part);
            const victim = await lead(gateways);
            await victim.kill();
            await lead(gateways);
            await victim.start();
        }
    },
    "the lead is frozen, and comes back": async ({ gateways, writers }) => {
        for (const part of [0.2, 0.6]) {
            await writers.reach(part);
            const victim = await lead(gateways);
            const others = gateways.filter((gateway) => gateway !== victim);
            victim.signal("SIGSTOP");
            await lead(others);
            victim.signal("SIGCONT");
        }
    },
    "all sessions of the gateways are terminated once a second": ({ database, writers }) =>
        everySecond(writers, () =>
            database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tuplecast'"),
        ),
    "both gateways are restarted": async ({ gateways, writers }) => {
        for (const part of [0.3, 0.7]) {
            await writers.reach(part);
            for (const gateway of gateways) await gateway.restart();
        }
    },
};

const SERVER_ACCIDENTS = {
    "the database crashes": async ({ database, writers }) => {
        for (const part of [0.2, 0.6]) {
            await writers.reach(part);
            await database.end();
            await server("immediate");
        }
    },
};

async function countThrough(t, seed, accident) {
    const { database, gateways } = await openBank(t, { settings: SETTINGS });
    const readers = await startReaders(t, gateways, dice(seed));
    const writers = new Writers(database, seed, EVENTS);
    await accident({ t, database, gateways, readers, writers });
    await writers.done;
    await count(t, database, readers);
}

describe("every change arrives once and in order, when", { concurrency: 3, ...LIMITS }, () => {
    for (const [what, accident] of Object.entries(ACCIDENTS))
        for (const seed of ACCIDENT_SEEDS) test(`${what} (seed ${seed})`, LIMITS, (t) => countThrough(t, seed, accident));
});

// One after the other: they are everybody's accidents.
describe("every change arrives once and in order, when", LIMITS, () => {
    for (const [what, accident] of Object.entries(SERVER_ACCIDENTS))
        for (const seed of ACCIDENT_SEEDS) test(`${what} (seed ${seed})`, LIMITS, (t) => countThrough(t, seed, accident));
});
