// What PostgreSQL takes for json and few programs can read arrives as it was written: live, from the log, and for a client that may see some
// rows only.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { Key, bearer, claims, createFolder, keySettings } from "./lib/tokens.mjs";

const TOKEN = "correct-horse-battery-staple-0123456789";
const nested = (depth) => "[".repeat(depth) + "]".repeat(depth);
const VALUES = ['{"a":1,"a":2}', '"a\\u0000b"', '["\\ud800","\\udc00x"]', '{"\\ud83d":{"\\u0000":[]}}', nested(100), nested(600), nested(3500)];
const IN_THE_LOG = [...VALUES, nested(8000)]; // NOTIFY has no room for it

/** A table with a json column of rows that belong to tenants, with a live and a durable channel. */
async function setUp(t) {
    const database = await createDatabase(t);
    const folder = await createFolder(t);
    const key = new Key("ES256", "main");
    const env = { ...database.env, ...(await keySettings(folder, key)), TUPLECAST_TRIGGERS_TOKEN: TOKEN };
    assert.equal((await run(["setup"], env)).code, 0);
    await database.query("CREATE TABLE documents (id serial PRIMARY KEY, tenant int, body json)");
    const gateway = await startGateway(t, env);
    await gateway.ready();
    for (const [channel, durable] of [["live", false], ["log", true]]) {
        const headers = { ...bearer(TOKEN), "Content-Type": "application/json" };
        const body = JSON.stringify({ table: "documents", channel, durable });
        assert.equal((await gateway.get(`/triggers/documents_${channel}`, { method: "PUT", headers, body })).status, 201);
    }
    const open = (channel, more) => subscribe(t, gateway.stream(channel), { headers: bearer(key.sign(claims({ channels: [channel], ...more }))) });
    return { database, open };
}

for (const [channel, values] of [["live", VALUES], ["log", IN_THE_LOG]])
    test(`${channel}: json of every kind arrives byte for byte, for whom it is`, async (t) => {
        const { database, open } = await setUp(t);
        const streams = [await open(channel, {}), await open(channel, { where: { tenant: 1 } })];
        const other = await open(channel, { where: { tenant: 2 } });
        for (const value of values) await database.query("INSERT INTO documents (tenant, body) VALUES (1, $1)", [value]);
        await database.query("INSERT INTO documents (tenant, body) VALUES (2, NULL)");
        for (const stream of streams)
            for (const [i, { raw, json }] of (await stream.messages(values.length)).entries()) {
                assert.deepEqual([json.type, json.id, json.cut], ["INSERT", i + 1, undefined]);
                assert.ok(raw.includes(`"data":{"id":${i + 1},"tenant":1,"body":${values[i]}}`), raw.slice(0, 300));
            }
        assert.equal((await other.messages(1))[0].json.id, values.length + 1);
    });
