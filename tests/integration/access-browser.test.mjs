// In a real browser, which sends no headers with EventSource: cookies, tickets, and pages of other origins.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { request } from "./lib/sse.mjs";
import { bearer, createFolder } from "./lib/tokens.mjs";

const TOKEN = "browser-token-0123456789abcdef";
let browser;

before(async () => {
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
});
after(() => browser?.close());

/** A site of its own with an empty page. */
async function startSite(t) {
    const server = http.createServer((_, response) => response.setHeader("content-type", "text/html").end("<title>a page</title>"));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    return server.address().port;
}

async function setUp(t, env = {}) {
    const folder = await createFolder(t);
    const database = await createDatabase(t);
    const gateway = await startGateway(t, {
        ...database.env,
        TUPLECAST_ACCESS_STREAMS: "token",
        TUPLECAST_ACCESS_TOKENS_FILE: await folder.write("tokens", `${TOKEN} posts`),
        TUPLECAST_ACCESS_COOKIE: "stream",
        ...env,
    });
    await gateway.ready();
    return { database, gateway };
}

async function open(t, url) {
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(url);
    return { context, page };
}

/** In the page: opens an EventSource; resolves with its first `ready`, or "refused". */
const listen = (page, url, options = {}) =>
    page.evaluate(
        ([address, init]) =>
            new Promise((resolve) => {
                const source = (globalThis.source = new EventSource(address, init));
                globalThis.messages = [];
                source.onmessage = (event) => globalThis.messages.push(JSON.parse(event.data).data);
                source.addEventListener("ready", () => resolve("ready"));
                source.onerror = () => source.readyState === 2 && resolve("refused");
            }),
        [url, options],
    );

const fetchStatus = (page, url, init) => page.evaluate(([address, options]) => fetch(address, options).then((answer) => answer.status, (error) => String(error)), [url, init]);

const message = (page) => page.waitForFunction(() => globalThis.messages[0]).then((handle) => handle.jsonValue());

test("a session's cookie opens EventSource; no script can read it, and dropping it closes the door", async (t) => {
    const { database, gateway } = await setUp(t);
    const { context, page } = await open(t, `http://localhost:${gateway.port}/`);
    assert.equal(await listen(page, "/streams/posts"), "refused");
    assert.equal(await fetchStatus(page, "/session", { method: "POST", headers: bearer("wrong-token-0123456789") }), 401);
    assert.equal(await fetchStatus(page, "/session", { method: "POST", headers: bearer(TOKEN) }), 204);
    const [cookie] = await context.cookies();
    assert.deepEqual([cookie.name, cookie.value, cookie.httpOnly, cookie.sameSite, cookie.secure, cookie.path], ["stream", TOKEN, true, "Strict", true, "/"]);
    assert.equal(await page.evaluate(() => document.cookie), "");
    assert.equal(await listen(page, "/streams/posts"), "ready");
    await database.notify("posts", '"hello"');
    assert.equal(await message(page), "hello");
    assert.equal(await listen(page, "/streams/secrets"), "refused");
    assert.equal(await fetchStatus(page, "/session", { method: "DELETE" }), 204);
    assert.deepEqual(await context.cookies(), []);
    assert.equal(await listen(page, "/streams/posts"), "refused");
});

test("a ticket opens EventSource once", async (t) => {
    const { database, gateway } = await setUp(t);
    const { page } = await open(t, `${gateway.origin}/`);
    const ticket = await page.evaluate((headers) => fetch("/tickets", { method: "POST", headers }).then((answer) => answer.json()), bearer(TOKEN));
    assert.equal(await listen(page, `/streams/posts?ticket=${ticket.ticket}`), "ready");
    await database.notify("posts", '"hello"');
    assert.equal(await message(page), "hello");
    assert.equal(await listen(page, `/streams/posts?ticket=${ticket.ticket}`), "refused");
});

test("tuplecast.js turns a token into a ticket for each connection, and comes back after a restart", async (t) => {
    const { database, gateway } = await setUp(t, { TUPLECAST_STREAMS_RETRY_MS: "200" });
    const { page } = await open(t, `${gateway.origin}/`);
    await page.evaluate(async (token) => {
        const { connect } = await import("/tuplecast.js");
        globalThis.messages = [];
        globalThis.readies = 0;
        const stream = connect("/streams/posts", { token });
        stream.addEventListener("change", ({ detail }) => globalThis.messages.push(detail.data));
        stream.addEventListener("ready", () => globalThis.readies++);
    }, TOKEN);
    const readies = (count) => page.waitForFunction((wanted) => globalThis.readies >= wanted, count);
    await readies(1);
    await gateway.restart();
    await gateway.ready();
    await readies(2);
    await database.notify("posts", '"hello"');
    await page.waitForFunction(() => globalThis.messages.length > 0);
});

test("a page of a named origin may send the cookie, another one may not even read", async (t) => {
    const [friend, stranger] = [await startSite(t), await startSite(t)];
    const { gateway } = await setUp(t, { TUPLECAST_CORS_ORIGINS: `http://localhost:${friend}` });
    const url = `http://localhost:${gateway.port}`;
    const { context, page } = await open(t, `http://localhost:${friend}/`);
    assert.equal(await fetchStatus(page, `${url}/session`, { method: "POST", headers: bearer(TOKEN), credentials: "include" }), 204, "after a preflight");
    assert.equal(await listen(page, `${url}/streams/posts`), "refused", "without credentials");
    assert.equal(await listen(page, `${url}/streams/posts`, { withCredentials: true }), "ready");
    assert.equal(await page.evaluate((address) => fetch(address).then((answer) => answer.headers.get("www-authenticate")), `${url}/channels`), 'Bearer realm="tuplecast"');

    // The same browser has the cookie, and it is the same site, so it is sent: the origin alone stands in the way.
    const other = await context.newPage();
    await other.goto(`http://localhost:${stranger}/`);
    assert.equal(await listen(other, `${url}/streams/posts`, { withCredentials: true }), "refused");
    assert.match(await fetchStatus(other, `${url}/streams/posts`, { credentials: "include" }), /Failed to fetch/);
    assert.match(await fetchStatus(other, `${url}/session`, { method: "POST", headers: bearer(TOKEN) }), /Failed to fetch/);
    // Another site: the browser keeps the cookie to itself.
    await other.goto(`http://127.0.0.1:${friend}/`);
    assert.equal(await listen(other, `${url}/streams/posts`, { withCredentials: true }), "refused");
});

test("CORS headers: exact origins get credentials, * does not, and every answer varies", async (t) => {
    const { gateway } = await setUp(t, { TUPLECAST_CORS_ORIGINS: "https://app.test,*" });
    const preflight = { method: "OPTIONS", headers: { origin: "https://app.test", "access-control-request-method": "GET", "access-control-request-headers": "authorization" } };
    const cors = ({ headers }) => [headers["access-control-allow-origin"], headers["access-control-allow-credentials"], headers.vary];
    const answer = await gateway.get("/streams/posts", preflight);
    assert.equal(answer.status, 204);
    assert.deepEqual(cors(answer), ["https://app.test", "true", "Origin"]);
    assert.match(answer.headers["access-control-allow-headers"], /Authorization.*Last-Event-ID/);
    assert.match(answer.headers["access-control-allow-methods"], /GET/);
    assert.deepEqual(cors(await gateway.get("/streams/posts", { headers: { origin: "https://app.test", ...bearer(TOKEN) } })), ["https://app.test", "true", "Origin"]);
    assert.deepEqual(cors(await gateway.get("/streams/posts", { headers: { origin: "https://app.test" } })), ["https://app.test", "true", "Origin"], "401 as well");
    for (const origin of ["https://other.test", "https://app.test:444", "https://app.test.evil.test", "null"])
        assert.deepEqual(cors(await gateway.get("/livez", { headers: { origin } })), ["*", undefined, "Origin"]);
    assert.deepEqual(cors(await gateway.get("/livez")), [undefined, undefined, "Origin"]);
    const exact = await setUp(t, { TUPLECAST_CORS_ORIGINS: "https://app.test" });
    for (const origin of ["https://other.test", "http://app.test", "https://app.test.evil.test", "https://evil.test/https://app.test"]) {
        const refused = await exact.gateway.get("/streams/posts", { ...preflight, headers: { ...preflight.headers, origin } });
        assert.deepEqual(cors(refused), [undefined, undefined, "Origin"]);
        assert.equal(refused.headers["access-control-allow-methods"], undefined);
    }
});

test("a name that is not the gateway's gets nothing, so that no page can reach it by a name of its own", async (t) => {
    const local = await startGateway(t);
    const named = await startGateway(t, { TUPLECAST_ACCESS_HOSTS: "streams.test,*.inner.test" });
    const cases = [
        [local, ["localhost", `localhost:${local.port}`, "LOCALHOST", "a.localhost", "127.0.0.1:80", "[::1]", "[::1]:8080", "192.0.2.7"], ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "localhost:x", "streams.test"]],
        [named, ["streams.test", "streams.test:443", "STREAMS.test.", "a.inner.test", "127.0.0.1"], ["evil.test", "xstreams.test", "streams.test.evil.test", "inner.test", "localhost"]],
    ];
    for (const [gateway, good, bad] of cases) {
        for (const host of good) assert.equal((await gateway.get("/streams/a", { headers: { host } })).status, 200, host);
        for (const host of bad)
            for (const path of ["/streams/a", "/triggers", "/", "/livez"]) {
                const answer = await gateway.get(path, { headers: { host } });
                assert.ok([400, 421].includes(answer.status), `${host}${path}: ${answer.status}`);
                assert.equal(answer.headers["content-type"], "application/problem+json");
            }
    }
    // As a browser would after the name was pointed at us.
    const rebinding = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP evil.test 127.0.0.1"] });
    t.after(() => rebinding.close());
    const page = await (await rebinding.newContext()).newPage();
    const response = await page.goto(`http://evil.test:${local.port}/`);
    assert.equal(response.status(), 421);
    assert.equal(await listen(page, "/streams/a"), "refused");
});

test("management has a listener of its own, an address or a Unix socket", async (t) => {
    const folder = await createFolder(t);
    const socketPath = folder.path("management.sock");
    const token = "correct-horse-battery-staple-0123456789";
    const gateway = await startGateway(t, { TUPLECAST_MANAGEMENT_LISTEN: `unix:${socketPath}`, TUPLECAST_TRIGGERS_TOKEN: token });
    const inside = (path, headers = {}) =>
        new Promise((resolve, reject) => {
            http.get({ socketPath, path, headers: { host: "localhost", ...headers } }, (answer) => {
                let body = "";
                answer.setEncoding("utf8").on("data", (text) => (body += text)).on("end", () => resolve({ status: answer.statusCode, body }));
            }).on("error", reject);
        });
    for (const path of ["/metrics", "/tables", "/triggers", "/triggers/x"]) assert.equal((await gateway.get(path, { headers: bearer(token) })).status, 404, path);
    assert.equal((await request(`${gateway.origin}/triggers/x`, { method: "PUT", headers: bearer(token) })).status, 404);
    for (const path of ["/streams/a", "/channels", "/"]) assert.equal((await inside(path)).status, 404, path);
    for (const path of ["/livez", "/openapi.json"]) assert.deepEqual([(await gateway.get(path)).status, (await inside(path)).status], [200, 200]);
    const metrics = await inside("/metrics");
    assert.equal(metrics.status, 200);
    assert.match(metrics.body, /tuplecast_http_responses_total\{class="4xx"\} [1-9]/);
    assert.equal((await inside("/triggers")).status, 401);
    assert.equal((await inside("/triggers", bearer(token))).status, 503, "there is no database here");
    assert.match(gateway.log, /for="clients".*\n[^]*for="management"/);
});
