// Roles that attack, and the proof that their code ran with somebody else's rights.
//
// The proof is a line in the server's own log: it is there whatever becomes of the transaction, in a read-only one, and in a dry run. Beside
// it, each strike tries to take back what a SET ROLE hid, and to make the stranger a superuser.

import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import path from "node:path";
import pg from "pg";
import { createDatabase } from "./database.mjs";
import { OPERATIONS } from "./changes.mjs";
import { run, startGateway } from "./gateway.mjs";
import { until } from "./until.mjs";

export const TOKEN = "correct-horse-battery-staple-0123456789";
export const PATIENCE_MS = 60_000;
const SERVER_LOG = path.join(process.env.TUPLECAST_TEST_PGDATA, "../postgres.log");
const CHUNK_BYTES = 2 ** 26;
const TEXT_ONLY = { getTypeParser: () => (value) => value };

/** What each role may do beside logging in; the schema `app` has the tables that are watched. */
const ROLES = {
    stranger: "",
    writer: "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA app TO %; ALTER DEFAULT PRIVILEGES FOR ROLE @owner IN SCHEMA app GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON TABLES TO %",
    owner: "ALTER SCHEMA app OWNER TO %",
    type_owner: "CREATE SCHEMA types AUTHORIZATION %; GRANT USAGE ON SCHEMA types TO PUBLIC",
    creator: "GRANT CREATE ON SCHEMA public TO %; GRANT CREATE ON DATABASE @database TO %",
    gateway: "",
    installer: "GRANT @owner TO %",
};

const STRIKE = `
    CREATE SCHEMA evil;
    GRANT USAGE, CREATE ON SCHEMA evil TO PUBLIC;
    CREATE FUNCTION evil.strike(how pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS $strike$
    DECLARE
        at_first pg_catalog.text := current_user;
        attempt pg_catalog.text;
    BEGIN
        RAISE LOG 'struck in %: % as % of %', pg_catalog.current_database(), how, current_user, session_user;
        FOREACH attempt IN ARRAY ARRAY['RESET ROLE', 'SET ROLE NONE', 'SET SESSION AUTHORIZATION DEFAULT', 'ALTER ROLE @stranger SUPERUSER'] LOOP
            BEGIN
                EXECUTE attempt;
                IF current_user OPERATOR(pg_catalog.<>) at_first::pg_catalog.name THEN
                    RAISE LOG 'struck in %: % after % as % of %', pg_catalog.current_database(), how, attempt, current_user, session_user;
                END IF;
            EXCEPTION WHEN OTHERS THEN NULL;
            END;
        END LOOP;
        RETURN true;
    END
    $strike$`;

/** A database of its own, with the roles in it. */
export class Field {
    #strikes = [];
    #read = 0; // of the server's log
    #told = 0; // of the strikes

    constructor(database) {
        this.database = database;
        this.roles = Object.fromEntries(Object.keys(ROLES).map((role) => [role, `${role}_${database.name}`]));
    }

    /** Names of roles, and of the database, in a text with @stranger, @database and so on. */
    named(text) {
        return text.replaceAll(/@(\w+)/g, (all, role) => (role === "database" ? this.database.name : this.roles[role] ?? all));
    }

    /** A session of one of the roles; of the superuser for "postgres". */
    async as(t, role) {
        const client = new pg.Client({ database: this.database.name, user: this.roles[role] ?? role, types: TEXT_ONLY });
        client.on("error", () => {});
        await client.connect();
        t?.after(() => client.end().catch(() => {}));
        return client;
    }

    /** Statements of a role, one after the other, in a session of its own. */
    async by(role, ...statements) {
        const client = await this.as(undefined, role);
        try {
            for (const statement of statements) await client.query(this.named(statement));
        } finally {
            await client.end();
        }
    }

    /** Who ran the attackers' code: {how, as, of}, each of these once for all times that are read together. */
    async strikes() {
        const log = await open(SERVER_LOG);
        const { size } = await log.stat();
        while (this.#read < size) {
            const { buffer, bytesRead } = await log.read({ buffer: Buffer.alloc(Math.min(size - this.#read, CHUNK_BYTES)), position: this.#read });
            const end = buffer.subarray(0, bytesRead).lastIndexOf("\n") + 1;
            if (end === 0) break;
            this.#read += end;
            const lines = buffer.subarray(0, end).toString().matchAll(new RegExp(`struck in ${this.database.name}: (.* as \\S+ of \\S+)$`, "gm"));
            for (const line of new Set([...lines].map(([, line]) => line))) {
                const [, how, as, of] = /^(.*) as (\S+) of (\S+)$/.exec(line);
                this.#strikes.push({ how, as, of });
            }
        }
        await log.close();
        return this.#strikes;
    }

    /**
     * What was gained since this was asked last: strikes by which somebody got other rights than his own. Somebody who runs his own code as himself gains
     * nothing. `attackers` are those who make their own sessions run it.
     */
    async gains(attackers = ["stranger", "writer", "owner", "type_owner", "creator"]) {
        const harmless = attackers.map((role) => this.roles[role]);
        const strikes = await this.strikes();
        const found = strikes.slice(this.#told).filter(({ as, of }) => !(as === of && harmless.includes(as)));
        this.#told = strikes.length;
        const short = (role) => role.replace(`_${this.database.name}`, "");
        const texts = [...new Set(found.map(({ how, as, of }) => `${how}: as ${short(as)} of ${short(of)}`))].sort();
        const supers = await this.database.query("SELECT rolname FROM pg_roles WHERE rolsuper AND rolname = ANY ($1)", [Object.values(this.roles)]);
        return [...texts, ...supers.map(([name]) => `${short(name)} is a superuser`)];
    }

    /** Environments: of the operator's superuser, and of a gateway with its own role and the installer's. */
    get env() {
        return { ...this.database.env, TUPLECAST_CHANNELS: "*" };
    }

    get gatewayEnv() {
        return {
            ...this.env,
            PGUSER: this.roles.gateway,
            TUPLECAST_TRIGGERS_TOKEN: TOKEN,
            TUPLECAST_TRIGGERS_SCHEMAS: "app,public",
            TUPLECAST_TRIGGERS_DATABASE: `user=${this.roles.installer} dbname=${this.database.name}`,
        };
    }

    async setup() {
        const { code, stderr } = await run(["setup"], this.env, PATIENCE_MS);
        assert.equal(code, 0, stderr);
        await this.grant();
    }

    /** What a operator grants after `tuplecast setup`. */
    async grant() {
        await this.database.query(`SELECT tuplecast.grant_gateway('${this.roles.gateway}')`);
        if ((await this.database.value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace AND proname = 'grant_installer'")) !== "0")
            await this.database.query(`SELECT tuplecast.grant_installer('${this.roles.installer}')`);
    }

    async startGateway(t, more = {}) {
        const gateway = await startGateway(t, { ...this.gatewayEnv, ...more });
        return gateway.ready(PATIENCE_MS);
    }

    /** A table of the owner's in the schema app. */
    table(name, columns = "id integer PRIMARY KEY, a text") {
        return this.by("owner", `CREATE TABLE app.${name} (${columns})`);
    }
}

/** `tuplecast` false: the database side is not installed. */
export async function openField(t, { tuplecast = true } = {}) {
    const field = new Field(await createDatabase(t));
    const { database } = field;
    await database.query("CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC");
    for (const role of Object.values(field.roles)) await database.query(`CREATE ROLE ${role} LOGIN`);
    // The owner first: others get rights on what will be his.
    for (const role of ["owner", ...Object.keys(ROLES).filter((name) => name !== "owner")])
        if (ROLES[role]) await database.query(field.named(ROLES[role].replaceAll("%", field.roles[role])));
    await database.query(field.named(STRIKE));
    await field.by("creator", "SELECT evil.strike('the trap is set')");
    assert.deepEqual(await field.gains([]), ["the trap is set: as creator of creator"], "a strike is seen");
    if (tuplecast) await field.setup();
    return field;
}

/** A definition for put() of lib/changes.mjs, of a table in the schema app. */
export const watch = (table, more = {}) => ({ schema: "app", table, channel: `${table}_changes`, operations: OPERATIONS, ...more });

/** Puts a trigger over REST, as the installer. */
export function putOver(gateway, name, { schema, table, ...more }) {
    return gateway.get(`/triggers/${encodeURIComponent(name)}`, {
        method: "PUT",
        headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
        body: JSON.stringify({ table: `${schema}.${table}`, ...more }),
    });
}

export function listOver(gateway) {
    return gateway.get("/triggers", { headers: { Authorization: `Bearer ${TOKEN}` } });
}

/** Runs a statement that may fail, and says whether it did not. */
export function tries(client, text, values) {
    return client.query(text, values).then(() => true, () => false);
}

/** Waits until the gateway reads the log: /readyz says ok and nothing else. */
export function isDurable(gateway) {
    let body;
    return until(async () => ({ body } = await gateway.get("/readyz")).body === "ok\n", () => `durable channels: ${body}`, PATIENCE_MS);
}
