// More than two thousand requests that are wrong in one way each, made from tables with a fixed seed. Each has exactly one right
// answer: that status, as a problem that says why, over a connection that ends then. Whatever comes behind is not answered.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { until } from "./lib/until.mjs";
import { wholeFile } from "./lib/whole_file.mjs";
import { Wire } from "./lib/wire.mjs";

const DEADLINE_MS = 60_000;
const AT_ONCE = 16;
const TOKEN = "correct-horse-battery-staple";
const HOST = "Host: localhost\r\n";
const AUTHORIZED = `${HOST}Authorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n`;
let total = 0;

/** The same numbers in every run (mulberry32). */
function dice(seed) {
    return (below) => {
        seed = (seed + 0x6d2b79f5) | 0;
        let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
    };
}

const file = wholeFile();
let gateway;

before(async () => {
    const database = await createDatabase(file);
    gateway = await startGateway(file, { ...database.env, TUPLECAST_TRIGGERS_TOKEN: TOKEN, TUPLECAST_CHANNELS: "open_*" });
    await gateway.ready(DEADLINE_MS);
});

/** Sends the bytes over a connection of their own and checks the one answer. */
async function check({ bytes, status, what }) {
    const wire = new Wire(null, gateway.port);
    wire.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    try {
        await wire.wait(() => wire.ended || wire.text.startsWith("HTTP/1.1 200") || undefined, () => `an end: ${JSON.stringify(bytes.toString("latin1").slice(0, 200))}`, DEADLINE_MS);
    } finally {
        wire.close();
    }
    const where = `${what}: ${JSON.stringify(bytes.toString("latin1").slice(0, 200))} was answered ${JSON.stringify(wire.text.slice(0, 400))}`;
    assert.equal(Number(/^HTTP\/1\.1 (\d{3}) /.exec(wire.text)?.[1]), status, where);
    assert.equal(wire.text.match(/HTTP\/1\.1 \d{3} /g)?.length, 1, where);
    assert.match(wire.text, /\r\nconnection: close\r\n/i, where);
    assert.match(wire.text, /\r\nx-content-type-options: nosniff\r\n/i, where);
    if (bytes.toString("latin1").startsWith("HEAD ")) {
        assert.equal(wire.body.length, 0, where);
        return;
    }
    const problem = JSON.parse(wire.body);
    assert.equal(problem.status, status, where);
    assert.ok(problem.detail.length > 10, where);
}

async function checkAll(t, cases) {
    let next = 0;
    const wrong = [];
    const lane = async () => {
        while (next < cases.length) await check(cases[next++]).catch((error) => wrong.push(error.message));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    assert.equal(wrong.length, 0, `${wrong.length} of ${cases.length}:\n${wrong.slice(0, 5).join("\n")}`);
    total += cases.length;
    t.diagnostic(`${cases.length} requests`);
}

test("a request with a wrong first line", (t) => {
    const lines = [
        ...["GET", "GET ", "GET /", "GET / ", " GET / HTTP/1.1", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", "GET\t/ HTTP/1.1", "GET / HTTP/1.1\0",
            "GET / HTTP/11", "GET / HTTP/1.", "GET / HTTP/.1", "GET / HTTP 1.1", "GET / http/1.1", "GET / HTTP/1.1.1", "GET / HTTP/1.1,", "GET / HTTP/+1.1", "GET / HTTP/ 1.1",
            "GET / HTTP/1,1", "GET / ICAP/1.0", "/ GET HTTP/1.1", "HTTP/1.1 200 OK", ":", "\x16\x03\x01", "G@T / HTTP/1.1", "G\x80T / HTTP/1.1", "\"GET\" / HTTP/1.1",
            "GET livez HTTP/1.1", "GET * HTTP/1.1", "POST * HTTP/1.1", "GET ../x HTTP/1.1", "GET ?x HTTP/1.1", "GET localhost:80 HTTP/1.1", "GET https://localhost/ HTTP/1.1", "GET ftp://localhost/ HTTP/1.1",
            "GET http:/localhost/ HTTP/1.1", "GET http://else,where/ HTTP/1.1", "GET http://localhost:x/ HTTP/1.1", "GET http://localhost@elsewhere/ HTTP/1.1", "GET http:// HTTP/1.1"].map((line) => [line, 400]),
        ...["get / HTTP/1.1", "Get / HTTP/1.1", "GETT / HTTP/1.1", "GE / HTTP/1.1", "CONNECT localhost:80 HTTP/1.1", "CONNECT / HTTP/1.1", "LINK / HTTP/1.1", "PROPFIND / HTTP/1.1", "! / HTTP/1.1",
            `${"A".repeat(1000)} / HTTP/1.1`].map((line) => [line, 501]),
        ...["GET http://elsewhere/ HTTP/1.1", "GET http://localhost.elsewhere:81/livez HTTP/1.1"].map((line) => [line, 421]),
        ...["GET / HTTP/0.9", "GET / HTTP/0.0", "GET / HTTP/2.0", "GET / HTTP/2.1", "GET / HTTP/3.0", "GET / HTTP/9.9", "PRI * HTTP/2.0"].map((line) => [line, 505]),
        ...["DELETE /livez", "PUT /", "POST /metrics", "PATCH /triggers", "TRACE /livez", "PATCH /triggers/a", "DELETE /streams", "PUT /streams/open_a"].map((start) => [`${start} HTTP/1.1`, 405]),
        ...["/nothing", "/livez/", "//livez", "/livez/x", "/LIVEZ", "/.", "/..", "/../sql/schema.sql", "/%2e%2e/%2e%2e/etc/passwd", "/..%2fsql%2fschema.sql", "/www/index.html", "/streams/a/b", "/streams/closed",
            "/etc/passwd", "/index.html%20", "/.git/config"].map((path) => [`GET ${path} HTTP/1.1`, 404]),
        ...[16_385, 20_000, 40_000].map((size) => [`GET /${"a".repeat(size - 1)} HTTP/1.1`, 414]),
        ...[513, 600, 4000].map((count) => [`GET /livez?${"a&".repeat(count - 1)} HTTP/1.1`, 400]),
    ];
    return checkAll(t, lines.map(([line, status]) => ({ bytes: `${line}\r\n${HOST}\r\n`, status, what: "first line" })));
});

test("a request with a byte in its address that does not belong there, raw or escaped", (t) => {
    const cases = [];
    const add = (target, status) => cases.push({ bytes: `GET ${target} HTTP/1.1\r\n${HOST}\r\n`, status, what: "address" });
    for (let byte = 0; byte < 256; byte++) {
        const raw = String.fromCharCode(byte);
        const isRefused = byte <= 0x20 || byte >= 0x7f || '"#<>'.includes(raw);
        if (isRefused) for (const target of [`/liv${raw}ez`, `/livez?a=${raw}b`]) add(target, 400);
        const escaped = `%${byte.toString(16).padStart(2, "0")}`;
        if (byte < 0x20 || byte === 0x7f) add(`/liv${escaped}ez`, 400);
        if (byte < 0x20 || byte >= 0x7f) add(`/streams/open_${escaped}`, 400);
    }
    for (const escape of ["%", "%0", "%g0", "%0g", "%%", "%u0041", "% 41", "%-1", "%+1", "%0x"]) for (const before of ["/", "/livez?", "/livez?a="]) add(before + escape, 400);
    add("/livez?%00", 400);
    return checkAll(t, cases);
});

const WRONG_HEADERS = [
    ["A", 400], [": a", 400], ["A : a", 400], ["A\t: a", 400], [" A: a", 400], ["\tA: a", 400], ["A b: a", 400], ["A(: a", 400], ["A): a", 400], ["A,: a", 400], ["A/: a", 400], ["A;: a", 400],
    ["A<: a", 400], ["A=: a", 400], ["A>: a", 400], ["A?: a", 400], ["A@: a", 400], ["A[: a", 400], ["A\\: a", 400], ["A]: a", 400], ["A{: a", 400], ["A}: a", 400], ['A": a', 400], ["\xe9: a", 400], ["A\0: a", 400],
    ["A\x01: a", 400], ["A\x7f: a", 400], ["A: a\0b", 400], ["A: a\x01", 400], ["A: a\x08", 400], ["A: a\x0b", 400], ["A: a\x0c", 400], ["A: a\x1b", 400], ["A: a\x7f", 400], ["A: a\rB: b", 400], ["A: a\nB: b", 400],
    ["A: a\r\r", 400], ["A: a\r\n b", 400], ["A: a\r\n\tb", 400], ["A: a\r\n : b", 400],
    ["Host: localhost", 400], ["host: elsewhere", 400], ["Host :localhost", 400], ["HOST:", 400],
    ["Content-Length: 1\r\nContent-Length: 1", 400], ["Content-Length: 1\r\ncontent-length: 2", 400], ["Content-Length: 0\r\nContent-Length: 5", 400], ["Content-Length : 1", 400], ["Content-Length: ", 400],
    ["Content-Length: -0", 400], ["Content-Length: +0", 400], ["Content-Length: 0x0", 400], ["Content-Length: 0, 0", 400], ["Content-Length: 0 0", 400], ["Content-Length: 0;", 400], ["Content-Length: \"0\"", 400],
    ["Content-Length: 1e1", 400], ["Content-Length: \xb2", 400], ["Content-Length: 65537", 413], ["Content-Length: 4294967296", 413], ["Content-Length: 18446744073709551616", 413], [`Content-Length: ${"9".repeat(400)}`, 413],
    ["Transfer-Encoding: chunked", 411], ["transfer-encoding: CHUNKED", 411], ["Transfer-Encoding:chunked", 411], ["Transfer-Encoding: \t chunked \t", 411],
    ["Transfer-Encoding: gzip, chunked", 501], ["Transfer-Encoding: identity,chunked", 501], ["Transfer-Encoding: chunked, chunked", 501], ["Transfer-Encoding: , chunked", 501],
    ["Transfer-Encoding: identity", 400], ["Transfer-Encoding: gzip", 400], ["Transfer-Encoding: chunked, identity", 400], ["Transfer-Encoding: chunked,", 400], ["Transfer-Encoding: xchunked", 400], ["Transfer-Encoding: chunkedx", 400],
    ["Transfer-Encoding: chunked;a", 400], ["Transfer-Encoding: 'chunked'", 400], ["Transfer-Encoding: ch unked", 400], ["Transfer-Encoding:", 400], ["Transfer-Encoding : chunked", 400], [" Transfer-Encoding: chunked", 400],
    ["Transfer-Encoding: chunked\0", 400], ["Transfer-Encoding: \x0bchunked", 400], ["Transfer-Encoding:\r\n chunked", 400], ["Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400],
    ["Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", 400], ["Content-Length: 0\r\nTransfer-Encoding: chunked", 400], ["Transfer-Encoding: chunked\r\nContent-Length: 0", 400],
    ["Expect: 200-ok", 417], ["Expect: 100-continue, other", 417], ["Expect:", 417],
    ["Authorization: a\r\nAuthorization: b", 400], ["Last-Event-ID: 1\r\nLast-Event-ID: 2", 400], ["Origin: a\r\nOrigin: b", 400], ["Content-Type: a\r\nContent-Type: a", 400],
    [Array.from({ length: 320 }, (_, i) => `A${i}: a`).join("\r\n"), 431], [`A: ${"a".repeat(34_000)}`, 431], [`${"a".repeat(34_000)}: a`, 431], [`Cookie: ${"a=1;".repeat(600)}`, 431],
];
for (const start of ["GET /livez", "HEAD /livez", "GET /streams/open_a", "POST /triggers", "OPTIONS /triggers/a"])
    test(`a request with a wrong header: ${start}`, (t) => {
        const cases = [];
        for (const [header, status] of WRONG_HEADERS) {
            // Before and behind what a request must have. As the first line of all, one that goes on is no such.
            cases.push({ bytes: `${start} HTTP/1.1\r\n${HOST}${header}\r\n\r\n`, status, what: "behind" });
            cases.push({ bytes: `${start} HTTP/1.1\r\n${header}\r\n${HOST}Accept: */*\r\n\r\n`, status, what: "before" });
        }
        return checkAll(t, cases);
    });

test("a request with a bad Host, or none", (t) => {
    const hosts = ["", " ", "a b", "a,b", "a/b", "a\\b", "a@b", "user:pass@a", "a?b", "a#b", "a:", "a:b", "a:1b", "a:123456", "a:-1", "a::1", "::1", "[", "[]", "[::1", "[::1]x", "[::1]:x", "[g::1]", "http://localhost", "<a>", "a%20b", "a\"b", "\xe9.example", "a;b", "a|b", "{a}"];
    const cases = hosts.filter((host) => host !== "a:").map((host) => ({ bytes: `GET /livez HTTP/1.1\r\nHost: ${host}\r\n\r\n`, status: 400, what: "Host" }));
    cases.push({ bytes: "GET /livez HTTP/1.1\r\n\r\n", status: 400, what: "no Host" });
    cases.push({ bytes: "GET /livez HTTP/1.1\r\nHosts: a\r\n\r\n", status: 400, what: "no Host" });
    return checkAll(t, cases);
});

const BODY = JSON.stringify({ table: "public.posts", channel: "open_a", operations: ["INSERT"], columns: ["id"], old: true, where: [{ column: "kind", op: "=", value: "news" }] });
const post = (body, headers = "") => Buffer.concat([Buffer.from(`POST /triggers HTTP/1.1\r\n${AUTHORIZED}${headers}Content-Length: ${body.length}\r\n\r\n`), Buffer.from(body, "latin1")]);

test("a request whose body is not JSON", (t) => {
    const cases = [];
    for (let end = 0; end < BODY.length; end++) cases.push({ bytes: post(BODY.slice(0, end)), status: 400, what: "cut" });
    for (let at = 0; at < BODY.length; at++)
        for (const byte of ["\0", "\x01", "\xff", "\n\0"]) cases.push({ bytes: post(BODY.slice(0, at) + byte + BODY.slice(at)), status: 400, what: "byte" });
    for (const text of ["NaN", "{'table':1}", "{table:1}", "[1,]", "{}{}", "{} x", "\ufeff{}", "01", "+1", "1.", ".5", "0x1", "tru", "nul", '"\\x"', '"\\u12"', "/**/{}", "[".repeat(1000), `{"table":${"[".repeat(600)}${"]".repeat(600)}}`])
        cases.push({ bytes: post(Buffer.from(text).toString("latin1")), status: 400, what: "not JSON" });
    return checkAll(t, cases);
});

test("a request whose body is JSON but no definition", (t) => {
    const cases = [];
    const add = (value) => cases.push({ bytes: post(JSON.stringify(value)), status: 422, what: "definition" });
    for (const value of [null, true, 1, "a", [], [{}], {}, { tables: "a" }, { Table: "a" }, { "": 1 }]) add(value);
    const long = "x".repeat(64);
    const wrong = {
        table: [null, true, 1, [], {}, "", ".", "a.", ".a", long, `a.${long}`, `${long}.a`, "a\u0000b", "a\nb", { schema: "a" }, { name: "" }, { schema: "", name: "a" }, { name: 1 }],
        channel: [true, 1, [], {}, "", long, "a\u0000", "a\n", "\u007f"],
        operations: [null, true, 1, "INSERT", {}, [], ["INSERT", "X"], [1], [null], [["INSERT"]]],
        columns: [true, 1, "id", {}, [1], [null], [""], [long], ["a\u0000b"], [["id"]]],
        update_of: [true, 1, "id", {}, [1], [""], [long]],
        old: [1, "true", [], {}, 0],
        durable: [1, "true", [], {}, 0],
        level: [null, true, 1, [], {}, "", "Row", "statements"],
        where: [true, 1, "x", {}, [1], [{}], [{ column: "a" }], [{ column: "a", op: "=" }], [{ column: "a", op: "~", value: 1 }], [{ column: "", op: "=", value: 1 }], [{ column: 1, op: "=", value: 1 }], [{ column: "a", op: "=", value: {} }],
            [{ column: "a", op: "in", value: 1 }], [{ column: "a", op: "=", value: "x".repeat(1025) }], Array.from({ length: 33 }, () => ({ column: "a", op: "=", value: 1 }))],
    };
    for (const [name, values] of Object.entries(wrong)) for (const value of values) add(name === "table" ? { table: value } : { table: "public.posts", [name]: value });
    for (const doubled of ['{"table":"a","table":"a"}', '{"table":"a","old":true,"old":true}']) cases.push({ bytes: post(doubled), status: 422, what: "doubled" });
    return checkAll(t, cases);
});

test("a request for a stream with channels, filters or names that cannot be", (t) => {
    const roll = dice(1);
    const cases = [];
    const add = (path, status) => cases.push({ bytes: `GET ${path} HTTP/1.1\r\n${HOST}\r\n`, status, what: "stream" });
    for (const path of ["/streams", "/streams/", "/streams?", "/streams?channel", "/streams?channel=", "/streams/open_a?channel=", "/streams?table=a"]) add(path, 400);
    for (const [name, values] of Object.entries({ type: ["", "INSERTS", "SELECT", "1"], event: ["", "Message", "messages", "error", "open"], from: ["", "Latest", "now", "0"], table: [""], id: [""] }))
        for (const value of values) add(`/streams/open_a?${name}=${value}`, 400);
    for (const name of ["table", "id"]) add(`/streams/open_a?${name}=${"x".repeat(1025)}`, 400);
    add(`/streams/open_a?${Array.from({ length: 300 }, (_, i) => `id=${i}`).join("&")}`, 400);
    add(`/streams?${Array.from({ length: 65 }, (_, i) => `channel=open_${i}`).join("&")}`, 400);
    // Names that cannot be a channel's: too long, not UTF-8, with control characters; and names that are not allowed.
    for (let i = 0; i < 100; i++) {
        const filler = "a".repeat(roll(50));
        add(`/streams/open_${"b".repeat(59 + roll(200))}`, 400);
        const broken = ["%ff", "%c3", "%c0%80", "%ed%a0%80", "%f5%80%80%80", "%e2%82"][roll(6)];
        add(`/streams?channel=open_${filler}${broken}${roll(2) ? "z" : ""}`, 400);
        const control = `%${roll(0x1f).toString(16).padStart(2, "0")}`;
        add(`/streams?channel=open_${filler}${control === "%00" ? "%01" : control}`, 400);
        add(`/streams/${["open", "xopen_", "OPEN_", "closed_", "%20open_"][roll(5)]}${"c".repeat(roll(20))}`, 404);
    }
    return checkAll(t, cases);
});

test("a request without the right token", (t) => {
    const cases = [];
    const add = (request, header) => cases.push({ bytes: `${request} HTTP/1.1\r\n${HOST}${header}\r\n`, status: 401, what: "token" });
    const wrong = ["", "Bearer", "Bearer ", `Bearer ${TOKEN.slice(1)}`, `Bearer ${TOKEN}x`, `Bearer x${TOKEN}`, `Basic ${TOKEN}`, TOKEN, `Bearer\t${TOKEN}`, `Bearer ${TOKEN.toUpperCase()}`, `Bearer "${TOKEN}"`, `Bearer ${TOKEN}, Bearer ${TOKEN}`, `Bearer=${TOKEN}`, `Token ${TOKEN}`, `Bearer ${"x".repeat(8000)}`];
    for (const request of ["GET /triggers", "HEAD /triggers", "GET /triggers/a", "POST /triggers", "PUT /triggers/a", "DELETE /triggers/a", "GET /tables"]) {
        add(request, "");
        for (const value of wrong) add(request, `Authorization: ${value}\r\n`);
        add(request, `X-Authorization: Bearer ${TOKEN}\r\n`);
        add(request, `Cookie: token=${TOKEN}\r\n`);
        add(`${request}?token=${TOKEN}`, "");
        add(`${request}?access_token=${TOKEN}`, "");
    }
    return checkAll(t, cases);
});

test("a request behind which more comes: nothing of that is answered", (t) => {
    const second = `GET /metrics HTTP/1.1\r\n${HOST}\r\n`;
    const cases = WRONG_HEADERS.map(([header, status]) => ({ bytes: `POST /triggers HTTP/1.1\r\n${HOST}${header}\r\n\r\n0\r\n\r\n${second}${second}`, status, what: "more" }));
    cases.push({ bytes: post("{}") + second, status: 422, what: "more" }, { bytes: `GET /nothing HTTP/1.1\r\n${HOST}\r\n${second.repeat(5000)}`, status: 404, what: "much more" });
    return checkAll(t, cases);
});

test("an id that cannot be ours: the stream begins, and says so", async (t) => {
    const roll = dice(2);
    const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-%=\"'`<>&?/\\ ~\xe9";
    const ids = ["0", "-", "1-", "-x", "1-2-3-4", "9".repeat(64), "a".repeat(65), "1;DROP", "../../x", "null", "undefined", "1-x\xe9", "1e9-x", "0x1-x", " 1-x", "<script>", "1-x, 2-x"];
    while (ids.length < 200) ids.push(Array.from({ length: 1 + roll(80) }, () => alphabet[roll(alphabet.length)]).join("").trim() || "?");
    let next = 0;
    const lane = async () => {
        while (next < ids.length) {
            const id = ids[next++];
            const inQuery = next % 2 === 0;
            const query = inQuery ? `?last_event_id=${encodeURIComponent(id)}` : "";
            const wire = new Wire(null, gateway.port);
            wire.socket.write(Buffer.from(`GET /streams/open_ids${query} HTTP/1.1\r\n${HOST}${inQuery ? "" : `Last-Event-ID: ${id}\r\n`}\r\n`, "latin1"));
            await wire.contains("event: gap\n", DEADLINE_MS).catch((error) => assert.fail(`${JSON.stringify(id)}: ${error.message}`));
            await wire.contains('"}\n\n', DEADLINE_MS);
            const gap = wire.blocks.find((block) => block.name === "gap");
            assert.ok(["unknown-id", "restart"].includes(gap.json.reason), `${id}: ${gap.json.reason}`);
            assert.equal(wire.text.match(/HTTP\/1\.1 \d{3} /g)?.length, 1);
            wire.close();
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    total += ids.length;
});

test("at least two thousand of them, and the gateway is well and has kept nothing", async (t) => {
    assert.equal((await gateway.get("/livez")).status, 200);
    await until(async () => (await gateway.metric("tuplecast_http_connections")) === 1, "no connection but this", DEADLINE_MS);
    await until(async () => (await gateway.metric("tuplecast_streams")) === 0, "no stream", DEADLINE_MS);
    t.diagnostic(`${total} bad requests`);
    assert.ok(total >= 2000, `${total} bad requests`);
});
