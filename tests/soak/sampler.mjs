// Memory and descriptors of the gateways while all is calm: after an hour of faults they must be what they were after the first ones.

import { descriptors, isSanitized, memoryBytes } from "../integration/lib/proc.mjs";

/** How much more the last quarter's median may be than the first one's. */
export const LIMITS = { memoryShare: 0.2, memoryBytes: 8 << 20, descriptors: 16 };
const WARM_S = 60; // what a process does before that is not looked at
const ENOUGH = 8; // samples
const LONG_ENOUGH_S = 120; // from the first one to the last, and half of the run: a younger process has not met the large bursts yet

function median(numbers) {
    return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

export class Sampler {
    #samples = new Map(); // by process

    constructor(gateways) {
        this.gateways = gateways;
    }

    async take(atS) {
        for (const [index, gateway] of this.gateways.entries()) {
            if (!gateway.running) continue;
            const streams = await gateway.metric("tuplecast_streams").catch(() => undefined);
            if (streams === undefined) continue;
            const { pid } = gateway;
            const list = this.#samples.get(pid) ?? [];
            this.#samples.set(pid, list);
            // Streams have a descriptor each, and move between gateways.
            list.push({ index, atS, streams, memory: memoryBytes(pid, "VmRSS"), descriptors: descriptors(pid) - streams, sanitized: isSanitized(pid) });
        }
    }

    /** Of each process that was seen for long enough: the medians of its first and last quarter, and whether it has grown. */
    growth() {
        const warm = [...this.#samples.values()].map((list) => list.filter(({ atS }) => atS > list[0].atS + WARM_S));
        const runS = Math.max(0, ...warm.flat().map(({ atS }) => atS));
        const lists = warm.filter((list) => list.length >= ENOUGH && list.at(-1).atS - list[0].atS >= Math.max(LONG_ENOUGH_S, runS / 2));
        return lists.map((list) => {
            const quarter = Math.floor(list.length / 4);
            const medians = (part) => Object.fromEntries(["streams", "memory", "descriptors"].map((name) => [name, median(part.map((sample) => sample[name]))]));
            const first = medians(list.slice(0, quarter));
            const last = medians(list.slice(-quarter));
            const memoryGrown = !list[0].sanitized && last.memory > first.memory * (1 + LIMITS.memoryShare) + LIMITS.memoryBytes;
            const grown = memoryGrown || last.descriptors > first.descriptors + LIMITS.descriptors;
            return { index: list[0].index, samples: list.length, fromS: list[0].atS, toS: list.at(-1).atS, first, last, grown };
        });
    }
}
