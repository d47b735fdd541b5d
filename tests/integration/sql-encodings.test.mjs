// Databases in other encodings than UTF8: names and values arrive as they were written; json, which may hold what the encoding cannot, fails
// no write; and what the encoding has and UTF-8 has not does not stop a durable channel.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { ENCODINGS, quoted, Setting } from "./lib/encodings.mjs";
import { changes, range, statement, WAYS } from "./lib/told.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const file = wholeFile();

for (const encoding of Object.keys(ENCODINGS))
    describe(`in a database in ${encoding}`, () => {
        const setting = new Setting(file, encoding);
        before(() => setting.open());

        for (const [way, definition] of Object.entries(WAYS)) {
            test(`names and values arrive as they were written: ${way}`, async (t) => {
                const { database, letters } = setting;
                const { table, stream } = await setting.watch(t, `${quoted(letters)} text, j json`, definition);
                const named = (await setting.api("GET", "/triggers")).json.items.map((item) => item.table);
                assert.ok(JSON.stringify(named).includes(JSON.stringify(table)), JSON.stringify(named));
                const json = JSON.stringify({ [letters]: letters });
                const row = (id, more = "") => ({ id, [letters]: letters + more, j: { [letters]: letters } });
                for (const [first, count] of [[1, 1], [2, 3], [10, 40]]) {
                    const ids = range(first, count);
                    const between = [first, first + count - 1];
                    const told = { old: undefined, changed: undefined, cut: undefined };
                    const insert = `INSERT INTO ${quoted(table)} SELECT i, $3, $4 FROM generate_series($1::int, $2::int) i`;
                    await database.query(insert, [...between, letters, json]);
                    assert.deepEqual(await statement(stream, count), ids.map((id) => ({ ...told, type: "INSERT", id, data: row(id) })));
                    const set = `${quoted(letters)} = ${quoted(letters)} || '!'`;
                    await database.query(`UPDATE ${quoted(table)} SET ${set} WHERE id BETWEEN $1 AND $2`, between);
                    const updated = (id) => ({ ...told, type: "UPDATE", id, data: row(id, "!"), old: row(id), changed: [letters] });
                    assert.deepEqual(await statement(stream, count), ids.map(updated));
                    await database.query(`DELETE FROM ${quoted(table)} WHERE id BETWEEN $1 AND $2`, between);
                    assert.deepEqual(await statement(stream, count), ids.map((id) => ({ ...told, type: "DELETE", id, data: row(id, "!") })));
                }
            });

            test(`json keeps what another encoding would need, and what no text can hold: ${way}`, async (t) => {
                const { table, stream } = await setting.watch(t, "j json", definition);
                // The euro sign, a letter outside of the first plane, half of one, and NUL.
                const values = ['"\\u20ac"', '"\\ud83d\\ude42"', '"\\ud83d"', '{"\\u0000":"\\u0000"}'];
                for (const [i, value] of values.entries())
                    await setting.database.query(`INSERT INTO ${quoted(table)} VALUES ($1, $2)`, [i, value]);
                const seen = await changes(stream, values.length);
                assert.deepEqual(seen.map(({ id, data }) => [id, data.j]), values.map((value, i) => [i, JSON.parse(value)]));
            });
        }
    });

// Each in a database of its own: were it to stop something, it would stop the others, too.
for (const [encoding, { bad }] of Object.entries(ENCODINGS).filter(([, { bad }]) => bad))
    for (const [way, definition] of Object.entries(WAYS).filter(([, { durable }]) => durable))
        test(`in ${encoding}, a value that is nothing in UTF-8 is told by U+FFFD or cut, and what follows is whole: ${way}`, async (t) => {
            const setting = new Setting(t, encoding);
            await setting.open();
            const { table, stream } = await setting.watch(t, "a text", definition);
            const value = `convert_from('\\x${bad}', '${encoding}')`;
            for (const [first, count] of [[1, 1], [10, 40]]) {
                const insert = `INSERT INTO ${quoted(table)} SELECT i, ${value} FROM generate_series($1::int, $2::int) i`;
                await setting.database.query(insert, [first, first + count - 1]);
                const seen = await statement(stream, count);
                assert.deepEqual(seen.map(({ id }) => id), range(first, count));
                for (const { data, cut } of seen)
                    assert.ok(/\ufffd/.test(data?.a) || /^data(\.a)?$/.test(cut?.join()), JSON.stringify([data, cut]));
                await setting.database.query(`INSERT INTO ${quoted(table)} VALUES ($1, 'good')`, [first + count]);
                assert.equal((await changes(stream, 1))[0].data.a, "good");
            }
        });
