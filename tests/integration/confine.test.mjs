// After start the program has given up what it does not need, and everything that it does still works. All other tests run
// confined as well, where the build allows it: it is the default.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { isSanitized } from "./lib/proc.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until, within } from "./lib/until.mjs";

const DEADLINE_MS = 30_000;
const TOKENS = ["correct-horse-battery-staple-1", "correct-horse-battery-staple-2"];

const status = (gateway, name) => new RegExp(`^${name}:\\t(\\S+)$`, "m").exec(readFileSync(`/proc/${gateway.pid}/status`, "utf8"))[1];

async function folder(t) {
    const dir = await mkdtemp(path.join(tmpdir(), "tuplecast-confine-"));
    t.after(() => rm(dir, { recursive: true }));
    return dir;
}

const list = (gateway, token) => gateway.get("/triggers", { headers: { Authorization: `Bearer ${token}` } });

describe("a confined gateway", () => {
    test("has no capability, cannot gain any, and its system calls are filtered; confine = false leaves all that", async (t) => {
        const gateway = await startGateway(t, { PGHOST: "/nonexistent" });
        if (isSanitized(gateway.pid)) return t.skip("built with a sanitizer");
        for (const name of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) assert.equal(status(gateway, name), "0000000000000000", name);
        assert.equal(status(gateway, "NoNewPrivs"), "1");
        assert.equal(status(gateway, "Seccomp"), "2");
        assert.doesNotMatch(gateway.log, /confined/);
        const free = await startGateway(t, { PGHOST: "/nonexistent", TUPLECAST_CONFINE: "false" });
        assert.equal(status(free, "Seccomp"), "0");
    });

    test("reads its files again at a reload, tokens too", async (t) => {
        const database = await createDatabase(t);
        const dir = await folder(t);
        const [config, token] = ["tuplecast.conf", "token"].map((name) => path.join(dir, name));
        const write = async (file, text) => {
            await writeFile(file, text);
            await chmod(file, 0o600);
        };
        await write(token, TOKENS[0]);
        await write(config, `@include "more.conf"\ntriggers = { token_file = "${token}"; };\n`);
        await write(path.join(dir, "more.conf"), 'channels = ( "one" );\n');
        const gateway = await startGateway(t, { ...database.env, TUPLECAST_CHANNELS: "" }, ["--config", config]);
        await gateway.ready(DEADLINE_MS);
        assert.notEqual((await list(gateway, TOKENS[0])).status, 401);
        assert.equal((await gateway.get("/streams/two", { method: "HEAD" })).status, 404);
        await write(token, TOKENS[1]);
        await write(path.join(dir, "more.conf"), 'channels = ( "two" );\n');
        gateway.signal("SIGHUP");
        await until(async () => (await gateway.get("/streams/two", { method: "HEAD" })).status === 200, () => gateway.log, DEADLINE_MS);
        assert.equal((await list(gateway, TOKENS[0])).status, 401);
        assert.notEqual((await list(gateway, TOKENS[1])).status, 401);
    });

    test("looks names up, and comes back to a database that was away", async (t) => {
        const database = await createDatabase(t);
        const { PGHOST, PGPORT, PGUSER, PGDATABASE } = { ...process.env, ...database.env };
        // The name is looked up, and nobody listens there; then comes the one that is there.
        const conninfo = `host=localhost,${PGHOST} port=1,${PGPORT} user=${PGUSER} dbname=${PGDATABASE}`;
        const gateway = await startGateway(t, { TUPLECAST_DATABASE: conninfo });
        await gateway.ready(DEADLINE_MS);
        await database.terminateOthers();
        await until(async () => (await gateway.metric("tuplecast_database_losses_total")) > 0, "the loss", DEADLINE_MS);
        await gateway.ready(DEADLINE_MS);
        const stream = await subscribe(t, gateway.stream("back"));
        await database.notify("back", "1");
        await stream.messages(1);
    });

    test("serves Unix sockets, and removes them at the end", async (t) => {
        const dir = await folder(t);
        const socketPath = path.join(dir, "socket");
        const managementPath = path.join(dir, "management");
        const child = spawn("setpriv", ["--pdeathsig", "KILL", process.env.TUPLECAST_BIN, "serve", "--listen", `unix:${socketPath}`], {
            stdio: "ignore",
            env: { ...process.env, PGHOST: "/nonexistent", TUPLECAST_MANAGEMENT_LISTEN: `unix:${managementPath}` },
        });
        t.after(() => child.kill("SIGKILL"));
        const ended = new Promise((resolve) => child.on("close", resolve));
        const ask = () => new Promise((resolve) => http.get({ socketPath, path: "/livez" }, (answer) => resolve(answer.resume().statusCode)).on("error", resolve));
        await until(async () => (await ask()) === 200, "an answer", DEADLINE_MS);
        child.kill("SIGTERM");
        assert.equal(await within(ended, "its end", DEADLINE_MS), 0);
        assert.deepEqual([existsSync(socketPath), existsSync(managementPath)], [false, false]);
    });
});
