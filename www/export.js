// Saves what is shown as NDJSON (one JSON value a line), oldest first: each event's data exactly as it came. A gap is in it, too, in its
// place, because a file must not look complete when it is not.

const FREE_MS = 60_000; // until the browser has surely taken the file

export function exportEntries(entries, channels) {
    const lines = entries.map(({ change, gap }) => `${change ? change.text : JSON.stringify({ gap })}\n`);
    const address = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = `${fileName(channels)}-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.ndjson`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), FREE_MS);
    return entries.length;
}

function fileName(channels) {
    return channels.join("+").replace(/[^0-9A-Za-z._+-]/g, "_").slice(0, 80) || "changes";
}
