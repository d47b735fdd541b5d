// JSON looked into without being changed: JSON.parse() would round PostgreSQL's large numbers.

// The members of the object in text, each as the text it was written as; null when text is no object.
export function members(text) {
    const places = memberPlaces(text);
    return places && new Map(places.map(({ name, value, end }) => [name, text.slice(value, end)]));
}

// Where the members of the object in text stand: [{ name, start, value, end }], from the name's quote to the value's
// end; null when text is no object.
export function memberPlaces(text) {
    const found = [];
    let at = skipBlank(text, 0);
    if (text[at] !== "{") return null;
    at = skipBlank(text, at + 1);
    while (text[at] === '"') {
        const start = at;
        const colon = skipBlank(text, stringEnd(text, at));
        const value = skipBlank(text, colon + 1);
        const end = valueEnd(text, value);
        const name = string(text.slice(start, colon));
        if (text[colon] !== ":" || end === value || name === null) return null;
        found.push({ name, start, value, end: value + text.slice(value, end).trimEnd().length });
        at = text[end] === "," ? skipBlank(text, end + 1) : end;
    }
    return text[at] === "}" ? found : null;
}

// The text a JSON string stands for; null for everything else.
export function string(json) {
    if (json?.[0] !== '"') return null;
    try {
        return JSON.parse(json);
    } catch {
        return null;
    }
}

// The same JSON on many lines, every value as it was written.
export function indent(text) {
    const out = [];
    let depth = 0;
    for (let at = skipBlank(text, 0); at < text.length; at = skipBlank(text, at)) {
        const c = text[at];
        if (c === '"') {
            const end = stringEnd(text, at);
            out.push(text.slice(at, end));
            at = end;
            continue;
        }
        at++;
        if (c === "{" || c === "[") {
            const next = skipBlank(text, at);
            if (text[next] === "}" || text[next] === "]") {
                out.push(c, text[next]);
                at = next + 1;
            } else out.push(c, newline(++depth));
        } else if (c === "}" || c === "]") out.push(newline(--depth), c);
        else if (c === ",") out.push(c, newline(depth));
        else out.push(c === ":" ? ": " : c);
    }
    return out.join("");
}

function newline(depth) {
    return `\n${"  ".repeat(Math.max(0, depth))}`;
}

function skipBlank(text, at) {
    while (text[at] === " " || text[at] === "\t" || text[at] === "\n" || text[at] === "\r") at++;
    return at;
}

// Where the string that begins at `at` has ended: after the first quote behind an even number of backslashes.
function stringEnd(text, at) {
    for (let quote = text.indexOf('"', at + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
        let slashes = 0;
        while (text[quote - 1 - slashes] === "\\") slashes++;
        if (slashes % 2 === 0) return quote + 1;
    }
    return text.length;
}

function valueEnd(text, at) {
    let depth = 0;
    while (at < text.length) {
        const c = text[at];
        if (c === '"') {
            at = stringEnd(text, at);
            continue;
        }
        if (depth === 0 && (c === "," || c === "}" || c === "]")) return at;
        if (c === "{" || c === "[") depth++;
        else if (c === "}" || c === "]") depth--;
        at++;
    }
    return at;
}
