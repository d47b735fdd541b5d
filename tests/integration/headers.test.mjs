// Headers as HTTP has them: entity tags in lists, weak ones and any; methods that a resource knows.

import assert from "node:assert/strict";
import { before, test } from "node:test";
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

test("Allow names each method of a resource once", async () => {
    for (const [target, expected] of [["/triggers", "GET, HEAD, POST, OPTIONS"], ["/triggers/a", "GET, HEAD, PUT, DELETE, OPTIONS"], ["/streams", "GET, HEAD, OPTIONS"], ["/session", "POST, DELETE, GET, HEAD, OPTIONS"], ["/", "GET, HEAD, OPTIONS"]])
        for (const [method, status] of [["PATCH", 405], ["OPTIONS", 204]]) {
            const answer = await gateway.get(target, { method });
            assert.deepEqual([answer.status, answer.headers.allow], [status, expected], `${method} ${target}`);
        }
});
