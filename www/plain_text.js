// Text from rows, made fit to be shown: bounded, and without marks that would change how the rest is read.

import { number } from "./words.js";

// Control characters, and marks that turn the direction of writing or cannot be seen.
const HIDDEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

// The first `max` characters, and how many more there are.
export function clip(text, max) {
    const shown = visible(text.slice(0, max));
    return text.length <= max ? shown : `${shown}… (${number(text.length - max)} more characters)`;
}

// Hidden marks are shown, as JSON writes them, and not obeyed.
export function visible(text) {
    return text.replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// 14:03:07.042, in the visitor's time zone.
export function clock(when) {
    const two = (n) => String(n).padStart(2, "0");
    return `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}.${String(when.getMilliseconds()).padStart(3, "0")}`;
}

export function clockSeconds(when) {
    return clock(when).slice(0, 8);
}
