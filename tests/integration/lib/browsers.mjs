// Debian's two browsers, without a window. What they open has goto(), evaluate(function, argument), reload(), close() and so on in both;
// where their libraries differ, a tab has named(), at(), choose(), typing() and download() of ours.

import { mkdtempSync, rmSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";
import { until } from "./until.mjs";

/** Whether tests of what does not depend on the browser run in all of them, too, and not in Chromium alone. */
const ALL = Boolean(process.env.TUPLECAST_ALL_BROWSERS);
const VIEWPORT = { width: 1280, height: 800 };
const WAIT_MS = 60_000;
const PAUSE_MS = 100; // between questions: each costs Firefox some processor time

const CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/** No word to anybody but the pages that a test opens. */
const FIREFOX_PREFERENCES = {
    "app.normandy.enabled": false,
    "app.update.auto": false,
    "browser.safebrowsing.downloads.remote.enabled": false,
    "browser.safebrowsing.malware.enabled": false,
    "browser.safebrowsing.phishing.enabled": false,
    "datareporting.policy.dataSubmissionEnabled": false,
    "dom.security.https_only_mode": false,
    "extensions.update.enabled": false,
    "network.captive-portal-service.enabled": false,
    "network.connectivity-service.enabled": false,
    "services.settings.server": "",
};

async function startChromium() {
    const browser = await chromium.launch({
        executablePath: "/usr/bin/chromium",
        args: CHROMIUM_ARGS,
        ignoreDefaultArgs: ["--disable-back-forward-cache"], // people have it
    });
    return {
        newContext: async (options) => {
            const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: VIEWPORT, ...options });
            const openTab = context.newPage.bind(context);
            context.newPage = async () => equipChromium(await openTab());
            return context;
        },
        close: () => browser.close(),
    };
}

function equipChromium(page) {
    return Object.assign(page, {
        named: (role, name) => page.getByRole(role, { name, exact: true }),
        at: (selector) => page.locator(selector).first(),
        choose: (handle, value) => handle.selectOption(value),
        typing: (act) => act(),
        download: async (act) => {
            const downloading = page.waitForEvent("download");
            await act();
            const download = await downloading;
            return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
        },
    });
}

/** One thing after the other. */
class Turns {
    #last = Promise.resolve();

    take(act) {
        const done = this.#last.then(act);
        this.#last = done.catch(() => {});
        return done;
    }
}

/** Firefox's remote control loses a tab now and then that is opened while another one is opened or closed: again if need be. */
async function carefully(openTab, left = 3) {
    try {
        return await openTab();
    } catch (error) {
        if (left === 0 || !/no such frame/.test(error.message)) throw error;
        return carefully(openTab, left - 1);
    }
}

async function startFirefox(preferences = {}) {
    const downloads = mkdtempSync(path.join(os.tmpdir(), "downloads-"));
    const browser = await puppeteer.launch({
        browser: "firefox",
        executablePath: "/usr/bin/firefox-esr",
        headless: true,
        acceptInsecureCerts: true,
        extraPrefsFirefox: {
            ...FIREFOX_PREFERENCES,
            "browser.download.folderList": 2,
            "browser.download.dir": downloads,
            "browser.download.alwaysOpenPanel": false,
            "browser.helperApps.neverAsk.saveToDisk": "application/x-ndjson",
            ...preferences,
        },
    });
    const turns = new Turns();
    let dark = null; // another Firefox: its remote control cannot change the colours
    const newContext = async (options = {}) => {
        if (options.colorScheme === "dark") {
            dark ??= startFirefox({ "layout.css.prefers-color-scheme.content-override": 0 });
            return (await dark).newContext({ ...options, colorScheme: undefined });
        }
        const context = await browser.createBrowserContext();
        // A window for each: nothing is drawn in a tab that is behind another one.
        const openWindow = async () => {
            const page = await context.newPage({ type: "window" });
            await page.setViewport(options.viewport ?? VIEWPORT);
            return equipFirefox(page, downloads, turns);
        };
        return { newPage: () => turns.take(() => carefully(openWindow)), close: () => context.close() };
    };
    const close = async () => {
        await browser.close();
        await (await dark)?.close();
        rmSync(downloads, { recursive: true, force: true });
    };
    return { newContext, close };
}

function equipFirefox(page, downloads, turns) {
    return Object.assign(page, {
        named: (role, name) => {
            const selector = `::-p-aria([name="${name.replaceAll('"', '\\"')}"][role="${role}"])`;
            const waitFor = () => until(() => page.$(selector), `${role} “${name}”`, WAIT_MS, PAUSE_MS);
            return { waitFor, click: async () => waitFor() && page.locator(selector).click() };
        },
        at: (selector) => page.locator(selector),
        choose: (handle, value) => handle.select(value),
        // Keys go to the window in front, and a new window comes to the front by itself.
        typing: (act) => turns.take(async () => {
            await page.bringToFront();
            await act();
        }),
        download: async (act) => {
            const before = new Set(await readdir(downloads));
            await act();
            const text = (name) => readFile(path.join(downloads, name), "utf8");
            const isNew = (name) => !before.has(name) && name.endsWith(".ndjson");
            let name;
            const complete = async () => (name = (await readdir(downloads)).find(isNew)) && (await text(name)) !== "";
            await until(complete, "a file that was saved", WAIT_MS, PAUSE_MS);
            return { name, text: await text(name) };
        },
    });
}

/** Each resolves with { newContext(), close() }; a context is a profile of its own, whose newPage() opens a tab. */
export const BROWSERS = { Chromium: startChromium, Firefox: startFirefox };

/** One of each for a whole file of tests, started when it is first needed. */
const started = new Map();
const browserOf = (name) => started.get(name) ?? started.set(name, BROWSERS[name]()).get(name);
after(() => Promise.all([...started.values()].map(async (starting) => (await starting).close())));

/** Opens a profile in the browser of that name, closed with the test. */
async function openContext(t, name, options) {
    const context = await (await browserOf(name)).newContext(options);
    t.after(() => context.close());
    return context;
}

/**
 * A suite for each browser, side by side: they mostly wait. define(newContext, name, testAlike) defines its tests; newContext(t, options)
 * opens a profile, closed with the test. testAlike is test for what does not depend on the browser: it runs in Chromium, and with
 * TUPLECAST_ALL_BROWSERS=1 in all of them.
 */
export function describeInBrowsers(define) {
    describe("in browsers", { concurrency: 2 }, () => {
        for (const name of Object.keys(BROWSERS))
            describe(name, { concurrency: 3 }, () => {
                const skip = name !== "Chromium" && !ALL && "does not depend on the browser: see TUPLECAST_ALL_BROWSERS";
                const testAlike = (title, step) => test(title, { skip }, step);
                define((t, options) => openContext(t, name, options), name, testAlike);
            });
    });
}

/** For what happens to all browsers at once: open(newContext, name) for each of them, side by side. */
export function inAllBrowsers(t, open) {
    return Promise.all(Object.keys(BROWSERS).map((name) => open((_, options) => openContext(t, name, options), name)));
}
