// The third copy of a case's table: row triggers of the plainest kind record what the events must say. They know the columns from the
// model and convert each by itself with the fixed settings; nothing of ours is in them.

import { ident, literal } from "./names.mjs";
import { FIXED_CLAUSES } from "./tables.mjs";

/** Once in each database. differs: the columns of an UPDATE whose bytes are not the same, by their places. */
export const SETUP = `
CREATE SCHEMA matrix;
CREATE TABLE matrix.record (id bigserial, definition int, op text, old text[], new text[], old_in boolean, new_in boolean, differs boolean[], tag text DEFAULT current_setting('application_name'));
CREATE TABLE matrix.marks (id int PRIMARY KEY, n int);
CREATE ROLE matrix_owner LOGIN;
CREATE ROLE matrix_writer LOGIN;
GRANT pg_read_server_files TO matrix_writer, matrix_owner;
`;

/** One condition of a definition, as the documents say it, on the row `of`. */
export function condition(table, { column, op, value }, of) {
    const name = `${of}.${ident(column)}`;
    const { sql } = table.columns.find((c) => c.name === column);
    const constant = (v) => `${literal(String(v))}::${sql}`;
    if (op === "is null" || op === "is not null") return `${name} ${op}`;
    if (op === "in") return `${name} IN (${value.map(constant).join(", ")})`;
    return `${name} ${op} ${constant(value)}`;
}

/** The statements that make, or make anew, the function of the definition with this number. */
export function recordFunction(table, definition, at, schema) {
    const array = (row) => `ARRAY[${table.jsons(row).join(", ")}]`;
    const where = (row) => (definition.where ?? []).map((item) => `COALESCE(${condition(table, item, row)}, false)`).join(" AND ") || "true";
    const differs = table.told.map(({ name }) => `NOT (ROW(OLD.${ident(name)})::record OPERATOR(pg_catalog.*=) ROW(NEW.${ident(name)})::record)`);
    return `CREATE OR REPLACE FUNCTION ${ident(schema)}.record_${at}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER ${FIXED_CLAUSES} AS $record$
-- ${table.altered ?? 0}
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO matrix.record (definition, op, new, new_in) VALUES (${at}, TG_OP, ${array("NEW")}, ${where("NEW")});
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO matrix.record (definition, op, old, new, old_in, new_in, differs)
        VALUES (${at}, TG_OP, ${array("OLD")}, ${array("NEW")}, ${where("OLD")}, ${where("NEW")}, ARRAY[${differs.join(", ")}]);
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO matrix.record (definition, op, old, old_in) VALUES (${at}, TG_OP, ${array("OLD")}, ${where("OLD")});
    ELSE
        INSERT INTO matrix.record (definition, op) VALUES (${at}, TG_OP);
    END IF;
    RETURN NULL;
END
$record$`;
}

export function recordTriggers(table, definition, at, schema) {
    const on = `${ident(schema)}.${ident(table.watched())}`;
    // A statement counts that names what can change what is told.
    const counts = definition.update_of && [
        ...new Set([...definition.update_of, ...(definition.where ?? []).map(({ column }) => column), ...(table.key ?? [])]),
    ];
    const rows = ["INSERT", "UPDATE", "DELETE"]
        .filter((operation) => definition.operations.includes(operation))
        .map((operation) => (operation === "UPDATE" && counts ? `UPDATE OF ${counts.map(ident).join(", ")}` : operation));
    const statements = [];
    const add = (name, what, level) => {
        statements.push(`CREATE TRIGGER ${name}_${at} AFTER ${what} ON ${on} FOR EACH ${level} EXECUTE FUNCTION ${ident(schema)}.record_${at}()`);
        if (definition.always) statements.push(`ALTER TABLE ${on} ENABLE ALWAYS TRIGGER ${name}_${at}`);
    };
    // As late as ours: behind a trigger of the case's own.
    if (rows.length > 0) add("tuplecast_record", rows.join(" OR "), "ROW");
    if (definition.operations.includes("TRUNCATE")) add("tuplecast_truncate", "TRUNCATE", "STATEMENT");
    return statements;
}

/** The table's rows as they are now: of each the JSON texts of its told columns, and behind them whether it is in each definition's view. */
export function contentsFunction(table, definitions, schema) {
    const from = table.shape.onLeaf ? `${ident(schema)}.${ident(table.watched())}` : table.path(schema);
    const views = definitions.map(
        ({ where }) => `(${(where ?? []).map((item) => `COALESCE(${condition(table, item, "c")}, false)`).join(" AND ") || "true"})::pg_catalog.text`,
    );
    return `CREATE OR REPLACE FUNCTION ${ident(schema)}.contents() RETURNS SETOF pg_catalog.text[] LANGUAGE plpgsql ${FIXED_CLAUSES} AS $contents$
BEGIN
    RETURN QUERY SELECT ARRAY[${[...table.jsons("c"), ...views].join(", ")}] FROM ${from} c;
END
$contents$`;
}
