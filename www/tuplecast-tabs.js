// Part of tuplecast.js: the tabs of a browser that want the same stream read it over one connection.
//
// One tab holds the lock and leads: it reads, and posts what it reads to the others. Each event names the place before it,
// and a tab takes it only when that is where it is. So nothing is lost or doubled, whoever posted it and however many
// believe for a moment that they lead. A tab that is elsewhere (it has slept, or resumes from before) reads beside the
// leader until both are at the same place. Who gets the lock next goes on from its own place.

const PENDING_MAX = 1000; // events of the leader that a tab keeps while it reads beside it
const JOIN_MS = 200; // what the leader has posted may still bring this tab to where the leader is
const ASKED_MAX = 3; // questions without an answer after which a leader counts as frozen
const TURN_MAX_MS = 60_000; // who reads beside the leader for longer makes way for the next
const SETTLED_MS = 60_000;

export class Tabs {
    role = "follower";
    #name;
    #stream;
    #channel;
    #leaving = new AbortController();
    #queue = null; // aborts the wait for the lock
    #leading = null; // aborted when the lead is lost
    #release = null; // gives the lock back
    #leader = null; // what the leader last said of itself
    #place = ""; // of the last event that was posted
    #settled = { place: null, untilMs: 0 }; // a place of the leader that this tab has tried to reach
    #pending = []; // what was posted and does not follow on what this tab has
    #catching = null; // aborts the reading beside the leader
    #failures = 0; // of reading beside the leader
    #impatient = false; // a turn to read was waited for in vain
    #asked = 0; // ticks since the leader was heard

    // stream has: place(); take(event), which returns whether it was the next; lead(signal) and catchUp(signal, done), which
    // read; snapshot(), follow(leader) and joined(leader), which hand the state on; wake(hurry).
    constructor(name, stream) {
        this.#name = name;
        this.#stream = stream;
        this.#channel = new BroadcastChannel(name);
        this.#channel.onmessage = ({ data }) => this.#receive(data);
        this.#campaign(false);
        this.#post({ kind: "ask" });
    }

    leave() {
        for (const each of [this.#leaving, this.#queue, this.#catching, this.#leading]) each?.abort();
        this.#release?.();
        this.#channel.close();
    }

    // What this tab has read. Only the leader's counts.
    postEvents(list) {
        if (!this.#leading) return;
        this.#place = list.at(-1).id;
        this.#post({ kind: "events", list });
    }

    postState() {
        if (this.#leading) this.#post({ kind: "state", leader: { ...this.#stream.snapshot(), place: this.#place } });
    }

    // To be called now and then: asks whether the leader is still there, and takes over when it is not.
    tick(hurry) {
        if (this.#leading) return;
        if (!hurry && ++this.#asked > ASKED_MAX) {
            this.#asked = 0;
            this.#campaign(true);
        }
        this.#post({ kind: "ask", hurry });
    }

    #post(message) {
        if (!this.#leaving.signal.aborted) this.#channel.postMessage(message);
    }

    async #campaign(steal) {
        this.#queue?.abort();
        const queue = (this.#queue = new AbortController());
        try {
            await navigator.locks.request(this.#name, steal ? { steal } : { signal: queue.signal }, () => this.#lead());
        } catch {
            if (this.#queue !== queue || this.#leaving.signal.aborted) return; // left the queue
            // Somebody has taken the lock away, while this tab stood still.
            this.#leading?.abort();
            this.#leading = null;
            this.role = "follower";
            this.#campaign(false);
            this.#post({ kind: "ask" });
        }
    }

    // The lock is held until what is returned resolves.
    #lead() {
        if (this.#leaving.signal.aborted) return null;
        this.#catching?.abort();
        this.#pending = [];
        this.#place = this.#stream.place();
        this.role = "leader";
        this.#leading = new AbortController();
        this.#stream.lead(this.#leading.signal);
        return new Promise((resolve) => (this.#release = resolve));
    }

    #receive({ kind, list, leader, hurry }) {
        if (kind === "ask") {
            if (!this.#leading) return;
            this.#stream.wake(hurry);
            this.postState();
        } else if (!this.#leading) {
            this.#asked = 0;
            if (kind === "state") this.#follow(leader);
            else this.#takeEvents(list);
        }
    }

    #follow(leader) {
        this.#leader = leader;
        this.#place = leader.place;
        this.#stream.follow(leader);
        this.#join();
    }

    #takeEvents(list) {
        if (!this.#leader) return; // its answer to our question will say where it is
        this.#place = list.at(-1).id;
        this.#pending = [...this.#pending, ...list.filter((event) => !this.#stream.take(event))].slice(-PENDING_MAX);
        this.#join();
    }

    // Takes what follows on what this tab has. Returns whether it is where the leader is.
    #join() {
        if (this.#leading || this.#leaving.signal.aborted) return false;
        this.#pending = this.#pending.filter((event) => !this.#stream.take(event));
        const joined = this.#place === this.#stream.place();
        if (joined) {
            this.#pending = [];
            this.#stream.joined(this.#leader);
        } else if (this.#place !== this.#settled.place || Date.now() > this.#settled.untilMs) this.#catchUp();
        return joined;
    }

    // Reads beside the leader. Two tabs can be at one place and not know it, when their ids are from before the first event:
    // then nothing comes, and the next event will tell. One tab at a time reads, so that a browser's six connections to a host
    // are never used up.
    async #catchUp() {
        if (this.#catching) return;
        const { signal, abort } = (this.#catching = controller());
        const waitMs = Math.min(JOIN_MS * 2 ** this.#failures, TURN_MAX_MS);
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        const place = this.#place;
        let well = signal.aborted || place === this.#stream.place();
        try {
            const waiting = { signal: AbortSignal.any([signal, AbortSignal.timeout(TURN_MAX_MS)]) };
            const read = async () => {
                this.#impatient = false;
                well = await this.#stream.catchUp(signal, () => this.#join());
                if (well) this.#settled = { place, untilMs: Date.now() + SETTLED_MS };
            };
            if (!well) await navigator.locks.request(`${this.#name} beside`, this.#impatient ? { steal: true } : waiting, read);
        } catch (error) {
            this.#impatient = error?.name === "TimeoutError"; // whoever has the turn is frozen
            abort(); // or the turn was taken away
        }
        this.#catching = null;
        this.#failures = well ? 0 : Math.min(this.#failures + 1, 16);
        if (well) this.#join(); // otherwise the leader's next word leads here again
    }
}

function controller() {
    const made = new AbortController();
    return { signal: made.signal, abort: () => made.abort() };
}
