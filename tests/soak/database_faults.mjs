// What happens to the database. Each fault: {name, cost, needs, lastS, inject(world, random), heal(world, what inject gave)}.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { put, TOKEN } from "../integration/lib/bank.mjs";
import { server } from "../integration/lib/database.mjs";
import { sleep } from "../integration/lib/proc.mjs";
import { until } from "../integration/lib/until.mjs";
import { endOurSessions, holdOpen, NOTHING, OURS, OUTAGE, storm, WAITING } from "./ways.mjs";
import { insertBulk, makeNoise } from "./writers.mjs";

/** Its children notice one after the other; until the last one is gone no server can be started. */
async function killPostmaster() {
    const { stdout } = await promisify(execFile)("head", ["-1", `${process.env.TUPLECAST_TEST_PGDATA}/postmaster.pid`]);
    process.kill(Number(stdout), "SIGKILL");
    await until(() => server("start").then(() => true, () => false), "a new server", 60_000);
}

const up = (world) => world.serverIsUp();

const AWAY = [
    { name: "database: fast restart", cost: OUTAGE, inject: () => server("restart") },
    { name: "database: crash (immediate stop)", cost: OUTAGE, inject: () => server("immediate") },
    { name: "database: its main process is killed", cost: OUTAGE, inject: killPostmaster },
    { name: "database: away for 5 s", cost: OUTAGE, lastS: 5, inject: () => server("stop"), heal: up },
    {
        name: "database: one of our backends is killed (crash recovery)",
        cost: OUTAGE,
        async inject({ database }) {
            const pid = await database.value(`SELECT pid FROM pg_stat_activity WHERE ${OURS} LIMIT 1`);
            if (pid) process.kill(Number(pid), "SIGKILL");
        },
        heal: up,
    },
    { name: "database: frozen for 9 s", cost: OUTAGE, lastS: 9, inject: () => server("freeze"), heal: () => server("thaw") },
    {
        name: "database: all our sessions are terminated, three times",
        cost: OUTAGE,
        async inject({ database }) {
            for (let times = 0; times < 3; times++) {
                await endOurSessions(database);
                await sleep(700);
            }
        },
    },
    {
        name: "database: no connection left for us for 5 s",
        cost: OUTAGE,
        lastS: 5,
        async inject({ root, database }) {
            const clients = [];
            const open = async () => clients.push(await root.connect()) < 120;
            while (await open().catch(() => false));
            await endOurSessions(database).catch(() => {});
            while (await open().catch(() => false));
            return clients;
        },
        heal: (_, clients) => Promise.all(clients.map((client) => client.end().catch(() => {}))),
    },
    {
        name: "database: its clock is an hour ahead after a restart",
        cost: OUTAGE,
        needs: "clock",
        lastS: 3,
        inject: ({ clock }) => restartWith({ ...clock.env, FAKETIME_TIMESTAMP_FILE: "", FAKETIME: "+3600s" }),
        heal: () => server("restart"),
    },
];

/** Restarts the server with more in its environment. */
async function restartWith(env) {
    const before = { ...process.env };
    await server("stop");
    Object.assign(process.env, env);
    try {
        await server("start");
    } finally {
        for (const name of Object.keys(env)) before[name] === undefined ? delete process.env[name] : (process.env[name] = before[name]);
    }
}

/** Something is full until heal: step must fail, and the server may not survive that. */
function full(volume, step) {
    return {
        needs: "volumes",
        lastS: 4,
        async inject({ volumes, root, database }) {
            await volumes.fill(volume);
            const failed = await step({ root, database }).then(() => false, () => true);
            if (!failed) throw new Error(`the volume "${volume}" is not full`);
        },
        async heal(world) {
            await world.volumes.empty(volume);
            await world.serverIsUp();
        },
    };
}

const FULL = [
    {
        name: "database: no space left for the log of durable channels",
        cost: "writers of durable tables get the server's error; else nothing",
        // More than the last page of a partition has room for.
        ...full("log", async ({ database }) => {
            const client = await database.connect();
            await insertBulk(client, 20_000).finally(() => client.end());
        }),
    },
    {
        name: "database: no space left for the write-ahead log (PANIC)",
        cost: OUTAGE,
        ...full("wal", async ({ root }) => {
            for (let n = 0; n < 100; n++) await root.query("SELECT pg_logical_emit_message(false, 'soak', repeat('x', 10000000))");
        }),
    },
];

const LOCKS = [
    { name: "lock: on the log of durable channels, 4 s", cost: WAITING, lastS: 4, ...holdOpen("LOCK tuplecast.log IN ACCESS EXCLUSIVE MODE") },
    { name: "lock: on the ticks, 4 s", cost: WAITING, lastS: 4, ...holdOpen("LOCK tuplecast.tick IN ACCESS EXCLUSIVE MODE") },
    { name: "lock: on watched tables, 4 s", cost: WAITING, lastS: 4, ...holdOpen("LOCK accounts, ticker IN ACCESS EXCLUSIVE MODE") },
    {
        name: "transaction: a long one that changed a watched row, 6 s",
        cost: NOTHING,
        lastS: 6,
        async inject({ database }) {
            const client = await database.connect();
            await client.query("BEGIN");
            await client.query("UPDATE accounts SET version = version + 1, signed = $1 WHERE id = 1", [`long.${performance.now()}`]);
            return client;
        },
        async heal(_, client) {
            await client.query("COMMIT");
            await client.end();
        },
    },
    {
        name: "transaction: idle, and holds back xmin, 6 s",
        cost: NOTHING,
        lastS: 6,
        ...holdOpen("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM accounts", "SELECT pg_current_xact_id()"),
    },
];

const LOAD = [
    { name: "server: checkpoints one after the other, 4 s", cost: NOTHING, lastS: 4, ...storm((client) => client.query("CHECKPOINT")) },
    {
        name: "notify: a stranger floods an allowed channel, 4 s",
        cost: "the flooded channel may lag",
        lastS: 4,
        ...storm((client) => makeNoise(client, 1000)),
    },
    {
        name: "notify: a listener that never reads fills the queue, 6 s",
        cost: NOTHING,
        lastS: 6,
        async inject({ database }) {
            const sleeper = await database.connect();
            await sleeper.query("LISTEN noise");
            await sleeper.query("BEGIN");
            await sleeper.query("SELECT 1");
            const client = await database.connect();
            await makeNoise(client, 3000, "x".repeat(4000)).finally(() => client.end());
            return sleeper;
        },
        heal: (_, sleeper) => sleeper.end(),
    },
    {
        name: "schema: ALTER TABLE on watched tables, 4 s",
        cost: WAITING,
        lastS: 4,
        ...storm(async (client) => {
            for (const table of ["accounts", "ticker"]) {
                await client.query(`ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS extra text DEFAULT 'x'`);
                await client.query(`ALTER TABLE ${table} DROP COLUMN extra`);
            }
        }),
    },
    {
        name: "schema: TRUNCATE of a watched table, 4 s",
        cost: "an event TRUNCATE each",
        lastS: 4,
        ...storm(async (client) => {
            await insertBulk(client, 50);
            await client.query("TRUNCATE bulk");
        }),
    },
    {
        name: "schema: VACUUM FULL of watched tables and of the log",
        cost: WAITING,
        inject: async ({ database }) => {
            const client = await database.connect();
            for (const table of ["accounts", "ticker", "tuplecast.log", "tuplecast.tick"]) await client.query(`VACUUM FULL ${table}`);
            await client.end();
        },
    },
    {
        name: "triggers: made, replaced and dropped all the time, 4 s",
        cost: WAITING,
        lastS: 4,
        inject({ steady }) {
            const state = { stopped: false };
            const run = async () => {
                for (let n = 0; !state.stopped; n++) {
                    await put(steady, "spare", { durable: n % 2 === 0, channel: `spare_${n % 5}` });
                    await put(steady, "accounts");
                    if (n % 3 === 0) await steady.get("/triggers/spare", { method: "DELETE", headers: { Authorization: `Bearer ${TOKEN}` } });
                }
            };
            state.done = run();
            return state;
        },
        async heal({ steady }, state) {
            state.stopped = true;
            await state.done;
            await until(async () => (await put(steady, "accounts")).status === 200, "the trigger is as it was", 30_000);
        },
    },
];

export default [...AWAY, ...FULL, ...LOCKS, ...LOAD];
