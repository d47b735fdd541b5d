// How one chooses in the live page what to watch, and takes it along: form, address, token, and lines to copy, in Chromium.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { assertAccessible } from "./lib/accessibility.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { createFolder } from "./lib/tokens.mjs";
import { until } from "./lib/until.mjs";
import { insert, launchChromium, setUp, visit } from "./lib/visit.mjs";

let browser;
before(async () => {
    browser = await launchChromium();
});
after(() => browser?.close());

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

    test("of streams that want a token asks for it, keeps it for the session, and gives lines that carry it", async (t) => {
        const folder = await createFolder(t);
        const token = "a-token-of-0123456789abcdef";
        const { database, gateway } = await setUp(t, {
            TUPLECAST_ACCESS_STREAMS: "token",
            TUPLECAST_ACCESS_TOKENS_FILE: await folder.write("tokens", `${token} posts_*\n`),
        });
        const person = await visit(t, browser, gateway.origin);
        await person.state("Refused");
        await person.page.locator("#notice-text", { hasText: "Type yours under Channels" }).waitFor();
        await assertAccessible(person.page, "a token is asked for");
        const field = person.page.getByLabel("Token for streams");
        await field.fill("another-token-of-some-length");
        await field.press("Enter");
        await person.page.locator("#notice-text", { hasText: "not among those" }).waitFor();
        await field.fill(token);
        await person.button("Use it", { exact: true }).first().click();
        await person.state("Live");
        await person.page.getByText("Any name like posts_* can be typed.").waitFor();
        await insert(database, "for those who may");
        await person.newest("for those who may");
        await person.page.reload();
        await person.state("Live");
        assert.ok((await person.page.locator("#curl").textContent()).startsWith('curl -N -H "Authorization: Bearer $TOKEN" '));
        assert.match(await person.page.locator("#code").textContent(), /token: "…"/);
        assert.ok(!(await person.page.content()).includes(token));
        await person.button("Forget the token").click();
        await person.state("Refused");
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
