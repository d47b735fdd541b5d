// What the live page says and does when something goes away and comes back, in real browsers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeInBrowsers, inAllBrowsers } from "./lib/browsers.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { server } from "./lib/database.mjs";
import { whileBrowsersSleep } from "./lib/proc.mjs";
import { until } from "./lib/until.mjs";
import { insert, POSTS, RECOVERY_MS, setUp, visitIn, visitors, WAIT_MS } from "./lib/visit.mjs";

const TABS = 8; // more than the six connections that a browser opens to a host

describeInBrowsers((newContext, browser, testAlike) => {
    const visit = visitors(newContext, browser);

    testAlike("a connection that is refused shows the reason, and can be tried again", async (t) => {
        const { gateway } = await setUp(t, { TUPLECAST_CHANNELS: "posts_*" });
        const person = await visit(t, gateway.origin, "/?channel=orders_changes");
        await person.state("Refused");
        const { json } = await gateway.get("/streams?channel=orders_changes");
        const notice = await person.text("#notice-text");
        assert.ok(notice.toLowerCase().includes(json.detail.toLowerCase()), `${notice} tells: ${json.detail}`);
        await person.screenshot("refused");
        const asked = person.streamRequests.length;
        await person.click("button", "Try again");
        await until(() => person.streamRequests.length > asked, "it asks again", WAIT_MS);
        await person.state("Refused");

        await person.clickAt('#channels input[value="orders_changes"]');
        await person.state("No channel chosen");
        await person.fill("Name of a channel", "posts_changes");
        await person.click("button", "Watch");
        await person.state("Live");
    });

    test("a connection that was cut comes back, with nothing missing and no gap", async (t) => {
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
        assert.deepEqual(await person.ids(), ["2", "1"]);
        assert.equal(await person.fact("Reconnects"), "1");
        assert.equal(await person.fact("Gaps"), "none");
    });

    test("the page comes back after a restart of the gateway, and says that changes may be missing", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin);
        await person.state("Live");
        await insert(database, "before");
        await person.newest("before");

        await gateway.stop();
        await person.state("Reconnecting");
        await person.says("#notice-text", /connects again by itself|keeps trying/);
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
        await person.says("#gaps", /restart.*read them again/);
        const { text } = await person.download(() => person.click("button", "Export"));
        const reasons = text.trim().split("\n").map((line) => JSON.parse(line).gap?.reason);
        assert.deepEqual(reasons, [undefined, "restart", undefined], "the file says it, too");
        await person.screenshot("gap-restart");
    });

    test("the connection is taken up again when the network comes back, with nothing missing", async (t) => {
        const { database, gateway } = await setUp(t);
        const cutter = await startCutter(t, gateway.port);
        const person = await visit(t, cutter.origin);
        await person.state("Live");
        await insert(database, "before");
        await person.newest("before");
        cutter.refuse();
        cutter.cut();
        await person.state("Reconnecting");
        await person.says("#notice-text", /^The gateway cannot be reached\. This page keeps trying by itself\.$/);
        await insert(database, "unheard");
        await person.screenshot("offline");
        cutter.refuse(false);
        await person.state("Live", RECOVERY_MS);
        await person.newest("unheard");
        assert.deepEqual(await person.ids(), ["2", "1"]);
        assert.equal(await person.fact("Gaps"), "none");
    });

    test("the connection is renewed after a minute of sleep, in which no timer ran", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin);
        await person.state("Live");
        await insert(database, "before");
        await person.newest("before");
        await person.page.evaluate(() => {
            const now = Date.now;
            Date.now = () => now() + 60_000;
        });
        await person.factIs("Reconnects", /^1$/, RECOVERY_MS);
        await person.state("Live", RECOVERY_MS);
        await insert(database, "after");
        await person.newest("after");
        assert.deepEqual(await person.ids(), ["2", "1"]);
        assert.equal(await person.fact("Gaps"), "none");
    });

    test("the connection is one for all tabs that show the same", async (t) => {
        const { database, gateway } = await setUp(t);
        const first = await visit(t, gateway.origin);
        const others = [];
        while (others.length < TABS - 1) others.push(await visitIn(t, first.context, browser, gateway.origin));
        const tabs = [first, ...others];
        for (const tab of tabs) await tab.state("Live");
        await insert(database, "for all");
        for (const tab of tabs) await tab.newest("for all");
        assert.equal(await gateway.metric("tuplecast_streams"), 1);

        await first.page.close();
        await insert(database, "for the rest");
        for (const tab of others) {
            await tab.newest("for the rest");
            assert.deepEqual(await tab.ids(), ["2", "1"]);
            assert.equal(await tab.fact("Gaps"), "none");
        }
    });

    test("the page goes on where it was when it is loaded anew", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin);
        await person.state("Live");
        await insert(database, "seen");
        await person.newest("seen");
        await person.page.goto("about:blank");
        await insert(database, "between");
        await person.open(gateway.origin);
        await person.newest("between");
        assert.equal((await person.rows()).length, 1);
    });
});

/** A person in each browser, who see the same accident. */
const visitAll = (t, origin) => inAllBrowsers(t, (newContext, browser) => visitors(newContext, browser)(t, origin, POSTS));
const each = (people, act) => Promise.all(people.map(act));

test("the page says that the database is down, also to who comes then, and goes on when it is back", async (t) => {
    const { database, gateway } = await setUp(t);
    const people = await visitAll(t, gateway.origin);
    await each(people, (person) => person.state("Live"));
    await insert(database, "before");
    await each(people, (person) => person.newest("before"));

    await server("stop");
    t.after(() => server("start").catch(() => {}));
    await each(people, async (person) => {
        await person.state("Database down");
        assert.equal(await person.fact("Database"), "down");
        await person.factIs("Database round trip", /^–$/);
        await person.screenshot("database-down");
    });
    const { json } = await gateway.get("/channels");
    assert.deepEqual([json.database, json.round_trip_ms], ["down", undefined], "the last round trip does not count any more");
    const late = await visitAll(t, gateway.origin);
    await each(late, (person) => person.says("#state-label", /^(Database down|Waiting for the database)$/));
    await server("start");
    await each([...people, ...late], (person) => person.state("Live", RECOVERY_MS));
    await until(() => insert(database, "after").then(() => true, () => false), "a connection to the database", WAIT_MS);
    await each([...people, ...late], (person) => person.newest("after"));
    await each(people, async (person) => {
        const gaps = await person.gaps();
        assert.equal(gaps.length, 1);
        assert.match(gaps[0], /^Changes may be missing here\. The gateway had lost its database/);
        assert.equal(await person.fact("Reconnects"), "0");
        await person.screenshot("gap-outage");
    });
});

test("the page of a computer that was asleep goes on where it was, or says that it cannot", async (t) => {
    const { database, gateway } = await setUp(t, { TUPLECAST_LIMITS_CHANNEL_MEMORY_BYTES: "65536" });
    const cutter = await startCutter(t, gateway.port);
    const people = await visitAll(t, cutter.origin);
    await each(people, (person) => person.state("Live"));
    // Every process of the browsers stands still; meanwhile the network forgets the connections, and rows are written.
    const sleepThrough = async (count) => {
        await whileBrowsersSleep(async () => {
            cutter.cut();
            await database.query("INSERT INTO posts (title) SELECT repeat('unheard', 100) FROM generate_series(1, $1::int)", [count]);
        });
        const last = await database.value("SELECT max(id) FROM posts");
        await each(people, async (person) => {
            await until(async () => (await person.ids())[0] === last, `${person.browser}: the row ${last}`, RECOVERY_MS);
            await person.state("Live", RECOVERY_MS);
        });
    };
    await insert(database, "before");
    await each(people, (person) => person.newest("before"));
    await sleepThrough(5);
    for (const person of people) {
        assert.deepEqual(await person.ids(), ["6", "5", "4", "3", "2", "1"]);
        assert.equal(await person.fact("Gaps"), "none");
    }

    await sleepThrough(200);
    for (const person of people) {
        assert.equal(await person.fact("Gaps"), "1");
        const rows = await person.rows();
        const gap = rows.findIndex((row) => row.length === 2);
        assert.match(rows[gap][1], /^Changes may be missing here\. .* older than what the gateway keeps\. .* read them again from the database\.$/);
        assert.equal(rows[gap + 1][4], "6", "it stands where they are missing");
        assert.ok(rows.length < 206);
        await person.screenshot("gap-expired");
    }
});
