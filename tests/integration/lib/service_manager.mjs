// A gateway under a service manager: its socket outlives it, and what it says to the manager is heard.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { cleanEnvironment, freePort, Gateway, SANITIZER } from "./gateway.mjs";
import { DEADLINE_MS, Waitable } from "./until.mjs";

const SCRIPT = fileURLToPath(new URL("service_manager.py", import.meta.url));

export class ServiceManager extends Waitable {
    /** What the manager tells, in order: {started}, {said}, {ended}. */
    events = [];
    log = "";
    #child;

    constructor(address, env, args) {
        super();
        this.#child = spawn("setpriv", ["--pdeathsig", "KILL", "python3", SCRIPT, address, process.env.TUPLECAST_BIN, ...args], {
            env: { ...cleanEnvironment(), ...env },
            stdio: ["pipe", "pipe", "pipe"],
        });
        let rest = "";
        this.#child.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
        this.#child.stdout.setEncoding("utf8").on("data", (text) => {
            const lines = (rest + text).split("\n");
            rest = lines.pop();
            this.events.push(...lines.map((line) => JSON.parse(line)));
            this.changed();
        });
    }

    /** The first event from the place `from` on that has this. */
    event(has, what, from = 0, deadlineMs = DEADLINE_MS) {
        return this.wait(
            () => this.events.slice(from).find(has),
            () => `${what}; there were ${JSON.stringify(this.events.slice(from))}; the log:\n${this.log}`,
            deadlineMs,
        );
    }

    /** The first message from the place `from` on in which the service says this. */
    async said(name, value, from = 0, deadlineMs = DEADLINE_MS) {
        const event = await this.event((event) => event.said?.[name] === value, `${name}=${value}`, from, deadlineMs);
        return event.said;
    }

    signal(name) {
        this.#child.stdin.write(`${name}\n`);
    }

    async start() {
        const from = this.events.length;
        this.#child.stdin.write("start\n");
        const event = await this.event((event) => event.said?.READY === "1" || "ended" in event, "READY=1", from, 30_000);
        assert.ok(event.said, `it ended at once:\n${this.log}`);
    }

    /** Stops the service by a signal; resolves with its exit code. */
    async stop(name = "SIGTERM") {
        const from = this.events.length;
        this.signal(name);
        return (await this.event((event) => "ended" in event, "its end", from, 30_000)).ended;
    }

    async restart() {
        assert.equal(await this.stop(), 0, this.log);
        await this.start();
    }

    get running() {
        const last = this.events.findLast((event) => "started" in event || "ended" in event);
        return last !== undefined && "started" in last;
    }

    async end() {
        try {
            if (this.running) assert.equal(await this.stop(), 0, this.log);
            assert.doesNotMatch(this.log, SANITIZER);
        } finally {
            this.#child.kill("SIGKILL");
        }
    }
}

/**
 * Starts a gateway for the test `t` on a socket that the manager holds, or on its own one: {manager, gateway}, where
 * `gateway` is only to be asked for addresses and answers. sharedPort: a port that others may have such a socket for, too.
 */
export async function startService(t, env = {}, { address, args = ["serve"], ownSocket = false, sharedPort } = {}) {
    const port = sharedPort ?? (await freePort());
    if (sharedPort) address = `shared:${sharedPort}`;
    const all = { TUPLECAST_CHANNELS: "*", TUPLECAST_ACCESS_STREAMS: "open", TUPLECAST_LISTEN: `127.0.0.1:${ownSocket ? port : 9}`, ...env };
    const manager = new ServiceManager(ownSocket ? "none" : (address ?? String(port)), all, args);
    t.after(() => manager.end());
    await manager.event((event) => event.listening, "the manager");
    await manager.start();
    return { manager, gateway: new Gateway(port, all) };
}
