// The private PostgreSQL that scripts/with-postgres started: fresh databases, writing to them, and accidents.

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import path from "node:path";
import { promisify } from "node:util";
import pg from "pg";

const CTL = path.resolve(import.meta.dirname, "../../../scripts/postgres-ctl");

/** Values come back as PostgreSQL's own text, so that a test can compare bytes. */
const TEXT_ONLY = { getTypeParser: () => (value) => value };

/** start, stop, restart, immediate, freeze, thaw: see scripts/postgres-ctl. */
export function server(action) {
    return promisify(execFile)(CTL, [action]);
}

export class Database {
    #client; // a promise

    /** more: the environment that leads to another server than that of scripts/with-postgres, or has another role in PGUSER. */
    constructor(name, more = {}) {
        this.name = name;
        /** What makes a program use this database. */
        this.env = { ...more, PGDATABASE: name };
    }

    /** A connection of its own, ended with the test. */
    async connect(t) {
        const client = new pg.Client({ database: this.name, host: this.env.PGHOST, port: this.env.PGPORT, user: this.env.PGUSER, client_encoding: "UTF8", types: TEXT_ONLY });
        client.on("error", () => {}); // the server went away: the next query says so
        await client.connect();
        t?.after(() => client.end().catch(() => {}));
        return client;
    }

    /** The connection for query(), until it breaks. */
    #keep() {
        const connecting = this.connect();
        const forget = () => {
            if (this.#client === connecting) this.#client = undefined;
        };
        connecting.then((client) => client.on("error", forget).on("end", forget), forget);
        return connecting;
    }

    /** Rows as arrays of texts. A call that finds the connection broken, or breaks it, fails; the next one connects anew. */
    async query(text, values) {
        try {
            const client = await (this.#client ??= this.#keep());
            return (await client.query({ text, values, rowMode: "array" })).rows;
        } catch (error) {
            if (error.severity !== "ERROR") await this.end(); // the connection is gone
            throw error;
        }
    }

    async value(text, values) {
        return (await this.query(text, values))[0]?.[0];
    }

    notify(channel, payload) {
        return this.query("SELECT pg_notify($1, $2)", [channel, payload]);
    }

    /** The table, function and trigger of LISTEN/NOTIFY tutorials, as one types them in. */
    async createPosts(channel = "posts_changes") {
        await this.query("CREATE TABLE posts (id serial PRIMARY KEY, title text)");
        await this.createClassicTrigger("posts", channel);
    }

    async createClassicTrigger(table, channel) {
        await this.query(`
            CREATE FUNCTION notify_${table}() RETURNS trigger AS $$
            DECLARE
                current_row RECORD;
            BEGIN
                IF (TG_OP = 'INSERT' OR TG_OP = 'UPDATE') THEN
                    current_row := NEW;
                ELSE
                    current_row := OLD;
                END IF;
                PERFORM pg_notify('${channel}',
                    json_build_object('table', TG_TABLE_NAME, 'type', TG_OP, 'id', current_row.id,
                                      'data', row_to_json(current_row))::text);
                RETURN current_row;
            END;
            $$ LANGUAGE plpgsql`);
        await this.query(`
            CREATE TRIGGER ${table}_notify AFTER INSERT OR UPDATE OR DELETE ON ${table}
            FOR EACH ROW EXECUTE PROCEDURE notify_${table}()`);
    }

    /** Process ids of the gateway's connections: of every other client of this database. */
    async otherBackends() {
        const rows = await this.query(
            `SELECT pid FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
        );
        return rows.map(([pid]) => Number(pid));
    }

    async terminateOthers() {
        const pids = await this.otherBackends();
        for (const pid of pids) await this.query("SELECT pg_terminate_backend($1)", [pid]);
        return pids.length;
    }

    async end() {
        const client = this.#client;
        this.#client = undefined;
        await client?.then((connected) => connected.end()).catch(() => {});
    }
}

/**
 * A fresh, empty database for the test or suite `t`; it goes away with the server. options: what it is unlike the others of the server,
 * such as ENCODING 'LATIN1' LOCALE 'de_DE'.
 */
export async function createDatabase(t, options) {
    const name = `t_${randomBytes(6).toString("hex")}`;
    const root = new Database(process.env.PGDATABASE);
    await root.query(`CREATE DATABASE ${name} ${options ? `TEMPLATE template0 ${options}` : ""}`);
    await root.end();
    const database = new Database(name);
    t.after(() => database.end());
    return database;
}
