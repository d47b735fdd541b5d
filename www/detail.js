// What opens below a row: the columns with their old and new values side by side, what changed of them marked, and the
// event as it came.

import { names, plain } from "./change.js";
import { make, template } from "./dom.js";
import { indent, members } from "./json.js";
import { clip, clock } from "./plain_text.js";
import { counted } from "./words.js";

const VALUE_MAX = 20_000; // characters drawn of a value
const TEXT_MAX = 200_000; // and of the event
const COLUMNS_MAX = 400;

export function detailRow(change) {
    const row = template("detail-template").cloneNode(true);
    const cell = row.cells[0];
    const comparison = compare(change);
    if (comparison) cell.append(comparison);
    const facts = [`event id ${change.id || "none"}`];
    if (!Number.isNaN(change.at_ms)) facts.push(`written at ${clock(new Date(change.at_ms))}, here ${latencyWords(change)} later`);
    cell.append(make("p", "hint", `${facts.join(" · ")}.`), eventAsItCame(change, comparison === null));
    return row;
}

function latencyWords(change) {
    return counted(change.received - change.at_ms, "millisecond");
}

// A table of columns; null when there are none, as with TRUNCATE or a mere text.
function compare(change) {
    const data = members(change.event?.get("data") ?? "");
    const old = members(change.event?.get("old") ?? "");
    if (data === null) return null;
    const [before, after] = change.type === "DELETE" && old === null ? [data, null] : [old, data];
    const changed = change.event.has("changed") ? names(change.event.get("changed")) : differing(before, after);
    const table = template("compare-template").cloneNode(true);
    const columns = [...new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])])];
    for (const column of columns.slice(0, COLUMNS_MAX))
        table.tBodies[0].append(columnRow(column, before, after, changed.has(column)));
    if (columns.length > COLUMNS_MAX)
        table.tBodies[0].append(noteRow(`${counted(columns.length - COLUMNS_MAX, "more column")} in the event below.`));
    if (before === null && change.type === "UPDATE")
        table.tBodies[0].append(noteRow("This change came without the old values: its trigger does not send them. Edit it, and tick “Old values as well”."));
    return table;
}

function differing(before, after) {
    if (before === null || after === null) return new Set();
    return new Set([...after.keys()].filter((column) => before.has(column) && before.get(column) !== after.get(column)));
}

function columnRow(column, before, after, changed) {
    const name = make("th", "", clip(column, VALUE_MAX));
    name.scope = "row";
    if (changed) name.append(make("span", "unseen", " (changed)"));
    const row = make("tr", changed ? "changed" : "", name);
    row.append(valueCell(before, column, changed ? "del" : "span"), valueCell(after, column, changed ? "ins" : "span"));
    return row;
}

function valueCell(values, column, tag) {
    const json = values?.get(column);
    if (json === undefined) return make("td", "none", "–");
    if (json === "null") return make("td", "none", make(tag, "", "null"));
    return make("td", "", make(tag, "", clip(plain(json), VALUE_MAX)));
}

function noteRow(text) {
    const cell = make("td", "none", text);
    cell.colSpan = 3;
    return make("tr", "", cell);
}

function eventAsItCame(change, open) {
    const details = make("details", "", make("summary", "", "The event as it came"));
    const text = change.text.length > TEXT_MAX ? change.text : indent(change.text);
    details.append(make("pre", "", clip(text, TEXT_MAX)));
    details.open = open;
    return details;
}
