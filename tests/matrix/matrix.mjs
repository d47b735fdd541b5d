// Runs cases until something says stop, and collects what failed.

import { Cases, build } from "./cases.mjs";
import { asSql, describe, shrink, signature } from "./reproduce.mjs";
import { runCase } from "./run_case.mjs";
import { CHANNELS } from "./world.mjs";

/**
 * only: the number of a case, or a text that its description contains. stop(cases, proposal): no more. say: takes lines. Resolves with {run, kinds: Map of signature to
 * {count, first}}.
 */
export async function runMatrix(world, { seed, full = false, only, program, stop, say, shrinkMax = 3, command, slowMs = 10_000 }) {
    world.channels = CHANNELS;
    const cases = new Cases(seed, world, { program });
    const kinds = new Map();
    const result = { seed, run: 0, failed: 0, kinds, cases };
    const number = /^\d+$/.test(only ?? "") ? Number(only) : undefined;
    for (;;) {
        const proposal = cases.next();
        if (number ? proposal.number > number : stop(cases, proposal, result)) break;
        if (number && proposal.number !== number) continue;
        const made = build(proposal, { full, channels: CHANNELS });
        if (only && !number && !describe(made).includes(only)) continue;
        const begin = performance.now();
        const outcome = await runCase(world, made);
        const ms = performance.now() - begin;
        if (ms > slowMs) say(`case ${proposal.number} took ${Math.round(ms)} ms: ${describe(made)}`);
        result.run++;
        if (outcome.failures.length === 0) continue;
        result.failed++;
        const name = signature(outcome.failures[0]);
        const known = kinds.get(name);
        if (known) {
            known.count++;
            continue;
        }
        const entry = { count: 1, number: proposal.number, failure: outcome.failures[0] };
        kinds.set(name, entry);
        if (kinds.size <= shrinkMax) {
            const small = await shrink(world, made, outcome);
            entry.sql = asSql(small.made, small.result, `${command} --seed ${seed} --only ${proposal.number}`);
        }
        say(
            `case ${proposal.number} of seed ${seed}: ${describe(made)}\n  ${outcome.failures
                .map(({ kind, text }) => `${kind}: ${text}`)
                .slice(0, 3)
                .join("\n  ")}${entry.sql ? `\n\n${entry.sql}\n` : ""}`,
        );
    }
    return result;
}

export function summary({ seed, run, failed, kinds, cases }) {
    const lines = [...kinds]
        .sort(([, a], [, b]) => b.count - a.count)
        .map(([name, { count, number }]) => `${String(count).padStart(5)}  ${name} (first: case ${number})`);
    return [`seed ${seed}: ${run} cases, ${failed} failed; ${cases.pairs} pairs of cards met`, ...lines].join("\n");
}
