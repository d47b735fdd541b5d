// www/tuplecast.js without a browser: its parser, its waits, its types, and the npm package.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { EventStreamParser } from "../../www/tuplecast-reader.js";
import { backoffMs, connect } from "../../www/tuplecast.js";
import { startNumbers } from "./lib/numbers.mjs";
import { until } from "./lib/until.mjs";

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, "../..");
const bytes = (text) => new TextEncoder().encode(text);

describe("the parser", () => {
    const parse = (...chunks) => {
        const parser = new EventStreamParser();
        const events = chunks.flatMap((chunk) => parser.push(typeof chunk === "string" ? bytes(chunk) : chunk));
        return { events, retryMs: parser.retryMs };
    };
    const event = (data, more = {}) => ({ event: "message", data, id: "", prev: "", ...more });

    test("takes a stream however it is cut, and whichever way its lines end", () => {
        const lines = [
            "\ufeff: ok", "", "retry: 2137", "", "id: 1", "event: ready", "data: {}", "", "id: 2", "data: ü 😀", "data:", "data:  two",
            "", "data: ]", "event", "", "", ": heart", "", "event: alone", "", "id", "data", "",
        ];
        const wanted = [
            { event: "ready", data: "{}", id: "1", prev: "" },
            { event: "message", data: "ü 😀\n\n two", id: "2", prev: "1" },
            { event: "message", data: "]", id: "2", prev: "2" },
            { event: "message", data: "", id: "", prev: "2" },
        ];
        for (const end of ["\n", "\r", "\r\n"]) {
            const stream = bytes(lines.join(end) + end);
            assert.deepEqual(parse(stream), { events: wanted, retryMs: 2137 });
            for (let at = 0; at <= stream.length; at++)
                assert.deepEqual(parse(stream.subarray(0, at), stream.subarray(at)).events, wanted, `${JSON.stringify(end)} cut at ${at}`);
            assert.deepEqual(parse(...[...stream].map((byte) => Uint8Array.of(byte))).events, wanted);
        }
    });

    test("ends an event at a lone CR, without waiting for what comes next", () => {
        assert.deepEqual(parse("data: a\r\r").events, [event("a")]);
        assert.deepEqual(parse("data: a\r\n\r", "\ndata: b\n\n").events, [event("a"), event("b")]);
    });

    test("drops one byte order mark at the start, and none elsewhere", () => {
        assert.deepEqual(parse("\ufeffdata: a\n\n\ufeffdata: b\n\ndata: \ufeffc\n\n").events, [event("a"), event("\ufeffc")]);
        assert.deepEqual(parse("\ufeff\ufeffdata: a\n\ndata: b\n\n").events, [event("b")]);
    });

    test("leaves out what the standard does: ids with NUL, waits that are no number, unknown fields, an event cut short", () => {
        const { events, retryMs } = parse("id: a\0b\nretry: 1e3\nretry: -1\nretry\nidea: 1\n data: no\ndata: yes\n\ndata: cut");
        assert.deepEqual(events, [event("yes")]);
        assert.equal(retryMs, null);
    });

    test("takes an event of many megabytes in time that grows with its size, and refuses one beyond its bound", () => {
        const chunk = bytes("x".repeat(65_536));
        const parser = new EventStreamParser();
        parser.push(bytes("data: "));
        for (let i = 0; i < 512; i++) assert.deepEqual(parser.push(chunk), []);
        const [{ data }] = parser.push(bytes("\n\n"));
        assert.equal(data.length, 512 * 65_536);
        assert.throws(() => {
            for (;;) parser.push(chunk);
        }, /more than 67108864 characters/);
    });
});

test("waits start at retry, grow at most twofold, end at half a minute, and are never all the same", () => {
    assert.equal(backoffMs(0, 2000), 2000);
    for (let failures = 1; failures < 100; failures++) {
        assert.equal(backoffMs(failures, 2000, 1), Math.min(30_000, 2000 * 2 ** failures));
        assert.equal(backoffMs(failures, 2000, 0), backoffMs(failures, 2000, 1) / 2);
        assert.equal(backoffMs(failures, 100_000, 1), 100_000); // whoever asks for longer gets it
    }
    assert.ok(new Set(Array.from({ length: 50 }, () => backoffMs(3, 2000))).size > 25);
});

test("options that make no sense are refused with what to do", () => {
    assert.throws(() => connect("/streams/a"), /URL/i); // without a page, relative to nothing
    assert.throws(() => connect("http://localhost/streams/a", { silenceMs: 10 }), /silenceMs is 1000 or more/);
});

describe("the npm package", () => {
    const install = async (t) => {
        const folder = await mkdtemp(path.join(os.tmpdir(), "package-"));
        t.after(() => rm(folder, { recursive: true }));
        const { stdout } = await run("npm", ["pack", "--silent", "--offline", "--pack-destination", folder], { cwd: path.join(ROOT, "www") });
        await mkdir(path.join(folder, "node_modules/tuplecast"), { recursive: true });
        await run("tar", ["-xzf", stdout.trim(), "--strip-components=1", "-C", "node_modules/tuplecast"], { cwd: folder });
        await writeFile(path.join(folder, "package.json"), '{"type":"module"}');
        return folder;
    };

    test("has the version of the program, works in Node, and depends on nothing", async (t) => {
        const folder = await install(t);
        const { version, dependencies } = JSON.parse(await readFile(path.join(folder, "node_modules/tuplecast/package.json"), "utf8"));
        assert.equal(version, /project\(tuplecast VERSION (\S+)/.exec(await readFile(path.join(ROOT, "CMakeLists.txt"), "utf8"))[1]);
        assert.equal(dependencies, undefined);

        const { gateway, publish } = await startNumbers(t);
        const module = await import(path.join(folder, "node_modules/tuplecast/tuplecast.js"));
        const stream = module.connect(gateway.stream("numbers"));
        t.after(() => stream.close());
        const seen = [];
        stream.addEventListener("change", ({ detail }) => seen.push(detail.data));
        await until(() => stream.database === "up", "ready");
        await publish(3);
        await until(() => seen.length === 3, "three numbers");
        assert.deepEqual([stream.state, stream.role], ["open", "alone"]);
        stream.close();
        assert.deepEqual([stream.state, stream.reason], ["closed", "closed"]);
    });

    test("has types that say what there is, and no more", async (t) => {
        const folder = await install(t);
        await writeFile(
            path.join(folder, "use.ts"),
            `import { backoffMs, connect, type Change, type Gap, type Options } from "tuplecast";
            interface Post { id: number; title: string | null }
            const options: Options = { ticket: async () => "t", share: "me", resume: "posts", silenceMs: Infinity };
            const stream = connect<Post>("/streams/posts_changes", options);
            stream.addEventListener("change", ({ detail }) => {
                const change: Change<Post> = detail;
                const title: string | null = change.data.title;
                console.log(title, change.eventId, change.key, change.old?.title, change.changed, change.at, change.cut, change.text);
                // @ts-expect-error: no such column
                change.data.body;
            });
            stream.addEventListener("gap", ({ detail }) => { const { reason, resumed }: Gap = detail; console.log(reason, resumed); });
            stream.addEventListener("state", ({ detail }) => {
                if (detail.state === "waiting" && detail.retryAt !== null) console.log(detail.retryAt - Date.now(), detail.message);
                // @ts-expect-error: no such state
                if (detail.state === "dead") return;
            });
            // @ts-expect-error: EventSource has it, we do not
            stream.addEventListener("message", (event) => event.data);
            // @ts-expect-error: only read
            stream.state = "open";
            // @ts-expect-error: no such option
            connect("/streams/a", { shared: true });
            const wait: number = backoffMs(1, 2000);
            console.log(wait, stream.role, stream.lastEventId, stream.database);
            stream.reconnect();
            stream.close();`,
        );
        const tsc = path.join(import.meta.dirname, "node_modules/typescript/bin/tsc");
        const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom", "use.ts"];
        await run(process.execPath, [tsc, ...options], { cwd: folder }).catch(({ stdout }) => assert.fail(stdout));

        const declared = await readFile(path.join(folder, "node_modules/tuplecast/tuplecast.d.ts"), "utf8");
        const stream = connect("http://127.0.0.1:1/streams/a");
        stream.close();
        const members = /^export interface Stream<.*?^}/ms.exec(declared)[0].matchAll(/^    (?:readonly )?(\w+)[:(<]/gm);
        for (const [, name] of members) assert.ok(name in stream, name);
        const own = Object.keys(stream).concat(Object.getOwnPropertyNames(Object.getPrototypeOf(stream)));
        for (const name of own.filter((name) => name !== "constructor")) assert.match(declared, new RegExp(`\\b${name}\\b`), name);
    });
});
