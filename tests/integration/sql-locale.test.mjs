// Databases whose language has other small letters for I and another order of names than English: in Turkish, lower('INSERT') is `ınsert`.
// Triggers are put, listed and taken away there as everywhere, and tell all operations.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { knowsDurable, put, startOne, TOKEN } from "./lib/bank.mjs";
import { createDatabase } from "./lib/database.mjs";
import { run } from "./lib/gateway.mjs";
import { SERVER_VERSION } from "./lib/servers.mjs";
import { subscribe } from "./lib/sse.mjs";
import { range, statement } from "./lib/told.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const PATIENCE_MS = 60_000;
const OPERATIONS = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];
const file = wholeFile();

/** What CREATE DATABASE is told. */
const LANGUAGES = {
    "Turkish": { options: "ENCODING 'UTF8' LOCALE 'tr_TR.UTF-8'" },
    "Turkish in LATIN5": { options: "ENCODING 'LATIN5' LOCALE 'tr_TR'" },
    "Turkish by ICU": { options: "ENCODING 'UTF8' LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR'", since: 15 },
    "Lithuanian": { options: "ENCODING 'UTF8' LOCALE 'lt_LT.UTF-8'" },
    "none, by the builtin provider": { options: "ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'", since: 17 },
};

/** A trigger of each kind, by the name of its table. */
const KINDS = {
    live_i: { level: "statement", definition: { old: true } },
    live_row: { level: "row", definition: { level: "row", old: true } },
    durable_i: { level: "statement", definition: { durable: true, old: true } },
    durable_row: { level: "row", definition: { durable: true, level: "row", old: true } },
    WITH_I: { level: "row", definition: { where: [{ column: "TITLE", op: "in", value: ["I", "i", "ı", "İ"] }], columns: ["ID", "TITLE"] } },
};

for (const [language, { options, since = 14 }] of Object.entries(LANGUAGES))
    describe(`a database in ${language}`, { skip: SERVER_VERSION < since && `PostgreSQL has it since ${since}` }, () => {
        let database, gateway;
        before(async () => {
            database = await createDatabase(file, options);
            const { code, stderr } = await run(["setup"], database.env);
            assert.equal(code, 0, stderr);
            gateway = await startOne(file, { ...database.env, TUPLECAST_CHANNELS: "*" });
        });
        const api = (method, path, body) =>
            gateway.get(path, {
                method,
                headers: { Authorization: `Bearer ${TOKEN}`, ...(body && { "Content-Type": "application/json" }) },
                body: body && JSON.stringify(body),
            });
        const create = (table) => database.query(`CREATE TABLE "${table}" ("ID" int PRIMARY KEY, "TITLE" text)`);

        for (const [table, { level, definition }] of Object.entries(KINDS))
            test(`a trigger on ${table} is put, told of, put again, and taken away; it tells all operations`, async (t) => {
                await create(table);
                const name = table.toLowerCase();
                const first = await put(gateway, table, { durable: false, ...definition }, name);
                assert.equal(first.status, 201, first.body);
                assert.deepEqual([first.json.level, first.json.operations, first.json.stale], [level, OPERATIONS, []]);
                const list = await api("GET", "/triggers");
                assert.deepEqual(list.json?.items.find((item) => item.name === name), first.json, list.body);
                const again = await put(gateway, table, { durable: false, ...definition }, name);
                assert.deepEqual([again.status, again.json], [200, first.json]);

                if (definition.durable) await knowsDurable(t, gateway, `${table}_changes`);
                const stream = await subscribe(t, gateway.stream(`${table}_changes`));
                for (const count of [1, 30]) {
                    const brief = (event) => [event.type, event.id, event.data?.TITLE, event.changed];
                    const told = async (changes) => (await statement(stream, changes)).map(brief);
                    const each = (event) => range(1, count).map(event);
                    await database.query(`INSERT INTO "${table}" SELECT i, 'I' FROM generate_series(1, ${count}) i`);
                    assert.deepEqual(await told(count), each((id) => ["INSERT", id, "I", undefined]));
                    await database.query(`UPDATE "${table}" SET "TITLE" = 'ı'`);
                    assert.deepEqual(await told(count), each((id) => ["UPDATE", id, "ı", definition.old && ["TITLE"]]));
                    await database.query(`DELETE FROM "${table}"`);
                    assert.deepEqual(await told(count), each((id) => ["DELETE", id, "ı", undefined]));
                    await database.query(`TRUNCATE "${table}"`);
                    assert.deepEqual(await told(1), [["TRUNCATE", null, undefined, undefined]]);
                }
                assert.equal((await api("DELETE", `/triggers/${name}`)).status, 204);
                assert.equal((await api("GET", `/triggers/${name}`)).status, 404);
                assert.equal(await database.value(`SELECT count(*) FROM pg_trigger WHERE tgrelid = '"${table}"'::regclass`), "0");
            });

        test("each operation can be chosen by itself", async (t) => {
            await create("chosen_i");
            for (const operation of OPERATIONS) {
                const response = await put(gateway, "chosen_i", { durable: false, operations: [operation] }, "chosen_i");
                assert.ok([200, 201].includes(response.status), response.body);
                assert.deepEqual(response.json.operations, [operation]);
                const stream = await subscribe(t, gateway.stream("chosen_i_changes"));
                await database.query(`INSERT INTO chosen_i VALUES (1, 'i')`);
                await database.query(`UPDATE chosen_i SET "TITLE" = 'I'`);
                await database.query("DELETE FROM chosen_i");
                await database.query("TRUNCATE chosen_i");
                await database.notify("chosen_i_changes", "the end");
                assert.deepEqual((await stream.messages(2, PATIENCE_MS)).map(({ json }) => json.type ?? json.data), [operation, "the end"]);
                stream.close();
            }
        });

        test("lists stand in the order of bytes, as everywhere", async () => {
            const names = ["order_i", "order_j", "order_z", "orderi", "order_y", "order0"];
            for (const name of names) {
                await create(name);
                const response = await put(gateway, name, { durable: false }, name);
                assert.equal(response.status, 201, response.body);
            }
            const listed = (await api("GET", "/triggers")).json.items.map(({ name }) => name).filter((name) => names.includes(name));
            assert.deepEqual(listed, names.toSorted());
            const tables = (await api("GET", "/tables")).json.items.map(({ table }) => table).filter((name) => names.includes(name));
            assert.deepEqual(tables, names.toSorted());
        });
    });
