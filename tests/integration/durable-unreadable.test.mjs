// An event of the log that cannot be read, whatever the reason: the others go on, and its own channel is told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openBank } from "./lib/bank.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 60_000;

/** From now on nothing with the row 13 can be read, unless its rows are left out, and nothing with the row 17 at all. */
async function breakReading(database) {
    const name = "read_events(from_number bigint, count_max bigint, channels text[], bytes_max bigint, page_bytes bigint)";
    const result = await database.value("SELECT pg_get_function_result('tuplecast.read_events'::regproc)");
    await database.query("ALTER FUNCTION tuplecast.read_events RENAME TO read_events_well");
    await database.query(`CREATE FUNCTION tuplecast.${name} RETURNS ${result} LANGUAGE plpgsql AS $$
        #variable_conflict use_column
        BEGIN
            RETURN QUERY SELECT * FROM tuplecast.read_events_well($1, $2, $3, $4, $5) e
             WHERE CASE WHEN e.id_json = '13' AND $4 > 0 OR e.id_json = '17' THEN pg_catalog.convert_from('\\xff', 'UTF8') IS NULL ELSE true END;
        END $$`);
}

/** What a stream tells: ids of rows, "cut" behind those without data, and gaps. */
async function told(stream, last) {
    const seen = [];
    for (;;) {
        const message = await stream.next(({ name }) => name === "gap" || name === "message", PATIENCE_MS);
        seen.push(message.name === "gap" ? `gap ${message.json.reason}` : message.json.data ? message.json.id : `${message.json.id} cut`);
        if (message.json.id === last) return seen;
    }
}

test("an event that cannot be read comes without its rows, or a gap in its place; the others, and other channels, miss nothing", { timeout: 240_000 }, async (t) => {
    const { database, gateways: [gateway] } = await openBank(t, { settings: [{}] });
    const [accounts, orders] = [await subscribe(t, gateway.stream("accounts_changes")), await subscribe(t, gateway.stream("orders_changes"))];
    await breakReading(database);
    await database.query("BEGIN; UPDATE accounts SET version = 1; UPDATE orders SET version = 1 WHERE id IN (12, 20); COMMIT");
    const expected = [...Array.from({ length: 12 }, (_, i) => i + 1), "13 cut", 14, 15, 16, "gap expired", 18, 19, 20];
    assert.deepEqual(await told(accounts, 20), expected);
    assert.deepEqual(await told(orders, 20), [12, 20]);
    assert.match(gateway.log, /an event of the log cannot be read/);
    assert.ok((await gateway.metric("tuplecast_durable_unreadable_events_total")) > 0);
    // So it is for who reads it later, and for what is written later.
    await database.query("UPDATE accounts SET version = 2 WHERE id = 1");
    assert.deepEqual(await told(accounts, 1), [1]);
    await gateway.restart();
    await gateway.ready(PATIENCE_MS);
    const late = await subscribe(t, gateway.stream("accounts_changes", { from: "earliest" }));
    assert.deepEqual(await told(late, 20), expected);
    await until(() => late.events.some(({ json }) => json?.data?.version === 2), "the rest", PATIENCE_MS);
});
