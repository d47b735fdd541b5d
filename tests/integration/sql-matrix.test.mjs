// No row and no session makes a writer fail, and each change is told as it is: a part of scripts/matrix that takes less than a minute.
//
// MATRIX_SEED gives other cases; the default is fixed, so that a change that fails here fails everywhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runAllLarge } from "../matrix/large.mjs";
import { runMatrix, summary } from "../matrix/matrix.mjs";
import { World } from "../matrix/world.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const SEED = Number(process.env.MATRIX_SEED ?? 17);
const CASES = Number(process.env.MATRIX_CASES ?? 130);
const command = `MATRIX_SEED=${SEED} sql-matrix, or scripts/matrix --bounded`;
const file = wholeFile();

/** The first failures whole, as SQL; of the others how many there are. */
function check(result) {
    const texts = [...result.kinds.values()].map(({ sql }) => sql).filter(Boolean);
    assert.equal(result.failed, 0, [summary(result), ...texts].join("\n\n"));
}

test("each of many cases is as without a trigger, and each change is told once and rightly", async () => {
    const world = await World.open(file, { encodings: ["UTF8", "LATIN1"] });
    for (const lack of world.lacks) console.log(`Left out: ${lack}.`);
    const say = () => {};
    check(await runMatrix(world, { seed: SEED, stop: (_, { number }) => number > CASES, say, shrinkMax: 2, command }));
    const failures = await runAllLarge(world.places.UTF8, { bounded: true });
    assert.deepEqual(failures, []);
});

test("a transaction that is prepared is told when it is committed, and not before", async () => {
    const world = await World.open(file, { preparedTransactions: 10 });
    check(await runMatrix(world, { seed: SEED, program: "PREPARE", stop: (_, { number }) => number > 6, say: () => {}, shrinkMax: 1, command: `${command} --prepared` }));
});
