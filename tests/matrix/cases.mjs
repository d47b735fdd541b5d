// Draws cases. Each axis has its cards; of many cases that chance proposes, the one that pairs most cards for the first time is taken, so that soon
// every definition has met every value, session and program. The same seed on the same kind of server gives the same cases.

import { dice } from "../integration/lib/bank.mjs";
import { ident, ODD_CHANNEL, ODD_NAMES } from "./names.mjs";
import { PROGRAMS } from "./programs.mjs";
import { ROLES, SESSIONS } from "./sessions.mjs";
import { KEYS, SHAPES, Table } from "./tables.mjs";
import { TYPES } from "./types.mjs";

const ALL = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];
const PROPOSALS = 24;

/** What is asked of a trigger. columns, update_of and where are filled in when the table is known. */
const DEFINITIONS = {
    plain: {},
    "at row level": { level: "row" },
    old: { old: true },
    "old at row level": { old: true, level: "row" },
    columns: { columns: true },
    "columns at row level": { columns: true, level: "row" },
    "columns and old": { columns: true, old: true },
    update_of: { update_of: true },
    "update_of and old": { update_of: true, old: true },
    where: { where: "n" },
    "where and old": { where: "n", old: true },
    "where and columns": { where: "n", columns: true },
    "where on a value": { where: "value" },
    "where on both": { where: "both", old: true },
    "where and update_of": { where: "n", update_of: true },
    "INSERT only": { operations: ["INSERT"] },
    "UPDATE and TRUNCATE only": { operations: ["UPDATE", "TRUNCATE"] },
    "DELETE only": { operations: ["DELETE"] },
    always: { always: true, level: "row" },
    "always, old and columns": { always: true, level: "row", old: true, columns: true },
};

const LAYOUTS = ["ordinary", "ordinary", "ordinary", "generated", "virtual", "wide"];

function pickFrom(random) {
    return (list) => list[Math.floor(random() * list.length)];
}

/** world: {version, encodings, locales, extensions, preparedTransactions}: what there is. */
export class Cases {
    #seen = new Set();
    #random;
    #count = 0;

    constructor(seed, world, { program } = {}) {
        this.seed = seed;
        this.world = world;
        this.#random = dice(seed);
        this.programs = PROGRAMS.filter(
            ({ since, prepares, name }) =>
                (since ?? 0) <= world.version && Boolean(prepares) <= Boolean(world.preparedTransactions) && (!program || name.includes(program)),
        );
        this.types = TYPES.filter(({ extension }) => !extension || world.extensions.includes(extension));
        this.sessions = SESSIONS.filter(({ locale }) => !locale || world.locales.includes(locale));
    }

    next() {
        let best;
        for (let i = 0; i < PROPOSALS; i++) {
            const proposal = this.#propose();
            const fresh = proposal.pairs.filter((pair) => !this.#seen.has(pair)).length / (proposal.size === 1000 ? 2 : 1);
            if (!best || fresh > best.fresh) best = { proposal, fresh };
        }
        for (const pair of best.proposal.pairs) this.#seen.add(pair);
        best.proposal.number = ++this.#count;
        best.proposal.fresh = best.fresh;
        return best.proposal;
    }

    get pairs() {
        return this.#seen.size;
    }

    #propose() {
        const random = this.#random;
        const pick = pickFrom(random);
        const { world } = this;
        const program = pick(this.programs);
        const encoding = pick(world.encodings);
        const session = pick(this.sessions);
        const role = session.needs ? "superuser" : pick(Object.keys(ROLES).filter((one) => !program.alters || one !== "writer"));
        const layout = pick(
            LAYOUTS.filter((one) => (one !== "virtual" || world.version >= 180000) && (one !== "wide" || !(program.shapes || program.light))),
        );
        const wide = layout === "wide";
        const shape = wide ? "plain" : pick(program.shapes ?? Object.keys(SHAPES).concat(Array(5).fill("plain")));
        const key = this.#pickKey(program, shape, random);
        const values = this.#pickValues(encoding, wide ? 1 : 1 + Math.floor(random() * 4), random, program.light);
        const size = pick(wide ? [1, 2] : values.some(({ big }) => big) ? [1, 16, 17] : [1, 1, 16, 17, 17, 1000]);
        const given = {
            seed: Math.floor(random() * 2 ** 31),
            program: program.name,
            encoding,
            session: session.name,
            role,
            layout,
            shape,
            key,
            types: values.map(({ name }) => name),
            size,
            odd: random() < 0.5,
            oddChannel: random() < 0.3,
        };
        given.kinds = this.#pickDefinitions(random, program.prepares);
        given.pairs = pairsOf(given);
        return given;
    }

    #pickKey(program, shape, random) {
        const { hashed, keyless } = SHAPES[shape];
        const fit = Object.entries(KEYS).filter(
            ([name, kind]) =>
                (!program.keyKinds || program.keyKinds.includes(name)) &&
                (!kind.extension || this.world.extensions.includes(kind.extension)) &&
                !(hashed && kind.replica) &&
                !(keyless && name !== "int") &&
                !(program.keys && kind.none),
        );
        const names = fit.map(([name]) => name);
        const liked = names.filter((name) => program.prefers?.includes(name));
        return pickFrom(random)(liked.length > 0 && random() < 0.6 ? liked : names);
    }

    #pickValues(encoding, count, random, light) {
        const fit = this.types.filter(({ encodings, big }) => (!encodings || encodings.includes(encoding)) && !(light && big));
        const found = new Set();
        while (found.size < count) found.add(pickFrom(random)(fit));
        return [...found];
    }

    #pickDefinitions(random, prepares) {
        const pick = pickFrom(random);
        const names = Object.keys(DEFINITIONS);
        const live = !prepares;
        const both = random() < 0.7;
        const first = random() < 0.5;
        return [...(live && (both || first) ? [`live ${pick(names)}`] : []), ...(!live || both || !first ? [`durable ${pick(names)}`] : [])];
    }
}

function pairsOf({ program, session, role, layout, shape, key, types, size, kinds, encoding }) {
    const axes = [
        [`program ${program}`],
        [`session ${session}`],
        [`role ${role}`],
        [`layout ${layout}`],
        [`shape ${shape}`],
        [`key ${key}`],
        types,
        [`size ${size}`],
        kinds,
        [encoding],
    ];
    const pairs = [];
    for (const [at, axis] of axes.entries())
        for (const other of axes.slice(at + 1)) for (const a of axis) for (const b of other) pairs.push(`${a}|${b}`);
    return pairs;
}

/** What a proposal stands for: {table, definitions, steps, session, role, ...}. Everything that chance decides here comes from its own seed. */
export function build(given, { full = false, channels }) {
    const random = dice(given.seed);
    const pick = pickFrom(random);
    const program = PROGRAMS.find(({ name }) => name === given.program) ?? given.ownProgram;
    const names = columnNames(given, dice(given.seed + 1));
    const types = given.types.map((name) => TYPES.find((type) => type.name === name));
    const values = types.map((type) => ({ name: names.next("v"), type }));
    const int = TYPES.find(({ name }) => name === "int4");
    const generated = (kind) => ({ name: names.next("g"), type: int, generated: { kind, sql: (t) => `${ident(t.column("i").name)} * 2` } });
    if (given.layout === "generated" || given.layout === "virtual") values.splice(Math.floor(random() * values.length), 0, generated("STORED"));
    if (given.layout === "virtual") values.splice(Math.floor(random() * values.length), 0, generated("VIRTUAL"));
    const table = new Table({
        name: given.odd ? names.next("t") : "things",
        shape: given.shape,
        key: given.key,
        keyNames: KEYS[given.key].columns.map((_, at) => names.next(at === 0 ? "id" : `id${at}`)),
        iName: names.next("i"),
        nName: names.next("n"),
        values,
        wide: given.layout === "wide" ? 1600 - values.length - 2 - KEYS[given.key].columns.length : 0,
    });
    const definitions = given.kinds.map((kind, at) => defineTrigger(kind, table, { pick, random, channels, odd: given.oddChannel, at }));
    table.pinned = [...new Set(definitions.flatMap(({ where, update_of }) => [...(where ?? []).map(({ column }) => column), ...(update_of ?? [])]))];
    // PostgreSQL keeps a column's type while a trigger is put on it, as one is on the key for UPDATE (docs/triggers.md).
    table.keyIsPinned = definitions.some(({ operations }) => operations.includes("UPDATE"));
    if (program.fixesColumns) table.pinned = table.columns.map(({ name }) => name);
    const steps = program.steps({ random, size: given.size, table, definitions, full });
    table.fixedSchema = program.fixesSchema;
    return { ...given, given, table, definitions, steps, session: SESSIONS.find(({ name }) => name === given.session), program };
}

function columnNames(given, random) {
    const pick = pickFrom(random);
    const used = new Set(["part0", "things", "with_default", "p", "up"]);
    const odd = ODD_NAMES.filter((name) => !/^(added|renamed|w\d)/.test(name));
    return {
        next(plain) {
            let name = given.odd && random() < 0.7 ? pick(odd) : plain;
            for (let at = 1; used.has(name); at++) name = given.odd ? pick(odd) : `${plain}${at}`;
            used.add(name);
            return name;
        },
    };
}

function defineTrigger(kind, table, { pick, random, channels, odd, at }) {
    const durable = kind.startsWith("durable ");
    const wanted = DEFINITIONS[kind.replace(/^(live|durable) /, "")];
    const definition = {
        durable,
        operations: wanted.operations ?? ALL,
        channel: channels[`${durable ? "durable" : "live"}${odd ? " odd" : ""}`],
        name: `trigger_${at}`,
        kind,
    };
    for (const member of ["level", "old", "always"]) if (wanted[member]) definition[member] = wanted[member];
    const n = table.column("n").name;
    const names = table.told.map(({ name }) => name);
    if (wanted.columns) {
        definition.columns = names
            .filter(() => random() < 0.5)
            .sort(() => random() - 0.5)
            .slice(0, 40);
        if (definition.columns.length === 0) definition.columns = [n];
    }
    if (wanted.update_of)
        definition.update_of =
            random() < 0.5
                ? [n]
                : [
                      n,
                      ...table.columns
                          .filter(({ role, generated }) => role === "value" && !generated)
                          .slice(0, 1)
                          .map(({ name }) => name),
                  ];
    if (wanted.where) {
        const conditions = [];
        if (wanted.where !== "value")
            conditions.push(
                pick([
                    { column: n, op: "<", value: 2 },
                    { column: n, op: "in", value: [0, 1, 3] },
                    { column: n, op: "<>", value: 1 },
                ]),
            );
        const value = table.columns.find(({ role, type, generated }) => role === "value" && type?.where && !generated);
        if (wanted.where !== "n" && value) {
            const [op, constant] = pick(value.type.where);
            conditions.push({ column: value.name, op, ...(constant === undefined ? {} : { value: constant }) });
        }
        definition.where = conditions.length > 0 ? conditions : [{ column: n, op: ">=", value: 1 }];
    }
    return definition;
}
