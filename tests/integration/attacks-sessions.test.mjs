// Settings that come with a role, a database or a session: those of the gateway's role, of the installer's and of writers, SET ROLE and SET SESSION
// AUTHORIZATION. What we rely on is set by ourselves. And tables with row level security.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { isDurable, listOver, openField, PATIENCE_MS, putOver, tries, watch } from "./lib/attackers.mjs";
import { Listener, put } from "./lib/changes.mjs";
import { subscribe } from "./lib/sse.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const file = wholeFile();
const LIMITS = { timeout: 240_000 };
let field, database;

before(async () => {
    field = await openField(file);
    ({ database } = field);
}, LIMITS);

const SETTINGS = {
    search_path: "evil, public", standard_conforming_strings: "off", quote_all_identifiers: "on", transform_null_equals: "on", row_security: "off", check_function_bodies: "off",
    "plpgsql.extra_errors": "'all'", array_nulls: "off", bytea_output: "escape", backslash_quote: "off", DateStyle: "'German, DMY'", IntervalStyle: "sql_standard", TimeZone: "'Asia/Kathmandu'",
    default_transaction_isolation: "serializable", default_transaction_read_only: "on", default_transaction_deferrable: "on", synchronous_commit: "off", extra_float_digits: "-15",
    enable_indexscan: "off", enable_nestloop: "off", enable_seqscan: "off", plan_cache_mode: "force_custom_plan", statement_timeout: "'1s'", lock_timeout: "'1ms'", exit_on_error: "on",
    idle_in_transaction_session_timeout: "'1ms'", idle_session_timeout: "'400ms'", client_min_messages: "debug5", work_mem: "'64kB'", jit_above_cost: "0", escape_string_warning: "off", client_encoding: "SQL_ASCII",
    default_tablespace: "nowhere", default_table_access_method: "heap", xmloption: "document", constraint_exclusion: "on", temp_file_limit: null,
};

describe("settings of the gateway's role and of the installer's", () => {
    for (const [name, value] of Object.entries(SETTINGS).filter(([, value]) => value !== null))
        test(`${name} = ${value}`, LIMITS, async (t) => {
            const table = `t_${name.replaceAll(/\W/g, "_").toLowerCase()}`;
            const roles = [field.roles.gateway, field.roles.installer];
            t.after(async () => {
                for (const role of roles) await database.query(`ALTER ROLE ${role} RESET ALL`);
            });
            for (const role of roles) await database.query(`ALTER ROLE ${role} SET ${name} = ${value}`);
            const gateway = await field.startGateway(t);
            await isDurable(gateway);
            await field.table(table, "id integer PRIMARY KEY, a text, at timestamptz, d date, i interval, b bytea, f float8");
            for (const more of [{ durable: true, old: true }, { durable: true, old: true, operations: ["INSERT", "UPDATE"], level: "row", where: [{ column: "d", op: ">", value: "2001-02-03" }] }]) {
                const answer = await putOver(gateway, table, watch(table, more));
                assert.ok(answer.status < 300, answer.body);
            }
            const list = await listOver(gateway);
            assert.equal(list.status, 200, list.body);
            const stream = await subscribe(t, gateway.stream(`${table}_changes`));
            await field.by("writer", `INSERT INTO app.${table} VALUES (1, E'a\\\\b''c', '2026-01-02 03:04:05.678+00', '2026-01-02', '1 year 2 months 3 days 04:05:06', '\\x00ff', 0.1)`);
            const [event] = await stream.messages(1, PATIENCE_MS);
            assert.equal(event.json.id, 1);
            assert.equal(event.json.data.a, "a\\b'c");
            // A while without work, where that matters: the sessions stay.
            await field.by("writer", ...(/timeout/.test(name) ? ["SELECT pg_sleep(1)"] : []), `UPDATE app.${table} SET a = 'b'`);
            assert.equal((await stream.messages(1, PATIENCE_MS))[0].json.data.a, "b");
            const again = await subscribe(t, gateway.stream(`${table}_changes`, { from: "earliest" }));
            assert.deepEqual((await again.messages(2, PATIENCE_MS)).map(({ json }) => json.data.a), ["a\\b'c", "b"]);
        });
});

describe("a writer who is another one meanwhile", () => {
    for (const durable of [false, true])
        test(`by SET ROLE and SET SESSION AUTHORIZATION, with a ${durable ? "durable" : "live"} trigger`, LIMITS, async (t) => {
            const table = `masked_${durable}`;
            await field.table(table);
            const installer = await field.as(t, "installer");
            await put(installer, table, watch(table, { durable }));
            const gateway = await field.startGateway(t);
            if (durable) await isDurable(gateway);
            const stream = await subscribe(t, gateway.stream(`${table}_changes`));
            const { writer, owner, stranger } = field.roles;
            const client = await field.as(t, "postgres");
            let id = 0;
            const insert = (rows = 1) => client.query(`INSERT INTO app.${table} SELECT i, 'a' FROM pg_catalog.generate_series(${id + 1}, ${(id += rows)}) i`);
            for (const statements of [[`SET ROLE ${writer}`], [`RESET ROLE`], [`SET SESSION AUTHORIZATION ${writer}`], ["RESET SESSION AUTHORIZATION"], [`SET SESSION AUTHORIZATION ${owner}`, `SET ROLE ${owner}`]]) {
                for (const statement of statements) await client.query(statement);
                await insert();
                await insert(20);
            }
            await client.query("RESET SESSION AUTHORIZATION");
            // A function of the writer's, called by somebody who may not write himself.
            await client.query(`CREATE FUNCTION app.write_${durable}(integer) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO app.${table} VALUES ($1, 'a') $$; ALTER FUNCTION app.write_${durable} OWNER TO ${owner}`);
            await client.query(`SET SESSION AUTHORIZATION ${stranger}`);
            await client.query(`SELECT app.write_${durable}(${++id})`);
            assert.equal(await tries(client, `INSERT INTO app.${table} VALUES (0, 'not his')`), false);
            // The same role after as before; and a role that is gone from the transaction when it ends.
            assert.equal((await client.query("SELECT current_user AS now")).rows[0].now, stranger);
            await client.query("RESET SESSION AUTHORIZATION");
            await client.query(`BEGIN; SET LOCAL ROLE ${writer}; INSERT INTO app.${table} VALUES (${++id}, 'a'); COMMIT`);
            const ids = (await stream.messages(id, PATIENCE_MS)).map(({ json }) => json.id);
            assert.deepEqual(ids, Array.from({ length: id }, (_, i) => i + 1));
            assert.deepEqual(await field.gains(), []);
        });
});

describe("a writer who may not use the schemas that a trigger's table and its types are in", () => {
    for (const durable of [false, true])
        test(`writes by way of a view all the same, and so does the owner, with a ${durable ? "durable" : "live"} trigger that has a condition`, LIMITS, async (t) => {
            const [schema, table] = [`hidden_${durable}`, "t"];
            await database.query(`CREATE SCHEMA ${schema}; GRANT USAGE ON SCHEMA ${schema} TO PUBLIC; CREATE TYPE ${schema}.mood AS ENUM ('calm', 'cross'); CREATE TABLE ${schema}.${table} (id integer PRIMARY KEY, m ${schema}.mood);
                ALTER TABLE ${schema}.${table} OWNER TO ${field.roles.owner}; CREATE VIEW app.v_${durable} AS SELECT * FROM ${schema}.${table}; ALTER VIEW app.v_${durable} OWNER TO ${field.roles.owner};
                GRANT ALL ON app.v_${durable} TO ${field.roles.writer}`);
            const installer = await field.as(t, "installer");
            await put(installer, schema, { ...watch(table, { durable, where: [{ column: "m", op: "in", value: ["calm"] }], channel: schema }), schema });
            await database.query(`REVOKE USAGE ON SCHEMA ${schema} FROM PUBLIC; GRANT USAGE ON SCHEMA ${schema} TO ${field.roles.owner}`);
            for (const rename of [undefined, `ALTER TABLE ${schema}.${table} ADD COLUMN more text`]) {
                if (rename) await database.query(rename);
                for (const [role, name] of [["writer", `app.v_${durable}`], ["owner", `${schema}.${table}`]])
                    await field.by(role, `INSERT INTO ${name} (id, m) VALUES (1, 'calm'), (2, 'cross')`, `UPDATE ${name} SET m = 'cross'`, `UPDATE ${name} SET m = 'calm'`, `DELETE FROM ${name}`);
            }
        });
});

describe("a table with row level security", () => {
    test("gets no trigger unless the definition says that its policies are ignored", LIMITS, async (t) => {
        const gateway = await field.startGateway(t);
        for (const kind of ["ENABLE", "FORCE"])
            for (const durable of [false, true]) {
                const table = `guarded_${kind.toLowerCase()}_${durable}`;
                await field.table(table);
                await field.by("owner", `ALTER TABLE app.${table} ENABLE ROW LEVEL SECURITY`, ...(kind === "FORCE" ? [`ALTER TABLE app.${table} FORCE ROW LEVEL SECURITY`] : []));
                const refused = await putOver(gateway, table, watch(table, { durable }));
                assert.ok(refused.status >= 400 && refused.status < 500, `${table}: ${refused.status}`);
                assert.match(refused.body, /row.level.security/i);
                const allowed = await putOver(gateway, table, watch(table, { durable, row_security: "ignored" }));
                assert.equal(allowed.status, 201, allowed.body);
            }
    });

    test("policies run nothing with our rights", LIMITS, async (t) => {
        for (const durable of [false, true]) {
            const table = `policies_${durable}`;
            await field.table(table);
            const installer = await field.as(t, "installer");
            await put(installer, table, watch(table, { durable }));
            await field.by("owner", `ALTER TABLE app.${table} ENABLE ROW LEVEL SECURITY`, `ALTER TABLE app.${table} FORCE ROW LEVEL SECURITY`,
                `CREATE POLICY p ON app.${table} USING (evil.strike('policy')) WITH CHECK (evil.strike('policy'))`);
            const listener = await Listener.open(t, database, `${table}_changes`);
            await field.by("writer", `INSERT INTO app.${table} VALUES (1, 'a')`, `UPDATE app.${table} SET a = 'b'`, `DELETE FROM app.${table}`);
            if (!durable) assert.equal((await listener.events()).length, 3);
        }
        assert.deepEqual(await field.gains(), []);
    });
});
