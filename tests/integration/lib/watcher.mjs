// A tab that watches a stream with www/tuplecast.js, and keeps all that it is told.

import { DEADLINE_MS, until } from "./until.mjs";

/** A page of the gateway that does nothing by itself, and that a browser may keep. */
const BLANK = "/tuplecast.d.ts";

export class Watcher {
    constructor(page, origin) {
        this.page = page;
        this.origin = origin;
    }

    /** Opens a tab on the gateway's origin, or another, that watches `url` with the module from there. */
    static async open(context, origin, url, options = {}) {
        const watcher = new Watcher(await context.newPage(), origin);
        await watcher.page.goto(origin + BLANK);
        await watcher.connect(url, options);
        return watcher;
    }

    /** options as for connect(); what is no JSON stands in globalThis already, by a name: { ticket: "nameOfFunction" }. */
    async connect(url, options = {}) {
        this.asked = { module: `${this.origin}/tuplecast.js`, url: String(url), options };
        await this.page.evaluate(async ({ module, url, options }) => {
            const { connect } = await import(module);
            if (typeof options.ticket === "string") options.ticket = globalThis[options.ticket];
            const stream = connect(url, options);
            const events = [];
            for (const name of ["change", "gap", "status", "state", "ready", "bye", "busy"])
                stream.addEventListener(name, ({ detail }) => events.push({ name, detail, at: Date.now() }));
            Object.assign(globalThis, { stream, events });
        }, this.asked);
    }

    /** Leaves the page for another. */
    async leave() {
        await this.page.goto(`${this.origin}/favicon.svg`);
    }

    /** Loads the page anew, and asks for the same again. */
    async reload() {
        await this.page.goto(this.origin + BLANK);
        await this.connect(this.asked.url, this.asked.options);
    }

    events() {
        return this.page.evaluate(() => globalThis.events);
    }

    /** {state, reason, role, ...} as they are now. */
    now() {
        return this.page.evaluate(() => {
            const { state, reason, status, message, retryAt, role, lastEventId, database } = globalThis.stream;
            return { state, reason, status, message, retryAt, role, lastEventId, database };
        });
    }

    /** Numbers and gaps, as lib/counter.mjs takes them. */
    seen() {
        return this.page.evaluate(() =>
            globalThis.events.flatMap(({ name, detail }) =>
                name === "change" ? detail.data : name === "gap" ? { gap: detail.reason } : [],
            ),
        );
    }

    /** Waits until find(events) gives something. */
    async find(find, what, deadlineMs = DEADLINE_MS) {
        let events;
        return until(
            async () => find((events = await this.events())),
            () => `${what}; the last of ${events.length} events are ${JSON.stringify(events.slice(-8))}`,
            deadlineMs,
        );
    }

    count(name, wanted = 1, deadlineMs = DEADLINE_MS) {
        return this.find((events) => events.filter((event) => event.name === name).length >= wanted, `${wanted} times ${name}`, deadlineMs);
    }

    number(number, deadlineMs = DEADLINE_MS) {
        let seen;
        return until(
            async () => (seen = await this.seen()).includes(number),
            () => `number ${number}, after ${JSON.stringify(seen.slice(-8))}`,
            deadlineMs,
        );
    }

    async is(wanted, deadlineMs = DEADLINE_MS) {
        let now;
        const entries = Object.entries(wanted);
        await until(
            async () => {
                now = await this.now();
                return entries.every(([name, value]) => now[name] === value);
            },
            () => `${JSON.stringify(wanted)}, it is ${JSON.stringify(now)}`,
            deadlineMs,
        );
        return now;
    }
}
