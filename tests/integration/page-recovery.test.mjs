// What the live page says and does when something goes away and comes back, and what it looks like, in Chromium.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startCutter } from "./lib/cutter.mjs";
import { server } from "./lib/database.mjs";
import { until } from "./lib/until.mjs";
import { insert, launchChromium, RECOVERY_MS, setUp, visit, WAIT_MS } from "./lib/visit.mjs";

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
            });
});
