// Many changes for many clients: none lost, none twice, none out of order.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import net from "node:net";
import { test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { Parser } from "./lib/sse.mjs";
import { Waitable } from "./lib/until.mjs";

const CHANGES = 100_000;
const CLIENTS = 100;
const TOKEN = "correct-horse-battery-staple-0123456789";

/**
 * A client as lean as can be. All who ask for the same get the same bytes after `ready`, so one of them reads what they
 * say, and of the others only the number and a hash of the bytes are taken.
 */
class Client extends Waitable {
    bytes = 0;
    ready = false;
    ended = false;
    #hash = createHash("sha1");
    #head = Buffer.alloc(0);

    constructor(t, port, path, reader) {
        super();
        const socket = net.connect(port, "127.0.0.1");
        t.after(() => socket.destroy());
        socket.on("data", (chunk) => {
            const body = this.ready ? chunk : this.#behindReady(chunk);
            this.bytes += body.length;
            this.#hash.update(body);
            reader?.take(body);
            this.changed();
        });
        socket.on("error", () => {});
        socket.on("close", () => {
            this.ended = true;
            this.changed();
        });
        socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    }

    #behindReady(chunk) {
        this.#head = Buffer.concat([this.#head, chunk]);
        const ready = this.#head.indexOf("event: ready\n");
        const end = ready < 0 ? -1 : this.#head.indexOf("\n\n", ready);
        this.ready = end >= 0;
        return this.ready ? this.#head.subarray(end + 2) : Buffer.alloc(0);
    }

    until(find, what, deadlineMs) {
        return this.wait(
            () => {
                if (this.ended) throw new Error(`the stream ended after ${this.bytes} bytes`);
                return find() || undefined;
            },
            () => `${what}; there are ${this.bytes} bytes`,
            deadlineMs,
        );
    }

    digest() {
        return this.#hash.copy().digest("hex");
    }
}

/** Checks that rows count up from 1, each with an id of its own and none between. */
class Reader {
    last = 0;
    problem = undefined;
    #parser = new Parser();
    #ids = new Set();

    take(bytes) {
        for (const block of this.#parser.push(bytes)) {
            if (block.name !== "message" || block.json.id !== this.last + 1 || this.#ids.has(block.id))
                this.problem ??= `after row ${this.last} came ${block.raw}`;
            this.last++;
            this.#ids.add(block.id);
        }
    }
}

test(`${CHANGES} changes by a trigger of ours reach ${CLIENTS} clients, each once and in order`, async (t) => {
    const database = await createDatabase(t);
    const env = {
        ...database.env,
        TUPLECAST_CHANNELS: "posts_changes",
        TUPLECAST_TRIGGERS_TOKEN: TOKEN,
        TUPLECAST_LIMITS_CHANNEL_MEMORY_BYTES: String(128 * 1024 * 1024),
        TUPLECAST_STREAMS_HEARTBEAT_MS: "3600000", // each stream has its own time for comments
    };
    await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
    assert.equal((await run(["setup"], env)).code, 0);
    const gateway = await startGateway(t, env);
    await gateway.ready();
    const created = await gateway.get("/triggers/posts_live", {
        method: "PUT",
        headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
        body: '{"table":"posts"}',
    });
    assert.equal(created.status, 201, created.body);
    const reader = new Reader();
    const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(t, gateway.port, "/streams/posts_changes", i === 0 ? reader : undefined));
    for (const client of clients) await client.until(() => client.ready, "ready");

    const from = performance.now();
    for (let i = 0; i < CHANGES; i += 1000) await database.query("INSERT INTO posts (title) SELECT 'post ' || i FROM generate_series(1, 1000) i");
    const written = performance.now();
    await clients[0].until(() => reader.problem || reader.last >= CHANGES, () => `all rows, not ${reader.last}`, 120_000);
    assert.equal(reader.problem, undefined);
    const { bytes } = clients[0];
    for (const client of clients) await client.until(() => client.bytes >= bytes, `${bytes} bytes`, 60_000);
    t.diagnostic(`written in ${Math.round(written - from)} ms, delivered ${Math.round(performance.now() - written)} ms later: ${CLIENTS} x ${bytes} bytes`);
    for (const client of clients) assert.deepEqual([client.bytes, client.digest()], [bytes, clients[0].digest()]);
    assert.equal(reader.last, CHANGES);
});
