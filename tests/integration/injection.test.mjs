// Bytes that would begin a line, a field or an event of their own, from every place that they can come from: a stream has the events
// that there were and no others.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { subscribe } from "./lib/sse.mjs";
import { wholeFile } from "./lib/whole_file.mjs";
import { requestText, Wire } from "./lib/wire.mjs";

const DEADLINE_MS = 30_000;
const FORGED = "event: forged\ndata: {\"forged\":true}\nid: 999-forged\n\n";
const POISONS = ["\n", "\r", "\r\n"]
    .flatMap((end) => [`${end}${end}${FORGED.replaceAll("\n", end)}`, `x${end}event: forged`, `x${end}id: forged`, `x${end}retry: 1`, `x${end}data: forged`, `x${end}:forged`, `${end}${end}`, `x${end}`])
    .concat(["\u2028event: forged\u2028\u2028", "\u0085event: forged\u0085\u0085", "\x0bevent: forged\x0b\x0b", "\x0cevent: forged", "\ufeffevent: forged", "\\n\\nevent: forged\\n\\n", "\\r\\rdata: forged", "\x1e\x1f", ": forged", "event: forged", "</script><script>forged()</script>"]);

const file = wholeFile();
let database;
let gateway;

before(async () => {
    database = await createDatabase(file);
    gateway = await startGateway(file, { ...database.env, TUPLECAST_CHANNELS: "*" });
    await gateway.ready(DEADLINE_MS);
});

/** What came over the wire, looked at as bytes: lines of known fields only, and none that a reader would take for another. */
function checkLines(raw) {
    assert.doesNotMatch(raw, /\r/, "a carriage return ends a line, too");
    for (const line of raw.split("\n")) {
        if (line === "") continue;
        assert.match(line, /^(: |:$|data: |id: [0-9A-Za-z._-]+$|event: |retry: \d+$)/, JSON.stringify(line));
        assert.doesNotMatch(line, /^(event: forged|data: \{"forged"|data: forged|id: .*forged|:forged)/, JSON.stringify(line));
    }
}

/** Sends one poisoned thing after the other and sees one event for each. */
async function pour(t, channel, poisons, send, check, query = {}) {
    const stream = await subscribe(t, gateway.stream(channel, query));
    for (const poison of poisons) {
        await send(poison);
        const event = query.event ? await stream.next((candidate) => candidate.name !== "ready", DEADLINE_MS) : (await stream.messages(1, DEADLINE_MS))[0];
        checkLines(event.raw);
        check(event, poison);
    }
}

test("a payload that is text", async (t) => {
    await pour(t, "texts", POISONS, (poison) => database.notify("texts", poison), (event, poison) => assert.equal(event.json.data, poison));
});

test("a payload that is JSON over several lines", async (t) => {
    for (const [i, space] of ["\n", "\r", "\r\n", "\n\n\n"].entries())
        await pour(t, `spaced_${i}`, ["x"], () => database.notify(`spaced_${i}`, `{${space}"table":"t",${space}"type":"INSERT",${space}"data":${space}{"a":${space}1}${space}}${space}`), (event) => assert.deepEqual(event.json.data, { a: 1 }));
});

test("a row's values and its columns' names", async (t) => {
    for (const [i, poison] of POISONS.entries()) {
        const name = `"c${poison.replaceAll('"', "'").slice(0, 40)}"`;
        await database.query(`CREATE TABLE poisoned_${i} (id int PRIMARY KEY, ${name} text)`);
        await database.createClassicTrigger(`poisoned_${i}`, "rows");
    }
    await pour(t, "rows", POISONS, (poison) => database.query(`INSERT INTO poisoned_${POISONS.indexOf(poison)} VALUES (1, $1)`, [poison]), (event, poison) =>
        assert.equal(Object.values(event.json.data)[1], poison));
});

test("a table's name, also as the event's name", async (t) => {
    const payload = (poison) => JSON.stringify({ table: poison, type: "INSERT", id: 1, data: { a: 1 } });
    await pour(t, "tables", POISONS, (poison) => database.notify("tables", payload(poison)), (event, poison) => assert.equal(event.json.table, poison));
    await pour(t, "named", POISONS, (poison) => database.notify("named", payload(poison)), (event, poison) => {
        assert.equal(event.json.table, poison);
        assert.doesNotMatch(event.name, /[\r\n\0]/);
        assert.ok(!["ready", "gap", "status", "bye", "busy", "open", "error"].includes(event.name));
    }, { event: "table" });
    // The names of control events are not for tables.
    await pour(t, "reserved", ["ready", "gap", "status", "bye", "busy", "open", "error"], (name) => database.notify("reserved", payload(name)), (event, name) => {
        assert.equal(event.json.table, name);
        assert.notEqual(event.name, name);
    }, { event: "table" });
});

test("a type, a key and members that are not known", async (t) => {
    const payload = (poison) => JSON.stringify({ table: "t", type: poison, id: poison, data: null, [poison]: poison, channel: poison, at: poison, schema: poison });
    await pour(t, "members", POISONS, (poison) => database.notify("members", payload(poison)), (event) => assert.equal(event.json.channel, "members"));
});

test("a channel's name", async (t) => {
    // With control characters it is none; with anything else it is only text.
    for (const poison of POISONS) {
        const name = poison.slice(0, 30);
        const answer = await gateway.get(gateway.stream(name).href.slice(gateway.origin.length), { method: "HEAD" });
        if (/[\x00-\x1f\x7f]/.test(name)) assert.equal(answer.status, 400, JSON.stringify(name));
        else await pour(t, name, ["x"], () => database.query("SELECT pg_notify($1, '1')", [name]), (event) => assert.equal(event.json.channel, name));
    }
});

test("what a client sends: ids, filters, headers", async () => {
    for (const poison of POISONS) {
        for (const query of [`last_event_id=${encodeURIComponent(poison)}`, `id=${encodeURIComponent(poison)}`, `table=${encodeURIComponent(poison)}`, `x=${encodeURIComponent(poison)}&${encodeURIComponent(poison)}=x`]) {
            const wire = new Wire(null, gateway.port).send(requestText(`/streams/sent?${query}`, { headers: { Origin: "null", Referer: "http://x/", "User-Agent": "x" } }));
            await wire.contains("event: ready\n", DEADLINE_MS);
            if (query.startsWith("last")) await wire.wait(() => /event: gap\n[^]*\n\n/.test(wire.text) || !poison.trim() || undefined, "a gap", DEADLINE_MS);
            checkLines(wire.body.toString());
            assert.ok(wire.blocks.every((block) => !("event" in block) || ["ready", "gap"].includes(block.name)), wire.text);
            wire.close();
        }
    }
});

test("error texts: of a request, and of the database", async (t) => {
    for (const poison of POISONS) {
        const answer = await gateway.get(`/streams?channel=${encodeURIComponent(poison)}&type=${encodeURIComponent(poison)}&from=${encodeURIComponent(poison)}`);
        assert.equal(answer.status, 400);
        assert.equal(JSON.parse(answer.body).status, 400);
        assert.doesNotMatch(JSON.stringify(answer.headers), /forged/);
    }
    // A database that is away is told of by the stream, its error by /readyz and the log: one line each.
    const away = await startGateway(t, { TUPLECAST_CHANNELS: "*", TUPLECAST_DATABASE: `host=/nonexistent dbname='x\nevent: forged\n\ndata: forged' user='a\rb'` });
    const wire = new Wire(t, away.port).send(requestText("/streams/away"));
    await wire.contains("event: status\n", DEADLINE_MS).catch(() => wire.contains('"database":"down"', DEADLINE_MS));
    checkLines(wire.body.toString());
    const ready = await away.get("/readyz");
    assert.equal(ready.status, 503);
    for (const line of away.log.trimEnd().split("\n")) assert.match(line, /^\d{4}-\d\d-\d\dT\S+ (debug|info|warn|error) /);
});
