// Databases whose encoding has what is nothing in UTF-8: neither does it fail a write, nor does it stop a channel or a list.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ENCODINGS, quoted, Setting } from "./lib/encodings.mjs";
import { openStream, subscribe } from "./lib/sse.mjs";
import { changes, range, WAYS } from "./lib/told.mjs";
import { until } from "./lib/until.mjs";

const DEADLINE_MS = 30_000;

// Each in a database of its own: whoever stumbles over one does not get up again.
for (const [encoding, { bad }] of Object.entries(ENCODINGS).filter(([, { bad }]) => bad)) {
    for (const [way, definition] of Object.entries(WAYS))
        test(`in ${encoding}, a value that is nothing in UTF-8 is told by U+FFFD or cut, and what follows is whole: ${way}`, async (t) => {
            const setting = new Setting(t, encoding);
            await setting.open();
            const { table, stream } = await setting.watch(t, "a text", definition);
            const insert = `INSERT INTO ${quoted(table)} SELECT i, convert_from('\\x${bad}', '${encoding}') FROM generate_series($1::int, $2::int) i`;
            for (const [first, count] of [[1, 1], [10, 40]]) {
                await setting.database.query(insert, [first, first + count - 1]);
                await setting.database.query(`INSERT INTO ${quoted(table)} VALUES ($1, 'good')`, [first + count]);
                const seen = await changes(stream, count + 1);
                assert.deepEqual(seen.map(({ id }) => id), range(first, count + 1));
                for (const { data, cut } of seen.slice(0, -1))
                    assert.ok(/\ufffd/.test(data?.a) || /^data(\.a)?$/.test(cut?.join()), JSON.stringify([data, cut]));
                assert.equal(seen.at(-1).data.a, "good");
            }
            if (!definition.durable) return;
            // And once more as history.
            const again = await subscribe(t, setting.gateway.stream(`${setting.letters}-1`, { from: "earliest" }));
            const ids = (await changes(again, 43)).map(({ id }) => id);
            assert.deepEqual(ids, [...range(1, 2), ...range(10, 41)]);
        });

    test(`in ${encoding}, a notification that is nothing in UTF-8 is told by U+FFFD, and nobody has an outage`, async (t) => {
        const setting = new Setting(t, encoding);
        await setting.open();
        const name = `${setting.letters} n`;
        const [stream, other] = [await subscribe(t, setting.gateway.stream(name)), await subscribe(t, setting.gateway.stream("other"))];
        const send = `SELECT pg_notify($1, to_json('<' || convert_from('\\x${bad}', '${encoding}') || '>')::text)`;
        await setting.database.query(send, [name]);
        await setting.database.notify(name, JSON.stringify(setting.letters));
        await setting.database.notify("other", "1");
        const [first, second] = await stream.messages(2);
        assert.match(first.json.data, /^<\ufffd+>$/);
        assert.equal(second.json.data, setting.letters);
        await other.messages(1);
        assert.equal(await setting.gateway.metric("tuplecast_database_losses_total"), 0);
    });

    test(`in ${encoding}, names that are nothing in UTF-8 do not keep others from being put and listed`, async (t) => {
        const setting = new Setting(t, encoding);
        await setting.open();
        // Names come out of bytes, for the server cannot read them in a statement of ours.
        const create = `EXECUTE format('CREATE TABLE %I (id int, %1$I text)', convert_from('\\x${bad}', '${encoding}'))`;
        await setting.database.query(`DO $$ BEGIN ${create}; END $$`);
        const { table } = await setting.watch(t, "a text", {});
        for (const path of ["/tables", "/triggers"]) {
            const response = await setting.api("GET", path);
            assert.equal(response.status, 200, response.body);
            assert.ok(JSON.stringify(response.json).includes(table), response.body);
        }
    });
}

test("a channel whose name the encoding lacks is refused, with a line in the log, and costs other channels nothing", async (t) => {
    const setting = new Setting(t, "WIN1252");
    await setting.open();
    // A tag, which the C library would pass over: then it would be listened to, and left, by the name of the other.
    const odd = ["漢字", "größe\u{e0041}"];
    const stream = await subscribe(t, setting.gateway.stream("größe"));
    const refused = await Promise.all(odd.map((name) => openStream(t, setting.gateway.stream(name))));
    for (const name of odd)
        await until(() => setting.gateway.log.includes(`channel="${name}" reason=`), () => setting.gateway.log, DEADLINE_MS);
    for (const one of refused) one.close();
    await until(async () => (await setting.gateway.metric("tuplecast_streams")) === 1, "their end", DEADLINE_MS);
    const more = await subscribe(t, setting.gateway.stream("more"));
    for (const name of ["größe", "more"]) await setting.database.notify(name, "1");
    for (const one of [stream, more]) await one.messages(1);
});

test("a definition with letters that the encoding lacks is refused with a sentence, and the next one is put", async (t) => {
    const setting = new Setting(t, "LATIN1");
    await setting.open();
    await setting.database.query("CREATE TABLE plain (id int PRIMARY KEY)");
    const put = (channel) => setting.api("PUT", "/triggers/one", { table: "plain", channel });
    const refused = await put("漢字");
    assert.equal(refused.status, 422, refused.body);
    assert.match(refused.json.detail, /letters .* encoding, LATIN1, does not have/);
    const taken = await put("größe");
    assert.equal(taken.status, 201, taken.body);
    assert.equal(taken.json.channel, "größe");
    // What the server says comes in its encoding.
    const unknown = await setting.api("PUT", "/triggers/two", { table: "größe", channel: "two" });
    assert.equal(unknown.status, 404, unknown.body);
    assert.match(unknown.body, /größe/);
});
