// All that runs during a soak: a PostgreSQL, three gateways, HAProxy, writers and readers; and what is true of it.
//
//   gateway 0   with a malloc that can be made to fail; may be killed
//   gateway 1   with a clock that can be put, and a relay to its database; may be killed
//   gateway 2   as it is; never killed, so that its memory tells something
//
// The gateways have a role with the rights of grant_gateway and no others, so that these can be taken from it. Triggers are put by a superuser.

import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { openBank, put, TABLES, Writers } from "../integration/lib/bank.mjs";
import { startCutter } from "../integration/lib/cutter.mjs";
import { createDatabase, Database, server } from "../integration/lib/database.mjs";
import { failingMalloc, skip as mallocIsTaken } from "../integration/lib/failing_malloc.mjs";
import { run } from "../integration/lib/gateway.mjs";
import { startHaproxy } from "../integration/lib/haproxy.mjs";
import { until } from "../integration/lib/until.mjs";
import { fakeClock } from "./clock.mjs";
import { Fleet } from "./fleet.mjs";
import { openNetwork } from "./network.mjs";
import { openVolumes } from "./volumes.mjs";
import { burst, NumberWriters } from "./writers.mjs";

export const execute = promisify(execFile);
export const PATIENCE_MS = 60_000;
export const ROWS = Object.keys(TABLES).map((table) => `${table}_changes`);
const COUNTED = ["ticker_changes", "bulk_changes", "noise"];

const CONFIGURATION = {
    streams: { retry_ms: 500, heartbeat_ms: 2000, close_ms: 500, linger_ms: 30000 },
    // Full after a minute, so that memory is flat from then on.
    limits: { channel_memory_bytes: 262144, memory_bytes: 268435456, feed_log_bytes: 131072 },
};

/** What each reader asks for; how many of a hundred do. */
const SHAPES = [
    { of100: 34, counted: ["ticker_changes"] },
    { of100: 24, rows: ROWS },
    { of100: 12, rows: ROWS, ids: [3, 17] },
    { of100: 25, rows: ROWS, counted: ["ticker_changes"] },
    { of100: 3, counted: ["noise"] },
    { of100: 2, counted: ["bulk_changes"], durable: ["bulk_changes"] },
];

/** More servers. Where no server is at hand, as for a list of the faults, this cannot be had. */
export const servers = () => import("../integration/lib/servers.mjs");

/** Runs `tuplecast setup`; resolves with what it says. */
export async function setUp(database) {
    const { code, stdout, stderr } = await run(["setup"], database.env, PATIENCE_MS);
    if (code !== 0) throw new Error(`setup: ${stderr}`);
    return stdout;
}

/** A configuration file's text. */
export function configurationText(more = {}) {
    const groups = { ...CONFIGURATION };
    for (const [group, settings] of Object.entries(more)) groups[group] = { ...groups[group], ...settings };
    const text = (settings) => Object.entries(settings).map(([name, value]) => ` ${name} = ${value};`).join("");
    return Object.entries(groups).map(([group, settings]) => `${group} = {${text(settings)} };\n`).join("");
}

export class World {
    /** t: has after(). namespace: the folder that scripts/soak has mounted small volumes in, when it has. */
    static async open(t, { seed = 1, readers = 240, crews = 2, betweenMs = 1500, namespace } = {}) {
        const world = Object.assign(new World(), { t, seed });
        world.dir = await mkdtemp(path.join(tmpdir(), "tuplecast-soak-"));
        t.after(() => rm(world.dir, { recursive: true, force: true }));
        world.volumes = await openVolumes(namespace);
        world.network = await openNetwork(t, namespace);
        world.root = new Database(process.env.PGDATABASE);
        t.after(() => world.root.end());
        world.dumps = !(await servers()).noDump;
        world.database = await createDatabase(t);
        await world.#makeRoles();
        await world.#openGateways(t);
        await world.volumes?.moveLog(world.database);
        world.front = await startHaproxy(t, world.gateways, PATIENCE_MS);
        await world.#openReaders(t, { seed, readers, crews });
        world.writers = new Writers(world.database, seed, Infinity, { betweenMs });
        world.numbers = new NumberWriters(world.database, seed, betweenMs / 4);
        return world;
    }

    async #makeRoles() {
        const { name } = this.database;
        this.gatewayRole = `gateway_${name}`;
        const stranger = `stranger_${name}`;
        await setUp(this.database);
        await this.database.query(`CREATE ROLE ${this.gatewayRole} LOGIN; CREATE ROLE ${stranger} LOGIN`);
        await this.database.query("SELECT tuplecast.grant_gateway($1)", [this.gatewayRole]);
        /** As somebody sees it who can log in, and nothing else. */
        this.strangers = new Database(name, { PGUSER: stranger });
    }

    async #openGateways(t) {
        const port = Number(process.env.TUPLECAST_TEST_PGTCP);
        this.postgresPort = port || undefined;
        if (port) this.relay = await startCutter(t, port);
        if (!mallocIsTaken) this.malloc = await failingMalloc(t);
        this.clock = await fakeClock(this.dir);
        const roles = { PGUSER: this.gatewayRole, TUPLECAST_TRIGGERS_DATABASE: `dbname=${this.database.name} user=${process.env.PGUSER}` };
        const tcp = { ...roles, ...(port && { PGHOST: "127.0.0.1" }) };
        const settings = [
            { ...tcp, ...this.malloc?.env, FAILING_MALLOC_EXCEPT: "/libpq." },
            { ...tcp, ...(port && { PGPORT: String(this.relay.port) }), ...this.clock?.env },
            tcp,
        ];
        this.files = settings.map((_, i) => path.join(this.dir, `gateway${i}.conf`));
        for (const file of this.files) {
            await writeFile(file, configurationText());
            await chmod(file, 0o644);
        }
        await this.database.query("CREATE TABLE counter (name text PRIMARY KEY, n bigint NOT NULL DEFAULT 0)");
        await this.database.query("INSERT INTO counter SELECT unnest($1::text[])", [COUNTED]);
        await this.database.query("CREATE TABLE ticker (n bigint PRIMARY KEY, who text, filler text); CREATE TABLE bulk (n bigint PRIMARY KEY)");
        await this.database.query("CREATE TABLE spare (id int PRIMARY KEY)");
        const { gateways } = await openBank(t, { database: this.database, settings, args: this.files.map((file) => ["-c", file]) });
        this.gateways = gateways;
        this.victims = gateways.slice(0, 2);
        this.steady = gateways[2];
        for (const [table, more] of [["ticker", { durable: false }], ["bulk", { operations: ["INSERT", "TRUNCATE"] }]]) {
            const answer = await put(this.steady, table, more);
            if (answer.status !== 201) throw new Error(answer.body);
        }
    }

    async #openReaders(t, { seed, readers, crews }) {
        const direct = this.gateways.map(({ origin }) => origin);
        const wanted = SHAPES.flatMap(({ of100, ...shape }) =>
            Array.from({ length: Math.max(1, Math.round((of100 * readers) / 100)) }, (_, i) => ({
                ...shape,
                // Half of them come through HAProxy.
                addresses: i % 2 ? [this.front.origin] : direct,
            })),
        );
        this.fleet = await Fleet.start({ shapes: wanted, addresses: direct, seed, crews });
        t.after(() => this.fleet.stop());
        await until(() => this.fleet.ready(), "all readers are ready", PATIENCE_MS);
    }

    /** What is committed, as the checks want it; all of one moment. */
    async truth() {
        const parts = Object.keys(TABLES).map((table) => `SELECT '${table}_changes' AS channel, id::text AS key, version AS value FROM ${table}`);
        const all = await this.database.query(`SELECT name, '', n FROM counter UNION ALL ${parts.join(" UNION ALL ")}`);
        const truth = { counted: {}, rows: Object.fromEntries(ROWS.map((channel) => [channel, {}])) };
        for (const [channel, key, value] of all)
            if (truth.rows[channel]) truth.rows[channel][key] = Number(value);
            else truth.counted[channel] = Number(value);
        return truth;
    }

    /** The same, when the connection may be gone. */
    #truthSoon(deadlineMs = PATIENCE_MS) {
        return until(() => this.truth().catch(() => null), "an answer of the database", deadlineMs);
    }

    /** Waits until every reader is ready and where the tables were when this was asked. */
    async inStep(deadlineMs = PATIENCE_MS) {
        const truth = await this.#truthSoon(deadlineMs);
        let behind;
        await until(async () => (behind = await this.fleet.behind(truth)) === 0, () => `${behind} readers are not in step`, deadlineMs);
    }

    /** The server runs, and answers: whatever happened to it. */
    async serverIsUp() {
        await until(
            async () => {
                if (await this.root.value("SELECT 1").catch(() => false)) return true;
                await server("start").catch(() => {});
                return false;
            },
            "the server's start",
            PATIENCE_MS,
        );
    }

    /** So many large rows, of 6 kB, on a live channel and on a durable one. */
    burst = async (count) => {
        const client = await this.database.connect();
        await burst(client, count).finally(() => client.end());
    };

    /** Starts the gateways that have ended; resolves with their indexes. */
    async restartTheDead() {
        const dead = this.gateways.filter((gateway) => !gateway.running);
        for (const gateway of dead) await gateway.start();
        return dead.map((gateway) => this.gateways.indexOf(gateway));
    }

    /** Reloads a gateway with this text as its file; resolves with what its log says of it. */
    async reload(gateway, text) {
        const from = gateway.log.length;
        await writeFile(this.files[this.gateways.indexOf(gateway)], text);
        gateway.signal("SIGHUP");
        return until(() => /^.*reloaded.*$/m.exec(gateway.log.slice(from))?.[0], "how the reload went", PATIENCE_MS);
    }

    /** Writes no more, waits for all readers, and has each count to the end. */
    async end() {
        this.writers.wanted = 0;
        await this.writers.done;
        await this.numbers.stop();
        const truth = await this.#truthSoon();
        await this.inStep().catch(() => {}); // who is not, says so below
        return { truth, sums: await this.fleet.end(truth) };
    }
}
