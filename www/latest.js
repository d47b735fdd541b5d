// The latest entries, oldest first: { change } or { gap }. No more than ROWS_MAX, and no more than TEXT_MAX characters
// except for a single one, so that a page left alone overnight does not grow.

const ROWS_MAX = 1000;
const TEXT_MAX = 50_000_000;

export class Latest {
    entries = [];
    counts = new Map(); // changes by kind
    changes = 0;
    #text = 0;

    // Returns those that had to go.
    push(entry) {
        this.entries.push(entry);
        this.#count(entry, 1);
        const gone = [];
        while (this.entries.length > ROWS_MAX || (this.#text > TEXT_MAX && this.entries.length > 1)) {
            gone.push(this.entries.shift());
            this.#count(gone.at(-1), -1);
        }
        return gone;
    }

    // Returns all of them.
    clear() {
        this.#text = this.changes = 0;
        this.counts.clear();
        return this.entries.splice(0);
    }

    #count({ change }, step) {
        if (!change) return;
        this.changes += step;
        this.#text += step * change.text.length;
        this.counts.set(change.kind, (this.counts.get(change.kind) ?? 0) + step);
    }
}
