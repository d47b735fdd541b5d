// Durable channels under load, and the count of every event.
//
// The truth is the tables: each committed UPDATE of a row adds one to its version, so a reader must see 1, 2, 3 ... of each row
// up to what the table holds in the end, nothing twice, and no gap. Each transaction signs its rows: its events stand together.

import assert from "node:assert/strict";
import { createDatabase } from "./database.mjs";
import { follow } from "./follower.mjs";
import { Gateway, freePort, run } from "./gateway.mjs";
import { sleep } from "./proc.mjs";
import { subscribe } from "./sse.mjs";
import { until } from "./until.mjs";

export const TOKEN = "correct-horse-battery-staple-0123456789";
export const EVENTS = Number(process.env.DURABLE_EVENTS ?? 2500);
const ROWS = 20; // of each table
const WRITERS = 16;
const PATIENCE_MS = 60_000; // the machine may be busy with other things

/** The tables, and the shape of their triggers: one at statement level, one at row level. */
export const TABLES = { accounts: {}, orders: { update_of: ["version"], operations: ["UPDATE"], old: true } };
const CHANNELS = Object.keys(TABLES).map((table) => `${table}_changes`);

/** A generator of the same numbers for the same seed: mulberry32. */
export function dice(seed) {
    return () => {
        seed = (seed + 0x6d2b79f5) | 0;
        let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

/** A gateway that the test may kill and freeze; gone with the test. */
export async function startOne(t, env, args = []) {
    const gateway = new Gateway(await freePort(), { TUPLECAST_CHANNELS: "*", TUPLECAST_TRIGGERS_TOKEN: TOKEN, ...env }, args);
    t.after(async () => {
        if (gateway.running) gateway.signal("SIGCONT");
        if (gateway.running) await gateway.kill();
        if (t.passed === false && !t.signal?.aborted) process.stderr.write(`--- log of a gateway of "${t.name}"\n${gateway.log}---\n`);
    });
    await gateway.start();
    return gateway.ready(PATIENCE_MS);
}

export function put(gateway, table, more = {}, name = table) {
    return gateway.get(`/triggers/${name}`, {
        method: "PUT",
        headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
        body: JSON.stringify({ table, durable: true, ...more }),
    });
}

/** Waits until a gateway knows that the channel is durable. */
export function knowsDurable(t, gateway, channel) {
    return until(
        async () => {
            const stream = await subscribe(t, gateway.stream(channel));
            const { body } = await gateway.get("/channels");
            stream.close();
            return JSON.parse(body).items.some((item) => item.channel === channel && item.durable);
        },
        `${channel} is durable`,
        PATIENCE_MS,
    );
}

/** A database with two tables and durable triggers, and gateways: settings has one entry of further environment for each, args one of arguments. */
export async function openBank(t, { database, settings = [{}, {}], args = [] } = {}) {
    database ??= await createDatabase(t);
    const { code, stderr } = await run(["setup"], database.env);
    assert.equal(code, 0, stderr);
    for (const table of Object.keys(TABLES)) {
        await database.query(`CREATE TABLE ${table} (id int PRIMARY KEY, version int NOT NULL, signed text)`);
        await database.query(`INSERT INTO ${table} SELECT i, 0 FROM generate_series(1, $1::int) i`, [ROWS]);
    }
    const gateways = [];
    for (const [i, env] of settings.entries()) gateways.push(await startOne(t, { ...database.env, ...env }, args[i]));
    for (const [table, definition] of Object.entries(TABLES)) {
        const response = await put(gateways[0], table, definition);
        assert.equal(response.status, 201, response.body);
    }
    for (const gateway of gateways) for (const channel of CHANNELS) await knowsDurable(t, gateway, channel);
    return { database, gateways };
}

/** 16 writers, until there are so many changes; through whatever happens to the server. */
export class Writers {
    committed = 0;
    rolledBack = 0;

    /** wanted may be lowered later. padding: so many bytes more in each row; betweenMs: from one transaction of a writer to its next, about. */
    constructor(database, seed, wanted, { padding = 0, betweenMs = 0 } = {}) {
        this.wanted = wanted;
        this.betweenMs = betweenMs;
        this.padding = "-".repeat(padding);
        this.done = Promise.all(Array.from({ length: WRITERS }, (_, i) => this.#write(database, `${seed}.${i}`, dice(seed * 1000 + i))));
    }

    /** Waits until this part of the changes, between 0 and 1, is made. */
    reach(part) {
        return until(() => this.committed >= part * this.wanted, () => `${part} of ${this.wanted} changes, there are ${this.committed}`, PATIENCE_MS);
    }

    async #write(database, name, random) {
        let client;
        for (let turn = 0; this.committed < this.wanted; turn++) {
            try {
                client ??= await database.connect();
                await this.#transaction(client, `${name}.${turn}${this.padding}`, random);
                if (this.betweenMs) await sleep(2 * random() * this.betweenMs);
            } catch {
                await client?.end().catch(() => {});
                client = undefined; // the server is away: what became of the COMMIT, the table knows
                await sleep(50);
            }
        }
        await client?.end().catch(() => {});
    }

    async #transaction(client, signature, random) {
        const tables = Object.keys(TABLES);
        const pick = () => Math.floor(random() * ROWS * tables.length);
        const rows = [...new Set(Array.from({ length: 1 + Math.floor(random() * 4) }, pick))].sort((a, b) => a - b);
        const change = (row) =>
            client.query(`UPDATE ${tables[Math.floor(row / ROWS)]} SET version = version + 1, signed = $2 WHERE id = $1`, [1 + (row % ROWS), signature]);
        await client.query("BEGIN");
        for (const row of rows) {
            if (random() < 0.1) {
                await client.query("SAVEPOINT s");
                await change(row);
                await client.query("ROLLBACK TO s");
            } else if (random() < 0.1) {
                await client.query("SAVEPOINT kept");
            }
            await change(row);
            // Now and then a long one, that many others overtake.
            if (random() < 0.5) await client.query("SELECT pg_sleep($1)", [random() * (random() < 0.01 ? 0.3 : 0.004)]);
        }
        if (random() < 0.15) {
            await client.query("ROLLBACK");
            this.rolledBack++;
        } else {
            await client.query("COMMIT");
            this.committed += rows.length;
        }
    }
}

const everything = () => true;

/**
 * A reader of some of it: `sees` tells which rows. Its live channel, if it has one, may have gaps where the gateway or the database was
 * away, and its durable ones may not, all the same.
 */
export const SHAPES = {
    all: { channels: CHANNELS, sees: everything },
    one: { channels: "orders_changes", sees: (table) => table === "orders" },
    filtered: { channels: CHANNELS, query: { id: [3, 17] }, sees: (table, id) => id === 3 || id === 17 },
    mixed: { channels: [...CHANNELS, "chat"], sees: everything, gaps: ["restart", "outage"] },
};

const isChange = (item) => item.id !== undefined;
const takeIn = (json, place) =>
    json.channel === "chat"
        ? { chat: json.data.n }
        : { table: json.table, id: json.data.id, version: json.data.version, signed: json.data.signed.split("-")[0], at: Date.parse(json.at), place };

/** Starts a reader on one of the gateways. */
export async function startReader(t, gateways, random, shape, { gaps = shape.gaps ?? [], query = shape.query, ...more } = {}) {
    const url = (gateway) => gateway.stream(shape.channels, query);
    const reader = await follow(t, url(gateways[Math.floor(random() * gateways.length)]), takeIn);
    /** Loses its connection, and comes back to any of the gateways; now and then when these have forgotten what it missed. */
    reader.move = () => {
        reader.betweenMs = random() < 0.3 ? 800 : 100;
        reader.url = url(gateways[Math.floor(random() * gateways.length)]);
        reader.cut();
    };
    return Object.assign(reader, { sees: shape.sees, allowedGaps: gaps, ...more });
}

/** One reader of each shape, and a second one of everything; they reconnect at random to any of the gateways with their last id. */
export async function startReaders(t, gateways, random) {
    const readers = [];
    for (const shape of [SHAPES.all, ...Object.values(SHAPES)]) readers.push(await startReader(t, gateways, random, shape));
    const timer = setInterval(() => readers[Math.floor(random() * readers.length)].move(), 150);
    t.after(() => clearInterval(timer));
    return readers;
}

/** Changes that were seen in a wrong place; the versions that were seen last, of each row, go to `versions`. */
function wrongOrder(reader, versions) {
    const wrong = [];
    const finished = new Set(); // signatures of transactions that were left
    let signed, number;
    let announced = false;
    for (const item of reader.seen) {
        if (item.gap) {
            announced = true;
            if (!reader.allowedGaps.includes(item.gap)) wrong.push(`gap ${item.gap}`);
        }
        if (!isChange(item)) continue;
        const row = `${item.table} ${item.id}`;
        const before = versions.get(row) ?? 0;
        versions.set(row, item.version);
        if (item.version !== before + 1 && !(reader.mayMiss && announced && item.version > before))
            wrong.push(`${row}: ${item.version} after ${before}`);
        if (!reader.sees(item.table, item.id)) wrong.push(`${row}: not asked for`);
        const next = parseInt(item.place);
        if (next <= number || (reader.sees === everything && number && next !== number + 1 && !announced)) wrong.push(`number ${next} after ${number}`);
        number = next;
        if (item.signed !== signed && finished.has(item.signed)) wrong.push(`transaction ${item.signed} in pieces`);
        if (item.signed !== signed) finished.add(signed);
        signed = item.signed;
    }
    return wrong;
}

/** Waits for the end of what was committed, and counts what the reader saw against what the tables hold. Returns how many changes. */
async function countOne(database, reader) {
    const rows = [];
    for (const table of Object.keys(TABLES))
        for (const [id, version] of await database.query(`SELECT id, version FROM ${table}`))
            if (reader.sees(table, Number(id))) rows.push([`${table} ${id}`, Number(version)]);
    const truth = rows.reduce((sum, [, version]) => sum + version, 0);
    const last = () => new Map(reader.seen.filter(isChange).map(({ table, id, version }) => [`${table} ${id}`, version]));
    const complete = () => {
        const versions = last();
        return rows.every(([row, version]) => versions.get(row) === version || version === 0) || undefined;
    };
    await until(() => reader.error || complete(), "the end of all rows", PATIENCE_MS).catch(() => {});
    if (reader.error) throw reader.error;
    const versions = new Map();
    const wrong = wrongOrder(reader, versions);
    for (const [row, version] of rows) if (version !== (versions.get(row) ?? 0)) wrong.push(`${row}: ${versions.get(row) ?? 0} of ${version}`);
    assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} broken promises of ${truth} changes, ${reader.connections} connections`);
    return truth;
}

/** Every tick goes on where the one before ended: there were never two leads at once. */
export async function checkTicks(database) {
    const broken = await database.value(
        "SELECT count(*) FROM tuplecast.tick a JOIN tuplecast.tick b ON b.number = a.number + 1 WHERE b.base <> a.base + a.count",
    );
    assert.equal(broken, "0", "ticks that do not go on where the one before ended");
}

/** All that was committed was seen by each reader, once and in order; whoever saw the same event saw it with the same id. */
export async function count(t, database, readers) {
    const counts = [];
    for (const reader of readers) counts.push(`${await countOne(database, reader)} (${reader.connections} connections)`);
    const places = new Map();
    for (const reader of readers)
        for (const { table, id, version, place } of reader.seen.filter(isChange)) {
            const key = `${table} ${id} ${version}`;
            const durable = place.split("_")[0]; // a mixed stream's id has a live part, too
            if (places.has(key)) assert.equal(durable, places.get(key), `the id of ${key}`);
            else places.set(key, durable);
        }
    await checkTicks(database);
    t.diagnostic(`changes that each reader saw: ${counts.join(", ")}`);
}

/** The gateway that makes the ticks. */
export function lead(gateways, deadlineMs = PATIENCE_MS) {
    return until(
        async () => {
            for (const gateway of gateways)
                if (gateway.running && (await gateway.metric("tuplecast_durable_lead").catch(() => 0)) === 1) return gateway;
        },
        "a lead",
        deadlineMs,
    );
}
