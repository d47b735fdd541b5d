// Lines to copy for the view at hand: for a terminal, for a browser, for psql.

import { isFiltered, shortAddress } from "./address.js";

// The token stays out of the page here, too.
export function curlLine(view, base, withToken) {
    return `curl -N ${withToken ? '-H "Authorization: Bearer $TOKEN" ' : ""}'${shortAddress(view, base)}'`;
}

export function browserCode(view, base, withToken) {
    return withToken ? clientCode(view, base) : plainCode(view, base);
}

// EventSource sends no token, so the client module does.
function clientCode(view, base) {
    return `import { connect } from "${new URL("tuplecast.js", base).href}";
const changes = connect("${shortAddress(view, base)}", { token: "…" });
changes.addEventListener("change", ({ detail }) => {
  const { type, table, key, data } = detail;
  console.log(type, table, key, data);
});
changes.addEventListener("gap", ({ detail }) => {
  console.warn("Changes are missing, read your rows again:", detail.reason);
});`;
}

function plainCode(view, base) {
    return `const changes = new EventSource("${shortAddress(view, base)}");
changes.onmessage = (event) => {
  const { table, type, id, data } = JSON.parse(event.data);
  console.log(type, table, id, data);
};
changes.addEventListener("gap", (event) => {
  const { reason } = JSON.parse(event.data);
  console.warn("Changes are missing, read your rows again:", reason);
});
changes.onerror = () => changes.readyState === 2 && console.error("Refused");`;
}

// Sends one notification that this view shows.
export function notifyLine(view) {
    const literal = (text) => `'${text.replaceAll("'", "''")}'`;
    const change = {
        table: view.tables[0] ?? "posts",
        type: view.types[0] ?? "INSERT",
        id: view.ids[0] ?? "1",
        data: "Hello",
    };
    const payload = isFiltered(view) ? JSON.stringify(change) : "Hello";
    return `SELECT pg_notify(${literal(view.channels[0])}, ${literal(payload)});`;
}

// Puts a channel on the table posts. The token stays out of the page, so the shell fills it in.
export function putLine(base) {
    return `curl -X PUT '${new URL("triggers/posts", base).href}' \\
  -H "Authorization: Bearer $TUPLECAST_TRIGGERS_TOKEN" \\
  -H 'Content-Type: application/json' -d '{"table":"posts"}'`;
}
