// The live page in a real browser, used as a person uses it: by what can be read on it and clicked. Each test leaves a
// screenshot in tests/output/. No page may break its own security policy, ask another host for anything, or throw.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { until } from "./lib/until.mjs";
import { insert, launchChromium, setUp, visit } from "./lib/visit.mjs";

const ROWS_MAX = 1000;

let browser;
before(async () => {
    browser = await launchChromium();
});
after(() => browser?.close());

describe("the table", () => {
    test("shows a row that is written in PostgreSQL, and the state Live", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin);
        await person.state("Live");
        await person.page.getByRole("heading", { name: "Nothing has changed yet" }).waitFor();
        await person.screenshot("live-empty");

        await insert(database, "Hello");
        const row = await person.newest("Hello");
        assert.deepEqual(row, { ...row, channel: "posts_changes", table: "posts", type: "INSERT", id: "1", data: '{"id":1,"title":"Hello"}' });
        assert.match(row.time, /^\d\d:\d\d:\d\d\.\d{3}$/);

        await database.query("UPDATE posts SET title = 'Goodbye'");
        assert.equal((await person.newest("Goodbye")).type, "UPDATE");
        await database.query("DELETE FROM posts");
        await until(async () => (await person.rows())[0][3] === "DELETE", "the deletion");
        assert.equal((await person.rows()).length, 3);
        assert.equal(await person.fact("Changes received"), "3");
        assert.equal(await person.fact("Database"), "up");
        assert.equal(await person.fact("Gaps"), "none");
        assert.match(await person.fact("Last event id"), /^[0-9A-Za-z._-]+$/);
        assert.equal(await person.page.title(), "posts_changes – tuplecast");
        await person.screenshot("rows");
    });

    test("is served with a policy that forbids everything from elsewhere and everything inline", async (t) => {
        const { gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin);
        const policy = person.response.headers()["content-security-policy"] ?? "";
        assert.match(policy, /default-src 'none'/);
        assert.match(policy, /script-src 'self'(;|$)/);
        assert.doesNotMatch(policy, /unsafe/);
        await person.state("Live");
    });

    test("draws its charts by the very uPlot that npm has, and serves it with its licence", async (t) => {
        const { gateway } = await setUp(t);
        const from = path.resolve(import.meta.dirname, "node_modules/uplot");
        const [code, style, licence] = await Promise.all(["dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE"].map((file) => readFile(path.join(from, file), "utf8")));
        assert.equal((await gateway.get("/vendor/uplot.js")).body, `${code}export default uPlot;\n`);
        assert.equal((await gateway.get("/vendor/uplot.css")).body, style);
        assert.equal((await gateway.get("/vendor/uplot.LICENSE")).body, licence);
        assert.equal((await gateway.get("/vendor/")).status, 404);
    });

    test("shows a hostile row as text", async (t) => {
        const { database, gateway } = await setUp(t, { TUPLECAST_CHANNELS: "*" });
        const hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>";
        const person = await visit(t, browser, gateway.origin, `/?channel=posts_changes&channel=${encodeURIComponent("<b>x</b>")}`);
        await person.state("Live");

        await insert(database, `${hostile} \u202egnp.exe`);
        assert.ok((await person.newest("onerror")).data.includes(`${hostile} \\u202egnp.exe`), "also its direction is not turned");
        await person.page.locator(".more").first().click();
        await person.page.locator(".compare td", { hasText: "onerror" }).waitFor();
        await database.notify("<b>x</b>", JSON.stringify({ table: hostile, type: "DELETE", id: "<u>7</u>", data: "<h1>" }));
        assert.deepEqual({ ...(await person.newest("<h1>")), time: "" }, {
            time: "", channel: "<b>x</b>", table: hostile, type: "DELETE", id: "<u>7</u>", data: "<h1>",
        });
        await database.notify("posts_changes", hostile);
        assert.equal((await person.newest("onerror")).data, hostile);

        assert.equal(await person.page.locator("#table :is(img, script, b, i, u, h1)").count(), 0);
        await person.screenshot("hostile");
    });

    test("shows numbers as PostgreSQL wrote them", async (t) => {
        const { database, gateway } = await setUp(t);
        await database.query("CREATE TABLE ledger (id numeric PRIMARY KEY, amount numeric)");
        await database.createClassicTrigger("ledger", "posts_changes");
        const person = await visit(t, browser, gateway.origin);
        await person.state("Live");
        await database.query("INSERT INTO ledger VALUES (90071992547409931234567, 123456789012345678901234567890.5500)");
        const row = await person.newest("amount");
        assert.equal(row.id, "90071992547409931234567");
        assert.equal(row.data, '{"id":90071992547409931234567,"amount":123456789012345678901234567890.5500}');
        await person.page.locator(".more").first().click();
        await person.page.getByRole("cell", { name: "123456789012345678901234567890.5500", exact: true }).waitFor();
        await person.page.getByText("The event as it came").click();
        await person.page.locator(".detail pre", { hasText: '    "amount": 123456789012345678901234567890.5500' }).waitFor();
    });

    test("keeps the latest thousand of a flood, and stays in order", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin);
        await person.state("Live");
        for (let i = 0; i < 6; i++) await database.query("INSERT INTO posts (title) SELECT 'many' FROM generate_series(1, 500)");
        await insert(database, "the last");
        await person.newest("the last");
        const ids = (await person.rows()).map((row) => Number(row[4]));
        assert.deepEqual(ids, Array.from({ length: ROWS_MAX }, (_, i) => 3001 - i));
        assert.equal(await person.fact("Changes received"), "3,001");
        await person.screenshot("flood");
    });

    test("can be paused, counts what is new meanwhile, and can be cleared", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin);
        await person.state("Live");
        await insert(database, "before");
        await person.newest("before");

        await person.button("Pause").click();
        await insert(database, "meanwhile");
        await insert(database, "meanwhile too");
        await person.button("Resume 2 new").waitFor();
        assert.equal((await person.rows()).length, 1);
        await person.screenshot("paused");
        await person.button("Resume").click();
        await person.newest("meanwhile too");
        assert.equal((await person.rows()).length, 3);

        await person.button("Clear").click();
        await person.page.getByText("The next change appears here.").first().waitFor();
        assert.equal((await person.rows()).length, 0);
        await insert(database, "after");
        await person.newest("after");
    });
});

describe("the view", () => {
    test("is chosen in the form, kept in the address, and comes back by the back button", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin, "/");
        await person.state("No channel chosen");
        await person.page.getByRole("heading", { name: "Choose a channel" }).waitFor();
        await person.screenshot("no-channel");

        await person.page.getByLabel("Name of a channel").fill("posts_changes");
        await person.button("Watch").click();
        await person.state("Live");
        assert.equal(new URL(person.page.url()).search, "?channel=posts_changes");

        await person.page.getByLabel("Name of a channel").fill("a b&c/ü");
        await person.page.keyboard.press("Enter");
        await person.page.getByRole("checkbox", { name: "a b&c/ü" }).and(person.page.locator(":checked")).waitFor();
        await person.page.getByText("Filters and start").click();
        await person.page.locator("#types").getByLabel("UPDATE").check();
        await person.state("Live");
        assert.deepEqual(new URL(person.page.url()).searchParams.getAll("channel"), ["posts_changes", "a b&c/ü"]);
        assert.deepEqual(new URL(person.page.url()).searchParams.getAll("type"), ["UPDATE"]);
        await database.notify("a b&c/ü", JSON.stringify({ table: "t", type: "UPDATE", id: 1, data: "strange name" }));
        assert.equal((await person.newest("strange name")).channel, "a b&c/ü");
        await insert(database, "is filtered out");
        await database.query("UPDATE posts SET title = 'passes'");
        assert.equal((await person.newest("passes")).type, "UPDATE");
        assert.equal((await person.rows()).length, 2);
        await person.screenshot("view");

        await person.page.goBack();
        await person.page.getByText("Nothing has changed yet").waitFor();
        await database.query(await person.page.locator("#notify").textContent());
        assert.equal((await person.newest("Hello")).table, "–");
        await person.page.goBack();
        await until(async () => (await person.watched()).join() === "posts_changes", "one channel is ticked");
        await person.state("Live");
        await insert(database, "not filtered any more");
        await person.newest("not filtered any more");
        assert.equal(person.streamRequests.length, 5, "one connection for each view");
    });

    test("is filtered by table, type and id on the gateway's side, and the line for psql passes the filters", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin, "/?channel=posts_changes&table=posts&table=it's&type=delete&id=2");
        await person.state("Live");
        await person.page.getByText("4 filters").waitFor();
        await database.query(await person.page.locator("#notify").textContent());
        assert.deepEqual({ ...(await person.newest("Hello")), time: "" }, {
            time: "", channel: "posts_changes", table: "posts", type: "DELETE", id: "2", data: "Hello",
        });
        await database.query("INSERT INTO posts (title) VALUES ('one'), ('two'), ('three')");
        await database.query("DELETE FROM posts");
        await person.newest("two");
        assert.equal((await person.rows()).length, 2);
    });

    test("starts with what is kept when asked to", async (t) => {
        const { database, gateway } = await setUp(t);
        const first = await visit(t, browser, gateway.origin);
        await first.state("Live");
        await insert(database, "one");
        await first.newest("one");
        const second = await visit(t, browser, gateway.origin, "/?channel=posts_changes&from=earliest");
        await second.newest("one");
        assert.equal(await second.page.getByLabel("Start with").inputValue(), "earliest");
    });

    test("can be had for a table without a channel, by the line to copy", async (t) => {
        const database = await createDatabase(t);
        await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
        assert.equal((await run(["setup"], database.env)).code, 0);
        const token = { TUPLECAST_TRIGGERS_TOKEN: "0123456789abcdef0123456789abcdef" };
        const gateway = await startGateway(t, { ...database.env, ...token });
        await gateway.ready();
        const person = await visit(t, browser, gateway.origin, "/");
        const line = await person.page.locator("#put").textContent();
        await promisify(execFile)("sh", ["-c", `${line} --silent --fail`], { env: { ...process.env, ...token } });
        await person.page.getByRole("link", { name: "posts_changes" }).click();
        await person.state("Live");
        await insert(database, "first");
        assert.equal((await person.newest("first")).table, "posts");
    });

    test("gives lines to copy that work", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin);
        await person.state("Live");
        await person.button("Use it in code").click();
        await person.screenshot("code");

        const said = [];
        person.page.on("console", (message) => said.push(message.text()));
        const code = await person.page.locator("#code").textContent();
        assert.equal(code.trimEnd().split("\n").length, 10);
        await person.page.evaluate(`${code}; new Promise((resolve) => changes.addEventListener("ready", resolve))`);

        const line = await person.page.locator("#curl").textContent();
        const curl = promisify(execFile)("timeout", ["3", "sh", "-c", `exec ${line} --silent`]).catch((ended) => ended);
        await new Promise((resolve) => setTimeout(resolve, 1000));
        await insert(database, "copied");
        assert.match((await curl).stdout, /^data: .*"title":"copied"/m);
        await until(() => said.some((text) => /^INSERT posts 1 /.test(text)), () => `the code says INSERT; it says: ${said}`);
    });
});
