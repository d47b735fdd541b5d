// Puts the page together: the address gives the view, the view gives the stream, the stream fills table and panel.

import { isFiltered, pageQuery, readView, streamAddress } from "./address.js";
import { ViewForm } from "./form.js";
import { browserCode, curlLine, notifyLine, putLine } from "./snippets.js";
import { Stream } from "./stream.js";
import { ChangeTable, clock } from "./table.js";
import { counted, gapWords, number, phaseLabel, phaseText, SLOW_TEXT } from "./words.js";

const SLOW_MS = 8000; // connecting for longer deserves an explanation
const SUMMARY_EVERY_MS = 15_000; // how often arriving changes are announced, at most
const GAPS_SHOWN_MAX = 5;
const NOTICE_PHASES = ["down", "reconnecting", "refused"];
const base = document.baseURI.replace(/[?#].*/, "");

const $ = (id) => document.getElementById(id);

let view = readView(new URLSearchParams(location.search));
let stream = null;
let slowTimer = 0;
let slow = false;
let cleared = false;
let announcedCount = 0;
const recent = []; // stream.received, once a second: what the rate is made of

const table = new ChangeTable($("table"), draw);
const form = new ViewForm($("view"), (wanted) => {
    const query = pageQuery(wanted);
    if (query !== location.search) history.pushState(null, "", query || location.pathname);
    open(wanted);
});

// ---- the view ----

function open(wanted) {
    view = wanted;
    stream?.close();
    stream = null;
    table.resume();
    table.clear();
    cleared = false;
    announcedCount = 0;
    recent.length = 0;
    form.show(view);
    showSnippets();
    if (view.channels.length > 0)
        stream = new Stream((lastId) => streamAddress(view, base, lastId), {
            change: (change) => table.addChange(change),
            gap: onGap,
            state: onState,
        });
    else form.focus();
    onState();
}

function showSnippets() {
    const watching = view.channels.length > 0;
    $("use").hidden = !watching;
    $("use-lines").hidden = !watching || $("use").getAttribute("aria-expanded") !== "true";
    $("connection-card").hidden = !watching;
    $("table").classList.toggle("single", view.channels.length === 1);
    $("view-brief").textContent = view.channels.join(", ");
    const filters = view.tables.length + view.types.length + view.ids.length;
    $("filters-brief").textContent = filters > 0 ? counted(filters, "filter") : "";
    if (isFiltered(view)) $("filters").open = true;
    $("put").textContent = putLine(base);
    if (!watching) return;
    $("curl").textContent = curlLine(view, base);
    $("code").textContent = browserCode(view, base);
    $("notify").textContent = notifyLine(view);
    $("empty-live-text").textContent = isFiltered(view)
        ? "The next change that passes the filters appears here. To see one now, type this in psql:"
        : "The next change appears here. To see one now, type this in psql:";
}

// ---- the state ----

function phase() {
    return stream?.phase ?? "idle";
}

function onState() {
    clearTimeout(slowTimer);
    slow = false;
    if (phase() === "connecting")
        slowTimer = setTimeout(() => {
            slow = true;
            draw();
        }, SLOW_MS);
    const label = phaseLabel(phase());
    document.title = stream
        ? `${phase() === "live" ? "" : `${label}: `}${view.channels.join(", ")} – tuplecast`
        : "tuplecast";
    announce(`${label}. ${phase() === "live" ? "" : phaseText(phase(), stream?.why)}`);
    draw();
}

function onGap(gap) {
    table.addGap(gap);
    const words = gapWords(gap);
    announce(`${words.title} ${words.text}`);
    drawGaps();
}

function draw() {
    drawState();
    drawFacts();
    drawTools();
    drawEmpty();
}

function drawState() {
    const text = slow ? SLOW_TEXT : phaseText(phase(), stream?.why);
    setText("state-label", phaseLabel(phase()));
    $("state").dataset.phase = phase();
    const noticed = NOTICE_PHASES.includes(phase()) || ((slow || phase() === "waiting") && table.size > 0);
    $("notice").hidden = !noticed;
    $("notice").classList.toggle("alone", table.size === 0);
    $("scroll").hidden = noticed && table.size === 0;
    $("notice").dataset.phase = phase();
    setText("notice-title", phaseLabel(phase()));
    setText("notice-text", text);
    $("again").hidden = phase() !== "refused";
}

function drawFacts() {
    setText("fact-state", phaseLabel(phase()));
    setText("fact-since", stream ? clock(new Date(stream.since)).slice(0, 8) : "–");
    setText("fact-database", stream?.database ?? "unknown");
    setText("fact-id", stream?.lastId || "none yet");
    setText("fact-received", number(stream?.received ?? 0));
    setText("fact-reconnects", number(stream?.reconnects ?? 0));
    setText("fact-gaps", stream?.gapCount ? number(stream.gapCount) : "none");
    setText("connection-brief", stream?.gapCount ? counted(stream.gapCount, "gap") : "");
    if (!stream?.gapCount) $("gaps").replaceChildren();
}

function drawGaps() {
    $("gaps").replaceChildren(
        ...stream.gaps.slice(0, GAPS_SHOWN_MAX).map((gap) => {
            const item = document.createElement("li");
            const words = gapWords(gap);
            const title = document.createElement("b");
            title.textContent = `${clock(new Date(gap.received)).slice(0, 8)} ${gap.reason}`;
            const ids = [
                ["asked for", gap.requested],
                ["goes on from", gap.resumed],
            ]
                .filter(([, id]) => typeof id === "string" && id !== "")
                .map(([word, id]) => `${word} ${id}`);
            item.append(title, ` ${words.text}${ids.length > 0 ? ` (${ids.join(", ")})` : ""}`);
            return item;
        }),
    );
}

function drawTools() {
    setText("pause-label", table.paused ? "Resume" : "Pause");
    $("pause").classList.toggle("on", table.paused);
    $("pause-count").hidden = table.unseen === 0;
    setText("pause-count", `${number(table.unseen)} new`);
    $("pause").disabled = stream === null;
    $("clear").disabled = table.size === 0 && table.unseen === 0;
}

// One empty state at a time, and none where the notice or the rows say it already.
function drawEmpty() {
    const empty = table.size === 0;
    const waiting = empty && ["connecting", "waiting"].includes(phase());
    $("table").hidden = empty;
    $("empty-idle").hidden = !(empty && phase() === "idle");
    $("empty-live").hidden = !(empty && phase() === "live" && !table.paused && !cleared);
    $("empty-wait").hidden = !(waiting || (empty && phase() === "live" && (table.paused || cleared)));
    if (waiting) {
        setText("empty-wait-title", phaseLabel(phase()));
        setText("empty-wait-text", slow ? SLOW_TEXT : phaseText(phase()));
    } else {
        setText("empty-wait-title", table.paused ? "Paused" : "Cleared");
        setText("empty-wait-text", table.paused ? "Resume to see what came meanwhile." : "The next change appears here.");
    }
}

// Text is only touched when it differs: layout is spared, and a selection in it stays.
function setText(id, text) {
    const element = $(id);
    if (element.textContent !== text) element.textContent = text;
}

function announce(text) {
    setText("announce", text.trim());
}

// ---- once a second: the rate, and now and then a word for those who listen ----

setInterval(() => {
    if (stream === null) {
        setText("rate", "");
        return;
    }
    recent.push(stream.received);
    if (recent.length > 4) recent.shift();
    const perSecond = (recent.at(-1) - recent[0]) / Math.max(1, recent.length - 1);
    const rate = perSecond >= 10 ? number(Math.round(perSecond)) : String(Math.round(perSecond * 10) / 10);
    setText("rate", stream.received === 0 ? "" : `${counted(stream.received, "change")} · ${rate}/s`);
}, 1000);

setInterval(() => {
    const count = (stream?.received ?? 0) - announcedCount;
    announcedCount += count;
    if (count > 0) announce(`${counted(count, "new change")}.`);
}, SUMMARY_EVERY_MS);

// ---- buttons ----

$("pause").addEventListener("click", () => {
    if (table.paused) table.resume();
    else table.pause();
});

$("clear").addEventListener("click", () => {
    cleared = true;
    table.clear();
});

$("use").addEventListener("click", () => {
    const open = $("use-lines").hidden;
    $("use-lines").hidden = !open;
    $("use").setAttribute("aria-expanded", String(open));
});

$("again").addEventListener("click", () => stream?.again());

for (const button of document.querySelectorAll(".copy"))
    button.addEventListener("click", () => copy($(button.dataset.copies), button));

// The clipboard is only there on https and localhost; elsewhere the text is selected and copied the old way.
async function copy(element, button) {
    let copied = true;
    try {
        await navigator.clipboard.writeText(element.textContent);
    } catch {
        getSelection().selectAllChildren(element);
        copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => {
        button.textContent = "Copy";
    }, 1500);
}

// ---- start ----

if (matchMedia("(max-width: 59.999rem)").matches) {
    $("connection-card").open = false;
    $("view-card").open = view.channels.length === 0;
}
addEventListener("popstate", () => open(readView(new URLSearchParams(location.search))));
open(view);
