// Requests that two programs may read differently, sent directly and through nginx and HAProxy that keep their connections: what is
// hidden in one of them is never taken for another client's request, and nobody gets another's answer.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { before, describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { freePort, startGateway } from "./lib/gateway.mjs";
import { until } from "./lib/until.mjs";
import { wholeFile } from "./lib/whole_file.mjs";
import { requestText, Wire } from "./lib/wire.mjs";

const DEADLINE_MS = 30_000;
const HOST = "Host: localhost\r\n";
// The answer to it names the channel, so that one knows whose answer it is.
const HIDDEN = `GET /streams/hidden HTTP/1.1\r\n${HOST}X: `;
const chunk = (text) => `${text.length.toString(16)}\r\n${text}\r\n`;

/** Every way that is known to hide HIDDEN from one of two readers. */
function shapes() {
    const found = [];
    const post = (what, headers, body) => found.push({ what, bytes: `POST /livez HTTP/1.1\r\n${HOST}${headers}\r\n\r\n${body}` });
    const ended = `0\r\n\r\n${HIDDEN}`;
    const long = `Content-Length: ${ended.length}`;
    const short = "Content-Length: 5";
    post("a length beside chunks", `${long}\r\nTransfer-Encoding: chunked`, ended);
    post("chunks beside a length", `Transfer-Encoding: chunked\r\n${long}`, ended);
    post("a length that is too short beside chunks", `Content-Length: 4\r\nTransfer-Encoding: chunked`, chunk(HIDDEN) + "0\r\n\r\n");
    for (const [what, coding] of Object.entries({
        "xchunked": "Transfer-Encoding: xchunked", "a space before the colon": "Transfer-Encoding : chunked", "a tab before the colon": "Transfer-Encoding\t: chunked", "a vertical tab": "Transfer-Encoding: \x0bchunked",
        "a form feed": "Transfer-Encoding:\x0cchunked", "a NUL": "Transfer-Encoding: chunked\0", "a folded line": "Transfer-Encoding:\r\n chunked", "a folded line before": "X: y\r\n Transfer-Encoding: chunked", "a bare CR": "X: y\rTransfer-Encoding: chunked",
        "a bare LF": "X: y\nTransfer-Encoding: chunked", "two codings": "Transfer-Encoding: identity, chunked", "two codings, chunked first": "Transfer-Encoding: chunked, identity", "two headers": "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "two headers, chunked first": "Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "quotes": 'Transfer-Encoding: "chunked"', "a comma": "Transfer-Encoding: chunked,", "a parameter": "Transfer-Encoding: chunked;x=y", "an underscore": "Transfer_Encoding: chunked",
        "a byte behind the name": "Transfer-Encoding\x01: chunked", "a byte before": "\x01Transfer-Encoding: chunked", "upper case": "TRANSFER-ENCODING: CHUNKED", "a tab": "Transfer-Encoding:\tchunked", "nothing": "Transfer-Encoding:", "a colon more": "Transfer-Encoding:: chunked",
        "a byte above 127": "Transfer-Encoding: chunked\xa0",
    })) {
        post(`chunks with ${what}, and a long length`, `${long}\r\n${coding}`, ended);
        post(`chunks with ${what}, and a short length`, `${coding}\r\n${short}`, ended);
        post(`chunks with ${what}, without a length`, coding, ended);
    }
    for (const [what, length] of Object.entries({
        "two lengths": `${short}\r\n${long}`, "two lengths, the long one first": `${long}\r\n${short}`, "a list": `Content-Length: 5, ${ended.length}`, "a plus": `Content-Length: +${ended.length}`, "a minus": "Content-Length: -1", "hexadecimal": `Content-Length: 0x${ended.length.toString(16)}`,
        "a space before the colon": `Content-Length : ${ended.length}`, "a space inside": "Content-Length: 1 5", "a folded line": `Content-Length:\r\n ${ended.length}`, "a bare LF": `X: y\nContent-Length: ${ended.length}`, "a vertical tab": `Content-Length: \x0b${ended.length}`, "2^64 more": "Content-Length: 18446744073709551616",
        "an underscore": `Content_Length: ${ended.length}`, "zero": "Content-Length: 0", "none": "X: y",
    })) {
        post(`a length with ${what}`, length, ended);
        found.push({ what: `GET, and a length with ${what}`, bytes: `GET /livez HTTP/1.1\r\n${HOST}${length}\r\n\r\n${HIDDEN}` });
    }
    for (const [what, chunks] of Object.entries({
        "an extension": `5;x="\r\n${HIDDEN}"\r\nhello\r\n0\r\n\r\n`, "a bare LF": `5\nhello\n0\n\n${HIDDEN}`, "a size too large": `fffffffffffffffff\r\n${HIDDEN}`, "a negative size": `-1\r\n${HIDDEN}`, "0x": `0x5\r\nhello\r\n0\r\n\r\n${HIDDEN}`, "no end": chunk(HIDDEN),
        "a trailer": `0\r\n${HIDDEN}\r\n\r\n`, "a doubled end": `0\r\n\r\n0\r\n\r\n${HIDDEN}`, "a size too small": `1\r\n${HIDDEN}\r\n0\r\n\r\n`, "spaces": `5 \r\nhello\r\n0\r\n\r\n${HIDDEN}`,
    }))
        post(`chunks with ${what}`, "Transfer-Encoding: chunked", chunks);
    for (const [what, bytes] of Object.entries({
        "a head in the address": `GET /livez%20HTTP/1.1%0d%0aHost:%20localhost%0d%0a%0d%0aGET%20/streams/hidden HTTP/1.1\r\n${HOST}\r\n`, "an old version": `GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n${long}\r\nTransfer-Encoding: chunked\r\n\r\n${ended}`,
        "an upgrade": `GET /livez HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n${HIDDEN}`, "h2c": `GET /livez HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n${HIDDEN}`,
        "Expect": `POST /livez HTTP/1.1\r\n${HOST}Expect: 100-continue\r\n${long}\r\n\r\n${ended}`, "a nameless header": `POST /livez HTTP/1.1\r\n${HOST}: x\r\n${long}\r\n\r\n${ended}`, "a hop-by-hop length": `POST /livez HTTP/1.1\r\n${HOST}Connection: Content-Length\r\n${long}\r\n\r\n${ended}`,
        "two Hosts": `GET /livez HTTP/1.1\r\n${HOST}Host: elsewhere\r\n\r\n${HIDDEN}`, "another host in the address": `GET http://elsewhere/livez HTTP/1.1\r\n${HOST}\r\n${HIDDEN}`, "HEAD with a body": `HEAD /livez HTTP/1.1\r\n${HOST}${long}\r\n\r\n${ended}`, "DELETE with a body": `DELETE /livez HTTP/1.1\r\n${HOST}${long}\r\n\r\n${ended}`,
    }))
        found.push({ what, bytes });
    return found;
}

const file = wholeFile();
let gateway;

before(async () => {
    const database = await createDatabase(file);
    gateway = await startGateway(file, { ...database.env, TUPLECAST_CHANNELS: "open_*", TUPLECAST_TRUSTED_PROXIES: "127.0.0.1" });
    await gateway.ready(DEADLINE_MS);
});

async function startProxy(t, command, configuration) {
    const dir = await mkdtemp(path.join(tmpdir(), "tuplecast-proxy-"));
    const port = await freePort();
    await writeFile(path.join(dir, "proxy.conf"), configuration(port, dir));
    const child = spawn("setpriv", ["--pdeathsig", "KILL", ...command(path.join(dir, "proxy.conf"))], { stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (log += text));
    t.after(() => {
        child.kill("SIGKILL");
        return rm(dir, { recursive: true, force: true });
    });
    await until(() => fetch(`http://127.0.0.1:${port}/livez`).then((response) => response.ok, () => false), () => `the proxy:\n${log}`, DEADLINE_MS);
    return port;
}

const startNginx = (t) =>
    startProxy(t, (conf) => ["nginx", "-e", "stderr", "-c", conf], (port, dir) => `
        daemon off; pid ${dir}/pid; worker_processes 1; error_log stderr crit;
        events { worker_connections 512; }
        http {
            access_log off;
            ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${dir}/${name};`).join(" ")}
            upstream gateway { server 127.0.0.1:${gateway.port}; keepalive 8; }
            server {
                listen 127.0.0.1:${port};
                location / { proxy_pass http://gateway; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_request_buffering off; }
            }
        }`);

const startHaproxy = (t) =>
    startProxy(t, (conf) => ["haproxy", "-db", "-f", conf], (port) => `
defaults
    mode http
    timeout connect 10s
    timeout client 20s
    timeout server 20s
    http-reuse always
frontend all
    bind 127.0.0.1:${port}
    default_backend gateway
backend gateway
    server gateway 127.0.0.1:${gateway.port}
`);

let asked = 0;

/** Somebody else, who must get the answer to their own request and no other. */
async function checkVictim(port, what) {
    const name = `victim_${asked++}`;
    const wire = new Wire(null, port).send(requestText(`/streams/${name}`, { headers: { Connection: "close" } }));
    try {
        await wire.wait(() => (wire.ended || undefined), () => `an answer after ${what}`, DEADLINE_MS);
    } finally {
        wire.close();
    }
    assert.match(wire.text, /^HTTP\/1\.1 404 /, `after ${what}`);
    assert.ok(wire.text.includes(name), `after ${what}: ${wire.text}`);
    assert.ok(!wire.text.includes("hidden"), `after ${what}: ${wire.text}`);
}

async function attack(port, { what, bytes }, deadlineMs) {
    const wire = new Wire(null, port);
    wire.socket.write(Buffer.from(bytes, "latin1"));
    // Some proxies wait for more; so do we, but not for long.
    await wire.wait(() => (wire.ended || /\r\n\r\n[^]/.test(wire.text) ? true : undefined), what, deadlineMs).catch(() => {});
    return wire;
}

describe("what is hidden in a request", () => {
    test("is never answered directly: one answer, and the end", async () => {
        for (const shape of shapes()) {
            const wire = await attack(gateway.port, shape, DEADLINE_MS);
            await wire.end(DEADLINE_MS);
            wire.close();
            assert.equal(wire.text.match(/HTTP\/1\.1 (?!100)\d{3} /g)?.length, 1, `${shape.what}: ${wire.text}`);
            assert.ok(!wire.text.includes("hidden"), `${shape.what}: ${wire.text}`);
        }
        await checkVictim(gateway.port, "all of them");
    });

    for (const [proxy, startIt] of [["nginx", startNginx], ["HAProxy", startHaproxy]])
        test(`is never taken for another client's request behind ${proxy}`, async (t) => {
            const port = await startIt(t);
            const all = shapes();
            let next = 0;
            const lane = async () => {
                while (next < all.length) {
                    const shape = all[next++];
                    const wire = await attack(port, shape, 300);
                    for (let i = 0; i < 3; i++) await checkVictim(port, shape.what);
                    wire.close();
                    await checkVictim(port, shape.what);
                }
            };
            await Promise.all(Array.from({ length: 4 }, lane));
            t.diagnostic(`${all.length} shapes, ${asked} other requests`);
            assert.equal((await gateway.get("/livez")).status, 200);
        });
});
