// The database is dumped while everything runs, and restored beside it. A gateway there must know which ids of ours are good in the copy: on the same server
// those of before the dump, on another one none.

import path from "node:path";
import { knowsDurable } from "../integration/lib/bank.mjs";
import { createDatabase } from "../integration/lib/database.mjs";
import { freePort, Gateway } from "../integration/lib/gateway.mjs";
import { subscribe } from "../integration/lib/sse.mjs";
import { NOTHING } from "./ways.mjs";
import { execute, PATIENCE_MS, servers, setUp } from "./world.mjs";

const CLIENTS = process.env.TUPLECAST_TEST_PGCLIENTS;
const CHANNEL = "accounts_changes";
const SIGNATURE = "of the copy";

/** It takes the bytes that a UTF8 database can come to hold and does not take (bytes_faults.mjs). */
const ENCODING = "ENCODING 'SQL_ASCII' LOCALE 'C'";

/** By a pipe: the log may be large. Tables of numbers are left empty. */
async function copy(database, target) {
    const script = `set -o pipefail
        "$CLIENTS/pg_dump" --dbname="$FROM" --encoding=SQL_ASCII --no-tablespaces --exclude-table-data=ticker --exclude-table-data=bulk | env PGHOST="$TO_HOST" PGPORT="$TO_PORT" "$CLIENTS/psql" -Xq -v ON_ERROR_STOP=1 "$TO"`;
    const { PGHOST = process.env.PGHOST, PGPORT = process.env.PGPORT } = target.env;
    await execute("bash", ["-c", script], { env: { ...process.env, CLIENTS, FROM: database.name, TO: target.name, TO_HOST: PGHOST, TO_PORT: PGPORT } });
}

/** The id of the next event here. */
async function nextId(scope, gateway) {
    const stream = await subscribe(scope, gateway.stream(CHANNEL));
    const { id } = await stream.next("message", PATIENCE_MS);
    stream.close();
    return id;
}

/** A gateway of the copy. */
async function serve(scope, { env }, role) {
    const gateway = new Gateway(await freePort(), { ...env, PGUSER: role, TUPLECAST_CHANNELS: "*" });
    scope.after(() => gateway.running && gateway.kill());
    await gateway.start();
    await knowsDurable(scope, gateway, CHANNEL);
    return gateway;
}

/** What a stream that comes with this id is told up to a change that is made now. */
async function told(scope, gateway, target, id) {
    const stream = await subscribe(scope, gateway.stream(CHANNEL), { headers: { "Last-Event-ID": id } });
    const from = Number(await target.value("UPDATE accounts SET version = version + 1, signed = $1 WHERE id = 1 RETURNING version", [SIGNATURE]));
    await stream.next(({ name, json }) => name === "message" && json.data.signed === SIGNATURE && json.data.version === from, PATIENCE_MS);
    return stream.events;
}

const gapOf = (events) => events.find(({ name }) => name === "gap")?.json.reason;

function expect(what, found, wanted) {
    if (!wanted.test(String(found))) throw new Error(`${what}: ${found}, not ${wanted}`);
}

/** Each row goes on with the version that follows. */
function expectWhole(events) {
    const versions = new Map();
    for (const { json } of events.filter(({ name }) => name === "message")) {
        const { id, version } = json.data;
        if (versions.has(id) && version !== versions.get(id) + 1) throw new Error(`row ${id} of the copy: ${version} after ${versions.get(id)}`);
        versions.set(id, version);
    }
}

/** makeTarget(scope, world) gives an empty database; before and after say which gap who has an id of before the dump, or of after it, must be told. */
async function restore(world, makeTarget, { before, after }) {
    const steps = [];
    const scope = { name: "a restored dump", after: (step) => steps.push(step) };
    try {
        const target = await makeTarget(scope, world);
        const kept = await nextId(scope, world.steady);
        await copy(world.database, target);
        const lost = await nextId(scope, world.steady);
        await setUp(target);
        const gateway = await serve(scope, target, world.gatewayRole);
        const events = await told(scope, gateway, target, kept);
        expect("an id of before the dump", gapOf(events), before);
        if (!gapOf(events)) expectWhole(events);
        expect("an id of after the dump", gapOf(await told(scope, gateway, target, lost)), after);
    } finally {
        for (const step of steps.toReversed()) await step();
    }
}

async function onThisServer(scope, { root }) {
    const target = await createDatabase(scope, ENCODING);
    scope.after(() => root.query(`DROP DATABASE ${target.name} WITH (FORCE)`));
    scope.after(() => target.end());
    return target;
}

async function onAnotherServer(scope, { gatewayRole, strangers }) {
    const { startFreshServer } = await servers();
    const other = await startFreshServer(scope);
    const control = other.database("postgres");
    await control.query(`CREATE ROLE tuplecast_owner NOLOGIN; CREATE ROLE ${gatewayRole} LOGIN; CREATE ROLE ${strangers.env.PGUSER} LOGIN`);
    await control.query(`CREATE DATABASE copy TEMPLATE template0 ${ENCODING}`);
    await control.end();
    const target = other.database("copy");
    scope.after(() => target.end());
    return target;
}

export default [
    {
        name: "restore: a dump, on the same server",
        cost: NOTHING,
        needs: "dump",
        inject: (world) => restore(world, onThisServer, { before: /^undefined$/, after: /^rewound$/ }),
    },
    {
        name: "restore: a dump, on another server",
        cost: NOTHING,
        needs: "dump",
        inject: (world) => restore(world, onAnotherServer, { before: /^(expired|rewound)$/, after: /^(expired|rewound)$/ }),
    },
];
