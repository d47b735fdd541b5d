// Transactions of a size that nobody expects, and such that stay open.

import { server } from "../integration/lib/database.mjs";
import { until } from "../integration/lib/until.mjs";
import { NOTHING, OUTAGE, WAITING } from "./ways.mjs";
import { beginBulk, insertBulk } from "./writers.mjs";

const PATIENCE_MS = 30_000;
const HUGE = 200_000;
const PREPARED = "soak";

/** The server lets transactions be prepared, or does not, and starts anew for that. */
async function allowPrepared({ root }, count) {
    await root.query(`ALTER SYSTEM SET max_prepared_transactions = ${count}`);
    await server("restart");
}

/** Whatever is prepared is brought to its end, and the server is as it was. */
async function endPrepared(world, how) {
    await world.serverIsUp();
    const prepared = () => world.database.query("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()").catch(() => null);
    for (const [name] of await until(prepared, "an answer of the database", PATIENCE_MS))
        await world.database.query(`${how} PREPARED '${name}'`);
    await allowPrepared(world, 0);
}

const how = (random) => (random() < 0.5 ? "COMMIT" : "ROLLBACK");

export default [
    {
        name: "transaction: a huge one, 100,000 rows",
        cost: WAITING,
        async inject({ database }) {
            const client = await database.connect();
            await insertBulk(client, 100_000).finally(() => client.end());
        },
    },
    {
        name: "transaction: a huge one, 200,000 rows, which stays open for 5 s and is committed or rolled back",
        cost: NOTHING,
        lastS: 5,
        async inject(world, random) {
            const client = await world.database.connect();
            await beginBulk(client, HUGE);
            // The others go on beside it.
            await world.inStep();
            return { client, how: how(random) };
        },
        async heal(_, { client, how }) {
            await client.query(how);
            await client.end();
        },
    },
    {
        name: "transaction: a huge one, 200,000 rows, which is prepared, outlives a restart and is committed or rolled back",
        cost: OUTAGE,
        lastS: 3,
        async inject(world, random) {
            await allowPrepared(world, 5);
            const client = await until(() => world.database.connect().catch(() => null), "a session after the restart", PATIENCE_MS);
            await beginBulk(client, HUGE);
            await client.query(`PREPARE TRANSACTION '${PREPARED}'`);
            await client.end();
            await server("restart");
            await world.inStep();
            return how(random);
        },
        heal: (world, how = "ROLLBACK") => endPrepared(world, how),
    },
];
