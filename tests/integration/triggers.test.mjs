// The trigger API: from a table to a stream without typing SQL.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const TOKEN = "correct-horse-battery-staple-0123456789";

let database, gateway;
let tables = 0;

/** A request to the API with the token. A body that is not text is sent as JSON. */
function api(method, path, body, headers = {}) {
    const type = body === undefined ? {} : { "Content-Type": "application/json" };
    return gateway.get(path, {
        method,
        headers: { Authorization: `Bearer ${TOKEN}`, ...type, ...headers },
        body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
    });
}

function assertProblem(response, status, message) {
    assert.equal(response.status, status, `${message ?? ""} ${response.body}`);
    assert.match(response.headers["content-type"], /^application\/problem\+json/);
    assert.equal(response.json.status, status);
    assert.equal(typeof response.json.title, "string");
}

/** A table of its own for each test: {table, channel}. */
async function createTable(columns = "id serial PRIMARY KEY, title text") {
    const table = `table_${++tables}`;
    await database.query(`CREATE TABLE ${table} (${columns})`);
    return { table, channel: `${table}_changes` };
}

const triggersOn = async (table) =>
    Number(await database.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal", [table]));

const file = wholeFile();
before(async () => {
    database = await createDatabase(file);
    const env = { ...database.env, TUPLECAST_CHANNELS: "*_changes,chosen", TUPLECAST_TRIGGERS_TOKEN: TOKEN };
    for (const times of ["first", "second"]) {
        const { code, stderr } = await run(["setup"], env);
        assert.equal(code, 0, `the ${times} setup:\n${stderr}`);
    }
    gateway = await startGateway(file, env);
    await gateway.ready();
});

describe("PUT /triggers/{name}", () => {
    test("creates a trigger: 201 with its Location; then the table's changes arrive", async (t) => {
        const { table, channel } = await createTable();
        const created = await api("PUT", `/triggers/${table}_live`, { table });
        assert.equal(created.status, 201, created.body);
        assert.equal(created.headers.location, `/triggers/${table}_live`);
        const stream = await subscribe(t, gateway.stream(channel));
        await database.query(`INSERT INTO ${table} (title) VALUES ('Hi'), ('Hi')`);
        await database.query(`UPDATE ${table} SET title = 'Ho' WHERE id = 1`);
        await database.query(`DELETE FROM ${table} WHERE id = 2`);
        const messages = await stream.messages(4);
        assert.deepEqual(
            messages.map(({ json }) => [json.channel, json.schema ?? "public", json.table, json.type, json.id, json.data.title]),
            [
                ["INSERT", 1, "Hi"],
                ["INSERT", 2, "Hi"],
                ["UPDATE", 1, "Ho"],
                ["DELETE", 2, "Hi"],
            ].map(([type, id, title]) => [channel, "public", table, type, id, title]),
        );
    });

    test("again answers 200, and there is still one", async (t) => {
        const { table, channel } = await createTable();
        assert.equal((await api("PUT", `/triggers/${table}_live`, { table })).status, 201);
        const before = await triggersOn(table);
        assert.equal((await api("PUT", `/triggers/${table}_live`, { table })).status, 200);
        assert.equal(await triggersOn(table), before);
        const stream = await subscribe(t, gateway.stream(channel));
        await database.query(`INSERT INTO ${table} (title) VALUES ('once')`);
        await database.notify(channel, '"end"');
        const messages = await stream.messages(2);
        assert.equal(messages[1].json.data, "end");
    });

    test("takes the table with its schema, and a channel", async (t) => {
        const { table } = await createTable();
        assert.equal((await api("PUT", `/triggers/${table}_live`, { table: `public.${table}`, channel: "chosen" })).status, 201);
        const stream = await subscribe(t, gateway.stream("chosen"));
        await database.query(`INSERT INTO ${table} (title) VALUES ('Hi')`);
        assert.equal((await stream.messages(1))[0].json.table, table);
    });

    test("never makes a write fail, however large the row; what was left out for size is named in cut", async (t) => {
        const { table, channel } = await createTable();
        assert.equal((await api("PUT", `/triggers/${table}_live`, { table })).status, 201);
        const stream = await subscribe(t, gateway.stream(channel));
        // One byte is one to four bytes of UTF-8, and a quote takes two in JSON.
        for (const title of ["x".repeat(100_000), '"'.repeat(5000), "🙂".repeat(2500), "small"])
            await database.query(`INSERT INTO ${table} (title) VALUES ($1)`, [title]);
        const messages = (await stream.messages(4)).map(({ json }) => json);
        for (const [i, json] of messages.slice(0, 3).entries()) {
            assert.deepEqual([json.type, json.id], ["INSERT", i + 1]);
            assert.ok(json.cut !== undefined && json.cut !== false, JSON.stringify(json).slice(0, 300));
        }
        assert.equal(messages[3].data.title, "small");
        assert.equal(messages[3].cut, undefined);
    });

    test("refuses what cannot be done, and changes nothing", async () => {
        const { table } = await createTable();
        await database.query(`CREATE VIEW ${table}_view AS SELECT * FROM ${table}`);
        const path = `/triggers/${table}_live`;
        assertProblem(await api("PUT", path, { table: "no_such_table" }), 404, "unknown table");
        assertProblem(await api("PUT", path, "{not json"), 400, "not JSON");
        assertProblem(await api("PUT", path, "[]"), 422, "not an object");
        assertProblem(await api("PUT", path, {}), 422, "no table");
        assertProblem(await api("PUT", path, { table: 7 }), 422, "a table that is no text");
        assertProblem(await api("PUT", path, { table, surprise: true }), 422, "an unknown member");
        assertProblem(await api("PUT", path, JSON.stringify({ table }), { "Content-Type": "text/plain" }), 415, "not said to be JSON");
        assertProblem(await api("PUT", path, { table, padding: "x".repeat(200_000) }), 413, "too large");
        assertProblem(await api("PUT", path, { table: `${table}_view` }), 422, "a view");
        assert.equal(await triggersOn(table), 0);
    });
});

describe("GET and DELETE", () => {
    test("list, show and remove a trigger; afterwards its table is silent", async (t) => {
        const { table, channel } = await createTable();
        const path = `/triggers/${table}_live`;
        await api("PUT", path, { table });
        const one = await api("GET", path);
        assert.equal(one.status, 200);
        assert.deepEqual([one.json.name, one.json.channel], [`${table}_live`, channel]);
        const list = await api("GET", "/triggers");
        assert.equal(list.status, 200);
        assert.deepEqual(list.json.items.find((item) => item.name === `${table}_live`), one.json);
        for (const [query, found] of [
            [`table=${table}`, true],
            [`channel=${channel}`, true],
            [`channel=other_changes`, false],
        ])
            assert.equal((await api("GET", `/triggers?${query}`)).json.items.some((item) => item.name === `${table}_live`), found, query);
        const stream = await subscribe(t, gateway.stream(channel));
        const removed = await api("DELETE", path);
        assert.deepEqual([removed.status, removed.body], [204, ""]);
        assert.equal(await triggersOn(table), 0);
        await database.query(`INSERT INTO ${table} (title) VALUES ('unheard')`);
        await database.notify(channel, '"end"');
        assert.equal((await stream.messages(1))[0].json.data, "end");
        assertProblem(await api("GET", path), 404);
        assertProblem(await api("DELETE", path), 404);
    });

    test("show what the database holds, also after a restart of the gateway", async () => {
        const { table } = await createTable();
        await api("PUT", `/triggers/${table}_live`, { table });
        await gateway.restart();
        await gateway.ready();
        assert.equal((await api("GET", `/triggers/${table}_live`)).status, 200);
        await database.query(`DROP TABLE ${table}`);
        assertProblem(await api("GET", `/triggers/${table}_live`), 404);
    });

    test("leave triggers alone that are not ours", async () => {
        await database.createPosts();
        assert.ok((await api("GET", "/triggers")).json.items.every((item) => item.name !== "posts_notify"));
        assertProblem(await api("DELETE", "/triggers/posts_notify"), 404);
        assert.equal(await triggersOn("posts"), 1);
    });
});

describe("without the token", () => {
    test("every request is answered with 401 that names the scheme, and changes nothing", async () => {
        const { table } = await createTable();
        for (const authorization of [undefined, "Bearer wrong", `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, `Basic ${btoa(`x:${TOKEN}`)}`, "Bearer", TOKEN])
            for (const [method, path] of [
                ["GET", "/triggers"],
                ["GET", `/triggers/${table}_live`],
                ["PUT", `/triggers/${table}_live`],
                ["DELETE", `/triggers/${table}_live`],
            ]) {
                const headers = { "Content-Type": "application/json", ...(authorization && { Authorization: authorization }) };
                const body = method === "PUT" ? JSON.stringify({ table }) : undefined;
                const response = await gateway.get(path, { method, headers, body });
                assertProblem(response, 401, `${method} ${path} ${authorization}`);
                assert.match(response.headers["www-authenticate"], /^Bearer\b/);
            }
        assert.equal(await triggersOn(table), 0);
    });

    test("configured, nobody may touch triggers at all", async (t) => {
        const open = await startGateway(t, database.env);
        await open.ready();
        const { table } = await createTable();
        const headers = { "Content-Type": "application/json", Authorization: "Bearer " };
        const response = await open.get(`/triggers/${table}_live`, { method: "PUT", headers, body: JSON.stringify({ table }) });
        assert.ok([401, 403, 404].includes(response.status), String(response.status));
        assert.equal(await triggersOn(table), 0);
    });
});
