// The connection panel, and the words at the top: what state the stream is in, and what it has missed.

import { $, make, setText } from "./dom.js";
import { clockSeconds } from "./plain_text.js";
import { counted, gapWords, milliseconds, number, phaseLabel, phaseText, SLOW_TEXT } from "./words.js";

const GAPS_SHOWN_MAX = 5;
const NOTICE_PHASES = ["down", "reconnecting", "refused"];

// stream is null when no channel is chosen. latency: of the meter. trips: of the list of channels. empty: no row is shown. slow: connecting
// takes long.
export function drawConnection({ stream, latency, trips, empty, slow }) {
    const phase = stream?.phase ?? "idle";
    drawState(phase, slow ? SLOW_TEXT : phaseText(phase, stream?.why), { empty, slow });
    setText("fact-state", stream ? `${phaseLabel(phase)} since ${clockSeconds(new Date(stream.since))}` : phaseLabel(phase));
    setText("fact-database", stream?.database ?? "unknown");
    setText("fact-id", stream?.lastId || "none yet");
    setText("fact-received", number(stream?.received ?? 0));
    setText("fact-latency", latencyText(stream, latency));
    for (const id of ["fact-database-trip", "fact-gateway-trip"]) $(id).parentElement.hidden = latency !== null;
    setText("fact-database-trip", trips.database_ms === null ? "–" : milliseconds(trips.database_ms));
    setText("fact-gateway-trip", trips.gateway_ms === null ? "–" : milliseconds(trips.gateway_ms));
    setText("fact-reconnects", number(stream?.reconnects ?? 0));
    setText("fact-gaps", stream?.gapCount ? number(stream.gapCount) : "none");
    setText("connection-brief", stream?.gapCount ? counted(stream.gapCount, "gap") : "");
    if (!stream?.gapCount) $("gaps").replaceChildren();
}

function drawState(phase, text, { empty, slow }) {
    setText("state-label", phaseLabel(phase));
    $("state").dataset.phase = phase;
    const noticed = NOTICE_PHASES.includes(phase) || ((slow || phase === "waiting") && !empty);
    $("notice").hidden = !noticed;
    $("notice").classList.toggle("alone", empty);
    $("scroll").hidden = noticed && empty;
    $("notice").dataset.phase = phase;
    setText("notice-title", phaseLabel(phase));
    setText("notice-text", text);
    $("again").hidden = phase !== "refused";
}

function latencyText(stream, latency) {
    if (latency) return `${milliseconds(latency.median)}, max ${milliseconds(latency.worst)}`;
    return stream?.received ? "durable channels only" : "–";
}

export function drawGaps(gaps) {
    $("gaps").replaceChildren(
        ...gaps.slice(0, GAPS_SHOWN_MAX).map((gap) => {
            const ids = [
                ["asked for", gap.requested],
                ["goes on from", gap.resumed],
            ]
                .filter(([, id]) => typeof id === "string" && id !== "")
                .map(([word, id]) => `${word} ${id}`);
            const title = make("b", "", `${clockSeconds(new Date(gap.received))} ${gap.reason}`);
            return make("li", "", title, ` ${gapWords(gap).text}${ids.length > 0 ? ` (${ids.join(", ")})` : ""}`);
        }),
    );
}
