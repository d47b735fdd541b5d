// A strict reader of Server-Sent Events: it takes only what our own encoder may write, and keeps all of it, raw.
//
// A stream's `blocks` are {raw, id, event, data, retry, comments}; `events` are the blocks with data, with `json`, the
// parsed data, and `name` ("message" where there is no event line). A byte that should not be there ends the stream
// with an error, which every wait then throws.

import http from "node:http";
import { DEADLINE_MS, Waitable } from "./until.mjs";

const FIELDS = new Set(["id", "event", "data", "retry"]);

export function parseBlock(raw) {
    const block = { raw, comments: [] };
    for (const line of raw.split("\n")) {
        const colon = line.indexOf(":");
        if (colon === 0) {
            block.comments.push(line.slice(1).replace(/^ /, ""));
            continue;
        }
        const field = line.slice(0, colon);
        if (colon < 0 || !FIELDS.has(field)) throw new Error(`not a line of ours: ${JSON.stringify(line)}`);
        if (line[colon + 1] !== " ") throw new Error(`no space after the colon: ${JSON.stringify(line)}`);
        if (field in block) throw new Error(`a second ${field} in ${JSON.stringify(raw)}`);
        block[field] = line.slice(colon + 2);
    }
    if ("id" in block && !/^[0-9A-Za-z._-]{1,64}$/.test(block.id)) throw new Error(`odd id ${JSON.stringify(block.id)}`);
    if ("retry" in block && !/^[0-9]+$/.test(block.retry)) throw new Error(`odd retry ${JSON.stringify(block.retry)}`);
    if ("data" in block) {
        block.name = block.event ?? "message";
        block.json = JSON.parse(block.data);
        if (block.json === null || typeof block.json !== "object" || Array.isArray(block.json))
            throw new Error(`data is not an object: ${block.data}`);
    } else if ("event" in block || "id" in block) {
        throw new Error(`an event without data: ${JSON.stringify(raw)}`);
    }
    return block;
}

export class Parser {
    #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    #rest = "";

    /** Returns the blocks that are complete now. */
    push(chunk) {
        this.#rest += this.#decoder.decode(chunk, { stream: true });
        if (/[\r\0]/.test(this.#rest)) throw new Error("a CR or NUL in the stream");
        const parts = this.#rest.split("\n\n");
        this.#rest = parts.pop();
        return parts.map(parseBlock);
    }

    /** What came after the last complete block. */
    get rest() {
        return this.#rest;
    }
}

class Stream extends Waitable {
    blocks = [];
    events = [];
    bytes = 0;
    ended = false;
    error = undefined;
    #cursor = 0;

    constructor(response) {
        super();
        this.response = response;
        this.status = response.statusCode;
        this.headers = response.headers;
        const parser = new Parser();
        const finish = (error) => {
            if (this.ended) return;
            this.ended = true;
            this.error ??= error;
            this.changed();
        };
        response.on("data", (chunk) => {
            if (this.error) return;
            this.bytes += chunk.length;
            try {
                for (const block of parser.push(chunk)) {
                    block.at = performance.now();
                    this.blocks.push(block);
                    if ("data" in block) this.events.push(block);
                }
            } catch (error) {
                this.error = error;
                response.destroy();
            }
            this.changed();
        });
        response.on("end", () => {
            if (parser.rest) this.error ??= new Error(`ended within a block: ${JSON.stringify(parser.rest)}`);
            finish();
        });
        response.on("error", () => finish());
        response.on("close", () => finish());
    }

    #describe(what) {
        const last = this.events.slice(-5).map((event) => event.raw);
        return `${what}; the stream has ${this.events.length} events, the last are ${JSON.stringify(last)}`;
    }

    /** Waits for find() to give something; throws when the stream is broken, or over and nothing was found. */
    until(find, what, deadlineMs = DEADLINE_MS) {
        return this.wait(
            () => {
                if (this.error) throw this.error;
                const found = find();
                if (found === undefined && this.ended) throw new Error(this.#describe(`ended before ${what}`));
                return found;
            },
            () => this.#describe(what),
            deadlineMs,
        );
    }

    /**
     * The next event that is `wanted`: an event name or a predicate; any event when left out. What is passed over on the
     * way is not offered again, but stays in `events`.
     */
    next(wanted = () => true, deadlineMs = DEADLINE_MS) {
        const matches = typeof wanted === "string" ? (event) => event.name === wanted : wanted;
        return this.until(
            () => {
                while (this.#cursor < this.events.length) {
                    const event = this.events[this.#cursor++];
                    if (matches(event)) return event;
                }
                return undefined;
            },
            `next event ${typeof wanted === "string" ? wanted : wanted.toString()}`,
            deadlineMs,
        );
    }

    /** The next `count` data events, in order; a gap or any other control event on the way is an error. */
    async messages(count, deadlineMs = DEADLINE_MS) {
        const found = [];
        while (found.length < count) {
            const event = await this.next(undefined, deadlineMs);
            if (event.name !== "message") throw new Error(`${event.name} where a message was awaited: ${event.raw}`);
            found.push(event);
        }
        return found;
    }

    /** Resolves when the server has ended the stream. */
    end(deadlineMs = DEADLINE_MS) {
        return this.wait(
            () => {
                if (this.error) throw this.error;
                return this.ended || undefined;
            },
            () => this.#describe("end of the stream"),
            deadlineMs,
        );
    }

    /** The id to resume from: the last one that was seen. */
    get lastId() {
        return this.blocks.findLast((block) => "id" in block)?.id;
    }

    close() {
        this.response.destroy();
    }
}

/** Any request; resolves with {status, headers, body, json}. Of a stream, which has no end, the head is enough. */
export function request(url, { method = "GET", headers = {}, body, timeoutMs = DEADLINE_MS } = {}) {
    return new Promise((resolve, reject) => {
        const req = http.request(url, { method, headers, agent: false, timeout: timeoutMs }, (response) => {
            if (/event-stream/.test(response.headers["content-type"]) && method !== "HEAD") {
                resolve({ status: response.statusCode, headers: response.headers });
                req.destroy();
                return;
            }
            const chunks = [];
            response.on("data", (chunk) => chunks.push(chunk));
            response.on("error", reject);
            response.on("end", () => {
                const text = Buffer.concat(chunks).toString();
                const json = /json/.test(response.headers["content-type"] ?? "") && text ? JSON.parse(text) : undefined;
                resolve({ status: response.statusCode, headers: response.headers, body: text, json });
            });
        });
        req.on("timeout", () => req.destroy(new Error(`no answer to ${method} ${url}`)));
        req.on("error", reject);
        req.end(body);
    });
}

/** Opens a stream and resolves once its head is there; closed when the test `t` ends. Does not wait for `ready`. */
export function openStream(t, url, { headers = {} } = {}) {
    return new Promise((resolve, reject) => {
        const req = http.get(url, { headers: { accept: "text/event-stream", ...headers }, agent: false }, (response) => {
            if (response.statusCode !== 200) {
                response.resume();
                reject(new Error(`${url} answered ${response.statusCode}`));
                return;
            }
            const stream = new Stream(response);
            t.after(() => stream.close());
            resolve(stream);
        });
        req.setTimeout(DEADLINE_MS, () => {
            if (!req.res) req.destroy(new Error(`no answer from ${url}`));
        });
        req.on("error", reject);
    });
}

/** Opens a stream and waits for `ready`: what is committed from now on must arrive. */
export async function subscribe(t, url, options) {
    const stream = await openStream(t, url, options);
    stream.ready = await stream.next("ready");
    return stream;
}
