// Lines to copy for the view at hand: for a terminal, for a browser, for psql.

import { shortAddress } from "./address.js";

export function curlLine(view, base) {
    return `curl -N '${shortAddress(view, base)}'`;
}

export function browserCode(view, base) {
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

// Sends one notification on the view's first channel.
export function notifyLine(view) {
    const literal = (text) => `'${text.replaceAll("'", "''")}'`;
    return `SELECT pg_notify(${literal(view.channels[0])}, 'Hello');`;
}

// Puts a channel on a table.
export function putLine(base) {
    return `curl -X PUT '${new URL("triggers/posts", base).href}' \\
  -H 'Content-Type: application/json' -d '{"table":"posts"}'`;
}
