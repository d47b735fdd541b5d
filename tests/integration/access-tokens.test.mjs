// Who gets a stream: what each way of asking is answered, and that the answer says what was wrong.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { openStream, request, subscribe } from "./lib/sse.mjs";
import { Wire } from "./lib/wire.mjs";
import { AUDIENCE, Key, bearer, claims, createFolder, keySettings, now } from "./lib/tokens.mjs";

const FIXED = "fixed-token-0123456789abcdef";
const NARROW = "narrow-token-0123456789abcdef";

/** The answer is a problem whose text is in both places. */
function assertRefused(response, status, error, text) {
    assert.equal(response.status, status, response.body);
    assert.equal(response.headers["content-type"], "application/problem+json");
    assert.equal(response.headers["cache-control"], "no-store");
    assert.equal(response.json.status, status);
    assert.match(response.json.detail, text);
    const challenge = response.headers["www-authenticate"];
    assert.equal(
        challenge,
        error
            ? `Bearer realm="tuplecast", error="${error}", error_description="${response.json.detail}"`
            : 'Bearer realm="tuplecast"',
    );
}

test("streams are closed until the configuration opens them", async (t) => {
    const gateway = await startGateway(t, { TUPLECAST_ACCESS_STREAMS: "" });
    for (const path of ["/streams/posts", "/streams?channel=a&channel=b", "/channels"])
        assertRefused(await gateway.get(path), 403, undefined, /access\.streams/);
    assertRefused(await gateway.get("/tickets", { method: "POST", headers: bearer(FIXED) }), 403, undefined, /access\.streams/);
    assert.equal((await gateway.get("/livez")).status, 200);
    assert.match(gateway.log, /nobody may read streams/);
});

describe("with tokens", () => {
    test("every algorithm is taken with its own key, by kid, from JWKS and PEM files", async (t) => {
        const folder = await createFolder(t);
        const database = await createDatabase(t);
        const keys = Object.fromEntries(["HS256", "RS256", "ES256", "EdDSA"].map((name) => [name, new Key(name, `${name}-key`)]));
        const files = ["RS256", "ES256", "EdDSA"].map((name) => `${name}-pem=${folder.path(`${name}.pem`)}`);
        for (const name of ["RS256", "ES256", "EdDSA"]) await folder.write(`${name}.pem`, keys[name].pem);
        const settings = await keySettings(folder, ...Object.values(keys));
        const gateway = await startGateway(t, { ...database.env, ...settings, TUPLECAST_ACCESS_JWT_KEYS: [settings.TUPLECAST_ACCESS_JWT_KEYS, ...files].join(",") });
        await gateway.ready();
        for (const [name, key] of Object.entries(keys)) {
            const header = { alg: name, kid: `${name}-key` };
            const granted = claims({ channels: ["posts_*"] });
            await subscribe(t, gateway.stream("posts_changes"), { headers: bearer(key.sign(granted, header)) });
            if (name !== "HS256")
                await subscribe(t, gateway.stream("posts_changes"), { headers: bearer(key.sign(granted, { ...header, kid: `${name}-pem` })) });
            for (const [other, wrong] of Object.entries(keys).filter(([other]) => other !== name)) {
                const forged = await request(gateway.stream("posts_changes"), { headers: bearer(wrong.sign(granted, { ...header, alg: other })) });
                assertRefused(forged, 401, "invalid_token", /alg of the token is not the one of the key/);
            }
            // The classic: the public key as the secret of an HMAC.
            const confused = new Key("HS256", `${name}-key`);
            confused.secret = Buffer.from(key.secret ?? key.pem);
            if (!key.secret)
                assertRefused(await request(gateway.stream("posts_changes"), { headers: bearer(confused.sign(granted)) }), 401, "invalid_token", /alg/);
        }
    });

    test("the answer says what is wrong with the token", async (t) => {
        const folder = await createFolder(t);
        const key = new Key("ES256", "main");
        const gateway = await startGateway(t, { ...(await keySettings(folder, key)), TUPLECAST_ACCESS_JWT_ISSUER: "https://issuer.test" });
        const good = claims({ channels: ["posts_*"] }, { iss: "https://issuer.test" });
        const judge = (token, path = "/streams/posts_changes") => gateway.get(path, { headers: bearer(token) });
        assert.equal((await judge(key.sign(good))).status, 200);

        assertRefused(await gateway.get("/streams/posts_changes"), 401, undefined, /Send a token/);
        assertRefused(await gateway.get("/streams/posts_changes", { headers: { authorization: "Basic YTpi" } }), 401, undefined, /not of the form Bearer/);
        assertRefused(await judge("nonsense"), 401, "invalid_token", /not a JWT/);
        assertRefused(await judge(key.sign(good).slice(0, -1)), 401, "invalid_token", /not a JWT|signature/);
        assertRefused(await judge(key.sign({ ...good, exp: now() - 61 })), 401, "invalid_token", /expired/);
        assertRefused(await judge(key.sign({ ...good, nbf: now() + 70 })), 401, "invalid_token", /nbf/);
        assertRefused(await judge(key.sign({ ...good, exp: undefined })), 401, "invalid_token", /no exp/);
        assertRefused(await judge(key.sign({ ...good, aud: undefined })), 401, "invalid_token", /no aud/);
        assertRefused(await judge(key.sign({ ...good, aud: "other" })), 401, "invalid_token", /audience/);
        assertRefused(await judge(key.sign({ ...good, iss: "other" })), 401, "invalid_token", /issuer/);
        assertRefused(await judge(key.sign({ ...good, tuplecast: undefined })), 403, "insufficient_scope", /claim tuplecast/);
        assertRefused(await judge(key.sign(good), "/streams/secrets"), 403, "insufficient_scope", /does not allow this channel/);
        assertRefused(await judge(key.sign(good), "/streams?channel=posts_changes&channel=secrets"), 403, "insufficient_scope", /does not allow this channel/);
        assertRefused(await judge("e".repeat(8193)), 401, "invalid_token", /8192/);
        assert.equal((await judge(key.sign({ ...good, exp: now() - 30, nbf: now() + 30 }))).status, 200, "60 s of skew");
        assert.equal((await judge(key.sign({ ...good, aud: ["other", AUDIENCE] }))).status, 200);
    });

    test("fixed tokens come from a file, each with its channels", async (t) => {
        const folder = await createFolder(t);
        const tokens = await folder.write("tokens", `# for the dashboard\n${FIXED}\n\n${NARROW} posts_* orders\n`);
        const gateway = await startGateway(t, { TUPLECAST_ACCESS_STREAMS: "token", TUPLECAST_ACCESS_TOKENS_FILE: tokens });
        const judge = (token, channel) => request(gateway.stream(channel), { headers: bearer(token) });
        for (const channel of ["posts_changes", "orders", "secrets"]) assert.equal((await judge(FIXED, channel)).status, 200);
        for (const channel of ["posts_changes", "orders"]) assert.equal((await judge(NARROW, channel)).status, 200);
        assertRefused(await judge(NARROW, "secrets"), 403, "insufficient_scope", /channel/);
        assertRefused(await judge(`${FIXED}x`, "orders"), 401, "invalid_token", /not among those/);
        assertRefused(await judge(FIXED.slice(0, -1), "orders"), 401, "invalid_token", /not among those/);
        const { json } = await gateway.get("/channels", { headers: bearer(NARROW) });
        assert.deepEqual(json.patterns, ["posts_*"]);
        assertRefused(await gateway.get("/channels"), 401, undefined, /Send a token/);
    });

    test("no text of a token starts a line of its own, in a stream or in a header", async (t) => {
        const folder = await createFolder(t);
        const database = await createDatabase(t);
        const key = new Key("HS256", "main");
        const gateway = await startGateway(t, { ...database.env, ...(await keySettings(folder, key)) });
        await gateway.ready();
        const texts = ['"', "\\", "a\u2028b", "data: x", "%0d%0aid: 7", "*", "\u{1f600}", "<script>"];
        for (const text of texts) {
            const token = key.sign(claims({ channels: [text, "a"], where: { [text]: `${text}\r\n\r\nevent: forged\ndata: {}\n\n` } }));
            const stream = await subscribe(t, gateway.stream("a"), { headers: bearer(token) });
            assert.deepEqual(stream.events.map(({ name }) => name), ["ready"]);
            assert.deepEqual(stream.ready.json.channels, ["a"]);
            const { json } = await gateway.get("/channels", { headers: bearer(token) });
            assert.deepEqual(json.patterns, text === "*" ? ["*"] : []);
        }
        for (const text of ["a\nb", "a\rb", "\u0000", "\u007f", ""]) {
            const token = key.sign(claims({ channels: [text] }));
            assertRefused(await gateway.get("/streams/a", { headers: bearer(token) }), 403, "insufficient_scope", /channels of the claim/);
        }
        for (const header of [{ alg: 'HS256"\r\nX-Forged: 1' }, { alg: "HS256", kid: '"\r\nX-Forged: 1' }, { alg: "HS256", typ: "\r\n\r\n" }]) {
            const { status, headers } = await gateway.get("/streams/a", { headers: bearer(key.sign(claims({ channels: ["a"] }), header)) });
            assert.equal(status, 401);
            assert.match(headers["www-authenticate"], /^Bearer realm="tuplecast", error="invalid_token", error_description="[^"\\]*"$/);
            assert.equal(headers["x-forged"], undefined);
        }
    });

    test("one way at a time; the query only when it is switched on, and never in a log", async (t) => {
        const folder = await createFolder(t);
        const env = { TUPLECAST_ACCESS_STREAMS: "token", TUPLECAST_ACCESS_TOKENS_FILE: await folder.write("tokens", FIXED), TUPLECAST_ACCESS_COOKIE: "stream", TUPLECAST_LOG_REQUESTS: "true" };
        const off = await startGateway(t, { ...env, TUPLECAST_LOG_LEVEL: "debug" });
        assertRefused(await off.get(`/streams/a?access_token=${FIXED}`), 400, "invalid_request", /access\.query_tokens/);
        const on = await startGateway(t, { ...env, TUPLECAST_LOG_LEVEL: "debug", TUPLECAST_ACCESS_QUERY_TOKENS: "true" });
        assert.equal((await on.get(`/streams/a?access_token=${FIXED}`)).status, 200);
        assertRefused(await on.get(`/streams/a?access_token=${FIXED}x`), 401, "invalid_token", /not among/);
        assertRefused(await on.get(`/streams/a?access_token=${FIXED}&access_token=${FIXED}`), 400, "invalid_request", /more than one/);
        assertRefused(await on.get(`/streams/a?access_token=${FIXED}`, { headers: bearer(FIXED) }), 400, "invalid_request", /more than one/);
        assert.equal((await on.get("/streams/a", { headers: { authorization: [`Bearer ${FIXED}`, `Bearer ${FIXED}`] } })).status, 400);
        assert.equal((await on.get("/streams/a", { headers: { cookie: `other=1; stream=${FIXED}` } })).status, 200);
        assertRefused(await on.get("/streams/a", { headers: { cookie: `stream=${FIXED}; stream=${FIXED}` } }), 400, "invalid_request", /cookie/);
        assert.equal((await on.get("/streams/a", { headers: { ...bearer(FIXED), cookie: "stream=stale" } })).status, 200, "a header is meant, a cookie just comes along");
        for (const gateway of [off, on]) {
            await gateway.stop();
            assert.ok(!gateway.log.includes(FIXED), gateway.log);
            assert.match(gateway.log, /request method="GET" path="\/streams\/a" status=40[01]/, "there is a log to look at");
        }
    });

    test("a ticket opens one stream, once", async (t) => {
        const folder = await createFolder(t);
        const gateway = await startGateway(t, { TUPLECAST_ACCESS_STREAMS: "token", TUPLECAST_ACCESS_TOKENS_FILE: await folder.write("tokens", `${NARROW} posts`) });
        const issue = (headers) => gateway.get("/tickets", { method: "POST", headers });
        assertRefused(await issue({}), 401, undefined, /only as Authorization: Bearer/);
        assertRefused(await issue(bearer(FIXED)), 401, "invalid_token", /not among/);
        const { status, json, headers } = await issue(bearer(NARROW));
        assert.equal(status, 201);
        assert.equal(headers["cache-control"], "no-store");
        assert.equal(json.expires_in, 30);
        assert.match(json.ticket, /^[0-9]+-[0-9a-f]{32}$/);
        const stream = await openStream(t, gateway.stream("posts", { ticket: json.ticket }));
        assertRefused(await gateway.get(`/streams/posts?ticket=${json.ticket}`), 401, "invalid_token", /used before/);
        const other = await issue(bearer(NARROW));
        assertRefused(await gateway.get(`/streams/secrets?ticket=${other.json.ticket}`), 403, "insufficient_scope", /channel/);
        assertRefused(await gateway.get(`/streams/posts?ticket=${other.json.ticket}`), 401, "invalid_token", /used before/);
        assert.ok(!stream.ended, "the first goes on");
        assertRefused(await issue({ ...bearer(json.ticket) }), 401, "invalid_token", /not among/);
    });
});

test("one token cannot have all tickets: it is told so, and others get theirs", async (t) => {
    const folder = await createFolder(t);
    const gateway = await startGateway(t, { TUPLECAST_ACCESS_STREAMS: "token", TUPLECAST_ACCESS_TOKENS_FILE: await folder.write("tokens", `${NARROW} posts\n${FIXED} posts`) });
    const issue = (token) => gateway.get("/tickets", { method: "POST", headers: bearer(token) });
    const answers = [];
    for (let i = 0; i < 70 && answers.at(-1)?.status !== 429; i++) answers.push(...(await Promise.all(Array.from({ length: 64 }, () => issue(NARROW)))));
    const refused = answers.find(({ status }) => status === 429);
    assert.ok(refused, "no limit was found");
    assert.match(refused.json.detail, /as many open tickets as it can have/);
    assert.equal(refused.headers["retry-after"], "30");
    assert.equal(answers.filter(({ status }) => status === 201).length, 2048);
    assert.equal((await issue(FIXED)).status, 201);
});

test("the cookie may be in any line of cookies, and in one only", async (t) => {
    const folder = await createFolder(t);
    const gateway = await startGateway(t, {
        TUPLECAST_ACCESS_STREAMS: "token", TUPLECAST_ACCESS_COOKIE: "stream", TUPLECAST_ACCESS_TOKENS_FILE: await folder.write("tokens", `${NARROW} posts`),
    });
    const ask = async (...lines) => {
        const wire = new Wire(t, gateway.port);
        wire.socket.write(`GET /channels HTTP/1.1\r\nHost: localhost\r\n${lines.map((line) => `Cookie: ${line}\r\n`).join("")}\r\n`);
        await wire.wait(() => wire.ended || undefined, () => wire.text);
        return Number(/^HTTP\/1\.1 (\d{3}) /.exec(wire.text)[1]);
    };
    assert.equal(await ask(`stream=${NARROW}`), 200);
    assert.equal(await ask("a=b", `stream=${NARROW}`), 200);
    assert.equal(await ask("a=b", "", `c=d; stream=${NARROW}`, "e=f"), 200);
    assert.equal(await ask(`stream=${NARROW}`, `stream=${NARROW}`), 400);
    assert.equal(await ask("a=b", "c=d"), 401);
});

test("check names each file that is wrong, and the gateway does not start with it", async (t) => {
    const folder = await createFolder(t);
    const key = new Key("ES256", "main");
    const pem = key.privateKey.export({ type: "pkcs8", format: "pem" });
    const cases = [
        [{ TUPLECAST_ACCESS_STREAMS: "token" }, /access\.streams: .*needs tokens/],
        [{ TUPLECAST_ACCESS_JWT_KEYS: await folder.write("jwks.json", { keys: [key.jwk] }) }, /access\.jwt_audiences: is empty/],
        [{ TUPLECAST_ACCESS_JWT_KEYS: await folder.write("private.pem", pem), TUPLECAST_ACCESS_JWT_AUDIENCES: "a" }, /holds a private key/],
        [{ TUPLECAST_ACCESS_JWT_KEYS: folder.path("none"), TUPLECAST_ACCESS_JWT_AUDIENCES: "a" }, /cannot read .*none: No such file/],
        [{ TUPLECAST_ACCESS_JWT_KEYS: "keys.json", TUPLECAST_ACCESS_JWT_AUDIENCES: "a" }, /neither an absolute path/],
        [{ TUPLECAST_ACCESS_JWT_SECRET: "short" }, /TUPLECAST_ACCESS_JWT_SECRET: access\.jwt_secret: .*32/],
        [{ TUPLECAST_ACCESS_TOKENS_FILE: await folder.write("tokens", `${FIXED}\nshort\n`) }, /tokens: line 2 has a token that does not have 16 to 4096 bytes/],
        [{ TUPLECAST_ACCESS_COOKIE: "a", TUPLECAST_ACCESS_COOKIE_SAME_SITE: "none", TUPLECAST_ACCESS_COOKIE_SECURE: "false" }, /cookie_same_site/],
    ];
    for (const [env, wanted] of cases) {
        for (const command of ["check", "serve"]) {
            const { code, stderr } = await run([command], { TUPLECAST_LISTEN: "127.0.0.1:0", ...env });
            assert.equal(code, 78, stderr);
            assert.match(stderr, wanted);
        }
    }
});
