// Names that would be code if anybody took them for it: of schemas, tables, columns, types, enum labels, channels, triggers; before the PUT and
// changed after it. They arrive as they are, every definition works, and nothing of them runs.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { isDurable, listOver, openField, PATIENCE_MS, putOver, TOKEN } from "./lib/attackers.mjs";
import { Listener, OPERATIONS, put } from "./lib/changes.mjs";
import { subscribe } from "./lib/sse.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const file = wholeFile();
const LIMITS = { timeout: 240_000 };
let field, database, gateway;

const quote = (name) => `"${name.replaceAll('"', '""')}"`;
const literal = (text) => `'${text.replaceAll("'", "''")}'`;

/** At most 63 bytes each. */
const ODD = [
    "$current", "a$current b", "amount$current", "%", "%s%I%L%%", "%1$s", "%1$L", "$1", "$fast$", "$$", "$$; SELECT evil.strike('x'); $$", "\\", "\\'", "a\\", "x\\x00", "''", "'", "'); PERFORM evil.strike('n'); --", '"', '"; --',
    '") FROM evil.x(evil.strike(', "' || evil.strike('n') || '", "new\nline", "-- comment\nBEGIN", "*/ /*", "NEW", "OLD", "new", "n", "o", "k", "c", "r", "row", "rows", "changed_rows", "old_rows", "TG_OP", "tg_argv", "name",
    "data", "id", "head", "tuplecast's row", "tuplecast ", "tuplecast +", "select", "tableoid2", "ünïcödé", "日本語", "🐘", "a.b", "a,b", "{a}", "[0]", "null", "true", " ", "   ", "tab\there", "\u00a0", "İstanbul", "ı", "x".repeat(63),
    "'\"'\"'\"", "\\\\n", "E'\\n'", "U&\"\\0041\"", "{{", "@", "#variable_conflict error", "$q$", "<<l>>", "COLLATE \"C\"", "pg_catalog", "::text",
];
/** A control character in the name of a channel is refused, and the name of a trigger has few characters. */
const channelOf = (name) => name.replaceAll(/[\x00-\x1f\x7f]/g, "_");

/** Each of twelve tests takes the first ones, which have broken something before, and its share of the others. */
const FIRST = 4;
const shareOf = (i) => ODD.filter((_, at) => at < FIRST || at % 12 === i);

const VARIANTS = { live: {}, live_old: { old: true }, row: { level: "row", old: true }, durable: { durable: true }, durable_old: { durable: true, old: true }, durable_row: { durable: true, level: "row" } };

before(async () => {
    field = await openField(file);
    ({ database } = field);
    gateway = await field.startGateway(file, { TUPLECAST_TRIGGERS_SCHEMAS: "app,public" });
    await isDurable(gateway);
}, LIMITS);

/** How many rows each statement changes; more than 16 go another way, at statement level. */
const countsOf = ({ level }) => (level === "row" ? [1, 2] : [1, 17]);
const rowsOf = (more) => countsOf(more).reduce((sum, count) => sum + count);

/** What a table with these names tells of a row that is inserted, changed and deleted, through both ways. */
async function changes(t, { schema = "app", table, columns, channel, more, values }) {
    const client = await field.as(t, "postgres"); // names with nobody's rights in the way
    const where = `${quote(schema)}.${quote(table)}`;
    const listener = more.durable ? undefined : await Listener.open(t, database, channel);
    const stream = more.durable && (await subscribe(t, gateway.stream(channel)));
    for (const count of countsOf(more)) {
        await client.query(`INSERT INTO ${where} SELECT i${values.map((value) => `, ${value}`).join("")} FROM generate_series(1, ${count}) i`);
        await client.query(`UPDATE ${where} SET ${quote(columns[1])} = ${values[0]}`);
        await client.query(`DELETE FROM ${where}`);
    }
    await client.query(`TRUNCATE ${where}`);
    const events = more.durable ? (await stream.messages(3 * rowsOf(more) + 1, PATIENCE_MS)).map(({ json }) => json) : await listener.events();
    stream?.close();
    await listener?.client.end();
    await client.end();
    return events;
}

function check(events, { schema = "app", table, columns, more }, what) {
    const rows = rowsOf(more);
    assert.equal(events.length, 3 * rows + 1, what);
    for (const event of events) assert.deepEqual([event.schema, event.table], [schema, table], what);
    const counts = OPERATIONS.map((operation) => events.filter(({ type }) => type === operation).length);
    assert.deepEqual(counts, [rows, rows, rows, 1], what);
    for (const event of events.filter(({ type }) => type === "INSERT" || type === "UPDATE")) {
        assert.deepEqual(Object.keys(event.data), columns, what);
        assert.equal(event.id, event.data[columns[0]], what);
    }
}

for (const [share, [variant, more]] of Object.entries(VARIANTS).entries())
    describe(`${variant} triggers`, () => {
        test("of tables, columns and channels with odd names", LIMITS, async (t) => {
            const installer = await field.as(t, "installer");
            const failed = [];
            for (const [i, odd] of shareOf(2 * share).entries()) {
                const table = odd;
                const columns = [odd, odd === "x" ? "y" : "x"];
                const channel = channelOf(odd);
                try {
                    await field.by("owner", `CREATE TABLE app.${quote(table)} (${columns.map(quote).join(" integer PRIMARY KEY, ")} text)`);
                    await put(installer, `odd_${i}`, { schema: "app", table, channel, operations: OPERATIONS, ...more });
                    check(await changes(t, { table, columns, channel, more, values: ["'a'"] }), { table, columns, more }, odd);
                } catch (error) {
                    failed.push(`${JSON.stringify(odd)}: ${error.message.split("\n").slice(0, 4).join(" ")}`);
                }
                await database.query(`DROP TABLE IF EXISTS app.${quote(table)}`);
            }
            assert.deepEqual(failed, []);
            assert.deepEqual(await field.gains([]), []);
        });

        test("of a table with all odd names as columns, in lists and conditions", LIMITS, async (t) => {
            const columns = ["the id", ...ODD];
            const installer = await field.as(t, "installer");
            const table = `all_${variant}`;
            await field.by("owner", `CREATE TABLE app.${table} (${columns.map((name, i) => `${quote(name)} ${i ? "text" : "integer PRIMARY KEY"}`).join(", ")})`);
            const values = ODD.map(() => "'a'");
            const level = more.level === "row" ? { where: [...ODD].slice(0, 20).map((column) => ({ column, op: "in", value: ["a", "'b'", "$current", "%s", "\\"] })), update_of: ODD } : {};
            for (const definition of [{ ...more }, { ...more, columns }, { ...more, ...level }]) {
                await put(installer, table, { schema: "app", table, channel: `${table}_changes`, operations: OPERATIONS, ...definition });
                check(await changes(t, { table, columns, channel: `${table}_changes`, more, values }), { table, columns, more }, JSON.stringify(definition).slice(0, 60));
            }
            assert.deepEqual(await field.gains([]), []);
        });

        test("of a table whose names become odd after the PUT", LIMITS, async (t) => {
            const installer = await field.as(t, "installer");
            const owner = await field.as(t, "owner");
            const channel = `renamed_${variant}`;
            let [table, columns] = [`renamed_${variant}`, ["id", "a"]];
            await field.table(table);
            await put(installer, table, { schema: "app", table, channel, operations: OPERATIONS, ...more });
            const failed = [];
            for (const odd of shareOf(2 * share + 1)) {
                await owner.query(`ALTER TABLE app.${quote(table)} RENAME TO ${quote(odd)}`);
                await owner.query(`ALTER TABLE app.${quote(odd)} RENAME COLUMN ${quote(columns[0])} TO ${quote(odd)}`);
                const second = odd === "b" ? "c2" : "b";
                if (columns[1] !== second) await owner.query(`ALTER TABLE app.${quote(odd)} RENAME COLUMN ${quote(columns[1])} TO ${quote(second)}`);
                [table, columns] = [odd, [odd, second]];
                try {
                    check(await changes(t, { table, columns, channel, more, values: ["'a'"] }), { table, columns, more }, odd);
                } catch (error) {
                    failed.push(`${JSON.stringify(odd)}: ${error.message.split("\n").slice(0, 4).join(" ")}`);
                }
            }
            assert.deepEqual(failed, []);
            assert.deepEqual(await field.gains([]), []);
            await owner.query(`DROP TABLE app.${quote(table)}`);
        });
    });

test("of schemas, of enum labels in conditions, and of triggers over REST", LIMITS, async (t) => {
    const installer = await field.as(t, "installer");
    for (const [i, odd] of ODD.entries().filter(([i]) => i < FIRST || i % 2)) {
        await database.query(`CREATE SCHEMA ${quote(`s${odd}`.slice(0, 20))} AUTHORIZATION ${field.roles.owner}`);
        const schema = `s${odd}`.slice(0, 20);
        const label = odd.slice(0, 60);
        await field.by("owner", `CREATE TYPE ${quote(schema)}.mood AS ENUM (${literal(label)}, 'another one')`, `CREATE TABLE ${quote(schema)}.t (id integer PRIMARY KEY, m ${quote(schema)}.mood)`);
        for (const durable of i < FIRST ? [false, true] : [i % 4 === 1]) {
            const channel = `schema_${durable}`;
            await put(installer, `schema_${i}_${durable}`, { schema, table: "t", channel, operations: ["INSERT"], where: [{ column: "m", op: "in", value: [label] }], durable });
            const listener = durable ? undefined : await Listener.open(t, database, channel);
            const stream = durable ? await subscribe(t, gateway.stream(channel)) : undefined;
            await database.query(`INSERT INTO ${quote(schema)}.t VALUES (1, ${literal(label)}), (2, 'another one')`);
            const events = durable ? (await stream.messages(1, PATIENCE_MS)).map(({ json }) => json) : await listener.events();
            assert.deepEqual(events.map((event) => [event.schema, event.data]), [[schema, { id: 1, m: label }]]);
            stream?.close();
            await listener?.client.end();
            await database.query(`DELETE FROM ${quote(schema)}.t; DROP TRIGGER IF EXISTS x ON ${quote(schema)}.t`);
        }
    }
    assert.equal((await listOver(gateway)).status, 200);
    for (const odd of ODD) {
        const answer = await putOver(gateway, odd, { schema: "app", table: odd, channel: odd, where: [{ column: odd, op: odd, value: odd }] });
        assert.ok(answer.status >= 400 && answer.status < 500, `${odd}: ${answer.status} ${answer.body}`);
        for (const path of [`/triggers/${encodeURIComponent(odd)}`, `/triggers?table=${encodeURIComponent(odd)}`, `/tables?schema=${encodeURIComponent(odd)}`]) {
            const found = await gateway.get(path, { headers: { Authorization: `Bearer ${TOKEN}` } });
            assert.ok(found.status < 500, `${path}: ${found.status} ${found.body}`);
        }
    }
    assert.deepEqual(await field.gains([]), []);
});
