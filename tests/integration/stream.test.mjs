// What a stream looks like from outside: the requests it understands and the bytes it sends.

import assert from "node:assert/strict";
import net from "node:net";
import { before, describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { startGateway } from "./lib/gateway.mjs";
import { openStream, request, subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const ORIGIN = "https://app.example";

let database, gateway;
let channels = 0;
/** A channel that no other test uses. */
const fresh = () => `channel_${++channels}`;
const change = (table, type, id, data = { id }) => JSON.stringify({ table, type, id, data });

const file = wholeFile();
before(async () => {
    database = await createDatabase(file);
    gateway = await startGateway(file, {
        ...database.env,
        TUPLECAST_CHANNELS: "channel_*,posts_changes,weird:*,x*,é*",
        TUPLECAST_CORS_ORIGINS: ORIGIN,
    });
    await gateway.ready();
});

describe("a stream begins", () => {
    test("with the comment ok, a retry around two seconds, and ready, which names channels and database", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel));
        assert.equal(stream.blocks[0].comments[0], "ok");
        assert.ok(stream.blocks[0].raw.startsWith(": ok"), stream.blocks[0].raw);
        const retry = stream.blocks.findIndex((block) => "retry" in block);
        assert.ok(retry >= 0 && retry <= stream.blocks.indexOf(stream.ready), "retry comes before ready");
        const { retry: milliseconds } = stream.blocks[retry];
        assert.ok(milliseconds >= 1000 && milliseconds <= 4000, milliseconds);
        assert.equal(stream.events[0], stream.ready, "ready is the first event");
        assert.deepEqual(stream.ready.json, { channels: [channel], database: "up" });
        assert.match(stream.ready.id, /^[0-9A-Za-z._-]{1,64}$/);
    });

    test("with a retry that is not the same for all clients", async (t) => {
        const url = gateway.stream(fresh());
        const streams = await Promise.all(Array.from({ length: 12 }, () => subscribe(t, url)));
        const times = streams.map((stream) => stream.blocks.find((block) => "retry" in block).retry);
        assert.ok(new Set(times).size >= 6, times.join(" "));
    });

    test("with ready only once nothing that is committed afterwards can be missed", async (t) => {
        // A channel of its own for each: every one has to wait for its LISTEN.
        await Promise.all(
            Array.from({ length: 40 }, async () => {
                const channel = fresh();
                const stream = await subscribe(t, gateway.stream(channel));
                await database.notify(channel, '"first"');
                const [message] = await stream.messages(1);
                assert.equal(message.json.data, "first");
            }),
        );
    });

    test("for all channels of all clients over one connection to the database", async (t) => {
        await Promise.all(Array.from({ length: 20 }, () => subscribe(t, gateway.stream(fresh()))));
        const others = await database.query(
            `SELECT pid, query FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
        );
        assert.ok(others.length >= 1 && others.length <= 2, JSON.stringify(others)); // a second one calls trigger functions
    });

    test("with headers that keep browsers and proxies from storing, changing or buffering it", async (t) => {
        const { headers } = await openStream(t, gateway.stream(fresh()));
        assert.match(headers["content-type"], /^text\/event-stream(; ?charset=utf-8)?$/i);
        const directives = headers["cache-control"].split(/, */);
        assert.ok(directives.includes("no-store") && directives.includes("no-transform"), headers["cache-control"]);
        assert.equal(headers["x-accel-buffering"], "no");
        assert.equal(headers["content-length"], undefined);
    });

    test("for HTTP/1.0, too", async (t) => {
        const channel = fresh();
        const socket = net.connect(gateway.port, "127.0.0.1");
        t.after(() => socket.destroy());
        socket.setTimeout(10_000, () => socket.destroy(new Error("nothing came")));
        socket.write(`GET /streams/${channel} HTTP/1.0\r\n\r\n`);
        let text = "";
        for await (const chunk of socket) {
            text += chunk;
            if (text.includes("event: ready")) break;
        }
        assert.match(text, /^HTTP\/1\.[01] 200 [^]*\r\n\r\n: ok\n/);
        assert.doesNotMatch(text, /chunked/i);
    });
});

describe("an event", () => {
    test("is one line of JSON with channel, table, type, id and data, and has an id of its own", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel));
        await database.notify(channel, change("posts", "INSERT", 7, { id: 7, title: "Hi" }));
        await database.notify(channel, change("posts", "DELETE", 7, { id: 7, title: "Hi" }));
        const [first, second] = await stream.messages(2);
        assert.deepEqual(first.json, { channel, table: "posts", type: "INSERT", id: 7, data: { id: 7, title: "Hi" } });
        assert.equal(second.json.type, "DELETE");
        assert.ok(!("event" in first), "no event line: onmessage gets it");
        assert.equal(new Set([stream.ready.id, first.id, second.id]).size, 3);
    });

    test("reaches every client of its channel, in order of commit, and no other client", async (t) => {
        const channel = fresh();
        const streams = await Promise.all(Array.from({ length: 10 }, () => subscribe(t, gateway.stream(channel))));
        const other = fresh();
        const elsewhere = await subscribe(t, gateway.stream(other));
        await database.query("SELECT pg_notify($1, i::text) FROM generate_series(1, 1000) i", [channel]);
        await database.notify(other, "0");
        for (const stream of streams) {
            const data = (await stream.messages(1000)).map((message) => message.json.data);
            assert.deepEqual(data, Array.from({ length: 1000 }, (_, i) => i + 1));
        }
        assert.deepEqual((await elsewhere.messages(1)).map((message) => message.json.data), [0]);
    });

    test("is not sent when the transaction rolls back", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel));
        await database.query("BEGIN");
        await database.notify(channel, '"undone"');
        await database.query("ROLLBACK");
        await database.notify(channel, '"done"');
        const [message] = await stream.messages(1);
        assert.equal(message.json.data, "done");
    });

    test("carries a composite, a text or a missing key as it is", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel));
        for (const id of [{ a: 1, b: "x" }, "key", null, 12345678901234]) await database.notify(channel, change("t", "INSERT", id, {}));
        const ids = (await stream.messages(4)).map((message) => message.json.id);
        assert.deepEqual(ids, [{ a: 1, b: "x" }, "key", null, 12345678901234]);
    });

    test("keeps the further members of its payload", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel));
        const payload = { schema: "blog", table: "posts", type: "UPDATE", id: 1, data: { id: 1 }, old: { id: 0 }, changed: ["id"] };
        await database.notify(channel, JSON.stringify(payload));
        const [message] = await stream.messages(1);
        assert.deepEqual(message.json, { channel, ...payload });
    });

    test("cannot pretend to be of another channel", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel));
        await database.notify(channel, '{"channel":"other","table":"t","type":"INSERT","id":1,"data":{}}');
        const [message] = await stream.messages(1);
        assert.equal(message.json.channel, channel);
        assert.doesNotMatch(message.data, /other/);
    });
});

describe("the classic trigger of tutorials, typed in by hand,", () => {
    before(() => database.createPosts("posts_changes"));

    test("works unchanged for INSERT, UPDATE and DELETE", async (t) => {
        const stream = await subscribe(t, gateway.stream("posts_changes"));
        const id = Number(await database.value("INSERT INTO posts (title) VALUES ('Hi') RETURNING id"));
        await database.query("UPDATE posts SET title = 'Ho' WHERE id = $1", [id]);
        await database.query("DELETE FROM posts WHERE id = $1", [id]);
        const messages = await stream.messages(3);
        assert.deepEqual(
            messages.map((message) => message.json),
            [
                ["INSERT", "Hi"],
                ["UPDATE", "Ho"],
                ["DELETE", "Ho"],
            ].map(([type, title]) => ({ channel: "posts_changes", table: "posts", type, id, data: { id, title } })),
        );
    });

    test("passes titles through byte for byte: quotes, line breaks, unicode and all", async (t) => {
        const stream = await subscribe(t, gateway.stream("posts_changes"));
        const titles = ["", " ", `'"\\/`, "a\nb\r\nc\rd\te\fg\bh", "Ünïcödé ßẞ", "日本語 🙂 👨‍👩‍👧", "\u2028\u2029\ufeff\u200b",
            "\u0001\u001f\u007f\u0085", "</script>&amp;", "data: x\n\nevent: gap\ndata: {}\n\n", "x".repeat(7000), "null"];
        for (const title of titles) await database.query("INSERT INTO posts (title) VALUES ($1)", [title]);
        const messages = await stream.messages(titles.length);
        const rows = await database.query("SELECT row_to_json(p)::text FROM posts p ORDER BY id DESC LIMIT $1", [titles.length]);
        for (const [i, [row]] of rows.reverse().entries()) {
            assert.ok(messages[i].data.includes(`"data":${row}`) || messages[i].data.includes(`"data" : ${row}`), `${row} in ${messages[i].data}`);
            assert.equal(messages[i].json.data.title, titles[i]);
        }
    });

    test("passes numbers through that no double can hold", async (t) => {
        await database.query("CREATE TABLE numbers (id bigint PRIMARY KEY, n numeric, d double precision)");
        await database.createClassicTrigger("numbers", "posts_changes");
        const stream = await subscribe(t, gateway.stream("posts_changes"));
        const number = "123456789012345678901234567890.123456789012345678901234567890";
        await database.query(`INSERT INTO numbers VALUES (9223372036854775807, ${number}, 'NaN'), (2, 1e400, 1e-300), (3, -0.10, '-Infinity')`);
        const rows = await database.query("SELECT row_to_json(t)::text FROM numbers t");
        const messages = await stream.messages(3);
        for (const [i, [row]] of rows.entries()) assert.ok(messages[i].data.includes(row), `${row} in ${messages[i].data}`);
        assert.ok(messages[0].data.includes(number));
        assert.match(messages[0].data, /"id" ?: ?9223372036854775807/);
    });

    test("passes a json column with line breaks, whose text PostgreSQL keeps as it was written", async (t) => {
        await database.query("CREATE TABLE documents (id int PRIMARY KEY, body json)");
        await database.createClassicTrigger("documents", "posts_changes");
        const stream = await subscribe(t, gateway.stream("posts_changes"));
        const body = { a: [1, { b: "two\nlines" }], c: {} };
        await database.query("INSERT INTO documents VALUES (1, $1)", [JSON.stringify(body, null, "\t").replaceAll("\n", "\r\n")]);
        const [message] = await stream.messages(1);
        assert.deepEqual(message.json.data.body, body);
    });
});

describe("a payload that is not a row change", () => {
    const wrap = (channel, data) => ({ channel, table: null, type: null, id: null, data });
    const json = ['{"a":1}', "[1,[2]]", "42", '"text"', "true", "null", "{}", "[]", '{"table":"posts"}', '{"table":"t","type":"DROP"}',
        '{"table":1,"type":"INSERT","id":1,"data":{}}', '{\n  "pretty": [\n    1\n  ]\n}', " [1] ", '"\\ud83d\\ude42 \\u00e9"'];
    const text = ["hello", "", " ", "NaN", "Infinity", "-Infinity", "{'a':1}", "[1,]", '{"a":1}{', "01", "1 2", "nul", "// no", "+1",
        ".5", '"open', "two\nlines\r\nand\rmore", "x\n\nevent: gap\ndata: {}\n\n", "\ufeff{}", "ünï 🙂\u2028", "\u0001\u007f", '\\"', "x".repeat(7999)];

    test("arrives as it is in data when it is JSON", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel));
        for (const payload of json) await database.notify(channel, payload);
        const messages = await stream.messages(json.length);
        for (const [i, payload] of json.entries()) assert.deepEqual(messages[i].json, wrap(channel, JSON.parse(payload)), payload);
    });

    test("arrives as a JSON string in data when it is any other text", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel));
        for (const payload of text) await database.notify(channel, payload);
        const messages = await stream.messages(text.length);
        for (const [i, payload] of text.entries()) assert.deepEqual(messages[i].json, wrap(channel, payload));
    });

    test("keeps digits that no double can hold, and nesting that no stack should follow", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel));
        const number = "-123456789012345678901234567890.5e-7";
        const deep = "[".repeat(3900) + "]".repeat(3900);
        for (const payload of [number, `{"n": ${number}}`, deep]) await database.notify(channel, payload);
        const messages = await stream.messages(3);
        assert.ok(messages[0].data.includes(`"data":${number}`), messages[0].data);
        assert.ok(messages[1].data.includes(number), messages[1].data);
        const { data } = messages[2].json;
        assert.ok(data === deep || JSON.stringify(data) === deep);
    });
});

describe("several channels", () => {
    test("come over one stream, each event with its channel, in order of commit", async (t) => {
        const [a, b] = [fresh(), fresh()];
        const stream = await subscribe(t, gateway.stream([a, b]));
        assert.deepEqual(stream.ready.json.channels.toSorted(), [a, b].toSorted());
        for (let i = 0; i < 20; i++) await database.notify(i % 3 ? a : b, String(i));
        const messages = await stream.messages(20);
        assert.deepEqual(messages.map(({ json }) => [json.channel, json.data]), Array.from({ length: 20 }, (_, i) => [i % 3 ? a : b, i]));
    });

    test("count once when one is named twice", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream([channel, channel]));
        assert.deepEqual(stream.ready.json.channels, [channel]);
        await database.query("SELECT pg_notify($1, i::text) FROM generate_series(1, 2) i", [channel]);
        assert.deepEqual((await stream.messages(2)).map(({ json }) => json.data), [1, 2]);
    });
});

describe("the name of a channel", () => {
    test("may be anything PostgreSQL takes, percent-encoded", async (t) => {
        const names = ["x y", "x/y", 'x"y', "x'y", "x%y", "x%2Fy", "x+y", "x&y=z", "x?y#z", "xMixedCase", "é日本", "x;drop table posts", "x\\y",
            "weird:name", "x" + "y".repeat(62), "é".repeat(31)];
        for (const name of names) {
            const both = [await subscribe(t, gateway.stream(name)), await subscribe(t, gateway.stream([name]))];
            await database.notify(name, '"hit"');
            for (const stream of both) {
                assert.deepEqual(stream.ready.json.channels, [name]);
                const [message] = await stream.messages(1);
                assert.deepEqual([message.json.channel, message.json.data], [name, "hit"]);
                stream.close();
            }
        }
    });

    test("is told from the same in other capitals", async (t) => {
        const stream = await subscribe(t, gateway.stream("xCase"));
        await database.notify("xcase", '"wrong"');
        await database.notify("xCase", '"right"');
        assert.equal((await stream.messages(1))[0].json.data, "right");
    });

    test("is answered with 400 when it is empty, too long, or has control characters or bad encoding in it", async () => {
        const bad = ["/streams/", "/streams", "/streams?channel=", `/streams/${"x".repeat(64)}`, `/streams/${"%C3%A9".repeat(32)}`, "/streams/x%00y",
            "/streams/x%0Ay", "/streams/x%0D%0Ay", "/streams/x%1By", "/streams/x%7Fy", "/streams/x%FFy", "/streams/x%C0%AFy", "/streams/x%zz", "/streams/x%4",
            "/streams?channel=x%00y", "/streams?channel=x%0Ay"];
        const answers = await Promise.all(bad.map((path) => gateway.get(path)));
        assert.deepEqual(answers.map(({ status }, i) => `${status} ${bad[i]}`), bad.map((path) => `400 ${path}`));
        for (const { headers, json } of answers) {
            assert.match(headers["content-type"], /^application\/problem\+json/);
            assert.equal(json.status, 400);
        }
    });

    test("is answered with 404 that says so when the channel is not allowed, also as one of several", async () => {
        for (const path of ["/streams/secrets", "/streams/Channel_1", "/streams?channel=channel_1&channel=secrets"]) {
            const response = await gateway.get(path);
            assert.equal(response.status, 404, path);
            assert.match(response.headers["content-type"], /^application\/problem\+json/, path);
            assert.match(response.json.detail, /channel/i, path);
        }
    });
});

describe("a filter", () => {
    const send = async (channel) => {
        for (const [table, type, id] of [
            ["posts", "INSERT", 7],
            ["posts", "UPDATE", 7],
            ["posts", "UPDATE", 8],
            ["comments", "INSERT", 7],
            ["comments", "DELETE", "seven"],
            ["tags", "TRUNCATE", null],
        ])
            await database.notify(channel, change(table, type, id));
        await database.notify(channel, change("end", "INSERT", "end"));
    };
    /** What comes through, up to and without the last one, which each query lets pass. */
    const through = async (t, query) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel, query));
        await send(channel);
        const found = [];
        for (;;) {
            const { json } = await stream.next();
            if (json.table === "end") return found;
            found.push(`${json.table} ${json.type} ${json.id}`);
        }
    };

    test("by table", async (t) => {
        assert.deepEqual(await through(t, { table: ["comments", "end"] }), ["comments INSERT 7", "comments DELETE seven"]);
    });

    test("by type", async (t) => {
        assert.deepEqual(await through(t, { type: ["INSERT"] }), ["posts INSERT 7", "comments INSERT 7"]);
    });

    test("by id, number or text", async (t) => {
        assert.deepEqual(await through(t, { id: ["8", "end"] }), ["posts UPDATE 8"]);
        assert.deepEqual(await through(t, { id: ["seven", "7", "end"] }), ["posts INSERT 7", "posts UPDATE 7", "comments INSERT 7", "comments DELETE seven"]);
    });

    test("by all of them together", async (t) => {
        assert.deepEqual(await through(t, { table: ["posts", "end"], type: ["UPDATE", "INSERT"], id: ["8", "end"] }), ["posts UPDATE 8"]);
    });

    test("by a table with its schema", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel, { table: ["blog.posts"] }));
        for (const schema of ["public", "blog"])
            await database.notify(channel, JSON.stringify({ schema, table: "posts", type: "INSERT", id: 1, data: {} }));
        assert.equal((await stream.next()).json.schema, "blog");
    });

    test("that is unknown is answered with 400: nobody should take all for some", async () => {
        for (const query of [{ type: "SELECT" }, { event: "nonsense" }, { from: "yesterday" }]) {
            const response = await request(gateway.stream(fresh(), query));
            assert.equal(response.status, 400, JSON.stringify(query));
        }
    });
});

describe("the SSE event name", () => {
    test("is left out for event=message, and is the type or the table for event=type and event=table", async (t) => {
        for (const [naming, name] of [
            ["message", undefined],
            ["type", "UPDATE"],
            ["table", "posts"],
        ]) {
            const channel = fresh();
            const stream = await subscribe(t, gateway.stream(channel, { event: naming }));
            await database.notify(channel, change("posts", "UPDATE", 1));
            assert.equal((await stream.next()).event, name);
        }
    });

    test("is never one that browsers or we have taken, whatever a table is called", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel, { event: "table" }));
        const reserved = ["open", "error", "ready", "gap", "status", "bye", "busy"];
        for (const table of reserved) await database.notify(channel, change(table, "INSERT", 1));
        for (const table of reserved) {
            const event = await stream.next();
            assert.equal(event.json.table, table);
            assert.ok(!reserved.includes(event.name), `a table ${table} gave event: ${event.name}`);
        }
    });

    test("cannot break out of its line", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel, { event: "table" }));
        const tables = ["a\ndata: {}", "a\r\n\r\nid: 1", "a\revent: gap", " a", ":a", ""];
        for (const table of tables) await database.notify(channel, change(table, "INSERT", 1));
        for (const table of tables) assert.equal((await stream.next()).json.table, table); // the reader is strict
    });
});

describe("where a stream starts", () => {
    const data = (messages) => messages.map(({ json }) => json.data);

    test("is now, unless from=earliest asks for all that is remembered", async (t) => {
        const channel = fresh();
        await subscribe(t, gateway.stream(channel));
        const keeper = await subscribe(t, gateway.stream(channel));
        for (const i of [1, 2, 3]) await database.notify(channel, String(i));
        await keeper.messages(3);
        const late = await subscribe(t, gateway.stream(channel));
        const latest = await subscribe(t, gateway.stream(channel, { from: "latest" }));
        const earliest = await openStream(t, gateway.stream(channel, { from: "earliest" }));
        await database.notify(channel, "4");
        assert.deepEqual(data(await late.messages(1)), [4]);
        assert.deepEqual(data(await latest.messages(1)), [4]);
        const found = [];
        while (found.length < 4) {
            const event = await earliest.next((each) => each.name === "message" || each.name === "gap");
            assert.equal(event.name, "message", "nothing is missing");
            found.push(event.json.data);
        }
        assert.deepEqual(found, [1, 2, 3, 4]);
    });

    test("is behind Last-Event-ID, by header or either spelling in the query, and the header wins", async (t) => {
        const channel = fresh();
        const keeper = await subscribe(t, gateway.stream(channel));
        for (const i of [1, 2, 3]) await database.notify(channel, String(i));
        const [one, two] = await keeper.messages(3);
        for (const [query, headers, expected] of [
            [{}, { "Last-Event-ID": one.id }, [2, 3]],
            [{}, { "last-event-id": two.id }, [3]],
            [{ last_event_id: one.id }, {}, [2, 3]],
            [{ lastEventId: two.id }, {}, [3]],
            [{ last_event_id: one.id }, { "Last-Event-ID": two.id }, [3]],
            [{ lastEventId: one.id }, { "Last-Event-ID": two.id }, [3]],
            [{ from: "earliest" }, { "Last-Event-ID": two.id }, [3]],
        ]) {
            const stream = await openStream(t, gateway.stream(channel, query), { headers });
            const messages = [];
            while (messages.length < expected.length)
                messages.push(await stream.next((event) => event.name === "message" || event.name === "gap"));
            assert.deepEqual(data(messages), expected, JSON.stringify([query, headers]));
            stream.close();
        }
    });

    test("is now when the Last-Event-ID is empty, as a client sends it that has none", async (t) => {
        const channel = fresh();
        const stream = await subscribe(t, gateway.stream(channel, { last_event_id: "" }), { headers: { "Last-Event-ID": "" } });
        await database.notify(channel, "1");
        assert.deepEqual(data(await stream.messages(1)), [1]);
    });
});

describe("other requests", () => {
    test("HEAD is answered like GET, without a body", async (t) => {
        const url = gateway.stream(fresh());
        const { headers } = await openStream(t, url);
        const head = await request(url, { method: "HEAD" });
        assert.equal(head.status, 200);
        assert.equal(head.body, "");
        for (const name of ["content-type", "cache-control", "x-accel-buffering"]) assert.equal(head.headers[name], headers[name], name);
        assert.equal((await request(gateway.stream("secrets"), { method: "HEAD" })).status, 404);
    });

    test("OPTIONS answers the preflight of a configured origin only", async () => {
        const preflight = (origin) =>
            request(gateway.stream(fresh()), {
                method: "OPTIONS",
                headers: { Origin: origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id" },
            });
        const allowed = await preflight(ORIGIN);
        assert.ok([200, 204].includes(allowed.status), String(allowed.status));
        assert.equal(allowed.headers["access-control-allow-origin"], ORIGIN);
        assert.match(allowed.headers["access-control-allow-methods"], /\bGET\b/);
        assert.match(allowed.headers["access-control-allow-headers"], /last-event-id/i);
        const refused = await preflight("https://evil.example");
        assert.equal(refused.headers["access-control-allow-origin"], undefined);
    });

    test("a stream and a refusal carry the CORS headers for a configured origin only", async (t) => {
        const url = gateway.stream(fresh());
        const stream = await openStream(t, url, { headers: { Origin: ORIGIN } });
        assert.equal(stream.headers["access-control-allow-origin"], ORIGIN);
        assert.match(stream.headers.vary ?? "", /origin/i);
        const refusal = await request(gateway.stream("secrets"), { headers: { Origin: ORIGIN } });
        assert.equal(refusal.headers["access-control-allow-origin"], ORIGIN);
        const other = await openStream(t, url, { headers: { Origin: "https://evil.example" } });
        assert.equal(other.headers["access-control-allow-origin"], undefined);
    });

    test("/livez, /readyz and /metrics say how it is", async () => {
        assert.equal((await gateway.get("/livez")).status, 200);
        assert.equal((await gateway.get("/readyz")).status, 200);
        const { status, headers, body } = await gateway.get("/metrics");
        assert.equal(status, 200);
        assert.match(headers["content-type"], /^text\/plain/);
        for (const line of body.trimEnd().split("\n"))
            assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [-+0-9.eE]+|\w+(\{[^}]*\})? \+?Inf)$/);
        assert.match(body, /^tuplecast_/m);
    });
});

test("an idle stream gets a comment now and then", async (t) => {
    const own = await startGateway(t, { ...database.env, TUPLECAST_STREAMS_HEARTBEAT_MS: "1000" });
    const stream = await subscribe(t, own.stream("quiet"));
    const before = stream.blocks.length;
    await stream.until(() => stream.blocks.length >= before + 2 || undefined, "two comments");
    for (const block of stream.blocks.slice(before)) {
        assert.ok(block.comments.length > 0 && !("data" in block) && !("id" in block), block.raw);
    }
});

test("a gateway that is full answers 200 with busy, and lets the next one in when a place is free", async (t) => {
    const own = await startGateway(t, { ...database.env, TUPLECAST_LIMITS_STREAMS: "2" });
    const url = own.stream("narrow");
    const [first] = [await subscribe(t, url), await subscribe(t, url)];
    const third = await openStream(t, url);
    await third.next("busy");
    assert.ok(third.blocks.some((block) => "retry" in block), "it says when to come again");
    await third.end();
    first.close();
    await until(async () => {
        const again = await openStream(t, url);
        return (await again.next()).name === "ready";
    }, "a free place");
});
