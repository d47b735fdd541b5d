// What a live trigger sends: members, keys, columns, old values, sizes; and that no row makes its writer fail.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { install, watched } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

let database;
let tables = 0;
const file = wholeFile();
before(async () => {
    database = await createDatabase(file);
    await install(database);
});
const watch = async (t, columns, more) => {
    const table = `payload_${++tables}`;
    return [table, await watched(t, database, table, columns, more)];
};
const bytes = (text) => Buffer.byteLength(text);

/** One row, a few, many: each has a way of its own through the trigger. */
const WAYS = [1, 3, 40];
/** And a trigger that is at row level because of its condition. */
const LEVELS = { statement: {}, row: { where: [{ column: "id", op: "is not null" }] } };

for (const [level, more] of Object.entries(LEVELS))
    describe(`at ${level} level`, () => {
        for (const count of WAYS)
            test(`each of ${count} rows sends its change, with old values in the pairs that they were`, async (t) => {
                const [table, listener] = await watch(t, "id int PRIMARY KEY, a text, b int", { ...more, old: true });
                await database.query(`INSERT INTO ${table} SELECT i, 'a' || i, 0 FROM generate_series(1, ${count}) i`);
                assert.deepEqual(
                    await listener.events(),
                    Array.from({ length: count }, (_, i) => ({
                        schema: "public",
                        table,
                        type: "INSERT",
                        id: i + 1,
                        data: { id: i + 1, a: `a${i + 1}`, b: 0 },
                    })),
                );
                await database.query(`UPDATE ${table} SET id = id + 1000, b = id`); // the key changes, too
                const events = await listener.events();
                const left = events.filter(({ type }) => type === "DELETE");
                assert.deepEqual(left.map(({ op, id, data, _was }) => [op, id, data, _was.id]), Array.from({ length: count }, (_, i) => ["UPDATE", i + 1, null, i + 1]));
                for (const { type, id, data, old, changed } of events.filter((event) => !left.includes(event))) {
                    assert.equal(type, "UPDATE");
                    assert.deepEqual([id, data.a], [old.id + 1000, old.a]);
                    assert.deepEqual(changed, ["id", "b"]);
                }
                await database.query(`DELETE FROM ${table}`);
                const deleted = await listener.events();
                assert.deepEqual([deleted.length, deleted[0].id, deleted[0].data.a, "old" in deleted[0]], [count, 1001, "a1", false]);
                await database.query(`TRUNCATE ${table}`);
                assert.deepEqual(await listener.events(), [{ schema: "public", table, type: "TRUNCATE", id: null, data: null }]);
            });

        for (const count of WAYS)
            test(`of ${count} rows, only the listed columns are sent; the key is in any case`, async (t) => {
                const [table, listener] = await watch(t, "id int PRIMARY KEY, a text, secret text, b int", { ...more, old: true, columns: ["b", "a"] });
                await database.query(`INSERT INTO ${table} SELECT i, 'a', 'hidden', i FROM generate_series(1, ${count}) i`);
                await database.query(`UPDATE ${table} SET secret = 'more hidden', b = b + 1`);
                const texts = await listener.texts();
                assert.equal(texts.length, 2 * count);
                assert.ok(texts.every((text) => !/hidden|secret/.test(text)), texts[0]);
                const { id, data, old, changed } = JSON.parse(texts[count]);
                assert.deepEqual([id, data, old, changed], [1, { b: 2, a: "a" }, { b: 1, a: "a" }, ["b"]]);
                assert.match(texts[0], /"data":\{"b":1,"a":"a"\}/, "in the order of the list");
                // Renamed away, it is missing; it fails closed.
                await database.query(`ALTER TABLE ${table} RENAME b TO bb`);
                await database.query(`UPDATE ${table} SET bb = 7`);
                assert.deepEqual((await listener.events()).map(({ data }) => data), Array(count).fill({ a: "a" }));
                await database.query(`ALTER TABLE ${table} RENAME a TO aa`);
                await database.query(`UPDATE ${table} SET bb = 8`);
                assert.deepEqual((await listener.events()).map(({ data }) => data), Array(count).fill({}));
            });

        test("equal changes in one transaction all arrive, and differ in their text", async (t) => {
            const [, listener] = await watch(t, "id int, a text", more);
            const table = `payload_${tables}`;
            await database.query(`BEGIN; ${`INSERT INTO ${table} VALUES (1, 'same'); `.repeat(20)} COMMIT`);
            await database.query(`INSERT INTO ${table} SELECT 1, 'same' FROM generate_series(1, 5000)`);
            const texts = await listener.texts();
            assert.equal(texts.length, 5020);
            assert.equal(new Set(texts).size, 5020);
        });

        test("a primary key of several columns is an object; none is null; a replica identity stands in for it", async (t) => {
            const [table, listener] = await watch(t, 'a int, "B c" text, id int NOT NULL DEFAULT 5, PRIMARY KEY ("B c", a) INCLUDE (id)', more);
            for (const count of WAYS) {
                await database.query(`INSERT INTO ${table} SELECT i, 'x', 5 FROM generate_series(1, ${count}) i`);
                const ids = (await listener.texts()).map((text) => /"id":(\{.*?\}|.*?),"data"/.exec(text)[1]);
                assert.deepEqual(ids, Array.from({ length: count }, (_, i) => `{"B c":"x","a":${i + 1}}`));
                await database.query(`DELETE FROM ${table}`);
                await listener.texts();
            }
            const one = async () => {
                await database.query(`INSERT INTO ${table} VALUES (1, 'y', 9)`);
                await database.query(`TRUNCATE ${table}`);
                return (await listener.events())[0].id;
            };
            await database.query(`ALTER TABLE ${table} RENAME "B c" TO "it's"`);
            assert.deepEqual(await one(), { "it's": "y", a: 1 });
            await database.query(`ALTER TABLE ${table} DROP CONSTRAINT ${table}_pkey`);
            assert.equal(await one(), null);
            await database.query(`CREATE UNIQUE INDEX ${table}_u ON ${table} (id)`);
            assert.equal(await one(), null);
            await database.query(`ALTER TABLE ${table} REPLICA IDENTITY USING INDEX ${table}_u`);
            assert.equal(await one(), 9);
            await database.query(`ALTER TABLE ${table} ADD PRIMARY KEY (a)`);
            assert.equal(await one(), 1, "the primary key comes first");
            await database.query(`ALTER TABLE ${table} RENAME a TO z`);
            assert.equal(await one(), 1);
            await database.query(`ALTER TABLE ${table} REPLICA IDENTITY FULL`);
            assert.equal(await one(), 1);
            await database.query(`ALTER TABLE ${table} REPLICA IDENTITY DEFAULT`);
            assert.equal(await one(), 1);
            assert.equal(await one(), 1);
            await database.query(`ALTER TABLE ${table} DROP CONSTRAINT ${table}_pkey`);
            await database.query(`ALTER TABLE ${table} ADD PRIMARY KEY (id)`);
            assert.equal(await one(), 9);
        });

        // x: one byte; é: two; the emoji: four; a quote: two in JSON; a control character: six in JSON
        for (const [what, letter] of Object.entries({ ascii: "x", "two bytes": "é", emoji: "🙂", quotes: '"', control: "\u0001" }))
            test(`sizes are measured in bytes: ${what}`, async (t) => {
                const [table, listener] = await watch(t, "id int PRIMARY KEY, a text", more);
                const measure = async (text, count = 1) => {
                    await database.query(`INSERT INTO ${table} SELECT i, $1 FROM generate_series(1, ${count}) i`, [text]);
                    await database.query(`TRUNCATE ${table}`);
                    return (await listener.texts()).slice(0, count);
                };
                const letterBytes = bytes(JSON.stringify(letter)) - 2;
                let [empty] = await measure("");
                for (const count of WAYS)
                    for (const target of [7899, 7900, 7901, 7998, 7999, 8000, 8001, 9000]) {
                        // The serial number may have become longer meanwhile, so it is not counted.
                        const serial = (text) => bytes(/"_":(\d+)/.exec(text)[1]);
                        const room = target - (bytes(empty) - serial(empty)) - 9;
                        const letters = Math.floor(room / letterBytes);
                        await database.query("SELECT setval('tuplecast.serial', 100000000)");
                        await database.query("DISCARD SEQUENCES");
                        const id = (text) => bytes(String(JSON.parse(text).id));
                        for (const text of await measure(letter.repeat(letters) + "x".repeat(room - letters * letterBytes), count)) {
                            const event = JSON.parse(text);
                            assert.ok(bytes(text) <= 7900);
                            const whole = target + 2 * (id(text) - 1); // the key is in it twice
                            if (whole <= 7900) assert.deepEqual([bytes(text), event.cut], [whole, undefined]);
                            else assert.deepEqual([event.data, event.cut, event.id !== null], [null, ["data"], true]);
                        }
                    }
            });

        test("old goes first, then data, then the key; each is named in cut, and changed is kept", async (t) => {
            const [table, listener] = await watch(t, "id text PRIMARY KEY, a text", { ...more, old: true });
            const update = async (id, from, to, count) => {
                await database.query(`INSERT INTO ${table} SELECT $1 || i, $2 FROM generate_series(1, ${count}) i`, [id, from]);
                await database.query(`UPDATE ${table} SET a = $1`, [to]);
                await database.query(`DELETE FROM ${table}`);
                return (await listener.events()).filter(({ type }) => type === "UPDATE");
            };
            const x = (n) => "x".repeat(n);
            for (const count of WAYS) {
                for (const event of await update("k", x(6000), x(2000), count))
                    assert.deepEqual([event.data.a, event.old, event.changed, event.cut], [x(2000), undefined, ["a"], ["old"]]);
                for (const event of await update("k", x(10), x(8000), count))
                    assert.deepEqual([event.id.slice(0, 1), event.data, event.changed, event.cut], ["k", null, ["a"], ["old", "data"]]);
            }
            // Longer than an index takes without compression.
            const [{ id, data, changed, cut }] = await update(x(9000), "", "y", 1);
            assert.deepEqual([id, data, changed, cut], [null, null, ["a"], ["old", "data", "id"]]);
        });

        test("rows of 1 MB and 16 MB keep their key, and small columns beside them pass", async (t) => {
            const [table, listener] = await watch(t, "id int PRIMARY KEY, a text, small text DEFAULT 'small'", { ...more, old: true });
            const [other, narrow] = await watch(t, "id int PRIMARY KEY, a text, small text DEFAULT 'small'", { ...more, columns: ["small"] });
            await database.query(`ALTER TABLE ${table} ALTER a SET STORAGE EXTERNAL`); // as it is, not compressed
            for (const [id, megabytes] of [[1, 1], [2, 16]])
                for (const name of [table, other]) {
                    await database.query(`INSERT INTO ${name} VALUES (${id}, repeat('x', ${megabytes} << 20))`);
                    await database.query(`UPDATE ${name} SET small = 'other' WHERE id = ${id}`);
                    await database.query(`UPDATE ${name} SET a = 'short' WHERE id = ${id}`);
                }
            const seen = (await listener.events()).map(({ id, data, cut, changed }) => [id, data?.a, changed, cut]);
            assert.deepEqual(
                seen,
                [1, 2].flatMap((id) => [
                    [id, undefined, undefined, ["data"]],
                    [id, undefined, ["small"], ["old", "data"]],
                    [id, "short", ["a"], ["old"]],
                ]),
            );
            assert.deepEqual((await narrow.events()).map(({ data }) => data.small), ["small", "other", "other", "small", "other", "other"]);
        });
    });
