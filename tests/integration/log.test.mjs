// The log makes nobody wait: neither when nobody reads it, nor when its disk is full. What is missing is counted, and told.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, readlinkSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { cleanEnvironment, freePort } from "./lib/gateway.mjs";
import { request } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const REQUESTS = 4000;
const LINE = /^\d{4}-\d\d-\d\dT[\d:.]+Z (info|warn|error) .+$/;

/** A gateway that logs each request to the given descriptor, or to a socket as standard input and output of Node's children are. */
async function start(t, stderr) {
    const port = await freePort();
    const child = spawn("setpriv", ["--pdeathsig", "KILL", process.env.TUPLECAST_BIN, "serve"], {
        env: { ...cleanEnvironment(), TUPLECAST_LISTEN: `127.0.0.1:${port}`, TUPLECAST_CHANNELS: "*", TUPLECAST_ACCESS_STREAMS: "open", TUPLECAST_LOG_REQUESTS: "true" },
        stdio: ["ignore", "ignore", stderr],
    });
    t.after(() => child.kill("SIGKILL"));
    const get = (name) => request(`http://127.0.0.1:${port}${name}`);
    await until(() => get("/livez").then(({ status }) => status === 200, () => false), "the gateway answers");
    return { child, get };
}

const metric = async (get, name) => Number((await get("/metrics")).body.match(new RegExp(`^${name} (\\d+)`, "m"))[1]);

async function fill({ get }) {
    for (let i = 0; i < REQUESTS / 20; i++)
        for (const { status } of await Promise.all(Array.from({ length: 20 }, () => get("/livez")))) assert.equal(status, 200);
    return metric(get, "tuplecast_log_dropped_total");
}

/** What is there to be read, whole lines; the last requests' lines are among them. */
async function check(gateway, read, dropped) {
    let text = read();
    await gateway.get("/livez?seen");
    await until(() => (text += read()).includes("lines of the log are missing"), () => `it says what is missing: ${text.slice(-300)}`);
    await gateway.get("/livez?seen");
    await until(() => /GET.*\n.*\/livez.*\n$|\/livez[^\n]*\n$/.test((text += read())), () => text.slice(-300));
    const lines = text.trimEnd().split("\n");
    for (const line of lines) assert.match(line, LINE);
    const told = lines.map((line) => / warn lines of the log are missing lines=(\d+) reason="nobody read/.exec(line)).filter(Boolean);
    assert.equal(told.reduce((sum, [, count]) => sum + Number(count), 0), await metric(gateway.get, "tuplecast_log_dropped_total"));
    assert.ok(dropped > 0);
}

test("a pipe that nobody reads: requests are answered, and lines that are missing are counted and told", async (t) => {
    const directory = mkdtempSync(path.join(os.tmpdir(), "tuplecast-log-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const name = path.join(directory, "log");
    execFileSync("mkfifo", [name]);
    const fd = openSync(name, constants.O_RDWR | constants.O_NONBLOCK);
    t.after(() => closeSync(fd));
    const writer = openSync(name, constants.O_WRONLY);
    const gateway = await start(t, writer);
    closeSync(writer);
    const dropped = await fill(gateway);
    const chunk = Buffer.alloc(1 << 16);
    const read = () => {
        let text = "";
        for (;;) {
            try {
                text += chunk.toString("utf8", 0, readSync(fd, chunk));
            } catch (error) {
                assert.equal(error.code, "EAGAIN");
                return text;
            }
        }
    };
    await check(gateway, read, dropped);
});

test("a socket that nobody reads: the same", async (t) => {
    const gateway = await start(t, "pipe");
    gateway.child.stderr.setEncoding("utf8");
    const dropped = await fill(gateway);
    let text = "";
    gateway.child.stderr.on("data", (chunk) => (text += chunk));
    const read = () => {
        const chunk = text;
        text = "";
        return chunk;
    };
    await check(gateway, read, dropped);
});

test("no standard error at all: no other descriptor of the program has its number", async (t) => {
    const port = await freePort();
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "sh", "-c", 'exec "$0" serve <&- >&- 2>&-', process.env.TUPLECAST_BIN], {
        env: { ...cleanEnvironment(), TUPLECAST_LISTEN: `127.0.0.1:${port}`, TUPLECAST_CHANNELS: "*", TUPLECAST_ACCESS_STREAMS: "open" },
        stdio: "ignore",
    });
    t.after(() => child.kill("SIGKILL"));
    await until(() => request(`http://127.0.0.1:${port}/livez`).then(({ status }) => status === 200, () => false), "the gateway answers");
    for (const fd of [0, 1, 2]) assert.equal(readlinkSync(`/proc/${child.pid}/fd/${fd}`), "/dev/null");
});

test("a disk that is full: requests are answered, and lines that are missing are counted", async (t) => {
    const full = openSync("/dev/full", "w");
    t.after(() => closeSync(full));
    const { get } = await start(t, full);
    for (let i = 0; i < 10; i++) assert.equal((await get("/livez")).status, 200);
    assert.ok((await metric(get, "tuplecast_log_dropped_total")) >= 10);
});
