// A client like a browser's EventSource: it comes back for ever, with the id it saw last, after the time that it was told. What it
// sees is checked at once and not kept.

import http from "node:http";
import { Parser } from "../integration/lib/sse.mjs";
import { Complaints, CountedCheck, PlacesCheck, RowsCheck } from "./checks.mjs";

const CONNECT_MS = 10_000;
/** Six heartbeats: nothing for so long means that the connection is dead. */
export const SILENCE_MS = 12_000;

export class Reader {
    complaints = new Complaints();
    connections = 0;
    gaps = {}; // how many, by reason
    waiting = false; // reads nothing, as a sleeping tab
    ready = false;
    #closed = false;
    #lastId;
    #retryMs = 500;
    #response;
    #request;

    /** shape: {counted: [], durable: [], rows: [], ids}; addresses: of gateways, or of what stands in front of them; pick() gives one's index. */
    constructor(shape, addresses, pick) {
        this.shape = shape;
        this.addresses = addresses;
        this.pick = pick;
        this.checks = new Map();
        for (const channel of shape.counted ?? [])
            this.checks.set(channel, new CountedCheck(channel, shape.durable?.includes(channel), this.complaints));
        for (const channel of shape.rows ?? []) this.checks.set(channel, new RowsCheck(channel, shape.ids, this.complaints));
        this.places = new PlacesCheck(this.complaints);
        this.#run();
    }

    #url() {
        const url = new URL("/streams", this.addresses[this.pick()]);
        for (const channel of this.checks.keys()) url.searchParams.append("channel", channel);
        for (const id of this.shape.ids ?? []) url.searchParams.append("id", id);
        return url;
    }

    async #run() {
        while (!this.#closed) {
            await this.#connect().catch(() => {}); // whatever it was: once more, from where we were
            this.ready = false;
            await new Promise((resolve) => setTimeout(resolve, this.#retryMs));
        }
    }

    #connect() {
        return new Promise((resolve, reject) => {
            const headers = { accept: "text/event-stream", ...(this.#lastId && { "last-event-id": this.#lastId }) };
            const request = http.get(this.#url(), { headers, agent: false }, (response) => {
                clearTimeout(timer);
                this.#response = response;
                response.on("error", () => {}).on("close", resolve); // not before all that came is read
                if (response.statusCode !== 200) {
                    this.complaints.add(`answer ${response.statusCode}, after which a browser never comes back`);
                    this.cut();
                    return;
                }
                this.connections++;
                const parser = new Parser();
                response.on("data", (chunk) => this.#read(parser, chunk));
            });
            this.#request = request;
            const timer = setTimeout(() => request.destroy(new Error("no answer")), CONNECT_MS);
            // Each time, not with setTimeout()'s own listener, which is gone after the first: that one may come while it does not read on purpose.
            request.on("socket", (socket) => socket.setTimeout(SILENCE_MS).on("timeout", () => this.waiting || this.pauseMs || this.cut()));
            request.on("error", (error) => request.res ?? reject(error)).on("close", () => request.res ?? resolve());
        });
    }

    #read(parser, chunk) {
        try {
            for (const block of parser.push(chunk)) this.#take(block);
        } catch (error) {
            this.complaints.add(`not a stream: ${error.message.slice(0, 200)}`);
            this.cut();
        }
        if (this.pauseMs) this.#crawl();
    }

    /** Takes a bite, then nothing for a while. */
    #crawl() {
        const response = this.#response;
        response.pause();
        setTimeout(() => this.waiting || response.resume(), this.pauseMs);
    }

    #take(block) {
        if ("id" in block) this.#lastId = block.id;
        if ("retry" in block) this.#retryMs = Number(block.retry);
        if (block.name === "message") {
            const check = this.checks.get(block.json.channel);
            if (!check) this.complaints.add(`${block.json.channel}: not asked for`);
            else check.take(block.json);
            if (check?.durable) this.places.take(block.id);
        } else if (block.name === "gap") {
            const { reason } = block.json;
            this.gaps[reason] = (this.gaps[reason] ?? 0) + 1;
            for (const check of this.checks.values()) check.gap(reason);
        } else if (block.name === "ready") {
            this.ready = true;
        }
    }

    inStep(truth) {
        return this.ready && [...this.checks.values()].every((check) => check.inStep(truth));
    }

    /** Loses its connection, and what was not read yet. */
    cut() {
        this.#response?.destroy();
        this.#request?.destroy();
    }

    stopReading() {
        this.waiting = true;
        this.#response?.pause();
    }

    readOn() {
        this.waiting = false;
        this.pauseMs = 0;
        this.#response?.resume();
    }

    /** So many ms between two bites. */
    crawl(pauseMs) {
        this.pauseMs = pauseMs;
        this.#crawl();
    }

    close() {
        this.#closed = true;
        this.cut();
    }
}
