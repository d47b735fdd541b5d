// What somebody does who can log in, and nothing else.

import { lead } from "../integration/lib/bank.mjs";
import { forgeEvents, NOTHING, storm } from "./ways.mjs";

const whose = ({ strangers }) => strangers;

/** What gateways and writers say to each other on the channel `tuplecast`, and what nobody says. */
const FORGED = [
    "alive", "lead", "wake", "triggers", "tick 1", "tick 9223372036854775807", "tick x", "stale live_1", `stale ${"x".repeat(7000)}`, "",
    '{"table":"accounts","type":"UPDATE","id":1,"data":{"id":1,"version":1,"signed":"forged"}}',
];

/** Locks that programs take, with one number or two: those that we once took are among them. */
const LOCKS = [
    "SELECT pg_advisory_lock(1953853548, n) FROM generate_series(0, 9) n",
    "SELECT pg_advisory_lock(n) FROM generate_series(-300, 300) n",
    "SELECT pg_advisory_lock(0, n), pg_advisory_lock(n, 0), pg_advisory_lock(n, n) FROM generate_series(1, 100) n",
    "SELECT pg_advisory_lock(hashtext(t)), pg_advisory_lock(hashtextextended(t, 0)) FROM unnest('{tuplecast,lead,tick,setup,triggers}'::text[]) t",
];

const endTheLead = "SELECT pg_terminate_backend(session, 5000) FROM tuplecast.find_lead()";

/** The signs of life of one who is not the lead must not keep others from taking over. */
function forgeryOverFrozenLead() {
    const forgery = storm((client) => client.query("SELECT pg_notify('tuplecast', t) FROM unnest('{alive,tick 1}'::text[]) t"), whose);
    return {
        async inject(world) {
            const gateway = await lead(world.gateways);
            const state = forgery.inject(world);
            gateway.signal("SIGSTOP");
            const others = world.gateways.filter((other) => other !== gateway);
            const found = lead(others).then(() => {}, (error) => error);
            return { gateway, state, found };
        },
        async heal(world, { gateway, state, found }) {
            const error = await found;
            gateway.signal("SIGCONT");
            await forgery.heal(world, state);
            if (error) throw error;
        },
    };
}

export default [
    {
        name: "stranger: takes advisory locks, while the lead has to change, 5 s",
        cost: NOTHING,
        lastS: 5,
        async inject({ strangers, database }) {
            const client = await strangers.connect();
            await client.query("BEGIN");
            for (const statement of LOCKS) await client.query(statement);
            await database.query(endTheLead);
            return client;
        },
        heal: (_, client) => client.end(),
    },
    {
        name: "stranger: forges events on durable channels, 4 s",
        cost: NOTHING,
        lastS: 4,
        ...storm(forgeEvents, whose),
    },
    {
        name: "stranger: forges what gateways tell each other, 4 s",
        cost: NOTHING,
        lastS: 4,
        ...storm((client) => client.query("SELECT pg_notify('tuplecast', t) FROM unnest($1::text[]) t", [FORGED]), whose),
    },
    {
        name: "stranger: forges what gateways tell each other, while the lead stands still, 5 s",
        cost: "live: gap restart for who goes to another",
        lastS: 5,
        ...forgeryOverFrozenLead(),
    },
];
