// scripts/matrix starts this with a private PostgreSQL.

import { parseArgs } from "node:util";
import { runMatrix, summary } from "./matrix.mjs";
import { World } from "./world.mjs";

const { values } = parseArgs({
    options: {
        seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
        only: { type: "string" },
        program: { type: "string" },
        cases: { type: "string" },
        minutes: { type: "string" },
        shrink: { type: "string", default: "20" },
        "no-large": { type: "boolean", default: false },
    },
});

/** Stands in for a test: what is opened is closed at the end, the last first. */
const steps = [];
const t = { name: "matrix", after: (step) => steps.push(step) };
const say = (text) => console.log(text);
const seed = Number(values.seed);
const end = performance.now() + (values.minutes ? 60_000 * Number(values.minutes) : Infinity);

/** Until nothing new has been met for a while, or the time is over. */
function stopper() {
    let stale = 0;
    return (cases, proposal, { run }) => {
        stale = proposal.fresh > 0 ? 0 : stale + 1;
        if (run % 100 === 0) say(`${run} cases, ${cases.pairs} pairs`);
        return performance.now() > end || (values.cases ? proposal.number > Number(values.cases) : !values.minutes && stale > 20);
    };
}

let failed = 0;
try {
    for (const options of [{ encodings: ["UTF8", "LATIN1"] }]) {
        const world = await World.open(t, options);
        for (const lack of world.lacks) say(`Left out: ${lack}.`);
        const result = await runMatrix(world, { seed, full: true, only: values.only, program: values.program, stop: stopper(), say, shrinkMax: Number(values.shrink), command: "scripts/matrix" });
        say(summary(result));
        failed += result.failed;
    }
} catch (error) {
    console.error(error);
    failed++;
} finally {
    for (const step of steps.toReversed()) await step();
}
process.exit(failed > 0 ? 1 : 0);
