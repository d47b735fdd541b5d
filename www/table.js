// The live table: newest first, the latest changes kept, drawn at most once a frame.
//
// Entries wait in #pending until the next frame, or while paused until resume(), and then move to #kept. Those that the
// sieve lets through have a row. Rows stand in blocks (one tbody each), so that the browser can leave a block alone while it is out of
// sight: the style sheet's content-visibility. Without that, every frame would lay out and paint a thousand rows.

import { detailRow } from "./detail.js";
import { Latest } from "./latest.js";
import { changeRow, gapRow } from "./rows.js";

const BLOCK_ROWS = 10;
const FRAME_MS = 17; // a drawing that fits into one frame needs no rest
const REST_MAX_MS = 250;
const GLOW_MAX = 8; // rows of one frame that may glow: more is flicker

export class ChangeTable {
    paused = false;
    unseen = 0; // changes that came while paused
    shown = 0; // changes with a row

    #table;
    #passes;
    #onDrawn;
    #pending = new Latest();
    #kept = new Latest(); // its entries have a row where they are shown, and detail where it is open
    #stale = false; // something is to be drawn
    #resting = false; // from the request of a frame until the rest after it is over

    // table holds its head; the blocks are ours. passes(change) says whether it is shown. onDrawn() is called after each
    // change of what is seen.
    constructor(table, passes, onDrawn) {
        this.#table = table;
        this.#passes = passes;
        this.#onDrawn = onDrawn;
        table.addEventListener("click", (event) => {
            const button = event.target.closest(".more");
            const row = button?.closest("tr");
            if (row) this.#toggle(this.#kept.entries.find((kept) => kept.row === row));
        });
    }

    get size() {
        return this.#kept.entries.length;
    }

    get changes() {
        return this.#kept.changes;
    }

    get counts() {
        return this.#kept.counts;
    }

    // What is shown, oldest first.
    get entries() {
        return this.#kept.entries.filter((entry) => entry.row !== undefined);
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
        this.#removeBlocks();
        this.#onDrawn();
    }

    // The sieve lets others through now.
    sift() {
        this.#removeBlocks();
        for (const entry of this.#kept.entries) {
            const wasOpen = entry.detail !== undefined;
            entry.row = entry.detail = undefined;
            this.#show(entry);
            if (wasOpen && entry.row) this.#toggle(entry);
        }
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
            this.#show(entry, entries.length <= GLOW_MAX);
            for (const gone of this.#kept.push(entry)) this.#hide(gone);
        }
    }

    #show(entry, glowing = false) {
        if (entry.change && !this.#passes(entry.change)) return;
        entry.row = entry.gap ? gapRow(entry.gap) : changeRow(entry.change);
        entry.row.classList.toggle("new", glowing);
        this.#newestBlock().prepend(entry.row);
        if (entry.change) this.shown++;
    }

    #hide(entry) {
        if (entry.row === undefined) return;
        const block = entry.row.parentElement;
        entry.row.remove();
        entry.detail?.remove();
        if (block.childElementCount === 0) block.remove();
        if (entry.change) this.shown--;
    }

    #newestBlock() {
        const newest = this.#table.tBodies[0];
        if (newest !== undefined && newest.childElementCount < BLOCK_ROWS) return newest;
        const block = document.createElement("tbody");
        this.#table.tHead.after(block);
        return block;
    }

    #removeBlocks() {
        for (const block of [...this.#table.tBodies]) block.remove();
        this.shown = 0;
    }

    #toggle(entry) {
        const open = entry.detail === undefined;
        entry.row.querySelector(".more").setAttribute("aria-expanded", String(open));
        entry.row.classList.toggle("open", open);
        if (open) {
            entry.detail = detailRow(entry.change);
            entry.row.after(entry.detail);
        } else {
            entry.detail.remove();
            entry.detail = undefined;
        }
    }
}
