// What the live page looks like, how it is used without a mouse, and what axe-core says, in real browsers.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { HtmlValidate } from "html-validate";
import { describeInBrowsers } from "./lib/browsers.mjs";
import { insert, POSTS, setUp, visitors } from "./lib/visit.mjs";

const PRESSES_MAX = 40;
const BY_KEYBOARD = [
    "Skip to the changes", "Changes", "Triggers", "Name of a channel", "Watch", "Filters and start", "Pause", "Clear", "Export", "Use it in code",
    "INSERT 1", "Search the changes shown", "Table of changes", "The whole change",
];

// No browser is needed to read a file.
test("the page's markup is as html-validate recommends", async () => {
    // The token is no password that a browser should offer to remember.
    const validate = new HtmlValidate({ extends: ["html-validate:recommended"], rules: { "autocomplete-password": "off" } });
    const report = await validate.validateFile(path.resolve(import.meta.dirname, "../../www/index.html"));
    const messages = report.results.flatMap(({ messages }) => messages.map(({ line, ruleId, message }) => `${line}: ${ruleId}: ${message}`));
    assert.deepEqual(messages, []);
});

describeInBrowsers((newContext, browser, testAlike) => {
    const visit = visitors(newContext, browser);

    for (const colorScheme of ["light", "dark"])
        for (const width of [400, 1280])
            testAlike(`${colorScheme}, ${width} pixels wide: nothing sticks out`, async (t) => {
                const { database, gateway } = await setUp(t);
                const person = await visit(t, gateway.origin, POSTS, { colorScheme, viewport: { width, height: 800 } });
                await person.state("Live");
                for (let i = 0; i < 5; i++) await insert(database, `A title that is too long for its line, number ${i}. `.repeat(10));
                await database.query("UPDATE posts SET title = 'short' WHERE id < 4");
                await database.query("DELETE FROM posts WHERE id < 2");
                await person.rowsAre(9);
                const { right, background } = await person.page.evaluate(() => ({
                    right: Math.max(...[...document.querySelectorAll("body *:not(.unseen, .unseen *, thead *)")]
                        .filter((element) => element.checkVisibility())
                        .map((element) => element.getBoundingClientRect().right)),
                    background: getComputedStyle(document.body).backgroundColor,
                }));
                assert.ok(right <= width, `up to ${right}`);
                const [red] = background.match(/\d+/g).map(Number);
                assert.ok(colorScheme === "dark" ? red < 64 : red > 192, background);
                await person.screenshot(`${colorScheme}-${width}`);
                await person.assertAccessible(`${colorScheme}, ${width} pixels`);
            });

    test("all of it can be reached and used by keyboard", async (t) => {
        const { database, gateway } = await setUp(t);
        const person = await visit(t, gateway.origin);
        await person.state("Live");
        await insert(database, "Hello");
        await person.newest("Hello");
        const reached = new Set();
        const focused = () => {
            const { ariaLabel, labels, innerText } = document.activeElement;
            return (ariaLabel ?? labels?.[0]?.textContent ?? innerText).trim().replace(/\s+/g, " ").slice(0, 30);
        };
        for (let presses = 0; presses < PRESSES_MAX && BY_KEYBOARD.some((name) => !reached.has(name)); presses++) {
            await person.press("Tab");
            reached.add(await person.page.evaluate(focused));
        }
        assert.deepEqual(BY_KEYBOARD.filter((name) => !reached.has(name)), [], [...reached].join(" | "));
        await person.focus("#pause");
        await person.press(" ");
        await person.sees("button", "Resume");
    });

    test("nothing chosen yet: the page says what to do next, and is accessible", async (t) => {
        const { gateway } = await setUp(t);
        const person = await visit(t, gateway.origin, "/");
        await person.sees("heading", "Choose a channel to watch");
        await person.assertAccessible("no channel");
        await person.click("link", "Put a trigger on a table");
        await person.sees("heading", "Triggers");
    });
});
