// What anybody who can connect may try against the channels of others: locks, notifications, triggers made by hand, transactions that stay
// open. Channels go on, lists and PUT and setup work, and no gap is missing where something is.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { isDurable, listOver, openField, PATIENCE_MS, putOver, TOKEN, tries, watch } from "./lib/attackers.mjs";
import { Listener, put } from "./lib/changes.mjs";
import { run } from "./lib/gateway.mjs";
import { openStream, subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const file = wholeFile();
const LIMITS = { timeout: 240_000 };
let field, database;

before(async () => {
    field = await openField(file);
    ({ database } = field);
    for (const [name, more] of Object.entries({ plain: {}, durable: { durable: true } })) {
        await field.table(name);
        const installer = await field.as(undefined, "installer");
        await put(installer, name, watch(name, more));
        await installer.end();
    }
}, LIMITS);

let last = 0;
/** Writes a row, and waits until the stream has it and nothing else; resolves with the milliseconds that it took. */
async function passes(stream, table, deadlineMs = PATIENCE_MS) {
    const id = ++last;
    const from = performance.now();
    await field.by("writer", `INSERT INTO app.${table} VALUES (${id}, 'genuine')`);
    const event = await stream.next(({ name }) => name !== "status", deadlineMs);
    assert.deepEqual([event.name, event.json.data], ["message", { id, a: "genuine" }], event.raw);
    return performance.now() - from;
}

/** All keys of advisory locks that we may use: those that are known, those that our code names, and those that our sessions hold. */
async function lockAll(client) {
    const sources = (await database.query("SELECT prosrc FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace")).flat().join("\n");
    const texts = new Set(["tuplecast setup", ...["plain", "durable", "fresh"].map((name) => `tuplecast trigger ${name}`), ...Array.from({ length: 3000 }, (_, i) => `tuplecast slot ${i}`)]);
    for (const [, text] of sources.matchAll(/hashtext(?:extended)?\('([^']+)'/g)) for (const end of ["", "plain", "fresh", "1"]) texts.add(text + end);
    const classes = new Set(["1953853548", ...[...sources.matchAll(/advisory\w*\((\d+)/g)].map(([, number]) => number)]);
    await client.query("SELECT count(pg_advisory_lock(hashtextextended(t, 0))), count(pg_advisory_lock(hashtext(t))) FROM unnest($1::text[]) t WHERE pg_try_advisory_lock(hashtextextended(t, 0))", [[...texts]]);
    for (const number of classes) for (let object = 0; object < 10; object++) await client.query("SELECT pg_try_advisory_lock($1::int, $2::int)", [number, object]);
    await client.query(`SELECT CASE objsubid WHEN 1 THEN pg_try_advisory_lock_shared((classid::bigint << 32) | objid::bigint) ELSE pg_try_advisory_lock_shared(classid::int, objid::int) END
                          FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()`);
    return Number((await client.query("SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")).rows[0].n);
}

describe("advisory locks that a stranger holds", () => {
    test("stop no durable channel, whether they came before the gateway or after", LIMITS, async (t) => {
        const early = await field.as(t, "stranger");
        t.diagnostic(`${await lockAll(early)} locks`);
        const gateway = await field.startGateway(t);
        await isDurable(gateway);
        const stream = await subscribe(t, gateway.stream("durable_changes"));
        for (let i = 0; i < 3; i++) await passes(stream, "durable", 15_000);
        await early.end();
        const late = await field.as(t, "stranger");
        await lockAll(late);
        for (let i = 0; i < 3; i++) await passes(stream, "durable", 15_000);
        // The lead goes, and another one comes.
        const second = await field.startGateway(t);
        await isDurable(second);
        const other = await subscribe(t, second.stream("durable_changes"));
        stream.close();
        await gateway.kill();
        await lockAll(late);
        for (let i = 0; i < 3; i++) await passes(other, "durable", PATIENCE_MS);
        await late.end();
    });

    test("stop no PUT and no setup", LIMITS, async (t) => {
        const gateway = await field.startGateway(t);
        await field.table("fresh");
        await field.table("other");
        const installer = await field.as(t, "installer");
        await installer.query("BEGIN");
        await put(installer, "other", watch("other"));
        const held = await database.query("SELECT classid, objid, objsubid FROM pg_locks WHERE locktype = 'advisory'");
        await installer.query("ROLLBACK");
        const stranger = await field.as(t, "stranger");
        await lockAll(stranger);
        for (const [space, object, kind] of held)
            await stranger.query(kind === "1" ? `SELECT pg_try_advisory_lock((${space}::bigint << 32) | ${object}::bigint)` : `SELECT pg_try_advisory_lock(${space}::oid::int, ${object}::oid::int)`);
        for (const [name, more] of Object.entries({ fresh: {}, plain: { operations: ["INSERT", "UPDATE"] }, other: { durable: true } })) {
            const answer = await putOver(gateway, name, watch(name, more));
            assert.ok(answer.status < 300, `${name}: ${answer.body}`);
        }
        assert.equal((await putOver(gateway, "plain", watch("plain"))).status, 200);
        for (const args of [["--dry-run"], []]) {
            const { code, stderr } = await run(["setup", ...args], field.env, 20_000);
            assert.equal(code, 0, stderr);
        }
    });
});

const PAYLOADS = ["tick", "tick 0", "tick 1", "tick -1", "tick 9223372036854775807", "tick 99999999999999999999999", "tick 2 3", "wake", "alive", "alive 1", "triggers", "", "sleep", "{}",
    `${"x".repeat(7900)}`, "begin 1", "tick\u0001", "tick 1e9"];

/** Sends our own notifications until it is told to stop. */
function flood(client, channel, payloads) {
    const state = { sent: 0, stop: false };
    state.done = (async () => {
        while (!state.stop) {
            await client.query("SELECT count(pg_notify($1, p || CASE WHEN p = 'tick ' THEN i::text ELSE '' END)) FROM unnest($2::text[]) p, generate_series(1, 20) i", [channel, payloads]);
            state.sent += payloads.length;
        }
    })();
    return state;
}

describe("notifications that a stranger forges", () => {
    let gateway;

    before(async () => {
        gateway = await field.startGateway(file);
        await isDurable(gateway);
    });

    for (const [name, payloads] of [...PAYLOADS.map((payload) => [payload.slice(0, 25), [payload]]), ["all of them", [...PAYLOADS, "tick "]]])
        test(`a flood of ${JSON.stringify(name)} on our own channel stops and delays nothing`, LIMITS, async (t) => {
            const durable = await subscribe(t, gateway.stream("durable_changes"));
            const live = await subscribe(t, gateway.stream("plain_changes"));
            const state = flood(await field.as(t, "stranger"), "tuplecast", payloads);
            t.after(() => (state.stop = true));
            await until(() => state.sent > 50 * payloads.length, "the flood");
            const times = [];
            for (let i = 0; i < 5; i++) times.push(await passes(durable, "durable", 20_000), await passes(live, "plain", 20_000));
            state.stop = true;
            await state.done;
            t.diagnostic(`${state.sent} sent; the longest way took ${Math.round(Math.max(...times))} ms`);
            for (const stream of [durable, live]) assert.deepEqual(stream.events.filter((event) => event.name === "gap"), []);
        });

    test("on a durable channel is none of its events, and its gateway counts on", LIMITS, async (t) => {
        const stream = await subscribe(t, gateway.stream("durable_changes"));
        await passes(stream, "durable");
        const forged = '{"schema":"app","table":"durable","type":"INSERT","id":666,"data":{"id":666,"a":"forged"}}';
        for (const payload of [forged, "tick 1", `{"_":1${forged.slice(1)}`]) await field.by("stranger", `SELECT pg_notify('durable_changes', '${payload}')`);
        await passes(stream, "durable");
    });

    test("a sign of life does not keep a frozen lead in office", LIMITS, async (t) => {
        const gateways = [gateway, await field.startGateway(t)];
        for (const gateway of gateways) await isDurable(gateway);
        const lead = await until(async () => {
            for (const gateway of gateways) if ((await gateway.metric("tuplecast_durable_lead")) === 1) return gateway;
        }, "a lead", PATIENCE_MS);
        const other = gateways.find((gateway) => gateway !== lead);
        const stream = await subscribe(t, other.stream("durable_changes"));
        await passes(stream, "durable");
        t.after(() => lead.signal("SIGCONT"));
        const state = flood(await field.as(t, "stranger"), "tuplecast", ["alive", "wake"]);
        t.after(() => (state.stop = true));
        lead.signal("SIGSTOP");
        await passes(stream, "durable", PATIENCE_MS);
        state.stop = true;
        await state.done;
        lead.signal("SIGCONT");
        await passes(stream, "durable", PATIENCE_MS);
    });
});

const HOSTILE = ["'['", "repeat('[', 20000)", "repeat('{\"a\":', 20000)", `'{"columns":[[["a"]]]}'`, `'{"columns":"a"}'`, `'{"columns":{"a":1}}'`, `'{"where":[1,2]}'`, `'{"where":[{"column":{}}]}'`, `'{"where":{"a":1}}'`,
    `'{"durable":true}'`, `'{"durable":"true"}'`, `'{"durable":[1]}'`, `'{"old":"maybe"}'`, `'{"old":{}}'`, `'{"level":"row","level":7}'`, `'{"update_of":5}'`, `'{"update_of":[null]}'`, "'null'", "'7'", "'\"\"'",
    `'{"columns":[1e400000]}'`, "repeat('x', 1000000)", `E'\\u00e9\\uffff\\\\u0000'`, `'{"columns":["\\u0000"]}'`, `'{"always":1,"row_security":1,"prepare_transaction":[]}'`, "''"];
const HOSTILE_NAMES = ["tuplecast:by hand:insert", "tuplecast::insert", "tuplecast:plain:insert", "tuplecast:a:b:c:row", `tuplecast:"';\\:row`, "tuplecast:%s%I:truncate", "tuplecast:$current:update", "tuplecast:\n:key", "tuplecast:plain:leave"];

/** Triggers of ours with hostile arguments and names, as many as PostgreSQL lets the role make on tables of its own. */
async function makeByHand(client, prefix) {
    const functions = (await database.query("SELECT oid::regproc::text FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND prorettype = 'trigger'::regtype")).flat();
    let made = 0;
    const table = async (suffix) => {
        await client.query(`CREATE TABLE ${prefix}_${suffix} (id integer PRIMARY KEY, a text)`);
        return `${prefix}_${suffix}`;
    };
    const create = async (on, name, fn, channel, words) => {
        const literal = (await client.query(`SELECT quote_literal(${words}) AS literal`)).rows[0].literal;
        const quoted = `"${name.replaceAll('"', '""')}"`;
        for (const form of [`AFTER INSERT ON ${on} REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT`, `AFTER INSERT ON ${on} FOR EACH ROW`])
            if (await tries(client, `CREATE TRIGGER ${quoted} ${form} EXECUTE FUNCTION ${fn}(${channel}, ${literal}, 'INSERT NONSENSE')`)) {
                made++;
                return;
            }
    };
    for (const [i, words] of HOSTILE.entries()) await create(await table(`words_${i}`), "tuplecast:by hand:insert", functions[i % functions.length], "'plain_changes'", words);
    for (const [i, name] of HOSTILE_NAMES.entries()) await create(await table(`name_${i}`), name, functions[i % functions.length], "'plain_changes'", "''");
    for (const [i, fn] of functions.entries()) {
        const on = await table(`function_${i}`);
        for (const words of ["", "''", "'plain_changes'"]) if (await tries(client, `CREATE TRIGGER "tuplecast:bare ${words.length}:row" AFTER INSERT ON ${on} FOR EACH ROW EXECUTE FUNCTION ${fn}(${words})`)) made++;
    }
    return made;
}

describe("triggers of ours that somebody makes by hand, with hostile arguments and names", () => {
    for (const [role, prefix] of Object.entries({ stranger: "pg_temp.t", creator: "public.t", owner: "app.t", installer: "pg_temp.t", postgres: "public.super" }))
        test(`by the ${role}: lists, PUT, streams and setup go on`, LIMITS, async (t) => {
            const gateway = await field.startGateway(t);
            await isDurable(gateway);
            const live = await subscribe(t, gateway.stream("plain_changes"));
            const durable = await subscribe(t, gateway.stream("durable_changes"));
            const client = await field.as(t, role);
            t.after(async () => {
                await client.end();
                await database.query(`DO $$ DECLARE r record; BEGIN
                    FOR r IN SELECT oid::regclass AS name FROM pg_class WHERE relkind = 'r' AND relname ~ '^(t|super)_(words|name|function)_[0-9]+$' AND relpersistence = 'p'
                    LOOP EXECUTE 'DROP TABLE ' || r.name; END LOOP; END $$`);
            });
            t.diagnostic(`${await makeByHand(client, prefix)} triggers`);
            const headers = { Authorization: `Bearer ${TOKEN}` };
            for (const path of ["/triggers", "/triggers/plain", "/tables", "/triggers?channel=plain_changes"]) {
                const answer = await gateway.get(path, { headers });
                assert.equal(answer.status, 200, `${path}: ${answer.body}`);
            }
            const name = `after_${role}`;
            await field.table(name);
            for (const more of [{}, { old: true }]) {
                const answer = await putOver(gateway, name, watch(name, { durable: true, ...more }));
                assert.ok(answer.status < 300, answer.body);
            }
            const answer = await putOver(gateway, "plain", watch("plain", { operations: ["INSERT"] }));
            assert.ok(answer.status < 300, answer.body);
            assert.ok((await putOver(gateway, "plain", watch("plain"))).status < 300);
            // The gateways have asked anew which channels are durable when this one is.
            const fresh = await openStream(t, gateway.stream(`${name}_changes`));
            await fresh.next("ready", PATIENCE_MS);
            await until(async () => JSON.parse((await gateway.get("/channels")).body).items.some((item) => item.channel === `${name}_changes` && item.durable), "the new channel is durable", PATIENCE_MS);
            await passes(live, "plain");
            await passes(durable, "durable");
            const { code, stderr } = await run(["setup"], field.env, PATIENCE_MS);
            assert.equal(code, 0, stderr);
            assert.deepEqual(await field.gains(), []);
        });
});

describe("a trigger of ours whose owner gives it other arguments", () => {
    /** All parts of the trigger again, with another channel and other options; those whose functions the owner may not use are dropped. */
    async function redirect(client, name, channel, more) {
        const parts = await database.query(
            "SELECT full_name, function, argument, array_to_string(operations, ' '), pg_get_triggerdef(trigger) FROM tuplecast.parts WHERE name = $1", [name]);
        let made = 0;
        for (const [fullName, , argument, operations, definition] of parts) {
            const words = [channel, JSON.stringify({ ...JSON.parse(argument || "{}"), ...more }), operations].map((word) => `'${word}'`);
            if (await tries(client, definition.replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER").replace(/(EXECUTE FUNCTION [^(]*)[^]*$/, (all, call) => `${call}(${words})`))) made++;
            else await client.query(`DROP TRIGGER "${fullName}" ON app.${name}`);
        }
        assert.ok(made >= 3, `${made} parts are made anew`);
        await client.query("SELECT pg_notify('tuplecast', 'triggers')");
        return parts.map(([, fn]) => fn).filter((fn) => /[0-9]$/.test(fn));
    }

    async function make(t, name, more) {
        await field.by("owner", `CREATE TABLE app.${name} (id integer PRIMARY KEY, a text) PARTITION BY HASH (id)`, `CREATE TABLE app.${name}_0 PARTITION OF app.${name} FOR VALUES WITH (MODULUS 1, REMAINDER 0)`);
        const installer = await field.as(t, "installer");
        await put(installer, name, watch(name, more));
        t.after(() => field.by("owner", `DROP TABLE app.${name}`));
        return field.as(t, "owner");
    }

    test("silences no live channel by the word durable, and keeps nobody from putting triggers on it", LIMITS, async (t) => {
        const gateway = await field.startGateway(t);
        await isDurable(gateway);
        const stream = await subscribe(t, gateway.stream("plain_changes"));
        await redirect(await make(t, "shouted", {}), "shouted", "plain_changes", { durable: true });
        const answer = await putOver(gateway, "plain", watch("plain", { operations: ["INSERT"] }));
        assert.ok(answer.status < 300, answer.body);
        assert.ok((await putOver(gateway, "plain", watch("plain"))).status < 300);
        await passes(stream, "plain");
        assert.deepEqual(await database.query("SELECT * FROM tuplecast.durable_channels() c WHERE c = 'plain_changes'"), []);
        const told = JSON.parse((await listOver(gateway)).body).items.find(({ name }) => name === "shouted");
        assert.deepEqual([told.channel, told.durable, told.stale], ["shouted_changes", false, ["Its parts are not as they were put: put it again."]]);
    });

    test("forges no event of another durable channel, and silences no live one, also while the gateway's rights are missing", LIMITS, async (t) => {
        const gateway = await field.startGateway(t);
        await isDurable(gateway);
        const durable = await subscribe(t, gateway.stream("durable_changes"));
        const own = await subscribe(t, gateway.stream("whispered_changes"));
        const client = await make(t, "whispered", { durable: true });
        const functions = await redirect(client, "whispered", "durable_changes", {});
        // Whoever says that a function is out of date has it written anew; this is what a gateway does then.
        await client.query("ALTER TABLE app.whispered ADD COLUMN b text");
        const gateways = await field.as(t, "gateway");
        for (const fn of functions) await gateways.query("SELECT tuplecast.refresh_function($1)", [fn]);
        await client.query("INSERT INTO app.whispered VALUES (1, 'forged', 'b')");
        await passes(durable, "durable");
        assert.equal((await own.next(({ name }) => name === "message", PATIENCE_MS)).json.table, "whispered");

        await redirect(client, "whispered", "plain_changes", {});
        await database.query(`REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tuplecast FROM ${field.roles.gateway}`);
        t.after(() => field.grant());
        const second = await field.startGateway(t);
        await until(async () => /no durable channels/.test((await second.get("/readyz")).body), "it is refused", PATIENCE_MS);
        const live = await subscribe(t, second.stream("plain_changes"));
        await passes(live, "plain");
    });
});

test("a transaction that a stranger keeps open, with savepoints and an old snapshot, delays nothing", LIMITS, async (t) => {
    const gateway = await field.startGateway(t);
    await isDurable(gateway);
    const stream = await subscribe(t, gateway.stream("durable_changes"));
    const stranger = await field.as(t, "stranger");
    await stranger.query("BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE TEMP TABLE mine (id int); SELECT pg_current_xact_id()");
    for (let i = 0; i < 200; i++) await stranger.query(`SAVEPOINT s${i}; INSERT INTO mine VALUES (${i})`);
    for (let i = 0; i < 5; i++) await passes(stream, "durable", 15_000);
    assert.ok((await listOver(gateway)).status === 200);
    await stranger.query("ROLLBACK");
});

test("who may write to a live table cannot take its rows out of the stream by his session's settings", LIMITS, async (t) => {
    const listener = await Listener.open(t, database, "plain_changes");
    const writer = await field.as(t, "writer");
    const settings = { search_path: "''", standard_conforming_strings: "off", quote_all_identifiers: "on", transform_null_equals: "on", row_security: "off", "plpgsql.extra_errors": "'all'",
        "plpgsql.extra_warnings": "'all'", check_function_bodies: "off", array_nulls: "off", default_transaction_isolation: "serializable", client_encoding: "LATIN1", plan_cache_mode: "force_generic_plan",
        enable_seqscan: "off", work_mem: "'64kB'", bytea_output: "escape", DateStyle: "German", statement_timeout: "'60s'", jit_above_cost: 0, xmloption: "document", exit_on_error: "on" };
    for (const [name, value] of Object.entries(settings)) {
        await writer.query(`SET ${name} = ${value}`);
        for (const count of [1, 30]) {
            await writer.query(`INSERT INTO app.plain SELECT i, 'a' FROM pg_catalog.generate_series(100001, 100000 + ${count}) i`);
            await writer.query("DELETE FROM app.plain WHERE id > 100000");
            const events = await listener.events();
            assert.deepEqual(events.map(({ type }) => type), [...Array(count).fill("INSERT"), ...Array(count).fill("DELETE")], name);
        }
    }
});
