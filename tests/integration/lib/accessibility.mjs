// What axe-core finds wrong with a page as it stands, in either browser.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";

const AXE = path.resolve(import.meta.dirname, "../node_modules/axe-core/axe.min.js");

/** `page` has evaluate(): playwright's or puppeteer's. All rules of axe-core hold, best practices too. */
export async function assertAccessible(page, where) {
    await page.evaluate(await readFile(AXE, "utf8"));
    const found = await page.evaluate(async () => {
        // Colours in the middle of a fade would be measured.
        await Promise.all(document.getAnimations().map((animation) => animation.finish?.()));
        const { violations } = await globalThis.axe.run(document);
        return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
    });
    assert.deepEqual(found, [], `violations: ${where}`);
}
