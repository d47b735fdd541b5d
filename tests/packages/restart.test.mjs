// The packaged unit under systemd as process 1, in the container that scripts/test-packages boots: TUPLECAST_TEST_SYSTEMD is that process's
// id, TUPLECAST_TEST_ROOT its root, TUPLECAST_TEST_PGTCP the port of a PostgreSQL that it reaches.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import { createDatabase } from "../integration/lib/database.mjs";
import { follow } from "../integration/lib/follower.mjs";
import { freePort, Gateway } from "../integration/lib/gateway.mjs";
import { knock } from "../integration/lib/knock.mjs";
import { subscribe } from "../integration/lib/sse.mjs";
import { until } from "../integration/lib/until.mjs";
import { startWriter } from "../integration/lib/writer.mjs";

const { TUPLECAST_TEST_SYSTEMD: SYSTEMD, TUPLECAST_TEST_ROOT: ROOT, TUPLECAST_TEST_PGTCP: DATABASE_PORT } = process.env;
const TOKEN = "0123456789abcdef0123456789abcdef";
const RESTARTS = 3; // systemd starts a unit five times in ten seconds, and not more often
const PATIENCE_MS = 30_000;

const inside = (...command) => promisify(execFile)("nsenter", ["-t", SYSTEMD, "-m", "-u", "-i", "-p", "-r", ...command]);
const systemctl = (...args) => inside("systemctl", "--no-pager", ...args);
const property = async (name) => (await systemctl("show", "--value", "--property", name, "tuplecast.service")).stdout.trim();

test("systemctl restart under load refuses nobody and loses nothing, nor does a crash; the socket starts the service", { timeout: 150_000 }, async (t) => {
    const database = await createDatabase(t);
    const port = await freePort();
    const settings = {
        DATABASE_URL: `postgresql://postgres@127.0.0.1:${DATABASE_PORT}/${database.name}`,
        TUPLECAST_LISTEN: `127.0.0.1:${port}`,
        TUPLECAST_CHANNELS: "*",
        TUPLECAST_ACCESS_STREAMS: "open",
        TUPLECAST_TRIGGERS_TOKEN: TOKEN,
    };
    const variables = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    await systemctl("stop", "tuplecast.socket", "tuplecast.service");
    writeFileSync(`${ROOT}/etc/default/tuplecast`, `${variables.join("\n")}\n`);
    mkdirSync(`${ROOT}/etc/systemd/system/tuplecast.socket.d`, { recursive: true });
    writeFileSync(`${ROOT}/etc/systemd/system/tuplecast.socket.d/port.conf`, `[Socket]\nListenStream=\nListenStream=127.0.0.1:${port}\n`);
    await inside("env", ...variables, "tuplecast", "setup");
    await systemctl("daemon-reload");
    await systemctl("reset-failed"); // and forget that it was started at boot
    await systemctl("start", "tuplecast.socket");
    assert.equal(await property("ActiveState"), "inactive");

    const gateway = new Gateway(port, settings);
    await gateway.ready(PATIENCE_MS);
    assert.equal(await property("ActiveState"), "active");
    assert.match(await property("StatusText"), /^\d+ streams, \d+ channels, database (up|down)$/);
    await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
    const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
    assert.equal((await gateway.get("/triggers/posts", { method: "PUT", headers, body: '{"table":"posts","durable":true}' })).status, 201);
    const isDurable = async () => {
        const stream = await subscribe(t, gateway.stream("posts_changes"));
        const { items } = JSON.parse((await gateway.get("/channels")).body);
        stream.close();
        return items.some(({ channel, durable }) => channel === "posts_changes" && durable);
    };
    await until(isDurable, "the channel is durable", PATIENCE_MS);
    const followers = await Promise.all(Array.from({ length: 20 }, () => follow(t, gateway.stream("posts_changes"), (json) => json.id)));
    const allReconnected = (times) => Promise.all(followers.map((follower) => follower.until(() => follower.connections > times || undefined, "a new connection", PATIENCE_MS)));
    const writer = startWriter(t, database);
    const knocking = knock(t, port);
    for (let times = 1; times <= RESTARTS; times++) {
        const before = await property("MainPID");
        await writer.more(20);
        await systemctl("restart", "tuplecast.service");
        assert.notEqual(await property("MainPID"), before);
        await allReconnected(times);
    }
    await systemctl("reload", "tuplecast.service");
    const { count, failures } = await knocking.stop();
    assert.deepEqual(failures, []);

    await systemctl("kill", "--signal", "KILL", "tuplecast.service");
    await allReconnected(RESTARTS + 1);
    assert.equal(await property("NRestarts"), "1");
    await writer.more(20);
    const ids = await writer.stop();
    for (const follower of followers) {
        await follower.number(ids.at(-1), PATIENCE_MS);
        assert.deepEqual(follower.seen, ids);
    }
    t.diagnostic(`${RESTARTS} restarts and a crash: ${ids.length} rows at 20 clients, ${count} requests over connections of their own`);
    await systemctl("stop", "tuplecast.socket", "tuplecast.service");
    assert.equal(await property("Result"), "success");
});
