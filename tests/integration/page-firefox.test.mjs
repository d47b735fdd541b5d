// The live page in Firefox ESR, by clicking and reading.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { assertAccessible } from "./lib/accessibility.mjs";
import { BROWSERS } from "./lib/browsers.mjs";
import { define, put } from "./lib/changes.mjs";
import { createDatabase, server } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { until } from "./lib/until.mjs";
import { insert, OUTPUT, RECOVERY_MS, setUp, WAIT_MS } from "./lib/visit.mjs";

const TOKEN = "0123456789abcdef0123456789abcdef";

let browser;
before(async () => {
    await mkdir(OUTPUT, { recursive: true });
    browser = await BROWSERS.Firefox();
});
after(() => browser?.close());

/** The page as a person sees it. */
class Visit {
    problems = [];

    constructor(page) {
        this.page = page;
        page.setDefaultTimeout(WAIT_MS);
        page.on("pageerror", (error) => this.problems.push(error.message));
        page.on("dialog", (dialog) => this.problems.push(`dialog: ${dialog.message()}`));
        page.on("console", (message) => {
            if (/Content-Security-Policy/.test(message.text())) this.problems.push(message.text());
        });
    }

    text(selector) {
        return this.page.$eval(selector, (element) => element.innerText);
    }

    async says(selector, wanted, deadlineMs = WAIT_MS) {
        let text;
        await until(async () => wanted.test((text = await this.text(selector).catch(() => ""))), () => `${wanted} in ${selector}; it is: ${text}`, deadlineMs);
    }

    state(wanted, deadlineMs) {
        return this.says("#state-label", new RegExp(`^${wanted}$`), deadlineMs);
    }

    /** Clicks what has this role and name for those who listen. */
    click(role, name) {
        return this.page.locator(`::-p-aria([name="${name}"][role="${role}"])`).click();
    }

    fill(selector, text) {
        return this.page.locator(selector).fill(text);
    }

    rows() {
        return this.page.$$eval("#table > tbody > tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
    }

    async newest(text) {
        let row;
        await until(async () => ([row] = await this.rows())[0]?.at(-1).includes(text), () => `a newest row with ${text}; it is: ${row}`, WAIT_MS);
        return row;
    }

    screenshot(name) {
        return this.page.screenshot({ path: path.join(OUTPUT, `page-firefox-${name}.png`) });
    }
}

async function visit(t, address) {
    const context = await browser.newContext();
    t.after(() => context.close());
    const visited = new Visit(await context.newPage());
    t.after(() => assert.deepEqual(visited.problems, []));
    await visited.page.setViewport({ width: 1280, height: 800 });
    await visited.page.goto(address);
    return visited;
}

test("Firefox shows, searches, pauses and opens changes, and a hostile one is text", async (t) => {
    const database = await createDatabase(t);
    await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
    assert.equal((await run(["setup"], database.env)).code, 0);
    await put(database, "posts_durable", define("posts", { old: true, durable: true }));
    const gateway = await startGateway(t, database.env);
    await gateway.ready();
    const person = await visit(t, `${gateway.origin}/`);
    await person.state("No channel chosen");
    await person.fill("#find", "posts_changes");
    await person.click("button", "Watch");
    await person.state("Live");
    assert.equal(new URL(person.page.url()).search, "?channel=posts_changes");

    await insert(database, "<img src=x onerror=alert(1)>");
    await person.newest("onerror");
    await database.query("UPDATE posts SET title = $1", ["<script>alert(2)</script>\u202e\u0001"]);
    const [, channel, table, type, id, data] = await person.newest("script");
    assert.deepEqual([channel, table, type, id], ["posts_changes", "posts", "UPDATE", "1"]);
    assert.equal(data, '{"id":1,"title":"<script>alert(2)</script>\\u202e\\u0001"}');
    await person.page.locator(".more").click();
    await person.page.waitForSelector(".compare .changed");
    assert.deepEqual(await person.page.$$eval(".changed > *", (cells) => cells.map((cell) => cell.textContent)), [
        "title (changed)", "<img src=x onerror=alert(1)>", "<script>alert(2)</script>\\u202e\\u0001",
    ]);
    assert.equal(await person.page.$$eval("#table :is(img, script)", (elements) => elements.length), 0);
    await assertAccessible(person.page, "a change is open");
    await person.screenshot("old-and-new");

    await person.fill("#search", "onerror");
    await person.says("#matches", /^2 of 2$/);
    await person.fill("#search", "insert");
    await person.says("#matches", /^1 of 2$/);
    await person.click("button", "Pause");
    await insert(database, "insert me");
    await person.says("#pause", /^Resume\s+1 new$/);
    await person.click("button", "Resume 1 new");
    await person.newest("insert me");
    await person.says("#matches", /^2 of 3$/);
    await person.says("#fact-latency", /^[\d.,]+ m?s, max [\d.,]+ m?s$/);
    await until(async () => /at most [1-9]/.test(await person.page.$eval("#rate-chart", (chart) => chart.ariaLabel)), "a chart");
});

test("Firefox creates a trigger after showing its SQL, and deletes it after asking", async (t) => {
    const database = await createDatabase(t);
    await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
    assert.equal((await run(["setup"], database.env)).code, 0);
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_TRIGGERS_TOKEN: TOKEN });
    await gateway.ready();
    const person = await visit(t, `${gateway.origin}/#triggers`);
    await person.fill("#token", TOKEN);
    await person.click("button", "Use it");
    await person.says("#triggers-empty", /No trigger yet/);
    await person.click("button", "New trigger");
    await person.click("button", "Show the SQL");
    await person.says("#trigger-sql", /CREATE OR REPLACE TRIGGER/);
    await assertAccessible(person.page, "the form");
    await person.screenshot("trigger-form");
    await person.click("button", "Create the trigger");
    await person.says("#trigger-rows", /posts_live\s+public\.posts\s+posts_changes/);
    await person.click("button", "Delete posts_live");
    await person.says("#delete-dialog", /Changes of public\.posts will not be sent/);
    await person.page.locator("#delete-yes").click();
    await person.says("#triggers-empty", /No trigger yet/);
});

test("Firefox comes back by itself when gateway and database were restarted, and says what may be missing", async (t) => {
    const { database, gateway } = await setUp(t);
    const person = await visit(t, `${gateway.origin}/?channel=posts_changes`);
    await person.state("Live");
    await insert(database, "before");
    await person.newest("before");

    await gateway.stop();
    await person.state("Reconnecting");
    await person.says("#notice", /by itself/);
    await gateway.start();
    await person.state("Live", RECOVERY_MS);
    await insert(database, "between");
    await person.newest("between");

    t.after(() => server("start").catch(() => {}));
    await server("stop");
    await person.state("Database down");
    await server("start");
    await person.state("Live", RECOVERY_MS);
    await until(() => insert(database, "after").then(() => true, () => false), "a connection to the database");
    await person.newest("after");
    const gaps = (await person.rows()).filter((row) => row.length === 2).map((row) => row[1]);
    assert.equal(gaps.length, 2);
    assert.match(gaps[0], /^Changes may be missing here\. The gateway had lost its database/);
    assert.match(gaps[1], /^Changes may be missing here\. The gateway was restarted/);
    await person.says("#fact-gaps", /^2$/);
    await person.screenshot("gaps");
});
