// The live page in a real browser, used as a person uses it: by what can be read on it and clicked. No page may break its own
// security policy, ask another host for anything, or throw.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { BROWSERS } from "./browsers.mjs";
import { createDatabase } from "./database.mjs";
import { startGateway } from "./gateway.mjs";
import { until } from "./until.mjs";

export const OUTPUT = path.resolve(import.meta.dirname, "../../output"); // of screenshots
export const WAIT_MS = 30_000;
export const RECOVERY_MS = 60_000; // a server has to start, and a browser to try again

export async function launchChromium() {
    await mkdir(OUTPUT, { recursive: true });
    return BROWSERS.Chromium();
}

/** A database with the classic trigger on `posts`, and a gateway on it. */
export async function setUp(t, env = {}) {
    const database = await createDatabase(t);
    await database.createPosts();
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_STREAMS_RETRY_MS: "500", ...env });
    await gateway.ready();
    return { database, gateway };
}

/** The page as a person sees it. */
export class Visit {
    problems = []; // what no visit may have

    constructor(page) {
        this.page = page;
        page.setDefaultTimeout(WAIT_MS);
        page.on("pageerror", (error) => this.problems.push(`thrown: ${error.message}`));
        page.on("dialog", (dialog) => this.problems.push(`dialog: ${dialog.message()}`));
        page.on("console", (message) => {
            if (/Content Security Policy|Refused to/.test(message.text())) this.problems.push(message.text());
        });
        page.on("request", (request) => {
            const { protocol, hostname } = new URL(request.url());
            if (!["data:", "blob:", "about:"].includes(protocol) && hostname !== "127.0.0.1") this.problems.push(`another host: ${request.url()}`);
            if (new URL(request.url()).pathname.startsWith("/streams")) this.streamRequests.push(request.url());
        });
    }

    streamRequests = [];

    /** Waits for the words at the top: "Live", "Database down", ... */
    async state(wanted, deadlineMs = WAIT_MS) {
        const label = this.page.locator("#state-label");
        await until(async () => (await label.textContent()) === wanted, `the page says ${wanted}`, deadlineMs).catch(async (error) => {
            throw new Error(`${error.message}; it says: ${await this.page.locator("body").innerText()}`);
        });
    }

    /** The rows, newest first, each as its columns' texts; a gap has two. */
    rows() {
        return this.page.locator("#table > tbody > tr").evaluateAll((rows) =>
            rows.map((row) => [...row.cells].map((cell) => cell.textContent)),
        );
    }

    /** Waits until the newest row holds the text in its data; returns the row by column. */
    async newest(text) {
        let row;
        await until(
            async () => {
                [row] = await this.rows();
                return row?.at(-1).includes(text);
            },
            () => `a newest row with ${text}; it is: ${row}`,
            WAIT_MS,
        );
        const [time, channel, table, type, id, data] = row;
        return { time, channel, table, type, id, data };
    }

    /** A value of the connection panel. */
    fact(name) {
        return this.page.locator("#facts div", { has: this.page.getByText(name, { exact: true }) }).locator("dd").textContent();
    }

    /** The channels that are ticked. */
    watched() {
        return this.page.locator("#channels input:checked").evaluateAll((boxes) => boxes.map((box) => box.value));
    }

    button(name, options) {
        return this.page.getByRole("button", { name, ...options });
    }

    screenshot(name) {
        return this.page.screenshot({ path: path.join(OUTPUT, `page-${name}.png`), animations: "disabled" });
    }
}

/** A page in a profile of its own, closed with the test. */
export async function visit(t, browser, origin, address = "/?channel=posts_changes", options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    t.after(() => context.close());
    return visitIn(t, context, origin, address);
}

/** Another tab of the same profile. */
export async function visitIn(t, context, origin, address = "/?channel=posts_changes") {
    const visited = new Visit(await context.newPage());
    t.after(() => assert.deepEqual(visited.problems, []));
    visited.response = await visited.page.goto(origin + address);
    return visited;
}

export const insert = (database, title) => database.query("INSERT INTO posts (title) VALUES ($1)", [title]);
