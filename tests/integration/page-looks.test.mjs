// What the live page looks like, and what axe-core says of it, in real browsers.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { HtmlValidate } from "html-validate";
import { describeInBrowsers } from "./lib/browsers.mjs";
import { insert, POSTS, setUp, visitors } from "./lib/visit.mjs";

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
});
