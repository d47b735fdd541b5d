// The stream of a view, by tuplecast.js, and what is known about it.
//
// Phases, and what they say:
//   connecting     nothing has come yet
//   waiting        the gateway has answered; `ready` has not come
//   live           `ready` has come and the database is up: every change from here on arrives or a gap is told
//   down           the gateway has said that its database is away
//   reconnecting   the connection is gone, and is tried again; `why` says why it went
//   refused        the gateway has said no, for good; `why` holds its sentence
//   closed         close() was called; nothing is called back any more

import { readChange } from "./change.js";
import { connect } from "./tuplecast.js";
import { refusalText } from "./words.js";

const GAPS_KEPT_MAX = 50;

export class Stream {
    phase = "connecting";
    why = ""; // reconnecting: a reason of tuplecast.js, or a sentence; refused: a sentence
    since = Date.now(); // when this phase began
    received = 0;
    reconnects = 0;
    gapCount = 0;
    gaps = []; // { reason, requested, resumed, received }, newest first

    #on;
    #stream;
    #opened = false; // ever, so that the next time counts as a reconnect
    #ready = false; // on this connection

    // address: of the stream. resume: goes on after a reload where it was. token: "" for none. on.change(change), on.gap(gap) and
    // on.state(stream) are called as things happen; on.state for every change of phase and nothing else. They may call close().
    constructor(address, { resume, token }, on) {
        this.#on = on;
        this.#stream = connect(address, { ...(resume && { resume: "page" }), ...(token && { token }) });
        const handlers = {
            state: () => this.#onState(),
            ready: () => this.#onReady(),
            status: () => this.#onStatus(),
            gap: (detail) => this.#onGap(detail),
            change: ({ text, eventId }) => this.#onChange(text, eventId),
        };
        for (const [name, handle] of Object.entries(handlers))
            this.#stream.addEventListener(name, ({ detail }) => {
                if (this.phase !== "closed") handle(detail);
            });
    }

    get lastId() {
        return this.#stream.lastEventId;
    }

    get database() {
        return this.#stream.database;
    }

    // leader, follower or alone: whether the connection is shared with other tabs.
    get role() {
        return this.#stream.role;
    }

    // The HTTP status, where an answer was no stream.
    get status() {
        return this.#stream.status;
    }

    close() {
        this.phase = "closed";
        this.#stream.close();
    }

    // After a refusal, or instead of waiting: once more, from where we were.
    again() {
        this.#stream.reconnect();
    }

    #onState() {
        const { state, reason, status, message } = this.#stream;
        if (state === "open") {
            if (this.#opened) this.reconnects++;
            this.#opened = true;
            this.#ready = false;
            this.#onStatus();
        } else if (state === "waiting") this.#enter("reconnecting", message && ["refused", "ticket"].includes(reason) ? refusalText(status, message) : reason);
        else if (state === "closed") this.#enter("refused", refusalText(status, message || `The answer was ${status || reason}.`));
        else if (this.phase === "refused") this.#enter("connecting");
    }

    #onReady() {
        this.#ready = true;
        this.#onStatus();
    }

    #onStatus() {
        if (this.database === "down") this.#enter("down");
        else this.#enter(this.#ready ? "live" : "waiting");
    }

    #onGap(detail) {
        const gap = { ...detail, reason: String(detail.reason ?? ""), received: Date.now() };
        this.gapCount++;
        this.gaps.unshift(gap);
        this.gaps.length = Math.min(this.gaps.length, GAPS_KEPT_MAX);
        this.#on.gap(gap);
    }

    #onChange(text, id) {
        this.received++;
        this.#on.change(readChange(text, id, Date.now()));
    }

    // The only place where the phase moves.
    #enter(phase, why = "") {
        if (this.phase === phase && this.why === why) return;
        if (this.phase !== phase) this.since = Date.now();
        this.phase = phase;
        this.why = why;
        this.#on.state(this);
    }
}
