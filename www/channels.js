// The list of channels to tick: those that GET /channels tells of, with who listens and how much comes, and those that
// are watched.

import { $, setText, template } from "./dom.js";
import { Refusal } from "./gateway.js";
import { counted, number } from "./words.js";

const POLL_MS = 3000;
const SHOWN_MAX = 100;

export class ChannelList {
    #gateway;
    #onRefused;
    #watched = [];
    #listing = null; // { items, patterns, read_ms }
    #before = null; // the listing before it, for rates
    #problem = "";
    #lines = new Map(); // channel -> its li
    #asking = false;
    #trips = { database_ms: null, gateway_ms: null };

    // onPick(channels) is called when the visitor ticks or unticks one; onRefused(status) when the list is refused.
    constructor(gateway, onPick, onRefused) {
        this.#gateway = gateway;
        this.#onRefused = onRefused;
        $("channels").addEventListener("change", () => onPick(this.ticked()));
        $("find").addEventListener("input", () => this.#draw());
        document.addEventListener("visibilitychange", () => this.#ask());
        setInterval(() => this.#ask(), POLL_MS);
        this.#ask();
    }

    ticked() {
        const boxes = [...$("channels").querySelectorAll("input:checked")];
        const seen = new Set(boxes.map((box) => box.value));
        return [...this.#watched.filter((name) => seen.has(name) || !this.#lines.has(name)), ...[...seen].filter((name) => !this.#watched.includes(name))];
    }

    show(watched) {
        this.#watched = watched;
        this.#draw();
        for (const [name, line] of this.#lines) line.querySelector("input").checked = watched.includes(name);
        this.#ask();
    }

    // Whether the gateway lets this channel be subscribed to; null when that is not known.
    allows(channel) {
        if (this.#listing === null) return null;
        const { items, patterns } = this.#listing;
        return items.some((item) => item.channel === channel) || patterns.some((pattern) => fits(pattern, channel));
    }

    // How long it takes to the next one and back, as of the last listing: a notification of the gateway through PostgreSQL, and a request
    // of this page to the gateway. null when that is not known.
    get trips() {
        return this.#trips;
    }

    async #ask() {
        if (this.#asking || document.hidden) return;
        this.#asking = true;
        try {
            const asked_ms = performance.now();
            const { items, patterns, round_trip_ms } = await this.#gateway.ask("GET", "channels");
            const read_ms = performance.now();
            this.#before = this.#listing;
            this.#listing = { items, patterns, read_ms };
            this.#trips = { database_ms: round_trip_ms ?? null, gateway_ms: read_ms - asked_ms };
            this.#problem = "";
        } catch (error) {
            this.#trips = { database_ms: null, gateway_ms: null };
            const refused = error instanceof Refusal && error.status >= 400 && error.status < 500;
            this.#problem = refused ? (error.status === 401 ? "The list of channels needs a token." : error.message) : "The list of channels cannot be read just now.";
            if (refused) this.#listing = null;
            if (refused) this.#onRefused(error.status);
        }
        this.#asking = false;
        this.#draw();
    }

    #draw() {
        const wanted = $("find").value.trim().toLowerCase();
        const items = this.#listing?.items ?? [];
        const known = new Set(items.map((item) => item.channel));
        const all = [...this.#watched.filter((name) => !known.has(name)).map((channel) => ({ channel })), ...items];
        const matching = all.filter(({ channel }) => channel.toLowerCase().includes(wanted) || this.#watched.includes(channel));
        const shown = matching.slice(0, SHOWN_MAX);
        this.#keep(shown.map(({ channel }) => channel));
        for (const item of shown) this.#drawLine(item);
        setText("channels-hint", this.#hint(matching.length - shown.length, all.length));
    }

    #hint(more, count) {
        if (this.#problem) return this.#problem;
        if (more > 0) return `And ${counted(more, "more channel")}: type a part of the name.`;
        const patterns = this.#listing?.patterns ?? [];
        if (patterns.includes("*")) return "Any other name can be typed.";
        if (patterns.length > 0) return `Any name like ${patterns.slice(0, 5).join(", ")} can be typed${count === 0 ? "; none is in use yet" : ""}.`;
        return this.#listing && count === 0 ? "The gateway allows no channel: its setting “channels” is empty." : "";
    }

    // Makes the lines exactly those of the names, in their order; what stays is not touched, so that focus stays, too.
    #keep(names) {
        const wanted = new Set(names);
        for (const [name, line] of this.#lines)
            if (!wanted.has(name)) {
                line.remove();
                this.#lines.delete(name);
            }
        let next = $("channels").firstElementChild;
        for (const name of names) {
            let line = this.#lines.get(name);
            if (line === undefined) this.#lines.set(name, (line = newLine(name, this.#watched.includes(name))));
            if (line === next) next = next.nextElementSibling;
            else $("channels").insertBefore(line, next);
        }
    }

    #drawLine(item) {
        const line = this.#lines.get(item.channel);
        line.querySelector(".tag").hidden = !item.durable;
        setText(line.querySelector(".use-of"), item.streams === undefined ? "" : this.#useOf(item));
    }

    #useOf(item) {
        if (!item.listening && !item.durable) return "nobody listens";
        const listeners = item.streams === 0 ? "nobody listens" : counted(item.streams, "listener");
        const before = this.#before?.items.find(({ channel }) => channel === item.channel);
        const seconds = before ? (this.#listing.read_ms - this.#before.read_ms) / 1000 : 0;
        if (seconds === 0) return listeners;
        const rate = Math.max(0, item.events - before.events) / seconds;
        return `${listeners} · ${rate >= 10 ? number(Math.round(rate)) : Math.round(rate * 10) / 10}/s`;
    }
}

function newLine(name, watched) {
    const line = template("channel-template").cloneNode(true);
    const box = line.querySelector("input");
    box.value = name;
    box.checked = watched;
    line.querySelector(".name").textContent = name;
    line.querySelector(".name").title = name;
    return line;
}

// Patterns as the configuration has them: * stands for any characters, ? for one.
function fits(pattern, name) {
    const expression = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^]*").replaceAll("?", "[^]");
    return new RegExp(`^${expression}$`, "u").test(name);
}
