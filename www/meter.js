// How many changes came each second, and how long they took from the row's being written to this page, for the last
// five minutes. Only changes that carry their time (`at`: those of durable triggers) have a latency; it spans two clocks.

const SECONDS_MAX = 300;
const SHOWN_SECONDS_MIN = 60;
const SAMPLES_MAX = 200; // of a second: the first ones stand for the rest

export class Meter {
    #began_ms = Date.now();
    #seconds = []; // { second, count, latencies }, oldest first, none left out

    // Forgets everything; what was written before now has no latency, since nobody waited for it.
    reset() {
        this.#began_ms = Date.now();
        this.#seconds = [];
    }

    add(change) {
        const now = this.#at(change.received);
        now.count++;
        if (change.at_ms >= this.#began_ms && now.latencies.length < SAMPLES_MAX)
            now.latencies.push(Math.max(0, change.received - change.at_ms));
    }

    // Of the last complete seconds: changes per second.
    rate(seconds = 3) {
        this.#at(Date.now());
        const complete = this.#seconds.slice(0, -1).slice(-seconds);
        return complete.reduce((sum, { count }) => sum + count, 0) / Math.max(1, complete.length);
    }

    // Of the last minute, in milliseconds: { median, worst }; null when nothing carried its time.
    latency() {
        const samples = this.#seconds.slice(-60).flatMap(({ latencies }) => latencies);
        return samples.length === 0 ? null : { median: median(samples), worst: Math.max(...samples) };
    }

    // Columns for a chart: times in seconds since 1970, changes, median and worst latency in milliseconds or null. From the
    // beginning, but one minute at least and five at most.
    series() {
        const last = this.#at(Date.now()).second;
        const bySecond = new Map(this.#seconds.map((one) => [one.second, one]));
        const columns = [[], [], [], []];
        const began = Math.floor(this.#began_ms / 1000);
        const first = Math.max(last - SECONDS_MAX, Math.min(began, last - SHOWN_SECONDS_MIN));
        for (let second = first; second < last; second++) {
            const { count = 0, latencies = [] } = bySecond.get(second) ?? {};
            columns[0].push(second);
            columns[1].push(second < began ? null : count);
            columns[2].push(median(latencies));
            columns[3].push(latencies.length > 0 ? Math.max(...latencies) : null);
        }
        return columns;
    }

    // The second that `when_ms` is in, or the last one if a clock was set back. Seconds in which nothing came are filled in.
    #at(when_ms) {
        const second = Math.floor(when_ms / 1000);
        let last = this.#seconds.at(-1);
        if (last === undefined || second - last.second > SECONDS_MAX) {
            this.#seconds = [{ second, count: 0, latencies: [] }];
            return this.#seconds[0];
        }
        while (last.second < second) {
            last = { second: last.second + 1, count: 0, latencies: [] };
            this.#seconds.push(last);
        }
        if (this.#seconds.length > SECONDS_MAX + 1) this.#seconds.splice(0, this.#seconds.length - SECONDS_MAX - 1);
        return last;
    }
}

function median(samples) {
    if (samples.length === 0) return null;
    return [...samples].sort((one, other) => one - other)[samples.length >> 1];
}
