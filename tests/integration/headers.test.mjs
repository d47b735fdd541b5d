// Headers as HTTP has them: entity tags in lists, weak ones and any; methods that a resource knows.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startGateway } from "./lib/gateway.mjs";
import { wholeFile } from "./lib/whole_file.mjs";
import { Wire } from "./lib/wire.mjs";

const file = wholeFile();
let gateway;

before(async () => {
    gateway = await startGateway(file, { TUPLECAST_TRIGGERS_TOKEN: "correct-horse-battery-staple" });
});

/** The status of a GET with these lines of If-None-Match. */
async function conditional(t, target, ...lines) {
    const wire = new Wire(t, gateway.port);
    wire.socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n${lines.map((line) => `If-None-Match: ${line}\r\n`).join("")}\r\n`);
    await wire.wait(() => wire.ended || undefined, () => wire.text);
    return Number(/^HTTP\/1\.1 (\d{3}) /.exec(wire.text)[1]);
}

for (const target of ["/", "/page.js", "/openapi.json"])
    test(`If-None-Match of ${target}: lists, weak tags and any`, async (t) => {
        const { status, headers: { etag } } = await gateway.get(target);
        assert.equal(status, 200);
        for (const lines of [[etag], [`W/${etag}`], [`"a", ${etag}`], [`"a,b",W/"c" , W/${etag}, "d"`], ["*"], ['"a"', etag], [`${etag}, "a`], [`, ,${etag}`]])
            assert.equal(await conditional(t, target, ...lines), 304, JSON.stringify(lines));
        const other = etag.replace(/^"./, '"x');
        for (const lines of [[], [other], [`W/${other}`], [etag.slice(1, -1)], [`"${etag}"`], ["W/"], [""], [","], ['"'], [`"a${etag}`], [`w/${etag}`], [`"*"`]])
            assert.equal(await conditional(t, target, ...lines), 200, JSON.stringify(lines));
    });

describe("refusals before the router", () => {
    /** The head of the answer to these lines. */
    async function refused(t, { port }, lines) {
        const wire = new Wire(t, port);
        wire.socket.write(lines.join("\r\n") + "\r\n\r\n");
        await wire.wait(() => wire.ended || undefined, () => wire.text);
        return wire.text.split("\r\n\r\n")[0];
    }
    const ORIGIN = "https://app.example";
    const LONG = `X: ${"a".repeat(40_000)}`;
    const CASES = {
        414: [`GET /${"a".repeat(20_000)} HTTP/1.1`, "Host: localhost", `Origin: ${ORIGIN}`],
        431: ["GET /streams/a HTTP/1.1", "Host: localhost", `Origin: ${ORIGIN}`, LONG],
        400: ["GET /streams/a HTTP/1.1", `Origin: ${ORIGIN}`, "Host: localhost", "Host: localhost"],
        411: ["POST /tickets HTTP/1.1", "Host: localhost", `Origin: ${ORIGIN}`, "Transfer-Encoding: chunked"],
    };
    for (const [status, lines] of Object.entries(CASES))
        test(`${status}: say when, and pages that may read answers may read this one`, async (t) => {
            const plain = await refused(t, gateway, lines);
            assert.match(plain, new RegExp(`^HTTP/1.1 ${status} `));
            assert.ok(Math.abs(Date.parse(/^Date: ((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} [\d:]{8} GMT)$/m.exec(plain)[1]) - Date.now()) < 60_000);
            assert.doesNotMatch(plain, /Access-Control|Vary/i);
            const all = await startGateway(t, { TUPLECAST_CORS_ORIGINS: "*" });
            assert.match(await refused(t, all, lines), /^Access-Control-Allow-Origin: \*$/m);
            const one = await startGateway(t, { TUPLECAST_CORS_ORIGINS: `https://other.example,${ORIGIN}` });
            // What is refused before the origin is known says nothing of it.
            if (status === "414") assert.match(await refused(t, one, lines), /^Vary: Origin$/m);
            else assert.match(await refused(t, one, lines), /^Vary: Origin\r\nAccess-Control-Allow-Origin: https:\/\/app\.example\r\nAccess-Control-Allow-Credentials: true$/m);
            const other = lines.map((line) => line.replace(ORIGIN, "https://evil.example"));
            assert.doesNotMatch(await refused(t, one, other), /Access-Control/);
        });
});

test("Allow names each method of a resource once", async () => {
    for (const [target, expected] of [["/triggers", "GET, HEAD, POST, OPTIONS"], ["/triggers/a", "GET, HEAD, PUT, DELETE, OPTIONS"], ["/streams", "GET, HEAD, OPTIONS"], ["/session", "POST, DELETE, OPTIONS"], ["/tickets", "POST, OPTIONS"], ["/", "GET, HEAD, OPTIONS"]])
        for (const [method, status] of [["PATCH", 405], ["OPTIONS", 204]]) {
            const answer = await gateway.get(target, { method });
            assert.deepEqual([answer.status, answer.headers.allow], [status, expected], `${method} ${target}`);
        }
    for (const target of ["/session", "/tickets"]) assert.equal((await gateway.get(target)).status, 405, target);
});
