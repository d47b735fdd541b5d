// What happens to our own schema and to the rights on it, to the settings of gateways' sessions, and to what a channel is. Writers are superusers: it
// is the gateways that are hit.

import { put, TOKEN } from "../integration/lib/bank.mjs";
import { sleep } from "../integration/lib/proc.mjs";
import { until } from "../integration/lib/until.mjs";
import { endOurSessions, forgeEvents, OUTAGE, storm } from "./ways.mjs";
import { setUp } from "./world.mjs";

const DURABLE_DOWN = "durable: status down, changes come later";
const BOTH = `live: gap outage; ${DURABLE_DOWN}`;
const PATIENCE_MS = 30_000;

/** What grant_gateway gave. */
const revokeAll = (role) => `
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tuplecast FROM ${role};
    REVOKE ALL ON ALL TABLES IN SCHEMA tuplecast FROM ${role};
    REVOKE ALL ON SCHEMA tuplecast FROM ${role}`;

async function grantAgain({ database, gatewayRole }) {
    await database.query("GRANT USAGE ON SCHEMA tuplecast TO PUBLIC");
    await database.query("SELECT tuplecast.grant_gateway($1)", [gatewayRole]);
}

const RIGHTS = [
    {
        name: "rights: taken from the gateways, 4 s",
        cost: DURABLE_DOWN,
        lastS: 4,
        inject: ({ database, gatewayRole }) => database.query(revokeAll(gatewayRole)),
        heal: grantAgain,
    },
    {
        name: "rights: taken from the gateways, while these and clients connect anew, and events are forged, 4 s",
        cost: `${BOTH}; live: gap restart on another gateway`,
        lastS: 4,
        async inject({ database, gatewayRole, fleet, strangers }) {
            await database.query(revokeAll(gatewayRole));
            await endOurSessions(database);
            await fleet.all("cut", { share: 0.25 });
            const forger = await strangers.connect();
            for (let times = 0; times < 5; times++) {
                await forgeEvents(forger);
                await sleep(300);
            }
            await forger.end();
        },
        heal: grantAgain,
    },
    {
        name: "rights: only the owner may use the schema, 4 s",
        cost: DURABLE_DOWN,
        lastS: 4,
        inject: ({ database, gatewayRole }) => database.query(`REVOKE USAGE ON SCHEMA tuplecast FROM PUBLIC, ${gatewayRole}`),
        heal: grantAgain,
    },
    {
        name: "rights: a function of the schema belongs to a stranger, 4 s",
        cost: BOTH,
        lastS: 4,
        async inject({ database, strangers }) {
            await database.query(`ALTER FUNCTION tuplecast.retain(interval, bigint) OWNER TO ${strangers.env.PGUSER}`);
            await endOurSessions(database);
        },
        heal: ({ database }) => database.query("ALTER FUNCTION tuplecast.retain(interval, bigint) OWNER TO tuplecast_owner"),
    },
];

const ALTERATIONS = [
    "ALTER FUNCTION tuplecast.make_tick(bigint, text) RESET search_path",
    "GRANT EXECUTE ON FUNCTION tuplecast.read_events(bigint, bigint, text[], bigint, bigint) TO PUBLIC",
    "DROP FUNCTION tuplecast.retain(interval, bigint)",
    "UPDATE tuplecast.version SET checksum = 'of another build'",
];

/** Functions of these names do nothing but raise an error, until setup mends them. */
const raising = (...names) => `
    DO $do$
    DECLARE
        f record;
    BEGIN
        FOR f IN SELECT oid, proname FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND proname IN ('${names.join("', '")}') LOOP
            EXECUTE format('CREATE OR REPLACE FUNCTION tuplecast.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN RAISE ''altered''; END $f$',
                           f.proname, pg_get_function_arguments(f.oid), pg_get_function_result(f.oid));
        END LOOP;
    END $do$`;

async function mend({ database }) {
    const said = await setUp(database);
    if (!/mended version|in place of/.test(said)) throw new Error(`setup: ${said}`);
}

const SCHEMA = [
    {
        name: "schema: altered in four ways one after the other, each mended by setup",
        cost: DURABLE_DOWN,
        async inject(world) {
            for (const sql of ALTERATIONS) {
                await world.database.query(sql);
                await mend(world);
            }
        },
        // What is left when it failed half-way; else there is nothing to do.
        heal: ({ database }) => setUp(database),
    },
    {
        name: "schema: ticks raise an error for 4 s, until setup",
        cost: DURABLE_DOWN,
        lastS: 4,
        inject: ({ database }) => database.query(raising("make_tick")),
        heal: mend,
    },
    {
        name: "schema: reading the log raises an error for 4 s, until setup, while clients come back",
        cost: `live: gap restart on another gateway; ${DURABLE_DOWN}`,
        lastS: 4,
        async inject({ database, fleet }) {
            await database.query(raising("read_events", "find_place"));
            await fleet.all("cut", { share: 0.25 });
        },
        heal: mend,
    },
    {
        name: "schema: functions that gateways call are gone for 4 s, until setup",
        cost: DURABLE_DOWN,
        lastS: 4,
        inject: ({ database }) => database.query("DROP FUNCTION tuplecast.make_tick, tuplecast.ticks_after, tuplecast.durable_channels"),
        heal: mend,
    },
    {
        name: "schema: has another name for 3 s, while gateways connect anew",
        cost: `writers get the database's error; ${BOTH}`,
        lastS: 3,
        async inject({ database }) {
            await database.query("ALTER SCHEMA tuplecast RENAME TO tuplecast_away");
            await endOurSessions(database);
        },
        heal: ({ database }) => database.query("ALTER SCHEMA tuplecast_away RENAME TO tuplecast"),
    },
];

/** What hurts, and what writers keep where it is set for the whole database. */
const SETTINGS = {
    statement_timeout: ["'5ms'", "0"],
    lock_timeout: ["'1ms'", "0"],
    idle_session_timeout: ["'700ms'", "0"],
    idle_in_transaction_session_timeout: ["'1ms'", "0"],
    default_transaction_read_only: ["on", "off"],
    default_transaction_isolation: ["serializable", "'read committed'"],
    search_path: ["nowhere", "public"],
    client_encoding: ["LATIN1", "UTF8"],
    standard_conforming_strings: ["off", "on"],
    bytea_output: ["escape", "hex"],
    "\"DateStyle\"": ["German", "ISO"],
};

const alter = (whose, which) => Object.entries(SETTINGS).map(([name, values]) => `ALTER ${whose} SET ${name} = ${values[which]}`).join("; ");

const SESSIONS = [
    {
        name: "settings: of the gateways' role, which connect anew, 5 s",
        cost: OUTAGE,
        lastS: 5,
        async inject({ database, gatewayRole }) {
            await database.query(alter(`ROLE ${gatewayRole}`, 0));
            await endOurSessions(database);
        },
        async heal({ database, gatewayRole }) {
            await database.query(`ALTER ROLE ${gatewayRole} RESET ALL`);
            await endOurSessions(database);
        },
    },
    {
        name: "settings: of the database, while gateways connect anew, 5 s",
        cost: OUTAGE,
        lastS: 5,
        async inject({ database }) {
            await database.query(alter(`ROLE ${process.env.PGUSER} IN DATABASE ${database.name}`, 1));
            await database.query(alter(`DATABASE ${database.name}`, 0));
            await endOurSessions(database);
        },
        async heal({ database }) {
            await database.query(`ALTER DATABASE ${database.name} RESET ALL; ALTER ROLE ${process.env.PGUSER} IN DATABASE ${database.name} RESET ALL`);
            await endOurSessions(database);
        },
    },
];

/** A table's changes must not become those of a channel of the other kind. */
async function expectConflicts(gateway) {
    for (const definition of [{ channel: "accounts_changes", durable: false }, { channel: "ticker_changes", durable: true }]) {
        const { status, body } = await put(gateway, "spare", definition);
        if (status !== 409) throw new Error(`${JSON.stringify(definition)}: ${status} ${body}`);
    }
}

const insertIntoSpare = storm(async (client) => {
    await client.query("INSERT INTO spare VALUES (3)");
    await client.query("DELETE FROM spare");
});

/** PUT until it is done: it gives up when it would have to wait for a lock. */
const putAtLast = (gateway, table, definition, query = "") =>
    until(async () => (await put(gateway, table, definition, table + query)).status < 300, `the trigger of ${table}`, PATIENCE_MS);

const CHANNELS = [
    {
        name: "channel: another table notifies a durable one, 4 s",
        cost: "nothing: such notifications are ignored",
        lastS: 4,
        async inject(world) {
            await expectConflicts(world.steady);
            await world.database.createClassicTrigger("spare", "accounts_changes");
            return insertIntoSpare.inject(world);
        },
        async heal(world, state) {
            if (state) await insertIntoSpare.heal(world, state);
            await world.database.query("DROP FUNCTION IF EXISTS notify_spare CASCADE; TRUNCATE spare");
        },
    },
    {
        name: "channel: a live one becomes durable, with two tables, and live again, 3 s",
        cost: "live: gap",
        lastS: 3,
        inject: ({ steady }) => putAtLast(steady, "spare", { channel: "ticker_changes", durable: true }, "?whole_channel=true"),
        async heal({ steady }) {
            const headers = { Authorization: `Bearer ${TOKEN}` };
            await until(async () => [204, 404].includes((await steady.get("/triggers/spare", { method: "DELETE", headers })).status), "the end of a trigger", PATIENCE_MS);
            await putAtLast(steady, "ticker", { durable: false });
        },
    },
];

export default [...RIGHTS, ...SCHEMA, ...SESSIONS, ...CHANNELS];
