// /openapi.json: well-formed by two linters, complete, and true of the server.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { before, test } from "node:test";
import { promisify } from "node:util";
import addFormats from "ajv-formats";
import Ajv from "ajv/dist/2020.js";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { wholeFile } from "./lib/whole_file.mjs";
import { Wire } from "./lib/wire.mjs";

const ROOT = path.resolve(import.meta.dirname, "../..");
const FILE = path.join(ROOT, "www/openapi.json");
const TOKEN = "correct-horse-battery-staple-0123456789";
const document = JSON.parse(await readFile(FILE, "utf8"));
const file = wholeFile();
let gateway;

/** Of values by the schema at a place in the document. */
function validator() {
    const ajv = addFormats(new Ajv({ strict: false }));
    ajv.addSchema(document, "api");
    return (where, value) => {
        const check = ajv.getSchema(`api#${where}`) ?? ajv.compile({ $ref: `api#${where}` });
        assert.ok(check(value), `${where}: ${JSON.stringify(check.errors)} in ${JSON.stringify(value)}`);
    };
}

/** A tool of npm's, run with the Node that runs this. */
function tool(script, args) {
    const full = path.join(import.meta.dirname, "node_modules", script);
    return promisify(execFile)(process.execPath, [full, ...args], { env: { ...process.env, NO_COLOR: "1", REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" } }).catch(
        (error) => assert.fail(`${error.stdout}\n${error.stderr}`),
    );
}

before(async () => {
    const database = await createDatabase(file);
    const env = { ...database.env, TUPLECAST_CHANNELS: "posts_changes,*_changes", TUPLECAST_TRIGGERS_TOKEN: TOKEN };
    assert.equal((await run(["setup"], env)).code, 0);
    await database.query("CREATE TABLE posts (id serial PRIMARY KEY, title text, kind text)");
    gateway = await startGateway(file, env);
    await gateway.ready();
});

test("passes @redocly/cli and @stoplight/spectral-cli", async (t) => {
    await tool("@redocly/cli/bin/cli.js", ["lint", "--extends", "recommended", FILE]);
    const directory = await mkdtemp(path.join(os.tmpdir(), "tuplecast-openapi-"));
    t.after(() => rm(directory, { recursive: true }));
    await writeFile(path.join(directory, "rules.yaml"), 'extends: ["spectral:oas"]\n');
    await tool("@stoplight/spectral-cli/dist/index.js", ["lint", "--fail-severity", "error", "-r", path.join(directory, "rules.yaml"), FILE]);
});

test("has every route of the program, and no other", async () => {
    const source = await readFile(path.join(ROOT, "src/http/routes.c"), "utf8");
    const routes = [...source.matchAll(/\{"([A-Z]+)", "([^"]+)", \w+, GUARD_(\w+), \w+\}/g)].map(([, method, target, guard]) => `${method} ${target.replace(/\{.*?\}/, "{}")} ${guard !== "NONE"}`);
    const described = Object.entries(document.paths).flatMap(([target, item]) =>
        Object.entries(item)
            .filter(([method]) => ["get", "put", "post", "delete"].includes(method))
            .map(([method, operation]) => `${method.toUpperCase()} ${target.replace(/\{.*?\}/, "{}")} ${operation.security.length > 0}`),
    );
    assert.deepEqual(described.sort(), routes.sort());
});

test("is what the server gives", async () => {
    const response = await gateway.get("/openapi.json");
    assert.equal(response.headers["content-type"], "application/json");
    assert.equal(response.body, await readFile(FILE, "utf8"));
});

test("its examples are what they describe, and what the server takes and answers", async () => {
    const validate = validator();
    const escape = (text) => encodeURIComponent(text.replaceAll("~", "~0").replaceAll("/", "~1"));
    let calls = 0;

    const call = async (method, target, { status, query = "", headers = {}, name = "posts_live" } = {}) => {
        const operation = document.paths[target][method];
        const example = operation.requestBody?.content["application/json"].example;
        if (example) validate(`/paths/${escape(target)}/${method}/requestBody/content/application~1json/schema`, example);
        const response = await gateway.get(target.replace("{name}", name).replace("{file}", "page.js") + query, {
            method: method.toUpperCase(),
            headers: { Authorization: `Bearer ${TOKEN}`, ...(example ? { "Content-Type": "application/json" } : {}), ...headers },
            body: example && JSON.stringify(example),
        });
        assert.equal(response.status, status, `${method} ${target}: ${response.body}`);
        let described = operation.responses[status];
        assert.ok(described, `${method} ${target}: ${status} is not described`);
        let at = `/paths/${escape(target)}/${method}/responses/${status}`;
        if (described.$ref) {
            at = described.$ref.slice(1);
            described = document.components.responses[at.split("/").at(-1)];
        }
        const type = response.headers["content-type"]?.split(";")[0];
        if (response.body && /json/.test(type)) validate(`${at}/content/${escape(type)}/schema`, response.json);
        else if (response.body) assert.ok(described.content?.[type], `${method} ${target}: ${type} is not described`);
        calls++;
        return response;
    };

    for (const [target, item] of Object.entries(document.paths))
        for (const [method, operation] of Object.entries(item))
            for (const [status, response] of Object.entries(operation.responses ?? {}))
                for (const [type, content] of Object.entries(response.content ?? {}))
                    if (content.example !== undefined && type === "application/json")
                        validate(`/paths/${escape(target)}/${method}/responses/${status}/content/${escape(type)}/schema`, content.example);

    await call("put", "/triggers/{name}", { status: 200, query: "?dry_run=true" });
    const { headers } = await call("put", "/triggers/{name}", { status: 201 });
    await call("put", "/triggers/{name}", { status: 200 });
    await call("put", "/triggers/{name}", { status: 412, headers: { "If-None-Match": "*" } });
    await call("put", "/triggers/{name}", { status: 415, headers: { "Content-Type": "text/plain" } });
    await call("put", "/triggers/{name}", { status: 400, name: "a%20b" });
    await call("get", "/triggers/{name}", { status: 200 });
    await call("get", "/triggers/{name}", { status: 304, headers: { "If-None-Match": headers.etag } });
    await call("get", "/triggers/{name}", { status: 404, name: "other" });
    await call("get", "/triggers/{name}", { status: 401, headers: { Authorization: "Bearer wrong" } });
    await call("get", "/triggers", { status: 200 });
    await call("get", "/tables", { status: 200 });
    await call("get", "/tables", { status: 400, query: "?x=1" });
    await call("post", "/triggers", { status: 200, query: "?dry_run=true" });
    await call("post", "/triggers", { status: 201 });
    await call("get", "/channels", { status: 200 });
    await call("get", "/channels", { status: 421, headers: { Host: "rebound.example" } });
    await call("post", "/tickets", { status: 409 });
    await call("delete", "/session", { status: 404 });
    await call("delete", "/triggers/{name}", { status: 200, query: "?dry_run=true" });
    await call("delete", "/triggers/{name}", { status: 204 });
    for (const target of ["/livez", "/readyz", "/metrics", "/openapi.json", "/", "/{file}"]) await call("get", target, { status: 200 });
    assert.ok(calls > 20);
});

test("says of every request which answers it gets when it cannot be read, and they are these", async (t) => {
    const request = (line, ...headers) => `${[line, "Host: localhost", ...headers].join("\r\n")}\r\n\r\n`;
    const unreadable = {
        411: request("POST /triggers HTTP/1.1", "Transfer-Encoding: chunked"),
        413: request("POST /triggers HTTP/1.1", "Content-Length: 65537"),
        414: request(`GET /${"a".repeat(16384)} HTTP/1.1`),
        417: request("GET / HTTP/1.1", "Expect: much"),
        431: request("GET / HTTP/1.1", `X: ${"a".repeat(40_000)}`),
        501: request("BREW / HTTP/1.1"),
        505: request("GET / HTTP/2.0"),
    };
    const validate = validator();
    for (const [status, text] of Object.entries(unreadable)) {
        const wire = new Wire(t, gateway.port).send(text);
        await wire.wait(() => wire.ended || undefined, `an answer with ${status}`, 30_000);
        assert.match(wire.text, new RegExp(`^HTTP/1.1 ${status} `));
        const problem = JSON.parse(wire.text.split("\r\n\r\n")[1]);
        const name = document.paths["/channels"].get.responses[status].$ref.split("/").at(-1);
        validate(`/components/responses/${name}/content/application~1problem+json/schema`, problem);
        assert.equal(problem.title, document.components.responses[name].content["application/problem+json"].example.title);
    }
    for (const [target, item] of Object.entries(document.paths))
        for (const [method, { responses }] of Object.entries(item))
            for (const status of responses ? [...Object.keys(unreadable), 408] : []) assert.ok(responses[status], `${method} ${target} may answer ${status}`);
});
