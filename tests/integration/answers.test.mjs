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

/** The one answer to a request as it stands; `head` without its last empty line. */
async function answer(t, port, head) {
    const wire = await connect(t, port);
    wire.send(`${head}\r\n\r\n`);
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
