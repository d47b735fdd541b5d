// Durable channels: every committed change arrives exactly once and in order, through restarts of everything.
//
// The truth is the table: each committed UPDATE of a row adds one to its version, so a reader must see 1, 2, 3 ... of each
// row up to what the table holds in the end, nothing twice, and never a gap event.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { createDatabase, server } from "./lib/database.mjs";
import { follow } from "./lib/follower.mjs";
import { Gateway, freePort, run } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const EVENTS = Number(process.env.DURABLE_EVENTS ?? 10_000);
const TOKEN = "correct-horse-battery-staple-0123456789";
const ROWS = 40;

/** A generator of the same numbers for the same seed: mulberry32. */
function dice(seed) {
    return () => {
        seed = (seed + 0x6d2b79f5) | 0;
        let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

async function startOne(t, env) {
    const gateway = await new Gateway(await freePort(), env).start();
    t.after(async () => {
        if (gateway.running) gateway.signal("SIGCONT");
        if (gateway.running) await gateway.kill();
    });
    return gateway.ready();
}

function put(gateway, table) {
    return gateway.get(`/triggers/${table}`, {
        method: "PUT",
        headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
        body: JSON.stringify({ table, durable: true }),
    });
}

async function setUp(t, count = 2, database = undefined) {
    database ??= await createDatabase(t);
    const env = { ...database.env, TUPLECAST_CHANNELS: "*", TUPLECAST_TRIGGERS_TOKEN: TOKEN };
    const { code, stderr } = await run(["setup"], env);
    assert.equal(code, 0, stderr);
    await database.query("CREATE TABLE accounts (id int PRIMARY KEY, version int NOT NULL)");
    await database.query("INSERT INTO accounts SELECT i, 0 FROM generate_series(1, $1::int) i", [ROWS]);
    const gateways = [];
    while (gateways.length < count) gateways.push(await startOne(t, env));
    const response = await put(gateways[0], "accounts");
    assert.equal(response.status, 201, response.body);
    for (const gateway of gateways)
        await until(async () => {
            const stream = await subscribe(t, gateway.stream("accounts_changes"));
            const { body } = await gateway.get("/channels");
            stream.close();
            return JSON.parse(body).items.some(({ channel, durable }) => channel === "accounts_changes" && durable);
        }, "the channel is durable");
    return { database, gateways, env };
}

/** 16 writers, until there are so many changes; through whatever happens to the server. */
class Writers {
    committed = 0;

    constructor(database, seed, wanted) {
        this.done = Promise.all(Array.from({ length: 16 }, (_, i) => this.#write(database, dice(seed * 1000 + i), wanted)));
    }

    async #write(database, random, wanted) {
        let client;
        while (this.committed < wanted) {
            try {
                client ??= await database.connect();
                const changes = await this.#transaction(client, random);
                this.committed += changes;
            } catch {
                await client?.end().catch(() => {});
                client = undefined; // the server is away: what became of the COMMIT, the table knows
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
        }
        await client?.end().catch(() => {});
    }

    async #transaction(client, random) {
        const update = "UPDATE accounts SET version = version + 1 WHERE id = $1";
        const rows = [...new Set(Array.from({ length: 1 + Math.floor(random() * 4) }, () => 1 + Math.floor(random() * ROWS)))].sort((a, b) => a - b);
        await client.query("BEGIN");
        for (const row of rows) {
            if (random() < 0.1) {
                await client.query("SAVEPOINT s");
                await client.query(update, [row]);
                await client.query("ROLLBACK TO s");
            }
            await client.query(update, [row]);
            if (random() < 0.5) await client.query("SELECT pg_sleep($1)", [random() * (random() < 0.01 ? 0.3 : 0.004)]);
        }
        const rolledBack = random() < 0.15;
        await client.query(rolledBack ? "ROLLBACK" : "COMMIT");
        return rolledBack ? 0 : rows.length;
    }
}

/** What the reader saw against what the table holds. */
async function count(database, follower) {
    const rows = await database.query("SELECT id, version FROM accounts");
    const truth = rows.reduce((sum, [, version]) => sum + Number(version), 0);
    await follower.until(() => follower.seen.length >= truth || undefined, `all of ${truth} changes, ${follower.seen.length} seen`, 60_000).catch(() => {});
    const wrong = [];
    const versions = new Map();
    for (const item of follower.seen) {
        if (item.gap) wrong.push(`gap ${item.gap}`);
        else if (item.version !== (versions.get(item.id) ?? 0) + 1) wrong.push(`row ${item.id}: ${item.version} after ${versions.get(item.id) ?? 0}`);
        if (!item.gap) versions.set(item.id, item.version);
    }
    for (const [id, version] of rows)
        if (Number(version) !== (versions.get(Number(id)) ?? 0)) wrong.push(`row ${id}: ${versions.get(Number(id)) ?? 0} of ${version}`);
    assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} broken promises of ${truth} changes`);
    return truth;
}

const numberOf = (json) => ({ id: json.data.id, version: json.data.version });

/** Followers that reconnect at random, to any of the gateways, with the id that they saw last. */
async function followers(t, gateways, random, number) {
    const all = [];
    while (all.length < number) all.push(await follow(t, gateways[all.length % gateways.length].stream("accounts_changes"), numberOf));
    const timer = setInterval(() => {
        const follower = all[Math.floor(random() * all.length)];
        follower.url = gateways[Math.floor(random() * gateways.length)].stream("accounts_changes");
        follower.cut();
    }, 150);
    t.after(() => clearInterval(timer));
    return all;
}

async function lead(gateways) {
    return until(async () => {
        for (const gateway of gateways)
            if (gateway.running && (await gateway.metric("tuplecast_durable_lead").catch(() => 0)) === 1) return gateway;
    }, "a lead");
}

describe("every committed change arrives once and in order", () => {
    for (const seed of [1, 2, 3])
        test(`with 16 writers, two gateways and readers that come and go (seed ${seed})`, { timeout: 120_000 }, async (t) => {
            const { database, gateways } = await setUp(t);
            const readers = await followers(t, gateways, dice(seed), 4);
            const naive = readNaively(t, database);
            await new Writers(database, seed, EVENTS).done;
            for (const reader of readers) t.diagnostic(`${await count(database, reader)} changes, ${reader.connections} connections`);
            const lost = await naive();
            t.diagnostic(`reading by "id > last" lost ${lost}`);
            assert.ok(lost > 0, "the test can fail: reading by the log's own numbers must lose something");
        });

    const accidents = {
        "the lead is killed": async ({ gateways }) => {
            const victim = await lead(gateways);
            await victim.kill();
            await lead(gateways);
            await victim.start();
        },
        "the lead is frozen, and comes back": async ({ gateways }) => {
            const victim = await lead(gateways);
            const other = gateways.find((gateway) => gateway !== victim);
            victim.signal("SIGSTOP");
            await until(async () => (await other.metric("tuplecast_durable_lead")) === 1, "another lead", 4000);
            victim.signal("SIGCONT");
        },
        "the database crashes": async ({ database }) => {
            await database.end();
            await server("immediate");
        },
        "the gateways' sessions are terminated": ({ database }) => database.terminateOthers(),
    };
    for (const [what, happen] of Object.entries(accidents))
        test(`when ${what}`, { timeout: 120_000 }, async (t) => {
            const setting = await setUp(t);
            const { database, gateways } = setting;
            const readers = await followers(t, gateways, dice(7), 3);
            const writers = new Writers(database, 7, EVENTS / 2);
            await until(() => writers.committed > EVENTS / 8, "some changes", 30_000);
            await happen(setting);
            await writers.done;
            for (const reader of readers) t.diagnostic(`${await count(database, reader)} changes, ${reader.connections} connections`);
        });
});

/** Reads as one is tempted to; returns a function that stops and tells how many were lost. */
function readNaively(t, database) {
    const seen = new Set();
    let last = 0;
    let stopped = false;
    const reading = (async () => {
        const client = await database.connect(t);
        while (!stopped) {
            const { rows } = await client.query("SELECT id FROM tuplecast.log WHERE id > $1 ORDER BY id", [last]);
            for (const { id } of rows) seen.add(Number(id));
            if (rows.length > 0) last = Number(rows.at(-1).id);
            await new Promise((resolve) => setTimeout(resolve, 5));
        }
    })();
    return async () => {
        await until(async () => Number(await database.value("SELECT coalesce(max(id), 0) FROM tuplecast.log")) === last, "the end of the log");
        stopped = true;
        await reading;
        const rows = await database.query("SELECT id FROM tuplecast.log");
        return rows.filter(([id]) => !seen.has(Number(id))).length;
    };
}

test("ids are the same on both gateways, and good after a restart of both", async (t) => {
    const { database, gateways } = await setUp(t);
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
    const { database, gateways: [gateway] } = await setUp(t, 1);
    const stream = await subscribe(t, gateway.stream("accounts_changes"));
    await database.notify("accounts_changes", JSON.stringify({ table: "accounts", type: "UPDATE", id: 1, data: { forged: true } }));
    for (const payload of ["tick 999999", "tick", "wake", "alive", "triggers", "", "x".repeat(7000)]) await database.notify("tuplecast", payload);
    await database.query("UPDATE accounts SET version = 77 WHERE id = 1");
    const [message] = await stream.messages(1);
    assert.equal(message.json.data.version, 77);
});

test("rows of any size arrive in full", async (t) => {
    const { database, gateways: [gateway] } = await setUp(t, 1);
    await database.query("ALTER TABLE accounts ADD COLUMN body text");
    const stream = await subscribe(t, gateway.stream("accounts_changes"));
    for (const size of [7998, 8000, 100_000, 8_000_000]) {
        await database.query("UPDATE accounts SET body = repeat('ä', $1::int / 2) WHERE id = 1", [size]);
        const message = (await stream.messages(1, 30_000)).at(-1);
        assert.equal(Buffer.byteLength(message.json.data.body), size);
    }
});

test("an id that is not kept any more is told to have expired; one of another history, to be rewound", async (t) => {
    const { database, gateways: [gateway] } = await setUp(t, 1);
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
    const { gateways } = await setUp(t, 2, database);
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
    const { database, gateways } = await setUp(t, 2);
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
