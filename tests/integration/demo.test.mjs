// scripts/demo, from outside: what it prints works, and it leaves nothing behind.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { freePort } from "./lib/gateway.mjs";
import { request, subscribe } from "./lib/sse.mjs";
import { Waitable, until, within } from "./lib/until.mjs";

const DEMO = path.resolve(import.meta.dirname, "../../scripts/demo");

/** The demo, with a mark in its environment by which all of its processes can be found. */
class Demo extends Waitable {
    output = "";
    mark = `TUPLECAST_TEST_MARK=${randomBytes(8).toString("hex")}`;

    constructor(t, ...args) {
        super();
        const [name, value] = this.mark.split("=");
        // A process group of its own: Ctrl-C at a terminal reaches all of a group.
        this.child = spawn(DEMO, args, { env: { ...process.env, [name]: value }, stdio: ["ignore", "pipe", "pipe"], detached: true });
        for (const stream of [this.child.stdout, this.child.stderr])
            stream.setEncoding("utf8").on("data", (text) => {
                this.output += text;
                this.changed();
            });
        this.ended = new Promise((resolve) => this.child.on("close", (code, signal) => resolve(code ?? signal)));
        t.after(() => this.child.exitCode ?? this.child.signalCode ?? process.kill(-this.child.pid, "SIGTERM"));
        t.after(() => t.passed || process.stderr.write(this.output));
    }

    async prints(pattern) {
        return this.wait(() => this.output.match(pattern) ?? undefined, () => `${pattern} in:\n${this.output}`, 30_000);
    }

    get processes() {
        return readdirSync("/proc").filter((pid) => {
            try {
                return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, "latin1").includes(this.mark);
            } catch {
                return false; // it is gone, or not ours
            }
        });
    }

    async leavesNothing(folder) {
        const code = await within(this.ended, "the end of the demo", 20_000);
        await until(() => this.processes.length === 0, () => `no process; left are ${this.processes}`);
        assert.ok(!existsSync(folder), folder);
        return code;
    }
}

/** Runs a line as the demo prints it, as a person would paste it. */
async function paste(line) {
    const child = spawn("bash", ["-c", line], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (text) => (output += text));
    const code = await within(new Promise((resolve) => child.on("close", resolve)), line);
    assert.equal(code, 0, line);
    return output;
}

test("the demo shows changes, and each line that it prints works", async (t) => {
    const port = await freePort();
    const demo = new Demo(t, "--port", String(port), "--seconds", "8");
    const [, page] = await demo.prints(/(http:\/\/localhost:\d+\/\?channel=posts_changes)/);
    const [, curl] = await demo.prints(/^\s*(curl -N \S+)$/m);
    const [, psql] = await demo.prints(/^\s*(psql .*)$/m);
    const [, list] = await demo.prints(/^\s*(curl -s.*\/triggers.*)$/m);
    assert.equal(new URL(page).port, String(port));

    const html = await request(page.replace("localhost", "127.0.0.1"));
    assert.equal(html.status, 200);
    assert.match(html.headers["content-type"], /^text\/html/);
    const stream = await subscribe(t, curl.split(" ").at(-1).replace("localhost", "127.0.0.1"));
    const seen = await stream.next("message");
    assert.deepEqual([seen.json.channel, seen.json.table], ["posts_changes", "posts"]);
    assert.match(await paste(`timeout 2 ${curl}; [ $? = 124 ]`), /event: ready/);
    await paste(`${psql} -c "INSERT INTO posts (title) VALUES ('pasted')"`);
    await stream.next((event) => event.json.data?.title === "pasted");
    assert.match(await paste(list), /posts_live/);
    await demo.prints(/INSERT[^]*UPDATE/);

    const folder = psql.match(/-h (\S+)/)[1];
    assert.ok(existsSync(folder));
    assert.equal(await demo.leavesNothing(folder), 0);
    await assert.rejects(request(`http://127.0.0.1:${port}/livez`), { code: "ECONNREFUSED" });
});

test("Ctrl-C ends the demo and leaves nothing behind", async (t) => {
    const demo = new Demo(t, "--port", String(await freePort()));
    const [, psql] = await demo.prints(/^\s*(psql .*)$/m);
    await demo.prints(/INSERT/);
    process.kill(-demo.child.pid, "SIGINT");
    assert.equal(await demo.leavesNothing(psql.match(/-h (\S+)/)[1]), 0);
});

test("SIGTERM to the script alone does the same", async (t) => {
    const demo = new Demo(t, "--port", String(await freePort()));
    const [, psql] = await demo.prints(/^\s*(psql .*)$/m);
    demo.child.kill("SIGTERM");
    await demo.leavesNothing(psql.match(/-h (\S+)/)[1]);
});
