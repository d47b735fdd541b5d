// JSON's own bytes: the members of an object as they stand in the text.

/** Where the value that begins at `from` ends. */
function valueEnd(text, from) {
    let depth = 0;
    for (let at = from; at < text.length; at++) {
        const c = text[at];
        if (c === '"') at = stringEnd(text, at) - 1;
        else if (c === "{" || c === "[") depth++;
        else if (c === "}" || c === "]") {
            if (depth === 0) return at;
            depth--;
        } else if (c === "," && depth === 0) return at;
    }
    return text.length;
}

function stringEnd(text, from) {
    for (let at = from + 1; at < text.length; at++) {
        if (text[at] === "\\") at++;
        else if (text[at] === '"') return at + 1;
    }
    throw new Error(`a string without an end: ${text.slice(from, from + 80)}`);
}

/** [[name with its quotes, value], ...] of an object's text that has no spaces between its tokens. */
export function membersOf(text) {
    const members = [];
    if (text === "{}") return members;
    let at = 0;
    while (text[at] !== "}" || at === 0) {
        const nameEnd = stringEnd(text, at + 1);
        const end = valueEnd(text, nameEnd + 1);
        members.push([text.slice(at + 1, nameEnd), text.slice(nameEnd + 1, end)]);
        at = end;
    }
    return members;
}

/** As PostgreSQL's to_json writes a text. */
export function quoted(text) {
    let answer = "";
    for (const c of text) {
        const code = c.codePointAt(0);
        const short = { '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t" }[c];
        answer += short ?? (code < 32 ? `\\u${code.toString(16).padStart(4, "0")}` : c);
    }
    return `"${answer}"`;
}

/** Line breaks between the tokens of a json value become spaces on their way: no byte of a row may start a field of its own. */
export const asSent = (text) => text.replace(/[\r\n]/g, " ");

export const bytesOf = (text) => Buffer.byteLength(text);
