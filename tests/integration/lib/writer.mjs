// Inserts rows into `posts` one after another, whatever happens to the server meanwhile.

import { until } from "./until.mjs";


class Writer {
    #database;
    #betweenMs;
    #stopped = false;
    #running;
    attempts = 0;

    constructor(database, betweenMs) {
        this.#database = database;
        this.#betweenMs = betweenMs;
        this.#running = this.#run();
    }

    async #run() {
        while (!this.#stopped) {
            this.attempts++;
            // What fails was perhaps committed all the same: only the table knows.
            await this.#database.query("INSERT INTO posts (title) VALUES ('written')").catch(() => {});
            await new Promise((resolve) => setTimeout(resolve, this.#betweenMs));
        }
    }

    /** Waits until so many more rows were tried. */
    more(count) {
        const wanted = this.attempts + count;
        return until(() => this.attempts >= wanted, `${count} more rows`);
    }

    /** Stops, writes one last row once the database lets it, and returns the ids of all rows in the order of commit. */
    async stop() {
        this.#stopped = true;
        await this.#running;
        await until(() => this.#database.query("INSERT INTO posts (title) VALUES ('last')").then(() => true, () => false), "the last row");
        return (await this.#database.query("SELECT id FROM posts ORDER BY id")).map(([id]) => Number(id));
    }
}

/** The one writer of the table `posts` of this database: then the order of ids is the order of commit. */
export function startWriter(t, database, betweenMs = 1) {
    const writer = new Writer(database, betweenMs);
    t.after(() => writer.stop().catch(() => {}));
    return writer;
}
