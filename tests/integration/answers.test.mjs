// What answers have in common, whoever gives them: the routes, the library, or what looks at a request before both.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { until } from "./lib/until.mjs";
import { wholeFile } from "./lib/whole_file.mjs";
import { connect } from "./lib/wire.mjs";

const DEADLINE_MS = 30_000;
const TOKEN = "correct-horse-battery-staple";
const file = wholeFile();
let gateway;

before(async () => {
    const database = await createDatabase(file);
    gateway = await startGateway(file, { ...database.env, TUPLECAST_TRIGGERS_TOKEN: TOKEN, TUPLECAST_CHANNELS: "open_*" });
    await gateway.ready(DEADLINE_MS);
});

/** All connections but the one that asks are closed, or wait for their client to end. */
const everyAnswerIsGiven = () => until(async () => (await gateway.metric("tuplecast_http_connections")) === 1, "no connection but this", DEADLINE_MS);

for (const [what, head, status] of [
    ["the wrong token", "PUT /triggers/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong", 401],
    ["no such resource", "POST /nothing/here HTTP/1.1\r\nHost: localhost", 404],
    ["a method that is not for it", "POST /livez HTTP/1.1\r\nHost: localhost", 405],
    ["a Host that is not ours", "PUT /triggers/a HTTP/1.1\r\nHost: elsewhere.example", 421],
])
    test(`an answer that is there before the body still arrives: ${what}`, async (t) => {
        for (const begun of ["", "{"]) {
            const wire = await connect(t, gateway.port);
            // A client that sends all of its request before it looks for an answer.
            wire.socket.pause();
            wire.send(`${head}\r\nContent-Type: application/json\r\nContent-Length: 65536\r\n\r\n${begun}`);
            await everyAnswerIsGiven();
            for (let i = 0; i < 8; i++) await new Promise((resolve) => wire.socket.write(" ".repeat(8000), resolve));
            wire.socket.resume();
            await wire.end(DEADLINE_MS);
            assert.equal(wire.error, undefined);
            assert.match(wire.text, new RegExp(`^HTTP/1\\.1 ${status} `));
            assert.equal(JSON.parse(wire.body).status, status);
            wire.close();
        }
    });

/** The one answer to a request as it stands; `head` without its last empty line, which is `end`. */
async function answer(t, port, head, end = "\r\n\r\n") {
    const wire = await connect(t, port);
    wire.send(head + end);
    await wire.end(DEADLINE_MS);
    const [first, ...lines] = wire.text.split("\r\n\r\n")[0].split("\r\n");
    const headers = {};
    for (const line of lines) {
        const [, name, value] = /^([^:]+): ?(.*)$/.exec(line);
        (headers[name.toLowerCase()] ??= []).push(value);
    }
    return { status: Number(first.split(" ")[1]), headers, body: wire.body.toString() };
}

test("of an address with a host that host counts, whatever Host says", async (t) => {
    for (const [target, host, status] of [
        ["/livez", "elsewhere.example", 421],
        ["http://localhost/livez", "elsewhere.example", 200],
        ["http://localhost:81/livez?a", "localhost", 200],
        ["HTTP://LOCALHOST/livez", "elsewhere.example:1", 200],
        ["http://elsewhere.example/livez", "localhost", 421],
        ["http://elsewhere.example/livez", "elsewhere.example", 421],
        ["http://user@localhost/livez", "localhost", 400],
        ["http://localhost/livez", "a b", 400],
    ])
        assert.equal((await answer(t, gateway.port, `GET ${target} HTTP/1.1\r\nHost: ${host}`)).status, status, `${target}, Host: ${host}`);
    assert.equal((await answer(t, gateway.port, "GET http://localhost/livez HTTP/1.1")).status, 400, "Host must be there");
});

test("what is refused before it is routed has a date, and the CORS headers of any other answer", async (t) => {
    const app = "https://app.test";
    const strict = await startGateway(t, { TUPLECAST_CORS_ORIGINS: app, TUPLECAST_LIMITS_HEAD_TIMEOUT_MS: "100", TUPLECAST_LIMITS_BODY_TIMEOUT_MS: "100", TUPLECAST_TRIGGERS_TOKEN: TOKEN });
    const lax = await startGateway(t, { TUPLECAST_CORS_ORIGINS: "*", TUPLECAST_LIMITS_HEAD_TIMEOUT_MS: "100" });
    const from = (origin) => `Host: localhost\r\nOrigin: ${origin}`;
    const cors = ({ headers }) => Object.fromEntries(Object.entries(headers).filter(([name]) => /^(vary|access-control-.*)$/.test(name)));
    const requests = (origin) => [
        [400, `GET /li vez HTTP/1.1\r\n${from(origin)}`],
        [400, `GET /livez HTTP/1.1\r\n${from(origin)}\r\nA : b`],
        [400, `GET /livez HTTP/1.1\r\nOrigin:${origin} `],
        [411, `POST /tickets HTTP/1.1\r\n${from(origin)}\r\nTransfer-Encoding: chunked`],
        [413, `POST /tickets HTTP/1.1\r\n${from(origin)}\r\nContent-Length: 65537`],
        [414, `GET /${"a".repeat(16_384)} HTTP/1.1\r\n${from(origin)}`],
        [417, `POST /tickets HTTP/1.1\r\n${from(origin)}\r\nExpect: x`],
        [431, `GET /livez HTTP/1.1\r\n${from(origin)}\r\nCookie: ${"a".repeat(40_000)}`],
        [431, `GET /livez HTTP/1.1\r\n${from(origin)}\r\nCookie: ${"a=b;".repeat(600)}`],
        [501, `LINK /livez HTTP/1.1\r\n${from(origin)}`],
        [505, `GET /livez HTTP/2.0\r\n${from(origin)}`],
    ];
    const check = (given, status, other, what) => {
        assert.equal(given.status, status, what);
        assert.deepEqual(cors(given), cors(other), what);
        assert.equal(given.headers.date?.length, 1, what);
        assert.match(given.headers.date[0], /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d GMT$/, what);
        assert.ok(Math.abs(Date.parse(given.headers.date[0]) - Date.now()) < DEADLINE_MS, what);
    };
    for (const gateway of [strict, lax])
        for (const origin of [app, "https://other.test", "x".repeat(600)]) {
            const routed = await answer(t, gateway.port, `GET /livez HTTP/1.1\r\n${from(origin)}`);
            assert.deepEqual(routed.headers.vary, ["Origin"]);
            for (const [status, head] of requests(origin)) check(await answer(t, gateway.port, head), status, routed, head.slice(0, 200));
            check(await answer(t, gateway.port, `GET /livez HTTP/1.1\r\n${from(origin)}\r\nAccept: `, ""), 408, routed, "half a head");
            if (gateway === strict) {
                const head = `PUT /triggers/a HTTP/1.1\r\n${from(origin)}\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 10`;
                check(await answer(t, gateway.port, head), 408, routed, "half a body");
            }
        }
});
