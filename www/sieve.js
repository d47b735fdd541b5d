// Which of the kept changes are shown: types that are switched on, and a text to search for.

import { OTHER, TYPES } from "./change.js";
import { $, make, setText } from "./dom.js";
import { number } from "./words.js";

const SEARCH_MS = 150; // after the last key

export class Sieve {
    #hidden = new Set();
    #needles = []; // what to search for: as typed, and as JSON writes it
    #counts = new Map();
    #timer = 0;

    // onChange() is called when something else is to be shown.
    constructor(onChange) {
        for (const kind of [...TYPES, OTHER]) $("toggles").append(this.#toggle(kind, onChange));
        $("search").addEventListener("input", () => {
            clearTimeout(this.#timer);
            this.#timer = setTimeout(() => {
                const text = $("search").value.toLowerCase();
                this.#needles = text === "" ? [] : [...new Set([text, JSON.stringify(text).slice(1, -1)])];
                onChange();
            }, SEARCH_MS);
        });
    }

    get searching() {
        return this.#needles.length > 0;
    }

    get active() {
        return this.searching || this.#hidden.size > 0;
    }

    passes(change) {
        if (this.#hidden.has(change.kind)) return false;
        if (!this.searching) return true;
        const text = change.text.toLowerCase();
        return this.#needles.some((needle) => text.includes(needle));
    }

    reset() {
        this.#hidden.clear();
        this.#needles = [];
        $("search").value = "";
        for (const button of $("toggles").querySelectorAll("button")) button.setAttribute("aria-pressed", "true");
    }

    // shown of kept changes; counts by kind.
    draw(shown, kept, counts) {
        for (const [kind, element] of this.#counts) setText(element, counts.get(kind) ? ` ${number(counts.get(kind))}` : "");
        setText("matches", this.active && kept > 0 ? `${number(shown)} of ${number(kept)}` : "");
    }

    #toggle(kind, onChange) {
        const count = make("span", "count-of");
        const button = make("button", "toggle", kind, count);
        button.type = "button";
        button.dataset.type = kind;
        button.setAttribute("aria-pressed", "true");
        button.addEventListener("click", () => {
            const shown = this.#hidden.delete(kind);
            if (!shown) this.#hidden.add(kind);
            button.setAttribute("aria-pressed", String(shown));
            onChange();
        });
        this.#counts.set(kind, count);
        return button;
    }
}
