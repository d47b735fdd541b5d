// docs/examples/todo, as its README says, in two browsers.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { BROWSERS } from "./lib/browsers.mjs";
import { createDatabase } from "./lib/database.mjs";
import { freePort, run, startGateway } from "./lib/gateway.mjs";
import { request } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const EXAMPLE = path.resolve(import.meta.dirname, "../../docs/examples/todo");
const TOKEN = "only-for-this-test";
const WAIT_MS = 30_000;

/** The example's server, with the packages of the tests; resolves with its origin. */
async function startServer(t, env) {
    const folder = await mkdtemp(path.join(os.tmpdir(), "todo-"));
    t.after(() => rm(folder, { recursive: true }));
    await cp(EXAMPLE, folder, { recursive: true });
    await symlink(path.resolve(import.meta.dirname, "node_modules"), path.join(folder, "node_modules"));
    const child = spawn("setpriv", ["--pdeathsig", "KILL", process.execPath, "server.mjs"], {
        cwd: folder,
        env: { ...process.env, ...env },
        stdio: ["ignore", "inherit", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    const origin = `http://localhost:${env.PORT}`;
    await until(() => request(`${origin}/todos`).then(({ status }) => status === 200, () => false), "the todo server", WAIT_MS);
    return origin;
}

/** What a person sees and does in either browser. */
const SCRIPTS = {
    read: () =>
        [...document.querySelectorAll("li")].map((li) => (li.querySelector("input").checked ? "✓ " : "") + li.querySelector("span").textContent),
    add: (title) => {
        const form = document.querySelector("form");
        form.title.value = title;
        form.requestSubmit();
    },
    tick: (i) => document.querySelectorAll("li input")[i].click(),
    remove: (i) => document.querySelectorAll("li button")[i].click(),
};

test("the todo list stays in step between two browsers, and with psql", async (t) => {
    const database = await createDatabase(t);
    const readme = await readFile(path.join(EXAMPLE, "README.md"), "utf8");
    await database.query(/psql -c '(CREATE TABLE .*)'/.exec(readme)[1]);
    assert.equal((await run(["setup"], database.env)).code, 0);
    const port = String(await freePort());
    const gateway = await startGateway(t, {
        ...database.env,
        TUPLECAST_CORS_ORIGINS: `http://localhost:${port}`,
        TUPLECAST_TRIGGERS_TOKEN: TOKEN,
        TUPLECAST_STREAMS_RETRY_MS: "300",
    });
    await gateway.ready();
    const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
    const body = /-d '(.*)'/.exec(readme)[1];
    assert.equal((await gateway.get("/triggers/todos", { method: "PUT", headers, body })).status, 201);
    const origin = await startServer(t, { ...database.env, TUPLECAST: gateway.origin, PORT: port });

    const people = await Promise.all(
        Object.values(BROWSERS).map(async (start) => {
            const browser = await start();
            t.after(() => browser.close());
            const page = await (await browser.newContext()).newPage();
            await page.goto(origin);
            return page;
        }),
    );
    const [first, second] = people;
    const shows = async (wanted) => {
        for (const page of people) {
            let seen;
            const same = async () => JSON.stringify((seen = await page.evaluate(SCRIPTS.read))) === JSON.stringify(wanted);
            await until(same, () => `${JSON.stringify(wanted)}, it shows ${JSON.stringify(seen)}`, WAIT_MS);
        }
    };
    await database.query("INSERT INTO todos (title) VALUES ('from psql')");
    await shows(["from psql"]);
    await first.evaluate(SCRIPTS.add, "<b>milk</b>");
    await shows(["from psql", "<b>milk</b>"]);
    await second.evaluate(SCRIPTS.tick, 1);
    await shows(["from psql", "✓ <b>milk</b>"]);
    await second.evaluate(SCRIPTS.remove, 0);
    await shows(["✓ <b>milk</b>"]);
    // What happens while the gateway is away is a gap, and the lists are loaded anew.
    await gateway.stop();
    await first.evaluate(SCRIPTS.add, "while it is away");
    await until(async () => (await database.value("SELECT count(*) FROM todos")) === "2", "the second row", WAIT_MS);
    await gateway.start();
    await shows(["✓ <b>milk</b>", "while it is away"]);
});

test("the todo list is shorter than sixty lines", async () => {
    const files = await Promise.all(["index.html", "server.mjs"].map((name) => readFile(path.join(EXAMPLE, name), "utf8")));
    assert.equal(files.join("").trimEnd().split("\n").length, 59);
});
