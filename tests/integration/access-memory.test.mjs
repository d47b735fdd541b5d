// Without memory no token is judged more mildly, and a good one is not called a bad one: one allocation after the other fails while it
// is looked at, in the program and in libcrypto.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { failingMalloc, skip } from "./lib/failing_malloc.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { Key, bearer, claims, createFolder, keySettings } from "./lib/tokens.mjs";

const ALLOCATIONS = 150; // of one request; there are fewer
const FIXED = "correct-horse-battery-staple";

test("a good token is taken or nobody knows, and a bad one is never taken", { skip, timeout: 170_000 }, async (t) => {
    const folder = await createFolder(t);
    const database = await createDatabase(t);
    const keys = ["HS256", "RS256", "PS256", "ES256", "EdDSA"].map((name) => new Key(name, name));
    const tokens = await folder.write("tokens", `${FIXED} a\n`);
    const { control, env } = await failingMalloc(t);
    const gateway = await startGateway(t, { ...database.env, ...(await keySettings(folder, ...keys)), ...env, TUPLECAST_ACCESS_TOKENS_FILE: tokens });
    await gateway.ready();
    const ask = async (method, path, token) => {
        const answer = await gateway.get(path, { method, headers: bearer(token) }).catch(() => undefined);
        if (!gateway.running) assert.fail(`it ended with ${await gateway.ended()}:\n${gateway.log}`);
        return answer?.status;
    };
    const samples = keys.map((key) => {
        const granted = claims({ channels: ["a", "b_*"], where: { tenant_id: [1, "x"], kind: true } });
        const good = key.sign(granted);
        const bad = good.slice(0, -8) + (good.endsWith("AAAAAAAA") ? "BBBBBBBA" : "AAAAAAAA");
        return { name: key.algorithm, good, bad, beyond: key.sign({ ...granted, tuplecast: { channels: ["a"], where: {} } }) };
    });
    samples.push({ name: "a fixed token", good: FIXED, bad: `${FIXED}x` });
    const wrong = [];
    for (const { name, good, bad, beyond } of samples) {
        let taken = 0;
        const requests = [["GET", "/channels", good, [200, 503]], ["POST", "/tickets", good, [201, 503]], ["GET", "/channels", bad, [401, 503]]];
        if (beyond) requests.push(["GET", "/channels", beyond, [403, 503]]);
        for (let n = 1; n <= ALLOCATIONS; n++) {
            for (const [method, path, token, wanted] of requests) {
                control.fail(n);
                const status = await ask(method, path, token);
                control.fail(0);
                const at = `${name}, allocation ${n}: ${method} ${path} answered ${status} instead of ${wanted}`;
                // A connection may end without an answer.
                if (status === undefined || wanted.includes(status)) taken += status === 200;
                else if (status === 401 && !["HS256", "a fixed token"].includes(name)) wrong.push(at);
                else assert.fail(at);
            }
        }
        assert.ok(taken > 10, "most requests have fewer allocations");
        assert.equal(await ask("GET", "/channels", good), 200);
    }
    t.diagnostic(`${control.failed} allocations failed`);
    assert.ok(control.failed > 500);
    // Where libcrypto does not tell that it had no memory from a signature that is wrong.
    t.diagnostic(`${wrong.length} right signatures were called wrong`);
    assert.ok(wrong.length < 50, wrong.join("\n"));

    // A reload that finds no memory changes nothing, or is done.
    for (let n = 1; n <= 300; n += 3) {
        control.fail(n);
        const before = gateway.log.match(/configuration (not )?reloaded/g)?.length ?? 0;
        gateway.signal("SIGHUP");
        // The line may be what could not be written.
        for (let i = 0; i < 100 && (gateway.log.match(/configuration (not )?reloaded/g)?.length ?? 0) === before; i++) await ask("GET", "/livez", "x");
        control.fail(0);
        assert.equal(await ask("GET", "/channels", samples[3].good), 200, `reload, allocation ${n}`);
    }
});
