// Statements that change many rows, from the trigger to the stream: what a client reads does not say in which form a change was sent.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { define, install, put } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const file = wholeFile();
let database, gateway;

before(async () => {
    database = await createDatabase(file);
    await install(database);
    gateway = await startGateway(file, { ...database.env, TUPLECAST_CHANNELS: "*" });
    await gateway.ready();
});

for (const old of [false, true])
    test(`rows of one statement read as those of many${old ? ", with old values" : ""}`, async (t) => {
        const table = `posts_${old}`;
        const channel = `${table}_changes`;
        await database.query(`CREATE TABLE ${table} (id integer PRIMARY KEY, "a ""b""" json, t text)`);
        await put(database, table, define(table, { old }));
        const stream = await subscribe(t, gateway.stream(channel));
        const long = await subscribe(t, `${gateway.stream(channel)}?id=50`);
        const write = async (from, to) => {
            await database.query(
                `INSERT INTO ${table} SELECT i, E'{"x":\\n[1.50, "ü"]}', CASE WHEN i = 50 THEN repeat('y', 7000) END FROM generate_series(${from}, ${to}) i`,
            );
            await database.query(`UPDATE ${table} SET t = 'z' WHERE id BETWEEN ${from} AND ${to}`);
        };
        await write(1, 40); // one statement and its rows
        const many = await stream.messages(80);
        for (let i = 1; i <= 40; i++) {
            await database.query(`DELETE FROM ${table} WHERE id = ${i}`);
            await stream.messages(1);
        }
        for (let i = 1; i <= 40; i++) await write(i, i); // each by itself
        const single = await stream.messages(80);
        assert.deepEqual(many.map(({ data }) => data).sort(), single.map(({ data }) => data).sort());

        await write(41, 60); // one of them is too long to be a list of values
        const events = (await stream.messages(40)).map(({ json }) => json);
        assert.deepEqual(events.slice(0, 20).map(({ id }) => id), Array.from({ length: 20 }, (_, i) => 41 + i));
        assert.equal((await long.messages(2))[0].json.data.t.length, 7000);
    });

test("a row that another session sends belongs to no statement, and is a gap", async (t) => {
    const [channel, writer, other] = ["forged", await database.connect(t), await database.connect(t)];
    const stream = await subscribe(t, gateway.stream(channel));
    const notify = (client, payload) => client.query("SELECT pg_notify($1, $2)", [channel, payload]);
    await notify(writer, '{"_":1,"schema":"s","table":"t","type":"INSERT","key":["id"],"columns":["id"]}');
    await notify(writer, '{"_":1,"row":[1]}');
    assert.deepEqual((await stream.messages(1))[0].json, { channel, schema: "s", table: "t", type: "INSERT", id: 1, data: { id: 1 } });
    await notify(other, '{"_":1,"row":[2]}');
    assert.equal((await stream.next()).name, "gap");
    await notify(writer, '{"_":1,"row":[3]}');
    assert.equal((await stream.messages(1))[0].json.id, 3);
});
