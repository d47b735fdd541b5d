// Clients that nobody here wrote. They know nothing of us: they connect, lose the connection, come back with the id they saw
// last, and must have lost nothing, or have seen a gap. What was found is the table of docs/clients.md; with TUPLECAST_UPDATE=1
// it is written there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { BROWSERS } from "./lib/browsers.mjs";
import { clients } from "./lib/clients.mjs";
import { startCutter } from "./lib/cutter.mjs";
import { range, startNumbers } from "./lib/numbers.mjs";
import { DeadlineError, Waitable } from "./lib/until.mjs";
import { wholeFile } from "./lib/whole_file.mjs";

const DOCUMENT = path.resolve(import.meta.dirname, "../../docs/clients.md");
const WAIT_MS = 30_000;
const CUTS = 3;
const whole = wholeFile();

/** What a client showed its user: named events and plain messages, in order. */
class Shown extends Waitable {
    list = [];

    add(name, data, id) {
        this.list.push({ name, json: JSON.parse(data), id });
        this.changed();
    }

    get seen() {
        return this.list.flatMap(({ name, json }) => (name === "gap" ? { gap: json.reason } : name === "message" ? json.data : []));
    }

    count(name, wanted) {
        return this.wait(
            () => this.list.filter((each) => each.name === name).length >= wanted || undefined,
            () => `${wanted} times ${name}, only: ${JSON.stringify(this.list.slice(-5))}`,
            WAIT_MS,
        );
    }

    number(number) {
        return this.wait(() => this.seen.includes(number) || undefined, () => `${number} in ${JSON.stringify(this.seen)}`, WAIT_MS);
    }
}

/** Resolves with what found() gives, or with the word for a client that never gets there. */
const orNever = (found) =>
    found.catch((error) => {
        if (error instanceof DeadlineError) return `no: ${error.message}`;
        throw error;
    });

/** In words: what of the numbers from..to was lost, or seen twice, and whether a gap said so. */
function inWords(shown, from, to) {
    const seen = shown.seen;
    const numbers = seen.filter((item) => item >= from && item <= to);
    const lost = range(from, to).filter((number) => !numbers.includes(number)).length;
    const twice = numbers.length - new Set(numbers).size;
    const ordered = numbers.every((number, i) => i === 0 || number >= numbers[i - 1]);
    const words = [lost > 0 ? `${lost} of ${to - from + 1} lost` : "none lost", twice > 0 ? `${twice} twice` : "none twice"];
    if (!ordered) words.push("out of order");
    if (seen.some((item) => item.gap)) words.push("with a gap");
    return words.join(", ");
}

async function pythonVersions() {
    const code = "import aiohttp, httpx; print(aiohttp.__version__, httpx.__version__)";
    const [aiohttp, httpx] = (await promisify(execFile)("/usr/bin/python3", ["-c", code])).stdout.trim().split(" ");
    return { aiohttp, httpx };
}

const [Chromium, Firefox, versions] = await Promise.all([BROWSERS.Chromium(), BROWSERS.Firefox(), pythonVersions()]);
whole.after(() => Promise.all([Chromium.close(), Firefox.close()]));
const rows = [];

describe("clients", { concurrency: 5 }, () => {
    for (const [place, client] of clients({ Chromium, Firefox }, versions).entries()) {
        const { name, version, where, needs, open } = client;
        test(`${name} in ${where} connects, is cut off, and outlives the gateway`, async (t) => {
            const { gateway, path: address, publish } = await startNumbers(t);
            const cutter = await startCutter(t, gateway.port);
            const shown = new Shown();
            await open(t, cutter.origin + address, (...event) => shown.add(...event));
            const connects = await orNever(
                (async () => {
                    await shown.count("ready", 1);
                    await shown.number(await publish(20));
                    assert.ok(shown.list.every(({ id }) => id), "each event has an id");
                    return shown.list[0].name === "ready" ? "yes" : "ready comes late";
                })(),
            );
            const cut = await orNever(
                (async () => {
                    for (let round = 1; round <= CUTS; round++) {
                        cutter.cut();
                        await publish(5);
                        await shown.count("ready", round + 1);
                        await shown.number(await publish(5));
                    }
                    return inWords(shown, 1, 20 + 10 * CUTS);
                })(),
            );
            const away = (leave, readies, from) =>
                orNever(
                    (async () => {
                        const gaps = () => shown.list.filter((event) => event.name === "gap").length;
                        const before = gaps();
                        await leave();
                        await publish(5);
                        await gateway.start();
                        await shown.count("ready", readies);
                        await shown.number(await publish(5));
                        assert.deepEqual(shown.seen.filter((item) => item >= from), range(from, from + 4));
                        return gaps() === before + 1 ? "gap, then all" : `${gaps() - before} gaps`;
                    })(),
                );
            const first = 21 + 10 * CUTS;
            const stopped = await away(() => gateway.stop(), CUTS + 2, first + 5);
            const killed = await away(() => gateway.kill(), CUTS + 3, first + 15);
            rows[place] = [name, version, where, needs, connects, cut, stopped, killed];
        });
    }
});

test("docs/clients.md shows what was found", async () => {
    const heads = ["client", "version", "in", "needs", "connects", `cut off ${CUTS} times`, "gateway stopped and started", "gateway killed and started"];
    const table = [heads, heads.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
    const text = await readFile(DOCUMENT, "utf8");
    const now = text.replace(/(<!-- found -->\n)[^]*(<!-- end -->)/, (_, start, end) => start + table + end);
    if (process.env.TUPLECAST_UPDATE) await writeFile(DOCUMENT, now);
    else assert.equal(text, now);
});
