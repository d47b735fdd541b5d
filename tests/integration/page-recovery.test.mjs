// What the live page says and does when something goes away and comes back, and what it looks like, in Chromium.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { HtmlValidate } from "html-validate";
import { assertAccessible } from "./lib/accessibility.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { server } from "./lib/database.mjs";
import { whileBrowsersSleep } from "./lib/proc.mjs";
import { until } from "./lib/until.mjs";
import { insert, launchChromium, RECOVERY_MS, setUp, visit, visitIn, WAIT_MS } from "./lib/visit.mjs";

const TABS = 8; // more than the six connections that a browser opens to a host

let browser;
before(async () => {
    browser = await launchChromium();
});
after(() => browser?.close());

describe("the connection", () => {
    test("that is refused shows the reason, and can be tried again", async (t) => {
        const { gateway } = await setUp(t, { TUPLECAST_CHANNELS: "posts_*" });
        const person = await visit(t, browser, gateway.origin, "/?channel=orders_changes");
        await person.state("Refused");
        const { json } = await gateway.get("/streams?channel=orders_changes");
        const notice = await person.page.locator("#notice-text").textContent();
        assert.ok(notice.toLowerCase().includes(json.detail.toLowerCase()), `${notice} tells: ${json.detail}`);
        await person.screenshot("refused");
        await person.button("Try again").click();
        await person.state("Refused");

        await person.page.getByRole("checkbox", { name: "orders_changes" }).click();
        await person.state("No channel chosen");
        await person.page.getByLabel("Name of a channel").fill("posts_changes");
        await person.button("Watch").click();
        await person.state("Live");
    });

    test("comes back when it was cut, with nothing missing and no gap", async (t) => {
        const { database, gateway } = await setUp(t);
        const cutter = await startCutter(t, gateway.port);
        const person = await visit(t, browser, cutter.origin);
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
        const person = await visit(t, browser, gateway.origin);
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
        const downloading = person.page.waitForEvent("download");
        await person.button("Export").click();
        const lines = (await readFile(await (await downloading).path(), "utf8")).trim().split("\n");
        assert.deepEqual(lines.map((line) => JSON.parse(line).gap?.reason), [undefined, "restart", undefined], "the file says it, too");
        await person.screenshot("gap-restart");
    });

    test("says that the database is down, and goes on when it is back", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin);
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

    test("is taken up again when the network comes back, with nothing missing", async (t) => {
        const { database, gateway } = await setUp(t);
        const cutter = await startCutter(t, gateway.port);
        const person = await visit(t, browser, cutter.origin);
        await person.state("Live");
        await insert(database, "before");
        await person.newest("before");
        await person.page.context().setOffline(true);
        cutter.cut(); // what is open already goes on in an "offline" Chromium
        await person.state("Reconnecting");
        await person.page.locator("#notice-text", { hasText: "The gateway cannot be reached. This page keeps trying by itself." }).waitFor();
        await insert(database, "unheard");
        await person.screenshot("offline");
        await person.page.context().setOffline(false);
        await person.state("Live", RECOVERY_MS);
        await person.newest("unheard");
        assert.deepEqual((await person.rows()).map((row) => row[4]), ["2", "1"]);
        assert.equal(await person.fact("Gaps"), "none");
    });

    test("is renewed after a minute of sleep, in which no timer ran", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, browser, "about:blank", "");
        await person.page.clock.install();
        await person.page.goto(`${gateway.origin}/?channel=posts_changes`);
        await person.state("Live");
        await insert(database, "before");
        await person.newest("before");
        await person.page.clock.fastForward("01:00");
        await until(async () => (await person.fact("Reconnects")) === "1", "a new connection", RECOVERY_MS);
        await person.state("Live", RECOVERY_MS);
        await insert(database, "after");
        await person.newest("after");
        assert.deepEqual((await person.rows()).map((row) => row[4]), ["2", "1"]);
        assert.equal(await person.fact("Gaps"), "none");
    });

    test("of a computer that was asleep goes on where it was, or says that it cannot", async (t) => {
        const { database, gateway } = await setUp(t, { TUPLECAST_LIMITS_CHANNEL_MEMORY_BYTES: "65536" });
        const cutter = await startCutter(t, gateway.port);
        const person = await visit(t, browser, cutter.origin);
        await person.state("Live");
        // Every process of the browser stands still; meanwhile the network forgets the connection, and rows are written.
        const sleepThrough = async (count) => {
            await whileBrowsersSleep(async () => {
                cutter.cut();
                await database.query("INSERT INTO posts (title) SELECT repeat('unheard', 100) FROM generate_series(1, $1::int)", [count]);
            });
            const last = await database.value("SELECT max(id) FROM posts");
            await until(async () => (await person.rows())[0]?.[4] === last, `the row ${last}`, RECOVERY_MS);
            await person.state("Live", RECOVERY_MS);
        };
        await insert(database, "before");
        await person.newest("before");
        await sleepThrough(5);
        assert.deepEqual((await person.rows()).map((row) => row[4]), ["6", "5", "4", "3", "2", "1"]);
        assert.equal(await person.fact("Gaps"), "none");

        await sleepThrough(200);
        assert.equal(await person.fact("Gaps"), "1");
        const rows = await person.rows();
        const gap = rows.findIndex((row) => row.length === 2);
        assert.match(rows[gap][1], /^Changes may be missing here\. .* older than what the gateway keeps\. .* read them again from the database\.$/);
        assert.equal(rows[gap + 1][4], "6", "it stands where they are missing");
        assert.ok(rows.length < 206);
        await person.screenshot("gap-expired");
    });

    test("is one for all tabs that show the same", async (t) => {
        const { database, gateway } = await setUp(t);
        const first = await visit(t, browser, gateway.origin);
        const tabs = [first];
        for (let count = 1; count < TABS; count++) tabs.push(await visitIn(t, first.page.context(), gateway.origin));
        for (const tab of tabs) await tab.state("Live");
        await insert(database, "for all");
        for (const tab of tabs) await tab.newest("for all");
        assert.equal(await gateway.metric("tuplecast_streams"), 1);

        await first.page.close();
        await insert(database, "for the rest");
        for (const tab of tabs.slice(1)) {
            await tab.newest("for the rest");
            assert.deepEqual((await tab.rows()).map((row) => row[4]), ["2", "1"]);
            assert.equal(await tab.fact("Gaps"), "none");
        }
    });

    test("goes on where it was when the page is loaded anew", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin);
        await person.state("Live");
        await insert(database, "seen");
        await person.newest("seen");
        await person.page.goto("about:blank");
        await insert(database, "between");
        await person.page.goto(`${gateway.origin}/?channel=posts_changes`);
        await person.newest("between");
        assert.equal((await person.rows()).length, 1);
    });

    test("waits for a database that is not there yet", async (t) => {
        const { database, gateway } = await setUp(t);
        await server("stop");
        t.after(() => server("start").catch(() => {}));
        const person = await visit(t, browser, gateway.origin);
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
                const person = await visit(t, browser, gateway.origin, undefined, { colorScheme, viewport: { width, height: 800 } });
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
                await assertAccessible(person.page, `${colorScheme}, ${width} pixels`);
            });

    test("all of it can be reached and used by keyboard", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin);
        await person.state("Live");
        await insert(database, "Hello");
        await person.newest("Hello");
        const reached = new Set();
        for (let presses = 0; presses < 40; presses++) {
            await person.page.keyboard.press("Tab");
            reached.add(await person.page.evaluate(() => {
                const { ariaLabel, labels, innerText } = document.activeElement;
                return (ariaLabel ?? labels?.[0]?.textContent ?? innerText).trim().replace(/\s+/g, " ").slice(0, 30);
            }));
        }
        const wanted = ["Skip to the changes", "Changes", "Triggers", "Name of a channel", "Watch", "Filters and start", "Pause", "Clear", "Export", "Use it in code", "INSERT 1", "Search the changes shown", "Table of changes", "The whole change"];
        assert.deepEqual(wanted.filter((name) => !reached.has(name)), [], [...reached].join(" | "));
        await person.button("Pause").focus();
        await person.page.keyboard.press("Space");
        await person.button("Resume").waitFor();
    });

    test("nothing chosen yet: says what to do next, and is accessible", async (t) => {
        const { gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin, "/");
        await person.page.getByRole("heading", { name: "Choose a channel" }).waitFor();
        await assertAccessible(person.page, "no channel");
        await person.page.getByRole("link", { name: "Put a trigger on a table" }).click();
        await person.page.getByRole("heading", { name: "Triggers" }).waitFor();
    });

    test("its markup is as html-validate recommends", async () => {
        // The token is no password that a browser should offer to remember.
        const validate = new HtmlValidate({ extends: ["html-validate:recommended"], rules: { "autocomplete-password": "off" } });
        const report = await validate.validateFile(path.resolve(import.meta.dirname, "../../www/index.html"));
        const messages = report.results.flatMap(({ messages }) => messages.map(({ line, ruleId, message }) => `${line}: ${ruleId}: ${message}`));
        assert.deepEqual(messages, []);
    });
});
