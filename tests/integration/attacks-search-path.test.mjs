// Operators and functions in `public` that fit better than those of pg_catalog, in the default search_path; and equal ones in front of
// pg_catalog, in the search_path of a role or a database. Nothing of ours finds them: setup, removal, lists, triggers, ticks, history,
// retention, writers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isDurable, listOver, openField, PATIENCE_MS, putOver, watch } from "./lib/attackers.mjs";
import { Listener } from "./lib/changes.mjs";
import { hijack } from "./lib/hijack.mjs";
import { run } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const LIMITS = { timeout: 300_000 };

/** All that we do in a database, once. `hold` lets the gateway live until retention has run. */
async function everything(t, field, env, { hold = false } = {}) {
    const { database } = field;
    const found = [];
    const clean = async (what) => found.push(...(await field.gains(["creator"])).map((gain) => `${what}: ${gain}`));
    for (const args of [["--dry-run"], [], []]) {
        const { code, stderr } = await run(["setup", ...args], env, PATIENCE_MS);
        await clean(`setup ${args.join(" ")}`);
        if (code !== 0) found.push(`setup ${args.join(" ")}: ${stderr}`);
    }
    assert.ok(await database.value("SELECT pg_catalog.to_regnamespace('tuplecast')"), found.join("\n"));
    await field.grant();
    await field.gains(); // what the operator calls in a session of his own is his
    const gateway = await field.startGateway(t);
    await isDurable(gateway);
    for (const [name, more] of Object.entries({ live: {}, durable: { durable: true }, row: { where: [{ column: "id", op: ">", value: 0 }] }, picked: { durable: true, old: true, columns: ["a", "id"] } })) {
        await field.table(name);
        for (const definition of [watch(name, more), watch(name, { ...more, operations: ["INSERT", "UPDATE", "DELETE"] })]) {
            const answer = await putOver(gateway, name, definition);
            assert.ok(answer.status < 300, answer.body);
        }
    }
    const list = await listOver(gateway);
    assert.equal(list.status, 200, list.body);
    assert.equal(list.json.items.length, 4);
    const tables = await gateway.get("/tables", { headers: { Authorization: `Bearer ${env.TUPLECAST_TRIGGERS_TOKEN ?? field.gatewayEnv.TUPLECAST_TRIGGERS_TOKEN}` } });
    assert.equal(tables.status, 200, tables.body);
    await clean("lists and PUT");
    const live = await Listener.open(t, database, "live_changes");
    const stream = await subscribe(t, gateway.stream("durable_changes"));
    for (const table of ["live", "durable", "row", "picked"])
        await field.by("writer", `INSERT INTO app.${table} SELECT i, 'a' FROM pg_catalog.generate_series(1, 20) i`, `UPDATE app.${table} SET a = 'b' WHERE id OPERATOR(pg_catalog.=) 1`, `DELETE FROM app.${table}`);
    const events = await stream.messages(41, PATIENCE_MS);
    assert.deepEqual([events[0].json.id, events[20].json.type, events[40].json.type], [1, "UPDATE", "DELETE"]);
    await clean("writers and ticks");
    assert.ok((await live.texts()).length > 3);
    const again = await subscribe(t, gateway.stream("durable_changes", { from: "earliest" }));
    await again.next(({ json }) => json.type === "DELETE", PATIENCE_MS);
    if (hold) await until(() => gateway.metric("tuplecast_durable_log_bytes"), "retention", PATIENCE_MS);
    await clean("history and retention");
    const removed = await gateway.get("/triggers/live", { method: "DELETE", headers: { Authorization: `Bearer ${field.gatewayEnv.TUPLECAST_TRIGGERS_TOKEN}` } });
    assert.ok(removed.status < 300, removed.body);
    await gateway.stop();
    for (const args of [["--remove"], [`--remove=${database.name}`]]) await run(["setup", ...args], env, PATIENCE_MS);
    await clean("removal");
    assert.equal(await database.value("SELECT pg_catalog.to_regnamespace('tuplecast')"), null);
    assert.deepEqual(found, []);
}

test("better ones in public", LIMITS, async (t) => {
    const field = await openField(t, { tuplecast: false });
    const creator = await field.as(t, "creator");
    const made = await hijack(creator, "public", { near: true });
    t.diagnostic(`${made.operators} operators, ${made.functions} functions`);
    assert.ok(Number(made.operators) > 5000 && Number(made.functions) > 1000);
    await assert.rejects(creator.query("SELECT 1 WHERE 1::int2 & 1::int4"), /boolean/, "the trap is set");
    await field.gains();
    await everything(t, field, field.env);
});

test("better ones in public, which come after setup", LIMITS, async (t) => {
    const field = await openField(t);
    await hijack(await field.as(t, "creator"), "public", { near: true });
    await field.gains();
    await everything(t, field, field.env, { hold: true });
});

test("equal ones in front of pg_catalog, by the settings of the roles", LIMITS, async (t) => {
    const field = await openField(t, { tuplecast: false });
    const { database } = field;
    const creator = await field.as(t, "creator");
    const made = await hijack(creator, "evil", { near: false });
    t.diagnostic(`${made.operators} operators, ${made.functions} functions`);
    await database.query(`CREATE ROLE operator_${database.name} LOGIN SUPERUSER`);
    for (const role of [`operator_${database.name}`, field.roles.gateway, field.roles.installer]) await database.query(`ALTER ROLE ${role} SET search_path = evil, pg_catalog, public`);
    await field.gains();
    await everything(t, field, { ...field.env, PGUSER: `operator_${database.name}` });
});

test("equal ones in front of pg_catalog, by the settings of the database", LIMITS, async (t) => {
    const field = await openField(t, { tuplecast: false });
    await hijack(await field.as(t, "creator"), "evil", { near: false });
    await field.database.query(`ALTER DATABASE ${field.database.name} SET search_path = evil, pg_catalog, public`);
    await field.gains();
    await everything(t, field, field.env);
});
