// What the page says: one sentence for each phase of the connection and each reason of a gap.

const LABELS = {
    idle: "No channel chosen",
    connecting: "Connecting",
    waiting: "Waiting for the database",
    live: "Live",
    down: "Database down",
    reconnecting: "Reconnecting",
    refused: "Refused",
};

const TEXTS = {
    connecting: "The stream is being opened.",
    waiting: "The gateway has answered, but is not connected to its database yet. Changes come as soon as it is.",
    down: "The gateway cannot reach its database and keeps trying. The stream goes on by itself, and says so here if a change was missed.",
};

// Reasons of tuplecast.js.
const WHYS = {
    bye: "The gateway is stopping or restarting. This page connects again by itself.",
    busy: "The gateway has no room for another stream just now. This page tries again by itself.",
    ended: "The gateway has ended the stream. This page connects again by itself.",
    lost: "The connection to the gateway is gone. This page connects again by itself.",
    unreachable: "The gateway cannot be reached. This page keeps trying by itself.",
    silent: "Nothing has come from the gateway for too long. This page connects again by itself.",
    online: "The network has changed. This page connects again by itself.",
    ticket: "The gateway gives out no ticket, the single-use pass for a stream, just now. This page keeps trying by itself.",
    refused: "Something between this page and the gateway is out of order. This page keeps trying by itself.",
    suspended: "The browser had put this page aside. It connects again as soon as it may.",
};

export const SLOW_TEXT =
    "No answer yet. Over HTTP/1.1 a browser opens no more than six connections to one host: " +
    "if this page is open in other tabs with other channels, close one of them.";

export function refusalText(status, message) {
    return status === 401 ? `Reading changes needs a token here. Type yours under Channels. (${message})` : message;
}

const GAP_TEXTS = {
    restart: "The gateway was restarted, and what it kept in memory is gone.",
    outage: "The gateway had lost its database for a while and could not listen.",
    lagged: "This page read more slowly than changes came, and the gateway does not keep any more what it had not read yet.",
    expired: "The last change that this page saw is older than what the gateway keeps.",
    rewound: "The database was set back, by a restore or a failover: changes shown before this may not exist any more.",
    "unknown-id": "The gateway does not know the id that this page wanted to go on from.",
};

export function phaseLabel(phase) {
    return LABELS[phase] ?? phase;
}

// The sentence that goes with the label; empty when the label says it all.
export function phaseText(phase, why) {
    if (phase === "reconnecting") return WHYS[why] ?? `${why} This page keeps trying by itself.`;
    return why || (TEXTS[phase] ?? "");
}

export function gapWords(gap) {
    const reason =
        GAP_TEXTS[gap.reason] ??
        (gap.reason ? `The gateway gives the reason “${gap.reason}”.` : "The gateway gives no reason.");
    return {
        title: gap.reason === "rewound" ? "History has changed here." : "Changes may be missing here.",
        text: `${reason} If you keep a copy of these rows, read them again from the database.`,
    };
}

export function number(n) {
    return n.toLocaleString("en");
}

export function counted(n, one, many = `${one}s`) {
    return `${number(n)} ${n === 1 ? one : many}`;
}

// 0.4 ms, 12 ms, 3.2 s
export function milliseconds(ms) {
    if (ms >= 1000) return `${number(Math.round(ms / 100) / 10)} s`;
    return `${ms >= 10 || Number.isInteger(ms) ? number(Math.round(ms)) : Math.round(ms * 10) / 10} ms`;
}
