// Rows that are larger than a text can be, once they are JSON, or than a NOTIFY or an event may be. They are few, and take their time.
//
// What a durable trigger wrote is looked at in tuplecast.log itself: the gateway cuts what is longer than durable.event_bytes_max, and hundreds of
// megabytes through a stream would tell nothing else. That the stream says `cut` is looked at, too.

import { membersOf } from "./json.mjs";
import { CHANNELS } from "./world.mjs";

const MILLION = 1_000_000;
/** More than that of JSON is no event, and nobody need try. */
const EVENT_BYTES = 250 * MILLION;

const x = (count, letter = "'x'") => `pg_catalog.repeat(${letter}, ${count})`;
const exponents = (count) => `pg_catalog.array_fill('1e131071'::pg_catalog.numeric, ARRAY[${count}])`;

/** fits: the row's JSON is small enough to be told by a durable trigger. bounded: runs with every change. */
export const LARGE = [
    { name: "180 MB of one letter", columns: "a text", values: [x(180 * MILLION)], fits: true, bounded: true },
    { name: "180 MB of quotes", columns: "a text", values: [x(180 * MILLION, `'"'`)], fits: false },
    { name: "180 MB of control letters, which are 1.08 GB as JSON", columns: "a text", values: [x(180 * MILLION, `E'\\x01'`)], fits: false },
    {
        name: "three columns of 400 MB",
        columns: "a text, b text, c text",
        // One after the other: more than 1 GB of values in one statement is no row at all.
        values: [x(400 * MILLION)],
        later: ["b", "c"].map((column) => `${column} = ${x(400 * MILLION)}`),
        fits: false,
    },
    {
        name: "three columns of 400 MB, not compressed",
        columns: "a text, b text, c text",
        // One after the other: more than 1 GB of values in one statement is no row at all.
        values: [x(400 * MILLION)],
        later: ["b", "c"].map((column) => `${column} = ${x(400 * MILLION)}`),
        fits: false,
        storage: "EXTERNAL",
    },
    { name: "bytea of 300 MB", columns: "a bytea", values: [`${x(300 * MILLION)}::pg_catalog.bytea`], fits: false },
    { name: "bytea of 600 MB, which has no text", columns: "a bytea", values: [`${x(600 * MILLION)}::pg_catalog.bytea`], fits: false },
    { name: "numeric[] with 1,000 huge exponents", columns: "a numeric[]", values: [exponents(1000)], fits: true },
    { name: "numeric[] with 2,000 huge exponents", columns: "a numeric[]", values: [exponents(2000)], fits: false, bounded: true },
    { name: "numeric[] with 10,000 huge exponents", columns: "a numeric[]", values: [exponents(10000)], fits: false },
    { name: "jsonb with 10,000 huge exponents", columns: "a jsonb", values: [`pg_catalog.to_jsonb(${exponents(10000)})`], fits: false },
    { name: "json of 240 MB", columns: "a json", values: [`('"' || ${x(240 * MILLION)} || '"')::pg_catalog.json`], fits: true },
    { name: "an array of texts, each of 90 MB", columns: "a text[]", values: [`pg_catalog.array_fill(${x(90 * MILLION)}, ARRAY[5])`], fits: false },
    {
        name: "xml of 200 MB",
        columns: "a xml",
        values: [`pg_catalog.xmlparse(content '<a>' || ${x(200 * MILLION)} || '</a>')`],
        fits: true,
        optional: true,
    },
    { name: "composite of 300 MB", columns: "a kinds.thing_type", values: [`ROW(1, ${x(300 * MILLION)}, NULL)::kinds.thing_type`], fits: false },
    { name: "text key of 100 MB", columns: "a text", values: ["'x'"], key: x(100 * MILLION), fits: true },
    { name: "domain over text of 300 MB", columns: "a kinds.word", values: [x(300 * MILLION)], fits: false },
    { name: "own type of 300 MB", columns: "a kinds.plain", values: [`${x(300 * MILLION)}::kinds.plain`], fits: false },
];

const DEFINITIONS = [{}, { old: true }, { level: "row", old: true }, { columns: ["id"] }, { where: [{ column: "n", op: "<", value: 5 }] }];

/** Statements on a table of one row; each must come to the same with a trigger and without. */
function statements(path, { values, later = [], key = "1" }) {
    return [
        `INSERT INTO ${path} VALUES (${[key, "0", ...values].join(", ")})`,
        ...later.map((assignment) => `UPDATE ${path} SET ${assignment}`),
        `UPDATE ${path} SET n = 1`,
        `UPDATE ${path} SET n = 7`,
        `UPDATE ${path} SET a = NULL`,
        `DELETE FROM ${path}`,
    ];
}

let number = 0;

/** Resolves with a list of what was wrong, and of what it took: [{kind, text}], seconds of the writer with and without. */
export async function runLarge(place, large, definition, durable) {
    const failures = [];
    const own = `large_${++number}`;
    const twin = `${own}_twin`;
    const { admin } = place;
    const channel = CHANNELS[durable ? "durable" : "live"];
    for (const table of [own, twin]) {
        await admin.query(`CREATE TABLE public.${table} (id ${large.key ? "text" : "int PRIMARY KEY"}, n int, ${large.columns})`);
        if (large.key)
            await admin.query(
                `CREATE UNIQUE INDEX ${table}_u ON public.${table} (id); ALTER TABLE public.${table} ALTER id SET NOT NULL, REPLICA IDENTITY USING INDEX ${table}_u`,
            );
        if (large.storage)
            for (const column of ["a", "b", "c"]) await admin.query(`ALTER TABLE public.${table} ALTER ${column} SET STORAGE ${large.storage}`);
    }
    const whole = { schema: "public", table: own, channel, durable, operations: ["INSERT", "UPDATE", "DELETE", "TRUNCATE"], ...definition };
    const took = { own: 0, twin: 0 };
    const say = (text) => failures.push({ kind: "large", text: `${large.name}, ${JSON.stringify({ durable, ...definition })}: ${text}` });
    try {
        await place.put(own, whole);
        const texts = [statements(`public.${own}`, large), statements(`public.${twin}`, large)];
        for (const [at, sql] of texts[0].entries()) {
            const without = await attempt(admin, texts[1][at], took, "twin");
            const with_ = await attempt(admin, sql, took, "own");
            if (with_ !== without) say(`${sql.slice(0, 60)}: ${with_}; without a trigger: ${without}`);
            if (at === 0 && durable && with_ === "1") await lookAtLog(admin, twin, large, definition, say);
        }
        await lookAtEvents(place, channel, own, large, definition, durable, say);
    } finally {
        place.forget();
        await admin.query(`DROP TABLE public.${own}, public.${twin}`);
    }
    return { failures, took };
}

async function attempt(client, sql, took, which) {
    const begin = performance.now();
    const result = await client.query(sql).then(
        ({ rowCount }) => String(rowCount),
        ({ code, message }) => `${code} ${message}`,
    );
    took[which] += (performance.now() - begin) / 1000;
    return result;
}

const SENT_BYTES_MAX = 32 << 20;

/** The INSERT's row of the log: whole when it fits, or none where it is longer than any event that a gateway sends on (the largest durable.event_bytes_max). */
async function lookAtLog(admin, twin, large, definition, say) {
    if (definition.columns) return;
    const { rows } = await admin.query("SELECT octet_length(data) AS bytes, md5(data) AS md5 FROM tuplecast.log ORDER BY id DESC LIMIT 1");
    const bytes = rows[0]?.bytes;
    if (!large.fits) {
        if (Number(bytes) > EVENT_BYTES) say(`the log has a row of ${bytes} bytes`);
        return;
    }
    const whole = await admin.query(
        `SELECT octet_length(t) AS bytes, md5(t) AS md5 FROM (SELECT row_to_json(r)::text FROM public.${twin} r) AS j (t)`,
    );
    if (rows[0] && bytes === null && whole.rows[0].bytes > SENT_BYTES_MAX) return;
    if (rows[0]?.md5 !== whole.rows[0].md5) say(`the log has a row of ${bytes} bytes; it should be one of ${whole.rows[0].bytes}`);
}

async function lookAtEvents(place, channel, table, large, definition, durable, say) {
    const { found, odd } = await place.events([channel]);
    if (odd) say(`the stream said ${odd.slice(0, 200)}`);
    const events = found[channel]
        .map((data) => Object.fromEntries(membersOf(data).map(([name, value]) => [JSON.parse(name), value])))
        .filter((event) => event.table === JSON.stringify(table));
    const types = events.map(({ type, op }) => JSON.parse(op ?? type) + (op ? ` as ${JSON.parse(type)}` : "")).join();
    const later = ",UPDATE".repeat(large.later?.length ?? 0);
    const wanted = `INSERT${later}${definition.where ? ",UPDATE,UPDATE as DELETE" : ",UPDATE,UPDATE,UPDATE,DELETE"}`;
    if (types !== wanted) say(`the events are ${types}; they should be ${wanted}`);
    // All of the row, or of its columns what is too large.
    if (!definition.columns && !large.key && events[0] && !JSON.parse(events[0].cut ?? "[]").some((name) => /^data(\.|$)/.test(name)))
        say(`the INSERT's event does not say that data is cut: ${JSON.stringify(events[0]).slice(0, 200)}`);
    for (const event of events) if (!large.key && event.id !== "1") say(`an event has the id ${event.id}`);
}

/** All of them, those whose name has the text, or the bounded part: the plain definition, live and durable. */
export async function runAllLarge(place, { bounded = false, only = "", say = () => {} } = {}) {
    const failures = [];
    for (const large of LARGE.filter((one) => (!bounded || one.bounded) && one.name.includes(only)))
        for (const definition of bounded ? DEFINITIONS.slice(0, 1) : DEFINITIONS)
            for (const durable of [false, true]) {
                const one = await runLarge(place, large, definition, durable);
                failures.push(...one.failures);
                say(
                    `${large.name}, ${JSON.stringify({ durable, ...definition })}: ${one.took.own.toFixed(1)} s, without a trigger ${one.took.twin.toFixed(1)} s`,
                );
                for (const { text } of one.failures) say(`  ${text}`);
            }
    return failures;
}
