// Tests of the tests: a reader that takes anything, or a counter that never complains, would prove nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { proveNothingLostSilently } from "./lib/counter.mjs";
import { Parser } from "./lib/sse.mjs";

const gap = { gap: "outage" };

test("the counter is content with every change once and in order", () => {
    assert.deepEqual(proveNothingLostSilently([1, 2, 3], [1, 2, 3]), { delivered: 3, missing: 0, gaps: 0 });
});

test("the counter is content with a hole behind an announced gap, also at the end", () => {
    assert.deepEqual(proveNothingLostSilently([1, 2, 3, 4], [1, gap, 3, gap]), { delivered: 2, missing: 2, gaps: 2 });
});

test("the counter finds a lost change, at the start, inside and at the end", () => {
    for (const seen of [[2, 3], [1, 3], [1, 2], [gap, 1, 3], [1, 3, gap]])
        assert.throws(() => proveNothingLostSilently([1, 2, 3], seen), /lost without a gap/, JSON.stringify(seen));
});

test("the counter finds a doubled change, also after a gap", () => {
    for (const seen of [[1, 1, 2], [1, 2, 1], [1, 2, gap, 2]])
        assert.throws(() => proveNothingLostSilently([1, 2], seen), /again, or out of order/, JSON.stringify(seen));
});

test("the counter finds changes out of order and made up", () => {
    assert.throws(() => proveNothingLostSilently([1, 2], [2, 1]), /again, or out of order/);
    assert.throws(() => proveNothingLostSilently([1, 2], [1, 2, 3]), /never committed/);
});

test("the reader keeps blocks raw, however the bytes are cut", () => {
    const bytes = Buffer.from(': ok\nretry: 2000\n\nid: 1-a\nevent: ready\ndata: {"ü":1}\n\n: \n\n');
    for (let size = 1; size < 8; size++) {
        const parser = new Parser();
        const blocks = [];
        for (let at = 0; at < bytes.length; at += size) blocks.push(...parser.push(bytes.subarray(at, at + size)));
        assert.deepEqual(blocks.map(({ id, name, retry }) => ({ id, name, retry })), [
            { id: undefined, name: undefined, retry: "2000" },
            { id: "1-a", name: "ready", retry: undefined },
            { id: undefined, name: undefined, retry: undefined },
        ]);
        assert.deepEqual(blocks[1].json, { "ü": 1 });
        assert.equal(blocks[0].comments[0], "ok");
    }
});

test("the reader refuses what our encoder may not write", () => {
    const bad = ["data: {}\r\n\n", "data:{}\n\n", "data: 1\n\n", "data: {}\ndata: {}\n\n", "nonsense\n\n", "id: ü\ndata: {}\n\n",
        "id: 1\n\n", "event: x\n\n", "retry: soon\n\n", "data: {\0}\n\n", "ID: 1\n\n"];
    for (const text of bad) assert.throws(() => new Parser().push(Buffer.from(text)), undefined, JSON.stringify(text));
    assert.throws(() => new Parser().push(Buffer.from([0x64, 0xff, 0x0a])), undefined, "not UTF-8");
});
