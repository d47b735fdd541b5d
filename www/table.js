// The live table: newest first, the latest changes kept, drawn at most once a frame.
//
// Entries wait in #pending until the next frame, or while paused until resume(), and then move to #kept. Both lists are
// bounded, so a page in the background or paused overnight does not grow. Whatever came from a row is set as text, never as markup.
//
// Rows stand in blocks (one tbody each), so that the browser can leave a block alone while it is out of sight: the style
// sheet's content-visibility. Without that, every frame would lay out and paint a thousand rows.

import { indent, members, string } from "./json.js";
import { gapWords, number } from "./words.js";

const ROWS_MAX = 1000;
const TEXT_MAX = 50_000_000; // characters of all rows of a list together
const CELL_MAX = 400; // characters drawn of a row's data
const DETAIL_MAX = 200_000; // characters drawn of a whole change
const BLOCK_ROWS = 10;
const FRAME_MS = 17; // a drawing that fits into one frame needs no rest
const REST_MAX_MS = 250;
const GLOW_MAX = 8; // rows of one frame that may glow: more is flicker

const HIDDEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const rowTemplate = document.getElementById("row-template").content.firstElementChild;
const detailTemplate = document.getElementById("detail-template").content.firstElementChild;
const gapTemplate = document.getElementById("gap-template").content.firstElementChild;

// The latest entries, oldest first: no more than ROWS_MAX, and no more than TEXT_MAX characters except for a single one.
class Latest {
    entries = [];
    #text = 0;

    // Returns those that had to go.
    push(entry) {
        this.entries.push(entry);
        this.#text += textOf(entry);
        const gone = [];
        while (this.entries.length > ROWS_MAX || (this.#text > TEXT_MAX && this.entries.length > 1)) {
            gone.push(this.entries.shift());
            this.#text -= textOf(gone.at(-1));
        }
        return gone;
    }

    // Returns all of them.
    clear() {
        this.#text = 0;
        return this.entries.splice(0);
    }
}

function textOf(entry) {
    return entry.change?.text.length ?? 0;
}

export class ChangeTable {
    paused = false;
    unseen = 0; // changes that came while paused

    #table;
    #onDrawn;
    #pending = new Latest(); // { change } or { gap }
    #kept = new Latest(); // the same with their row, and detail where it is open
    #stale = false; // something is to be drawn
    #resting = false; // from the request of a frame until the rest after it is over

    // table holds its head; the blocks are ours. onDrawn() is called after each change of what is seen.
    constructor(table, onDrawn) {
        this.#table = table;
        this.#onDrawn = onDrawn;
        table.addEventListener("click", (event) => {
            const button = event.target.closest(".more");
            if (button) this.#toggle(button);
        });
    }

    get size() {
        return this.#kept.entries.length;
    }

    addChange(change) {
        if (this.paused) this.unseen++;
        this.#add({ change });
    }

    addGap(gap) {
        this.#add({ gap });
    }

    pause() {
        this.#draw();
        this.paused = true;
        this.#onDrawn();
    }

    resume() {
        this.paused = false;
        this.unseen = 0;
        this.#draw();
        this.#onDrawn();
    }

    clear() {
        this.#pending.clear();
        this.#kept.clear();
        this.unseen = 0;
        for (const block of [...this.#table.tBodies]) block.remove();
        this.#onDrawn();
    }

    #add(entry) {
        this.#pending.push(entry);
        this.#schedule();
    }

    #schedule() {
        this.#stale = true;
        if (this.#resting) return;
        this.#resting = true;
        requestAnimationFrame(() => this.#frame());
    }

    // A drawing that took long is followed by a rest as long, so that a flood never takes the page away from its visitor:
    // a slow machine draws less often. The task after the frame knows what layout and painting took.
    #frame() {
        const begin = performance.now();
        this.#stale = false;
        if (!this.paused) this.#draw();
        this.#onDrawn();
        setTimeout(() => {
            const took_ms = performance.now() - begin;
            setTimeout(() => this.#rested(), took_ms > FRAME_MS ? Math.min(took_ms, REST_MAX_MS) : 0);
        });
    }

    #rested() {
        this.#resting = false;
        if (this.#stale) this.#schedule();
    }

    #draw() {
        const entries = this.#pending.clear();
        for (const entry of entries) {
            entry.row = entry.gap ? gapRow(entry.gap) : changeRow(entry.change);
            entry.row.classList.toggle("new", entries.length <= GLOW_MAX);
            this.#newestBlock().prepend(entry.row);
            this.#kept.push(entry).forEach(removeRows);
        }
    }

    #newestBlock() {
        const newest = this.#table.tBodies[0];
        if (newest !== undefined && newest.childElementCount < BLOCK_ROWS) return newest;
        const block = document.createElement("tbody");
        this.#table.tHead.after(block);
        return block;
    }

    #toggle(button) {
        const row = button.closest("tr");
        const entry = this.#kept.entries.find((kept) => kept.row === row);
        const open = entry.detail === undefined;
        button.setAttribute("aria-expanded", String(open));
        row.classList.toggle("open", open);
        if (open) {
            entry.detail = detailRow(entry.change);
            row.after(entry.detail);
        } else {
            entry.detail.remove();
            entry.detail = undefined;
        }
    }
}

function removeRows(entry) {
    const block = entry.row.parentElement;
    entry.row.remove();
    entry.detail?.remove();
    if (block.childElementCount === 0) block.remove();
}

function changeRow(change) {
    const event = members(change.text);
    const row = rowTemplate.cloneNode(true);
    const [time, channel, table, type, id, data] = row.cells;
    setTime(time.firstElementChild, change.received);
    setText(channel, string(event?.get("channel")));
    setText(table, string(event?.get("table")), string(event?.get("schema")));
    const kind = string(event?.get("type")) ?? "";
    type.firstElementChild.textContent = kind || "–";
    type.firstElementChild.dataset.type = kind;
    setText(id, plain(event?.get("id")));
    const text = event === null ? change.text : (plain(event.get("data")) ?? "");
    data.append(clip(text, CELL_MAX) + cutWords(event?.get("cut")));
    return row;
}

function detailRow(change) {
    const row = detailTemplate.cloneNode(true);
    const text = change.text.length > DETAIL_MAX ? change.text : indent(change.text);
    row.querySelector("pre").textContent = (change.id ? `id: ${change.id}\n` : "") + clip(text, DETAIL_MAX);
    return row;
}

function gapRow(gap) {
    const row = gapTemplate.cloneNode(true);
    const words = gapWords(gap);
    setTime(row.querySelector("time"), gap.received);
    row.querySelector("b").textContent = words.title;
    row.querySelector("span").textContent = words.text;
    return row;
}

// What a person reads for a JSON value: a string's text, nothing for null, everything else as it was written.
function plain(json) {
    if (json === undefined || json === "null") return null;
    return string(json) ?? json;
}

// " (left out for its size: old, data)": the gateway cuts what does not fit into a notification.
function cutWords(json) {
    return json === undefined ? "" : ` (left out for its size: ${json.replace(/["[\]]/g, "").replaceAll(",", ", ")})`;
}

function setText(cell, text, schema = null) {
    cell.textContent = text === null ? "–" : clip(text, CELL_MAX);
    if (text !== null) cell.title = clip(schema === null ? text : `${schema}.${text}`, CELL_MAX);
}

function setTime(element, when_ms) {
    const when = new Date(when_ms);
    element.dateTime = when.toISOString();
    element.textContent = clock(when);
}

// 14:03:07.042, in the visitor's time zone.
export function clock(when) {
    const two = (n) => String(n).padStart(2, "0");
    return `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}.${String(when.getMilliseconds()).padStart(3, "0")}`;
}

function clip(text, max) {
    const shown = visible(text.slice(0, max));
    return text.length <= max ? shown : `${shown}… (${number(text.length - max)} more characters)`;
}

// Marks that turn the direction of writing and control characters are shown, as JSON writes them, and not obeyed.
function visible(text) {
    return text.replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
