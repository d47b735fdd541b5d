// Runs the program under test on a port of its own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import net from "node:net";
import { isSanitized } from "./proc.mjs";
import { request } from "./sse.mjs";
import { DEADLINE_MS, until, within } from "./until.mjs";

const BINARY = process.env.TUPLECAST_BIN;
/** Of the processor, as LOOP_TURN_MS_MAX says. With sanitizers, which slow everything down, times say nothing. */
const TURN_MS_MAX = 50;
export const SANITIZER = /ERROR: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer/;

// However a test ends, even killed, the kernel sees to it that no program outlives it.
function start(args, env, stdio) {
    return spawn("setpriv", ["--pdeathsig", "KILL", BINARY, ...args], { env: { ...cleanEnvironment(), ...env }, stdio });
}

/**
 * A free port below the range of outgoing connections: a client that tries again and again while the gateway is away must
 * not be given that very port for its own end.
 */
export async function freePort() {
    for (;;) {
        const port = 10_000 + Math.floor(Math.random() * 20_000);
        const server = net.createServer();
        const free = await new Promise((resolve) => {
            server.once("error", () => resolve(false));
            server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
        });
        if (free) return port;
    }
}

/** Nothing but what a test sets reaches the program: no settings of the surroundings. */
export function cleanEnvironment() {
    const kept = {};
    for (const [name, value] of Object.entries(process.env))
        if (/^(PATH|HOME|TZ|LANG|LC_.*|[A-Z]+SAN_.*|PGHOST|PGPORT|PGUSER|PGDATABASE)$/.test(name)) kept[name] = value;
    return kept;
}

/** Runs the program to its end: {code, stdout, stderr}. */
export async function run(args, env = {}, deadlineMs = 30_000) {
    const child = start(args, env, ["ignore", "pipe", "pipe"]);
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (text) => (output[name] += text));
    const ended = new Promise((resolve, reject) => {
        child.on("error", reject);
        child.on("close", (code, signal) => resolve(code ?? signal));
    });
    const code = await within(ended, `end of tuplecast ${args.join(" ")}`, deadlineMs).finally(() => child.kill("SIGKILL"));
    assert.doesNotMatch(output.stderr, SANITIZER);
    return { code, ...output };
}

export class Gateway {
    log = "";
    #child;
    #turnMsMax = TURN_MS_MAX;
    #ended;

    constructor(port, env, args = []) {
        this.port = port;
        this.env = { TUPLECAST_ACCESS_STREAMS: "open", ...env };
        this.args = args;
        this.origin = `http://127.0.0.1:${port}`;
    }

    get pid() {
        return this.#child.pid;
    }

    get running() {
        return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
    }

    /** Starts the program and waits until it answers. The database may be away. */
    async start() {
        assert.ok(!this.running, "it runs already");
        const env = { TUPLECAST_LISTEN: `127.0.0.1:${this.port}`, ...this.env };
        const child = start(["serve", ...this.args], env, ["ignore", "ignore", "pipe"]);
        this.#child = child;
        child.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
        this.#ended = new Promise((resolve, reject) => {
            child.on("error", reject);
            child.on("close", (code, signal) => resolve(code ?? signal));
        });
        await until(
            async () => {
                assert.ok(this.running, `it ended at once:\n${this.log}`);
                return request(`${this.origin}/livez`).then((response) => response.status === 200, () => false);
            },
            () => `an answer from /livez; the log:\n${this.log}`,
        );
        if (isSanitized(this.pid)) this.#turnMsMax = Infinity;
        return this;
    }

    /** Waits until it can serve, database included. */
    async ready(deadlineMs = DEADLINE_MS) {
        await until(
            () => request(`${this.origin}/readyz`).then((response) => response.status === 200, () => false),
            () => `200 from /readyz; the log:\n${this.log}`,
            deadlineMs,
        );
        return this;
    }

    signal(name) {
        this.#child.kill(name);
    }

    /** Waits for its end; resolves with the exit code or the name of the signal. */
    ended(deadlineMs = DEADLINE_MS) {
        return within(this.#ended, () => `end of the gateway; the log:\n${this.log}`, deadlineMs);
    }

    async stop() {
        this.signal("SIGTERM");
        assert.equal(await this.ended(), 0, `exit code after SIGTERM; the log:\n${this.log}`);
    }

    async kill() {
        this.signal("SIGKILL");
        assert.equal(await this.ended(), "SIGKILL");
    }

    /** A new run on the same port. */
    async restart() {
        await this.stop();
        await this.start();
    }

    /** The address of a stream: one channel, or several in a list; `query` is added. */
    stream(channels, query = {}) {
        const url = new URL(this.origin);
        if (Array.isArray(channels)) {
            url.pathname = "/streams";
            for (const channel of channels) url.searchParams.append("channel", channel);
        } else {
            url.pathname = `/streams/${encodeURIComponent(channels)}`;
        }
        for (const [name, values] of Object.entries(query))
            for (const value of [values].flat()) url.searchParams.append(name, value);
        return url;
    }

    get(path, options) {
        return request(this.origin + path, options);
    }

    /** One sample of /metrics, 0 when it is not there; labels are part of the name. */
    async metric(name) {
        const { body } = await this.get("/metrics");
        const line = body.split("\n").find((text) => text.startsWith(`${name} `));
        return line ? Number(line.slice(name.length + 1)) : 0;
    }

    async checkedEnd() {
        if (this.running) await this.stop();
        assert.doesNotMatch(this.log, SANITIZER);
        this.checkTurns();
    }

    /** No turn of its loop may have taken longer than it may: nobody else is served meanwhile. */
    checkTurns() {
        const long = [...this.log.matchAll(/a turn of the loop took long.* processor_ms=(\d+) .*/g)].filter(([, ms]) => Number(ms) > this.#turnMsMax);
        assert.deepEqual(long.map(([line]) => line), []);
    }
}

/**
 * Starts a gateway for the test or suite `t` and stops it at its end, which must go well: exit code 0 and no report of a
 * sanitizer. When the test failed, the gateway's log is shown.
 */
export async function startGateway(t, env = {}, args = []) {
    const gateway = new Gateway(await freePort(), { TUPLECAST_CHANNELS: "*", ...env }, args);
    t.after(async () => {
        try {
            await gateway.checkedEnd();
        } finally {
            gateway.signal("SIGKILL");
            if (t.passed === false) process.stderr.write(`--- log of the gateway of "${t.name}"\n${gateway.log}---\n`);
        }
    });
    await gateway.start();
    return gateway;
}
