// The outcome of a soak, as a table in Markdown.

import { LIMITS } from "./sampler.mjs";

const seconds = (number) => `${number.toFixed(1)} s`;
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const row = (...cells) => `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
const gapsText = (gaps) => Object.entries(gaps).map(([reason, count]) => `${count} ${reason}`).join(", ") || "none";

function add(a, b) {
    const sum = { ...a };
    for (const [reason, count] of Object.entries(b)) sum[reason] = (sum[reason] ?? 0) + count;
    return sum;
}

/** One line for each fault, of all the times it came. */
function byFault(outcomes) {
    const lines = new Map();
    for (const { fault, recoveredS, missing, wrong, excused, gaps, problems } of outcomes) {
        const line = lines.get(fault) ?? { times: 0, worstS: 0, missing: 0, wrong: 0, excused: 0, gaps: {} };
        lines.set(fault, {
            times: line.times + 1,
            worstS: Math.max(line.worstS, recoveredS),
            missing: line.missing + missing,
            wrong: line.wrong + Math.max(wrong, problems.length),
            excused: line.excused + excused,
            gaps: add(line.gaps, gaps),
        });
    }
    return lines;
}

export function faultTable(outcomes) {
    return [
        row("fault", "times", "all in step again after", "missing silently", "wrong", "missing, announced", "gaps announced"),
        row("---", "---", "---", "---", "---", "---", "---"),
        ...[...byFault(outcomes)].map(([{ name }, line]) => row(name, line.times, seconds(line.worstS), line.missing, line.wrong, line.excused, gapsText(line.gaps))),
    ].join("\n");
}

export function growthTable(growth) {
    return [
        row("gateway", "calm samples", "from", "to", "memory (RSS), first and last quarter", "descriptors beside streams", "grown"),
        row("---", "---", "---", "---", "---", "---", "---"),
        ...growth.map(({ index, samples, fromS, toS, first, last, grown }) =>
            row(
                index,
                samples,
                seconds(fromS),
                seconds(toS),
                `${mib(first.memory)}, ${mib(last.memory)} (${first.streams}, ${last.streams} streams)`,
                `${first.descriptors}, ${last.descriptors}`,
                grown ? "YES" : "no",
            ),
        ),
    ].join("\n");
}

/** result: of soak(); how: what it was run with, in words; left: [fault, what it lacks] that could not be done here. */
export function markdown(result, how, left) {
    const { outcomes, sums, committed, problems, growth, wrong } = result;
    const complaints = [...problems, ...outcomes.flatMap((outcome) => outcome.problems), ...sums.texts];
    return `${how}

${outcomes.length} faults, ${new Set(outcomes.map(({ fault }) => fault)).size} different ones; ${committed} events committed, ${sums.delivered} deliveries counted over ${sums.connections} connections.
Missing silently: **${sums.missing}**. Wrong in any way: **${wrong}**. Missing with a gap announced (live channels): ${sums.excused}; gaps: ${gapsText(sums.gaps)}.

${faultTable(outcomes)}

Memory and descriptors while all was calm; the last quarter may have ${LIMITS.memoryShare * 100} % and ${mib(LIMITS.memoryBytes)} more memory, and ${LIMITS.descriptors} descriptors more:

${growthTable(growth)}
${left.length > 0 ? `\nNot done here: ${left.map(([fault, lack]) => `${fault.name} (needs ${lack})`).join("; ")}.\n` : ""}${
        complaints.length > 0 ? `\nWhat was wrong:\n\n${[...new Set(complaints)].slice(0, 40).map((text) => `- ${text}`).join("\n")}\n` : ""
    }`;
}
