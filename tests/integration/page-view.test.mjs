// How one chooses in the live page what to watch, with the mouse or without, and takes it along: form, address, token, and lines to copy,
// in real browsers.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { describeInBrowsers } from "./lib/browsers.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { createFolder } from "./lib/tokens.mjs";
import { until } from "./lib/until.mjs";
import { insert, POSTS, setUp, visitors, WAIT_MS } from "./lib/visit.mjs";

const PRESSES_MAX = 40;
const BY_KEYBOARD = [
    "Skip to the changes", "Changes", "Triggers", "Name of a channel", "Watch", "Filters and start", "Pause", "Clear", "Export", "Use it in code",
    "INSERT 1", "Search the changes shown", "Table of changes", "The whole change",
];

describeInBrowsers((newContext, browser, testAlike) => {
    const visit = visitors(newContext, browser);

    test("the view is chosen in the form, kept in the address, and comes back by the back button", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin, "/");
        const search = () => new URL(person.page.url()).searchParams;
        await person.state("No channel chosen");
        await person.sees("heading", "Choose a channel to watch");
        await person.screenshot("no-channel");

        await person.fill("Name of a channel", "posts_changes");
        await person.click("button", "Watch");
        await person.state("Live");
        assert.equal(search().toString(), "channel=posts_changes");

        await person.fill("Name of a channel", "a b&c/ü");
        await person.press("Enter");
        await until(async () => (await person.watched()).includes("a b&c/ü"), "it is ticked", WAIT_MS);
        await person.clickAt("#filters summary");
        await person.tick("UPDATE");
        await until(() => search().has("type"), "the type is in the address", WAIT_MS);
        await person.state("Live");
        assert.deepEqual(search().getAll("channel"), ["posts_changes", "a b&c/ü"]);
        assert.deepEqual(search().getAll("type"), ["UPDATE"]);
        await database.notify("a b&c/ü", JSON.stringify({ table: "t", type: "UPDATE", id: 1, data: "strange name" }));
        assert.equal((await person.newest("strange name")).channel, "a b&c/ü");
        await insert(database, "is filtered out");
        await database.query("UPDATE posts SET title = 'passes'");
        assert.equal((await person.newest("passes")).type, "UPDATE");
        assert.equal((await person.rows()).length, 2);
        await person.screenshot("view");

        await person.page.goBack();
        await person.reads(/Nothing has changed yet/);
        await database.query((await person.texts("#notify"))[0]);
        assert.equal((await person.newest("Hello")).table, "–");
        await person.page.goBack();
        await until(async () => (await person.watched()).join() === "posts_changes", "one channel is ticked", WAIT_MS);
        await person.state("Live");
        await insert(database, "not filtered any more");
        await person.newest("not filtered any more");
        assert.equal(person.streamRequests.length, 5, "one connection for each view");
    });

    testAlike("the view is filtered by table, type and id on the gateway's side, and the line for psql passes the filters", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin, `${POSTS}&table=posts&table=it's&type=delete&id=2`);
        await person.state("Live");
        await person.says("#filters-brief", /^4 filters$/);
        await database.query((await person.texts("#notify"))[0]);
        assert.deepEqual({ ...(await person.newest("Hello")), time: "" }, {
            time: "", channel: "posts_changes", table: "posts", type: "DELETE", id: "2", data: "Hello",
        });
        await database.query("INSERT INTO posts (title) VALUES ('one'), ('two'), ('three')");
        await database.query("DELETE FROM posts");
        await person.newest("two");
        assert.equal((await person.rows()).length, 2);
    });

    testAlike("the view starts with what is kept when asked to", async (t) => {
        const { database, gateway } = await setUp(t);
        const first = await visit(t, gateway.origin);
        await first.state("Live");
        await insert(database, "one");
        await first.newest("one");
        await first.clickAt("#filters summary");
        await first.choose("Start with", "earliest");
        await until(() => first.page.url().endsWith("&from=earliest"), "it is in the address", WAIT_MS);
        await first.newest("one");
        const second = await visit(t, gateway.origin, `${POSTS}&from=earliest`);
        await second.newest("one");
        await second.clickAt("#filters summary");
        assert.equal(await second.value("Start with"), "earliest");
    });

    testAlike("a table without a channel gets one by the line to copy", async (t) => {
        const database = await createDatabase(t);
        await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
        assert.equal((await run(["setup"], database.env)).code, 0);
        const token = { TUPLECAST_TRIGGERS_TOKEN: "0123456789abcdef0123456789abcdef" };
        const gateway = await startGateway(t, { ...database.env, ...token });
        await gateway.ready();
        const person = await visit(t, gateway.origin, "/");
        const [line] = await person.texts("#put");
        await promisify(execFile)("sh", ["-c", `${line} --silent --fail`], { env: { ...process.env, ...token } });
        await person.clickAt("#empty-idle a");
        await person.state("Live");
        await insert(database, "first");
        assert.equal((await person.newest("first")).table, "posts");
    });

    test("a token that streams want is asked for and kept for the session, and the lines to copy carry it", async (t) => {
        const folder = await createFolder(t);
        const token = "a-token-of-0123456789abcdef";
        const { database, gateway } = await setUp(t, {
            TUPLECAST_ACCESS_STREAMS: "token",
            TUPLECAST_ACCESS_TOKENS_FILE: await folder.write("tokens", `${token} posts_*\n`),
        });
        const person = await visit(t, gateway.origin);
        await person.state("Refused");
        await person.says("#notice-text", /Type yours under Channels/);
        await person.assertAccessible("a token is asked for");
        await person.fill("Token for streams", "another-token-of-some-length");
        await person.press("Enter");
        await person.says("#notice-text", /not among those/);
        await person.fill("Token for streams", token);
        await person.click("button", "Use it");
        await person.state("Live");
        await person.reads(/Any name like posts_\* can be typed\./);
        await insert(database, "for those who may");
        await person.newest("for those who may");
        await person.page.reload();
        await person.state("Live");
        assert.ok((await person.texts("#curl"))[0].startsWith('curl -N -H "Authorization: Bearer $TOKEN" '));
        assert.match((await person.texts("#code"))[0], /token: "…"/);
        assert.ok(!(await person.page.content()).includes(token));
        await person.click("button", "Forget the token for streams");
        await person.state("Refused");
    });

    test("the lines to copy are copied, and work", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin);
        await person.state("Live");
        await person.click("button", "Use it in code");
        await person.screenshot("code");
        const [code] = await person.texts("#code");
        const [line] = await person.texts("#curl");

        await person.clickAt('.copy[data-copies="curl"]');
        await person.says('.copy[data-copies="curl"]', /^Copied$/);
        await person.paste("#search");
        assert.equal(await person.value("Search the changes shown"), line);

        assert.equal(code.trimEnd().split("\n").length, 10);
        await person.page.evaluate(`${code}; new Promise((resolve) => changes.addEventListener("ready", resolve))`);
        const { promise, child } = listen(line);
        t.after(() => child.kill());
        await until(async () => (await gateway.metric("tuplecast_streams")) === 3, "the page, its code and curl listen", WAIT_MS);
        await insert(database, "copied");
        await until(() => person.console.some((text) => /^INSERT posts 1 /.test(text)), () => `the code says INSERT; it says: ${person.console}`, WAIT_MS);
        assert.match(await promise, /^data: .*"title":"copied"/m);
    });

    test("all of it can be reached and used by keyboard", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin);
        await person.state("Live");
        await insert(database, "Hello");
        await person.newest("Hello");
        const reached = new Set();
        const focused = () => {
            const { ariaLabel, labels, innerText } = document.activeElement;
            return (ariaLabel ?? labels?.[0]?.textContent ?? innerText).trim().replace(/\s+/g, " ").slice(0, 30);
        };
        for (let presses = 0; presses < PRESSES_MAX && BY_KEYBOARD.some((name) => !reached.has(name)); presses++) {
            await person.press("Tab");
            reached.add(await person.page.evaluate(focused));
        }
        assert.deepEqual(BY_KEYBOARD.filter((name) => !reached.has(name)), [], [...reached].join(" | "));
        await person.focus("#pause");
        await person.press(" ");
        await person.sees("button", "Resume");
    });

    test("nothing chosen yet: the page says what to do next, and is accessible", async (t) => {
        const { gateway } = await setUp(t);
        const person = await visit(t, gateway.origin, "/");
        await person.sees("heading", "Choose a channel to watch");
        await person.assertAccessible("no channel");
        await person.click("link", "Put a trigger on a table");
        await person.sees("heading", "Triggers");
    });
});

/** Runs a line of the shell until it has printed a change; the promise gives what it has printed. */
function listen(line) {
    const child = execFile("sh", ["-c", `exec ${line} --silent`]);
    let printed = "";
    const promise = new Promise((resolve) => {
        child.stdout.on("data", (text) => /^data: .*"table"/m.test((printed += text)) && resolve(printed));
        child.on("close", () => resolve(printed));
    });
    return { child, promise };
}
