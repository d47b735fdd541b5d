// The plainest client of all.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { Parser } from "./lib/sse.mjs";
import { Waitable } from "./lib/until.mjs";

/** curl with these arguments: what it prints so far, and its end. */
class Curl extends Waitable {
    bytes = Buffer.alloc(0);

    constructor(t, ...args) {
        super();
        this.child = spawn("curl", ["--silent", "--show-error", ...args], { stdio: ["ignore", "pipe", "inherit"] });
        t.after(() => this.child.kill("SIGKILL"));
        this.ended = once(this.child, "close");
        this.child.stdout.on("data", (chunk) => {
            this.bytes = Buffer.concat([this.bytes, chunk]);
            this.changed();
        });
    }

    get events() {
        return new Parser().push(this.bytes).filter((block) => "data" in block);
    }

    event(name, what = name) {
        return this.wait(() => this.events.find((event) => event.name === name), () => `${what} in ${this.bytes}`);
    }
}

test("curl -N shows each change as it is committed", async (t) => {
    const database = await createDatabase(t);
    await database.createPosts();
    const gateway = await startGateway(t, database.env);
    await gateway.ready();
    const curl = new Curl(t, "-N", `${gateway.origin}/streams/posts_changes`);
    await curl.event("ready");
    assert.match(curl.bytes.toString(), /^: ok\n/);
    for (let id = 1; id <= 3; id++) {
        await database.query("INSERT INTO posts (title) VALUES ('Ünïcödé')");
        const found = await curl.wait(() => curl.events.find((event) => event.json.id === id), `row ${id} at once, not when the next one comes`);
        assert.deepEqual(found.json, { channel: "posts_changes", table: "posts", type: "INSERT", id, data: { id, title: "Ünïcödé" } });
    }
    assert.equal(curl.events.filter((event) => event.name === "message").length, 3);
});

test("curl -N sees bye, and a clean end, when the gateway is stopped", async (t) => {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, database.env);
    await gateway.ready();
    const curl = new Curl(t, "-N", `${gateway.origin}/streams/posts_changes`);
    await curl.event("ready");
    await gateway.stop();
    const [code] = await curl.ended;
    assert.equal(code, 0, "a stream that was cut would be an error to curl");
    assert.equal(curl.events.at(-1).name, "bye");
});

test("curl --fail fails on a channel that is not allowed", async (t) => {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_CHANNELS: "posts_changes" });
    const curl = new Curl(t, "--fail-with-body", "--stderr", "/dev/null", `${gateway.origin}/streams/secrets`);
    const [code] = await curl.ended;
    assert.equal(code, 22);
    assert.match(curl.bytes.toString(), /channel/i);
});
