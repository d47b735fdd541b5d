// Debian's two browsers, without a window. What they open has goto(), evaluate(function, argument), reload() and close() in both.

import { after, before, describe } from "node:test";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";

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
        newContext: (options) => browser.newContext({ ignoreHTTPSErrors: true, ...options }),
        close: () => browser.close(),
    };
}

/** Firefox's remote control loses a tab now and then that is opened while another one is opened or closed: one at a time, and again if need be. */
function carefully(openTab, turns) {
    const attempt = async (left) => {
        try {
            return await openTab();
        } catch (error) {
            if (left === 0 || !/no such frame/.test(error.message)) throw error;
            return attempt(left - 1);
        }
    };
    const opened = turns.last.then(() => attempt(3));
    turns.last = opened.catch(() => {});
    return opened;
}

async function startFirefox() {
    const browser = await puppeteer.launch({
        browser: "firefox",
        executablePath: "/usr/bin/firefox-esr",
        headless: true,
        acceptInsecureCerts: true,
        extraPrefsFirefox: FIREFOX_PREFERENCES,
    });
    const turns = { last: Promise.resolve() };
    const newContext = async () => {
        const context = await browser.createBrowserContext();
        const openTab = context.newPage.bind(context);
        context.newPage = () => carefully(openTab, turns);
        return context;
    };
    return { newContext, close: () => browser.close() };
}

/** Each resolves with { newContext(), close() }; a context is a profile of its own, whose newPage() opens a tab. */
export const BROWSERS = { Chromium: startChromium, Firefox: startFirefox };

/**
 * A suite for each browser, side by side: they mostly wait. define(newContext, name) defines its tests; newContext(t) opens
 * a profile, closed with the test.
 */
export function describeInBrowsers(define) {
    describe("in browsers", { concurrency: 2 }, () => {
        for (const [name, start] of Object.entries(BROWSERS))
            describe(name, { concurrency: 3 }, () => {
                let browser;
                before(async () => {
                    browser = await start();
                });
                after(() => browser?.close());
                const newContext = async (t) => {
                    const context = await browser.newContext();
                    t.after(() => context.close());
                    return context;
                };
                define(newContext, name);
            });
    });
}
