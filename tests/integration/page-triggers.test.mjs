// Triggers in the live page: listed, created, edited and deleted by clicking, in Chromium.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertAccessible } from "./lib/accessibility.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { until } from "./lib/until.mjs";
import { launchChromium, visit } from "./lib/visit.mjs";

const TOKEN = "0123456789abcdef0123456789abcdef";
const TABLES = `
    CREATE TABLE posts (id serial PRIMARY KEY, title text, kind text);
    CREATE TABLE ledger (account int, entry int, amount numeric, PRIMARY KEY (account, entry));
    CREATE VIEW titles AS SELECT title FROM posts`;

let browser;
before(async () => {
    browser = await launchChromium();
});
after(() => browser?.close());

async function setUp(t, { env = { TUPLECAST_TRIGGERS_TOKEN: TOKEN }, triggers = {} } = {}) {
    const database = await createDatabase(t);
    await database.query(TABLES);
    assert.equal((await run(["setup"], database.env)).code, 0);
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_CHANNELS: "*_changes", ...env });
    await gateway.ready();
    for (const [name, definition] of Object.entries(triggers)) assert.equal((await put(gateway, name, definition)).status, 201);
    return { database, gateway };
}

const put = (gateway, name, definition) =>
    gateway.get(`/triggers/${name}`, {
        method: "PUT",
        headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
        body: JSON.stringify(definition),
    });

const trigger = async (gateway, name) => (await gateway.get(`/triggers/${name}`, { headers: { Authorization: `Bearer ${TOKEN}` } })).json;

/** The page at its triggers, with the token typed in. */
async function visitTriggers(t, gateway) {
    const person = await visit(t, browser, gateway.origin, "/#triggers");
    await person.page.getByLabel("Token", { exact: true }).fill(TOKEN);
    await person.button("Use it", { exact: true }).click();
    await until(() => person.page.locator("#new-trigger").isEnabled(), "triggers can be created");
    return person;
}

/** The table of triggers: a list of its columns' texts for each. */
const listed = (person) =>
    person.page.locator("#trigger-rows tr").evaluateAll((rows) => rows.map((row) => [...row.cells].slice(0, 6).map((cell) => cell.innerText.replace(/\s+/g, " ").trim())));

describe("the token", () => {
    test("is asked for when it is needed, refused when it is wrong, and forgotten with the tab", async (t) => {
        const { gateway } = await setUp(t);
        const person = await visit(t, browser, gateway.origin, "/");
        await person.page.getByRole("link", { name: "Triggers" }).click();
        await person.page.getByRole("heading", { name: "The gateway asks for its token" }).waitFor();
        await assertAccessible(person.page, "the token is asked for");
        await person.page.getByLabel("Token", { exact: true }).fill("something else");
        await person.button("Use it", { exact: true }).click();
        await person.page.getByText("The gateway does not take this token.").waitFor();

        await person.page.getByLabel("Token", { exact: true }).fill(TOKEN);
        await person.page.keyboard.press("Enter");
        await person.page.getByRole("heading", { name: "No trigger yet" }).waitFor();
        await person.page.reload();
        await person.page.getByRole("heading", { name: "No trigger yet" }).waitFor();
        const kept = await person.page.evaluate(() => [Object.values({ ...localStorage }), document.cookie, location.href].join());
        assert.ok(!kept.includes(TOKEN));

        const other = await person.page.context().newPage();
        await other.goto(`${gateway.origin}/#triggers`);
        await other.getByRole("heading", { name: "The gateway asks for its token" }).waitFor();
        await person.button("Forget the token").click();
        await person.page.getByRole("heading", { name: "The gateway asks for its token" }).waitFor();
    });

    test("that the gateway does not have is said, with what to do", async (t) => {
        const { gateway } = await setUp(t, { env: {} });
        const person = await visit(t, browser, gateway.origin, "/#triggers");
        await person.page.getByRole("alert").filter({ hasText: "no token is configured" }).waitFor();
        assert.ok(await person.page.locator("#new-trigger").isDisabled());
    });
});

describe("a trigger", () => {
    test("is created from a form that knows the tables, after its SQL was shown, and its changes are watched", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visitTriggers(t, gateway);
        await person.button("New trigger").click();
        const form = person.page.getByRole("dialog", { name: "New trigger" });
        await form.getByText("Primary key: account, entry · 3 columns.").waitFor();
        assert.deepEqual(await form.getByLabel("Table").locator("option").allTextContents(), ["ledger", "posts", "titles – not possible"]);
        await form.getByLabel("Table").selectOption("posts");
        assert.equal(await form.getByLabel("Name").inputValue(), "posts_live");
        await form.getByLabel("TRUNCATE").uncheck();
        await form.getByLabel("All columns").uncheck();
        await form.locator("#trigger-columns").getByLabel("kind").uncheck();
        await form.getByLabel("Old values").check();
        await form.getByText("Only some changes").click();
        await form.getByRole("button", { name: "Add a condition" }).click();
        await form.getByLabel("Column", { exact: true }).selectOption("kind");
        await form.getByLabel("Comparison").selectOption("in");
        await form.getByLabel("Value", { exact: true }).fill("news, it's");

        await form.getByRole("button", { name: "Show the SQL" }).click();
        await form.locator("#trigger-sql", { hasText: "CREATE OR REPLACE TRIGGER" }).waitFor();
        assert.equal((await gateway.get("/triggers", { headers: { Authorization: `Bearer ${TOKEN}` } })).json.items.length, 0, "only a dry run");
        await assertAccessible(person.page, "the form");
        await person.screenshot("trigger-form");
        await form.getByLabel("Channel").fill("news_changes");
        assert.ok(await form.locator("#trigger-sql").isHidden(), "the SQL is not that of the form any more");
        await form.getByRole("button", { name: "Show the SQL" }).click();
        await form.getByRole("button", { name: "Create the trigger" }).click();

        await until(async () => (await listed(person)).length === 1, "the trigger is listed");
        assert.deepEqual(await listed(person), [
            ["posts_live", "public.posts", "news_changes", "INSERT UPDATE DELETE kind in news, it's", "id, title; old values", "Works"],
        ]);
        const { etag, ...made } = await trigger(gateway, "posts_live");
        assert.deepEqual(made.where, [{ column: "kind", op: "in", value: ["news", "it's"] }]);
        assert.deepEqual(made.columns, ["id", "title"]);
        await person.screenshot("triggers");

        await person.page.getByRole("link", { name: "news_changes" }).click();
        await person.state("Live");
        await database.query("INSERT INTO posts (title, kind) VALUES ('old', 'gossip'), ('first', 'it''s')");
        assert.equal((await person.newest("first")).id, "2");
    });

    test("is edited as it is, and replaced", async (t) => {
        const where = [{ column: "amount", op: ">=", value: 12.5 }];
        const definition = { table: "ledger", channel: "ledger_changes", operations: ["INSERT", "UPDATE"], columns: ["amount"], update_of: ["amount"], where };
        const { gateway } = await setUp(t, { triggers: { big: definition } });
        const before = await trigger(gateway, "big");
        const person = await visitTriggers(t, gateway);
        await person.button("Edit big").click();
        await person.button("Show the SQL").click();
        await person.page.getByText("Nothing: the trigger is so already.").waitFor();
        await person.page.getByLabel("Value", { exact: true }).fill("100");
        await person.page.getByLabel("Durable").check();
        await person.button("Show the SQL").click();
        await person.button("Replace the trigger").click();
        await person.page.getByRole("cell", { name: "ledger_changes durable" }).waitFor();
        assert.deepEqual(await trigger(gateway, "big"), {
            ...before, durable: true, where: [{ column: "amount", op: ">=", value: 100 }], etag: (await trigger(gateway, "big")).etag,
        });
    });

    test("that cannot be had is refused in sentences, and nothing is changed", async (t) => {
        const { database, gateway } = await setUp(t, { triggers: { posts_live: { table: "posts" } } });
        const person = await visitTriggers(t, gateway);
        await person.button("New trigger").click();
        const form = person.page.getByRole("dialog", { name: "New trigger" });
        const alert = form.getByRole("alert");
        await form.getByLabel("Table", { exact: true }).selectOption("posts");
        assert.equal(await form.getByLabel("Name", { exact: true }).inputValue(), "posts_live_2");
        await form.getByLabel("Name", { exact: true }).fill("posts_live");
        await person.button("Show the SQL").click();
        await alert.filter({ hasText: /^[A-Z].*\.$/ }).waitFor();
        await person.screenshot("trigger-refused");

        await form.getByLabel("Name", { exact: true }).fill("other");
        await form.getByLabel("Channel", { exact: true }).fill("elsewhere");
        await person.page.getByText("Nobody can subscribe to this one").waitFor();
        await database.query("DROP TABLE posts CASCADE");
        await person.button("Show the SQL").click();
        await alert.filter({ hasText: "posts" }).waitFor();
        await person.button("Cancel").click();
        await person.button("Reload").click();
        await person.page.getByRole("heading", { name: "No trigger yet" }).waitFor();
    });

    test("is deleted after a question that says what it means, and not when it has changed meanwhile", async (t) => {
        const { gateway } = await setUp(t, { triggers: { posts_live: { table: "posts" }, more: { table: "ledger" } } });
        const person = await visitTriggers(t, gateway);
        await person.button("Delete posts_live").click();
        const question = person.page.getByRole("dialog", { name: "Delete the trigger posts_live?" });
        await question.getByText("Changes of public.posts will not be sent to posts_changes").waitFor();
        await question.getByText("SQL", { exact: true }).click();
        await question.locator("pre", { hasText: "DROP TRIGGER" }).waitFor();
        await assertAccessible(person.page, "the question");
        await person.screenshot("trigger-delete");
        await question.getByRole("button", { name: "Keep it" }).click();
        assert.equal((await listed(person)).length, 2);

        await put(gateway, "posts_live", { table: "posts", old: true });
        await person.button("Delete posts_live").click();
        await question.getByRole("button", { name: "Delete" }).click();
        await question.getByRole("alert").filter({ hasText: "not as it was any more" }).waitFor();
        await person.page.keyboard.press("Escape");
        await person.button("Reload").click();
        await person.page.getByRole("cell", { name: "all columns; old values" }).waitFor();
        await person.button("Delete posts_live").click();
        await question.getByRole("button", { name: "Delete" }).click();
        await until(async () => (await listed(person)).length === 1, "one trigger is left");
        assert.deepEqual((await listed(person)).map(([name]) => name), ["more"]);
    });

    test("that does not work any more says so", async (t) => {
        const { database, gateway } = await setUp(t, { triggers: { posts_live: { table: "posts" }, hidden: { table: "ledger", channel: "secret" } } });
        await database.query("ALTER TABLE posts DISABLE TRIGGER USER");
        const person = await visitTriggers(t, gateway);
        await until(async () => (await listed(person)).length === 2, "two triggers");
        const [hidden, disabled] = await listed(person);
        assert.match(hidden[5], /Nobody can subscribe: the gateway’s setting “channels” does not allow this channel/);
        assert.match(disabled[5], /disabled/);
        await assertAccessible(person.page, "the list");
    });
});
