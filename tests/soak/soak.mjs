// One fault after the other, each with the time until all readers were in step again and what it cost; then the count of everything.

import { dice } from "../integration/lib/bank.mjs";
import { sleep } from "../integration/lib/proc.mjs";
import { Sampler } from "./sampler.mjs";

const SANITIZER = /ERROR: \w+Sanitizer|runtime error:/;

/** b - a, of what all readers have seen. */
function difference(a, b) {
    const gaps = {};
    for (const [reason, count] of Object.entries(b.gaps)) if (count > (a.gaps[reason] ?? 0)) gaps[reason] = count - (a.gaps[reason] ?? 0);
    const result = { gaps };
    for (const name of ["connections", "delivered", "excused", "wrong", "missing"]) result[name] = b[name] - a[name];
    return result;
}

/** One fault, from its beginning until all is well again. What goes wrong with that is in `problems`. */
async function meet(world, fault, random) {
    const problems = [];
    const failed = (what) => (error) => void problems.push(`${what}: ${error.message.slice(0, 500)}`);
    const from = performance.now();
    let handle;
    let made = false;
    try {
        handle = await fault.inject(world, random);
        made = true;
        await sleep((fault.lastS ?? 0) * 1000);
    } catch (error) {
        failed("while it was made")(error);
    }
    try {
        // What was made by halves is mended as far as that goes.
        await fault.heal?.(world, handle);
    } catch (error) {
        if (made) failed("while it was mended")(error);
    }
    const healed = performance.now();
    await world.serverIsUp().catch(failed("the server"));
    for (const index of await world.restartTheDead()) problems.push(`gateway ${index} ended by itself: ${world.gateways[index].log.slice(-1000)}`);
    await world.inStep().catch(failed("afterwards"));
    const end = performance.now();
    return { fault, tookS: (end - from) / 1000, recoveredS: (end - healed) / 1000, problems };
}

/**
 * faults: an iterator. Goes on for so many seconds, with a fault every `everyS`, or as soon as all is well after the one before.
 * say(outcome) is told each. Resolves with all that is to be reported.
 */
export async function soak(world, { faults, seconds, everyS, warmUpS = 30, seed, say = () => {} }) {
    const random = dice(seed);
    const outcomes = [];
    const sampler = new Sampler(world.gateways);
    await sleep(warmUpS * 1000);
    const from = performance.now();
    let before = await world.fleet.sums();
    for (let turn = 0; performance.now() - from < seconds * 1000; turn++) {
        const next = faults.next();
        if (next.done) break;
        const outcome = await meet(world, next.value, random);
        // What is left of its time is calm: only then gateways can be compared.
        do await sampler.take((performance.now() - from) / 1000);
        while (performance.now() - from < (turn + 1) * everyS * 1000 && (await sleep(1000), true));
        const after = await world.fleet.sums();
        Object.assign(outcome, difference(before, after));
        if (outcome.wrong > 0) outcome.problems.push(...after.texts.filter((text) => !before.texts.includes(text)));
        before = after;
        outcomes.push(outcome);
        say(outcome, performance.now() - from);
    }
    const { truth, sums } = await world.end();
    const problems = world.gateways.filter(({ log }) => SANITIZER.test(log)).map(({ log }) => SANITIZER.exec(log)[0]);
    const committed = Object.values(truth.counted).reduce((a, b) => a + b) + Object.values(truth.rows).flatMap(Object.values).reduce((a, b) => a + b);
    const growth = sampler.growth();
    const wrong = sums.wrong + problems.length + outcomes.reduce((sum, { problems }) => sum + problems.length, 0) + growth.filter(({ grown }) => grown).length;
    return { outcomes, sums, committed, problems, growth, wrong };
}
