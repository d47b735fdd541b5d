// scripts/matrix starts this with a private PostgreSQL.

import { parseArgs } from "node:util";
import { runAllLarge } from "./large.mjs";
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
        "only-large": { type: "boolean", default: false },
        prepared: { type: "boolean", default: false },
        bounded: { type: "boolean", default: false }, // the cases of sql-matrix.test.mjs
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

const command = `scripts/matrix${process.env.TUPLECAST_TEST_POSTGRES ? ` --postgres ${process.env.TUPLECAST_TEST_POSTGRES}` : ""}`;
let failed = 0;
const one = { seed, full: !values.bounded, only: values.only, say, shrinkMax: Number(values.shrink), command };
try {
    if (!values["only-large"] && !values.prepared) {
        const world = await World.open(t, { encodings: ["UTF8", "LATIN1"] });
        for (const lack of world.lacks) say(`Left out: ${lack}.`);
        const result = await runMatrix(world, { ...one, program: values.program, stop: stopper() });
        say(summary(result));
        failed += result.failed;
    }
    if (values["only-large"] || (!values.only && !values.program && !values["no-large"])) {
        const world = await World.open(t, {});
        failed += (await runAllLarge(world.places.UTF8, { bounded: values.bounded, only: values.only, say })).length;
    }
    if (!values["only-large"] && (values.prepared || !values.only)) {
        // Where prepared transactions are allowed, a writer never sends a NOTIFY that only wakes.
        const world = await World.open(t, { preparedTransactions: 10 });
        let count = 0;
        const result = await runMatrix(world, {
            ...one,
            program: values.program ?? "PREPARE",
            stop: () => ++count > 60,
            command: `${command} --prepared`,
        });
        say(`With prepared transactions, ${summary(result)}`);
        failed += result.failed;
    }
} catch (error) {
    console.error(error);
    failed++;
} finally {
    for (const step of steps.toReversed()) await step();
}
process.exit(failed > 0 ? 1 : 0);
