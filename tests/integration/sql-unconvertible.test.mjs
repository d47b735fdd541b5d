// Databases whose encoding has what is nothing in UTF-8: neither does it fail a write, nor does it stop a channel or a list.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ENCODINGS, quoted, Setting } from "./lib/encodings.mjs";
import { changes, range, WAYS } from "./lib/told.mjs";

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
