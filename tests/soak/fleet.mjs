// The processes of readers, from outside.

import { fork } from "node:child_process";
import path from "node:path";
import { within } from "../integration/lib/until.mjs";

const PATIENCE_MS = 60_000;

class Crew {
    #asked = new Map();
    #last = 0;

    constructor() {
        this.child = fork(path.join(import.meta.dirname, "readers.mjs"), { serialization: "advanced", execArgv: [] });
        this.child.on("message", ({ number, answer }) => {
            this.#asked.get(number)(answer);
            this.#asked.delete(number);
        });
    }

    ask(what, more) {
        const number = ++this.#last;
        const answered = new Promise((resolve) => this.#asked.set(number, resolve));
        this.child.send({ number, what, more });
        return within(answered, `${what} of a process of readers`, PATIENCE_MS);
    }
}

function add(a, b) {
    const sum = { ...a, texts: [...a.texts, ...b.texts], gaps: { ...a.gaps } };
    for (const [name, value] of Object.entries(b)) if (typeof value === "number") sum[name] += value;
    for (const [reason, count] of Object.entries(b.gaps)) sum.gaps[reason] = (sum.gaps[reason] ?? 0) + count;
    return sum;
}

export class Fleet {
    /** shapes: one for each reader, spread over `crews` processes. */
    static async start({ shapes, addresses, seed, crews = 2 }) {
        const fleet = new Fleet();
        fleet.size = shapes.length;
        fleet.crews = Array.from({ length: crews }, () => new Crew());
        await Promise.all(
            fleet.crews.map((crew, i) => crew.ask("start", { shapes: shapes.filter((_, n) => n % crews === i), addresses, seed: seed + i })),
        );
        return fleet;
    }

    /** Asks all; resolves with their answers. */
    all(what, more) {
        return Promise.all(this.crews.map((crew) => crew.ask(what, more)));
    }

    async ready() {
        return (await this.all("ready")).every(Boolean);
    }

    async behind(truth) {
        return (await this.all("behind", { truth })).reduce((a, b) => a + b);
    }

    async sums() {
        return (await this.all("sums")).reduce(add);
    }

    async end(truth) {
        return (await this.all("end", { truth })).reduce(add);
    }

    signal(name) {
        for (const { child } of this.crews) child.kill(name);
    }

    stop() {
        this.signal("SIGKILL");
    }
}
