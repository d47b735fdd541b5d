// scripts/soak starts this with a private PostgreSQL.

import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { dice } from "../integration/lib/bank.mjs";
import { draw, FAULTS, lacks } from "./faults.mjs";
import { markdown } from "./report.mjs";
import { soak } from "./soak.mjs";
import { World } from "./world.mjs";

const { values } = parseArgs({
    options: {
        minutes: { type: "string", default: "60" },
        every: { type: "string", default: "30" },
        seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
        readers: { type: "string", default: "240" },
        only: { type: "string", multiple: true },
        report: { type: "string" },
    },
});
const seed = Number(values.seed);

/** Stands in for a test: what is opened is closed at the end, the last first. */
const steps = [];
const t = { name: "soak", after: (step) => steps.push(step) };

let status = 1;
try {
    const world = await World.open(t, { seed, readers: Number(values.readers), namespace: process.env.TUPLECAST_SOAK_NAMESPACE });
    const wanted = FAULTS.filter(({ name }) => !values.only || values.only.some((text) => name.includes(text)));
    const left = wanted.map((fault) => [fault, lacks(world, fault)]).filter(([, lack]) => lack);
    const faults = wanted.filter((fault) => !lacks(world, fault));
    if (faults.length === 0) throw new Error(`no fault that can be done here has "${values.only?.join('" or "')}" in its name: see --list`);
    const how = `\`scripts/soak --minutes ${values.minutes} --every ${values.every} --seed ${seed} --readers ${values.readers}\`: three gateways, ${world.fleet.size} readers, half of them through HAProxy.`;
    console.log(`${how}\n${faults.length} faults to draw from, ${left.length} cannot be done here.\n`);
    const say = ({ fault, tookS, recoveredS, excused, gaps, problems }, ms) =>
        console.log(
            `${(ms / 1000).toFixed(0).padStart(5)} s  ${fault.name}: ${tookS.toFixed(1)} s, in step again after ${recoveredS.toFixed(1)} s` +
                `, gaps ${JSON.stringify(gaps)}, ${excused} missing behind them${problems.map((text) => `\n         WRONG: ${text}`).join("")}`,
        );
    const result = await soak(world, { faults: draw(faults, dice(seed)), seconds: 60 * values.minutes, everyS: Number(values.every), seed, say });
    const text = markdown(result, how, left);
    console.log(`\n${text}`);
    if (values.report) await writeFile(values.report, text);
    status = result.wrong === 0 ? 0 : 1;
    if (status) for (const [i, { log }] of world.gateways.entries()) await writeFile(`${values.report ?? "soak"}.gateway${i}.log`, log);
} catch (error) {
    console.error(error);
} finally {
    for (const step of steps.toReversed()) await step();
}
process.exit(status);
