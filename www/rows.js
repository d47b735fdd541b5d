// Table rows for changes and gaps. Whatever came from a row is set as text, never as markup.

import { names, plain, remarks } from "./change.js";
import { make, template } from "./dom.js";
import { memberPlaces, string } from "./json.js";
import { clip, clock, visible } from "./plain_text.js";
import { gapWords } from "./words.js";

const CELL_MAX = 400; // characters drawn of a row's data

const rowTemplate = template("row-template");
const gapTemplate = template("gap-template");

export function changeRow(change) {
    const row = rowTemplate.cloneNode(true);
    const [time, channel, table, type, id, data] = row.cells;
    const { event } = change;
    setTime(time.firstElementChild, change.received);
    setCell(channel, string(event?.get("channel")));
    setCell(table, string(event?.get("table")), string(event?.get("schema")));
    type.firstElementChild.textContent = change.type || "–";
    type.firstElementChild.dataset.type = change.type;
    setCell(id, plain(event?.get("id")));
    data.append(...summary(change));
    return row;
}

export function gapRow(gap) {
    const row = gapTemplate.cloneNode(true);
    const words = gapWords(gap);
    setTime(row.querySelector("time"), gap.received);
    row.querySelector("b").textContent = words.title;
    row.querySelector("span").textContent = words.text;
    return row;
}

// The row's data in one line, what changed of it in bold.
function summary(change) {
    const text = change.event === null ? change.text : (plain(change.event.get("data")) ?? "");
    const changed = names(change.event?.get("changed"));
    const behind = visible(remarks(change));
    const places = changed.size > 0 && text.length <= CELL_MAX ? memberPlaces(text) : null;
    if (places === null) return [clip(text, CELL_MAX) + behind];
    const pieces = [];
    let at = 0;
    for (const { name, start, end } of places) {
        if (!changed.has(name)) continue;
        pieces.push(visible(text.slice(at, start)), make("strong", "", visible(text.slice(start, end))));
        at = end;
    }
    return [...pieces, visible(text.slice(at)) + behind];
}

function setCell(cell, text, schema = null) {
    cell.textContent = text === null ? "–" : clip(text, CELL_MAX);
    if (text !== null) cell.title = clip(schema === null ? text : `${schema}.${text}`, CELL_MAX);
}

function setTime(element, when_ms) {
    const when = new Date(when_ms);
    element.dateTime = when.toISOString();
    element.textContent = clock(when);
}
