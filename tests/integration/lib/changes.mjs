// The database side by itself: the scripts of sql/, what the functions answer, and what the triggers send.

import assert from "node:assert/strict";
import { run } from "./gateway.mjs";
import { Waitable } from "./until.mjs";

export const OPERATIONS = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];

/** Installs the database side, as its users do. */
export async function install(database) {
    const { code, stderr } = await run(["setup"], database.env);
    assert.equal(code, 0, stderr);
}

export const define = (table, more = {}) => ({ schema: "public", table, channel: `${table}_changes`, operations: OPERATIONS, ...more });

/** Puts a trigger: {created, ...the trigger}. `client` is anything with query(). */
export async function put(client, name, definition, { ifMatch = null, ifNoneMatch = null, dryRun = false } = {}) {
    const result = await client.query("SELECT created, answer FROM tuplecast.put_trigger($1, $2, $3, $4, $5)", [
        name,
        JSON.stringify(definition),
        ifMatch,
        ifNoneMatch,
        dryRun,
    ]);
    const row = result.rows?.[0] ?? result[0];
    const [created, answer] = Array.isArray(row) ? row : [row.created, row.answer];
    return { created: created === "t", ...JSON.parse(answer) };
}

export async function list(database) {
    return JSON.parse(await database.value("SELECT tuplecast.list_triggers(NULL, NULL, NULL)")).items;
}

/** Listens to a channel. */
export class Listener extends Waitable {
    payloads = [];
    #taken = 0;
    #statement; // the last one that was sent as a statement and its rows

    static async open(t, database, channel) {
        const listener = new Listener();
        listener.client = await database.connect(t);
        listener.client.on("notification", ({ payload }) => {
            listener.payloads.push(payload);
            listener.changed();
        });
        await listener.client.query(`LISTEN "${channel.replaceAll('"', '""')}"`);
        listener.channel = channel;
        return listener;
    }

    /**
     * All that has come since the last call: notifications arrive in order, so a last one of our own marks the end. The rows of a statement are
     * as if each had come by itself.
     */
    async texts() {
        const mark = `end ${this.payloads.length} ${performance.now()}`;
        await this.client.query("SELECT pg_catalog.pg_notify($1, $2)", [this.channel, mark]);
        const end = await this.wait(
            () => {
                const index = this.payloads.indexOf(mark);
                return index < 0 ? undefined : index;
            },
            () => `the notification "${mark}"`,
            30_000,
        );
        const texts = this.payloads.slice(this.#taken, end);
        this.#taken = end + 1;
        return texts.flatMap((text) => {
            if (!text.startsWith('{"_":')) return [text];
            const members = json(text);
            if (members.columns) this.#statement = members;
            else assert.equal(members._, this.#statement._, text);
            return members.columns ? [] : [expanded(this.#statement, members)];
        });
    }

    /** The same, as objects without the serial number. */
    async events() {
        return (await this.texts()).map((text) => {
            const { _, ...event } = JSON.parse(text);
            return event;
        });
    }
}

/** The members of an object, or the items of a list, as text. */
function json(text) {
    const parts = [];
    let depth = 0;
    for (const token of text.match(/"(?:[^"\\]|\\.)*"|[^"{}[\],:]+|./gsu)) {
        if ("}]".includes(token)) depth--;
        if (depth === 1 && (token === "," || token === ":")) parts.push("");
        else if (depth > 0) parts.push((parts.pop() ?? "") + token);
        if ("{[".includes(token)) depth++;
    }
    return text[0] === "[" ? parts : Object.fromEntries(Array.from({ length: parts.length / 2 }, (_, i) => [JSON.parse(parts[2 * i]), parts[2 * i + 1]]));
}

/** A row of a statement, as a change that came by itself; everything is text. */
function expanded(statement, { row, old, id, n }) {
    const columns = json(statement.columns);
    const key = json(statement.key);
    const values = json(row);
    assert.equal(values.length, columns.length);
    const named = (items) => `{${columns.map((name, i) => `${name}:${items[i]}`).join()}}`;
    const value = (name) => values[columns.indexOf(name)];
    id ??= key.length === 0 ? "null" : key.length === 1 ? value(key[0]) : `{${key.map((name) => `${name}:${value(name)}`).join()}}`;
    const { schema, table, type, op } = statement;
    const gone = op !== undefined && type === '"DELETE"' && op !== type; // by another statement: its row is for filters
    let change = `{"schema":${schema},"table":${table},"type":${type}${op ? `,"op":${op}` : ""},"_":${n ?? statement._},"id":${id}`;
    change += gone ? `,"data":null,"_was":${named(values)}` : `,"data":${named(values)}`;
    if (old) change += `,"old":${named(json(old))},"changed":[${columns.filter((_, i) => values[i] !== json(old)[i])}]`;
    return `${change}}`;
}

/** A table with a trigger of ours, and its listener. */
export async function watched(t, database, table, columns, more = {}) {
    await database.query(`CREATE TABLE "${table}" (${columns})`);
    await put(database, table, define(table, more));
    return Listener.open(t, database, `${table}_changes`);
}
