// What one reader has seen, checked as it comes, so that an hour of it takes no memory.
//
// The truth is the tables. Two kinds of channel:
//   - counted: each event carries a number, given under a row lock, so that the order of commit is 1, 2, 3 ... without holes;
//   - rows: each UPDATE of a row adds one to its version, so that a reader must see 1, 2, 3 ... of each row.
// Something may be missing on a live channel alone, and only between the last event before a gap was announced and the first one
// behind it. On a durable channel only a gap that says `expired` allows that.

const KEPT = 5; // complaints in words; all are counted

/** Any number of checkers share one of these: what was found wrong. */
export class Complaints {
    count = 0;
    missing = 0;
    texts = [];

    /** missing: so many events did not come, and nothing said so. */
    add(text, missing = 0) {
        this.count++;
        this.missing += missing;
        if (this.texts.length < KEPT) this.texts.push(text);
    }
}

/** An event may follow the last one only after a gap, or directly. */
class Sequence {
    last = 0;
    announced = false;

    constructor(name, complaints) {
        this.name = name;
        this.complaints = complaints;
    }

    /** Returns how many were left out, announced. */
    take(number) {
        const missing = number - this.last - 1;
        if (!Number.isInteger(number)) {
            this.complaints.add(`${this.name}: an event without a number`);
            return 0;
        }
        if (missing < 0) this.complaints.add(`${this.name}: ${number} after ${this.last}`);
        else if (missing > 0 && !this.announced) this.complaints.add(`${this.name}: ${number} after ${this.last}, and no gap`, missing);
        const excused = missing > 0 && this.announced ? missing : 0;
        this.last = number;
        this.announced = false;
        return excused;
    }

    /** Something that does not tell its number: the next one, unless a gap stands before it, which may have any size. */
    takeNext() {
        if (!this.announced) this.last++;
    }

    /** At the end, when all was calm and something more was written: it must have come to the end of what there is. */
    end(total) {
        if (this.last > total) this.complaints.add(`${this.name}: ${this.last}, and only ${total} were committed`);
        else if (this.last < total) this.complaints.add(`${this.name}: ends with ${this.last} of ${total}`, total - this.last);
    }
}

/** A channel of numbers. */
export class CountedCheck {
    delivered = 0;
    excused = 0;

    constructor(channel, durable, complaints) {
        this.durable = durable;
        this.channel = channel;
        this.sequence = new Sequence(channel, complaints);
    }

    take({ type, id, data }) {
        if (type === "TRUNCATE") return; // takes the rows away, not the numbers
        if (!data && id === null) this.sequence.takeNext();
        else this.excused += this.sequence.take(Number(data ? data.n : id)); // of a row that was cut, its key tells
        this.delivered++;
    }

    gap(reason) {
        if (!this.durable || reason === "expired") this.sequence.announced = true;
    }

    /** truth: {counted: {channel: last number}, rows: {channel: {row: version}}} */
    inStep(truth) {
        return this.sequence.last >= truth.counted[this.channel];
    }

    end(truth) {
        this.sequence.end(truth.counted[this.channel]);
    }
}

/** A durable channel of rows with versions. ids: those that the reader asks for, or nothing, which means all. */
export class RowsCheck {
    delivered = 0;
    excused = 0;
    durable = true;
    #rows = new Map();
    #signed;
    #finished = new Set();

    constructor(channel, ids, complaints) {
        this.channel = channel;
        this.ids = ids;
        this.complaints = complaints;
    }

    #sequence(id) {
        let sequence = this.#rows.get(id);
        if (!sequence) this.#rows.set(id, (sequence = new Sequence(`${this.channel} ${id}`, this.complaints)));
        return sequence;
    }

    take({ id, data, cut }) {
        if (this.ids && !this.ids.includes(id)) this.complaints.add(`${this.channel} ${id}: not asked for`);
        this.delivered++;
        if (!data) {
            if (!cut?.includes("data")) this.complaints.add(`${this.channel} ${id}: neither a row nor a word why`);
            this.#sequence(id).takeNext();
            return;
        }
        this.excused += this.#sequence(id).take(data.version);
        // The changes of a transaction stand together. What is behind the name of it only makes the row larger.
        const [signed] = data.signed.split("-");
        if (signed === this.#signed) return;
        if (this.#finished.has(signed)) this.complaints.add(`transaction ${signed} in pieces`);
        if (this.#signed) this.#finished.add(this.#signed);
        if (this.#finished.size > 1000) this.#finished.delete(this.#finished.values().next().value);
        this.#signed = signed;
    }

    gap(reason) {
        if (reason === "expired") for (const sequence of this.#rows.values()) sequence.announced = true;
    }

    #wanted(truth) {
        return Object.entries(truth.rows[this.channel]).filter(([id]) => !this.ids || this.ids.includes(Number(id)));
    }

    inStep(truth) {
        return this.#wanted(truth).every(([id, version]) => (this.#rows.get(Number(id))?.last ?? 0) >= version);
    }

    end(truth) {
        for (const [id, version] of this.#wanted(truth)) this.#sequence(Number(id)).end(version);
    }
}

/** The durable part of ids only rises. */
export class PlacesCheck {
    #last = 0;

    constructor(complaints) {
        this.complaints = complaints;
    }

    take(id) {
        const number = parseInt(id);
        if (number <= this.#last) this.complaints.add(`durable number ${number} after ${this.#last}`);
        this.#last = number;
    }
}
