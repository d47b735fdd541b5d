// No row and no session makes a writer fail, and each change is told as it is: a part of scripts/matrix that takes less than a minute.
//
// MATRIX_SEED gives other cases; the default is fixed, so that a change that fails here fails everywhere.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { runAllLarge } from "../matrix/large.mjs";
import { runMatrix, summary } from "../matrix/matrix.mjs";
import { World } from "../matrix/world.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const SEED = Number(process.env.MATRIX_SEED ?? 17);
const CASES = Number(process.env.MATRIX_CASES ?? 40);
const command = "scripts/matrix --bounded";
const timeout = 280_000;
/** A busy machine, or statements that do not end, leave some cases for another time. */
const CASES_MS = 60_000;
const file = wholeFile();
let world;
before(async () => {
    world = await World.open(file, { encodings: ["UTF8", "LATIN1"] });
    for (const lack of world.lacks) console.log(`Left out: ${lack}.`);
});

/** The first failures whole, as SQL that can be run alone; of the others how many there are. */
function check(result) {
    const texts = [...result.kinds.values()].map(({ sql }) => sql).filter(Boolean);
    assert.equal(result.failed, 0, [summary(result), ...texts].join("\n\n"));
}
const run = (options) => runMatrix(world, { seed: SEED, say: () => {}, ...options });

test("each of many cases is as without a trigger, and each change is told once and rightly", { timeout }, async () => {
    const end = performance.now() + CASES_MS;
    check(await run({ stop: (_, { number }) => number > CASES || performance.now() > end, shrinkMax: 1, command }));
});

test("a row of hundreds of megabytes is written as without a trigger, and told if it can be", { timeout }, async () => {
    assert.deepEqual(await runAllLarge(world.places.UTF8, { bounded: true }), []);
});

// The last one: the server is started anew for it.
test("a transaction that is prepared is told when it is committed, and not before", { timeout }, async () => {
    world = await World.open(file, { preparedTransactions: 10 });
    check(await run({ program: "PREPARE", stop: (_, { number }) => number > 6, shrinkMax: 1, command: `${command} --prepared` }));
});
