// What several faults of the database have in common: what they cost, whose sessions are ours, and ways to make a fault last until it is mended.

import { sleep } from "../integration/lib/proc.mjs";

export const OUTAGE = "live: gap outage; durable: nothing";
export const WAITING = "changes come later";
export const NOTHING = "nothing";

export const OURS = "datname = current_database() AND application_name = 'tuplecast'";

/** So that gateways connect anew, and find what was changed for sessions to come. */
export function endOurSessions(database) {
    return database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${OURS}`);
}

/** Notifications that look like events of the durable channels; as such they must never arrive. */
export async function forgeEvents(client) {
    await client.query(
        `SELECT pg_notify(t || '_changes', concat('{"table":"', t, '","type":"UPDATE","id":1,"data":{"id":1,"version":', n, ',"signed":"forged"}}'))
         FROM unnest('{accounts,orders}'::text[]) t, generate_series(1, 100) n`,
    );
    await client.query(`SELECT pg_notify('bulk_changes', concat('{"table":"bulk","type":"INSERT","id":', n, ',"data":{"n":', n, '}}')) FROM generate_series(1, 100) n`);
}

/** Statements in one transaction that is left open until heal. */
export function holdOpen(...statements) {
    return {
        async inject({ database }) {
            const client = await database.connect();
            await client.query("BEGIN");
            for (const statement of statements) await client.query(statement);
            return client;
        },
        heal: (_, client) => client.end(),
    };
}

/** Runs step(client, ms since the start) again and again until heal; what fails is tried again. whose: the database, as the one that does it sees it. */
export function storm(step, whose = ({ database }) => database) {
    return {
        inject(world) {
            const state = { stopped: false };
            const run = async () => {
                const client = await whose(world).connect();
                const from = performance.now();
                while (!state.stopped) {
                    await client.query("SET lock_timeout = '1s'");
                    await step(client, performance.now() - from).catch(() => client.query("ROLLBACK"));
                    await sleep(20);
                }
                await client.end();
            };
            state.done = run();
            return state;
        },
        async heal(_, state) {
            state.stopped = true;
            await state.done;
        },
    };
}
