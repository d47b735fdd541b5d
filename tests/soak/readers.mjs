// A process of readers, so that it can be frozen and does not slow down who injects the faults. Its parent asks, it answers:
// fleet.mjs is the other end.

import { dice } from "../integration/lib/bank.mjs";
import { Reader } from "./reader.mjs";

let readers = [];

function total(numbers) {
    return numbers.reduce((sum, number) => sum + number, 0);
}

/** What all readers together have seen so far. */
function sums() {
    const checks = readers.flatMap((reader) => [...reader.checks.values()]);
    const gaps = {};
    for (const reader of readers) for (const [reason, count] of Object.entries(reader.gaps)) gaps[reason] = (gaps[reason] ?? 0) + count;
    return {
        connections: total(readers.map((reader) => reader.connections)),
        delivered: total(checks.map((check) => check.delivered)),
        excused: total(checks.map((check) => check.excused)),
        wrong: total(readers.map((reader) => reader.complaints.count)),
        missing: total(readers.map((reader) => reader.complaints.missing)),
        gaps,
        texts: [...new Set(readers.flatMap((reader) => reader.complaints.texts))].slice(0, 20),
    };
}

const some = (share) => readers.filter((_, i) => i % Math.round(1 / share) === 0);

const ANSWERS = {
    /** shapes: one for each reader. A reader goes to any of its addresses each time. */
    start({ shapes, addresses, seed }) {
        const random = dice(seed);
        readers = shapes.map((shape) => new Reader(shape, shape.addresses ?? addresses, () => Math.floor(random() * (shape.addresses ?? addresses).length)));
    },
    ready: () => readers.every((reader) => reader.ready),
    /** How many are not where the tables are. */
    behind: ({ truth }) => readers.filter((reader) => !reader.inStep(truth)).length,
    sums,
    cut: ({ share }) => some(share).forEach((reader) => reader.cut()),
    stopReading: ({ share }) => some(share).forEach((reader) => reader.stopReading()),
    crawl: ({ share, ms }) => some(share).forEach((reader) => reader.crawl(ms)),
    readOn: () => readers.forEach((reader) => reader.readOn()),
    end({ truth }) {
        for (const reader of readers) for (const check of reader.checks.values()) check.end(truth);
        for (const reader of readers) reader.close();
        return sums();
    },
};

process.on("message", ({ number, what, more }) => process.send({ number, answer: ANSWERS[what](more ?? {}) ?? null }));
process.on("disconnect", () => process.exit());
