// All clients lose their connections at once and are back within a second, behind a proxy that tells their addresses. RECONNECTS says how
// many (1,000; up to 18,000 with the usual limit of open files): each is answered with 200, has every event once, and leaves nothing behind.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run } from "./lib/gateway.mjs";
import { descriptors, descriptorsFall, sleep } from "./lib/proc.mjs";
import { startService } from "./lib/service_manager.mjs";
import { until } from "./lib/until.mjs";
import { requestText } from "./lib/wire.mjs";
import { startWriter } from "./lib/writer.mjs";

const CLIENTS = Number(process.env.RECONNECTS ?? 1000);
const WITHIN_MS = 1000; // in which all come back
const RETRY_MS = 100;
const PATIENCE_MS = 60_000;
const TOKEN = "0123456789abcdef0123456789abcdef";
const LOOPBACK_ADDRESSES = 4; // so that ports do not run out
/** What an operator sets whose proxy tells the addresses: then limits for one address are about clients, and not about the proxy. */
const BEHIND_A_PROXY = {
    TUPLECAST_TRUSTED_PROXIES: "127.0.0.0/8",
    TUPLECAST_LIMITS_STREAMS_PER_ADDRESS: "6",
    TUPLECAST_LIMITS_REQUESTS_PER_ADDRESS: "20",
    TUPLECAST_LIMITS_CONNECTS_PER_ADDRESS_PER_S: "20",
};

/** A client as lean as can be: what it keeps is the rows' numbers, the last id, and what should not have happened. */
class Client {
    rows = [];
    problems = [];
    connections = 0;
    ready = 0;
    refused = 0;
    retries = 0;
    closed = false;
    lastId = undefined;

    constructor(index, port, path) {
        Object.assign(this, { index, port, path, localAddress: `127.0.0.${1 + (index % LOOPBACK_ADDRESSES)}` });
    }

    connect() {
        this.closed = false;
        const headers = { "X-Forwarded-For": `10.0.${this.index >> 8}.${this.index & 255}`, ...(this.lastId && { "Last-Event-ID": this.lastId }) };
        const socket = net.connect({ port: this.port, host: "127.0.0.1", localAddress: this.localAddress });
        this.socket = socket;
        let rest = "";
        let isHead = true;
        socket.setEncoding("latin1").on("data", (text) => {
            const blocks = (rest + text).split(isHead ? "\r\n\r\n" : "\n\n");
            if (isHead && blocks.length > 1) {
                this.connections++;
                isHead = false;
                const head = blocks.shift();
                if (!head.startsWith("HTTP/1.1 200 ")) this.problems.push(head.split("\r\n")[0]);
                blocks.splice(0, blocks.length, ...blocks.join("\r\n\r\n").split("\n\n"));
            }
            rest = blocks.pop();
            if (!isHead) for (const block of blocks) this.#take(block);
        });
        socket.on("error", ({ code }) => (this.lastError = code) === "ECONNREFUSED" && this.refused++);
        // As a browser does after a network error: what was in the queue of the one that was killed, or found no place in it, is reset.
        const { ready } = this;
        socket.on("close", () => {
            if (this.socket !== socket || this.closed || this.ready > ready) return;
            this.retries++;
            setTimeout(() => this.connect(), RETRY_MS);
        });
        socket.write(requestText(this.path, { headers }));
    }

    close() {
        this.closed = true;
        this.socket?.destroy();
    }

    get state() {
        const { index, connections, ready, lastError, socket } = this;
        return JSON.stringify({ index, connections, ready, lastError, state: socket.readyState, read: socket.bytesRead, written: socket.bytesWritten });
    }

    #take(block) {
        const name = /^event: (.*)$/m.exec(block)?.[1] ?? "message";
        if (name === "ready") this.ready++;
        else if (name !== "message" && name !== "status" && name !== "bye") this.problems.push(block);
        else if (name === "message" && block.includes("data: ")) this.rows.push(Number(/"id":(\d+)/.exec(block)[1]));
        this.lastId = /^id: (.*)$/m.exec(block)?.[1] ?? this.lastId;
    }
}

/** Connects all within `spreadMs`, evenly; resolves with the milliseconds until the last one was told `ready`. */
async function connectAll(clients, times, spreadMs) {
    const from = performance.now();
    for (let begun = 0; begun < clients.length; ) {
        const due = Math.min(clients.length, Math.ceil(((performance.now() - from) / spreadMs) * clients.length));
        while (begun < due) clients[begun++].connect();
        await sleep(5);
    }
    const begunMs = performance.now() - from;
    const open = () => clients.filter(({ ready }) => ready >= times).length;
    await until(() => open() === clients.length, () => `${clients.length} streams, there are ${open()}: ${clients.find(({ ready }) => ready < times)?.state}`, PATIENCE_MS);
    return { begunMs: Math.round(begunMs), servedMs: Math.round(performance.now() - from) };
}

test(`${CLIENTS} clients come back in a second, and again after the gateway was killed: none is turned away, none misses a row`, { timeout: 170_000 }, async (t) => {
    const database = await createDatabase(t);
    const env = { ...database.env, ...BEHIND_A_PROXY, TUPLECAST_TRIGGERS_TOKEN: TOKEN };
    assert.equal((await run(["setup"], env)).code, 0);
    await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
    const { manager, gateway } = await startService(t, env);
    const pid = () => manager.events.findLast((event) => "started" in event).started;
    await gateway.ready(PATIENCE_MS);
    const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
    assert.equal((await gateway.get("/triggers/posts", { method: "PUT", headers, body: '{"table":"posts","durable":true}' })).status, 201);
    const idle = descriptors(pid());
    const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(i, gateway.port, "/streams/posts_changes?from=earliest"));
    t.after(() => clients.forEach((client) => client.close()));
    await connectAll(clients, 1, WITHIN_MS);
    const writer = startWriter(t, database, 20);
    await writer.more(5);

    clients.forEach((client) => client.close());
    const cut = await connectAll(clients, 2, WITHIN_MS);
    t.diagnostic(`cut: all began to connect within ${cut.begunMs} ms, all had ready after ${cut.servedMs} ms`);
    await writer.more(5);

    manager.signal("SIGKILL");
    await manager.event((event) => event.ended === -9, "its end");
    const [killed] = await Promise.all([connectAll(clients, 3, WITHIN_MS), manager.start()]);
    t.diagnostic(`killed: all began to connect within ${killed.begunMs} ms, all had ready after ${killed.servedMs} ms`);
    await writer.more(5);

    const ids = await writer.stop();
    await until(() => clients.every(({ rows }) => rows.at(-1) === ids.at(-1)), () => `row ${ids.at(-1)}; ${clients.find(({ rows }) => rows.at(-1) !== ids.at(-1))?.rows}`, PATIENCE_MS);
    for (const { rows, problems, refused, connections } of clients) {
        assert.deepEqual(rows, ids);
        assert.deepEqual([problems, refused, connections], [[], 0, 3]);
    }
    const retries = clients.reduce((sum, client) => sum + client.retries, 0);
    t.diagnostic(`${ids.length} rows, each once at each client; ${retries} connections were reset before they were served`);
    clients.forEach((client) => client.close());
    await descriptorsFall(pid(), idle + 4, PATIENCE_MS);
});
