// One row change as it came: its text, which is shown and saved byte for byte, and what was read from it.

import { members, string } from "./json.js";

export const TYPES = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];
export const OTHER = "Other"; // what is not a row change: any notification

// text: the event's data. id: the event's. received: as Date.now() counts.
// event holds the members of the text, each as it was written; null when the text is no object.
export function readChange(text, id, received) {
    const event = members(text);
    const type = string(event?.get("type")) ?? "";
    const at_ms = Date.parse(string(event?.get("at")) ?? "");
    return { text, id, received, event, type, kind: TYPES.includes(type) ? type : OTHER, at_ms };
}

// What a person reads for a JSON value: a string's text, nothing for null, everything else as it was written.
export function plain(json) {
    if (json === undefined || json === "null") return null;
    return string(json) ?? json;
}

// The names in a JSON list of strings, as a set.
export function names(json) {
    try {
        return new Set(JSON.parse(json ?? "[]"));
    } catch {
        return new Set();
    }
}

// " (by UPDATE; left out: old, data.shape)": the statement, where it was another one than the type says; members that are
// too long, and columns that cannot be had as JSON.
export function remarks(change) {
    const op = string(change.event?.get("op"));
    const cut = change.event?.get("cut");
    const words = [];
    if (op) words.push(`by ${op}`);
    if (cut !== undefined) words.push(`left out: ${[...names(cut)].join(", ")}`);
    return words.length > 0 ? ` (${words.join("; ")})` : "";
}
