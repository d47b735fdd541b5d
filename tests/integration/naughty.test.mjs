// Strings that break programs, as names and as values, from the table to the client.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { before, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const CORPUS = path.resolve(import.meta.dirname, "../../../shared/corpora/naughty-strings.json");
const TOKEN = "correct-horse-battery-staple-0123456789";
const SIDE_BY_SIDE = 8;
const own = ["a b", 'quo"te', "apo'strophe", "back\\slash", "ä", "表", "🦊", "%41", "a/b", "a?b#c", "..", "data: x", "null", "<img src=x onerror=alert(1)>", "\u202eabc", "{}", "$1", "--"];
const corpus = await readFile(CORPUS, "utf8").then(JSON.parse, () => undefined);
const strings = [...new Set([...own, ...(corpus ?? [])])].filter((text) => !text.includes("\0") && text.isWellFormed());
const names = strings.filter((text) => Buffer.byteLength(text) >= 1 && Buffer.byteLength(text) <= 63 && !/[\x00-\x1f\x7f]/.test(text));
const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

const file = wholeFile();
let database, gateway;

before(async () => {
    database = await createDatabase(file);
    const env = { ...database.env, TUPLECAST_CHANNELS: "*", TUPLECAST_TRIGGERS_TOKEN: TOKEN, TUPLECAST_TRIGGERS_SCHEMAS: "public,live,durable" };
    assert.equal((await run(["setup"], env)).code, 0);
    gateway = await startGateway(file, env);
    await gateway.ready();
});

function put(name, definition) {
    return gateway.get(`/triggers/${name}`, {
        method: "PUT",
        headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
        body: JSON.stringify(definition),
    });
}

for (const durable of [false, true]) {
    const kind = durable ? "durable" : "live";

    test(`as values of rows (${kind})`, { timeout: 60_000 }, async (t) => {
        if (!corpus) t.diagnostic("the corpus is not there: only a few strings of our own were tried");
        const table = `values_${kind}`;
        await database.query(`CREATE TABLE ${table} (id serial PRIMARY KEY, text text)`);
        assert.equal((await put(table, { table, durable })).status, 201);
        const stream = await subscribe(t, gateway.stream(`${table}_changes`));
        await database.query(`INSERT INTO ${table} (text) SELECT unnest($1::text[])`, [strings]);
        const messages = await stream.messages(strings.length, 30_000);
        assert.deepEqual(messages.map(({ json }) => json.data.text), strings);
    });

    test(`as names of tables, columns and channels (${kind})`, { timeout: 120_000 }, async (t) => {
        await database.query(`CREATE SCHEMA ${kind}`);
        const waiting = names.map((name, i) => [name, `n_${kind}_${i}`]);
        let tried = 0;
        const one = async () => {
            for (let item; (item = waiting.pop()); tried++) {
                const [name, trigger] = item;
                if (name === "tuplecast") continue; // the gateways' own
                const schema = kind;
                await database.query(`CREATE TABLE ${schema}.${quoted(name)} (${quoted(name)} text PRIMARY KEY)`);
                const created = await put(trigger, { table: { schema, name }, channel: name, columns: [name], durable });
                assert.equal(created.status, 201, `${JSON.stringify(name)}: ${created.body}`);
                // In a path, "." and ".." are gone before a client sends it.
                const stream = await subscribe(t, gateway.stream([name], { table: name }));
                await database.query(`INSERT INTO ${schema}.${quoted(name)} VALUES ($1)`, [name]);
                const [{ json }] = await stream.messages(1);
                assert.deepEqual([json.channel, json.schema, json.table, json.id, json.data], [name, schema, name, name, { [name]: name }]);
                stream.close();
                // A channel cannot be live for one test and durable for the other.
                assert.equal((await gateway.get(`/triggers/${trigger}`, { method: "DELETE", headers: { Authorization: `Bearer ${TOKEN}` } })).status, 204);
            }
        };
        await Promise.all(Array.from({ length: SIDE_BY_SIDE }, one));
        t.diagnostic(`${tried} names`);
        assert.equal(tried, names.length);
    });
}
