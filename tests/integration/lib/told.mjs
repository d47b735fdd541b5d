// What a stream tells of whole statements.

const PATIENCE_MS = 30_000;

/** Each way from a row to the stream. */
export const WAYS = {
    "live, statement level": { level: "statement" },
    "live, row level": { level: "row" },
    "durable, statement level": { level: "statement", durable: true },
    "durable, row level": { level: "row", durable: true },
};

/** `count` numbers from `first` on. */
export const range = (first, count) => Array.from({ length: count }, (_, i) => first + i);

/** The next `count` changes, as what matters of them. */
export async function changes(stream, count) {
    const messages = await stream.messages(count, PATIENCE_MS);
    return messages.map(({ json: { type, id, data, old, changed, cut } }) => ({ type, id, data, old, changed, cut }));
}

/** The same of one statement. In which order it takes its rows is not said anywhere: here they stand by their numbers. */
export async function statement(stream, count, numberOf = ({ id }) => id) {
    const told = await changes(stream, count);
    return told.toSorted((a, b) => numberOf(a) - numberOf(b));
}
