// Whoever can reach our functions: they are called, and hung onto tables of the attacker's, with names in pg_temp that stand in for those
// that the functions read. Nobody's code may run with our owner's rights, no durable event may be forged, and nothing of ours may be read.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { PATIENCE_MS, isDurable, openField, putOver, tries, watch } from "./lib/attackers.mjs";
import { put } from "./lib/changes.mjs";
import { subscribe } from "./lib/sse.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const file = wholeFile();
const LIMITS = { timeout: 240_000 };
let field, database;

/** Every way that a trigger can be made: each has functions of its own. */
const VARIANTS = {
    plain: {},
    old: { old: true },
    columns: { columns: ["a", "id"] },
    row: { where: [{ column: "id", op: ">", value: 0 }] },
    durable: { durable: true },
    durable_old: { durable: true, old: true, columns: ["a"] },
    durable_row: { durable: true, old: true, where: [{ column: "id", op: ">", value: 0 }] },
    durable_level: { durable: true, level: "row" },
};

/** Names that our functions could read, as views and temporary types whose owner is the attacker. */
const NAMES = ["changed_rows", "old_rows", "new_rows", "rows", "log", "tick", "state", "version", "triggers", "parts", "events", "transactions", "pg_trigger", "pg_class"];
const TYPES = ["text", "json", "jsonb", "xid8", "oid", "name", "regclass", "bytea", "timestamptz", "int8", "int4", "bool", "pg_snapshot", '"char"'];

async function layTraps(client, role) {
    await client.query("CREATE TEMP TABLE mine (id integer PRIMARY KEY, a text)");
    for (const name of NAMES)
        await client.query(`CREATE TEMP VIEW ${name} AS SELECT CASE WHEN evil.strike('view ${name} of ${role}') THEN 1 END AS id, 'forged'::text AS a, 1 AS number, 1 AS version`);
    await client.query("GRANT SELECT ON ALL TABLES IN SCHEMA pg_temp TO PUBLIC");
}

/** Domains in pg_temp that stand in for the types of pg_catalog; to be made last, for the session's own statements find them, too. */
async function layTypes(client, role) {
    for (const type of TYPES) {
        await client.query(`CREATE FUNCTION pg_temp.check_${type.replaceAll('"', "")}(pg_catalog.${type}) RETURNS pg_catalog.bool LANGUAGE plpgsql
                            AS $$ BEGIN RETURN evil.strike('type ${type} of ${role}'::pg_catalog.text); END $$`);
        await client.query(`CREATE DOMAIN pg_temp.${type} AS pg_catalog.${type} CHECK (pg_temp.check_${type.replaceAll('"', "")}(VALUE))`);
    }
}

before(async () => {
    field = await openField(file);
    ({ database } = field);
    for (const [name, more] of Object.entries(VARIANTS)) {
        await field.table(name);
        const installer = await field.as(undefined, "installer");
        await put(installer, name, watch(name, more));
        await installer.end();
    }
    // Partitions that are made later need the functions of the whole.
    await field.by("owner", "CREATE TABLE app.parted (id integer PRIMARY KEY, a text) PARTITION BY HASH (id)", "CREATE TABLE app.parted_0 PARTITION OF app.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0)");
    const installer = await field.as(undefined, "installer");
    await put(installer, "parted", watch("parted", { durable: true, old: true }));
    await installer.end();
}, LIMITS);

describe("by the catalog", () => {
    const GRANTED = `SELECT p.oid::regprocedure::text, a.grantee::regrole::text FROM pg_proc p
                     CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                     WHERE p.pronamespace = 'tuplecast'::regnamespace AND p.prosecdef AND a.grantee <> p.proowner
                       -- Who makes a partition must be able to call the functions of the whole.
                       AND NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgfoid = p.oid AND c.relkind = 'p' AND c.relowner = a.grantee)`;

    test("no function that runs with our rights may be called by anybody whom nobody granted it, generated ones included", async () => {
        assert.deepEqual(await database.query(`${GRANTED} AND a.grantee::regrole::text NOT IN ($1, $2, 'tuplecast_owner') ORDER BY 1`,
            [field.roles.gateway, field.roles.installer]), []);
    });

    test("a trigger function that runs with our rights may be called by nobody at all", async () => {
        assert.deepEqual(await database.query(`${GRANTED} AND p.prorettype = 'trigger'::regtype AND a.grantee::regrole::text <> 'tuplecast_owner' ORDER BY 1`), []);
    });

    test("nothing of ours belongs to a superuser, or to a role that can log in or has members", async () => {
        const owners = await database.query(`
            SELECT DISTINCT o.rolname, o.rolsuper, o.rolcanlogin, o.rolcreaterole, o.rolbypassrls, o.rolreplication,
                   EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE m.roleid = o.oid AND NOT r.rolsuper) AS has_members
              FROM (SELECT proowner FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace
                    UNION SELECT relowner FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace
                    UNION SELECT nspowner FROM pg_namespace WHERE nspname = 'tuplecast'
                    UNION SELECT typowner FROM pg_type WHERE typnamespace = 'tuplecast'::regnamespace) AS u (oid)
              JOIN pg_roles o USING (oid)`);
        assert.ok(owners.length >= 1);
        for (const [name, ...rights] of owners) assert.deepEqual(rights, ["f", "f", "f", "f", "f", "f"], name);
    });

    test("nobody may read or write a table or a sequence of ours; our views only who was granted them", async () => {
        const rights = await database.query(`
            SELECT c.relname, a.grantee::regrole::text, a.privilege_type FROM pg_class c
             CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner))) a
             WHERE c.relnamespace = 'tuplecast'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND a.grantee <> c.relowner
               AND NOT (a.grantee IN ($1::text::regrole, $2::text::regrole) AND a.privilege_type = 'SELECT' AND (c.relkind = 'v' OR c.relname = 'version'))
             ORDER BY 1, 2`, [field.roles.gateway, field.roles.installer]);
        // The numbers of notifications are drawn in the writer's name; an installer looks up which function belongs to which trigger.
        assert.deepEqual(rights.filter(([name, grantee, right]) => !(name === "serial" && right === "USAGE") && !(name === "function" && grantee === field.roles.installer && right === "SELECT")), []);
    });

    test("nobody may make anything in our schema", async () => {
        for (const role of Object.values(field.roles))
            assert.equal(await database.value("SELECT has_schema_privilege($1, 'tuplecast', 'CREATE')", [role]), "f", role);
    });
});

/** All trigger functions of ours, hung onto a temporary table in each way that PostgreSQL has, and fired. */
async function hang(client) {
    const functions = await database.query("SELECT oid::regproc::text FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND prorettype = 'trigger'::regtype ORDER BY 1");
    assert.ok(functions.length > Object.keys(VARIANTS).length / 2);
    const ARGUMENTS = ["", "'durable_changes'", `'durable_changes', '{"durable":true}'`, `'durable_changes', '{"durable":true,"old":true,"columns":["a"]}', 'INSERT UPDATE'`];
    const KINDS = ["FOR EACH STATEMENT", "FOR EACH ROW"];
    let hung = 0;
    for (const [name] of functions)
        for (const kind of KINDS)
            for (const words of ARGUMENTS) {
                if (!(await tries(client, `CREATE TRIGGER "tuplecast:hung:insert" AFTER INSERT OR UPDATE OR DELETE ON pg_temp.mine ${kind} EXECUTE FUNCTION ${name}(${words})`))) continue;
                hung++;
                await tries(client, "INSERT INTO pg_temp.mine VALUES (1, 'forged')");
                await tries(client, "UPDATE pg_temp.mine SET a = 'forged, too'");
                await tries(client, "DELETE FROM pg_temp.mine");
                await client.query('DROP TRIGGER "tuplecast:hung:insert" ON pg_temp.mine');
            }
    return hung;
}

describe("hung onto a temporary table", () => {
    for (const role of ["stranger", "writer", "owner", "type_owner", "creator", "gateway", "installer"])
        test(`our trigger functions do nothing for the ${role}`, LIMITS, async (t) => {
            const client = await field.as(t, role);
            await layTraps(client, role);
            t.diagnostic(`${await hang(client)} times a function could be hung onto the table`);
            assert.deepEqual(await field.gains(Object.keys(field.roles)), []);
        });

    for (const role of ["stranger", "owner", "installer"])
        test(`our trigger functions forge no durable event for the ${role}`, LIMITS, async (t) => {
            const gateway = await field.startGateway(t);
            await isDurable(gateway);
            const stream = await subscribe(t, gateway.stream("durable_changes"));
            const client = await field.as(t, role);
            await client.query("CREATE TEMP TABLE mine (id integer PRIMARY KEY, a text)");
            await hang(client);
            // Once more when the functions of his tables are not what they were written for any more.
            if (role === "owner") await client.query("ALTER TABLE app.parted ADD COLUMN more text; ALTER TABLE mine ADD COLUMN more text");
            await hang(client);
            await field.by("writer", "INSERT INTO app.durable VALUES (1, 'genuine')", "DELETE FROM app.durable");
            const [first, second] = await stream.messages(2, PATIENCE_MS);
            assert.deepEqual([first.json.data, second.json.type], [{ id: 1, a: "genuine" }, "DELETE"]);
        });

    test("a trigger that PostgreSQL let somebody make is none of ours in any list, and takes nobody's name", async (t) => {
        const gateway = await field.startGateway(t);
        const functions = await database.query("SELECT oid::regproc::text FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND prorettype = 'trigger'::regtype");
        for (const [role, table] of [["stranger", "pg_temp.mine"], ["creator", "public.mine"]]) {
            const client = await field.as(t, role);
            await client.query(`CREATE TABLE ${table} (id integer PRIMARY KEY, a text)`);
            for (const [name] of functions)
                await tries(client, `CREATE TRIGGER "tuplecast:squatter:insert" AFTER INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${name}('plain_changes', '{"durable":true}')`);
        }
        const names = await database.value("SELECT tuplecast.list_triggers(NULL, NULL, NULL)");
        assert.deepEqual(JSON.parse(names).items.map(({ name }) => name).sort(), [...Object.keys(VARIANTS), "parted"].sort());
        await field.table("squatted");
        assert.equal((await putOver(gateway, "squatter", watch("squatted"))).status, 201);
    });
});

describe("an installer who has functions written for him, and hangs them elsewhere", () => {
    const FORMS = ["", "REFERENCING NEW TABLE AS changed_rows", "REFERENCING OLD TABLE AS changed_rows", "REFERENCING OLD TABLE AS old_rows", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows",
        "REFERENCING NEW TABLE AS old_rows OLD TABLE AS changed_rows", "REFERENCING NEW TABLE AS n", 'REFERENCING NEW TABLE AS "changed_rows "'];
    const OPTIONS = ['{"durable":true}', '{"durable":true,"old":true}', '{"durable":true,"old":true,"columns":["a"]}', '{"durable":true,"level":"row","old":true}', "["];

    for (const [i, written] of OPTIONS.slice(0, 4).entries())
        test(`written for ${written}`, LIMITS, async (t) => {
            if ((await database.value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND proname = 'make_function'")) === "0") return t.skip("there is no make_function()");
            await field.table(`made_${i}`);
            const client = await field.as(t, "installer");
            await layTraps(client, "installer");
            let fired = 0;
            for (const part of ["insert", "update", "delete", "key"]) {
                const name = `durable_9${i}${part.length}${part.charCodeAt(0)}`.slice(0, 14);
                const made = () => tries(client, "SELECT tuplecast.make_function($1, $2, $3, $4, $5)", [name, `app.made_${i}`, `tuplecast:made:${part}`, ["made_changes", written, "INSERT UPDATE DELETE TRUNCATE"], field.roles.installer]);
                await made();
                const event = part === "key" ? "UPDATE" : part.toUpperCase();
                for (const table of ["pg_temp.mine", `app.made_${i}`])
                    for (const form of FORMS)
                        for (const options of OPTIONS)
                            for (const kind of form ? ["STATEMENT"] : ["STATEMENT", "ROW"]) {
                                const hung = await tries(client, `CREATE OR REPLACE TRIGGER "tuplecast:made:${part}" AFTER ${event} ON ${table} ${form} FOR EACH ${kind} EXECUTE FUNCTION tuplecast.${name}('durable_changes', '${options}')`);
                                if (!hung) continue;
                                for (const statement of [`INSERT INTO ${table} VALUES (1, 'a'), (2, 'b')`, `UPDATE ${table} SET a = 'c'`, `UPDATE ${table} SET id = id + 10`, `DELETE FROM ${table}`])
                                    fired += Number(await tries(client, statement));
                                await client.query(`DROP TRIGGER "tuplecast:made:${part}" ON ${table}`);
                            }
            }
            t.diagnostic(`${fired} statements`);
            assert.deepEqual(await field.gains(Object.keys(field.roles)), []);
        });
});

describe("a function that was written for one table, hung onto another one whose columns have the same names", () => {
    const CASTS = [
        "CREATE TYPE pg_temp.mood AS ENUM ('x', 'y')",
        "CREATE FUNCTION pg_temp.mood_json(pg_temp.mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('cast of mood'); RETURN 'null'::pg_catalog.json; END $$",
        "CREATE CAST (pg_temp.mood AS json) WITH FUNCTION pg_temp.mood_json(pg_temp.mood)",
        "CREATE TEMP TABLE paired (id integer PRIMARY KEY, a pg_temp.mood)",
    ];

    for (const [role, made] of [["installer", "row level"], ["owner", "partitions"]])
        test(`casts of its types run with nobody's rights but the ${role}'s: ${made}`, LIMITS, async (t) => {
            const client = await field.as(t, role);
            for (const statement of CASTS) await client.query(statement);
            const table = role === "installer" ? "leveled" : "parted";
            if (role === "installer") {
                await field.table(table);
                await put(client, table, watch(table, { durable: true, level: "row" }));
                // He may use them again, as at each PUT.
                for (const [name, part, ...words] of await database.query("SELECT function, full_name, channel, argument, array_to_string(operations, ' ') FROM tuplecast.parts WHERE name = 'leveled'"))
                    await client.query("SELECT tuplecast.make_function($1, 'app.leveled', $2, $3, $4)", [name, part, words, field.roles.installer]);
            }
            const names = (await database.query("SELECT name FROM tuplecast.function WHERE relation = $1::regclass AND name ~ '[0-9]$'", [`app.${table}`])).flat();
            let fired = 0;
            for (const name of names)
                for (const event of ["INSERT", "UPDATE", "DELETE"]) {
                    await client.query(`CREATE TRIGGER "tuplecast:${table}:${event.toLowerCase()}" AFTER ${event} ON pg_temp.paired FOR EACH ROW EXECUTE FUNCTION tuplecast.${name}('${table}_changes', '{"durable":true,"level":"row"}')`);
                    for (const statement of ["INSERT INTO pg_temp.paired VALUES (1, 'x')", "UPDATE pg_temp.paired SET id = id + 1, a = 'y'", "DELETE FROM pg_temp.paired"]) fired += Number(await tries(client, statement));
                    await client.query(`DROP TRIGGER "tuplecast:${table}:${event.toLowerCase()}" ON pg_temp.paired`);
                }
            t.diagnostic(`${fired} statements`);
            assert.ok(fired >= 3 * 3);
            assert.deepEqual(await field.gains(Object.keys(field.roles)), []);
        });

    test("a temporary view is not taken for the table of old rows, whatever the trigger is hung for", LIMITS, async (t) => {
        await field.table("older");
        const client = await field.as(t, "installer");
        await layTraps(client, "installer");
        const words = ["older_changes", '{"durable":true,"old":true}', "INSERT UPDATE DELETE TRUNCATE"];
        await client.query("SELECT tuplecast.make_function('durable_998', 'app.older', 'tuplecast:older:update', $1, $2)", [words, field.roles.installer]);
        for (const [event, form] of [["INSERT", "NEW"], ["DELETE", "OLD"], ["UPDATE", "NEW"]]) {
            await client.query(`CREATE TRIGGER "tuplecast:older:update" AFTER ${event} ON app.older REFERENCING ${form} TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION tuplecast.durable_998(${words.map((word) => `'${word}'`)})`);
            for (const statement of ["INSERT INTO app.older VALUES (1, 'a')", "UPDATE app.older SET a = 'b'", "DELETE FROM app.older"]) await client.query(statement);
            await client.query('DROP TRIGGER "tuplecast:older:update" ON app.older');
        }
        assert.deepEqual(await field.gains(Object.keys(field.roles)), []);
    });

    test("nor for that of changed rows, where a session of an old snapshot cannot see that the trigger is another one now", LIMITS, async (t) => {
        await field.table("aged");
        const [client, other] = [await field.as(t, "installer"), await field.as(t, "installer")];
        await layTraps(client, "installer");
        await put(other, "aged", watch("aged", { durable: true }));
        const [[name]] = await database.query("SELECT name FROM tuplecast.function WHERE trigger = 'tuplecast:aged:insert'");
        const words = (await database.query("SELECT channel, argument, array_to_string(operations, ' ') FROM tuplecast.parts WHERE full_name = 'tuplecast:aged:insert'"))[0];
        await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM app.aged");
        await other.query("BEGIN");
        await other.query("SELECT tuplecast.make_function($1, 'app.aged', 'tuplecast:aged:insert', $2, $3)", [name, words, field.roles.installer]);
        await other.query(`CREATE OR REPLACE TRIGGER "tuplecast:aged:insert" AFTER INSERT ON app.aged FOR EACH STATEMENT EXECUTE FUNCTION tuplecast.${name}(${words.map((word) => `'${word}'`)})`);
        await other.query("COMMIT");
        await client.query("INSERT INTO app.aged VALUES (1, 'a')");
        await client.query("COMMIT");
        await client.query("INSERT INTO app.aged VALUES (2, 'a')");
        assert.deepEqual(await field.gains(Object.keys(field.roles)), []);
    });
});

/** One value for each type that an argument of ours can have; `style` chooses among texts. */
function made(type, style, mine) {
    const TEXTS = ["'durable_changes'", `'"; SELECT evil.strike(''called'') --'`, `$q$'); SELECT evil.strike('called'); --$q$`, "'['", `'{"durable":true}'`, "NULL"];
    const definition = `'${JSON.stringify(watch("durable", { channel: "x'||evil.strike('called')||'" }))}'`;
    switch (type) {
        case "text": case "name": case "character varying": return `${TEXTS[style]}::${type}`;
        case "text[]": return `ARRAY[${TEXTS[style]}, 'a']::text[]`;
        case "json": case "jsonb": return `${style % 2 ? definition : `'{"durable":true}'`}::${type}`;
        case "json[]": return `ARRAY['{}']::json[]`;
        case "oid": case "regclass": return style % 2 ? `${mine}::${type}` : `'app.durable'::regclass::${type}`;
        case "boolean": return style % 2 ? "true" : "false";
        case "record": return "ROW(1, 'forged')";
        case "interval": return "interval '100 years'";
        case "bigint": case "integer": case "smallint": return `${style}::${type}`;
        default: return `NULL::${type}`;
    }
}

describe("called by hand", () => {
    for (const role of ["stranger", "writer", "owner", "installer", "gateway"])
        test(`our functions give the ${role} no rights that are not his own`, LIMITS, async (t) => {
            const client = await field.as(t, role);
            await layTraps(client, role);
            const mine = (await client.query("SELECT 'pg_temp.mine'::regclass::oid AS oid")).rows[0].oid;
            const functions = await database.query(`
                SELECT p.oid::regproc::text, ARRAY(SELECT format_type(a, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY u (a, i) ORDER BY i)::text,
                       has_function_privilege($1, p.oid, 'EXECUTE')
                  FROM pg_proc p WHERE p.pronamespace = 'tuplecast'::regnamespace AND p.prorettype <> 'trigger'::regtype AND p.prokind = 'f' ORDER BY 1`, [field.roles[role]]);
            const state = () => database.query(`SELECT (SELECT count(*) FROM tuplecast.log), (SELECT max(number) FROM tuplecast.tick),
                (SELECT string_agg(md5(p::text), '' ORDER BY oid) FROM pg_proc p WHERE pronamespace = 'tuplecast'::regnamespace),
                (SELECT string_agg(concat(tgname, tgenabled, tgfoid), ',' ORDER BY oid) FROM pg_trigger WHERE tgname LIKE 'tuplecast:%')`);
            const earlier = await state();
            await client.query("SET statement_timeout = '5s'");
            let called = 0;
            for (const [name, types, may] of functions) {
                if (may !== "t") continue;
                const list = types === "{}" ? [] : types.slice(1, -1).split(",").map((type) => type.replaceAll('"', ""));
                for (let style = 0; style < (list.length ? 6 : 1); style++)
                    called += Number(await tries(client, `SELECT ${name}(${list.map((type) => made(type, style, mine)).join()})`));
            }
            t.diagnostic(`${functions.filter(([, , may]) => may === "t").length} functions may be called, ${called} calls came to an end`);
            assert.deepEqual(await field.gains(Object.keys(field.roles)), []);
            if (role !== "gateway" && role !== "installer") assert.deepEqual(await state(), earlier, "nothing is other than it was");
        });

    test("nobody reads or writes the log, the ticks, the sequences", async (t) => {
        const relations = await database.query("SELECT oid::regclass::text, relkind FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace AND relkind IN ('r', 'p', 'S')");
        for (const role of Object.keys(field.roles)) {
            const client = await field.as(t, role);
            for (const [name, kind] of relations) {
                const statements = kind === "S" ? [`SELECT setval('${name}', 1)`] : [`DELETE FROM ${name}`, `TRUNCATE ${name}`, `DO 'BEGIN LOCK TABLE ${name} IN SHARE MODE; END'`, `INSERT INTO ${name} SELECT * FROM ${name}`];
                if (kind !== "S" && name !== "tuplecast.version" && name !== "tuplecast.function") statements.push(`SELECT * FROM ${name}`, `COPY ${name} TO STDOUT`, `SELECT count(*) FROM ${name}`);
                if (kind === "S" && name !== "tuplecast.serial") statements.push(`SELECT nextval('${name}')`);
                for (const statement of statements) await assert.rejects(client.query(statement), /permission denied/, `${role}: ${statement}`);
            }
        }
    });

    test("the stranger changes nobody's triggers, and reads no definition through us that he may not read", async (t) => {
        const stranger = await field.as(t, "stranger");
        for (const role of ["stranger", "writer"]) {
            const client = role === "stranger" ? stranger : await field.as(t, role);
            for (const statement of [`SELECT tuplecast.put_trigger('plain', '${JSON.stringify(watch("plain", { channel: "elsewhere" }))}', NULL, NULL, false)`,
                `SELECT tuplecast.put_trigger('plain', '${JSON.stringify(watch("plain", { channel: "elsewhere" }))}', NULL, NULL, true)`,
                "SELECT tuplecast.drop_trigger('plain', NULL, false)", "SELECT tuplecast.drop_trigger('durable', NULL, true)"])
                assert.equal(await tries(client, statement), false, `${role}: ${statement}`);
        }
    });
});

describe("the writer's own session", () => {
    test("names of its own in pg_temp are not ours", LIMITS, async (t) => {
        const writer = await field.as(t, "writer");
        await layTraps(writer, "writer");
        await layTypes(writer, "writer");
        await writer.query("SET search_path = pg_temp, evil, public, pg_catalog");
        for (const table of Object.keys(VARIANTS)) {
            await writer.query(`INSERT INTO app.${table} SELECT i, 'a' FROM pg_catalog.generate_series(1, 40) i`);
            await writer.query(`UPDATE app.${table} SET a = 'b'`);
            await writer.query(`DELETE FROM app.${table} WHERE id OPERATOR(pg_catalog.<) 3`);
            await writer.query(`TRUNCATE app.${table}`);
        }
        assert.deepEqual(await field.gains(), []);
    });

    test("settings with our name change nothing of what others are told", LIMITS, async (t) => {
        const { Listener } = await import("./lib/changes.mjs");
        const sources = (await database.query("SELECT prosrc FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace")).map(([source]) => source).join("\n");
        const names = new Set(["tuplecast.unsent", ...[...sources.matchAll(/current_setting\([^)]*?'(tuplecast\.[a-z_]+)'/g)].map(([, name]) => name)]);
        const keys = await database.query("SELECT 'tuplecast.key_' || indexrelid FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE c.relnamespace = 'app'::regnamespace");
        for (const value of ["yes", "no", "", "1", "evil"])
            for (const table of ["plain", "old", "columns", "row"]) {
                const listener = await Listener.open(t, database, `${table}_changes`);
                const writer = await field.as(t, "writer");
                for (const name of [...names, ...keys.flat()]) await writer.query("SELECT set_config($1, $2, false)", [name, value]);
                await writer.query(`INSERT INTO app.${table} SELECT i, 'a' FROM generate_series(1, 3) i`);
                await writer.query(`DELETE FROM app.${table}`);
                const events = await listener.events();
                assert.deepEqual(events.map(({ type, id, data }) => [type, id, data.id]), ["INSERT", "DELETE"].flatMap((type) => [1, 2, 3].map((id) => [type, id, id])), `${table}, ${value}`);
                await writer.end();
                await listener.client.end();
            }
    });
});
