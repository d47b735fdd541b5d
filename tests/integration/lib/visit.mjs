// The live page in a real browser, used as a person uses it: by what can be read on it and clicked. No page may break its own
// security policy, ask another host for anything, or throw.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { assertAccessible } from "./accessibility.mjs";
import { createDatabase } from "./database.mjs";
import { startGateway } from "./gateway.mjs";
import { until as untilOften } from "./until.mjs";

const OUTPUT = path.resolve(import.meta.dirname, "../../output"); // of screenshots
export const WAIT_MS = 60_000; // of six pages at once on two cores
export const RECOVERY_MS = 60_000; // a server has to start, and a browser to try again
const PAUSE_MS = 100; // between questions: each costs a browser some processor time
export const POSTS = "/?channel=posts_changes";

const until = (ask, what, deadlineMs) => untilOften(ask, what, deadlineMs, PAUSE_MS);

/** A database with the classic trigger on `posts`, and a gateway on it. */
export async function setUp(t, env = {}) {
    const database = await createDatabase(t);
    await database.createPosts();
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_STREAMS_RETRY_MS: "500", ...env });
    await gateway.ready();
    return { database, gateway };
}

export const insert = (database, title) => database.query("INSERT INTO posts (title) VALUES ($1)", [title]);

/** The visible field with this label; runs in the page. */
function findField(label) {
    const words = (text) => text?.trim().replace(/\s+/g, " ");
    const labelled = (field) => field.ariaLabel === label || [...field.labels].some(({ textContent }) => words(textContent) === label);
    return [...document.querySelectorAll("input, select")].find((field) => field.checkVisibility() && labelled(field)) ?? null;
}

/** The page as a person sees it. */
export class Visit {
    problems = []; // what no visit may have
    streamRequests = [];
    console = [];

    constructor(page, browser) {
        this.page = page;
        this.browser = browser;
        page.setDefaultTimeout(WAIT_MS);
        page.on("pageerror", (error) => this.problems.push(`thrown: ${error.message}`));
        page.on("dialog", (dialog) => this.problems.push(`dialog: ${dialog.message()}`));
        page.on("console", (message) => {
            this.console.push(message.text());
            if (/Content.Security.Policy|Refused to/.test(message.text())) this.problems.push(message.text());
        });
        page.on("request", (request) => {
            const { protocol, hostname, pathname } = new URL(request.url());
            if (!["data:", "blob:", "about:"].includes(protocol) && hostname !== "127.0.0.1") this.problems.push(`another host: ${request.url()}`);
            if (pathname.startsWith("/streams")) this.streamRequests.push(request.url());
        });
    }

    // ---- reading ----

    /** The text of what a selector finds first, as it is seen; "" when there is none. */
    text(selector) {
        return this.page.evaluate((wanted) => {
            const found = document.querySelector(wanted);
            return found?.checkVisibility() ? found.innerText : "";
        }, selector);
    }

    /** The texts of all that a selector finds, hidden or not. */
    texts(selector) {
        return this.page.evaluate((wanted) => [...document.querySelectorAll(wanted)].map(({ textContent }) => textContent), selector);
    }

    count(selector) {
        return this.page.evaluate((wanted) => document.querySelectorAll(wanted).length, selector);
    }

    /** Waits until the text there fits the pattern. */
    async says(selector, pattern, deadlineMs = WAIT_MS) {
        let text;
        const fits = async () => pattern.test((text = await this.text(selector)));
        await until(fits, () => `${this.browser}: ${pattern} in ${selector}; it says: ${text}`, deadlineMs);
    }

    reads(pattern) {
        return this.says("body", pattern);
    }

    /** Waits for something with this role and name, as screen readers say them. */
    sees(role, name) {
        return this.page.named(role, name).waitFor();
    }

    /** Waits for the words at the top: "Live", "Database down", ... */
    async state(wanted, deadlineMs = WAIT_MS) {
        const label = async () => (await this.text("#state-label")) === wanted;
        await until(label, `the page says ${wanted}`, deadlineMs).catch(async (error) => {
            throw new Error(`${this.browser}: ${error.message}; it says: ${await this.text("body")}`);
        });
    }

    /** The cells of a table's rows, newest first; of a gap there are two. */
    rows(selector = "#table > tbody > tr") {
        return this.page.evaluate((wanted) => [...document.querySelectorAll(wanted)].map((row) => [...row.cells].map((cell) => cell.textContent)), selector);
    }

    /** Waits until there are so many rows. */
    rowsAre(count) {
        return until(async () => (await this.count("#table > tbody > tr")) === count, `${this.browser}: ${count} rows`, WAIT_MS);
    }

    async ids() {
        return (await this.rows()).map((row) => row[4]);
    }

    async gaps() {
        return (await this.rows()).filter((row) => row.length === 2).map((row) => row[1]);
    }

    /** Waits until the newest row holds the text in its data; returns the row by column. */
    async newest(text, deadlineMs = WAIT_MS) {
        let row;
        const newestRow = async () => (row = (await this.rows("#table > tbody > tr:first-child"))[0])?.at(-1).includes(text);
        await until(newestRow, () => `${this.browser}: a newest row with ${text}; it is: ${row}`, deadlineMs);
        const [time, channel, table, type, id, data] = row;
        return { time, channel, table, type, id, data };
    }

    /** A value of the connection panel. */
    fact(name) {
        return this.page.evaluate((wanted) => [...document.querySelectorAll("#facts dt")].find((term) => term.textContent === wanted)?.nextElementSibling.textContent, name);
    }

    factIs(name, pattern, deadlineMs = WAIT_MS) {
        let fact;
        return until(async () => pattern.test((fact = await this.fact(name))), () => `${this.browser}: ${name} ${pattern}; it is: ${fact}`, deadlineMs);
    }

    /** The channels that are ticked. */
    watched() {
        return this.page.evaluate(() => [...document.querySelectorAll("#channels input:checked")].map(({ value }) => value));
    }

    // ---- doing ----

    click(role, name) {
        return this.page.named(role, name).click();
    }

    clickAt(selector) {
        return this.page.at(selector).click();
    }

    press(key) {
        return this.page.typing(() => this.page.keyboard.press(key));
    }

    /** The field with this label, once it can be seen. */
    field(label) {
        const find = async () => (await this.page.evaluateHandle(findField, label)).asElement();
        return until(find, `${this.browser}: the field “${label}”`, WAIT_MS);
    }

    /** Types text into a field, instead of what is there. */
    async fill(label, text) {
        const field = await this.field(label);
        await this.page.typing(async () => {
            await field.focus();
            await field.evaluate((element) => element.select());
            if (text === "") await this.page.keyboard.press("Backspace");
            else await field.type(text);
        });
    }

    /** Into the field that is found so, from the clipboard. */
    paste(selector) {
        return this.page.typing(async () => {
            await this.focus(selector);
            await this.page.keyboard.down("Control");
            await this.page.keyboard.press("v");
            await this.page.keyboard.up("Control");
        });
    }

    async value(label) {
        return (await this.field(label)).evaluate(({ value }) => value);
    }

    async choose(label, value) {
        await this.page.choose(await this.field(label), value);
    }

    async tick(label, wanted = true) {
        const field = await this.field(label);
        if ((await field.evaluate(({ checked }) => checked)) !== wanted) await field.click();
    }

    async focus(selector) {
        await this.page.evaluate((wanted) => document.querySelector(wanted).focus(), selector);
    }

    /** What `act` makes the browser save: {name, text}. */
    download(act) {
        return this.page.download(act);
    }

    open(origin, address = POSTS) {
        return this.page.goto(origin + address);
    }

    assertAccessible(where) {
        return assertAccessible(this.page, `${this.browser}, ${where}`);
    }

    screenshot(name) {
        mkdirSync(OUTPUT, { recursive: true });
        return this.page.screenshot({ path: path.join(OUTPUT, `page-${name}-${this.browser.toLowerCase()}.png`) });
    }
}

/** How the people of a browser visit the page: each in a profile of their own, closed with the test. */
export function visitors(newContext, browser) {
    return async function visit(t, origin, address = POSTS, options = {}) {
        return visitIn(t, await newContext(t, options), browser, origin, address);
    };
}

/** Another tab of the same profile. */
export async function visitIn(t, context, browser, origin, address = POSTS) {
    const visited = new Visit(await context.newPage(), browser);
    visited.context = context;
    t.after(() => assert.deepEqual(visited.problems, []));
    await visited.open(origin, address);
    return visited;
}
