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
