// Databases in an encoding, each with a gateway of its own.

import assert from "node:assert/strict";
import { knowsDurable, startOne, TOKEN } from "./bank.mjs";
import { createDatabase } from "./database.mjs";
import { run } from "./gateway.mjs";
import { subscribe } from "./sse.mjs";

/**
 * What CREATE DATABASE is told; letters that the encoding has; and bytes, in hexadecimal, that it takes and that are nothing in UTF-8. In
 * SQL_ASCII letters are the bytes that somebody once wrote.
 */
export const ENCODINGS = {
    UTF8: { options: "LOCALE 'C.UTF-8'", letters: "größe€漢字🙂" },
    LATIN1: { options: "LOCALE 'de_DE'", letters: "größeñ" },
    WIN1252: { options: "LOCALE 'C'", letters: "größe€“”", bad: "81" },
    EUC_JP: { options: "LOCALE 'ja_JP.eucjp'", letters: "日本語テスト", bad: "a9a1" },
    SQL_ASCII: { options: "LOCALE 'C'", letters: "größe€漢字", bad: "e4f6fc" },
};

export const quoted = (name) => `"${name}"`;

/** A database in an encoding, with a gateway that ends with the test or file `t`. */
export class Setting {
    #tables = 0;

    constructor(t, encoding) {
        this.t = t;
        this.encoding = encoding;
        Object.assign(this, ENCODINGS[encoding]);
    }

    async open() {
        this.database = await createDatabase(this.t, `ENCODING '${this.encoding}' ${this.options}`);
        const { code, stderr } = await run(["setup"], this.database.env);
        assert.equal(code, 0, stderr);
        this.gateway = await startOne(this.t, { ...this.database.env, TUPLECAST_CHANNELS: "*" });
    }

    api(method, path, body) {
        const headers = { Authorization: `Bearer ${TOKEN}`, ...(body && { "Content-Type": "application/json" }) };
        return this.gateway.get(path, { method, headers, body: body && JSON.stringify(body) });
    }

    /** A table with a trigger, and its stream. `columns` come after the key. */
    async watch(t, columns, definition) {
        const number = ++this.#tables;
        const table = `${this.letters} ${number}`;
        await this.database.query(`CREATE TABLE ${quoted(table)} (id int PRIMARY KEY, ${columns})`);
        const channel = `${this.letters}-${number}`;
        const wanted = { table: { schema: "public", name: table }, channel, old: true, ...definition };
        const response = await this.api("PUT", `/triggers/t${number}`, wanted);
        assert.equal(response.status, 201, response.body);
        if (definition.durable) await knowsDurable(t, this.gateway, channel);
        return { table, stream: await subscribe(t, this.gateway.stream(channel)) };
    }
}
