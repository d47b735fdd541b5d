// Durable channels: ids, resuming, forged notifications, what an idle gateway asks. durable-count.test.mjs counts under load.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { openBank, put } from "./lib/bank.mjs";
import { createDatabase } from "./lib/database.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

test("ids are the same on both gateways, and good after a restart of both", async (t) => {
    const { database, gateways } = await openBank(t);
    const streams = await Promise.all(gateways.map((gateway) => subscribe(t, gateway.stream("accounts_changes"))));
    await database.query("UPDATE accounts SET version = 1 WHERE id <= 5");
    const [ids, others] = await Promise.all(streams.map(async (stream) => (await stream.messages(5)).map(({ id }) => id)));
    assert.deepEqual(ids, others);
    for (const gateway of gateways) await gateway.restart();
    await gateways[1].ready();
    const again = await subscribe(t, gateways[1].stream("accounts_changes"), { headers: { "Last-Event-ID": ids[1] } });
    assert.deepEqual((await again.messages(3)).map(({ id }) => id), ids.slice(2));
    assert.ok(!again.events.some(({ name }) => name === "gap"));
});

test("a forged notification is no event, and no event stops the true ones", async (t) => {
    const { database, gateways: [gateway] } = await openBank(t, { settings: [{}] });
    const stream = await subscribe(t, gateway.stream("accounts_changes"));
    await database.notify("accounts_changes", JSON.stringify({ table: "accounts", type: "UPDATE", id: 1, data: { forged: true } }));
    for (const payload of ["tick 999999", "tick", "wake", "alive", "triggers", "", "x".repeat(7000)]) await database.notify("tuplecast", payload);
    await database.query("UPDATE accounts SET version = 77 WHERE id = 1");
    const [message] = await stream.messages(1);
    assert.equal(message.json.data.version, 77);
});

test("an id that makes no sense is told so, and the stream goes on", async (t) => {
    const { database, gateways: [gateway] } = await openBank(t, { settings: [{}] });
    for (const [version, id] of ["nonsense", "1-abcdefgh", "99999999999999999999-abcdef", "-", "1_1", "1-abcdef_1-abcdefgh"].entries()) {
        const stream = await subscribe(t, gateway.stream("accounts_changes"), { headers: { "Last-Event-ID": id } });
        assert.match(stream.events.find(({ name }) => name === "gap")?.json.reason, /^(unknown-id|rewound)$/, id);
        await database.query("UPDATE accounts SET version = $1 WHERE id = 1", [version + 1]);
        assert.equal((await stream.messages(1))[0].json.data.version, version + 1);
        stream.close();
    }
});

test("an id that is not kept any more is told to have expired; one of another history, to be rewound", async (t) => {
    const { database, gateways: [gateway] } = await openBank(t, { settings: [{}] });
    const stream = await subscribe(t, gateway.stream("accounts_changes"));
    await database.query("UPDATE accounts SET version = 1 WHERE id <= 3");
    const [first] = await stream.messages(3);
    const gapOf = async (id) => {
        const again = await subscribe(t, gateway.stream("accounts_changes"), { headers: { "Last-Event-ID": id } });
        return again.events.find(({ name }) => name === "gap")?.json.reason;
    };
    assert.equal(await gapOf("2-zzzzzz"), "rewound");
    assert.equal(await gapOf("999999-zzzzzz"), "rewound");
    await database.query("UPDATE accounts SET version = 2 WHERE id = 1");
    await stream.messages(1);
    await database.query("UPDATE tuplecast.state SET oldest_tick = (SELECT max(number) - 1 FROM tuplecast.tick)");
    await gateway.restart();
    await gateway.ready();
    assert.equal(await gapOf(first.id), "expired");
});

test("an idle gateway asks the database no more than one query per second, as the lead and as a follower", { timeout: 90_000 }, async (t) => {
    const database = await createDatabase(t);
    await database.query(`ALTER DATABASE ${database.name} SET log_statement = 'all'`);
    await database.end();
    const { gateways } = await openBank(t, { database });
    await subscribe(t, gateways[0].stream("accounts_changes,others"));
    const log = path.join(process.env.TUPLECAST_TEST_PGDATA, "../postgres.log");
    const asked = async (from) => {
        const lines = (await readFile(log, "utf8")).split("\n").slice(from);
        return { lines: from + lines.length - 1, queries: lines.filter((line) => /LOG: {2}(execute|statement)/.test(line)) };
    };
    let { lines } = await asked(0);
    // The first seconds are busy: names, a probe for each connection. All the rest of the time must be quiet.
    await until(async () => {
        await new Promise((resolve) => setTimeout(resolve, 10_000)); // a window, not a wait
        const { lines: now, queries } = await asked(lines);
        lines = now;
        t.diagnostic(`${queries.length} queries of two gateways in 10 s`);
        return queries.length >= 2 && queries.length <= 20;
    }, "a quiet window", 45_000);
});

test("a channel that is subscribed to before its trigger is put, or at once after, loses nothing", { timeout: 60_000 }, async (t) => {
    const { database, gateways } = await openBank(t);
    await Promise.all(
        Array.from({ length: 40 }, async (_, i) => {
            const table = `late_${i}`;
            await database.query(`CREATE TABLE ${table} (id serial PRIMARY KEY)`);
            const early = await subscribe(t, gateways[i % 2].stream(`${table}_changes`));
            const { status } = await put(gateways[0], table);
            assert.equal(status, 201);
            await database.query(`INSERT INTO ${table} DEFAULT VALUES`);
            const late = await subscribe(t, gateways[0].stream(`${table}_changes`, { from: "earliest" }));
            await database.query(`INSERT INTO ${table} DEFAULT VALUES`);
            for (const stream of [early, late]) assert.deepEqual((await stream.messages(2)).map(({ json }) => json.id), [1, 2], `${table} ${stream === late}`);
        }),
    );
});
