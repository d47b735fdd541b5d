// Bytes that are no text, or that cannot be read: the event arrives with U+FFFD, without its row, or as a gap of its channel. All others arrive as they are.

import { take } from "./writers.mjs";

/** The database is UTF8 and refuses such bytes; a superuser can get past that by a function of the server that takes them as they are. */
const ANY_TEXT = "CREATE OR REPLACE FUNCTION pg_temp.any_text(bytea) RETURNS text LANGUAGE internal IMMUTABLE STRICT AS 'byteasend'";
/** Nothing in UTF-8: a lone byte, a sequence that is cut off, one that is too long for what it says, half a pair, what no byte may be. */
const BYTES = ["81", "e282", "c0af", "eda080", "f5fffe", "e4f6fc", "f09f98"].map((hex) => Buffer.from(hex, "hex"));

/** Text that is odd and right, as JSON writes it. */
const ODD = ["\u2028\u2029", "\ufeff", "\\u0000", "\\ud800", "\\r\\n\\r\\ndata: x", "\u{10ffff}\u202e", "event: gap", "\\\\\\\"", "\u0085\u00a0"];

/** One change of each kind, in a transaction of its own. */
async function write(client, bytes, turn) {
    await client.query("BEGIN");
    await client.query("INSERT INTO ticker VALUES ($1, 'odd', pg_temp.any_text($2))", [await take(client, "ticker_changes", 1), bytes]);
    for (const table of ["accounts", "orders"])
        await client.query(`UPDATE ${table} SET version = version + 1, signed = $2 || pg_temp.any_text($3) WHERE id = $1`, [
            1 + (turn % 20),
            `odd.${performance.now()}-`,
            bytes,
        ]);
    await client.query("COMMIT");
}

/** A number on the channel `noise`, with this beside it. */
async function notify(client, filler) {
    await client.query("BEGIN");
    await client.query(`SELECT pg_notify('noise', concat('{"n":', $1::bigint, ',"filler":"', pg_temp.any_text($2), '"}'))`, [await take(client, "noise", 1), filler]);
    await client.query("COMMIT");
}

async function withAnyText(database, step) {
    const client = await database.connect();
    try {
        await client.query(ANY_TEXT);
        await step(client);
    } finally {
        await client.end();
    }
}

const READ_EVENTS = "read_events(bigint, bigint, text[], bigint, bigint)";

/** Nothing with the row 13 can be read, unless its rows are left out, and nothing with the row 17 at all, as if their bytes on the disk were broken. */
async function breakReading({ database, gatewayRole }) {
    const result = await database.value(`SELECT pg_get_function_result('tuplecast.${READ_EVENTS}'::regprocedure)`);
    await database.query(`
        ALTER FUNCTION tuplecast.${READ_EVENTS} RENAME TO read_events_well;
        CREATE FUNCTION tuplecast.read_events(from_number bigint, count_max bigint, channels text[], bytes_max bigint, page_bytes bigint) RETURNS ${result} LANGUAGE plpgsql AS $$
        #variable_conflict use_column
        BEGIN
            RETURN QUERY SELECT * FROM tuplecast.read_events_well($1, $2, $3, $4, $5) e
             WHERE CASE WHEN e.id_json = '13' AND $4 > 0 OR e.id_json = '17' THEN pg_catalog.convert_from('\\xff', 'UTF8') IS NULL ELSE true END;
        END $$;
        ALTER FUNCTION tuplecast.${READ_EVENTS} OWNER TO tuplecast_owner;
        GRANT EXECUTE ON FUNCTION tuplecast.${READ_EVENTS} TO ${gatewayRole}`);
}

const mendReading = ({ database }) =>
    database.query(`DROP FUNCTION tuplecast.${READ_EVENTS}; ALTER FUNCTION tuplecast.read_events_well RENAME TO read_events`);

/** A change of both rows, and of one that can be read. */
async function writeBroken({ database }) {
    for (const table of ["accounts", "orders"])
        await database.query(`UPDATE ${table} SET version = version + 1, signed = $1 WHERE id IN (3, 13, 17)`, [`broken.${performance.now()}`]);
}

export default [
    {
        name: "bytes: rows that are nothing in UTF-8",
        cost: "nothing: U+FFFD in these events",
        inject: ({ database }) =>
            withAnyText(database, async (client) => {
                for (let turn = 0; turn < 40; turn++) await write(client, BYTES[turn % BYTES.length], turn);
            }),
    },
    {
        name: "bytes: notifications that are nothing in UTF-8, or odd",
        cost: "nothing: U+FFFD in these events",
        inject: ({ database }) =>
            withAnyText(database, async (client) => {
                for (const filler of [...BYTES, ...ODD.map((text) => Buffer.from(text))]) await notify(client, filler);
            }),
    },
    {
        name: "bytes: events of the log that cannot be read, 5 s",
        cost: "live: gap restart on another gateway; durable: these events come cut, or as gap expired",
        lastS: 5,
        async inject(world) {
            await breakReading(world);
            await writeBroken(world);
            // Who comes back reads them from the log.
            await world.fleet.all("cut", { share: 0.25 });
            await writeBroken(world);
        },
        heal: mendReading,
    },
];
