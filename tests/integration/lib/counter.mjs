// The promise in numbers: every committed change was delivered once and in order, or a gap was announced where it is missing.

/**
 * committed: the numbers in the order of commit, rising. seen: what one client saw in its order, over all its connections:
 * numbers, and {gap: reason}. Throws when the promise is broken; returns {delivered, missing, gaps}.
 */
export function proveNothingLostSilently(committed, seen) {
    const all = new Set(committed);
    const wrong = [];
    const holes = [];
    let delivered = 0;
    let last = 0; // position in committed of what comes next
    let announced = false; // a gap since the last number

    const hole = (end) => {
        if (end === last) return;
        const numbers = committed.slice(last, end);
        if (announced) holes.push(...numbers);
        else wrong.push(`lost without a gap: ${summary(numbers)}`);
    };
    for (const item of seen) {
        if (typeof item === "object") {
            announced = true;
            continue;
        }
        const position = committed.indexOf(item, last);
        if (!all.has(item)) {
            wrong.push(`never committed: ${item}`);
        } else if (position < 0) {
            wrong.push(`again, or out of order: ${item}`);
        } else {
            hole(position);
            last = position + 1;
            announced = false;
            delivered++;
        }
    }
    hole(committed.length);
    if (wrong.length > 0) throw new Error(`${wrong.length} broken promises: ${wrong.slice(0, 5).join("; ")}; seen: ${brief(seen)}`);
    const gaps = seen.filter((item) => typeof item === "object").length;
    return { delivered, missing: holes.length, gaps };
}

/** What was seen, with every run of numbers in one piece. */
function brief(seen) {
    const parts = [];
    let run;
    for (const item of seen) {
        if (typeof item === "object") {
            parts.push(item.gap);
            run = undefined;
        } else if (run && item === run.to + 1) {
            run.to = item;
        } else {
            parts.push((run = { from: item, to: item }));
        }
    }
    return parts.map((part) => (typeof part === "object" ? `${part.from}..${part.to}` : part)).join(" ").slice(-500);
}

function summary(numbers) {
    return numbers.length > 5 ? `${numbers[0]}..${numbers.at(-1)} (${numbers.length})` : numbers.join(", ");
}
