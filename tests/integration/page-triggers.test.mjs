// Triggers in the live page: listed, created, edited and deleted by clicking, in real browsers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeInBrowsers } from "./lib/browsers.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { until } from "./lib/until.mjs";
import { visitIn, visitors, WAIT_MS } from "./lib/visit.mjs";

const TOKEN = "0123456789abcdef0123456789abcdef";
const AUTHORIZATION = { Authorization: `Bearer ${TOKEN}` };
const TABLES = `
    CREATE TABLE posts (id serial PRIMARY KEY, title text, kind text);
    CREATE TABLE ledger (account int, entry int, amount numeric, PRIMARY KEY (account, entry));
    CREATE VIEW titles AS SELECT title FROM posts`;

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
        headers: { ...AUTHORIZATION, "Content-Type": "application/json" },
        body: JSON.stringify(definition),
    });

const trigger = async (gateway, name) => (await gateway.get(`/triggers/${name}`, { headers: AUTHORIZATION })).json;

/** Labels of the form's last part. */
const ADVANCED = [
    "Also rows that logical replication writes; this works at row level",
    "Row level security: send all rows all the same, to everybody who may read the channel",
    "Prepared transactions: let PREPARE TRANSACTION fail after a change of this table",
    "The whole channel: make its other triggers durable, or not, like this one",
];

/** The table of triggers: a list of its columns' texts for each. */
const listed = async (person) =>
    (await person.page.evaluate(() => [...document.querySelectorAll("#trigger-rows tr")].map((row) => [...row.cells].slice(0, 6).map((cell) => cell.innerText)))).map((row) =>
        row.map((text) => text.replace(/\s+/g, " ").trim()),
    );

const listedAre = (person, count) => until(async () => (await listed(person)).length === count, `${count} triggers are listed`, WAIT_MS);

describeInBrowsers((newContext, browser, testAlike) => {
    const visit = visitors(newContext, browser);

    /** The page at its triggers, with the token typed in. */
    async function visitTriggers(t, gateway) {
        const person = await visit(t, gateway.origin, "/#triggers");
        await person.fill("Token", TOKEN);
        await person.click("button", "Use it");
        await until(() => person.page.evaluate(() => !document.getElementById("new-trigger").disabled), "triggers can be created", WAIT_MS);
        return person;
    }

    testAlike("the token is asked for when it is needed, refused when it is wrong, and forgotten with the tab", async (t) => {
        const { gateway } = await setUp(t);
        const person = await visit(t, gateway.origin, "/");
        await person.click("link", "Triggers");
        await person.sees("heading", "The gateway asks for its token");
        await person.assertAccessible("the token is asked for");
        await person.fill("Token", "something else");
        await person.click("button", "Use it");
        await person.reads(/The gateway does not take this token\./);

        await person.fill("Token", TOKEN);
        await person.press("Enter");
        await person.sees("heading", "No trigger yet");
        await person.page.reload();
        await person.sees("heading", "No trigger yet");
        const kept = await person.page.evaluate(() => [Object.values({ ...localStorage }), document.cookie, location.href].join());
        assert.ok(!kept.includes(TOKEN));

        const other = await visitIn(t, person.context, browser, gateway.origin, "/#triggers");
        await other.sees("heading", "The gateway asks for its token");
        await person.click("button", "Forget the token");
        await person.sees("heading", "The gateway asks for its token");
    });

    testAlike("a token that the gateway does not have is said, with what to do", async (t) => {
        const { gateway } = await setUp(t, { env: {} });
        const person = await visit(t, gateway.origin, "/#triggers");
        await person.says("#triggers-problem", /no token is configured/);
        assert.ok(await person.page.evaluate(() => document.getElementById("new-trigger").disabled));
    });

    testAlike("a trigger is created from a form that knows the tables, after its SQL was shown, and its changes are watched", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visitTriggers(t, gateway);
        await person.click("button", "New trigger");
        await person.sees("dialog", "New trigger");
        await person.says("#trigger-table-hint", /^Primary key: account, entry · 3 columns\./);
        assert.deepEqual(await person.texts("#trigger-table option"), ["ledger", "posts", "titles – not possible"]);
        await person.choose("Table", '["public","posts"]');
        assert.equal(await person.value("Name"), "posts_live");
        await person.tick("TRUNCATE", false);
        await person.tick("All columns, later ones too", false);
        await person.tick("kind", false);
        await person.tick("Old values as well, when a row is updated");
        await person.clickAt("#trigger-only summary");
        await person.click("button", "+ Add a condition");
        await person.choose("Column", "kind");
        await person.choose("Comparison", "in");
        await person.fill("Value", "news, it's");

        await person.click("button", "Show the SQL");
        await person.says("#trigger-sql", /CREATE OR REPLACE TRIGGER/);
        assert.equal((await gateway.get("/triggers", { headers: AUTHORIZATION })).json.items.length, 0, "only a dry run");
        await person.assertAccessible("the form");
        await person.screenshot("trigger-form");
        await person.fill("Channel", "news_changes");
        await person.says("#trigger-sql", /^$/); // it is not that of the form any more
        await person.click("button", "Show the SQL");
        await person.click("button", "Create the trigger");

        await listedAre(person, 1);
        assert.deepEqual(await listed(person), [
            ["posts_live", "public.posts", "news_changes", "INSERT UPDATE DELETE kind in news, it's", "id, title; old values", "Works"],
        ]);
        const made = await trigger(gateway, "posts_live");
        assert.deepEqual(made.where, [{ column: "kind", op: "in", value: ["news", "it's"] }]);
        assert.deepEqual(made.columns, ["id", "title"]);
        await person.screenshot("triggers");

        await person.click("link", "news_changes");
        await person.state("Live");
        await database.query("INSERT INTO posts (title, kind) VALUES ('old', 'gossip'), ('first', 'it''s')");
        assert.equal((await person.newest("first")).id, "2");
    });

    testAlike("a trigger is edited as it is, and replaced", async (t) => {
        const where = [{ column: "amount", op: ">=", value: 12.5 }];
        const definition = { table: "ledger", channel: "ledger_changes", operations: ["INSERT", "UPDATE"], columns: ["amount"], update_of: ["amount"], where };
        const { gateway } = await setUp(t, { triggers: { big: definition, single: { table: "posts", level: "row" } } });
        const before = await trigger(gateway, "big");
        const person = await visitTriggers(t, gateway);
        await person.click("button", "Edit big");
        await person.click("button", "Show the SQL");
        await person.says("#trigger-sql", /Nothing: the trigger is like this already\./);
        await person.fill("Value", "100");
        await person.tick("Durable: through a log in the database, so that nothing is ever lost");
        await person.click("button", "Show the SQL");
        await person.click("button", "Replace the trigger");
        await person.says("#trigger-rows", /ledger_changes\s+durable/);
        assert.deepEqual(await trigger(gateway, "big"), {
            ...before, durable: true, where: [{ column: "amount", op: ">=", value: 100 }], etag: (await trigger(gateway, "big")).etag,
        });

        await person.click("button", "Edit single");
        await person.click("button", "Show the SQL");
        await person.says("#trigger-sql", /Nothing: the trigger is like this already\./);
        await person.tick("At row level: cheaper when single rows change, dearer when many do", false);
        await person.click("button", "Show the SQL");
        await person.says("#trigger-sql", /FOR EACH STATEMENT/);
        await person.click("button", "Replace the trigger");
        await until(async () => (await trigger(gateway, "single")).level === "statement", "it is replaced");
        await listedAre(person, 2);
    });

    testAlike("what few need stands under Advanced: it goes into the definition, and what is set already is seen there", async (t) => {
        const { gateway } = await setUp(t, { triggers: { posts_live: { table: "posts" } } });
        const person = await visitTriggers(t, gateway);
        const asked = [];
        person.page.on("request", (request) => request.method() === "PUT" && asked.push([new URL(request.url()).search, request.postDataJSON()]));
        const open = () => person.page.evaluate(() => document.getElementById("trigger-advanced").open);
        await person.click("button", "Edit posts_live");
        assert.equal(await open(), false);
        await person.clickAt("#trigger-advanced summary");
        for (const label of ADVANCED) await person.tick(label);
        await person.assertAccessible("the form, with all of it open");
        await person.screenshot("trigger-form-advanced");
        await person.click("button", "Show the SQL");
        await until(() => asked.length === 1, "the definition was sent", WAIT_MS);
        const [[query, { always, row_security, prepare_transaction }]] = asked;
        assert.deepEqual([query, always, row_security, prepare_transaction], ["?dry_run=true&whole_channel=true", true, "ignored", "fails"]);
        await person.click("button", "Cancel");

        // A trigger that has it all, without a database that could have it.
        const whole = { ...(await trigger(gateway, "posts_live")), level: "row", always: true, row_security: "ignored", prepare_transaction: "fails" };
        await person.page.route("**/triggers", (route) => route.fulfill({ json: { items: [{ ...whole, notes: ["Rows of its child posts_2 are not sent."] }] } }));
        await person.click("button", "Reload");
        await person.says("#trigger-rows", /Works\s+Rows of its child posts_2 are not sent\./);
        await person.click("button", "Edit posts_live");
        assert.equal(await open(), true);
        await person.tick(ADVANCED[0], false);
        await person.click("button", "Show the SQL");
        await until(() => asked.length === 2, "the definition was sent again", WAIT_MS);
        assert.equal(asked[1][0], "?dry_run=true");
        const { table, operations, ...rest } = asked[1][1];
        assert.deepEqual(rest, { channel: "posts_changes", row_security: "ignored", prepare_transaction: "fails" });
    });

    testAlike("a trigger that cannot be had is refused in sentences, and nothing is changed", async (t) => {
        const { database, gateway } = await setUp(t, { triggers: { posts_live: { table: "posts" } } });
        const person = await visitTriggers(t, gateway);
        await person.click("button", "New trigger");
        await person.choose("Table", '["public","posts"]');
        assert.equal(await person.value("Name"), "posts_live_2");
        await person.fill("Name", "posts_live");
        await person.click("button", "Show the SQL");
        await person.says("#trigger-problem", /^[A-Z].*\.$/);
        await person.screenshot("trigger-refused");

        await person.fill("Name", "other");
        await person.fill("Channel", "elsewhere");
        await person.says("#trigger-channel-hint", /Nobody can subscribe to this one/);
        await database.query("DROP TABLE posts CASCADE");
        await person.click("button", "Show the SQL");
        await person.says("#trigger-problem", /posts/);
        await person.click("button", "Cancel");
        await person.click("button", "Reload");
        await person.sees("heading", "No trigger yet");
    });

    testAlike("a trigger is deleted after a question that says what it means, and not when it has changed meanwhile", async (t) => {
        const { gateway } = await setUp(t, { triggers: { posts_live: { table: "posts" }, more: { table: "ledger" } } });
        const person = await visitTriggers(t, gateway);
        await person.click("button", "Delete posts_live");
        await person.sees("dialog", "Delete the trigger posts_live?");
        await person.says("#delete-text", /^Changes of public\.posts will not be sent to posts_changes/);
        await person.clickAt("#delete-dialog summary");
        await person.says("#delete-sql", /DROP TRIGGER/);
        await person.assertAccessible("the question");
        await person.screenshot("trigger-delete");
        await person.click("button", "Keep it");
        assert.equal((await listed(person)).length, 2);

        await put(gateway, "posts_live", { table: "posts", old: true });
        await person.click("button", "Delete posts_live");
        await person.click("button", "Delete");
        await person.says("#delete-problem", /not as it was any more/);
        await person.press("Escape");
        await person.click("button", "Reload");
        await person.says("#trigger-rows", /all columns; old values/);
        await person.click("button", "Delete posts_live");
        await person.click("button", "Delete");
        await listedAre(person, 1);
        assert.deepEqual((await listed(person)).map(([name]) => name), ["more"]);
    });

    testAlike("a trigger that does not work any more says so", async (t) => {
        const { database, gateway } = await setUp(t, { triggers: { posts_live: { table: "posts" }, hidden: { table: "ledger", channel: "secret" } } });
        await database.query("ALTER TABLE posts DISABLE TRIGGER USER");
        const person = await visitTriggers(t, gateway);
        await listedAre(person, 2);
        const [hidden, disabled] = await listed(person);
        assert.match(hidden[5], /Nobody can subscribe: the gateway’s setting “channels” does not allow this channel/);
        assert.match(disabled[5], /disabled/);
        await person.assertAccessible("the list");
    });
});
