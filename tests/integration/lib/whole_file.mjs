// What all tests of a file share.

import { after } from "node:test";

/** Can be given where a test's `t` is asked for: what is opened for it is closed after the last test of the file. */
export function wholeFile() {
    const steps = [];
    after(async () => {
        for (const step of steps.toReversed()) await step();
    });
    return { name: "the whole file", after: (step) => steps.push(step) };
}
