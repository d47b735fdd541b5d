// A proxy in front of the database holds back the end of each answer. Whatever is only half there, nobody waits for it but who asked: requests are
// answered and streams go on, and nothing is lost.

import assert from "node:assert/strict";
import { test } from "node:test";
import { define, install, put } from "./lib/changes.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { openStream, subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 60_000;
const HELD_MS = 1500;
const TOKEN = "correct-horse-battery-staple";
const ROWS = 3;
const SOCKET = `${process.env.PGHOST}/.s.PGSQL.${process.env.PGPORT ?? 5432}`;

/** How many turns of the gateway's loop have taken more than a second: one that waits takes as long as the proxy does. */
async function turnsThatWaited(gateway) {
    const { body } = await gateway.get("/metrics");
    const [most, all] = ["1", "\\+Inf"].map((le) => Number(new RegExp(`loop_turn_seconds_bucket{le="${le}"} (\\d+)`).exec(body)[1]));
    return all - most;
}

// A byte; the whole of ReadyForQuery; its end and that of what comes before it.
for (const bytes of [1, 6, 9])
    test(`the last ${bytes} bytes of each answer`, { timeout: 120_000 }, async (t) => {
        const database = await createDatabase(t);
        await install(database);
        await database.query("CREATE TABLE quick (id int PRIMARY KEY); CREATE TABLE kept (id int PRIMARY KEY); CREATE TABLE late (id int PRIMARY KEY)");
        await put(database, "quick", define("quick"));
        await put(database, "kept", define("kept", { durable: true }));
        const cutter = await startCutter(t, SOCKET);
        const gateway = await startGateway(t, { ...database.env, PGHOST: "127.0.0.1", PGPORT: String(cutter.port), PGCONNECT_TIMEOUT: "60", TUPLECAST_TRIGGERS_TOKEN: TOKEN });
        await gateway.ready(PATIENCE_MS);
        const streams = { quick: await subscribe(t, gateway.stream("quick_changes")), kept: await subscribe(t, gateway.stream("kept_changes")) };
        await database.query("INSERT INTO kept VALUES (0)");
        const { id } = await streams.kept.next("message", PATIENCE_MS);
        await database.query(`INSERT INTO kept SELECT generate_series(-${ROWS}, -1)`);
        for (let i = 0; i < ROWS; i++) await streams.kept.next("message", PATIENCE_MS);

        cutter.heldBack = { bytes, ms: HELD_MS };
        const asked = [
            gateway.get("/triggers/late", { method: "PUT", timeoutMs: PATIENCE_MS, headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" }, body: JSON.stringify({ table: "late" }) }),
            openStream(t, gateway.stream("another_channel")).then((stream) => stream.next("ready", PATIENCE_MS)),
            openStream(t, gateway.stream("kept_changes"), { headers: { "Last-Event-ID": id } }).then(async (stream) => {
                for (let i = 0; i < ROWS; i++) assert.equal((await stream.next("message", PATIENCE_MS)).json.id, i - ROWS);
            }),
        ];
        for (let i = 1; i <= ROWS; i++) await database.query(`INSERT INTO quick VALUES (${i}); INSERT INTO kept VALUES (${i})`);
        const [answer] = await Promise.all(asked);
        assert.equal(answer.status, 201, answer.body);
        for (const stream of Object.values(streams)) {
            for (let i = 1; i <= ROWS; i++) assert.equal((await stream.next("message", PATIENCE_MS)).json.id, i);
        }
        assert.equal(await turnsThatWaited(gateway), 0);
        cutter.heldBack = { bytes: 0, ms: 0 };
        await until(async () => (await gateway.get("/readyz")).body === "ok\n", "it is ready", PATIENCE_MS);
        assert.deepEqual(Object.values(streams).flatMap(({ events }) => events.filter(({ name }) => name === "gap")), []);
    });
