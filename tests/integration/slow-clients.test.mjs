// slowhttptest's attacks, with more connections than there are places for requests: meanwhile everybody else is served.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { memoryBytes, isSanitized, sleep } from "./lib/proc.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const DEADLINE_MS = 30_000;
const CONNECTIONS = 800; // the tool uses select(): below FD_SETSIZE
const PLACES = 300;
const LENGTH_S = 8;

describe("while so many clients", { concurrency: true }, () => {
    for (const [what, path, options] of [
        ["send their headers slowly", "/livez", ["-H", "-i", "1", "-x", "10"]],
        ["send their bodies slowly", "/triggers", ["-B", "-i", "1", "-x", "10", "-s", "60000", "-t", "POST"]],
        ["read their answers slowly", "/metrics", ["-X", "-w", "1", "-y", "2", "-n", "1", "-z", "1", "-k", "3"]],
    ])
        test(`${what}, requests are answered and streams go on`, { timeout: 120_000 }, async (t) => {
            const database = await createDatabase(t);
            const gateway = await startGateway(t, { ...database.env, TUPLECAST_LIMITS_REQUESTS: String(PLACES) });
            await gateway.ready(DEADLINE_MS);
            const stream = await subscribe(t, gateway.stream("meanwhile"));
            const memory = memoryBytes(gateway.pid, "RssAnon");
            const attack = promisify(execFile)("slowhttptest", ["-c", String(CONNECTIONS), "-r", String(CONNECTIONS), "-l", String(LENGTH_S), "-p", "5", ...options, "-u", gateway.origin + path], { timeout: DEADLINE_MS * 2 });
            let ended = false;
            attack.then(() => (ended = true), () => (ended = true));
            let events = 0;
            while (!ended) {
                assert.equal((await gateway.get("/livez", { signal: AbortSignal.timeout(DEADLINE_MS) })).status, 200);
                await database.notify("meanwhile", String(++events));
                await stream.messages(1);
                await sleep(200);
            }
            const { stdout } = await attack;
            const plain = stdout.replaceAll(/\x1b\[[0-9;]*m/g, "");
            assert.match(plain, /service available:\s+YES/, plain);
            t.diagnostic(`${events} events and answers meanwhile`);
            if (!isSanitized(gateway.pid)) assert.ok(memoryBytes(gateway.pid, "RssAnon") - memory < 64 << 20, "memory");
            await until(async () => (await gateway.metric("tuplecast_http_connections")) === 1, "all gone", DEADLINE_MS);
        });
});
