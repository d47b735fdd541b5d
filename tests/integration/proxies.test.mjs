// Behind nginx, HAProxy and Caddy, with the configurations of etc/ as they are but for names, ports and times.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http2 from "node:http2";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import tls from "node:tls";
import { promisify } from "node:util";
import { BROWSERS } from "./lib/browsers.mjs";
import { createDatabase } from "./lib/database.mjs";
import { freePort, startGateway } from "./lib/gateway.mjs";
import { until } from "./lib/until.mjs";

const ETC = resolve(import.meta.dirname, "../../etc");
const DEADLINE_MS = 30_000;
const STREAMS = 50;
const IDLE_SECONDS = 3; // the proxies' patience, 60 s in the files; a heartbeat comes every two seconds at the latest

/** Replaces each pair in the text, and insists that it is there. */
function adapted(file, pairs) {
    let text = readFileSync(join(ETC, file), "utf8");
    for (const [from, to] of pairs) {
        assert.ok(text.includes(from), `${file} has no "${from}"`);
        text = text.replaceAll(from, to);
    }
    return text;
}

const PROXIES = {
    nginx: {
        write(dir, port, upstream) {
            const server = adapted("nginx/tuplecast.conf", [
                ["listen 443", `listen 127.0.0.1:${port}`],
                ["/etc/ssl/certs/tuplecast.pem", join(dir, "certificate.pem")],
                ["/etc/ssl/private/tuplecast.key", join(dir, "key.pem")],
                ["127.0.0.1:8080", `127.0.0.1:${upstream}`],
                ["60s", `${IDLE_SECONDS}s`],
            ]);
            const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${dir}/${name};`).join(" ");
            writeFileSync(
                join(dir, "nginx.conf"),
                `daemon off; worker_processes 1; pid ${dir}/pid; error_log stderr error;
events { worker_connections 1024; }
http { access_log off; ${paths}
${server}
}`,
            );
        },
        command: (dir) => ["nginx", "-p", dir, "-c", join(dir, "nginx.conf")],
    },
    HAProxy: {
        write(dir, port, upstream) {
            const text = adapted("haproxy/haproxy.cfg", [
                ["bind :443", `bind 127.0.0.1:${port}`],
                ["/etc/haproxy/tuplecast.pem", join(dir, "both.pem")],
                ["127.0.0.1:8080", `127.0.0.1:${upstream}`],
                ["/etc/haproxy/busy.http", join(ETC, "haproxy/busy.http")],
                ["inter 2s", "inter 200ms"],
                ["maxconn 20000", "maxconn 1000"],
                ["client 60s", `client ${IDLE_SECONDS}s`],
                ["server 60s", `server ${IDLE_SECONDS}s`],
            ]);
            writeFileSync(join(dir, "haproxy.cfg"), text);
        },
        command: (dir) => ["haproxy", "-db", "-f", join(dir, "haproxy.cfg")],
    },
    Caddy: {
        write(dir, port, upstream) {
            const site = adapted("caddy/Caddyfile", [
                ["tuplecast.example {", `https://localhost:${port} {\n\ttls ${dir}/certificate.pem ${dir}/key.pem\n\tbind 127.0.0.1`],
                ["127.0.0.1:8080", `127.0.0.1:${upstream}`],
            ]);
            writeFileSync(join(dir, "Caddyfile"), `{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n${site}`);
        },
        command: (dir) => ["caddy", "run", "--config", join(dir, "Caddyfile"), "--adapter", "caddyfile"],
    },
};

async function startProxy(t, proxy, upstream) {
    const dir = mkdtempSync(join(tmpdir(), "tuplecast-proxy-"));
    const port = await freePort();
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const files = ["-keyout", join(dir, "key.pem"), "-out", join(dir, "certificate.pem")];
    await promisify(execFile)("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", ...subject, ...files]);
    writeFileSync(join(dir, "both.pem"), ["certificate.pem", "key.pem"].map((name) => readFileSync(join(dir, name), "utf8")).join(""));
    proxy.write(dir, port, upstream);
    const child = spawn("setpriv", ["--pdeathsig", "KILL", ...proxy.command(dir)], {
        env: { PATH: `${process.env.PATH}:/usr/sbin`, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
        stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
    const ended = new Promise((resolve) => child.on("close", resolve));
    t.after(async () => {
        child.kill("SIGTERM");
        const late = setTimeout(() => child.kill("SIGKILL"), 1000);
        await ended;
        clearTimeout(late);
        rmSync(dir, { recursive: true, force: true });
    });
    await until(async () => (await ask(port, "/readyz").catch(() => {}))?.status === 200, () => `an answer through the proxy; it said: ${log}`, DEADLINE_MS);
    return port;
}

/** HTTP/2 from an address of our choice: {status, body} of what has come when `enough` says so, or the end. */
async function ask(port, path, { from = "127.0.0.1", headers = {}, enough = () => false } = {}) {
    const socket = tls.connect({ port, host: "127.0.0.1", localAddress: from, servername: "localhost", rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    const session = http2.connect(`https://localhost:${port}`, { createConnection: () => socket });
    try {
        return await new Promise((resolve, reject) => {
            session.on("error", reject);
            const stream = session.request({ ":path": path, ...headers });
            const answer = { status: 0, body: "", session };
            stream.on("error", reject);
            stream.on("response", (response) => (answer.status = response[":status"]));
            stream.setEncoding("utf8").on("data", (text) => {
                answer.body += text;
                if (enough(answer.body)) resolve(answer);
            });
            stream.on("end", () => resolve(answer));
        });
    } finally {
        if (!enough("kept")) session.destroy();
    }
}

async function setUp(t, name, env = {}) {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_STREAMS_HEARTBEAT_MS: "1000", TUPLECAST_TRUSTED_PROXIES: "127.0.0.1", ...env });
    await gateway.ready(DEADLINE_MS);
    return { database, gateway, port: await startProxy(t, PROXIES[name], gateway.port) };
}

// Side by side: they mostly wait.
describe("fifty streams in one browser", { concurrency: 3 }, () => {
    let browser;
    before(async () => (browser = await BROWSERS.Chromium()));
    after(() => browser?.close());

    for (const name of Object.keys(PROXIES))
        test(`through ${name}: over HTTP/2, at once, through silence and a restart, and gone with the page`, async (t) => {
            const { database, gateway, port } = await setUp(t, name);
            const context = await browser.newContext();
            t.after(() => context.close());
            const page = await context.newPage();
            await page.goto(`https://localhost:${port}/livez`);
            await page.evaluate((count) => {
                window.seen = { ready: 0, busy: 0, errors: 0, messages: [] };
                window.streams = [];
                for (let i = 0; i < count; i++) {
                    const stream = new EventSource(`/streams/news_${i}`);
                    window.streams.push(stream);
                    stream.addEventListener("busy", () => window.seen.busy++);
                    stream.addEventListener("ready", () => window.seen.ready++);
                    stream.onerror = () => window.seen.errors++;
                    stream.onmessage = ({ data }) => window.seen.messages.push(JSON.parse(data).data);
                }
            }, STREAMS);
            const seen = () => page.evaluate(() => window.seen);
            await until(async () => (await seen()).ready === STREAMS, async () => `all streams: ${JSON.stringify(await seen())}`, DEADLINE_MS);
            const tell = async (text) => {
                await database.query("SELECT pg_notify('news_' || i, $1) FROM generate_series(0, $2::int - 1) i", [text, STREAMS]);
                await until(async () => (await seen()).messages.filter((message) => message === text).length === STREAMS, `${text} everywhere`, DEADLINE_MS);
            };
            // One small event: whoever buffers has it still.
            await tell("first");
            const from = performance.now();
            await until(() => performance.now() - from > 1500 * IDLE_SECONDS, "silence");
            await tell("second");
            assert.deepEqual({ ...(await seen()), messages: [] }, { ready: STREAMS, busy: 0, errors: 0, messages: [] });
            const protocol = await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol);
            assert.equal(protocol, "h2");

            await gateway.stop();
            await until(async () => (await seen()).busy >= STREAMS, async () => `busy: ${JSON.stringify(await seen())}`, DEADLINE_MS);
            assert.equal((await ask(port, "/livez")).status >= 502, true, "other requests are told the truth");
            await gateway.start();
            const back = () => page.evaluate(() => window.streams.filter((stream) => stream.readyState === EventSource.OPEN).length);
            await until(async () => (await seen()).ready === 2 * STREAMS && (await back()) === STREAMS, async () => `${await back()} streams are back: ${JSON.stringify(await seen())}`, DEADLINE_MS);
            await page.close();
            await until(async () => (await gateway.metric("tuplecast_streams")) === 0, "the end of the streams", DEADLINE_MS);
        });
});

describe("the client's address", () => {
    for (const name of Object.keys(PROXIES))
        test(`comes through ${name}, and nobody can make one up`, async (t) => {
            const { port } = await setUp(t, name, { TUPLECAST_LIMITS_STREAMS_PER_ADDRESS: "2" });
            const outcome = async (from, forwarded) => {
                const enough = (body) => /kept|event: (ready|busy)/.test(body);
                const answer = await ask(port, "/streams/news", { from, headers: forwarded ? { "x-forwarded-for": forwarded } : {}, enough });
                t.after(() => answer.session.destroy());
                return /event: (ready|busy)/.exec(answer.body)[1];
            };
            assert.deepEqual([await outcome("127.0.0.2"), await outcome("127.0.0.2"), await outcome("127.0.0.2")], ["ready", "ready", "busy"]);
            assert.equal(await outcome("127.0.0.3"), "ready");
            assert.equal(await outcome("127.0.0.2", "192.0.2.1"), "busy");
        });
});
