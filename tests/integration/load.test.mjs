// Many changes for many clients: none lost, none twice, none out of order.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { Waitable, within } from "./lib/until.mjs";

const CHANGES = 100_000;
const CLIENTS = 100;
const TOKEN = "correct-horse-battery-staple-0123456789";

/** A client as lean as can be: it only checks that the ids of rows count up from 1, and that no gap is announced. */
class Client extends Waitable {
    last = 0;
    ready = false;
    #rest = "";
    #fresh = false; // an event has begun, and its row has not been seen

    constructor(t, port, path) {
        super();
        const socket = net.connect(port, "127.0.0.1");
        t.after(() => socket.destroy());
        this.done = new Promise((resolve, reject) => {
            socket.on("data", (chunk) => {
                try {
                    this.#take(this.#rest + chunk.latin1Slice());
                } catch (error) {
                    reject(error);
                    socket.destroy();
                }
                if (this.last === CHANGES) resolve();
            });
            socket.on("error", reject);
            socket.on("close", () => reject(new Error(`the stream ended after row ${this.last}`)));
        });
        this.done.catch(() => {}); // whoever waits for it sees it
        socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    }

    #take(text) {
        const end = text.lastIndexOf("\n\n") + 2;
        this.#rest = text.slice(end);
        for (const [, begin, name, id] of text.slice(0, end).matchAll(/^(id): |^event: (\w+)$|"id" ?: ?(\d+)[,}]/gm)) {
            if (begin) {
                this.#fresh = true;
            } else if (name === "ready") {
                this.ready = true;
                this.changed();
            } else if (name) {
                throw new Error(`${name} after row ${this.last}`);
            } else {
                // A number stands twice in one event: as its key, and in its row.
                if (Number(id) !== this.last + (this.#fresh ? 1 : 0)) throw new Error(`row ${id} after row ${this.last}`);
                this.last = Number(id);
                this.#fresh = false;
            }
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
    const clients = Array.from({ length: CLIENTS }, () => new Client(t, gateway.port, "/streams/posts_changes"));
    for (const client of clients) await client.wait(() => client.ready || undefined, "ready");

    const from = performance.now();
    for (let i = 0; i < CHANGES; i += 500) await database.query("INSERT INTO posts (title) SELECT 'post ' || i FROM generate_series(1, 500) i");
    const written = performance.now();
    await within(Promise.all(clients.map((client) => client.done)), () => `all rows; so far ${clients.map((client) => client.last)}`, 120_000);
    t.diagnostic(`written in ${Math.round(written - from)} ms, delivered ${Math.round(performance.now() - written)} ms later`);
    for (const client of clients) assert.equal(client.last, CHANGES);
});
