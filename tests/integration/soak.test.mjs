// scripts/soak in a few seconds, so that it cannot rot: three gateways, HAProxy, writers and readers, and a few of its faults.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS } from "../soak/faults.mjs";
import { markdown } from "../soak/report.mjs";
import { soak } from "../soak/soak.mjs";
import { World } from "../soak/world.mjs";

const WANTED = [
    "gateway: two of three are killed at once",
    "database: crash (immediate stop)",
    "clients: all lose their connections at once",
    "database: one of our backends is killed (crash recovery)",
    "stranger: takes advisory locks, while the lead has to change, 5 s",
];

test("whatever happens, each event is delivered, replayed, or announced to be missing", async (t) => {
    const faults = WANTED.map((name) => FAULTS.find((fault) => fault.name === name));
    const world = await World.open(t, { readers: 25, crews: 1, betweenMs: 300 });
    const result = await soak(world, { faults: faults.values(), seconds: 120, everyS: 0, warmUpS: 0, seed: 1 });
    const text = markdown(result, "a few faults", []);
    assert.equal(result.wrong, 0, text);
    assert.equal(result.outcomes.length, faults.length);
    assert.ok(result.sums.delivered > 1000, text);
    assert.ok(result.sums.gaps.outage > 0 && result.sums.gaps.restart > 0, text);
    assert.ok(faults.every(({ name }) => text.includes(name)), text);
    t.diagnostic(`${result.committed} events, ${result.sums.delivered} deliveries, gaps ${JSON.stringify(result.sums.gaps)}`);
});

test("there are at least eighty faults, each with a name of its own and what it costs", () => {
    assert.ok(FAULTS.length >= 80);
    assert.equal(new Set(FAULTS.map(({ name }) => name)).size, FAULTS.length);
    for (const { name, cost, inject } of FAULTS) assert.ok(cost && inject, name);
});
