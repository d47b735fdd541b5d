// A TCP connection to the gateway with nothing between the test and the bytes: what is written, read, closed or reset
// is up to the test.

import { createHash } from "node:crypto";
import net from "node:net";
import { Parser } from "./sse.mjs";
import { DEADLINE_MS, Waitable } from "./until.mjs";

export class Wire extends Waitable {
    chunks = [];
    bytes = 0;
    connected = false;
    ended = false;
    error = undefined;

    /** readBytes: so many at a time are taken from the kernel. keep: false, if only their number matters. */
    constructor(t, port, { localAddress, readBytes, keep = true } = {}) {
        super();
        const take = (chunk) => {
            if (keep) this.chunks.push(chunk);
            this.bytes += chunk.length;
            this.changed();
        };
        const onread = readBytes && {
            buffer: Buffer.alloc(readBytes),
            callback: (size, buffer) => {
                take(Buffer.from(buffer.subarray(0, size)));
                return true;
            },
        };
        this.socket = net.connect({ port, host: "127.0.0.1", localAddress, onread, allowHalfOpen: true });
        t?.after(() => this.socket.destroy());
        if (!onread) this.socket.on("data", take);
        this.socket.on("connect", () => {
            this.connected = true;
            this.changed();
        });
        const end = () => {
            this.ended = true;
            this.changed();
        };
        this.socket.on("end", end).on("close", end).on("error", (error) => {
            this.error = error;
            end();
        });
    }

    send(text) {
        this.socket.write(text);
        return this;
    }

    /** All that came so far. */
    get text() {
        return Buffer.concat(this.chunks).toString("latin1");
    }

    /** What came behind the first head. */
    get body() {
        const all = Buffer.concat(this.chunks);
        const end = all.indexOf("\r\n\r\n");
        return end < 0 ? Buffer.alloc(0) : all.subarray(end + 4);
    }

    /** The complete blocks of an event stream's body; anything that does not belong there throws. */
    get blocks() {
        return new Parser().push(this.body);
    }

    get messages() {
        return this.blocks.filter((block) => block.name === "message").map((block) => block.json.data);
    }

    until(find, what, deadlineMs = DEADLINE_MS) {
        return this.wait(
            () => {
                const found = find() || undefined;
                if (!found && this.ended) throw new Error(`the connection ended (${this.error?.code ?? "FIN"}) before ${what}: ${this.#brief()}`);
                return found;
            },
            () => `${what}; there is ${this.#brief()}`,
            deadlineMs,
        );
    }

    #brief() {
        return `${this.bytes} bytes: ${JSON.stringify(this.text.slice(0, 300))}...${JSON.stringify(this.text.slice(-200))}`;
    }

    contains(text, deadlineMs) {
        return this.until(() => this.text.includes(text), JSON.stringify(text), deadlineMs);
    }

    /** Waits for the other side's end, by FIN or reset. */
    end(deadlineMs = DEADLINE_MS) {
        return this.wait(() => this.ended || undefined, () => `end of the connection; there is ${this.#brief()}`, deadlineMs);
    }

    /** FIN in both directions. */
    close() {
        this.socket.destroy();
    }

    /** FIN in our direction only. */
    halfClose() {
        this.socket.end();
    }

    reset() {
        this.socket.resetAndDestroy();
    }
}

/** Resolves when the connection stands. */
export async function connect(t, port, options) {
    const wire = new Wire(t, port, options);
    await wire.until(() => wire.connected, "the connection");
    return wire;
}

/** A request without a body, as text; `version` 1.0 or 1.1. */
export function requestText(path, { method = "GET", version = "1.1", headers = {} } = {}) {
    const lines = Object.entries({ Host: "localhost", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return `${method} ${path} HTTP/${version}\r\n${lines.join("")}\r\n`;
}

/**
 * A stream of which, behind `ready`, only the number of bytes and their hash are kept. All who ask for the same get the same
 * bytes, so one of them is read (`reader.take`) and the others are compared with it.
 */
export class Tail extends Waitable {
    bytes = 0;
    ready = false;
    ended = false;
    #hash = createHash("sha1");
    #head = Buffer.alloc(0);

    constructor(t, port, path, { reader, localAddress } = {}) {
        super();
        this.reader = reader;
        this.socket = net.connect({ port, host: "127.0.0.1", localAddress });
        t.after(() => this.socket.destroy());
        this.socket.on("data", (chunk) => {
            const body = this.ready ? chunk : this.#behindReady(chunk);
            this.bytes += body.length;
            this.#hash.update(body);
            this.reader?.take(body);
            this.changed();
        });
        this.socket.on("error", () => {});
        this.socket.on("close", () => {
            this.ended = true;
            this.changed();
        });
        this.socket.write(requestText(path));
    }

    #behindReady(chunk) {
        this.#head = Buffer.concat([this.#head, chunk]);
        const ready = this.#head.indexOf("event: ready\n");
        const end = ready < 0 ? -1 : this.#head.indexOf("\n\n", ready);
        this.ready = end >= 0;
        return this.ready ? this.#head.subarray(end + 2) : Buffer.alloc(0);
    }

    until(find, what, deadlineMs) {
        return this.wait(
            () => {
                const found = find() || undefined;
                if (!found && this.ended) throw new Error(`the stream ended after ${this.bytes} bytes`);
                return found;
            },
            () => `${what}; there are ${this.bytes} bytes`,
            deadlineMs,
        );
    }

    digest() {
        return this.#hash.copy().digest("hex");
    }

    /** Takes nothing off the connection until resume(). */
    pause() {
        this.socket.pause();
    }

    resume() {
        this.socket.resume();
    }
}

/** For a Tail: keeps what it saw as counter.mjs wants it, the numbers of events and {gap: reason}. */
export class Numbers {
    seen = [];
    #parser = new Parser();

    constructor(numberOf = (json) => json.data) {
        this.numberOf = numberOf;
    }

    take(bytes) {
        for (const block of this.#parser.push(bytes)) {
            if (block.name === "message") this.seen.push(this.numberOf(block.json));
            else if (block.name === "gap") this.seen.push({ gap: block.json.reason });
        }
    }

    get gaps() {
        return this.seen.filter((item) => typeof item === "object").map((item) => item.gap);
    }
}
