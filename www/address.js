// The page's address and the stream's address, and the view that both stand for.
//
// A view is what the visitor asked for: { channels, tables, types, ids, from }, lists of text without doubles.
// `/?channel=a&channel=b&type=INSERT` on the page becomes `/streams?channel=a&channel=b&type=INSERT` here.

const LISTS = { channel: "channels", table: "tables", type: "types", id: "ids" };

// Reads a view from anything with getAll() and get(): the page's query, or the form's data.
export function readView(params) {
    const view = { from: params.get("from") === "earliest" ? "earliest" : "" };
    for (const [name, list] of Object.entries(LISTS))
        view[list] = [...new Set(params.getAll(name).filter((value) => value !== ""))];
    view.types = [...new Set(view.types.map((type) => type.toUpperCase()))];
    return view;
}

export function isFiltered(view) {
    return view.tables.length + view.types.length + view.ids.length > 0;
}

// "?channel=…": what makes this view shareable; empty for the empty view.
export function pageQuery(view) {
    const query = pairs(view, Object.keys(LISTS)).join("&");
    return query === "" ? "" : `?${query}`;
}

// The one address that streams this view.
export function streamAddress(view, base) {
    return new URL(`streams?${pairs(view, Object.keys(LISTS)).join("&")}`, base).href;
}

// The same stream as a person would write it down: a single channel goes into the path.
export function shortAddress(view, base) {
    if (view.channels.length !== 1) return streamAddress(view, base);
    const query = pairs(
        view,
        Object.keys(LISTS).filter((name) => name !== "channel"),
    ).join("&");
    return new URL(`streams/${encode(view.channels[0])}${query && `?${query}`}`, base).href;
}

function pairs(view, names) {
    const list = names.flatMap((name) => view[LISTS[name]].map((value) => `${name}=${encode(value)}`));
    return view.from === "" ? list : [...list, `from=${view.from}`];
}

// Quotes are encoded too, so that an address can stand between quotes in a shell or in code.
function encode(text) {
    return encodeURIComponent(text.toWellFormed?.() ?? text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
}
