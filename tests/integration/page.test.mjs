// The live page in a real browser, used as a person uses it: by what can be read on it and clicked. Each test leaves a
// screenshot in tests/output/. No page may break its own security policy, ask another host for anything, or throw.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { startCutter } from "./lib/cutter.mjs";
import { createDatabase, server } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { until } from "./lib/until.mjs";

const OUTPUT = path.resolve(import.meta.dirname, "../output");
const WAIT_MS = 15_000;
const RECOVERY_MS = 40_000; // a server has to start, and a browser to try again
const ROWS_MAX = 1000;
const CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

let browser;

before(async () => {
    await mkdir(OUTPUT, { recursive: true });
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: CHROMIUM_ARGS });
});
after(() => browser?.close());

/** A database with the classic trigger on `posts`, and a gateway on it. */
async function setUp(t, env = {}) {
    const database = await createDatabase(t);
    await database.createPosts();
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_STREAMS_RETRY_MS: "500", ...env });
    await gateway.ready();
    return { database, gateway };
}

/** The page as a person sees it. */
class Visit {
    problems = []; // what no visit may have

    constructor(page) {
        this.page = page;
        page.setDefaultTimeout(WAIT_MS);
        page.on("pageerror", (error) => this.problems.push(`thrown: ${error.message}`));
        page.on("dialog", (dialog) => this.problems.push(`dialog: ${dialog.message()}`));
        page.on("console", (message) => {
            if (/Content Security Policy|Refused to/.test(message.text())) this.problems.push(message.text());
        });
        page.on("request", (request) => {
            const { protocol, hostname } = new URL(request.url());
            if (protocol !== "data:" && hostname !== "127.0.0.1") this.problems.push(`another host: ${request.url()}`);
            if (new URL(request.url()).pathname.startsWith("/streams")) this.streamRequests.push(request.url());
        });
    }

    streamRequests = [];

    /** Waits for the words at the top: "Live", "Database down", ... */
    async state(wanted, deadlineMs = WAIT_MS) {
        const label = this.page.locator("#state-label");
        await until(async () => (await label.textContent()) === wanted, `the page says ${wanted}`, deadlineMs).catch(async (error) => {
            throw new Error(`${error.message}; it says: ${await this.page.locator("body").innerText()}`);
        });
    }

    /** The rows, newest first, each as its columns' texts; a gap has two. */
    rows() {
        return this.page.locator("table tbody tr").evaluateAll((rows) =>
            rows.map((row) => [...row.cells].map((cell) => cell.textContent)),
        );
    }

    /** Waits until the newest row holds the text in its data; returns the row by column. */
    async newest(text) {
        let row;
        await until(
            async () => {
                [row] = await this.rows();
                return row?.at(-1).includes(text);
            },
            () => `a newest row with ${text}; it is: ${row}`,
            WAIT_MS,
        );
        const [time, channel, table, type, id, data] = row;
        return { time, channel, table, type, id, data };
    }

    /** A value of the connection panel. */
    fact(name) {
        return this.page.locator("#facts div", { has: this.page.getByText(name, { exact: true }) }).locator("dd").textContent();
    }

    button(name) {
        return this.page.getByRole("button", { name });
    }

    screenshot(name) {
        return this.page.screenshot({ path: path.join(OUTPUT, `page-${name}.png`), animations: "disabled" });
    }
}

async function visit(t, origin, address = "/?channel=posts_changes", options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const visited = new Visit(await context.newPage());
    t.after(async () => {
        await context.close();
        assert.deepEqual(visited.problems, []);
    });
    visited.response = await visited.page.goto(origin + address);
    return visited;
}

const insert = (database, title) => database.query("INSERT INTO posts (title) VALUES ($1)", [title]);

describe("the table", () => {
    test("shows a row that is written in PostgreSQL, and the state Live", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin);
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
        const person = await visit(t, gateway.origin);
        const policy = person.response.headers()["content-security-policy"] ?? "";
        assert.match(policy, /default-src 'none'/);
        assert.match(policy, /script-src 'self'(;|$)/);
        assert.doesNotMatch(policy, /unsafe/);
        await person.state("Live");
    });

    test("shows a hostile row as text", async (t) => {
        const { database, gateway } = await setUp(t, { TUPLECAST_CHANNELS: "*" });
        const hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>";
        const person = await visit(t, gateway.origin, `/?channel=posts_changes&channel=${encodeURIComponent("<b>x</b>")}`);
        await person.state("Live");

        await insert(database, `${hostile} \u202egnp.exe`);
        assert.ok((await person.newest("onerror")).data.includes(`${hostile} \\u202egnp.exe`), "also its direction is not turned");
        await person.page.locator(".more").first().click();
        await person.page.locator(".detail pre", { hasText: "onerror" }).waitFor();
        await database.notify("<b>x</b>", JSON.stringify({ table: hostile, type: "DELETE", id: "<u>7</u>", data: "<h1>" }));
        assert.deepEqual({ ...(await person.newest("<h1>")), time: "" }, {
            time: "", channel: "<b>x</b>", table: hostile, type: "DELETE", id: "<u>7</u>", data: "<h1>",
        });
        await database.notify("posts_changes", hostile);
        assert.equal((await person.newest("onerror")).data, hostile);

        assert.equal(await person.page.locator("table :is(img, script, b, i, u, h1)").count(), 0);
        await person.screenshot("hostile");
    });

    test("shows numbers as PostgreSQL wrote them", async (t) => {
        const { database, gateway } = await setUp(t);
        await database.query("CREATE TABLE ledger (id numeric PRIMARY KEY, amount numeric)");
        await database.createClassicTrigger("ledger", "posts_changes");
        const person = await visit(t, gateway.origin);
        await person.state("Live");
        await database.query("INSERT INTO ledger VALUES (90071992547409931234567, 123456789012345678901234567890.5500)");
        const row = await person.newest("amount");
        assert.equal(row.id, "90071992547409931234567");
        assert.equal(row.data, '{"id":90071992547409931234567,"amount":123456789012345678901234567890.5500}');
        await person.page.locator(".more").first().click();
        await person.page.locator(".detail pre", { hasText: '    "amount": 123456789012345678901234567890.5500' }).waitFor();
    });

    test("keeps the latest thousand of a flood, and stays in order", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin);
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
        const person = await visit(t, gateway.origin);
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
        const person = await visit(t, gateway.origin, "/");
        await person.state("No channel chosen");
        await person.page.getByRole("heading", { name: "Choose a channel" }).waitFor();
        await person.screenshot("no-channel");

        await person.page.getByLabel("Channel", { exact: true }).fill("posts_changes");
        await person.button("Watch").click();
        await person.state("Live");
        assert.equal(new URL(person.page.url()).search, "?channel=posts_changes");

        await person.button("Add a channel").click();
        await person.page.getByLabel("Channel 2", { exact: true }).fill("a b&c/ü");
        await person.page.getByText("Filters", { exact: true }).click();
        await person.page.getByLabel("UPDATE").check();
        await person.button("Watch").click();
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
        assert.equal(await person.page.getByLabel("Channel", { exact: true }).inputValue(), "posts_changes");
        await insert(database, "not filtered any more");
        await person.newest("not filtered any more");
        assert.equal(person.streamRequests.length, 3, "one connection for each view");
    });

    test("is filtered by table, type and id on the gateway's side, and the line for psql passes the filters", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin, "/?channel=posts_changes&table=posts&table=it's&type=delete&id=2");
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
        const first = await visit(t, gateway.origin);
        await first.state("Live");
        await insert(database, "one");
        await first.newest("one");
        const second = await visit(t, gateway.origin, "/?channel=posts_changes&from=earliest");
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
        const person = await visit(t, gateway.origin, "/");
        const line = await person.page.locator("#put").textContent();
        await promisify(execFile)("sh", ["-c", `${line} --silent --fail`], { env: { ...process.env, ...token } });
        await person.page.getByRole("link", { name: "posts_changes" }).click();
        await person.state("Live");
        await insert(database, "first");
        assert.equal((await person.newest("first")).table, "posts");
    });

    test("gives lines to copy that work", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin);
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

describe("the connection", () => {
    test("that is refused shows the reason, and can be tried again", async (t) => {
        const { gateway } = await setUp(t, { TUPLECAST_CHANNELS: "posts_*" });
        const person = await visit(t, gateway.origin, "/?channel=orders_changes");
        await person.state("Refused");
        const { json } = await gateway.get("/streams?channel=orders_changes");
        const notice = await person.page.locator("#notice-text").textContent();
        assert.ok(notice.toLowerCase().includes(json.detail.toLowerCase()), `${notice} tells: ${json.detail}`);
        await person.screenshot("refused");
        await person.button("Try again").click();
        await person.state("Refused");

        await person.page.getByLabel("Channel", { exact: true }).fill("posts_changes");
        await person.button("Watch").click();
        await person.state("Live");
    });

    test("comes back when it was cut, with nothing missing and no gap", async (t) => {
        const { database, gateway } = await setUp(t);
        const cutter = await startCutter(t, gateway.port);
        const person = await visit(t, cutter.origin);
        await person.state("Live");
        await insert(database, "one");
        await person.newest("one");
        cutter.cut();
        await insert(database, "two");
        await person.newest("two");
        await person.state("Live");
        assert.deepEqual((await person.rows()).map((row) => row[4]), ["2", "1"]);
        assert.equal(await person.fact("Reconnects"), "1");
        assert.equal(await person.fact("Gaps"), "none");
    });

    test("comes back after a restart of the gateway, and says that changes may be missing", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin);
        await person.state("Live");
        await insert(database, "before");
        await person.newest("before");

        await gateway.stop();
        await person.state("Reconnecting");
        await person.page.getByText("connects again by itself").or(person.page.getByText("keeps trying")).first().waitFor();
        await person.screenshot("reconnecting");
        await insert(database, "unheard");
        await gateway.start();
        await person.state("Live", RECOVERY_MS);
        await insert(database, "after");
        await person.newest("after");

        const rows = await person.rows();
        assert.equal(rows.length, 3);
        assert.match(rows[1][1], /^Changes may be missing here\. The gateway was restarted/);
        assert.match(rows[2][5], /before/);
        assert.equal(await person.fact("Gaps"), "1");
        assert.match(await person.page.locator("#gaps").textContent(), /restart.*read them again/);
        await person.screenshot("gap-restart");
    });

    test("says that the database is down, and goes on when it is back", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin);
        await person.state("Live");
        await insert(database, "before");
        await person.newest("before");

        await server("stop");
        t.after(() => server("start").catch(() => {}));
        await person.state("Database down");
        assert.equal(await person.fact("Database"), "down");
        await person.screenshot("database-down");
        await server("start");
        await person.state("Live", RECOVERY_MS);
        await until(() => insert(database, "after").then(() => true, () => false), "a connection to the database");
        await person.newest("after");

        const gaps = (await person.rows()).filter((row) => row.length === 2);
        assert.equal(gaps.length, 1);
        assert.match(gaps[0][1], /^Changes may be missing here\. The gateway had lost its database/);
        assert.equal(await person.fact("Reconnects"), "0");
        await person.screenshot("gap-outage");
    });

    test("waits for a database that is not there yet", async (t) => {
        const { database, gateway } = await setUp(t);
        await server("stop");
        t.after(() => server("start").catch(() => {}));
        const person = await visit(t, gateway.origin);
        await until(
            async () => /^(Database down|Waiting for the database)$/.test(await person.page.locator("#state-label").textContent()),
            "the page says that there is no database",
        );
        await server("start");
        await person.state("Live", RECOVERY_MS);
        await until(() => insert(database, "after").then(() => true, () => false), "a connection to the database");
        await person.newest("after");
    });
});

describe("the looks", () => {
    for (const colorScheme of ["light", "dark"])
        for (const width of [400, 1280])
            test(`${colorScheme}, ${width} pixels wide: nothing sticks out`, async (t) => {
                const { database, gateway } = await setUp(t);
                const person = await visit(t, gateway.origin, undefined, { colorScheme, viewport: { width, height: 800 } });
                await person.state("Live");
                for (let i = 0; i < 5; i++) await insert(database, `A title that is too long for its line, number ${i}. `.repeat(10));
                await database.query("UPDATE posts SET title = 'short' WHERE id < 4");
                await database.query("DELETE FROM posts WHERE id < 2");
                await until(async () => (await person.rows()).length === 9, "nine rows");
                const { right, background } = await person.page.evaluate(() => ({
                    right: Math.max(...[...document.querySelectorAll("body *:not(.unseen, .unseen *, thead *)")]
                        .filter((element) => element.checkVisibility())
                        .map((element) => element.getBoundingClientRect().right)),
                    background: getComputedStyle(document.body).backgroundColor,
                }));
                assert.ok(right <= width, `up to ${right}`);
                const [red] = background.match(/\d+/g).map(Number);
                assert.ok(colorScheme === "dark" ? red < 64 : red > 192, background);
                await person.screenshot(`${colorScheme}-${width}`);
            });
});
