// What the kernel says of a process.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { until } from "./until.mjs";

export function descriptors(pid) {
    return readdirSync(`/proc/${pid}/fd`).length;
}

/** Waits until the process has no more than so many descriptors; connections need a moment to go. */
export function descriptorsFall(pid, most, deadlineMs) {
    return until(() => descriptors(pid) <= most, () => `${most} descriptors, there are ${descriptors(pid)}`, deadlineMs);
}

/** A number of /proc/PID/status, such as VmRSS or RssAnon, in bytes. */
export function memoryBytes(pid, name) {
    return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
}

/** Seconds of processor time that the process has used. */
export function cpuSeconds(pid) {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Whether it was built with AddressSanitizer, which keeps freed memory and so makes sizes say nothing. */
export function isSanitized(pid) {
    return memoryBytes(pid, "VmSize") > 2 ** 40; // its shadow memory
}

/** So many descriptors and no more may the running process have from now on. */
export function limitDescriptors(pid, count) {
    execFileSync("prlimit", [`--pid=${pid}`, `--nofile=${count}:${count}`]);
}

/** Runs `step` while the process stands still: all that happens meanwhile, it will find in one go. */
export async function whileStopped(gateway, step) {
    gateway.signal("SIGSTOP");
    try {
        await until(() => / T /.test(readFileSync(`/proc/${gateway.pid}/stat`, "utf8")), "the stop");
        return await step();
    } finally {
        gateway.signal("SIGCONT");
    }
}

/** What a file in /proc says; nothing when the process or thread has gone meanwhile. */
function ask(read) {
    try {
        return read();
    } catch (error) {
        if (error.code === "ENOENT" || error.code === "ESRCH") return [];
        throw error;
    }
}

/** The processes below a process whose command line fits the pattern. */
function descendants(pid, pattern) {
    const threads = ask(() => readdirSync(`/proc/${pid}/task`));
    const texts = threads.map((thread) => ask(() => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")));
    const children = texts.join(" ").split(/\s+/).filter(Boolean).map(Number);
    const fits = (child) => pattern.test(ask(() => readFileSync(`/proc/${child}/cmdline`, "utf8")));
    return children.flatMap((child) => [...(fits(child) ? [child] : []), ...descendants(child, pattern)]);
}

/** Runs step() while all browsers that this process has started stand still, as on a computer that sleeps. */
export async function whileBrowsersSleep(step) {
    const pids = descendants(process.pid, /chromium|firefox/);
    assert.ok(pids.length > 1, "a browser is many processes");
    const signal = (name) => pids.forEach((pid) => ask(() => process.kill(pid, name)));
    signal("SIGSTOP");
    try {
        return await step();
    } finally {
        signal("SIGCONT");
    }
}

export function sleep(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}
