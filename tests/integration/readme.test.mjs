// Everything that README.md shows works as it is shown: its commands are run, its browser code runs in a browser.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { createDatabase } from "./lib/database.mjs";
import { freePort } from "./lib/gateway.mjs";
import { request } from "./lib/sse.mjs";
import { Waitable, until } from "./lib/until.mjs";

const ROOT = path.resolve(import.meta.dirname, "../..");
const README = readFileSync(path.join(ROOT, "README.md"), "utf8");
const BUILD_MS = 150_000;

/** The fenced blocks of a language, in their order. */
function blocks(language) {
    return [...README.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, text]) => text);
}

/** A shell that somebody types into. */
class Shell extends Waitable {
    output = "";
    errors = "";
    #turn = 0;

    constructor(t, options) {
        super();
        this.child = spawn("bash", ["-e"], { ...options, stdio: ["pipe", "pipe", "pipe"], detached: true });
        t.after(() => process.kill(-this.child.pid, "SIGKILL"));
        this.child.stdout.setEncoding("utf8").on("data", (text) => {
            this.output += text;
            this.changed();
        });
        this.child.stderr.setEncoding("utf8").on("data", (text) => (this.errors += text));
        this.child.on("close", () => this.changed());
    }

    /** Types lines; resolves with what was printed until the shell asks for more. */
    async type(lines, deadlineMs = 20_000) {
        const mark = `== ${++this.#turn} ==`;
        const from = this.output.length;
        this.child.stdin.write(`${lines}\necho '${mark}'\n`);
        await this.wait(
            () => {
                assert.equal(this.child.exitCode, null, `a command failed:\n${this.output}\n${this.errors}`);
                return this.output.includes(mark, from) || undefined;
            },
            () => `the end of:\n${lines}\nso far:\n${this.output}`,
            deadlineMs,
        );
        return this.output.slice(from, this.output.indexOf(mark, from));
    }
}

let browser;
before(async () => {
    browser = await chromium.launch({
        executablePath: "/usr/bin/chromium",
        args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    });
});
after(() => browser?.close());

test("the commands and the browser code of the README work on an own database", { timeout: BUILD_MS + 60_000 }, async (t) => {
    const database = await createDatabase(t);
    await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
    const port = await freePort();
    const folder = mkdtempSync(path.join(tmpdir(), "tuplecast-readme-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    execFileSync("bash", ["-c", `git ls-files -z | xargs -0 cp --parents -t '${folder}'`], { cwd: ROOT });
    const here = (text) => text.replaceAll("localhost:8080", `localhost:${port}`).replace("postgresql://localhost/app", `postgresql:///${database.name}`);

    const [watch, install, triggers] = blocks("sh").map(here);
    const shell = new Shell(t, { cwd: folder, env: { ...process.env, TUPLECAST_LISTEN: `127.0.0.1:${port}` } });
    await shell.type(install, BUILD_MS);
    await until(
        () => request(`http://127.0.0.1:${port}/readyz`).then(({ status }) => status === 200, () => false),
        () => `a gateway that is ready:\n${shell.output}`,
    );

    const [put, list, remove] = triggers.trim().split(/\n(?=curl )/);
    assert.equal(JSON.parse(await shell.type(put)).channel, "posts_changes");
    assert.deepEqual(JSON.parse(await shell.type(list)).items.map(({ name }) => name), ["posts_live"]);

    const watching = spawn("bash", ["-c", watch], { stdio: ["ignore", "pipe", "ignore"] });
    t.after(() => watching.kill());
    let seen = "";
    watching.stdout.setEncoding("utf8").on("data", (text) => (seen += text));
    await until(() => seen.includes("event: ready"), () => `ready in:\n${seen}`);

    const page = await browser.newPage();
    const logged = [];
    page.on("console", (message) => message.type() === "log" && logged.push(message.text()));
    await page.goto(`http://localhost:${port}/livez`);
    await page.evaluate(blocks("html")[0].match(/<script>(.*)<\/script>/s)[1]);
    await until(() => logged.length > 0, () => `ready in the browser: ${logged}`);

    await database.query("INSERT INTO posts (title) VALUES ('Hi')");
    await until(() => seen.includes('"title":"Hi"'), () => `the row in:\n${seen}`);
    await until(() => logged.length > 1, () => `the row in the browser: ${logged}`);
    assert.match(logged[0], /^live/);
    assert.match(logged[1], /^INSERT posts 1 /);

    // What the README shows of the stream is what a stream looks like.
    const shape = (text) => text.replace(/\d+-[0-9a-z]+|\d+/g, "#").trim();
    const shown = README.match(/^```\n(: ok.*?)^```/ms)[1];
    assert.equal(shape(seen), shape(shown));

    assert.equal(await shell.type(remove), "");
    assert.deepEqual(JSON.parse(await shell.type(list)).items, []);
    await shell.type("build/tuplecast check -c etc/tuplecast.conf");
});
