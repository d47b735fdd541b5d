// Puts the page together: the address gives the view, the view gives the stream, the stream fills table, panel and charts.

import { isFiltered, pageQuery, readView, streamAddress } from "./address.js";
import { ChannelList } from "./channels.js";
import { Charts } from "./charts.js";
import { drawConnection, drawGaps } from "./connection.js";
import { enableCopying } from "./copy.js";
import { $, announce, setText } from "./dom.js";
import { exportEntries } from "./export.js";
import { ViewForm } from "./form.js";
import { Gateway } from "./gateway.js";
import { Meter } from "./meter.js";
import { Sieve } from "./sieve.js";
import { browserCode, curlLine, notifyLine, putLine } from "./snippets.js";
import { Stream } from "./stream.js";
import { ChangeTable } from "./table.js";
import { TriggerView } from "./triggers.js";
import { counted, gapWords, number, phaseLabel, phaseText } from "./words.js";

const SLOW_MS = 8000; // connecting for longer deserves an explanation
const SUMMARY_EVERY_MS = 15_000; // how often arriving changes are announced, at most
const NARROW = "(max-width: 59.999rem)";
const base = document.baseURI.replace(/[?#].*/, "");

let view = readView(new URLSearchParams(location.search));
let stream = null;
let slowTimer = 0;
let slow = false;
let cleared = false;
let announcedCount = 0;
let latency = null; // of the meter, as of the last second

const meter = new Meter();
const sieve = new Sieve(() => table.sift());
const table = new ChangeTable($("table"), (change) => sieve.passes(change), draw);
const streams = new Gateway(base, "streams");
const channels = new ChannelList(streams, (picked) => choose(form.read(picked)), onRefused);
const form = new ViewForm($("view"), () => channels.ticked(), choose);
const triggers = new TriggerView(base, (channel) => channels.allows(channel));

// ---- the view ----

// What the visitor asks for becomes the address, so that it can be shared and gone back to.
function choose(wanted) {
    const query = pageQuery(wanted);
    if (query === pageQuery(view)) return;
    history.pushState(null, "", query || location.pathname);
    open(wanted);
}

function open(wanted) {
    view = wanted;
    stream?.close();
    stream = null;
    sieve.reset();
    table.clear();
    table.resume();
    meter.reset();
    latency = null;
    cleared = false;
    announcedCount = 0;
    form.show(view);
    channels.show(view.channels);
    showSnippets();
    if (view.channels.length > 0)
        stream = new Stream(streamAddress(view, base), { resume: view.from === "", token: streams.token }, { change: onChange, gap: onGap, state: onState });
    onState();
}

function showSnippets() {
    const watching = view.channels.length > 0;
    $("use").hidden = !watching;
    $("use-lines").hidden = !watching || $("use").getAttribute("aria-expanded") !== "true";
    for (const id of ["connection-card", "charts-card", "sieve"]) $(id).hidden = !watching;
    $("table").classList.toggle("single", view.channels.length === 1);
    $("view-brief").textContent = view.channels.join(", ");
    const filters = view.tables.length + view.types.length + view.ids.length;
    const briefs = [filters > 0 ? counted(filters, "filter") : "", view.from === "earliest" ? "from earliest" : ""];
    $("filters-brief").textContent = briefs.filter(Boolean).join(", ");
    if (isFiltered(view)) $("filters").open = true;
    $("put").textContent = putLine(base);
    if (!watching) return;
    $("curl").textContent = curlLine(view, base, streams.token !== "");
    $("code").textContent = browserCode(view, base, streams.token !== "");
    $("notify").textContent = notifyLine(view);
    $("empty-live-text").textContent = isFiltered(view)
        ? "The next change that passes the filters appears here. To see one now, type this in psql:"
        : "The next change appears here. To see one now, type this in psql:";
}

// ---- the stream ----

function phase() {
    return stream?.phase ?? "idle";
}

function onChange(change) {
    meter.add(change);
    table.addChange(change);
}

// Streams may be for those who have a token. It is asked for when it is missing, or does not count.
function onRefused(status) {
    if (status === 401) $("stream-token-row").hidden = false;
}

function useToken(text) {
    streams.token = text;
    $("stream-token").value = "";
    $("stream-token-row").hidden = true;
    $("stream-token-forget").hidden = text === "";
    open(view);
}

function onState() {
    if (["refused", "reconnecting"].includes(phase())) onRefused(stream.status);
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
    drawGaps(stream.gaps);
}

// ---- what is seen ----

function draw() {
    drawConnection({ stream, latency, trips: channels.trips, empty: table.size === 0, slow });
    drawTools();
    drawEmpty();
}

function drawTools() {
    setText("pause-label", table.paused ? "Resume" : "Pause");
    $("pause").classList.toggle("on", table.paused);
    $("pause-count").hidden = table.unseen === 0;
    setText("pause-count", `${number(table.unseen)} new`);
    $("pause").disabled = stream === null;
    $("clear").disabled = table.size === 0 && table.unseen === 0;
    $("export").disabled = table.shown === 0;
    sieve.draw(table.shown, table.changes, table.counts);
}

// One empty state at a time, and none where the notice or the rows say it already.
function drawEmpty() {
    const empty = table.size === 0;
    const unmatched = !empty && table.shown === 0 && table.changes > 0;
    const waiting = empty && ["connecting", "waiting"].includes(phase());
    const quiet = empty && phase() === "live" && (table.paused || cleared);
    $("table").hidden = empty;
    $("empty-idle").hidden = !(empty && phase() === "idle");
    $("empty-live").hidden = !(empty && phase() === "live" && !table.paused && !cleared);
    $("empty-wait").hidden = !(waiting || quiet || unmatched);
    if (waiting) {
        setText("empty-wait-title", phaseLabel(phase()));
        setText("empty-wait-text", phaseText(phase()));
    } else if (unmatched) {
        setText("empty-wait-title", sieve.searching ? "Nothing matches" : "All of these types are off");
        setText("empty-wait-text", `${counted(table.changes, "change")} kept, none shown. ${sieve.searching ? "Shorten the search" : "Switch a type on"} to see them.`);
    } else {
        setText("empty-wait-title", table.paused ? "Paused" : "Cleared");
        setText("empty-wait-text", table.paused ? "Resume to see what came meanwhile." : "The next change appears here.");
    }
}

// Once a second rate and latency, and now and then a word for those who listen.
setInterval(() => {
    latency = meter.latency();
    draw();
    const perSecond = stream ? meter.rate() : 0;
    const rate = perSecond >= 10 ? number(Math.round(perSecond)) : String(Math.round(perSecond * 10) / 10);
    setText("rate", stream?.received ? `${counted(stream.received, "change")} · ${rate}/s` : "");
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

$("export").addEventListener("click", () => {
    announce(`${counted(exportEntries(table.entries, view.channels), "line")} saved.`);
});

$("use").addEventListener("click", () => {
    const opening = $("use-lines").hidden;
    $("use-lines").hidden = !opening;
    $("use").setAttribute("aria-expanded", String(opening));
});

$("stream-token-use").addEventListener("click", () => useToken($("stream-token").value.trim()));
$("stream-token").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // the form around it is not meant
    useToken($("stream-token").value.trim());
});
$("stream-token-forget").addEventListener("click", () => useToken(""));
$("again").addEventListener("click", () => stream?.again());
enableCopying(document);

// ---- the two views of the page: #triggers, or everything else ----

function showPart() {
    const inTriggers = location.hash === "#triggers";
    $("view-changes").hidden = inTriggers;
    $("view-triggers").hidden = !inTriggers;
    for (const [id, current] of [["to-changes", !inTriggers], ["to-triggers", inTriggers]])
        if (current) $(id).setAttribute("aria-current", "page");
        else $(id).removeAttribute("aria-current");
    if (inTriggers) triggers.show();
}

// ---- start ----

if (matchMedia(NARROW).matches) {
    $("connection-card").open = $("charts-card").open = false;
    $("view-card").open = view.channels.length === 0;
}
new Charts(meter);
addEventListener("hashchange", showPart);
addEventListener("popstate", () => {
    const wanted = readView(new URLSearchParams(location.search));
    if (pageQuery(wanted) !== pageQuery(view)) open(wanted);
});
$("stream-token-forget").hidden = streams.token === "";
showPart();
open(view);
