// One native EventSource, and what is known about it.
//
// Phases, and who moves them:
//   connecting     nothing has come yet
//   waiting        the gateway has answered; `ready` has not come
//   live           `ready` has come and the database is up: every change from here on arrives or a gap is told
//   down           the gateway has said that its database is away
//   reconnecting   the connection is gone, and the browser (or we, where it gives up) tries again; `why` says why it went
//   refused        the gateway has said no, for good; `why` holds its sentence
//   closed         close() was called; nothing is called back any more
//
// A browser gives up for good on every status but 200. Then the same address is fetched once to learn the reason: what
// may mend itself (a proxy's 502) is tried again after the last event seen, the rest is a refusal.

const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 30_000;
const GAPS_KEPT_MAX = 50;

export class Stream {
    phase = "connecting";
    why = ""; // reconnecting: bye, busy, lost, unreachable or a sentence; refused: a sentence
    since = Date.now(); // when this phase began
    database = "unknown"; // up, down, unknown
    lastId = "";
    received = 0;
    reconnects = 0;
    gapCount = 0;
    gaps = []; // { reason, requested, resumed, received }, newest first

    #address;
    #on;
    #source = null;
    #asking = null; // aborts the fetch that asks for a reason
    #timer = 0;
    #failures = 0; // attempts of our own since the last `ready`
    #opened = false; // ever, so that the next time counts as a reconnect
    #ready = false; // on this connection
    #farewell = ""; // bye or busy: why this connection is about to end

    // address(lastId) gives the address to open. on.change(change), on.gap(gap) and on.state(stream) are called as
    // things happen; on.state for every change of phase and nothing else. They may call close().
    constructor(address, on) {
        this.#address = address;
        this.#on = on;
        this.#connect();
    }

    close() {
        this.#release();
        this.phase = "closed";
    }

    // After a refusal: once more, from where we were.
    again() {
        this.#release();
        this.#failures = 0;
        this.#enter("connecting");
        this.#connect();
    }

    #connect() {
        const source = new EventSource(this.#address(this.lastId));
        this.#source = source;
        this.#ready = false;
        this.#farewell = "";
        source.onopen = () => this.#onOpen();
        source.onerror = () => this.#onError();
        source.onmessage = (event) => this.#onChange(event);
        const controls = {
            ready: (data) => this.#onReady(data),
            status: (data) => this.#onStatus(data),
            gap: (data) => this.#onGap(data),
            bye: () => this.#onFarewell("bye"),
            busy: () => this.#onFarewell("busy"),
        };
        for (const [name, handle] of Object.entries(controls))
            source.addEventListener(name, (event) => {
                this.lastId = event.lastEventId || this.lastId;
                handle(parse(event.data));
            });
    }

    #onOpen() {
        if (this.#opened) this.reconnects++;
        this.#opened = true;
        this.#ready = false;
        this.#farewell = "";
        this.#enter("waiting");
    }

    #onReady(data) {
        this.#ready = true;
        this.#failures = 0;
        this.#onStatus(data);
    }

    #onStatus(data) {
        this.database = data.database === "down" ? "down" : "up";
        if (this.database === "down") this.#enter("down");
        else this.#enter(this.#ready ? "live" : "waiting");
    }

    #onGap(data) {
        const gap = { ...data, reason: String(data.reason ?? ""), received: Date.now() };
        this.gapCount++;
        this.gaps.unshift(gap);
        this.gaps.length = Math.min(this.gaps.length, GAPS_KEPT_MAX);
        this.#on.gap(gap);
    }

    #onFarewell(why) {
        this.#farewell = why;
        this.#enter("reconnecting", why);
    }

    #onChange(event) {
        this.received++;
        this.lastId = event.lastEventId || this.lastId;
        this.#on.change({ text: event.data, id: event.lastEventId, received: Date.now() });
    }

    #onError() {
        this.database = "unknown";
        if (this.#source.readyState === EventSource.CLOSED) this.#ask();
        else this.#enter("reconnecting", this.#farewell || (this.#opened ? "lost" : "unreachable"));
    }

    // The browser has given up: find out why, and whether it is for good.
    async #ask() {
        this.#release();
        const asking = new AbortController();
        this.#asking = asking;
        let refusal = null;
        try {
            refusal = await reasonOf(this.#address(this.lastId), asking.signal);
        } catch {
            refusal = { final: false, sentence: "unreachable" };
        }
        if (this.#asking !== asking) return; // closed or started again meanwhile
        this.#release();
        if (refusal.final) this.#enter("refused", refusal.sentence);
        else this.#retryLater(refusal.sentence);
    }

    #retryLater(why) {
        const wait_ms = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#failures);
        this.#failures = Math.min(this.#failures + 1, 16);
        this.#timer = setTimeout(() => this.#connect(), wait_ms * (0.5 + Math.random() / 2));
        this.#enter("reconnecting", why);
    }

    #release() {
        clearTimeout(this.#timer);
        this.#asking?.abort();
        this.#source?.close();
        this.#asking = this.#source = null;
    }

    // The only place where the phase moves.
    #enter(phase, why = "") {
        if (this.phase === "closed" || (this.phase === phase && this.why === why)) return;
        if (this.phase !== phase) this.since = Date.now();
        this.phase = phase;
        this.why = why;
        this.#on.state(this);
    }
}

// What the gateway says to the address when it is asked without EventSource.
async function reasonOf(address, signal) {
    const response = await fetch(address, { headers: { Accept: "text/event-stream" }, cache: "no-store", signal });
    const type = response.headers.get("Content-Type") ?? "";
    if (response.status === 200 && type.startsWith("text/event-stream")) return { final: false, sentence: "lost" };
    if (response.ok) return { final: true, sentence: `The answer was not an event stream but “${type || "nothing"}”.` };
    const problem = type.includes("json") ? parse(await response.text()) : {};
    const sentence = [
        problem.detail || problem.title || `The answer was ${response.status} ${response.statusText}`.trim(),
        problem.hint,
    ];
    return {
        final: response.status < 500 && response.status !== 408 && response.status !== 429,
        sentence: sentence
            .filter((part) => typeof part === "string" && part !== "")
            .map(asSentence)
            .join(" "),
    };
}

function asSentence(text) {
    const first = text[0].toUpperCase() + text.slice(1);
    return /[.!?…]$/.test(first) ? first : `${first}.`;
}

// The object in text; an empty one when it holds something else.
function parse(text) {
    try {
        const value = JSON.parse(text);
        return value !== null && typeof value === "object" ? value : {};
    } catch {
        return {};
    }
}
