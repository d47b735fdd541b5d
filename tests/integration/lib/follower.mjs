// A client that behaves like a browser's EventSource: it reconnects for ever, with the id it saw last, and remembers all
// that it saw over all its connections.

import { openStream } from "./sse.mjs";
import { DEADLINE_MS, Waitable } from "./until.mjs";

class Follower extends Waitable {
    /** Numbers and {gap: reason, ...}, in the order they were seen: what counter.mjs takes. */
    seen = [];
    events = [];
    connections = 0;
    error = undefined;
    betweenMs = 100; // a browser would wait for `retry`; a test has less time
    #closed = false;
    #stream;
    #lastId;

    constructor(t, url, numberOf) {
        super();
        this.t = t;
        this.url = url;
        this.numberOf = numberOf;
        t.after(() => this.close());
        this.#run().catch((error) => {
            this.error = error;
            this.changed();
        });
    }

    async #run() {
        // Streams are closed here, not by the test's `after`: there may be many.
        const quiet = { after() {} };
        while (!this.#closed) {
            try {
                this.#stream = await openStream(quiet, this.url, { headers: this.#lastId ? { "Last-Event-ID": this.#lastId } : {} });
            } catch (error) {
                if (!error.code) throw error; // an answer other than 200 is final, in browsers too
                await new Promise((resolve) => setTimeout(resolve, this.betweenMs));
                continue;
            }
            this.connections++;
            await this.#read(this.#stream);
            if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, this.betweenMs));
        }
    }

    async #read(stream) {
        let taken = 0;
        while (!this.#closed) {
            await stream.wait(() => taken < stream.blocks.length || stream.ended || undefined, "more of the stream", 2 ** 31 - 1);
            for (; taken < stream.blocks.length; taken++) this.#take(stream.blocks[taken]);
            // A stream that was cut within a block is a lost connection: the rest of the block does not count.
            if (stream.ended) {
                if (stream.error && !/ended within a block/.test(stream.error.message)) throw stream.error;
                return;
            }
        }
    }

    #take(block) {
        if ("id" in block) this.#lastId = block.id;
        if ("data" in block) {
            this.events.push(block);
            if (block.name === "gap") this.seen.push({ gap: block.json.reason });
            else if (block.name === "message") this.seen.push(this.numberOf(block.json, block.id));
        }
        this.changed();
    }

    until(find, what, deadlineMs = DEADLINE_MS) {
        return this.wait(
            () => {
                if (this.error) throw this.error;
                return find();
            },
            () => `${what}; seen so far: ${JSON.stringify(this.seen.slice(-10))}, ${this.connections} connections`,
            deadlineMs,
        );
    }

    /** Waits for an event of this name, from the given place in `events` on. */
    event(name, deadlineMs, from = 0) {
        return this.until(() => this.events.slice(from).find((event) => event.name === name), `event ${name}`, deadlineMs);
    }

    number(number, deadlineMs) {
        return this.until(() => this.seen.includes(number) || undefined, `number ${number}`, deadlineMs);
    }

    get gaps() {
        return this.seen.filter((item) => typeof item === "object").map((item) => item.gap);
    }

    /** Cuts the connection of the moment, as a bad network does. */
    cut() {
        this.#stream?.close();
    }

    /** Reads nothing until resume(), as a browser's sleeping tab does. */
    pause() {
        this.#stream.response.pause();
    }

    resume() {
        this.#stream.response.resume();
    }

    close() {
        this.#closed = true;
        this.#stream?.close();
    }
}

/** Follows a stream for the test `t`; resolves when it is ready. numberOf gives what is counted of an event, by its data and id. */
export async function follow(t, url, numberOf = (json) => json.data.n ?? json.id) {
    const follower = new Follower(t, url, numberOf);
    await follower.event("ready");
    return follower;
}
