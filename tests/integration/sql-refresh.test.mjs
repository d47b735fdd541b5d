// A table that is altered: writers go a slower way until the gateway has written the functions of its triggers anew, which takes no lock on the table.

import assert from "node:assert/strict";
import { test } from "node:test";
import { define, install, put } from "./lib/changes.mjs";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 60_000;

const isCurrent = (database, table) => database.value(`
    SELECT bool_and(position(tuplecast.digest_of(p.relation, ARRAY[p.channel, p.argument, array_to_string(p.operations, ' ')], t.row_level) IN f.prosrc) > 0)
      FROM tuplecast.parts p JOIN tuplecast.triggers t USING (name, relation) JOIN pg_proc f ON f.proname = p.function
     WHERE p.relation = $1::regclass AND p.part = 'update'`, [table]);

for (const durable of [false, true])
    test(`${durable ? "durable" : "live"}: what is written after ALTER TABLE arrives, and the functions follow`, { timeout: 120_000 }, async (t) => {
        const database = await createDatabase(t);
        await install(database);
        await database.query("CREATE TABLE things (id int PRIMARY KEY, a text); INSERT INTO things VALUES (1, 'x')");
        await put(database, "things", define("things", { durable, level: "row" }));
        const gateway = await startGateway(t, database.env);
        const stream = await subscribe(t, gateway.stream("things_changes"));
        assert.equal(await isCurrent(database, "things"), "t");
        await database.query("ALTER TABLE things RENAME a TO b; ALTER TABLE things ADD c numeric DEFAULT 'NaN'");
        assert.equal(await isCurrent(database, "things"), "f");
        const holder = await database.connect(t); // a writer that stays open: to write functions anew waits for nobody
        await holder.query("BEGIN; LOCK TABLE things IN ROW EXCLUSIVE MODE");
        const written = async () => {
            await database.query("UPDATE things SET b = b || 'y'");
            return (await isCurrent(database, "things")) === "t";
        };
        await until(written, "the function that fits the table", PATIENCE_MS);
        await database.query("UPDATE things SET b = 'last'");
        const message = () => stream.events.findLast(({ json }) => json?.data?.b === "last");
        await until(message, "the last change", PATIENCE_MS);
        assert.deepEqual(message().json.data, { id: 1, b: "last", c: "NaN" });
    });
