// What a trigger cannot have because of how the database is: refused with 409 and what to do, and then done that way.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const TOKEN = "correct-horse-battery-staple-0123456789";
const file = wholeFile();
let database, gateway;
let tables = 0;

const api = (method, path, body) =>
    gateway.get(path, {
        method,
        headers: { Authorization: `Bearer ${TOKEN}`, ...(body && { "Content-Type": "application/json" }) },
        body: body && JSON.stringify(body),
    });
const put = (table, more, query = "") => api("PUT", `/triggers/${table}${query}`, { table, ...more });

async function createTable(more = "") {
    const table = `refused_${++tables}`;
    await database.query(`CREATE TABLE ${table} (id serial PRIMARY KEY, title text); ${more.replaceAll("%t", table)}`);
    return table;
}

function assertConflict(response, hint) {
    assert.equal(response.status, 409, response.body);
    assert.equal(response.json.sqlstate, "TC409");
    assert.match(response.json.hint, hint);
}

before(async () => {
    database = await createDatabase(file);
    const env = { ...database.env, TUPLECAST_CHANNELS: "*", TUPLECAST_TRIGGERS_TOKEN: TOKEN };
    assert.equal((await run(["setup"], env)).code, 0);
    gateway = await startGateway(file, env);
    await gateway.ready();
});

test("a table with row level security, unless the definition says that it is ignored", async () => {
    const table = await createTable("ALTER TABLE %t ENABLE ROW LEVEL SECURITY");
    assertConflict(await put(table, {}), /row_security/);
    const made = await put(table, { row_security: "ignored" });
    assert.equal(made.status, 201, made.body);
    assert.equal(made.json.row_security, "ignored");
    assert.equal((await put(table, { row_security: "ignored" })).status, 200);
});

test("a live and a durable trigger on one channel, either way round, unless the whole channel moves", async () => {
    const [first, second] = [await createTable(), await createTable()];
    const channel = `${first}_shared`;
    const durable = async (table) => (await api("GET", `/triggers/${table}`)).json.durable;
    for (const wanted of [true, false]) {
        assert.equal((await put(first, { channel, durable: !wanted })).status, wanted ? 201 : 200);
        assertConflict(await put(second, { channel, durable: wanted }), /whole_channel=true/);
        const tried = await put(second, { channel, durable: wanted }, "?whole_channel=true&dry_run=true");
        assert.equal(tried.status, 200, tried.body);
        assert.equal(await durable(first), !wanted);
        const moved = await put(second, { channel, durable: wanted }, "?whole_channel=true");
        assert.equal(moved.status, 201, moved.body);
        assert.deepEqual([await durable(first), await durable(second)], [wanted, wanted]);
        assert.equal((await api("DELETE", `/triggers/${second}`)).status, 204);
    }
});

test("rows that replication writes are sent by a trigger that says always", async () => {
    const table = await createTable();
    const made = await put(table, { always: true });
    assert.equal(made.status, 201, made.body);
    assert.deepEqual([made.json.always, made.json.level, made.json.enabled], [true, "row", true]);
    const enabled = await database.query("SELECT DISTINCT tgenabled FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal", [table]);
    assert.deepEqual(enabled, [["A"]]);
    assert.equal((await put(table, { always: true })).headers.etag, made.headers.etag);
    assert.equal("always" in (await put(table, {})).json, false);
});

test("prepared transactions are asked about only where there can be any; the answer is kept", async () => {
    const table = await createTable();
    const made = await put(table, { prepare_transaction: "fails" });
    assert.equal(made.status, 201, made.body);
    assert.equal(made.json.prepare_transaction, "fails");
});
