// Clients that nobody here wrote. They know nothing of us: they connect, lose the connection, come back with the id they saw
// last, and must have lost nothing, or have seen a gap.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EventSource as NpmEventSource } from "eventsource";
import { createEventSource } from "eventsource-client";
import { EventSource as UndiciEventSource } from "undici";
import { proveNothingLostSilently } from "./lib/counter.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { Waitable } from "./lib/until.mjs";

const CHANNEL = "numbers";

/** What a client showed its user: named events and plain messages, in order. */
class Shown extends Waitable {
    list = [];

    add(name, data, id) {
        this.list.push({ name, json: JSON.parse(data), id });
        this.changed();
    }

    get seen() {
        return this.list.flatMap(({ name, json }) => (name === "gap" ? { gap: json.reason } : name === "message" ? json.data : []));
    }

    count(name, wanted, deadlineMs = 15_000) {
        return this.wait(
            () => this.list.filter((each) => each.name === name).length >= wanted || undefined,
            () => `${wanted} times ${name}, only: ${JSON.stringify(this.list)}`,
            deadlineMs,
        );
    }

    number(number, deadlineMs = 15_000) {
        return this.wait(() => this.seen.includes(number) || undefined, () => `number ${number} in ${JSON.stringify(this.seen)}`, deadlineMs);
    }
}

const standard = (EventSource) => (t, url, shown) => {
    const source = new EventSource(url);
    t.after(() => source.close());
    for (const name of ["message", "ready", "gap", "status", "bye"])
        source.addEventListener(name, ({ data, lastEventId }) => shown.add(name, data, lastEventId));
};

const CLIENTS = {
    "eventsource": standard(NpmEventSource),
    "undici's EventSource": standard(UndiciEventSource),
    "eventsource-client": (t, url, shown) => {
        const client = createEventSource({ url, onMessage: ({ event = "message", data, id }) => shown.add(event, data, id) });
        t.after(() => client.close());
    },
};

for (const [name, connect] of Object.entries(CLIENTS)) {
    describe(name, () => {
        const setUp = async (t) => {
            const database = await createDatabase(t);
            // Clients wait for `retry` before they reconnect: let that be short.
            const gateway = await startGateway(t, { ...database.env, TUPLECAST_STREAMS_RETRY_MS: "200" });
            await gateway.ready();
            const cutter = await startCutter(t, gateway.port);
            let last = 0;
            const publish = async (count = 1) => {
                for (let i = 0; i < count; i++) await database.notify(CHANNEL, String(++last));
                return last;
            };
            const shown = new Shown();
            const open = async (origin) => {
                connect(t, String(gateway.stream(CHANNEL)).replace(gateway.origin, origin), shown);
                await shown.count("ready", 1);
            };
            return { gateway, cutter, publish, shown, open };
        };
        const numbers = (count) => Array.from({ length: count }, (_, i) => i + 1);

        test("connects, gets ready under its name and changes as messages", async (t) => {
            const { gateway, publish, shown, open } = await setUp(t);
            await open(gateway.origin);
            await shown.number(await publish(50));
            assert.deepEqual(shown.seen, numbers(50));
            assert.equal(shown.list[0].name, "ready");
            assert.ok(shown.list.every(({ id }) => id), "each event has an id");
        });

        test("resumes after its connection was cut: none lost, none twice, no gap", async (t) => {
            const { cutter, publish, shown, open } = await setUp(t);
            await open(cutter.origin);
            for (let round = 1; round <= 3; round++) {
                await shown.number(await publish(5));
                cutter.cut();
                await publish(5);
                await shown.count("ready", round + 1);
            }
            await shown.number(await publish(5));
            assert.deepEqual(shown.seen, numbers(35));
            assert.ok(cutter.connections >= 4);
        });

        test("sees a gap after the gateway was restarted, and goes on", async (t) => {
            const { gateway, publish, shown, open } = await setUp(t);
            await open(gateway.origin);
            await shown.number(await publish(5));
            await gateway.stop();
            await publish(5);
            await gateway.start();
            await shown.count("ready", 2);
            const last = await publish(5);
            await shown.number(last);
            assert.deepEqual(proveNothingLostSilently(numbers(last), shown.seen), { delivered: 10, missing: 5, gaps: 1 });
            assert.equal(shown.list.find((each) => each.name === "gap").json.reason, "restart");
        });

        test("sees a gap after the gateway was killed, and goes on", async (t) => {
            const { gateway, publish, shown, open } = await setUp(t);
            await open(gateway.origin);
            await shown.number(await publish(5));
            await gateway.kill();
            await publish(5);
            await gateway.start();
            await shown.count("ready", 2);
            const last = await publish(5);
            await shown.number(last);
            assert.deepEqual(proveNothingLostSilently(numbers(last), shown.seen), { delivered: 10, missing: 5, gaps: 1 });
        });
    });
}
