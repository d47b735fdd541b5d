// www/tuplecast.js in real browsers: everything that it promises beyond EventSource.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { BROWSERS, newContext } from "./lib/browsers.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { Watcher } from "./lib/watcher.mjs";

const CHANNEL = "numbers";
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

async function setUp(t, env = {}) {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_STREAMS_RETRY_MS: "300", ...env });
    await gateway.ready();
    let last = 0;
    const publish = async (count = 1) => {
        for (let i = 0; i < count; i++) await database.notify(CHANNEL, String(++last));
        return last;
    };
    return { database, gateway, publish };
}

for (const [name, start] of Object.entries(BROWSERS)) {
    describe(name, () => {
        let browser;
        before(async () => {
            browser = await start();
        });
        after(() => browser?.close());

        test("changes arrive with what they hold, and each state in its order", async (t) => {
            const { database, gateway } = await setUp(t);
            await database.createPosts();
            const tab = await Watcher.open(await newContext(t, browser), gateway.origin, "/streams/posts_changes");
            await tab.count("ready");
            await database.query("INSERT INTO posts (title) VALUES ('Hello')");
            const { detail } = await tab.find((events) => events.find((event) => event.name === "change"), "a change");
            const { eventId, text, ...rest } = detail;
            assert.deepEqual(rest, {
                channel: "posts_changes", table: "posts", type: "INSERT", key: 1, data: { id: 1, title: "Hello" },
            });
            assert.match(eventId, /^[0-9A-Za-z._-]+$/);
            assert.equal(JSON.parse(text).id, 1);
            const now = await tab.now();
            assert.deepEqual(now, { ...now, state: "open", role: "leader", database: "up", lastEventId: eventId });
        });

        test("tabs share one connection, and a tab takes over when the leader goes: none lost, none twice", async (t) => {
            const { gateway, publish } = await setUp(t);
            const context = await newContext(t, browser);
            const tabs = [];
            for (let i = 0; i < 4; i++) {
                tabs.push(await Watcher.open(context, gateway.origin, gateway.stream(CHANNEL)));
                await tabs[i].count("ready");
            }
            await publish(20);
            for (const tab of tabs) await tab.number(20);
            assert.equal(await gateway.metric("tuplecast_streams"), 1);
            await tabs[0].page.close();
            await publish(20);
            for (const tab of tabs.slice(1)) {
                await tab.number(40);
                assert.deepEqual(await tab.seen(), numbers(1, 40));
            }
        });
    });
}
