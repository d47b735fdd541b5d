// Live triggers on every kind of table and for every kind of statement; rows and column types that are traps; ALTER TABLE afterwards.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { define, install, list, Listener, put, watched } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

let database;
const file = wholeFile();
before(async () => {
    database = await createDatabase(file);
    await install(database);
});
const short = ({ table, type, id, data }) => [table, type, id, data?.a];
const entry = async (name) => (await list(database)).find((item) => item.name === name);
const run = (sql) => database.query(sql);

describe("what is not as it was when the trigger was put", () => {
    // [what happens, the trigger's definition, SQL, the whole of `stale`, whether putting it again mends it]
    const disabled = "The trigger, or a part of it, is disabled: it sends nothing, or not everything.";
    const causes = [
        ["the trigger is disabled", {}, "ALTER TABLE %t DISABLE TRIGGER ALL", [disabled], true],
        ["a part of it is disabled", {}, `ALTER TABLE %t DISABLE TRIGGER "tuplecast:%t:update"`, [disabled], true],
        ["a row level one is disabled", { update_of: ["a"], columns: ["a"] }, `ALTER TABLE %t DISABLE TRIGGER "tuplecast:%t:update"`, [disabled], true],
        ["a part is dropped", {}, `DROP TRIGGER "tuplecast:%t:delete" ON %t`, ["DELETE is missing: a part of the trigger was dropped."], true],
        ["parts are dropped", { operations: ["INSERT", "TRUNCATE"] }, `DROP TRIGGER "tuplecast:%t:truncate" ON %t`,
            ["TRUNCATE is missing: a part of the trigger was dropped."], true],
        ["a part is made anew by hand with another channel", {}, `DROP TRIGGER "tuplecast:%t:truncate" ON %t;
            CREATE TRIGGER "tuplecast:%t:truncate" AFTER TRUNCATE ON %t EXECUTE FUNCTION tuplecast.live_truncate('elsewhere')`, ["Its parts are not as they were put: put it again."], true],
        ["a column that is sent is dropped", { columns: ["id", "a", "b"] }, "ALTER TABLE %t DROP b", ['columns: column "b" is not there any more, so it is not sent.'], false],
        ["columns that are sent get other names", { columns: ["b", "a"] }, "ALTER TABLE %t RENAME a TO c; ALTER TABLE %t RENAME b TO d",
            ["a", "b"].map((name) => `columns: column "${name}" is not there any more, so it is not sent.`), false],
        ["a column of a condition gets another name", { where: [{ column: "a", op: "=", value: "x" }] }, "ALTER TABLE %t RENAME a TO c",
            ['where: column "a" is not there any more under this name; the condition goes on with the column that had it.'], false],
        ["the table becomes a child", {}, "CREATE TABLE %t_above (id int NOT NULL, a text, b int); ALTER TABLE %t INHERIT %t_above",
            ["The table has become a partition or part of an inheritance tree: changes that come by way of another table are missing. Put the trigger again."], true],
        ["the table becomes a partition", {}, "CREATE TABLE %t_whole (id int NOT NULL, a text, b int) PARTITION BY RANGE (id); ALTER TABLE %t_whole ATTACH PARTITION %t FOR VALUES FROM (0) TO (9)",
            ["The table has become a partition or part of an inheritance tree: changes that come by way of another table are missing. Put the trigger again."], true],
        ["several things at once", { columns: ["a"] }, `ALTER TABLE %t DISABLE TRIGGER "tuplecast:%t:insert"; ALTER TABLE %t DROP a; DROP TRIGGER "tuplecast:%t:update" ON %t`,
            [disabled, 'columns: column "a" is not there any more, so it is not sent.', "UPDATE is missing: a part of the trigger was dropped."], false],
        // What is altered without harm is no reason.
        ["it is enabled again", {}, "ALTER TABLE %t DISABLE TRIGGER ALL; ALTER TABLE %t ENABLE TRIGGER ALL", [], true],
        ["columns come, go and get other names", {}, "ALTER TABLE %t ADD c int; ALTER TABLE %t DROP b; ALTER TABLE %t RENAME a TO d", [], true],
    ];
    for (const [index, [what, more, sql, stale, mends]] of causes.entries())
        test(what, async () => {
            const table = `stale_${index}`;
            await run(`CREATE TABLE ${table} (id int PRIMARY KEY, a text, b int)`);
            assert.deepEqual((await put(database, table, define(table, more))).stale, []);
            await run(sql.replaceAll("%t", table));
            assert.deepEqual((await entry(table)).stale, stale);
            if (mends) assert.deepEqual((await put(database, table, define(table, more))).stale, []);
            else await assert.rejects(put(database, table, define(table, more)), /has no column/);
        });

    test("the table, or its last part, is dropped: the trigger is not listed any more", async () => {
        for (const [table, sql] of [["gone_1", "DROP TABLE gone_1"], ["gone_2", `DROP TRIGGER "tuplecast:gone_2:insert" ON gone_2`], ["gone_3", "ALTER TABLE gone_3 DROP a CASCADE"]]) {
            await run(`CREATE TABLE ${table} (id int PRIMARY KEY, a text)`);
            await put(database, table, define(table, { operations: ["INSERT"], where: [{ column: "a", op: "=", value: "x" }].slice(0, table === "gone_3" ? 1 : 0) }));
            await run(sql);
            assert.equal(await entry(table), undefined);
        }
    });
});

describe("statements", () => {
    test("upsert sends what it inserted as INSERT and what it updated as UPDATE, and nothing for what it left", async (t) => {
        const listener = await watched(t, database, "upsert", "id int PRIMARY KEY, a text");
        await run("INSERT INTO upsert VALUES (1, 'old'), (2, 'kept')");
        await listener.events();
        await run("INSERT INTO upsert AS u VALUES (1, 'new'), (2, 'x'), (3, 'new') ON CONFLICT (id) DO UPDATE SET a = excluded.a WHERE u.id = 1");
        assert.deepEqual((await listener.events()).map(short).sort(), [["upsert", "INSERT", 3, "new"], ["upsert", "UPDATE", 1, "new"]]);
    });

    test("MERGE sends each of its actions", async (t) => {
        if (Number(await database.value("SHOW server_version_num")) < 150000) return t.skip("no MERGE before 15");
        const listener = await watched(t, database, "merged", "id int PRIMARY KEY, a text");
        await run("INSERT INTO merged VALUES (1, 'one'), (2, 'two')");
        await listener.events();
        await run(`MERGE INTO merged m USING (VALUES (1), (2), (3)) v (id) ON m.id = v.id
                   WHEN MATCHED AND m.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET a = 'TWO' WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'three')`);
        assert.deepEqual((await listener.events()).map(short).sort(), [
            ["merged", "DELETE", 1, "one"],
            ["merged", "INSERT", 3, "three"],
            ["merged", "UPDATE", 2, "TWO"],
        ]);
    });

    test("foreign keys' cascades are sent by the table that they change", async (t) => {
        await run("CREATE TABLE parents (id int PRIMARY KEY)");
        const columns = "id int PRIMARY KEY, a int REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE";
        const listener = await watched(t, database, "children", columns, { old: true });
        await run("INSERT INTO parents VALUES (1), (2)");
        await run("INSERT INTO children VALUES (10, 1), (11, 1), (20, 2)");
        await listener.events();
        await run("UPDATE parents SET id = 3 WHERE id = 2");
        await run("DELETE FROM parents WHERE id = 1");
        const events = await listener.events();
        assert.deepEqual(events.map(short), [["children", "UPDATE", 20, 3], ["children", "DELETE", 10, 1], ["children", "DELETE", 11, 1]]);
        assert.deepEqual([events[0].old.a, events[0].changed], [2, ["a"]]);
    });

    test("COPY sends every row", async (t) => {
        const listener = await watched(t, database, "copied", "id int PRIMARY KEY, a text");
        for (const [from, count] of [[1, 1], [2, 30]]) {
            await run(`COPY copied FROM PROGRAM 'seq -f "%g,row" ${from} ${from + count - 1}' (FORMAT csv)`);
            const wanted = Array.from({ length: count }, (_, i) => ["copied", "INSERT", from + i, "row"]);
            assert.deepEqual((await listener.events()).map(short), wanted);
        }
    });

    test("a statement that meets no row sends nothing", async (t) => {
        const listener = await watched(t, database, "nothing", "id int PRIMARY KEY, a text", { old: true });
        await run("UPDATE nothing SET a = 'x'; DELETE FROM nothing; INSERT INTO nothing SELECT 1, 'x' WHERE false");
        assert.deepEqual(await listener.events(), []);
    });

    test("20,000 rows, with old rows that are paired rightly while HOT updates and key changes go on beside", async (t) => {
        const listener = await watched(t, database, "many", "id int PRIMARY KEY, a text, n int DEFAULT 0", { old: true });
        await run("INSERT INTO many SELECT i, 'a' || i FROM generate_series(1, 20000) i");
        await listener.events();
        const other = await database.connect(t);
        let going = true;
        const beside = (async () => {
            for (let i = 1; going; i = (i % 1000) + 1) await other.query(`UPDATE many SET n = n + 1 WHERE a = 'a' || (${i} * 17)`);
        })();
        for (let round = 0; round < 3; round++) await run("UPDATE many SET id = -id, n = n + 1");
        going = false;
        await beside;
        const events = (await listener.events()).filter(({ op }) => !op); // the old keys are told as deleted
        assert.ok(events.length >= 60_000);
        for (const { id, data, old } of events) {
            assert.equal(data.a, old.a);
            assert.equal(data.n, old.n + 1);
            assert.equal(id, data.id);
        }
    });
});

describe("kinds of table", () => {
    test("partitioned: changes by way of the parent and of partitions, later ones too, name the table with the trigger", async (t) => {
        await run("CREATE TABLE parted (id int, a text, PRIMARY KEY (id)) PARTITION BY RANGE (id)");
        await run("CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100)");
        const { level } = await put(database, "parted", define("parted", { old: true }));
        assert.equal(level, "row");
        const listener = await Listener.open(t, database, "parted_changes");
        await run("CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id)");
        await run("CREATE TABLE parted_2_1 PARTITION OF parted_2 FOR VALUES FROM (100) TO (200)");
        await run("INSERT INTO parted VALUES (1, 'x'), (101, 'y'); INSERT INTO parted_1 VALUES (2, 'z'); UPDATE parted_2_1 SET a = 'Y'");
        assert.deepEqual((await listener.events()).map(short), [
            ["parted", "INSERT", 1, "x"],
            ["parted", "INSERT", 101, "y"],
            ["parted", "INSERT", 2, "z"],
            ["parted", "UPDATE", 101, "Y"],
        ]);
        assert.deepEqual((await list(database)).filter(({ channel }) => channel === "parted_changes").length, 1);
        await run("TRUNCATE parted");
        assert.deepEqual((await listener.events()).map(short), [["parted", "TRUNCATE", null, undefined]]);
    });

    test("partitioned, without a key of the whole: no id, and a note that says so", async (t) => {
        await run("CREATE TABLE keyless (id int, a text) PARTITION BY RANGE (id)");
        assert.match((await put(database, "keyless", define("keyless"))).notes.join(), /events have no id/);
        const listener = await Listener.open(t, database, "keyless_changes");
        await run("CREATE TABLE keyless_1 PARTITION OF keyless (PRIMARY KEY (id)) FOR VALUES FROM (0) TO (100)");
        await run("CREATE TABLE keyless_2 PARTITION OF keyless FOR VALUES FROM (100) TO (200)");
        await run("INSERT INTO keyless VALUES (1, 'x'), (101, 'y')");
        assert.deepEqual((await listener.events()).map(short), [["keyless", "INSERT", null, "x"], ["keyless", "INSERT", null, "y"]]);
    });

    test("a partition itself, at row level: what comes by way of the parent, too", async (t) => {
        await run("CREATE TABLE whole (id int PRIMARY KEY, a text) PARTITION BY RANGE (id)");
        await run("CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (100)");
        assert.equal((await put(database, "part", define("part"))).level, "row");
        const listener = await Listener.open(t, database, "part_changes");
        await run("INSERT INTO whole VALUES (1, 'x'); INSERT INTO part VALUES (2, 'y')");
        assert.deepEqual((await listener.events()).map(short), [["part", "INSERT", 1, "x"], ["part", "INSERT", 2, "y"]]);
    });

    test("inheritance: each table sends its own rows; a plain table that becomes a child is told to be stale until put again", async (t) => {
        const listener = await watched(t, database, "heir", "id int PRIMARY KEY, a text");
        await run("CREATE TABLE ancestor (id int, a text); ALTER TABLE heir INHERIT ancestor");
        assert.match((await entry("heir")).stale[0], /inheritance/);
        assert.equal((await put(database, "heir", define("heir"))).level, "row");
        assert.deepEqual((await entry("heir")).stale, []);
        await run("INSERT INTO heir VALUES (1, 'x'); UPDATE ancestor SET a = 'y'");
        assert.deepEqual((await listener.events()).map(short), [["heir", "INSERT", 1, "x"], ["heir", "UPDATE", 1, "y"]]);
    });

    test("a plain table, at the level that is asked for; where there is no choice, the other one is refused", async (t) => {
        await run("CREATE TABLE plain (id int PRIMARY KEY, a text); CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)");
        const listener = await Listener.open(t, database, "plain_changes");
        for (const [more, level] of [[{ level: "row" }, "row"], [{}, "statement"], [{ level: "statement" }, "statement"], [{ level: "row", columns: ["a"], old: true }, "row"], [{ level: "row", durable: false }, "row"]]) {
            assert.equal((await put(database, "plain", define("plain", more))).level, level);
            assert.deepEqual((await put(database, "plain", define("plain", more), { dryRun: true })).sql, []);
            await run("INSERT INTO plain VALUES (1, 'x'), (2, 'y'); UPDATE plain SET a = 'z' WHERE id = 1; DELETE FROM plain");
            assert.deepEqual((await listener.events()).map(short), [["plain", "INSERT", 1, "x"], ["plain", "INSERT", 2, "y"], ["plain", "UPDATE", 1, "z"], ["plain", "DELETE", 2, "y"], ["plain", "DELETE", 1, "z"]]);
        }
        const refused = (table, more, message) => assert.rejects(put(database, table, define(table, { level: "statement", ...more })), message);
        await refused("parts", {}, /partitioned.*at row level/);
        await refused("plain", { update_of: ["a"] }, /update_of, where or always are at row level/);
        await refused("plain", { where: [{ column: "a", op: "is null" }] }, /update_of, where or always are at row level/);
        await refused("plain", { level: "both" }, /level: "row" or "statement"/);
        await put(database, "plain", define("plain", { level: "statement", operations: ["TRUNCATE"] }));
    });

    test("unlogged tables, and names of any kind", async (t) => {
        const table = `Mixed "quoted" 'table' %s \\ ünï🙂`;
        await run(`CREATE UNLOGGED TABLE "${table.replaceAll('"', '""')}" ("the ""key""" int PRIMARY KEY, "it's %I" text, "🙂" text DEFAULT '"')`);
        const channel = `Chänn"el' $$ 🙂`;
        const listener = await Listener.open(t, database, channel);
        const key = 'the "key"';
        const ways = [{ columns: ["🙂", "it's %I"] }, {}, { update_of: ["it's %I", "🙂"] }, { where: [{ column: key, op: ">", value: 0 }] }];
        for (const [way, count] of ways.flatMap((way) => [[way, 1], [way, 2], [way, 30]])) {
            await put(database, "odd", { ...define(table), channel, ...way, old: true });
            const item = await entry("odd");
            assert.deepEqual([item.table, item.channel, item.columns, item.stale], [table, channel, way.columns, []]);
            await run(`TRUNCATE "${table.replaceAll('"', '""')}"`);
            await run(`INSERT INTO "${table.replaceAll('"', '""')}" SELECT i, 'v' FROM generate_series(1, ${count}) i`);
            await run(`UPDATE "${table.replaceAll('"', '""')}" SET "it's %I" = 'w'`);
            const events = (await listener.events()).slice(1);
            assert.equal(events.length, 2 * count);
            const data = { ...(way.columns ? {} : { [key]: 1 }), "it's %I": "v", "🙂": '"' };
            assert.deepEqual(events[0], { schema: "public", table, type: "INSERT", id: 1, data });
            assert.deepEqual([events[count].old, events[count].changed], [data, ["it's %I"]]);
        }
    });

    test("views and the like are refused with the reason; nothing is changed", async () => {
        await run(`CREATE TABLE base (id int PRIMARY KEY, a text); CREATE VIEW a_view AS SELECT * FROM base;
                   CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM base; CREATE SEQUENCE a_sequence; CREATE INDEX an_index ON base (a);
                   CREATE TYPE a_type AS (a int); CREATE TEMP TABLE a_temp (id int)`);
        const temp = await database.value("SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()");
        for (const [definition, message] of [
            [define("a_view"), /is a view/],
            [define("a_matview"), /is a materialized view/],
            [define("a_sequence"), /is a sequence/],
            [define("an_index"), /is an index/],
            [define("a_type"), /is not a table/],
            [{ ...define("a_temp"), schema: temp }, /temporary/],
            [{ ...define("pg_class"), schema: "pg_catalog" }, /PostgreSQL itself/],
            [{ ...define("tables"), schema: "information_schema" }, /PostgreSQL itself/],
            [{ ...define("version"), schema: "tuplecast" }, /tuplecast itself/],
        ])
            await assert.rejects(put(database, "refused", definition), (error) => {
                assert.equal(error.code, "42809");
                assert.match(error.message, message);
                assert.ok(error.hint);
                return true;
            });
        assert.equal(await entry("refused"), undefined);
    });

    test("a foreign table: rows that are written here", async (t) => {
        await run(`CREATE EXTENSION IF NOT EXISTS postgres_fdw; CREATE TABLE far (id int PRIMARY KEY, a text);
                   CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname '${database.name}', host '${process.env.PGHOST}', port '${process.env.PGPORT}');
                   CREATE USER MAPPING FOR CURRENT_USER SERVER self OPTIONS (user '${process.env.PGUSER}');
                   CREATE FOREIGN TABLE near (id int, a text) SERVER self OPTIONS (table_name 'far')`).catch((error) => error.code === "58P01" ? t.skip("no postgres_fdw") : Promise.reject(error));
        const item = await put(database, "near", define("near"));
        assert.equal(item.level, "row");
        assert.equal((await put(database, "near", define("near"))).created, false);
        const listener = await Listener.open(t, database, "near_changes");
        await run("INSERT INTO near VALUES (1, 'x'); DELETE FROM near");
        assert.deepEqual((await listener.events()).map(short), [["near", "INSERT", null, "x"], ["near", "DELETE", null, "x"]]);
    });
});

describe("types and values that are traps", () => {
    const TRAPS = {
        json: ["json", `'{"b": 1,  "a": NaN_}'`.replace("NaN_", "null")],
        xml_like: ["text", `'<a/>' || chr(10) || chr(9) || chr(8232)`],
        "numeric NaN": ["numeric", "'NaN'"],
        "big numeric": ["numeric", "'123456789012345678901234567890.123456789'"],
        "float infinity": ["float8", "'-Infinity'"],
        "infinite date": ["date", "'infinity'"],
        "timestamp of long ago": ["timestamptz", "'4713-01-01 00:00:00 BC'"],
        composite: ["pair", "ROW(1, 'x')::pair"],
        array: ["int[]", "'[2:3]={1,2}'"],
        range: ["int4range", "'[1,5)'"],
        point: ["point", "'(1,2)'"],
        bytea: ["bytea", "'\\xdeadbeef'"],
        enum: ["mood", "'fine'"],
        domain: ["positive", "5"],
        generated: ["int GENERATED ALWAYS AS (id * 2) STORED", "DEFAULT"],
        null: ["text", "NULL"],
        tsvector: ["tsvector", "'a b'"],
        interval: ["interval", "'1 year 2 days'"],
        char: ["char(5)", "'ab'"],
    };
    before(() => run("SET intervalstyle = iso_8601; CREATE TYPE pair AS (n int, t json); CREATE TYPE mood AS ENUM ('fine', 'bad'); CREATE DOMAIN positive AS int CHECK (VALUE > 0)"));

    let number = 0;
    for (const [what, [type, value]] of Object.entries(TRAPS))
        for (const [level, more] of Object.entries({ statement: {}, row: { where: [{ column: "id", op: ">", value: 0 }] } }))
            test(`${what}, ${level} level: the writer goes on, and the value is what row_to_json makes of it`, async (t) => {
                const table = `trap_${++number}`;
                const listener = await watched(t, database, table, `id int PRIMARY KEY, v ${type}, w int`, { old: true, ...more });
                for (const count of [1, 30]) {
                    await run(`INSERT INTO ${table} (id, v) SELECT i, NULL FROM generate_series(1, ${count}) i`.replace("(id, v) SELECT i, NULL", type.includes("GENERATED") ? "(id) SELECT i" : "(id, v) SELECT i, NULL"));
                    await run(`UPDATE ${table} SET w = 1, v = ${value.startsWith("'") || value === "5" || value === "DEFAULT" ? value : value}`.replace("v = ROW(1, 'x')::pair", "v = ROW(1, '{\"x\":1}')::pair"));
                    await run(`UPDATE ${table} SET w = 2`);
                    const expected = (await database.query(`SELECT row_to_json(t)::text FROM ${table} t ORDER BY id`)).map(([text]) => text);
                    const texts = (await listener.texts()).slice(-count);
                    assert.ok(texts.every((text, i) => text.includes(`"data":${expected[i]}`)), `${texts[0]}\n${expected[0]}`);
                    assert.ok(texts.every((text) => text.endsWith(',"changed":["w"]}')), texts[0]);
                    await run(`DELETE FROM ${table}`);
                    await listener.texts();
                }
            });

    test("1,600 columns", async (t) => {
        const columns = Array.from({ length: 1599 }, (_, i) => `column_number_${i} int`).join(", ");
        const listener = await watched(t, database, "wide", `id int PRIMARY KEY, ${columns}`, { old: true });
        for (const count of [1, 20]) {
            await run(`INSERT INTO wide (id) SELECT i FROM generate_series(1, ${count}) i`);
            await run("UPDATE wide SET column_number_5 = 1");
            const events = await listener.events();
            assert.equal(events.length, 2 * count);
            assert.deepEqual([events[0].id, events[0].cut, events.at(-1).changed, events.at(-1).cut], [1, ["data"], ["column_number_5"], ["old", "data"]]);
            await run("TRUNCATE wide");
            await listener.events();
        }
    });
});

describe("ALTER TABLE afterwards", () => {
    for (const [level, more] of Object.entries({ statement: {}, row: { where: [{ column: "id", op: ">", value: 0 }] } }))
        for (const count of [1, 30])
            test(`${level} level, ${count} rows: columns come, go and change; the key moves; table and schema are renamed`, async (t) => {
                const table = `altered_${level}_${count}`;
                const listener = await watched(t, database, table, "id int PRIMARY KEY, a text, b int", { old: true, ...more });
                const client = await database.connect(t); // whose cached plans must follow
                let name = table;
                const last = async () => {
                    await client.query(`INSERT INTO ${name} (id) SELECT i FROM generate_series(1, ${count}) i`);
                    await client.query(`UPDATE ${name} SET id = id + 100`);
                    await client.query(`DELETE FROM ${name}`);
                    const events = await listener.events();
                    const [left, others] = [events.filter(({ type, op }) => type === "DELETE" && op), events.filter(({ op }) => !op)];
                    assert.deepEqual(left.map(({ id }) => id?.id ?? id), events.at(-1).id === null ? [] : Array.from({ length: count }, (_, i) => i + 1));
                    assert.equal(others.length, 3 * count);
                    assert.deepEqual(others[count].old.id ?? others[count].old.key, 1);
                    return events.at(-1);
                };
                await last();
                await run(`ALTER TABLE ${table} ADD c text DEFAULT 'see'`);
                assert.equal((await last()).data.c, "see");
                await run(`ALTER TABLE ${table} DROP a`);
                assert.deepEqual(Object.keys((await last()).data), ["id", "b", "c"]);
                await run(`ALTER TABLE ${table} ALTER b TYPE text USING b::text`);
                await last();
                await run(`ALTER TABLE ${table} RENAME TO ${table}_new`);
                name = `${table}_new`;
                assert.equal((await last()).table, name);
                await run(`CREATE SCHEMA schema_${table}; ALTER TABLE ${name} SET SCHEMA schema_${table}`);
                name = `schema_${table}.${name}`;
                assert.equal((await last()).schema, `schema_${table}`);
                await run(`ALTER TABLE ${name} DROP CONSTRAINT ${table}_pkey`);
                assert.equal((await last()).id, null);
                await run(`ALTER TABLE ${name} ADD PRIMARY KEY (id, c)`);
                assert.deepEqual((await last()).id, { id: 100 + count, c: "see" });
                assert.match((await entry(table)).stale.join(), /key is not the one that it had/);
                await run(`DROP TABLE ${name}`);
                assert.equal(await entry(table), undefined);
            });
});
