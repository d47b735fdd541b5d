// Makes a failing case small: takes away what is not needed for it to fail in the same way, and writes down the rest as SQL.

import { build } from "./cases.mjs";
import { runCase } from "./run_case.mjs";
import { SESSIONS } from "./sessions.mjs";
import { OWN_TYPES } from "./types.mjs";

/** What makes two failures the same. */
export function signature({ kind, text }) {
    const plain = text
        .replace(/"(\\.|[^"\\])*"/g, '""')
        .replace(/\d+/g, "0")
        .replace(/^(live|durable) [^:]*: /, "$1: ");
    return `${kind}: ${plain.slice(0, 110)}`;
}

const loose = (failure) => signature(failure).replace(/(: [^:]*).*$/s, "$1");

/** Smaller cases to try, each made of the one that fails now. */
function* smaller(made, rebuild) {
    if (made.definitions.length > 1) for (const one of made.definitions) yield { ...made, definitions: [one] };
    for (const change of [{ size: 1 }, { size: 2 }, { odd: false }, { layout: "ordinary" }, { encoding: "UTF8" }]) {
        const [name] = Object.keys(change);
        if (made.given[name] !== change[name] && (name !== "size" || change.size < made.given.size)) yield rebuild({ ...made.given, ...change });
    }
    if (made.session.name !== SESSIONS[0].name) yield { ...made, session: SESSIONS[0] };
    if (made.role !== "superuser") yield { ...made, role: "superuser" };
    for (let length = made.steps.length >> 1; length >= 1; length >>= 1)
        for (let at = made.steps.length - length; at >= 0; at -= length) yield { ...made, steps: made.steps.toSpliced(at, length) };
    for (const column of made.table.columns.filter(({ role }) => role === "value")) {
        const table = made.table.clone();
        table.columns = table.columns.filter(({ name }) => name !== column.name);
        if (!table.pinned.includes(column.name))
            yield {
                ...made,
                table,
                definitions: made.definitions.map((one) =>
                    one.columns ? { ...one, columns: one.columns.filter((name) => name !== column.name) } : one,
                ),
            };
    }
    for (const member of ["old", "columns", "update_of", "where", "level", "always"])
        for (const [at, definition] of made.definitions.entries())
            if (definition[member]) yield { ...made, definitions: made.definitions.with(at, { ...definition, [member]: undefined }) };
}

/** The smallest case that was found to fail like `failure`: {made, result, tries}. */
export async function shrink(world, made, result, { triesMax = 80, deadlineMs = 60_000 } = {}) {
    const wanted = loose(result.failures[0]);
    const end = performance.now() + deadlineMs;
    const rebuild = (given) => {
        const again = build(given, { channels: world.channels });
        return {
            ...again,
            definitions:
                made.definitions.length === 1 ? again.definitions.filter(({ kind }) => kind === made.definitions[0].kind) : again.definitions,
        };
    };
    let best = { made, result };
    let tries = 0;
    for (let found = true; found && tries < triesMax;) {
        found = false;
        for (const candidate of smaller(best.made, rebuild)) {
            if (++tries > triesMax || performance.now() > end) break;
            const tried = await runCase(world, candidate).catch(() => undefined);
            const same = tried?.failures.find((failure) => loose(failure) === wanted);
            if (!same) continue;
            best = { made: candidate, result: { ...tried, failures: [same] } };
            found = true;
            break;
        }
    }
    return { ...best, tries };
}

export function describe(made) {
    const { program, session, role, layout, shape, key, types, size, kinds, encoding } = made;
    return `${program.name}; ${made.definitions?.map(({ kind }) => kind).join(" + ") ?? kinds.join(" + ")}; ${types.join(", ")}; ${shape}, key ${key}, ${layout}; session ${session.name}; ${role}; ${size} rows; ${encoding}`;
}

/** As SQL that can be run alone, behind `tuplecast setup`. */
export function asSql(made, { failures, script }, command) {
    const types =
        made.types.some(Boolean) && /\b(kinds|ext|gis)\./.test(script.join("\n"))
            ? [`CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; -- as needed\n${OWN_TYPES.trim()}`]
            : [];
    const roles = /matrix_(owner|writer)/.test(script.join("\n")) ? ["CREATE ROLE matrix_owner LOGIN", "CREATE ROLE matrix_writer LOGIN"] : [];
    const text = (sql) => `${sql.length > 4000 ? `${sql.slice(0, 4000)} -- and so on` : sql};`;
    return [
        `-- ${command}`,
        `-- ${describe(made)}`,
        ...failures.map((failure) => `-- ${failure.kind}: ${failure.text.replaceAll("\n", "\n--   ")}`),
        ...[...roles, ...types, ...script].map(text),
    ].join("\n");
}
