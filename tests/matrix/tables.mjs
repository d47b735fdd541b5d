// A case's table as a model: what columns it has now, how it is made, how its rows are, and how JSON is made of them. The model is changed
// by whoever alters the table, so that the oracle never asks the catalog, as the triggers do.

import { ident } from "./names.mjs";

/** Kinds of key. columns: names and types, and each value as an expression of the row's number. */
export const KEYS = {
    int: { columns: [["int", (x) => x]], arithmetic: true },
    bigint: { columns: [["bigint", (x) => `(9007199254740992 + ${x})`]] },
    text: { columns: [["text", (x) => `('k"' || ${x})`]] },
    varchar: { columns: [["varchar(40)", (x) => `('%s' || ${x})::pg_catalog.varchar`]] },
    uuid: { columns: [["uuid", (x) => `pg_catalog.md5((${x})::pg_catalog.text)::pg_catalog.uuid`]] },
    timestamptz: {
        columns: [["timestamptz", (x) => `('2024-03-10 00:00:00.5+00'::pg_catalog.timestamptz + (${x}) * '1 hour 1 second'::pg_catalog.interval)`]],
    },
    date: { columns: [["date", (x) => `('2024-01-01'::pg_catalog.date + (${x}))`]] },
    interval: { columns: [["interval", (x) => `((${x}) * '1 hour 1 second'::pg_catalog.interval)`]] },
    numeric: { columns: [["numeric", (x) => `((${x}) + 0.50)`]] },
    float8: { columns: [["float8", (x) => `((${x}) / 10.0::pg_catalog.float8)`]] },
    bytea: { columns: [["bytea", (x) => `pg_catalog.int4send(${x})`]] },
    inet: { columns: [["inet", (x) => `('10.0.0.0'::pg_catalog.inet + (${x}))`]] },
    domain: { columns: [["kinds.positive", (x) => `(${x})`]], others: true },
    "domain over text": { columns: [["kinds.word", (x) => `('w' || ${x})`]], others: true },
    citext: { columns: [["ext.citext", (x) => `('K' || ${x})`]], others: true, extension: "citext" },
    "own range": { columns: [["kinds.floatrange", (x) => `kinds.floatrange((${x})::pg_catalog.float8, NULL)`]], others: true, label: true },
    composite: {
        columns: [
            ["text", (x) => `('a' || (${x}) % 3)`],
            ["int", (x) => x],
        ],
    },
    "composite of three": {
        columns: [
            ["int", (x) => x],
            ["timestamptz", () => "'2024-01-01 00:00:00+03'"],
            ["bool", (x) => `((${x}) % 2 = 0)`],
        ],
    },
    none: { columns: [["int", (x) => x]], none: true },
    "replica identity": { columns: [["int", (x) => x]], replica: true, arithmetic: true },
    "composite replica identity": {
        columns: [
            ["int", (x) => x],
            ["text", () => "'b'"],
        ],
        replica: true,
    },
    deferrable: { columns: [["int", (x) => x]], deferrable: true, arithmetic: true },
    "composite deferrable": {
        columns: [
            ["text", () => "'a'"],
            ["int", (x) => x],
        ],
        deferrable: true,
        arithmetic: true,
    },
};

/** Kinds of table. hashed: partitioned by the first column of the key, so that rows move when it changes. */
export const SHAPES = {
    plain: {},
    unlogged: {},
    partitioned: { hashed: true, parts: 3 },
    "partitioned without a key": { hashed: true, parts: 3, keyless: true },
    "partitioned, keys on the partitions": { hashed: true, parts: 3, leafKeys: true },
    "partitioned, one attached with other columns": { hashed: true, parts: 2, attached: true },
    "partitioned twice": { hashed: true, parts: 2, twice: true },
    partition: { hashed: true, parts: 1, onLeaf: true },
};

const TEXT = "pg_catalog.text";

export class Table {
    /** keyNames, iName, nName and the values' names are the columns'. values: [{name, type, generated}]. */
    constructor({ name, shape, key, keyNames, iName, nName, values, wide = 0 }) {
        const kind = KEYS[key];
        Object.assign(this, { name, shape: { ...SHAPES[shape], kind: shape }, keyKind: kind });
        const keyColumn = ([sql, value], at) => ({
            name: keyNames[at],
            role: "key",
            sql,
            value,
            json: (e) => (kind.label ? `pg_catalog.to_json(${e}::${TEXT})` : `pg_catalog.to_json(${e})`),
        });
        const plain = (columnName, role) => ({ name: columnName, role, sql: "int", json: (e) => `pg_catalog.to_json(${e})` });
        this.columns = [
            ...kind.columns.map(keyColumn),
            plain(iName, "i"),
            plain(nName, "n"),
            ...values.map((value) => ({ ...value, role: "value", sql: value.type.sql, json: value.type.json })),
            ...Array.from({ length: wide }, (_, at) => plain(`w${at}`, "wide")),
        ];
        // The key is that of the table that the trigger is on: one that each partition has for itself is none of the whole.
        const hasKey = !kind.none && !this.shape.keyless;
        /** The columns that tell rows apart, as events' ids have them; null: none do. */
        const names = hasKey ? this.columns.filter(({ role }) => role === "key").map(({ name: n }) => n) : null;
        this.key = this.shape.leafKeys ? null : names;
        this.leafKey = this.shape.leafKeys ? names : null;
    }

    clone() {
        return Object.assign(Object.create(Table.prototype), this, {
            columns: this.columns.map((column) => ({ ...column })),
            key: this.key && [...this.key],
        });
    }

    column(role, at = 0) {
        return this.columns.filter((column) => column.role === role)[at];
    }

    /** The names that an event may tell: virtual generated columns are left out everywhere. */
    get told() {
        return this.columns.filter(({ generated }) => generated?.kind !== "VIRTUAL");
    }

    get writable() {
        return this.columns.filter(({ generated }) => !generated);
    }

    path(schema) {
        return `${ident(schema)}.${ident(this.name)}`;
    }

    /** The table that the trigger is on. */
    watched() {
        return this.shape.onLeaf ? "part0" : this.name;
    }

    /** The statements that make it, in this schema. */
    create(schema) {
        const list = (names) => names.map(ident).join(", ");
        const columns = this.columns.map(
            ({ name, sql, generated, role }) =>
                `${ident(name)} ${sql}${generated ? ` GENERATED ALWAYS AS (${generated.sql(this)}) ${generated.kind}` : ""}${role === "key" && this.keyKind.replica ? " NOT NULL" : ""}`,
        );
        const path = this.path(schema);
        const { shape, keyKind } = this;
        const own = this.key ?? this.leafKey;
        const primary =
            own && !keyKind.replica ? `CONSTRAINT the_key PRIMARY KEY (${list(own)})${keyKind.deferrable ? " DEFERRABLE" : ""}` : undefined;
        const body = [...columns, ...(primary && !shape.leafKeys ? [primary] : [])].join(", ");
        const statements = [
            `CREATE ${shape.kind === "unlogged" ? "UNLOGGED " : ""}TABLE ${path} (${body})${shape.hashed ? ` PARTITION BY HASH (${ident(this.columns[0].name)})` : ""}`,
        ];
        const part = (at) => `${ident(schema)}.part${at}`;
        for (let at = 0; at < (shape.parts ?? 0); at++) {
            const bounds = `FOR VALUES WITH (MODULUS ${shape.parts}, REMAINDER ${at})`;
            if (shape.attached && at === 0) {
                const plain = columns.map(
                    (text, index) => text + (this.key?.includes(this.columns[index].name) && !keyKind.replica ? " NOT NULL" : ""),
                );
                statements.push(
                    `CREATE TABLE ${part(at)} (gone int, ${plain.toReversed().join(", ")}, gone_too text)`,
                    `ALTER TABLE ${part(at)} DROP gone, DROP gone_too`,
                    `ALTER TABLE ${path} ATTACH PARTITION ${part(at)} ${bounds}`,
                );
            } else if (shape.twice && at === 0) {
                statements.push(`CREATE TABLE ${part(at)} PARTITION OF ${path} ${bounds} PARTITION BY HASH (${ident(this.columns[0].name)})`);
                for (const below of [0, 1])
                    statements.push(`CREATE TABLE ${part(`0_${below}`)} PARTITION OF ${part(at)} FOR VALUES WITH (MODULUS 2, REMAINDER ${below})`);
            } else {
                statements.push(`CREATE TABLE ${part(at)} PARTITION OF ${path} ${bounds}`);
            }
            if (shape.leafKeys && primary) statements.push(`ALTER TABLE ${part(at)} ADD ${primary.replace("the_key", `key_of_${at}`)}`);
        }
        if (keyKind.replica && this.key) {
            statements.push(`CREATE UNIQUE INDEX replica_u ON ${path} (${list(this.key)})`);
            statements.push(`ALTER TABLE ${path} REPLICA IDENTITY USING INDEX replica_u`);
        }
        return statements;
    }

    /** The value of a column in the row of the number x, an expression; turn rotates the values. */
    value(column, x, turn = 0) {
        if (column.role === "key") return column.value(x);
        if (column.role === "i") return x;
        if (column.role === "n") return String(turn);
        if (column.role === "wide") return `(${x}) % 10`;
        const { values, sql } = column.type;
        const cast = (value) => (value === "NULL" ? `NULL::${sql}` : `(${value})::${sql}`);
        if (/^\d+$/.test(x)) return cast(values[(Number(x) + turn) % values.length]);
        return `CASE ((${x}) + ${turn}) % ${values.length} ${values.map((value, at) => `WHEN ${at} THEN ${cast(value)}`).join(" ")} END`;
    }

    /** INSERT of the rows with the numbers from..to. */
    insert(schema, from, to, { turn = 0, more = "", into = this.path(schema) } = {}) {
        const names = this.writable.map(({ name }) => ident(name)).join(", ");
        const row = (x) => this.writable.map((column) => this.value(column, x, turn)).join(", ");
        return from === to
            ? `INSERT INTO ${into} (${names}) VALUES (${row(String(from))})${more}`
            : `INSERT INTO ${into} (${names}) ${this.rows(from, to, turn)}${more}`;
    }

    rows(from, to, turn = 0) {
        const row = this.writable.map((column) => this.value(column, "g.x", turn)).join(", ");
        return `SELECT ${row} FROM pg_catalog.generate_series(${from}, ${to}) AS g (x)`;
    }

    /** SET of all columns but the key: the values of the next turn. */
    next(turn, where = "", of = "") {
        const i = of + ident(this.column("i").name);
        const sets = this.writable
            .filter(({ role }) => role === "value" || role === "n")
            .map((column) => `${ident(column.name)} = ${this.value(column, i, turn)}`);
        return `SET ${sets.join(", ")}${where}`;
    }

    /** SET of the key: that of the row whose number is `to`, an expression of this one's number. */
    rekey(to) {
        const i = ident(this.column("i").name);
        const x = to(i);
        const sets = this.columns.filter(({ role }) => role === "key").map((column) => `${ident(column.name)} = ${column.value(`(${x})`)}`);
        return `SET ${sets.join(", ")}, ${i} = ${x}`;
    }

    /** Expressions, one for each told column: its JSON as text, of the row that is called `row`. */
    jsons(row) {
        return this.told.map(({ name, json }) => `COALESCE((${json(`${row}.${ident(name)}`)})::${TEXT}, 'null')`);
    }
}

/** What a session has that makes values in the one fixed form. */
export const FIXED = {
    TimeZone: "UTC",
    DateStyle: "ISO",
    IntervalStyle: "iso_8601",
    bytea_output: "hex",
    extra_float_digits: "1",
    lc_monetary: "C",
    search_path: "pg_catalog",
    standard_conforming_strings: "on",
    quote_all_identifiers: "off",
    array_nulls: "on",
    transform_null_equals: "off",
    xmloption: "content",
};
export const FIXED_CLAUSES = Object.entries(FIXED)
    .map(([name, value]) => `SET ${name} TO ${name === "search_path" ? value : `'${value}'`}`)
    .join(" ");
