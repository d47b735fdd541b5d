// Streams end when the right to read them does.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { request, subscribe } from "./lib/sse.mjs";
import { Key, bearer, claims, createFolder, keySettings, now } from "./lib/tokens.mjs";
import { until } from "./lib/until.mjs";

const ALICE = "alice-0123456789abcdef";
const BOB = "bob-0123456789abcdef-0123";

const reloaded = (gateway, times) => until(() => gateway.log.match(/configuration reloaded/g)?.length === times, "the reload");

test("a stream says bye when its token expires, and only that one", async (t) => {
    const folder = await createFolder(t);
    const database = await createDatabase(t);
    const key = new Key("ES256", "main");
    const gateway = await startGateway(t, { ...database.env, ...(await keySettings(folder, key)) });
    await gateway.ready();
    // It counts for 60 s more than it says, so that two clocks may differ.
    const ending = { headers: bearer(key.sign(claims({ channels: ["a"] }, { exp: now() - 56 }))) };
    const lasting = { headers: bearer(key.sign(claims({ channels: ["a"] }))) };
    const [short, long] = [await subscribe(t, gateway.stream("a"), ending), await subscribe(t, gateway.stream("a"), lasting)];
    await database.notify("a", "1");
    assert.equal((await short.messages(1))[0].json.data, 1);
    assert.deepEqual((await short.next("bye", 30_000)).json, { reason: "expired" });
    await short.end();
    await database.notify("a", "2");
    assert.deepEqual((await long.messages(2)).map(({ json }) => json.data), [1, 2]);
    assert.equal((await request(gateway.stream("a"), ending)).status, 401, "it does not come back with the same token");
    const next = await subscribe(t, gateway.stream("a"), { headers: { ...lasting.headers, "last-event-id": short.lastId } });
    assert.equal((await next.messages(1))[0].json.data, 2, "nothing is missing with another one");
});

test("a reload ends, at once, the streams whose token or channel is gone", async (t) => {
    const folder = await createFolder(t);
    const database = await createDatabase(t);
    const [kept, dropped] = [new Key("ES256", "kept"), new Key("EdDSA", "dropped")];
    const jwks = (...keys) => JSON.stringify({ keys: keys.map((key) => key.jwk) });
    const keys = await folder.write("jwks.json", jwks(kept, dropped));
    const tokens = await folder.write("tokens", `${ALICE}\n${BOB} a b\n`);
    const settings = (channels) =>
        `channels = (${channels}); access = { streams = "token"; tokens_file = "${tokens}"; jwt_keys = ("${keys}"); jwt_audiences = ("https://streams.test"); };`;
    const file = await folder.write("tuplecast.conf", settings('"a", "b", "c"'));
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_CHANNELS: "", TUPLECAST_ACCESS_STREAMS: "", TUPLECAST_STREAMS_RETRY_MS: "100" }, ["-c", file]);
    await gateway.ready();
    const open = (channel, token) => subscribe(t, gateway.stream(channel), { headers: bearer(token) });
    const jwt = (key) => key.sign(claims({ channels: ["*"] }));
    const ticket = (await gateway.get("/tickets", { method: "POST", headers: bearer(BOB) })).json.ticket;
    const streams = {
        alice: await open("a", ALICE),
        bob: await open("a", BOB),
        kept: await open("a", jwt(kept)),
        dropped: await open("a", jwt(dropped)),
        channel: await open("c", ALICE),
    };

    // A mistake changes nothing.
    await writeFile(tokens, "short\n");
    gateway.signal("SIGHUP");
    await until(() => /configuration not reloaded/.test(gateway.log), "the refusal");
    assert.match(gateway.log, /line 1 has a token/);

    await writeFile(tokens, `${ALICE}\n${BOB} a\n`);
    await writeFile(keys, jwks(kept));
    await writeFile(file, settings('"a", "b"'));
    gateway.signal("SIGHUP");
    for (const name of ["bob", "dropped", "channel"]) {
        assert.deepEqual((await streams[name].next("bye")).json, { reason: "revoked" }, name);
        await streams[name].end();
    }
    assert.equal((await request(gateway.stream("a", { ticket }))).status, 401, "a ticket does not outlive what it stands for");
    assert.equal((await request(gateway.stream("a"), { headers: bearer(jwt(dropped)) })).status, 401);
    await open("a", BOB);
    await database.notify("a", "still here");
    for (const name of ["alice", "kept"]) assert.equal((await streams[name].messages(1))[0].json.data, "still here", name);
    assert.equal(await gateway.metric("tuplecast_streams"), 3);
});

test("closing streams to all ends those that are open", async (t) => {
    const folder = await createFolder(t);
    const database = await createDatabase(t);
    const file = await folder.write("tuplecast.conf", 'channels = ("*"); access = { streams = "open"; };');
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_CHANNELS: "", TUPLECAST_ACCESS_STREAMS: "" }, ["-c", file]);
    await gateway.ready();
    const streams = await Promise.all(Array.from({ length: 50 }, (_, i) => subscribe(t, gateway.stream(`channel_${i % 7}`))));
    await writeFile(file, 'channels = ("*");');
    gateway.signal("SIGHUP");
    for (const stream of streams) assert.deepEqual((await stream.next("bye")).json, { reason: "revoked" });
    await until(async () => (await gateway.metric("tuplecast_streams")) === 0, "no streams");
    assert.equal((await request(gateway.stream("a"))).status, 403);
});
