// Part of tuplecast.js: one connection, read with fetch(). Why not EventSource: docs/decisions/0009-fetch-in-the-client.md.

const RETRY_AFTER_MAX_MS = 300_000;
const EVENT_CHARS_MAX = 2 ** 26;

class Refused extends Error {
    constructor(end) {
        super(end.message);
        this.end = end;
    }
}

class EventTooLarge extends RangeError {}

// An event stream as the HTML standard reads it (9.2.6), from bytes that may be cut anywhere.
export class EventStreamParser {
    retryMs = null; // the last `retry` that came
    #decoder = new TextDecoder(); // drops the byte order mark at the start
    #pieces = []; // of the line that is not complete yet
    #chars = 0; // in #pieces and #data
    #afterCr = false; // a \n now belongs to the \r before it
    #data = [];
    #event = "";
    #id; // of the next event
    #place; // the id of the last event

    constructor(lastEventId = "") {
        this.#id = this.#place = lastEventId;
    }

    // Returns the events that are complete now: { event, data, id, prev }, prev being the id before it. Throws when one is
    // larger than this module is willing to keep.
    push(bytes) {
        let text = this.#decoder.decode(bytes, { stream: true });
        if (text === "") return [];
        const afterCr = this.#afterCr;
        this.#afterCr = text.endsWith("\r");
        if (afterCr && text[0] === "\n") text = text.slice(1);
        const lines = text.split(/\r\n|\r|\n/);
        const rest = lines.pop();
        if (lines.length > 0) {
            lines[0] = this.#pieces.join("") + lines[0];
            this.#pieces = [];
        }
        if (rest !== "") this.#pieces.push(rest);
        const events = [];
        for (const line of lines) {
            if (line !== "") this.#takeLine(line);
            else this.#endEvent(events);
        }
        this.#chars = lines.length > 0 ? rest.length + length(this.#data) : this.#chars + rest.length;
        if (this.#chars > EVENT_CHARS_MAX) throw new EventTooLarge(`An event has more than ${EVENT_CHARS_MAX} characters.`);
        return events;
    }

    #takeLine(line) {
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
        if (field === "data") this.#data.push(value);
        else if (field === "event") this.#event = value;
        else if (field === "id" && !value.includes("\0")) this.#id = value;
        else if (field === "retry" && /^[0-9]+$/.test(value)) this.retryMs = Number(value);
    }

    #endEvent(events) {
        if (this.#data.length > 0) {
            const event = this.#event || "message";
            events.push({ event, data: this.#data.join("\n"), id: this.#id, prev: this.#place });
            this.#place = this.#id;
        }
        this.#data = [];
        this.#event = "";
    }
}

function length(texts) {
    return texts.reduce((sum, text) => sum + text.length, 0);
}

// Reads the stream at url, a URL, from behind the event lastEventId. Calls on.open() when the answer is a stream,
// on.heard(retryMs) whenever bytes come, and on.events(list). on.ticket() gives a ticket for this connection, or nothing.
// Resolves when it is over, with { reason } and, where they say more, { status, message, retryAfterMs, refused, final }:
// refused is for what does not pass by itself, final for what must not be tried again.
export async function readStream(url, lastEventId, credentials, signal, on) {
    let stage = "ticket";
    const over = new AbortController(); // whatever the reason, nothing may go on behind our back
    try {
        const address = new URL(url);
        if (lastEventId !== "") address.searchParams.set("last_event_id", lastEventId);
        const ticket = await abortable(on.ticket(signal), signal);
        if (ticket) address.searchParams.set("ticket", ticket);
        stage = "unreachable";
        const response = await fetch(address, {
            headers: { Accept: "text/event-stream" },
            credentials,
            cache: "no-store",
            signal: AbortSignal.any([signal, over.signal]),
        });
        const type = response.headers.get("Content-Type") ?? "";
        if (response.status !== 200 || !/^text\/event-stream\b/i.test(type)) return await refusalOf(response);
        stage = "lost";
        on.open();
        const parser = new EventStreamParser(lastEventId);
        for (const reader = response.body.getReader(); ; ) {
            const { value, done } = await reader.read();
            if (done) return { reason: "ended" };
            const events = parser.push(value);
            on.heard(parser.retryMs);
            if (events.length > 0) on.events(events);
        }
    } catch (error) {
        if (signal.aborted) return { reason: String(signal.reason) };
        if (error instanceof Refused) return error.end;
        // What fetch() says of a host that does not answer differs from browser to browser, and says little.
        const message = stage === "unreachable" ? "" : String(error?.message ?? error);
        return { reason: stage, message, final: error instanceof EventTooLarge };
    } finally {
        over.abort();
    }
}

// A ticket for one connection to the stream at url, in exchange for a bearer token.
export async function fetchTicket(url, token, signal) {
    const address = new URL(url.pathname.replace(/streams(\/[^/]*)?$/, "tickets"), url);
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch(address, { method: "POST", headers, cache: "no-store", signal });
    if (!response.ok) throw new Refused(await refusalOf(response));
    return (await response.json()).ticket;
}

// What an answer says that is no stream. Some statuses pass by themselves (RFC 9110, section 15), and 204 is how a server
// tells clients of event streams to stop.
async function refusalOf(response) {
    const { status } = response;
    const type = response.headers.get("Content-Type") ?? "";
    const problem = type.includes("json") ? await response.json().catch(() => null) : null;
    const said = [problem?.detail ?? problem?.title, problem?.hint].filter((text) => typeof text === "string").join(" ");
    const plain = response.ok
        ? `The answer was not an event stream but "${type || "nothing"}".`
        : `The answer was ${status} ${response.statusText}`.trim();
    const retryAfterMs = 1000 * Number(response.headers.get("Retry-After") ?? 0); // NaN for a date, which is not waited for
    return {
        reason: "refused",
        status,
        message: said || plain,
        retryAfterMs: retryAfterMs > 0 ? Math.min(retryAfterMs, RETRY_AFTER_MAX_MS) : 0,
        refused: status < 500 && ![408, 425, 429].includes(status),
        final: status === 204,
    };
}

// Rejects as soon as the signal is aborted, whatever the promise does.
function abortable(promise, signal) {
    return new Promise((resolve, reject) => {
        signal.throwIfAborted();
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        Promise.resolve(promise).then(resolve, reject);
    });
}
