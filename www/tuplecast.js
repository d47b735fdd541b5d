// Row changes in the browser:
//
//   import { connect } from "./tuplecast.js";
//   const stream = connect("/streams/posts_changes");
//   stream.addEventListener("change", ({ detail }) => console.log(detail.type, detail.table, detail.key, detail.data));
//   stream.addEventListener("gap", ({ detail }) => console.log("something may be missing, load afresh:", detail.reason));
//
// What it does beyond EventSource: it comes back after every failure that may pass, notices a connection that has died
// without a word, goes on where it was after a reload, fetches a ticket for each connection, and shares one connection
// between the tabs of a browser. tuplecast.d.ts says what every option and event holds.

import { fetchTicket, readStream } from "./tuplecast-reader.js";
import { Tabs } from "./tuplecast-tabs.js";

const RETRY_MS = 2000; // until the gateway has said otherwise
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 3_600_000;
const WAIT_MAX_MS = 30_000; // or `retry`, where that is longer
const SILENCE_MS = 45_000; // three heartbeats of the gateway's default
const TICK_MS = 5000;
const IDLE_MS = 3000; // what has not come by then, to a tab that reads beside the leader, is not there
const HURRY_MS = 1000; // attempts are no closer than this, however often somebody looks at the tab
const CONTROLS = new Set(["ready", "gap", "status", "bye", "busy"]);

// url: relative to the page, or absolute. Throws a TypeError for an address or option that makes no sense.
export function connect(url, options = {}) {
    return new Stream(url, options);
}

// How long to wait before the next attempt: `retry` at first, then twice as long each time up to a bound, and by chance a
// little less, so that many clients do not come back at the same moment. random: 0 to 1.
export function backoffMs(failures, retryMs, random = Math.random()) {
    if (failures === 0) return retryMs;
    const most = Math.max(WAIT_MAX_MS, retryMs);
    return Math.round(Math.min(most, retryMs * 2 ** Math.min(failures, 20)) * (0.5 + random / 2));
}

class Stream extends EventTarget {
    state = "connecting"; // connecting, open, waiting, closed
    reason = ""; // why it is waiting or closed
    status = 0; // the HTTP status, where an answer was no stream
    message = ""; // a sentence about the reason, where there is one
    retryAt = null; // waiting: when the next attempt is made, as Date.now() counts
    lastEventId = ""; // everything up to here has been dispatched
    database = "unknown"; // up, down
    #url;
    #options;
    #silenceMs;
    #resumeKey; // in sessionStorage; "" for none
    #shareName; // "" when this tab is alone
    #tabs = null;
    #running = null; // aborted when this tab stops; null between #stop() and #start()
    #connection = null; // { abort, heardMs } of the one that this tab leads with
    #endPause = null;
    #failures = 0; // attempts that ended, since the last `ready`
    #retryMs = RETRY_MS;
    #farewell = null; // `bye` or `busy` has come: the reason why this connection is about to end
    #opened = false; // ever: what has worked may work again
    #ready = null; // the data of `ready`, once it has come on this connection
    #listening = null; // aborted to end the timer, and what is listened to on window and document

    constructor(url, options) {
        super();
        this.#url = new URL(url, globalThis.document?.baseURI);
        this.#url.hash = "";
        this.#options = options;
        this.#silenceMs = options.silenceMs ?? SILENCE_MS;
        if (!(this.#silenceMs >= 1000)) throw new TypeError("silenceMs is 1000 or more, or Infinity");
        const secret = options.ticket !== undefined || options.token !== undefined;
        const share = options.share ?? !secret;
        if (secret && share === true) throw new TypeError("with a ticket or token, share is a text of its own for each user");
        const able = globalThis.navigator?.locks && globalThis.BroadcastChannel;
        this.#shareName = able && share !== false ? `tuplecast ${share === true ? "" : share} ${this.#url}` : "";
        this.#resumeKey = options.resume ? `tuplecast ${options.resume}` : "";
        this.lastEventId = options.lastEventId ?? this.#recall();
        this.#start();
    }

    // leader or follower among the tabs that share a connection; alone where nothing is shared.
    get role() {
        return this.#tabs?.role ?? "alone";
    }

    // For good, unless reconnect() is called.
    close() {
        if (this.state !== "closed") this.#finish({ reason: "closed" });
    }

    // Now, from where it was: after a refusal, or instead of waiting.
    reconnect() {
        this.#failures = 0;
        if (this.state !== "closed") return this.#wake(true);
        this.#enter("connecting");
        this.#start();
    }

    // ---- life ----

    #start() {
        if (this.#running) return;
        this.#running = new AbortController();
        if (!this.#listening) this.#listen();
        if (this.#shareName === "") this.#lead(this.#running.signal);
        else this.#tabs = new Tabs(this.#shareName, this.#partOfTabs());
    }

    #stop(reason) {
        this.#store();
        this.#tabs?.leave();
        this.#tabs = null;
        this.#running?.abort(reason);
        this.#running = null;
    }

    #finish(end) {
        this.#stop(end.reason);
        this.#listening.abort();
        this.#listening = null;
        this.#enter("closed", end);
    }

    #listen() {
        this.#listening = new AbortController();
        const { signal } = this.#listening;
        const page = globalThis.document;
        const on = (target, name, handle) => target?.addEventListener?.(name, handle, { signal });
        const suspend = () => {
            this.#stop("suspended");
            this.#enter("waiting", { reason: "suspended" });
        };
        // A page that is kept for the back button, or frozen, must hold neither the connection nor the lead.
        on(globalThis, "pagehide", suspend);
        on(globalThis, "pageshow", () => this.#start());
        on(page, "freeze", suspend);
        on(page, "resume", () => this.#start());
        on(globalThis, "online", () => this.#wake(true, "online"));
        on(page, "visibilitychange", () => page.visibilityState === "visible" && this.#wake(true));
        const timer = setInterval(() => this.#wake(false), Math.min(TICK_MS, this.#silenceMs / 4));
        signal.addEventListener("abort", () => clearInterval(timer));
    }

    // Time has passed, perhaps more than it seems: timers stand still while a computer sleeps, and are slow in a tab that
    // nobody sees. hurry: somebody is looking. distrust: why the connection is not to be trusted any more.
    #wake(hurry, distrust = "") {
        const now = Date.now();
        const silent = this.#connection && Math.abs(now - this.#connection.heardMs) > this.#silenceMs;
        if (silent || distrust) this.#connection?.abort(distrust || "silent");
        if (hurry || (this.retryAt !== null && now >= this.retryAt)) this.#endPause?.();
        this.#tabs?.tick(hurry);
        this.#store();
    }

    #recall() {
        try {
            const kept = JSON.parse(sessionStorage.getItem(this.#resumeKey));
            return kept.url === this.#url.href ? kept.id : "";
        } catch {
            return ""; // nothing kept, or not allowed
        }
    }

    #store() {
        if (this.#resumeKey === "" || this.lastEventId === "") return;
        try {
            sessionStorage.setItem(this.#resumeKey, JSON.stringify({ url: this.#url.href, id: this.lastEventId }));
        } catch {} // full, or not allowed: then a reload begins anew
    }

    // ---- reading ----

    // Reads, and reads again, until the signal is aborted or there is a refusal.
    async #lead(signal) {
        while (!signal.aborted) {
            const begunMs = Date.now();
            const stopping = new AbortController();
            const connection = { heardMs: begunMs, abort: (reason) => stopping.abort(reason) };
            this.#connection = connection;
            this.#farewell = null;
            this.#enter("connecting");
            const end = await this.#read(AbortSignal.any([signal, stopping.signal]), {
                open: () => {
                    this.#opened = true;
                    this.#enter("open");
                },
                heard: () => (connection.heardMs = Date.now()),
                events: (events) => {
                    this.#tabs?.postEvents(events);
                    for (const event of events) this.#take(event);
                },
            });
            if (this.#connection === connection) this.#connection = null;
            if (signal.aborted) return;
            if (end.final || (end.refused && !this.#opened)) return this.#finish(end);
            const waitMs = Math.max(backoffMs(this.#failures++, this.#retryMs), end.retryAfterMs ?? 0);
            this.#enter("waiting", { ...end, ...this.#farewell, retryAt: Date.now() + waitMs });
            await this.#pause(waitMs, begunMs + HURRY_MS, signal);
        }
    }

    #read(signal, on) {
        const { ticket, token, credentials = "same-origin" } = this.#options;
        return readStream(this.#url, this.lastEventId, credentials, signal, {
            ...on,
            ticket: async (stop) => {
                if (ticket) return ticket();
                return token ? fetchTicket(this.#url, typeof token === "function" ? await token() : token, stop) : null;
            },
            heard: (retryMs) => {
                if (retryMs !== null) this.#retryMs = Math.min(Math.max(RETRY_MIN_MS, retryMs), RETRY_MAX_MS);
                on.heard?.();
            },
        });
    }

    // Until the time is over, or somebody is in a hurry; then at least until notBefore. In a tab that nobody sees a timer may
    // take minutes, so it is not relied on where the time is over already.
    #pause(waitMs, notBefore, signal) {
        return new Promise((resolve) => {
            let timer = setTimeout(resolve, waitMs);
            this.#endPause = () => {
                clearTimeout(timer);
                if (Date.now() >= notBefore) resolve();
                else timer = setTimeout(resolve, notBefore - Date.now());
            };
            signal.addEventListener("abort", () => {
                clearTimeout(timer);
                resolve();
            });
        });
    }

    // ---- what came ----

    // Dispatches event if it is the next behind what has been dispatched, whoever read it. Returns whether it is.
    #take({ event, data, id, prev }) {
        if (!this.#running || prev !== this.lastEventId) return false;
        this.lastEventId = id;
        const value = parseObject(data);
        if (!CONTROLS.has(event)) {
            const { id: key = null, ...rest } = value ?? { data };
            this.#tell("change", { ...rest, key, eventId: id, text: data });
            return true;
        }
        if (event === "ready") {
            this.#failures = 0;
            if (this.#ready === data) return true; // from a second connection, beside the leader's
            this.#ready = data;
        }
        if (event === "ready" || event === "status") this.database = value?.database ?? "unknown";
        if (event === "bye" || event === "busy") this.#farewell = { reason: event, message: value?.reason ?? "" };
        this.#tell(event, value ?? {});
        return true;
    }

    #tell(name, detail) {
        this.dispatchEvent(new CustomEvent(name, { detail }));
    }

    // The only place where the state moves.
    #enter(state, { reason = "", status = 0, message = "", retryAt = null } = {}) {
        const next = { state, reason, status, message, retryAt };
        if (state !== "open") this.#ready = null;
        if (state !== "open") this.database = "unknown";
        if (Object.entries(next).every(([name, value]) => this[name] === value)) return;
        Object.assign(this, next);
        this.#tabs?.postState();
        this.#tell("state", { ...next, role: this.role });
    }

    // ---- among tabs ----

    // What tuplecast-tabs.js asks for.
    #partOfTabs() {
        return {
            place: () => this.lastEventId,
            take: (event) => this.#take(event),
            lead: (signal) => this.#lead(signal),
            wake: (hurry) => this.#wake(hurry),
            snapshot: () => {
                const { state, reason, status, message, retryAt, database } = this;
                return { state, reason, status, message, retryAt, database, ready: this.#ready };
            },
            follow: (leader) => {
                const fresh = this.lastEventId === "" && this.#url.searchParams.get("from") !== "earliest";
                if (fresh) this.lastEventId = leader.place;
                this.#enter(leader.state, leader);
                this.database = leader.database;
            },
            // Whoever comes when `ready` is over is told, too.
            joined: (leader) => {
                const place = this.lastEventId;
                if (leader.ready !== null && this.#ready === null)
                    this.#take({ event: "ready", data: leader.ready, id: place, prev: place });
            },
            catchUp: (signal, done) => this.#catchUp(signal, done),
        };
    }

    // Reads until done(), or until nothing has come for a while. Resolves with whether that is why it ended.
    async #catchUp(signal, done) {
        const stopping = new AbortController();
        const stop = () => stopping.abort("idle");
        let timer = setTimeout(stop, Math.min(SILENCE_MS, this.#silenceMs));
        const wait = () => {
            clearTimeout(timer);
            timer = setTimeout(stop, IDLE_MS);
        };
        const end = await this.#read(AbortSignal.any([signal, stopping.signal]), {
            open: wait,
            events: (events) => {
                wait();
                for (const event of events) {
                    if (signal.aborted || stopping.signal.aborted || ["bye", "busy"].includes(event.event)) return;
                    this.#take(event);
                    if (done()) stop();
                }
            },
        });
        clearTimeout(timer);
        return end.reason === "idle";
    }
}

// The object in text, or null.
function parseObject(text) {
    try {
        const value = JSON.parse(text);
        return typeof value === "object" && !Array.isArray(value) ? value : null;
    } catch {
        return null;
    }
}
