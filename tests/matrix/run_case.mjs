// Runs one case: the same steps in three copies of its table, side by side, and the comparison of everything.

import { DeadlineError, within } from "../integration/lib/until.mjs";
import { arrived, compareEvents, compareReplay, expectedEvents, rowsOf, short } from "./expected.mjs";
import { ident } from "./names.mjs";
import { contentsFunction, recordFunction, recordTriggers } from "./recorder.mjs";
import { ROLES } from "./sessions.mjs";

/** The one with triggers, the one without, and the one that records. */
const COPIES = ["own", "twin", "rec"];
let runs = 0;
let alterations = 0;

/** A statement that takes longer is taken for one that never ends. The slowest that is not takes a tenth of it on a busy machine. */
const STATEMENT_MS = 40_000;

/** What a statement came to, without what may differ: {error} or {rows}. */
async function attempt(place, client, sql, schemas) {
    try {
        const results = [await within(client.query(sql), () => `the end of ${short(sql)}`, STATEMENT_MS)].flat();
        return { rows: results.map(({ command, rowCount }) => `${command} ${rowCount}`).join(), last: results.at(-1)?.command };
    } catch (error) {
        if (error instanceof DeadlineError) {
            await place.database.query("SELECT pg_terminate_backend($1)", [client.processID]);
            return { error: `it takes longer than ${STATEMENT_MS} ms`, late: true };
        }
        if (!error.code) return { error: String(error), fatal: true };
        const text = schemas.reduce((message, schema) => message.replaceAll(schema, "S"), error.message);
        return { error: `${error.code} ${text}`, fatal: error.severity === "FATAL" };
    }
}

class Run {
    failures = [];
    script = []; // the own copy's statements
    records = []; // of each definition
    changed = false;

    constructor(place, directory, made) {
        this.place = place;
        this.made = made;
        this.file = `${directory}/matrix_copy`;
        this.table = made.table.clone();
        this.id = ++runs;
        this.schemas = { own: `c${this.id}`, twin: `c${this.id}_twin`, rec: `c${this.id}_rec` };
        this.records = made.definitions.map(() => []);
        this.recorded = undefined;
    }

    fail(kind, text, statement) {
        this.failures.push({ kind, text, statement });
    }

    /** Those that may stand in messages, the longest first; a schema may have been renamed. */
    get schemaNames() {
        const names = COPIES.map((copy) => `c${this.id}${copy === "own" ? "" : `_${copy}`}`);
        return [...names.map((name) => `${name}'s`), ...names].sort((a, b) => b.length - a.length);
    }

    async administer(copy, sql) {
        if (copy === "own") this.script.push(sql);
        return attempt(this.place, this.place.admin, sql, this.schemaNames);
    }

    async create() {
        for (const copy of COPIES) {
            const schema = this.schemas[copy];
            const owner = ROLES[this.made.role] ?? "postgres";
            for (const sql of [
                `CREATE SCHEMA ${ident(schema)}`,
                ...this.table.create(schema),
                ...(this.made.role === "superuser"
                    ? []
                    : [
                          `GRANT ALL ON SCHEMA ${ident(schema)} TO matrix_owner, matrix_writer`,
                          `GRANT ALL ON ALL TABLES IN SCHEMA ${ident(schema)} TO matrix_writer`,
                      ]),
                ...(this.made.role === "owner" ? await this.#owners(schema, owner) : []),
            ]) {
                const { error } = await this.administer(copy, sql);
                if (error) throw new Error(`${error}, by ${sql}`);
            }
        }
        this.last = await this.sequence();
    }

    async #owners(schema) {
        const parts = Array.from({ length: this.table.shape.parts ?? 0 }, (_, at) => `${ident(schema)}.part${at}`);
        const below = this.table.shape.twice ? [`${ident(schema)}.part0_0`, `${ident(schema)}.part0_1`] : [];
        return [this.table.path(schema), ...parts, ...below].map((path) => `ALTER TABLE ${path} OWNER TO matrix_owner`);
    }

    async putTriggers() {
        for (const [at, { kind, ...definition }] of this.made.definitions.entries()) {
            const whole = { schema: this.schemas.own, table: this.table.watched(), ...definition };
            const name = `m${this.id}_${at}`;
            this.script.push(`SELECT tuplecast.put_trigger('${name}', ${quoteJson(whole)}, NULL, NULL, false)`);
            await this.place.put(name, whole).catch((error) => this.fail("put", `${kind}: ${error.message}`));
            await this.administer("rec", recordFunction(this.table, definition, at, this.schemas.rec)).then(
                ({ error }) => error && this.fail("harness", error),
            );
            for (const sql of recordTriggers(this.table, definition, at, this.schemas.rec)) {
                const { error } = await this.administer("rec", sql);
                if (error) this.fail("harness", `${error}, by ${sql}`);
            }
        }
    }

    async connect() {
        this.clients = {};
        const { session, role } = this.made;
        for (const copy of COPIES) {
            const client = await this.place.connect();
            this.clients[copy] = client;
            if (session.load) await client.query(`LOAD '${session.load}'`);
            const statements = Object.entries(session.settings).map(([name, value]) => {
                const [renamed, since] = session.renamed?.[name] ?? [];
                return `SET ${since && this.version >= since ? renamed : name} = ${name === "search_path" ? value || "''" : `'${value}'`}`;
            });
            if (ROLES[role]) statements.push(`SET SESSION AUTHORIZATION ${ROLES[role]}`);
            for (const sql of statements) {
                if (copy === "own") this.script.push(sql);
                await client.query(sql);
            }
        }
    }

    async sequence() {
        const { rows } = await this.place.admin.query("SELECT last_value, is_called FROM matrix.record_id_seq");
        return rows[0].is_called === "t" ? Number(rows[0].last_value) : 0;
    }

    /** One step in all copies. */
    async step(step, number) {
        const texts = {};
        for (const copy of COPIES) texts[copy] = step.sql(this.table, { schema: this.schemas[copy], file: this.file });
        if (texts.own === null) return;
        const before = this.table.clone();
        this.#remember(texts.own);
        this.script.push(`${step.admin ? "-- by another session, a superuser's\n" : ""}${texts.own}`);
        const run = async (copy) => attempt(this.place, step.admin ? this.place.admin : this.clients[copy], texts[copy], this.schemaNames);
        const results = {};
        // The administrator has one session only.
        if (step.admin) for (const copy of COPIES) results[copy] = await run(copy);
        else await Promise.all(COPIES.map(async (copy) => (results[copy] = await run(copy))));
        this.#compareResults(step, results, number);
        await this.#follow(step, results.twin, texts.own);
        const last = await this.sequence();
        if (last > this.last)
            this.ranges.push({
                from: this.last,
                to: last,
                statement: number,
                label: step.label,
                table: before,
                schema: before.watchedSchema ?? this.ownSchemaBefore,
            });
        this.last = last;
    }

    #compareResults(step, { own, twin, rec }, number) {
        const same = (a, b) => a.error === b.error && a.rows === b.rows;
        if (!same(own, twin))
            this.fail("writer", `${step.label}: ${short(own.error ?? own.rows)}; without a trigger: ${short(twin.error ?? twin.rows)}`, number);
        if (!same(rec, twin))
            this.fail("harness", `${step.label}: the recorder: ${rec.error ?? rec.rows}; without a trigger: ${twin.error ?? twin.rows}`, number);
        if (own.late) throw new Error("the case ends with this statement");
        if (twin.fatal) this.fail("harness", `${step.label}: ${twin.error}`, number);
    }

    /** What a rollback takes back is the model, too. */
    #remember(sql) {
        this.ownSchemaBefore = this.schemas.own;
        if (/^BEGIN/.test(sql)) this.atBegin = this.table.clone();
        if (/^SAVEPOINT a$/.test(sql)) this.atSavepoint = this.table.clone();
    }

    async #follow(step, { error, last }, sql) {
        if (!error && step.change) {
            step.change(this.table);
            this.table.altered = ++alterations;
            // What another session committed, no rollback of the writer's takes back.
            if (step.admin) this.atBegin = this.table.clone();
            this.changed = true;
        }
        if (!error && step.movesSchema) for (const copy of COPIES) this.schemas[copy] = `${this.schemas[copy]}'s`;
        if (/^ROLLBACK TO a$/.test(sql) && !error) this.table = this.atSavepoint.clone();
        else if (last === "ROLLBACK" && !/^ROLLBACK (TO|PREPARED)/.test(sql) && this.atBegin) this.table = this.atBegin.clone();
        for (const [at, definition] of this.made.definitions.entries()) {
            // A record's columns may have other types than those that a session planned for: only a new function is surely planned anew.
            if (this.table.altered !== this.recorded)
                await this.administer("rec", recordFunction(this.table, definition, at, this.schemas.rec)).then(
                    ({ error: wrong }) => wrong && this.fail("harness", wrong),
                );
        }
        this.recorded = this.table.altered;
    }

    async contents(copy) {
        const schema = this.schemas[copy];
        await this.place.admin.query(contentsFunction(this.table, this.made.definitions, schema));
        const { rows } = await this.place.admin.query(`SELECT pg_catalog.to_json(c) FROM ${ident(schema)}.contents() AS c`);
        return rows.map((row) => Object.values(row)[0]).sort();
    }

    async compare() {
        const own = await this.contents("own");
        const twin = await this.contents("twin");
        const odd = own.find((row, at) => row !== twin[at]) ?? (own.length !== twin.length ? "their number" : undefined);
        if (odd !== undefined)
            this.fail("contents", `the table has ${own.length} rows, without a trigger ${twin.length}; first difference: ${short(odd)}`);
        const { found, odd: control } = await this.place.events(this.made.definitions.map(({ channel }) => channel));
        if (control) this.fail("gap", short(control));
        await this.#readRecords();
        for (const [at, definition] of this.made.definitions.entries())
            this.#compareDefinition(definition, this.records[at], found[definition.channel], own);
    }

    async #readRecords() {
        if (this.ranges.length === 0) return;
        const { rows } = await this.place.admin.query(
            "SELECT id, definition, op, pg_catalog.to_json(old) AS old, pg_catalog.to_json(new) AS new, old_in, new_in, pg_catalog.to_json(differs) AS differs FROM matrix.record WHERE id > $1 AND id <= $2 ORDER BY id",
            [this.ranges[0].from, this.ranges.at(-1).to],
        );
        for (const row of rows) {
            const range = this.ranges.find(({ from, to }) => row.id > from && row.id <= to);
            const list = (text) => (text === null ? null : JSON.parse(text));
            this.records[Number(row.definition)].push({
                ...range,
                op: row.op,
                old: list(row.old),
                new: list(row.new),
                old_in: row.old_in === "t",
                new_in: row.new_in === "t",
                differs: list(row.differs),
            });
        }
        await this.place.admin.query("TRUNCATE matrix.record");
    }

    #compareDefinition(definition, records, texts, contents) {
        const { role, program } = this.made;
        const came = texts.map(arrived);
        const label = (failure) => ({ ...failure, text: `${definition.kind}: ${failure.text}` });
        const groups = expectedEvents(definition, records, role);
        for (const failure of compareEvents(groups, came, definition)) {
            const step = this.made.steps[failure.statement];
            this.failures.push(label({ ...failure, text: `${step?.label}: ${failure.text}` }));
        }
        const follows =
            this.table.key &&
            !this.changed &&
            !definition.update_of &&
            definition.operations.length === 4 &&
            !program.noReplay &&
            this.made.session.name !== "session_replication_role";
        if (!follows) return;
        const at = this.table.told.length + this.made.definitions.indexOf(definition);
        const rows = contents.map((text) => JSON.parse(text)).filter((values) => values[at] === "true");
        for (const failure of compareReplay(came, rowsOf(this.table, definition, rows, role))) this.failures.push(label(failure));
    }

    async close() {
        for (const client of Object.values(this.clients ?? {})) await client.end().catch(() => {});
        for (const copy of COPIES)
            await this.place.admin
                .query(`DROP SCHEMA IF EXISTS ${ident(this.schemas[copy])} CASCADE`)
                .catch((error) => this.fail("harness", error.message));
    }
}

const quoteJson = (value) => `$json$${JSON.stringify(value)}$json$`;

/** {failures: [{kind, text}], script: [statements]} */
export async function runCase(world, made) {
    const place = world.places[made.encoding];
    const run = new Run(place, world.directory, made);
    run.version = world.version;
    run.ranges = [];
    try {
        await run.create();
        const prepared = made.steps.findIndex(
            ({ admin, label }) => !(admin && /^(the parent|the reference|another table|a trigger|view)/.test(label)),
        );
        for (const [number, step] of made.steps.entries()) if (number < prepared) await run.step(step, number);
        run.changed = false;
        await run.putTriggers();
        await run.connect();
        for (const [number, step] of made.steps.entries()) if (number >= prepared) await run.step(step, number);
        for (const client of Object.values(run.clients)) await client.query("ROLLBACK").catch(() => {});
        await run.compare();
    } catch (error) {
        if (run.failures.length === 0) run.fail("harness", error.stack);
        place.forget();
        await place.admin.query("TRUNCATE matrix.record").catch(() => {});
    } finally {
        await run.close();
    }
    return { failures: run.failures, script: run.script };
}
