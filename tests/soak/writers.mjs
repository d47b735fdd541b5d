// Writers of numbers: each takes the next ones from a counter, under a lock that it holds until its commit, so that the order of
// commit is the order of numbers, and what is rolled back leaves no hole.

import { dice } from "../integration/lib/bank.mjs";
import { sleep } from "../integration/lib/proc.mjs";
import { until } from "../integration/lib/until.mjs";

const WRITERS = 4;
const FILLER = "-".repeat(400);

/** The first of `count` new numbers of a channel, in the transaction of this client. */
export async function take(client, channel, count) {
    const { rows } = await client.query("UPDATE counter SET n = n + $2 WHERE name = $1 RETURNING n", [channel, count]);
    return Number(rows[0].n) - count + 1;
}

/** Inserts so many rows into `bulk`, in a transaction that stays open. */
export async function beginBulk(client, count) {
    await client.query("BEGIN");
    const first = await take(client, "bulk_changes", count);
    await client.query("INSERT INTO bulk SELECT n FROM generate_series($1::bigint, $2::bigint) n", [first, first + count - 1]);
}

/** The same, in one that is committed. */
export async function insertBulk(client, count) {
    await beginBulk(client, count);
    await client.query("COMMIT");
}

/** So many large rows on both kinds of channel, each in a transaction of its own. */
export async function burst(client, count) {
    for (let i = 0; i < count; i++) {
        await client.query("BEGIN");
        await client.query("INSERT INTO ticker VALUES ($1, 'burst', repeat('x', 6000))", [await take(client, "ticker_changes", 1)]);
        await client.query("UPDATE accounts SET version = version + 1, signed = $2 || repeat('x', 6000) WHERE id = $1", [1 + (i % 20), `burst.${performance.now()}-`]);
        await client.query("COMMIT");
    }
}

/** NOTIFYs so many numbers on the channel `noise`, which belongs to nobody; filler makes each larger. */
export async function makeNoise(client, count, filler = "") {
    await client.query("BEGIN");
    const first = await take(client, "noise", count);
    await client.query(`SELECT pg_notify('noise', '{"n":' || n || ',"filler":"${filler}"}') FROM generate_series($1::bigint, $2::bigint) n`, [
        first,
        first + count - 1,
    ]);
    await client.query("COMMIT");
}

export class NumberWriters {
    #stopped = false;
    #database;

    constructor(database, seed, betweenMs) {
        this.#database = database;
        this.betweenMs = betweenMs;
        this.done = Promise.all(Array.from({ length: WRITERS }, (_, i) => this.#write(`${i}`, dice(seed * 1000 + 500 + i))));
    }

    async #write(name, random) {
        let client;
        while (!this.#stopped) {
            try {
                client ??= await this.#database.connect();
                await this.#transaction(client, name, random);
                await sleep(2 * random() * this.betweenMs);
            } catch {
                await client?.end().catch(() => {});
                client = undefined; // the server is away: what became of the COMMIT, the table knows
                await sleep(100);
            }
        }
        await client?.end().catch(() => {});
    }

    async #transaction(client, name, random) {
        const insert = async (count) => {
            const first = await take(client, "ticker_changes", count);
            // Many in one statement are sent as a statement and its rows.
            if (count > 16) await client.query("INSERT INTO ticker SELECT n, $2, $3 FROM generate_series($1::bigint, $4::bigint) n", [first, name, FILLER, first + count - 1]);
            else for (let i = 0; i < count; i++) await client.query("INSERT INTO ticker VALUES ($1, $2, $3)", [first + i, name, FILLER]);
        };
        await client.query("BEGIN");
        if (random() < 0.2) {
            await client.query("SAVEPOINT s");
            await insert(2);
            await client.query("ROLLBACK TO s");
        }
        await insert(random() < 0.1 ? 5 : random() < 0.05 ? 40 : 1);
        if (random() < 0.1) await client.query("SELECT pg_sleep($1)", [random() * 0.2]);
        await client.query(random() < 0.15 ? "ROLLBACK" : "COMMIT");
        if (random() < 0.1) await makeNoise(client, 1);
    }

    /** Stops, and writes a last number on each channel: whoever is in step sees it. */
    async stop() {
        this.#stopped = true;
        await this.done;
        const last = async () => {
            const client = await this.#database.connect();
            try {
                await client.query("BEGIN");
                await client.query("INSERT INTO ticker VALUES ($1, 'last', '')", [await take(client, "ticker_changes", 1)]);
                await client.query("COMMIT");
                await makeNoise(client, 1);
                await insertBulk(client, 1);
            } finally {
                await client.end();
            }
        };
        await until(() => last().then(() => true, () => false), "the last numbers", 30_000);
    }
}
