// One allocation after the other fails, in the program or in one of its libraries: nothing crashes or is lost without a gap, and
// memory does not grow. TORTURE_ALLOCATIONS says how many (500); scripts/torture tries 5,000.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { knowsDurable, put, startOne } from "./lib/bank.mjs";
import { createDatabase } from "./lib/database.mjs";
import { failingMalloc, skip } from "./lib/failing_malloc.mjs";
import { follow } from "./lib/follower.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { memoryBytes } from "./lib/proc.mjs";
import { createFolder, Key, keySettings } from "./lib/tokens.mjs";
import { until } from "./lib/until.mjs";
import { requestText, Wire } from "./lib/wire.mjs";

const ALLOCATIONS = Number(process.env.TORTURE_ALLOCATIONS ?? 500);
const DEADLINE_MS = 30_000;
const TOKEN = "correct-horse-battery-staple";

async function setUp(t) {
    const { control, env } = await failingMalloc(t);
    return { control, env: { ...env, TUPLECAST_TRIGGERS_TOKEN: TOKEN, TUPLECAST_CHANNELS: "a,b" } };
}

/** A little of everything that allocates. Answers may fail to come; what comes must be whole. */
async function askAround(gateway, times) {
    const authorization = `Bearer ${TOKEN}`;
    const body = JSON.stringify({ table: "posts", channel: "b" });
    const requests = [
        requestText("/channels"),
        requestText("/streams/b?from=earliest&table=x&id=1&id=2", { headers: { "Last-Event-ID": "1-x" } }),
        requestText("/triggers", { headers: { Authorization: authorization } }),
        requestText("/triggers/t?dry_run=true", { method: "PUT", headers: { Authorization: authorization, "Content-Type": "application/json", "Content-Length": body.length } }) + body,
        requestText("/metrics"),
        "GET /livez HTTP/1.1\r\nHost : a\r\n\r\n",
    ];
    const wire = new Wire(null, gateway.port).send(requests[times % requests.length]);
    await wire.wait(() => wire.ended || /\r\n\r\n[^]/.test(wire.text) || undefined, "an answer or an end", DEADLINE_MS);
    wire.close();
    if (wire.bytes > 0) assert.match(wire.text, /^HTTP\/1\.1 \d{3} /);
}

// When malloc fails in libpq while a notification comes, it drops the notification without a word: nobody can tell afterwards.
for (const [where, more, isCounted] of [
    ["in the program and all libraries but libpq: nothing is lost without a gap", { FAILING_MALLOC_EXCEPT: "/libpq." }, true],
    ["in libpq, too: it goes on", {}, false],
])
    test(`while it runs, ${where}`, { skip, timeout: 1_800_000 }, async (t) => {
        const database = await createDatabase(t);
        assert.equal((await run(["setup"], database.env)).code, 0);
        await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
        const { control, env } = await setUp(t);
        const gateway = await startGateway(t, { ...database.env, ...env, ...more });
        await gateway.ready(DEADLINE_MS);
        const follower = await follow(t, gateway.stream("a"), (json) => json.data);
        let memory = 0;
        let sent = 0;
        for (let n = 1; n <= ALLOCATIONS; n++) {
            const before = control.failed;
            // Some things allocate much and some little: each is tried with its own first ones.
            control.fail(1 + (n % 97));
            for (let times = n; control.failed === before && times < n + 200; times++) {
                if (times % 6 === 0) await database.notify("a", String(++sent));
                if (times % 50 === 7) await database.terminateOthers();
                await askAround(gateway, times);
            }
            control.fail(0);
            if (!gateway.running) assert.fail(`it ended with ${await gateway.ended()} after allocation ${n}:\n${gateway.log}`);
            if (n === 100) memory = memoryBytes(gateway.pid, "RssAnon");
        }
        t.diagnostic(`${control.failed} allocations failed, ${sent} events`);
        assert.ok(control.failed >= ALLOCATIONS * 0.9, `${control.failed} failed`);
        await until(async () => (await gateway.get("/readyz")).status === 200, () => gateway.log, DEADLINE_MS);
        await until(() => database.notify("a", String(++sent)).then(() => follower.seen.includes(sent - 1)), "the last event", DEADLINE_MS);
        // Each number came once, in its order; where some are missing there was a gap.
        let last = 0;
        let gap = false;
        for (const item of follower.seen) {
            if (typeof item === "object") gap = true;
            else {
                assert.ok(item > last, `${item} after ${last}`);
                assert.ok(item === last + 1 || gap || !isCounted, `${last + 1} is missing before ${item}, and there was no gap`);
                last = item;
                gap = false;
            }
        }
        const grown = memoryBytes(gateway.pid, "RssAnon") - memory;
        t.diagnostic(`memory grew by ${grown >> 10} KiB, ${follower.gaps.length} gaps, ${follower.connections} connections`);
        if (memory) assert.ok(grown < 8 << 20, `memory grew by ${grown} bytes`);
        follower.close();
    });

test("while it reads the log of durable channels: no row is lost, and there is no gap", { skip, timeout: 1_800_000 }, async (t) => {
    const database = await createDatabase(t);
    assert.equal((await run(["setup"], database.env)).code, 0);
    await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
    const { control, env } = await failingMalloc(t);
    const gateway = await startOne(t, { ...database.env, ...env, FAILING_MALLOC_EXCEPT: "/libpq." });
    assert.equal((await put(gateway, "posts")).status, 201);
    await knowsDurable(t, gateway, "posts_changes");
    const follower = await follow(t, gateway.stream("posts_changes"));
    const write = async () => Number(await database.value("INSERT INTO posts (title) VALUES ('written') RETURNING id"));
    let last;
    for (let n = 0; n < ALLOCATIONS / 50; n++) {
        const before = control.failed;
        control.fail(1 + (n % 17)); // a tick takes about as many
        do last = await write();
        while (control.failed === before);
        control.fail(0);
        await follower.number(await write(), DEADLINE_MS);
    }
    t.diagnostic(`${control.failed} allocations failed, ${last} rows, ${follower.connections} connections`);
    const ids = (await database.query("SELECT id FROM posts ORDER BY id")).map(([id]) => Number(id));
    assert.deepEqual(follower.seen, ids);
});

/** libcrypto sets itself up only where there are tokens; here with keys of each kind in a file. */
async function tokenSettings(t) {
    const keys = ["HS256", "RS256", "ES256", "EdDSA"].map((algorithm) => new Key(algorithm, algorithm));
    return keySettings(await createFolder(t), ...keys);
}

for (const [how, settings] of [["", () => ({})], [" with a file of keys", tokenSettings]])
    test(`while it starts${how}: it says what is wrong, or runs`, { skip, timeout: 1_800_000 }, async (t) => {
        const { control, env } = await setUp(t);
        const more = await settings(t);
        let started = 0;
        const start = () =>
            new Promise((resolve) => {
                const options = { env: { PGHOST: "/nonexistent", ...env, ...more, TUPLECAST_STREAMS_CLOSE_MS: "0" }, stdio: ["ignore", "ignore", "pipe"] };
                const child = spawn(process.env.TUPLECAST_BIN, ["serve", "--listen", "127.0.0.1:0"], options);
                let log = "";
                child.stderr.on("data", (text) => {
                    log += text;
                    if (/ listening /.test(log)) child.kill("SIGTERM");
                });
                // The line may be what could not be written.
                const quiet = setTimeout(() => child.kill("SIGTERM"), 3000);
                const timer = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
                child.on("close", (code, signal) => {
                    clearTimeout(quiet);
                    clearTimeout(timer);
                    resolve({ code, signal, log });
                });
            });
        // Every one of them, none left out: which it is that crashes depends on the machine's files in /etc. When none failed in several starts, that was all.
        let n = 0;
        for (let without = 0; without < 5 && n < ALLOCATIONS; ) {
            const before = control.failed;
            control.fail(++n);
            const { code, signal, log } = await start();
            assert.equal(signal, null, `allocation ${n}: ${log}`);
            if (code === 0) started++;
            else assert.ok(log.length > 10, `allocation ${n}: it ended with ${code} without a word`);
            without = control.failed === before ? without + 1 : 0;
        }
        t.diagnostic(`${n} starts, ${started} went well`);
    });
