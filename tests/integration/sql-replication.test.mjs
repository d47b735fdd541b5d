// Rows that come by logical replication: triggers do not fire for them unless they are always enabled, and a trigger that misses them says so.

import assert from "node:assert/strict";
import { test } from "node:test";
import { define, install, list, put } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { startFreshServer } from "./lib/servers.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 60_000;

test("rows of a subscription are told by a trigger with always, live and durable; without it, stale says that they are not", { timeout: 180_000 }, async (t) => {
    const publisher = await startFreshServer(t, { settings: { wal_level: "logical" } });
    const there = publisher.database("postgres");
    t.after(() => there.end());
    const here = await createDatabase(t);
    await install(here);
    const tables = { live_plain: {}, live_always: { always: true }, durable_always: { always: true, durable: true } };
    for (const table of Object.keys(tables))
        for (const database of [there, here]) await database.query(`CREATE TABLE ${table} (id int PRIMARY KEY, a text)`);
    await there.query("CREATE PUBLICATION everything FOR ALL TABLES");
    for (const [table, more] of Object.entries(tables)) {
        const { level, stale } = await put(here, table, define(table, more));
        assert.deepEqual([level, stale], [more.always ? "row" : "statement", []]);
    }
    const gateway = await startGateway(t, here.env);
    const streams = {};
    for (const table of Object.keys(tables)) streams[table] = await subscribe(t, gateway.stream(`${table}_changes`));

    await here.query(`CREATE SUBSCRIPTION ours CONNECTION 'host=${publisher.dir} port=5432 user=postgres dbname=postgres' PUBLICATION everything WITH (copy_data = false)`);
    const stale = Object.fromEntries((await list(here)).map((item) => [item.name, item.stale.join()]));
    assert.match(stale.live_plain, /subscription writes to this table.*"always": true/);
    assert.deepEqual([stale.live_always, stale.durable_always], ["", ""]);

    for (const table of Object.keys(tables)) {
        await there.query(`INSERT INTO ${table} VALUES (1, 'x'), (2, 'y')`);
        await there.query(`UPDATE ${table} SET id = 3 WHERE id = 1`);
        await there.query(`DELETE FROM ${table} WHERE id = 2`);
    }
    await until(async () => (await here.value("SELECT count(*) FROM durable_always WHERE id = 2")) === "0" && (await here.value("SELECT count(*) FROM durable_always")) === "1",
        "the rows", PATIENCE_MS);
    const wanted = [["INSERT", 1], ["INSERT", 2], ["DELETE", 1], ["UPDATE", 3], ["DELETE", 2]];
    for (const table of ["live_always", "durable_always"])
        assert.deepEqual((await streams[table].messages(5, PATIENCE_MS)).map(({ json }) => [json.type, json.id]), wanted);
    await here.query("INSERT INTO live_plain VALUES (9, 'of this server')");
    assert.deepEqual((await streams.live_plain.messages(1, PATIENCE_MS)).map(({ json }) => json.id), [9]);
    await here.query("DROP SUBSCRIPTION ours");
});
