// The REST interface of triggers beyond the first steps: entity tags, dry runs, options, refusals, roles.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const TOKEN = "correct-horse-battery-staple-0123456789";
const file = wholeFile();
let database, gateway, env;
let tables = 0;

function api(method, path, body, headers = {}, server = gateway) {
    return server.get(path, {
        method,
        headers: { Authorization: `Bearer ${TOKEN}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
        body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
    });
}

async function createTable(columns = "id serial PRIMARY KEY, title text, kind text") {
    const table = `rest_${++tables}`;
    await database.query(`CREATE TABLE ${table} (${columns})`);
    return table;
}

/** All of pg_trigger that is somebody's own. */
const catalog = () => database.query("SELECT oid, xmin, tgname, tgrelid FROM pg_trigger WHERE NOT tgisinternal ORDER BY oid");

before(async () => {
    database = await createDatabase(file);
    env = { ...database.env, TUPLECAST_CHANNELS: "*", TUPLECAST_TRIGGERS_TOKEN: TOKEN };
    assert.equal((await run(["setup"], env)).code, 0);
    gateway = await startGateway(file, env);
    await gateway.ready();
});

describe("putting a trigger", () => {
    test("again changes nothing in the catalog", async () => {
        const table = await createTable();
        const definition = { table, columns: ["title"], old: true, where: [{ column: "kind", op: "in", value: ["a", "b"] }] };
        assert.equal((await api("PUT", `/triggers/${table}`, definition)).status, 201);
        const before = await catalog();
        const again = await api("PUT", `/triggers/${table}`, definition);
        assert.equal(again.status, 200);
        assert.deepEqual(await catalog(), before);
        assert.deepEqual(again.json.columns, ["title"]);
        assert.equal(again.json.level, "row");
    });

    test("with POST chooses a name, and another one for the next", async () => {
        const table = await createTable();
        const names = [];
        for (let i = 0; i < 3; i++) {
            const response = await api("POST", "/triggers", { table });
            assert.equal(response.status, 201, response.body);
            assert.equal(response.headers.location, `/triggers/${response.json.name}`);
            assert.equal((await api("GET", response.headers.location)).status, 200);
            names.push(response.json.name);
        }
        assert.equal(new Set(names).size, 3);
    });

    test("as a dry run shows the statements and changes nothing", async () => {
        const table = await createTable();
        const before = await catalog();
        for (const [method, path] of [["PUT", `/triggers/${table}`], ["POST", "/triggers"]]) {
            const response = await api(method, `${path}?dry_run=true`, { table });
            assert.equal(response.status, 200, response.body);
            assert.ok(response.json.sql.length > 0 && response.json.sql.every((sql) => /^(CREATE OR REPLACE TRIGGER |SELECT tuplecast\.make_function\()/.test(sql)), response.body);
        }
        assert.deepEqual(await catalog(), before);
        assert.equal((await api("PUT", `/triggers/${table}`, { table })).status, 201);
        const dropping = await api("DELETE", `/triggers/${table}?dry_run=true`);
        assert.equal(dropping.status, 200);
        assert.match(dropping.json.sql[0], /^DROP TRIGGER /);
        assert.equal((await api("GET", `/triggers/${table}`)).status, 200);
    });

    test("sends the columns, old values and conditions that it names", async (t) => {
        const table = await createTable();
        const definition = { table, columns: ["title"], old: true, operations: ["INSERT", "UPDATE"], where: [{ column: "kind", op: "=", value: "news" }] };
        assert.equal((await api("PUT", `/triggers/${table}`, definition)).status, 201);
        const stream = await subscribe(t, gateway.stream(`${table}_changes`));
        await database.query(`INSERT INTO ${table} (title, kind) VALUES ('no', 'other'), ('yes', 'news')`);
        await database.query(`UPDATE ${table} SET title = title || '!'`);
        const [inserted, updated] = await stream.messages(2);
        assert.deepEqual([inserted.json.id, inserted.json.data], [2, { title: "yes" }]);
        assert.deepEqual([updated.json.data, updated.json.old, updated.json.changed], [{ title: "yes!" }, { title: "yes" }, ["title"]]);
    });

    test("by two gateways at once agrees", async (t) => {
        const table = await createTable();
        const other = await startGateway(t, env);
        await other.ready();
        const answers = await Promise.all([gateway, other, gateway, other].map((server, i) => api("PUT", `/triggers/${table}`, { table, channel: `c${i % 2}` }, {}, server)));
        assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 201]);
        const { json } = await api("GET", `/triggers/${table}`);
        assert.ok(["c0", "c1"].includes(json.channel) && json.stale.length === 0);
    });
});

describe("entity tags", () => {
    test("GET answers 304 to who has it; PUT and DELETE 412 to who has an older one", async () => {
        const table = await createTable();
        const path = `/triggers/${table}`;
        const { headers } = await api("PUT", path, { table });
        assert.match(headers.etag, /^"[0-9a-f]+"$/);
        const same = await api("GET", path, undefined, { "If-None-Match": headers.etag });
        assert.deepEqual([same.status, same.body], [304, ""]);
        assert.equal((await api("PUT", path, { table }, { "If-None-Match": "*" })).status, 412);
        assert.equal((await api("PUT", path, { table, old: true }, { "If-Match": '"0000"' })).status, 412);
        for (const tags of [`W/${headers.etag}`, `"x", ${headers.etag}`, ['"x"', headers.etag], "*"]) assert.equal((await api("GET", path, undefined, { "If-None-Match": tags })).status, 304, tags);
        assert.equal((await api("PUT", path, { table, old: true }, { "If-Match": Array(500).fill('"0123456789abcdef"').join(",") })).status, 412, "of more than 4096 bytes");
        const changed = await api("PUT", path, { table, old: true }, { "If-Match": ['"x"', headers.etag] });
        assert.equal(changed.status, 200, changed.body);
        assert.notEqual(changed.headers.etag, headers.etag);
        assert.equal((await api("DELETE", path, undefined, { "If-Match": headers.etag })).status, 412);
        assert.equal((await api("DELETE", path, undefined, { "If-Match": changed.headers.etag })).status, 204);
        assert.equal((await api("PUT", path, { table }, { "If-Match": "*" })).status, 412);
        assert.equal((await api("PUT", path, { table }, { "If-None-Match": "*" })).status, 201);
    });
});

describe("what cannot be done is refused with the reason, and nothing changes", () => {
    const refusals = [
        ["a view", 422, /is a view/, "CREATE VIEW %t AS SELECT 1 AS id"],
        ["a materialized view", 422, /materialized/, "CREATE MATERIALIZED VIEW %t AS SELECT 1 AS id"],
        ["a sequence", 422, /sequence/, "CREATE SEQUENCE %t"],
        ["a missing table", 404, /There is no table/, "SELECT 1"],
    ];
    for (const [what, status, reason, sql] of refusals)
        test(what, async () => {
            const table = `odd_${++tables}`;
            await database.query(sql.replace("%t", table));
            const before = await catalog();
            const response = await api("PUT", `/triggers/${table}`, { table });
            assert.equal(response.status, status, response.body);
            assert.match(response.headers["content-type"], /^application\/problem\+json/);
            assert.match(response.json.detail, reason);
            assert.equal(response.json.sqlstate.length, 5);
            assert.deepEqual(await catalog(), before);
        });

    test("missing columns, bad literals, other methods, types and parameters", async () => {
        const table = await createTable();
        const before = await catalog();
        const put = (definition, headers, path = `/triggers/${table}`) => api("PUT", path, definition, headers);
        assert.equal((await put({ table, columns: ["nope"] })).status, 422);
        assert.match((await put({ table, columns: ["nope"] })).json.detail, /"nope"/);
        assert.equal((await put({ table, where: [{ column: "id", op: "=", value: "x" }] })).status, 422);
        assert.equal((await put({ table }, { "Content-Type": "text/plain" })).status, 415);
        assert.equal((await put({ table }, {}, `/triggers/${table}?dryrun=1`)).status, 400);
        for (const query of ["dry_run=perhaps", "dry_run=", "dry_run", "dry_run=TRUE", "dry_run=true&dry_run=true", "dry_run=true&dry_run=false", "dry_run=false&dry_run=true"])
            for (const [method, path, body] of [["PUT", `/triggers/${table}`, { table }], ["POST", "/triggers", { table }], ["DELETE", `/triggers/${table}`]]) {
                const refused = await api(method, `${path}?${query}`, body);
                assert.deepEqual([refused.status, refused.json.detail], [400, query.includes("&") ? 'The parameter "dry_run" is given twice.' : "dry_run is true or false."]);
            }
        for (const query of ["whole_channel=1", "whole_channel=", "whole_channel", "whole_channel=true&whole_channel=true", "whole_channel=true&dry_run"])
            for (const [method, path] of [["PUT", `/triggers/${table}`], ["POST", "/triggers"]]) {
                const refused = await api(method, `${path}?${query}`, { table });
                assert.equal(refused.status, 400);
                assert.match(refused.json.detail, /^The parameter "whole_channel" is given twice\.$|^(whole_channel|dry_run) is true or false\.$/);
            }
        for (const [method, path] of [["DELETE", `/triggers/${table}`], ["GET", `/triggers/${table}`], ["GET", "/triggers"]])
            assert.match((await api(method, `${path}?whole_channel=true`)).json.detail, /^The parameter "whole_channel" is not known here/);
        assert.match((await put({ table, row_security: "respected" })).json.detail, /^`row_security` must be "ignored", which means that /);
        assert.match((await put({ table, whole_channel: true })).json.detail, /^`whole_channel` is not known/);
        assert.equal((await api("GET", "/triggers?schema=public&schema=other")).status, 400);
        for (const operations of [["insert"], ["Insert"], ["INSERT", "update"]]) {
            const refused = await put({ table, operations });
            assert.equal(refused.status, 422);
            assert.match(refused.json.detail, /in capitals/);
        }
        assert.equal((await put({ table }, { Authorization: "Bearer wrong" })).status, 401);
        assert.equal((await put("x".repeat(70_000))).status, 413);
        assert.equal((await put("{")).status, 400);
        assert.equal((await put({ table: { schema: "pg_catalog", name: "pg_class" } })).status, 403);
        assert.equal((await api("PATCH", `/triggers/${table}`)).status, 405);
        assert.equal((await api("DELETE", "/triggers/nothing")).status, 404);
        assert.deepEqual(await catalog(), before);
    });

    test("a table that is locked: 409 after two seconds, and nobody else waits meanwhile", { timeout: 30_000 }, async (t) => {
        const table = await createTable();
        const holder = await database.connect(t);
        await holder.query("BEGIN");
        await holder.query(`INSERT INTO ${table} (title) VALUES ('long')`);
        const stream = await subscribe(t, gateway.stream("others"));
        const from = performance.now();
        const refused = api("PUT", `/triggers/${table}`, { table });
        for (let i = 0; i < 5; i++) {
            const begin = performance.now();
            assert.equal((await gateway.get("/livez")).status, 200);
            await database.notify("others", JSON.stringify({ n: i }));
            await stream.messages(1);
            assert.ok(performance.now() - begin < 1000, "a request and an event while the DDL waits");
        }
        const { status, json } = await refused;
        assert.equal(status, 409);
        assert.match(json.hint, /[0-9]/);
        assert.ok(performance.now() - from < 4000);
        await holder.query("ROLLBACK");
        assert.equal((await api("PUT", `/triggers/${table}`, { table })).status, 201);
    });

    test("2,000 bad requests, each with the status that is due to it", { timeout: 120_000 }, async (t) => {
        const table = await createTable();
        await database.query(`CREATE VIEW ${table}_view AS SELECT 1 AS id; CREATE TEMPORARY TABLE fleeting (id integer)`);
        const before = await catalog();
        const seen = {};
        for (let i = 0; i < 2000; i++) {
            const { status, body, path = `/triggers/bad_${i}`, type = "application/json", method = i % 7 === 0 ? "POST" : "PUT" } = badRequest(i, table);
            const target = method === "POST" && path.startsWith("/triggers/bad_") ? "/triggers" : path;
            const response = await api(method, target, body, { "Content-Type": type });
            assert.equal(response.status, status, `${method} ${target} ${body.slice(0, 300)}: ${response.body}`);
            assert.match(response.headers["content-type"], /^application\/problem\+json/);
            assert.ok(response.json.status === status && response.json.detail.length > 10, response.body);
            seen[status] = (seen[status] ?? 0) + 1;
        }
        t.diagnostic(JSON.stringify(seen));
        assert.deepEqual(Object.keys(seen), ["400", "403", "404", "413", "415", "422"]);
        assert.deepEqual(await catalog(), before);
        assert.equal((await gateway.get("/livez")).status, 200);
    });
});

/** The i-th bad request: {status, body, ...}. Every kind comes again and again, with other details. */
function badRequest(i, table) {
    let seed = i * 2654435761 + 12345;
    const roll = (n) => Math.floor(((seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x80000000) * n);
    const pick = (list) => list[roll(list.length)];
    const define = (more) => JSON.stringify({ table, ...more });
    const good = define({ operations: ["INSERT"], columns: ["title"], where: [{ column: "kind", op: "=", value: pick(["a", "ä", "🙂", 'q"']) }] });
    const numbers = [0, 1, -1.5, 1e308, 12345678901];
    const names = ["", "a\nb", "\u007f", "x".repeat(64 + roll(40)), "ä".repeat(32), "nul\u0000"];
    const notText = [null, true, [], {}, ...numbers];
    const notList = [null, true, "title", {}, ...numbers];
    const notSwitch = [null, "true", 0, 1, [], {}];
    const absent = `nope_${roll(1000)}`;
    const condition = (item) => [422, define({ where: [item] })];
    const kinds = [
        // not JSON
        () => [400, good.slice(0, roll(good.length - 1) + 1)],
        () => [400, good + pick(["x", "}", "{}", ",", "\u0000"])],
        () => [400, good.replaceAll('"', "'")],
        () => [400, good.replace("INSERT", () => pick(["\\x", "\\u12", "\t", "\u0001", "\\"]))],
        () => [400, `{"table":${pick(["NaN", "Infinity", "01", "+1", ".5", "1.", "0x1", "tru", "nul", "undefined", "-"])}}`],
        () => [400, pick(["", " ", "\n", "{", "}", "[", "{,}", '{"table"}', '{"table":}', `{"table":"${table}",}`, `{table:"${table}"}`, "/* */{}", "\ufeff{}"])],
        () => [400, `{"table":"${table}","where":${"[".repeat(9 + roll(3000))}`],
        () => [400, `{"table":"${table}","where":${"[".repeat(9 + roll(20))}1${"]".repeat(100)}`],
        // JSON, but no definition
        () => [422, pick(["null", "true", "1", '"text"', "[]", `["${table}"]`, `[{"table":"${table}"}]`, "-0.0"])],
        () => [422, JSON.stringify(pick([{}, { operations: ["INSERT"] }, { Table: table }, { "": table }]))],
        () => [422, define({ [pick(["colums", "Channel", "", "x".repeat(500), "__proto__x", "if", "level", "name", "schema"])]: pick([1, "a", null, []]) })],
        () => [422, `{"table":"${table}","${pick(["table", "\\u0074able"])}":"${table}"}`],
        () => [422, JSON.stringify({ table: pick([...notText, ...names, "a.b.c", ".a", "a.", ".", "..", { name: 1 }, { schema: "public" }, { name: table, schema: 1 }, { name: table, x: 1 }, { name: "" }]) })],
        () => [422, define({ channel: pick([...notText, ...names]) })],
        () => [422, define({ operations: pick([...notList, [], [null], [1], ["INSERT", "INSERT"], ["SELECT"], ["INSERT "], ["insert"], [["INSERT"]], ["INSERT", null]]) })],
        () => [422, define({ [pick(["columns", "update_of"])]: pick([...notList, [], [null], [1], [[]], [""], ["title", "title"], [absent], ["TITLE"], ['"title"'], ["title", absent], names, Array(2000).fill("title")]) })],
        () => [422, define({ [pick(["old", "durable", "always"])]: pick(notSwitch) })],
        () => [422, define({ [pick(["row_security", "prepare_transaction"])]: pick([...notText, "", "ignore", "Ignored", "fail", "true"]) })],
        () => [422, define({ level: "statement", ...pick([{ update_of: ["title"], operations: ["UPDATE"] }, { where: [{ column: "kind", op: "is null" }] }]) })],
        () => [422, define({ update_of: ["title"], operations: pick([["INSERT"], ["DELETE", "TRUNCATE"]]) })],
        () => [422, define({ where: pick([null, true, "kind = 'a'", {}, [null], [1], ["kind"], [[]], [{}], ...numbers]) })],
        () => condition({ column: pick([absent, ...names, null, 1]), op: "=", value: "a" }),
        () => condition({ column: "kind", op: pick(["~", "==", "!=", "like", "IN", "or", "", "= ", ";", null, 1, "is", "between"]), value: "a" }),
        () => condition({ column: "kind", op: pick(["=", "<", ">="]), value: pick([null, [], {}, ["a"], "x".repeat(9000), "nul\u0000"]) }),
        () => condition({ column: "kind", op: "in", value: pick([null, "a", 1, [], {}, [null], [[]], ["a", {}]]) }),
        () => condition({ column: "kind", op: pick(["is null", "is not null"]), value: pick([null, "a"]) }),
        () => condition({ column: "kind", op: "=", value: "a", [pick(["and", "or", "cast", ""])]: 1 }),
        () => condition(pick([{ column: "kind", op: "=" }, { column: "kind", value: 1 }, { op: "=", value: 1 }])),
        () => condition({ column: "id", op: pick(["=", "<"]), value: pick(["x", "", "1.5", "99999999999", true, "1; DROP TABLE x", "0x"]) }),
        () => condition({ column: "id", op: "in", value: [1, pick(["x", "1e1000", "--"])] }),
        // JSON and a definition, but not possible
        () => [404, JSON.stringify({ table: pick([absent, `public.${absent}`, table.toUpperCase(), `${table} `, `"${table}"`, `${table};DROP TABLE ${table}`, { name: `${table}.x` }]) })],
        () => [403, JSON.stringify({ table: pick(["pg_catalog.pg_class", "information_schema.tables", "tuplecast.log", { schema: "pg_toast", name: "x" }, { schema: absent, name: table }, { schema: "PUBLIC", name: table }]) })],
        () => [422, JSON.stringify({ table: `${table}_view`, old: pick([true, false]) })],
        // or not even looked at
        () => [415, good, { type: pick(["text/plain", "application/jsonx", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"]) }],
        () => [413, `{"table":"${"x".repeat(66_000 + roll(20_000))}"}`],
        () => [400, good, { path: `/triggers/${pick(["a%20b", "%C3%A4", "a%2Fb", "a%00", "x".repeat(41), "%27", "a;b", "a:b"])}`, method: "PUT" }],
        () => [400, good, { path: `/triggers/bad_${i}?${pick(["dry_run=perhaps", "dry_run=", "dry_run=true&dry_run=true", "dryrun=true", "x"])}`, method: "PUT" }],
    ];
    const [status, body, more] = kinds[i % kinds.length]();
    return { status, body, ...more };
}

describe("who may touch what", () => {
    test("only the tables of triggers.tables, for PUT, POST and DELETE", async (t) => {
        const [allowed, other] = [await createTable(), await createTable()];
        const limited = await startGateway(t, { ...env, TUPLECAST_TRIGGERS_TABLES: `public.${allowed}` });
        await limited.ready();
        assert.equal((await api("PUT", `/triggers/${allowed}`, { table: allowed }, {}, limited)).status, 201);
        assert.equal((await api("POST", "/triggers", { table: other }, {}, limited)).status, 403);
        assert.equal((await api("PUT", `/triggers/${other}`, { table: other })).status, 201);
        assert.equal((await api("DELETE", `/triggers/${other}`, undefined, {}, limited)).status, 403);
        assert.equal((await api("GET", `/triggers/${other}`)).status, 200);
        assert.equal((await api("DELETE", `/triggers/${allowed}`, undefined, {}, limited)).status, 204);
    });

    test("a whole channel is moved only when all of its tables are among those of triggers.tables", async (t) => {
        const [allowed, other] = [await createTable(), await createTable()];
        const limited = await startGateway(t, { ...env, TUPLECAST_TRIGGERS_TABLES: `public.${allowed}` });
        await limited.ready();
        const channel = `${allowed}_shared`;
        const move = (method, path, query) => api(method, `${path}?whole_channel=true${query}`, { table: allowed, channel }, {}, limited);
        assert.equal((await api("PUT", `/triggers/${other}`, { table: other, channel })).status, 201);
        const before = await catalog();
        for (const [method, path] of [["PUT", `/triggers/${allowed}`], ["POST", "/triggers"]])
            for (const query of ["", "&dry_run=true"]) {
                const refused = await move(method, path, query);
                assert.equal(refused.status, 403, refused.body);
                assert.ok(refused.json.detail.includes(`"public.${other}"`), refused.body);
            }
        assert.deepEqual(await catalog(), before);
        assert.equal((await api("DELETE", `/triggers/${other}`)).status, 204);
        assert.equal((await move("PUT", `/triggers/${allowed}`, "&dry_run=true")).status, 200);
        assert.deepEqual((await move("PUT", `/triggers/${allowed}`, "")).json.channel, channel);
        assert.equal((await move("POST", "/triggers", "")).status, 201);
    });

    test("the gateway's role needs no rights, the installer's ours and those of the tables' owner", async (t) => {
        const suffix = database.name;
        await database.query(`CREATE ROLE gateway_${suffix} LOGIN`);
        await database.query(`CREATE ROLE installer_${suffix} LOGIN`);
        await database.query(`CREATE ROLE app_${suffix}`);
        await database.query(`GRANT app_${suffix} TO installer_${suffix}; SELECT tuplecast.grant_installer('installer_${suffix}')`);
        const table = await createTable();
        await database.query(`ALTER TABLE ${table} OWNER TO app_${suffix}`);
        const refused = await startGateway(t, { ...env, TUPLECAST_DATABASE: `user=gateway_${suffix} dbname=${database.name}` });
        await refused.ready();
        assert.equal((await api("PUT", `/triggers/${table}`, { table }, {}, refused)).status, 403);
        const separate = await startGateway(t, {
            ...env,
            TUPLECAST_DATABASE: `user=gateway_${suffix} dbname=${database.name}`,
            TUPLECAST_TRIGGERS_DATABASE: `user=installer_${suffix} dbname=${database.name}`,
        });
        await separate.ready();
        assert.equal((await api("PUT", `/triggers/${table}`, { table }, {}, separate)).status, 201);
        const stream = await subscribe(t, separate.stream(`${table}_changes`));
        await database.query(`INSERT INTO ${table} (title) VALUES ('x')`);
        assert.equal((await stream.messages(1))[0].json.data.title, "x");
        const gatewayRole = await database.connect(t);
        await gatewayRole.query(`SET SESSION AUTHORIZATION gateway_${suffix}`);
        for (const sql of ["SELECT * FROM tuplecast.log", "SELECT tuplecast.make_tick(0, 'causal')", "SELECT * FROM tuplecast.read_events(0, 1, '{a}', 1, 1)",
            "INSERT INTO tuplecast.log (channel, head) VALUES ('a', '')", `SELECT * FROM ${table}`, "CREATE TABLE tuplecast.mine ()"])
            await assert.rejects(gatewayRole.query(sql), /permission denied/, sql);
    });

    test("tables and channels are listed", async (t) => {
        const table = await createTable();
        await api("PUT", `/triggers/${table}`, { table });
        const listed = (await api("GET", "/tables?schema=public")).json.items.find((item) => item.table === table);
        assert.deepEqual([listed.key, listed.triggers, listed.possible], [["id"], [table], true]);
        assert.deepEqual(listed.columns.map(({ name }) => name), ["id", "title", "kind"]);
        assert.equal((await gateway.get("/tables")).status, 401);
        await subscribe(t, gateway.stream(`${table}_changes`));
        await until(async () => (await gateway.get("/channels")).json.items.some((item) => item.channel === `${table}_changes` && item.streams === 1), "the channel");
        assert.deepEqual((await gateway.get("/channels")).json.patterns, ["*"]);
    });
});
