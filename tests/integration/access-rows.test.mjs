// Tokens that grant some of the rows: what a tenant gets is held against what somebody gets who sees everything.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { Key, bearer, claims, createFolder, keySettings } from "./lib/tokens.mjs";

const TOKEN = "correct-horse-battery-staple-0123456789";
const TENANTS = [1, 2];

/** A table of which each row belongs to a tenant and says so in its title, with a live and a durable channel. */
async function setUp(t) {
    const database = await createDatabase(t);
    const folder = await createFolder(t);
    const key = new Key("ES256", "main");
    const env = { ...database.env, ...(await keySettings(folder, key)), TUPLECAST_TRIGGERS_TOKEN: TOKEN };
    assert.equal((await run(["setup"], env)).code, 0);
    await database.query("CREATE TABLE items (id serial PRIMARY KEY, tenant_id numeric(10, 2), title text, more text)");
    const gateway = await startGateway(t, env);
    await gateway.ready();
    for (const [name, durable] of [["live", false], ["log", true]]) {
        const { status, body } = await gateway.get(`/triggers/items_${name}`, {
            method: "PUT",
            headers: { ...bearer(TOKEN), "Content-Type": "application/json" },
            body: JSON.stringify({ table: "items", channel: `items_${name}`, old: true, durable }),
        });
        assert.equal(status, 201, body);
    }
    const open = (channel, tenant, query = {}, headers = {}) => {
        const where = tenant ? { where: { tenant_id: tenant } } : {};
        return subscribe(t, gateway.stream(channel, query), { headers: { ...headers, ...bearer(key.sign(claims({ channels: [channel], ...where }))) } });
    };
    return { database, gateway, open };
}

/** What a tenant may see of an event: the rule of docs/access.md, written a second time. */
function visible({ id, json }, tenant) {
    const mine = (row) => row && Number(row.tenant_id) === tenant;
    if (json.type === "TRUNCATE") return { id, json };
    if (!mine(json.data)) return undefined;
    if (mine(json.old)) return { id, json };
    const { old, changed, ...rest } = json;
    return { id, json: rest };
}

/** Changes of all kinds, some of which move a row to the other tenant; the last one is a TRUNCATE. */
async function change(database, rounds) {
    let dice = 7;
    const roll = (below) => (dice = (dice * 48271) % 2147483647) % below;
    for (let i = 0; i < rounds; i++) {
        const tenant = TENANTS[roll(2)];
        const any = "(SELECT id FROM items ORDER BY id LIMIT 1 OFFSET (SELECT count(*) FROM items) * $1 / 100)";
        const title = `'secret-' || tenant_id::int`;
        await [
            () => database.query("INSERT INTO items (tenant_id, title) VALUES ($1::int, 'secret-' || $1::int)", [tenant]),
            () => database.query(`UPDATE items SET title = ${title}, more = more || 'x' WHERE id = ${any}`, [roll(100)]),
            () => database.query(`UPDATE items SET tenant_id = $2::int, title = 'secret-' || $2::int WHERE id = ${any}`, [roll(100), tenant]),
            () => database.query("UPDATE items SET tenant_id = 3 - tenant_id, title = 'secret-' || (3 - tenant_id)::int"),
            () => database.query(`DELETE FROM items WHERE id = ${any}`, [roll(100)]),
            () => database.query("INSERT INTO items (tenant_id, title) SELECT 1 + n % 2, 'secret-' || (1 + n % 2) FROM generate_series(1, 4) n"),
            () => database.query("INSERT INTO items (title) VALUES ('secret-0')"),
        ][roll(7)]();
    }
    await database.query("TRUNCATE items");
}

const summary = (events) => events.map(({ id, json }) => ({ id, json }));

/** All messages up to the TRUNCATE. */
async function untilTruncate(stream) {
    await stream.next((event) => event.json.type === "TRUNCATE");
    assert.deepEqual(stream.events.filter((event) => !["message", "ready"].includes(event.name)), []);
    return stream.events.filter((event) => event.name === "message");
}

function assertOnlyOwn(seen, all, tenant) {
    const expected = all.map((event) => visible(event, tenant)).filter((event) => event);
    assert.ok(expected.length > 10, "the test has something to compare");
    assert.deepEqual(summary(seen), expected);
    // In the bytes themselves, too: the other tenant's title stands in each of its rows.
    for (const { raw } of seen) assert.ok(!raw.includes(`secret-${3 - tenant}`) && !raw.includes("secret-0"), raw);
}

for (const channel of ["items_live", "items_log"]) {
    test(`${channel}: a tenant gets its own rows and nothing of others', live and replayed`, async (t) => {
        const { database, gateway, open } = await setUp(t);
        const [everything, ...tenants] = await Promise.all([open(channel), ...TENANTS.map((tenant) => open(channel, tenant))]);
        await change(database, 120);
        const all = await untilTruncate(everything);
        assert.ok(all.some(({ json }) => json.old && Number(json.old.tenant_id) !== Number(json.data?.tenant_id)), "rows were moved");
        for (const [i, tenant] of TENANTS.entries()) {
            assertOnlyOwn(await untilTruncate(tenants[i]), all, tenant);
            assertOnlyOwn(await untilTruncate(await open(channel, tenant, { from: "earliest" })), all, tenant);
            const seen = await untilTruncate(await open(channel, tenant, {}, { "last-event-id": all[20].id }));
            assert.deepEqual(summary(seen), all.slice(21).map((event) => visible(event, tenant)).filter((event) => event));
        }
        if (channel === "items_live") return;
        // Now out of the log: a new run of the gateway remembers nothing.
        await gateway.restart();
        await gateway.ready();
        for (const tenant of TENANTS) assertOnlyOwn(await untilTruncate(await open(channel, tenant, { from: "earliest" })), all, tenant);
    });
}

test("a row that was cut is not shown, as nobody can see whose it is; a durable channel shows it", async (t) => {
    const { database, open } = await setUp(t);
    const [live, log, everything] = await Promise.all([open("items_live", 1), open("items_log", 1), open("items_live")]);
    await database.query("INSERT INTO items (tenant_id, more) VALUES (1, repeat('x', 9000)), (2, repeat('y', 9000))");
    await database.query("INSERT INTO items (tenant_id, title) VALUES (1, 'small')");
    assert.deepEqual((await everything.messages(3)).map(({ json }) => json.cut), [["data"], ["data"], undefined]);
    assert.equal((await live.messages(1))[0].json.data.title, "small");
    const [large, small] = await log.messages(2);
    assert.equal(large.json.data.more.length, 9000);
    assert.equal(small.json.data.title, "small");
});

test("that a row has gone is told to whom it belonged, and what it was to nobody", async (t) => {
    const folder = await createFolder(t);
    const database = await createDatabase(t);
    const key = new Key("HS256");
    const gateway = await startGateway(t, { ...database.env, ...(await keySettings(folder, key)) });
    await gateway.ready();
    const open = (where) => subscribe(t, gateway.stream("things"), { headers: bearer(key.sign(claims({ channels: ["things"], ...(where && { where }) }))) });
    const [everything, one, two] = await Promise.all([open(), open({ tenant: 1 }), open({ tenant: 2, kind: "b" })]);
    const head = '"schema":"s","table":"t","type":"DELETE","op":"UPDATE"';
    const gone = (id, was) => database.notify("things", `{${head},"id":${id},"data":null${was ? `,"_was":${JSON.stringify(was)}` : ""}}`);
    await gone(1, { id: 1, tenant: 1, kind: "secret" });
    await gone(2, { id: 2, tenant: 2, kind: "b" });
    await gone(3, { id: 3, tenant: 2, kind: "secret" });
    await gone(4, null); // nobody can see whose it was
    // Rows of a statement: of one session, as the database delivers them.
    await database.query(`BEGIN; NOTIFY things, '{"_":1,${head},"key":["id"],"columns":["id","tenant","kind"]}';
        NOTIFY things, '{"_":1,"row":[5,1,"secret"]}'; NOTIFY things, '{"_":1,"row":[6,2,"b"]}'; COMMIT`);
    await database.notify("things", '{"table":"t","type":"TRUNCATE"}');
    for (const [stream, ids] of [[everything, [1, 2, 3, 4, 5, 6]], [one, [1, 5]], [two, [2, 6]]]) {
        const messages = await stream.messages(ids.length + 1);
        const expected = ids.map((id) => ({ channel: "things", schema: "s", table: "t", type: "DELETE", op: "UPDATE", id, data: null }));
        assert.deepEqual(messages.slice(0, -1).map(({ json }) => json), expected);
        assert.ok(messages.every(({ raw }) => !raw.includes("secret") && !raw.includes("tenant")));
        assert.equal(messages.at(-1).json.type, "TRUNCATE");
    }
});

test("filters of the request narrow what is granted, and find nothing beyond it", async (t) => {
    const { database, open } = await setUp(t);
    const [other, own, deletes] = await Promise.all([open("items_live", 1, { id: "2" }), open("items_live", 1, { id: "1" }), open("items_live", 1, { type: "DELETE" })]);
    await database.query("INSERT INTO items (tenant_id) VALUES (1), (2)");
    await database.query("DELETE FROM items");
    await database.query("INSERT INTO items (id, tenant_id) VALUES (2, 1)");
    assert.deepEqual((await own.messages(2)).map(({ json }) => json.type), ["INSERT", "DELETE"]);
    assert.deepEqual((await other.messages(1)).map(({ json }) => [json.type, json.id]), [["INSERT", 2]]);
    assert.deepEqual((await deletes.messages(1)).map(({ json }) => json.id), [1]);
});

test("a tenant learns no numbers of others from /channels, and a payload that is no row change stays hidden", async (t) => {
    const folder = await createFolder(t);
    const database = await createDatabase(t);
    const key = new Key("HS256");
    const gateway = await startGateway(t, { ...database.env, ...(await keySettings(folder, key)) });
    await gateway.ready();
    const token = (where) => bearer(key.sign(claims({ channels: ["things"], ...(where && { where }) })));
    const stream = await subscribe(t, gateway.stream("things"), { headers: token({ a: 1 }) });
    for (const payload of ["secret text", '{"a":1}', '{"table":"t","type":"INSERT","id":1,"data":{"a":2}}', '{"table":"t","type":"INSERT","id":2,"data":{"a":1},"old_row":{"a":2}}'])
        await database.notify("things", payload);
    assert.deepEqual((await stream.messages(1))[0].json, { channel: "things", table: "t", type: "INSERT", id: 2, data: { a: 1 } });
    const listed = async (headers) => (await gateway.get("/channels", { headers })).json.items;
    assert.deepEqual(await listed(token({ a: 1 })), [{ channel: "things", listening: true, durable: false }]);
    assert.deepEqual(await listed(token()), [{ channel: "things", streams: 1, events: 4, listening: true, durable: false }]);
});
