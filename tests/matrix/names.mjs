// Names as people give them, and as nobody should; and how SQL quotes them.

export const ident = (name) => `"${name.replaceAll('"', '""')}"`;

/** Means the same whatever standard_conforming_strings is. */
export const literal = (text) => (text.includes("\\") ? `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`);

/** Of columns and tables. Those that our own functions have, or could have, are among them; each is at most 63 bytes long in UTF-8. */
export const ODD_NAMES = [
    "amount$current", "it's", 'a "quoted" one', "50%", "%I %L %1$s %s", "back\\slash", "\\u0041", "tab\there", "line\nbreak", " space ", "a.b", "a,b", "{}", "[1]", "$1", "$$", "$fast$",
    "$current", ":x", "?", "/* no", "-- comment", "n", "o", "r", "k", "c", "s", "t", "old", "new", "OLD", "NEW", "row", "rows", "channel", "data", "head", "id", "key", "keys", "names",
    "name", "number", "value", "values", "settings", "changed", "changed_rows", "old_rows", "old_row", "new_row", "row_json", "old_json", "payload", "tuplecast 1", "tuplecast", "tuplecast ",
    "tuplecast's head", "tuplecast's row", "tuplecast's size", "select", "user", "table", "null", "true", "default", "tg_op", "TG_OP", "pg_catalog", "size", "relation", "lost", "cut", "at",
    "x".repeat(63), "é".repeat(31), "Größe", "'", "\"", "\\", "'; DROP TABLE x; --", "i", "record", "type", "op", "schema", "json", "text", "found", "FOUND", "sqlerrm", "columns",
];

/** Channels, too. */
export const ODD_CHANNEL = `50% of "it's" \\ é`;
