// Clients that nobody here wrote, each as its users use it. open(t, url, tell) connects; tell(name, data, id) is to be called for
// each event. `needs` is what must be set or written for it to reconnect and resume; "" for nothing.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";
import { EventSource as NpmEventSource } from "eventsource";
import { createEventSource } from "eventsource-client";
import launchDarkly from "launchdarkly-eventsource";
import { EventSource as UndiciEventSource } from "undici";

const require = createRequire(import.meta.url);
const modules = path.resolve(import.meta.dirname, "../node_modules");
const source = (file) => readFileSync(path.join(modules, file), "utf8");
const versionOf = (name) => require(`../node_modules/${name}/package.json`).version;

const NAMES = ["message", "ready", "gap", "status", "bye", "busy"];

const standard = (EventSource) => (t, url, tell) => {
    const source = new EventSource(url);
    t.after(() => source.close());
    for (const name of NAMES) source.addEventListener(name, ({ data, lastEventId }) => tell(name, data, lastEventId));
    source.addEventListener("error", () => {}); // one of them throws what nobody listens to
};

/** CommonJS modules of one package as a script, which leaves the entry's exports in globalThis.exported. */
function commonJs(folder, names) {
    const functions = names.map((name) => `"./${name}": (exports, require) => {${source(`${folder}/${name}.js`)}\n}`);
    return `{
        const files = {${functions.join(",")}};
        const load = (name) => { const exports = {}; files[name](exports, load); return exports; };
        globalThis.exported = load("./${names.at(-1)}");
    }`;
}

/** In a tab of its own: runs script, then start(url, tell, names) there. The page is of the stream's own origin. */
const inBrowser = (browser, script, start) => async (t, url, tell) => {
    const context = await browser.newContext({ bypassCSP: true });
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(new URL("/tuplecast.d.ts", url).href);
    if (script) await page.evaluate(script);
    const told = "told by the client";
    await page.exposeFunction(told, tell);
    await page.evaluate(`(${start})(${JSON.stringify(String(url))}, globalThis[${JSON.stringify(told)}], ${JSON.stringify(NAMES)})`);
};

const standardIn = (name) => `(url, tell, names) => {
    const source = new ${name}(url);
    for (const name of names) source.addEventListener(name, ({ data, lastEventId }) => tell(name, data, lastEventId));
}`;

/** Their users write the loop around them: lib/client.py has it. */
const python = (library) => (t, url, tell) => {
    const args = ["--pdeathsig", "KILL", "/usr/bin/python3", path.join(import.meta.dirname, "client.py"), library, url];
    const child = spawn("setpriv", args, { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    readline.createInterface({ input: child.stdout }).on("line", (line) => tell(...JSON.parse(line)));
};

const npm = (name, needs, open, where = "Node") => ({ name, version: versionOf(name), where, needs, open });

/** The list of them; browsers: { Chromium, Firefox }, running. */
export function clients({ Chromium, Firefox }, pythonVersions) {
    const client = (name, version, where, needs, open) => ({ name, version, where, needs, open });
    const inChromium = (name, needs, script, start) => npm(name, needs, inBrowser(Chromium, script, start), "Chromium");
    return [
        client("EventSource", "", "Chromium", "", inBrowser(Chromium, "", standardIn("EventSource"))),
        client("EventSource", "", "Firefox", "", firefox(Firefox)),
        client("tuplecast.js", "", "Chromium", "", inBrowser(Chromium, "", tuplecast)),
        npm("eventsource", "", standard(NpmEventSource)),
        npm("eventsource-client", "", (t, url, tell) => {
            const source = createEventSource({ url, onMessage: ({ event = "message", data, id }) => tell(event, data, id) });
            t.after(() => source.close());
        }),
        npm("undici", "", standard(UndiciEventSource)),
        npm("launchdarkly-eventsource", "", standard(launchDarkly.EventSource)),
        inChromium("event-source-polyfill", "", source("event-source-polyfill/src/eventsource.js"), standardIn("EventSourcePolyfill")),
        inChromium("reconnecting-eventsource", "",
            source("reconnecting-eventsource/dist/ReconnectingEventSource.min.js"), standardIn("ReconnectingEventSource")),
        inChromium("@microsoft/fetch-event-source", "`onclose` that throws",
            commonJs("@microsoft/fetch-event-source/lib/cjs", ["parse", "fetch"]),
            `(url, tell) => void exported.fetchEventSource(url, {
                onmessage: ({ event, data, id }) => data && tell(event || "message", data, id),
                onclose: () => { throw new Error("again"); },
            })`),
        inChromium("sse.js", "`autoReconnect`, `useLastEventId`",
            `{ ${source("sse.js/lib/sse.js").replaceAll(/^export /gm, "")}\nglobalThis.SSE = SSE; }`,
            `(url, tell, names) => {
                const source = new SSE(url, { autoReconnect: true, useLastEventId: true });
                for (const name of names) source.addEventListener(name, ({ data, lastEventId }) => tell(name, data, lastEventId));
            }`),
        client("aiohttp", pythonVersions.aiohttp, "Python", "a loop of one's own", python("aiohttp")),
        client("httpx", pythonVersions.httpx, "Python", "a loop of one's own", python("httpx")),
    ];
}

const tuplecast = `async (url, tell) => {
    const { connect } = await import("/tuplecast.js");
    const stream = connect(url);
    for (const name of ["ready", "gap"]) stream.addEventListener(name, ({ detail }) => tell(name, JSON.stringify(detail), stream.lastEventId));
    stream.addEventListener("change", ({ detail }) => tell("message", detail.text, detail.eventId));
}`;

/** As inBrowser, for a browser whose driver does not know of policies. */
const firefox = (browser) => async (t, url, tell) => {
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(new URL("/tuplecast.d.ts", url).href);
    await page.exposeFunction("tell", tell);
    await page.evaluate(`(${standardIn("EventSource")})(${JSON.stringify(String(url))}, globalThis.tell, ${JSON.stringify(NAMES)})`);
};
