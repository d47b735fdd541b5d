// What is done to the table. A program makes steps; a step is {label, sql(table, place), admin, change, ...}, where place is the copy at hand:
// {schema, file}. sql may give null: not possible with the table as it is (any more). change(table) is what an ALTER does to the model.

import { ident, ODD_NAMES } from "./names.mjs";
import { typeNamed } from "./types.mjs";

const step = (label, sql, more = {}) => ({ label, sql, ...more });
const say = (text) => step(text, () => text);
const all = (table) => ident(table.column("i").name);
const where = (table, condition) => ` WHERE ${condition(all(table))}`;

export const insert = (from, to, turn = 0) => step(`insert ${from} to ${to}`, (t, { schema }) => t.insert(schema, from, to, { turn }));
const update = (turn, condition) =>
    step(`update, turn ${turn}`, (t, { schema }) => `UPDATE ${t.path(schema)} ${t.next(turn, condition ? where(t, condition) : "")}`);
const remove = (condition) => step("delete", (t, { schema }) => `DELETE FROM ${t.path(schema)}${condition ? where(t, condition) : ""}`);
const truncate = () => step("truncate", (t, { schema }) => `TRUNCATE ${t.path(schema)}`);
const touch = () =>
    step(
        "update that changes nothing",
        (t, { schema }) => `UPDATE ${t.path(schema)} SET ${ident(t.column("n").name)} = ${ident(t.column("n").name)}`,
    );
const rekey = (to, condition) =>
    step("update of the key", (t, { schema }) => `UPDATE ${t.path(schema)} ${t.rekey(to)}${condition ? where(t, condition) : ""}`);
const spread = (of = 3) =>
    step("update of n, each its own", (t, { schema }) => `UPDATE ${t.path(schema)} SET ${ident(t.column("n").name)} = ${all(t)} % ${of}`);

function alter(label, sql, change, more = {}) {
    return step(label, (t, place) => (change.possible && !change.possible(t) ? null : sql(t, place)), {
        admin: true,
        change: change.then ?? change,
        ...more,
    });
}

/** A column that no definition names, so that nothing but the trigger itself depends on it. */
const freeColumn = (t) => t.columns.find(({ name, role, generated, added }) => role === "value" && !generated && !t.pinned.includes(name) && !added);
const plainKey = (t) => t.key && !t.shape.hashed && !t.keyKind.replica && t.keyKind.columns.length === 1;

/** Every way to alter a table. Each is {label, sql, change, admin}. */
const ALTERATIONS = [
    (random) => {
        const name = pick(random, ["added 1", "it's added", "n2", "Zusätzlich", "added $1 %s"]);
        const type = typeNamed(pick(random, ["text", "numeric", "timestamptz", "enum", "int4range"]));
        return alter(`add column ${name}`, (t, { schema }) => `ALTER TABLE ${t.path(schema)} ADD COLUMN ${ident(name)} ${type.sql}`, {
            possible: (t) => !t.columns.some((column) => column.name === name),
            then: (t) => t.columns.push({ name, role: "value", type, sql: type.sql, json: type.json, added: true }),
        });
    },
    () =>
        alter(
            "add column with a default",
            (t, { schema }) => `ALTER TABLE ${t.path(schema)} ADD COLUMN with_default pg_catalog.timestamptz DEFAULT '2024-01-01 00:00:00+03'`,
            {
                possible: (t) => !t.columns.some((column) => column.name === "with_default"),
                then: (t) =>
                    t.columns.push({
                        name: "with_default",
                        role: "value",
                        type: typeNamed("timestamptz"),
                        sql: "timestamptz",
                        json: typeNamed("timestamptz").json,
                        added: true,
                    }),
            },
        ),
    () =>
        alter("drop column", (t, { schema }) => `ALTER TABLE ${t.path(schema)} DROP COLUMN ${ident(freeColumn(t).name)}`, {
            possible: freeColumn,
            then: (t) => t.columns.splice(t.columns.indexOf(freeColumn(t)), 1),
        }),
    (random) => {
        const name = pick(random, ["renamed", "re'named", "%I", "old"]);
        return alter(
            `rename column to ${name}`,
            (t, { schema }) => `ALTER TABLE ${t.path(schema)} RENAME COLUMN ${ident(freeColumn(t).name)} TO ${ident(name)}`,
            {
                possible: (t) => freeColumn(t) && !t.columns.some((column) => column.name === name),
                then: (t) => Object.assign(freeColumn(t), { name }),
            },
        );
    },
    () =>
        alter(
            "retype column",
            (t, { schema }) =>
                `ALTER TABLE ${t.path(schema)} ALTER COLUMN ${ident(freeColumn(t).name)} TYPE pg_catalog.date USING '2024-05-06'::pg_catalog.date`,
            {
                possible: freeColumn,
                then: (t) => Object.assign(freeColumn(t), { type: typeNamed("date"), sql: "date", json: typeNamed("date").json }),
            },
        ),
    () =>
        alter("rename the key", (t, { schema }) => `ALTER TABLE ${t.path(schema)} RENAME COLUMN ${ident(t.column("key").name)} TO "the key's"`, {
            possible: (t) => !t.pinned.includes(t.column("key").name) && t.column("key").name !== "the key's",
            then: (t) => {
                const { name } = t.column("key");
                t.column("key").name = "the key's";
                t.key = t.key?.map((one) => (one === name ? "the key's" : one)) ?? null;
            },
        }),
    () =>
        alter("retype the key", (t, { schema }) => `ALTER TABLE ${t.path(schema)} ALTER COLUMN ${ident(t.column("key").name)} TYPE pg_catalog.int8`, {
            possible: (t) => plainKey(t) && !t.keyIsPinned && t.column("key").sql === "int" && !t.pinned.includes(t.column("key").name),
            then: (t) => Object.assign(t.column("key"), { sql: "int8" }),
        }),
    () =>
        alter("drop the key", (t, { schema }) => `ALTER TABLE ${t.path(schema)} DROP CONSTRAINT the_key`, {
            possible: plainKey,
            then: (t) => (t.key = null),
        }),
    () =>
        alter(
            "another key",
            (t, { schema }) =>
                `ALTER TABLE ${t.path(schema)} DROP CONSTRAINT the_key, ADD CONSTRAINT the_key PRIMARY KEY (${all(t)}, ${ident(t.column("key").name)})`,
            {
                possible: plainKey,
                then: (t) => (t.key = [t.column("i").name, t.column("key").name]),
            },
        ),
    () =>
        alter("replica identity full", (t, { schema }) => `ALTER TABLE ${t.path(schema)} REPLICA IDENTITY FULL`, {
            possible: (t) => !t.keyKind.replica,
            then: () => {},
        }),
    () =>
        alter("rename the table", (t, { schema }) => `ALTER TABLE ${t.path(schema)} RENAME TO "renamed ""table"""`, {
            possible: (t) => t.name !== 'renamed "table"',
            then: (t) => (t.name = 'renamed "table"'),
        }),
    () =>
        alter(
            "rename the schema",
            (t, { schema }) => `ALTER SCHEMA ${ident(schema)} RENAME TO ${ident(`${schema}'s`)}`,
            { possible: (t) => !t.fixedSchema, then: () => {} },
            { movesSchema: true },
        ),
    () =>
        alter(
            "reindex",
            (t, { schema }) => `REINDEX TABLE CONCURRENTLY ${t.path(schema)}`,
            { possible: (t) => t.key && !t.shape.hashed, then: () => {} },
            { alone: true },
        ),
    () => alter("rewrite", (t, { schema }) => `VACUUM FULL ${t.path(schema)}`, { possible: (t) => !t.shape.hashed, then: () => {} }, { alone: true }),
];
const pick = (random, list) => list[Math.floor(random() * list.length)];

const hasKey = ({ table }) => table.key !== null;
const mayAlter = ({ role }) => role !== "writer";
/** One beside the other: released, taken back, or left open within each other. */
const savepoints = (count, nested) =>
    step(`${count} savepoints`, (t, { schema }) =>
        Array.from({ length: count }, (_, at) => {
            const end = at % 3 === 0 ? "ROLLBACK TO s; RELEASE s;" : at < count - nested ? "RELEASE s;" : "";
            return `SAVEPOINT s; ${t.insert(schema, 10 + at, 10 + at)}; ${end}`;
        }).join("\n"),
    );

/** A column that refers to another table, which is made with it. */
function withParent(action) {
    const type = { name: "reference", sql: "int", values: ["1", "2", "3", "NULL"], json: (e) => `pg_catalog.to_json(${e})` };
    return [
        step(
            "the parent",
            (t, { schema }) =>
                `CREATE TABLE ${ident(schema)}.parent (id int PRIMARY KEY); INSERT INTO ${ident(schema)}.parent SELECT pg_catalog.generate_series(1, 9); GRANT ALL ON ${ident(schema)}.parent TO matrix_writer, matrix_owner`,
            { admin: true },
        ),
        step(
            "the reference",
            (t, { schema }) =>
                `ALTER TABLE ${t.path(schema)} ADD COLUMN p int REFERENCES ${ident(schema)}.parent ON DELETE ${action} ON UPDATE CASCADE`,
            {
                admin: true,
                change: (t) => t.columns.push({ name: "p", role: "value", type, sql: "int", json: type.json, added: true }),
            },
        ),
    ];
}

function ownTrigger(when, body) {
    return step(
        "a trigger of the owner's",
        (t, { schema }) => `CREATE FUNCTION ${ident(schema)}.own() RETURNS trigger LANGUAGE plpgsql AS $own$
BEGIN
    ${body(t, schema)}
END
$own$;
CREATE TRIGGER a_trigger ${when} ON ${t.path(schema)} FOR EACH ROW EXECUTE FUNCTION ${ident(schema)}.own()`,
        { admin: true, fixesSchema: true },
    );
}

const program = (name, steps, more = {}) => ({ name, steps, ...more });

export const PROGRAMS = [
    program("one after the other", ({ size }) => [
        insert(1, size),
        update(1),
        touch(),
        update(2, (i) => `${i} % 2 = 1`),
        remove((i) => `${i} % 3 = 0`),
        truncate(),
        insert(1, 3, 1),
        remove(),
    ]),
    program("in one transaction", ({ size }) => [
        say("BEGIN"),
        insert(1, size),
        insert(size + 1, size + 1),
        update(1),
        say("SAVEPOINT a"),
        remove(),
        say("ROLLBACK TO a"),
        update(2, (i) => `${i} < 3`),
        say("RELEASE a"),
        say("COMMIT"),
        touch(),
    ]),
    program("rolled back", ({ size }) => [insert(1, 2), say("BEGIN"), insert(3, 3 + size), update(1), truncate(), say("ROLLBACK"), update(1)]),
    program(
        "keys change",
        ({ size }) => [
            insert(1, size),
            rekey((i) => `${i} + 2000`),
            rekey(
                (i) => `${i} + 1`,
                (i) => `${i} = 2001`,
            ),
            rekey((i) => `${i} + 1`),
            rekey((i) => `${i} - 1`),
            update(1),
        ],
        { keys: true },
    ),
    program(
        "keys move through each other",
        ({ size }) => [
            insert(1, size),
            insert(size + 1, size + 4),
            rekey((i) => `${i} + 1`),
            rekey((i) => `${i} - 1`),
            rekey(
                (i) => `CASE ${i} WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE ${i} END`,
                (i) => `${i} < 4`,
            ),
            rekey((i) => `${2 * size + 9} - ${i}`),
            update(1),
        ],
        { keys: true, prefers: ["deferrable", "composite deferrable"] },
    ),
    program("upserts", ({ size }) => [
        insert(1, Math.max(2, size >> 1)),
        step("upsert", (t, { schema }) =>
            t.key && !t.shape.leafKeys && !t.keyKind.deferrable
                ? t.insert(schema, 1, size + 2, {
                      turn: 1,
                      into: `${t.path(schema)} AS target`,
                      more: ` ON CONFLICT (${t.key.map(ident).join(", ")}) DO UPDATE ${t.next(1, "", "target.")}`,
                  })
                : null,
        ),
        step("insert or nothing", (t, { schema }) => t.insert(schema, 1, size + 4, { turn: 2, more: " ON CONFLICT DO NOTHING" })),
    ]),
    program(
        "merge",
        ({ size }) => [
            insert(1, size),
            step("merge", (t, { schema }) => mergeOf(t, schema, Math.max(1, size >> 1), size + 5, "WHEN MATCHED AND m.$i % 3 = 0 THEN DELETE")),
            step("merge again", (t, { schema }) => mergeOf(t, schema, 1, size, "")),
        ],
        { since: 150000 },
    ),
    program(
        "a merge that takes the place of what it deletes",
        () => [
            insert(1, 4),
            step("merge", (t, { schema }) => {
                const i = all(t);
                const names = t.writable.map(({ name }) => ident(name)).join(", ");
                const values = t.writable.map((column) => t.value(column, "s.x", 1)).join(", ");
                return `MERGE INTO ${t.path(schema)} AS m USING (VALUES (1, 1), (2, 2), (1, -1), (2, -1)) AS s (x, y) ON m.${i} = s.y WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (${names}) VALUES (${values})`;
            }),
        ],
        { since: 150000 },
    ),
    program(
        "cascades",
        ({ size, random }) => [
            ...withParent(pick(random, ["CASCADE", "SET NULL"])),
            insert(1, size),
            step("the parent's key", (t, { schema }) => `UPDATE ${ident(schema)}.parent SET id = id + 100 WHERE id IN (1, 2)`),
            step("the parent goes", (t, { schema }) => `DELETE FROM ${ident(schema)}.parent WHERE id > 100 OR id = 3`),
        ],
        { fixesSchema: true, shapes: ["plain", "unlogged", "partitioned"] },
    ),
    program(
        "cascades within the table",
        ({ size }) => [
            step(
                "the reference",
                (t, { schema }) =>
                    `ALTER TABLE ${t.path(schema)} ADD COLUMN up int REFERENCES ${t.path(schema)} ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED`,
                {
                    admin: true,
                    change: (t) =>
                        t.columns.push({
                            name: "up",
                            role: "link",
                            sql: "int",
                            json: (e) => `pg_catalog.to_json(${e})`,
                            generated: { kind: "NONE" },
                        }),
                },
            ),
            insert(1, Math.min(size, 17)),
            step("links", (t, { schema }) => `UPDATE ${t.path(schema)} SET up = ${all(t)} - 1 WHERE ${all(t)} > 1`),
            step("one key", (t, { schema }) => `UPDATE ${t.path(schema)} ${t.rekey((i) => `${i} + 500`)} WHERE ${all(t)} = 1`),
            remove((i) => `${i} = 501`),
        ],
        { keyKinds: ["int"], shapes: ["plain"] },
    ),
    program("copy", ({ size, random }) => copySteps(size, pick(random, ["text", "binary", "csv"]))),
    program(
        "rows enter and leave",
        ({ size }) => [
            insert(1, size),
            spread(3),
            spread(2),
            update(1),
            spread(4),
            rekey((i) => `${i} + 3000`),
            update(2),
            spread(3),
            remove((i) => `${i} % 2 = 0`),
            remove(),
        ],
        { wantsWhere: true, keys: true },
    ),
    program(
        "rows with other keys enter and leave",
        ({ size }) => [
            insert(1, size),
            step(
                "keys and n at once",
                (t, { schema }) => `UPDATE ${t.path(schema)} ${t.rekey((i) => `${i} + 4000`)}, ${ident(t.column("n").name)} = ${all(t)} % 3`,
            ),
            step(
                "again",
                (t, { schema }) => `UPDATE ${t.path(schema)} ${t.rekey((i) => `${i} + 1`)}, ${ident(t.column("n").name)} = (${all(t)} + 1) % 3`,
            ),
            remove(),
        ],
        { wantsWhere: true, keys: true, prefers: ["deferrable"] },
    ),
    program("altered", ({ random, size }) => [
        insert(1, 2),
        ...Array.from({ length: 4 }, (_, at) => [
            pick(random, ALTERATIONS)(random),
            insert(10 * at + 10, 10 * at + 12),
            update(at + 1),
            insert(2000 + 2000 * at, 1999 + 2000 * at + size),
            remove((i) => `${i} % 3 = 0`),
        ]).flat(),
    ]),
    program("altered, a prepared statement", ({ random }) => [
        step(
            "prepare",
            (t, { schema }) =>
                `PREPARE matrix_insert (int) AS INSERT INTO ${t.path(schema)} (${t.writable.map(({ name }) => ident(name)).join(", ")}) VALUES (${t.writable.map((c) => t.value(c, "$1", 0)).join(", ")})`,
        ),
        step(
            "prepare",
            (t, { schema }) =>
                `PREPARE matrix_update AS UPDATE ${t.path(schema)} SET ${ident(t.column("n").name)} = ${ident(t.column("n").name)} + 1`,
        ),
        ...Array.from({ length: 7 }, (_, at) => say(`EXECUTE matrix_insert(${at})`)),
        ...Array.from({ length: 7 }, () => say("EXECUTE matrix_update")),
        pick(random, ALTERATIONS)(random),
        say("EXECUTE matrix_update"),
        say("EXECUTE matrix_insert(50)"),
        pick(random, ALTERATIONS)(random),
        say("EXECUTE matrix_update"),
        say("EXECUTE matrix_insert(51)"),
    ]),
    program(
        "altered in the transaction",
        ({ random, size }) => {
            const inside = () => ({ ...pick(random, ALTERATIONS)(random), admin: false });
            const usable = () => {
                for (;;) {
                    const one = inside();
                    if (!one.alone && !one.movesSchema) return one;
                }
            };
            return [
                insert(1, 2),
                say("BEGIN"),
                insert(3, 3 + size),
                say("SET CONSTRAINTS ALL IMMEDIATE"),
                usable(),
                insert(3000, 3001),
                update(1),
                say("SAVEPOINT a"),
                usable(),
                insert(3002, 3003),
                say("ROLLBACK TO a"),
                say("COMMIT"),
                insert(3004, 3005),
                update(2),
            ];
        },
        { alters: true },
    ),
    program("altered behind an old snapshot", ({ random }) => {
        const one = (() => {
            for (;;) {
                const found = pick(random, ALTERATIONS)(random);
                if (!found.alone) return found;
            }
        })();
        return [
            insert(1, 2),
            say("BEGIN ISOLATION LEVEL REPEATABLE READ"),
            say("SELECT pg_catalog.count(*) FROM kinds.thing"),
            one,
            insert(100, 116),
            insert(120, 120),
            update(1),
            say("COMMIT"),
            insert(130, 130),
            update(2),
        ];
    }),
    program("writes in a block", ({ size }) => [
        step("block", (t, { schema }) => {
            const i = all(t);
            const values = t.writable.map((column) => t.value(column, "matrix_x", 0)).join(", ");
            return `DO $do$ BEGIN FOR matrix_x IN 1..${Math.min(size, 100)} LOOP
INSERT INTO ${t.path(schema)} (${t.writable.map(({ name }) => ident(name)).join(", ")}) VALUES (${values});
BEGIN UPDATE ${t.path(schema)} SET ${ident(t.column("n").name)} = 1 WHERE ${i} = matrix_x; IF matrix_x % 2 = 0 THEN RAISE EXCEPTION 'undo'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END;
END LOOP; END $do$`;
        }),
        remove(),
    ]),
    program(
        "savepoints",
        ({ full, random }) => [insert(1, 3), say("BEGIN"), savepoints(full && random() < 0.1 ? 10000 : 300, 100), say("COMMIT"), update(1)],
        { light: true },
    ),
    program("read-only afterwards", ({ size }) => [
        say("BEGIN"),
        insert(1, size),
        update(1),
        say("SET TRANSACTION READ ONLY"),
        say("COMMIT"),
        say("BEGIN READ ONLY"),
        insert(5000, 5000),
        say("ROLLBACK"),
        remove(),
    ]),
    program(
        "PREPARE TRANSACTION",
        ({ size }) => [
            say("BEGIN"),
            insert(1, size),
            update(1),
            step("prepare", (t, { schema }) => `PREPARE TRANSACTION '${schema}'`),
            insert(6000, 6001),
            step("commit prepared", (t, { schema }) => `COMMIT PREPARED '${schema}'`),
            say("BEGIN"),
            remove(),
            step("prepare", (t, { schema }) => `PREPARE TRANSACTION '${schema}'`),
            step("rollback prepared", (t, { schema }) => `ROLLBACK PREPARED '${schema}'`),
            update(2),
        ],
        { prepares: true },
    ),
    program("several writes in one statement", () => [
        insert(1, 6),
        step(
            "WITH",
            (t, { schema }) =>
                `WITH a AS (UPDATE ${t.path(schema)} ${t.next(
                    1,
                    where(t, (i) => `${i} = 1`),
                )} RETURNING 1), b AS (UPDATE ${t.path(schema)} ${t.next(
                    2,
                    where(t, (i) => `${i} IN (2, 3)`),
                )} RETURNING 1), c AS (DELETE FROM ${t.path(schema)} WHERE ${all(t)} = 4 RETURNING 1), d AS (${t.insert(schema, 7, 8)} RETURNING 1) SELECT pg_catalog.count(*) FROM a, b, c, d`,
        ),
        step(
            "moved",
            (t, { schema }) =>
                `WITH gone AS (DELETE FROM ${t.path(schema)} WHERE ${all(t)} = 5 RETURNING 1) ${t.insert(schema, 5, 5, { turn: 1 }).replace(/ VALUES \((.*)\)$/s, " SELECT $1 FROM gone")}`,
        ),
    ]),
    program(
        "a trigger of the owner's before ours",
        ({ size }) => [
            ownTrigger(
                "BEFORE INSERT OR UPDATE",
                (t) =>
                    `IF NEW.${all(t)} % 5 = 4 THEN RETURN NULL; END IF; NEW.${ident(t.column("n").name)} := NEW.${ident(t.column("n").name)} + 10; RETURN NEW;`,
            ),
            insert(1, size),
            update(1),
            rekey((i) => `${i} + 5000`),
            remove(),
        ],
        { fixesSchema: true, noGeneratedN: true, shapes: ["plain", "unlogged", "partitioned"] },
    ),
    program(
        "a trigger of the owner's that writes to another table",
        ({ size }) => [
            step(
                "another table",
                (t, { schema }) =>
                    `CREATE TABLE ${ident(schema)}.audit (what text); GRANT ALL ON ${ident(schema)}.audit TO matrix_writer, matrix_owner`,
                { admin: true },
            ),
            ownTrigger("AFTER INSERT OR UPDATE OR DELETE", (t, schema) => `INSERT INTO ${ident(schema)}.audit VALUES (TG_OP); RETURN NULL;`),
            insert(1, size),
            update(1),
            remove(),
        ],
        { fixesSchema: true },
    ),
    program("a statement that fails", ({ size }) => [
        insert(1, size),
        step("doubled key", (t, { schema }) => t.insert(schema, Math.max(1, size - 1), size + 3)),
        say("BEGIN"),
        update(1),
        step("an error", () => "SELECT 1/0"),
        update(2),
        say("COMMIT"),
        update(3),
    ]),
    program(
        "through a view",
        ({ size }) => [
            step(
                "view",
                (t, { schema }) =>
                    `CREATE VIEW ${ident(schema)}.view AS SELECT * FROM ${t.path(schema)}; GRANT ALL ON ${ident(schema)}.view TO matrix_writer, matrix_owner`,
                { admin: true },
            ),
            step("insert", (t, { schema }) => t.insert(schema, 1, size, { into: `${ident(schema)}.view` })),
            step("update", (t, { schema }) => `UPDATE ${ident(schema)}.view ${t.next(1)}`),
            step("delete", (t, { schema }) => `DELETE FROM ${ident(schema)}.view`),
        ],
        { fixesSchema: true, fixesColumns: true },
    ),
    program(
        "partitions come and go",
        ({ size }) => [
            insert(1, size),
            step("detach", (t, { schema }) => `ALTER TABLE ${t.path(schema)} DETACH PARTITION ${ident(schema)}.part1`, { admin: true }),
            update(1),
            remove((i) => `${i} % 2 = 0`),
            step(
                "attach",
                (t, { schema }) =>
                    `ALTER TABLE ${t.path(schema)} ATTACH PARTITION ${ident(schema)}.part1 FOR VALUES WITH (MODULUS ${t.shape.parts}, REMAINDER 1)`,
                { admin: true },
            ),
            insert(7000, 7000 + size),
            update(2),
            remove(),
        ],
        { shapes: ["partitioned", "partitioned, one attached with other columns", "partitioned without a key"], noReplay: true },
    ),
];

/** Kept apart: a trigger of the owner's on the same table, which writes to it. */
export const NESTED = program(
    "a trigger of the owner's that writes to the table",
    ({ size }) => [
        ownTrigger(
            "AFTER INSERT",
            (t, schema) => `UPDATE ${t.path(schema)} SET ${ident(t.column("n").name)} = 7 WHERE ${all(t)} = NEW.${all(t)}; RETURN NULL;`,
        ),
        insert(1, size),
        update(1),
    ],
    { fixesSchema: true, shapes: ["plain"] },
);

function mergeOf(t, schema, from, to, more) {
    const i = all(t);
    const names = t.writable.map(({ name }) => ident(name)).join(", ");
    const values = t.writable.map((column) => t.value(column, "s.x", 1)).join(", ");
    const sets = t.writable
        .filter(({ role }) => role === "value" || role === "n")
        .map((column) => `${ident(column.name)} = ${t.value(column, "s.x", 2)}`)
        .join(", ");
    return `MERGE INTO ${t.path(schema)} AS m USING (SELECT g.x FROM pg_catalog.generate_series(${from}, ${to}) AS g (x)) AS s ON m.${i} = s.x ${more.replace("$i", () => i)} WHEN MATCHED THEN UPDATE SET ${sets} WHEN NOT MATCHED THEN INSERT (${names}) VALUES (${values})`;
}

function copySteps(size, format) {
    const names = (t) => t.writable.map(({ name }) => ident(name)).join(", ");
    return [
        step("a file", (t, { file }) => `COPY (${t.rows(1, size)}) TO '${file}' (FORMAT ${format})`, { admin: true }),
        step("copy", (t, { schema, file }) => `COPY ${t.path(schema)} (${names(t)}) FROM '${file}' (FORMAT ${format})`),
        update(1),
        truncate(),
        step("copy again", (t, { schema, file }) => `COPY ${t.path(schema)} (${names(t)}) FROM '${file}' (FORMAT ${format})`),
    ];
}

export const usedOddNames = ODD_NAMES;
