// What is shipped beside the program says what the program does: manual pages, completion, units, compose and Kubernetes files.
// The package and the image themselves are built and run by scripts/test-packages, which takes longer.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { createDatabase } from "./lib/database.mjs";
import { freePort, run, startGateway } from "./lib/gateway.mjs";
import { isSanitized } from "./lib/proc.mjs";
import { request, subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const read = (file) => readFileSync(resolve(ROOT, file), "utf8");
const PATHS = [...read("src/config/settings.c").matchAll(/\.path = "([^"]+)"/g)].map((match) => match[1]);
const VARIABLES = new Set(PATHS.map((path) => `TUPLECAST_${path.replaceAll(".", "_").toUpperCase()}`));

/** The documents of a YAML file. */
async function yaml(file) {
    const script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    return JSON.parse((await promisify(execFile)("python3", ["-c", script, resolve(ROOT, file)])).stdout);
}

async function optionsOfHelp() {
    const { stdout } = await run(["--help"]);
    return new Set(stdout.match(/--[a-z-]+/g));
}

for (const file of ["man/tuplecast.1", "etc/completion/tuplecast.bash", "etc/completion/_tuplecast"])
    test(`${file} knows every option, and no other`, async () => {
        const text = read(file).replaceAll("\\-", "-").replaceAll(/^\.\w.*$/gm, (line) => line.replaceAll(/(Fl|,) -/g, "--"));
        const found = new Set(text.match(/--[a-z][a-z-]+/g));
        assert.deepEqual([...found].sort(), [...(await optionsOfHelp())].sort());
        for (const command of ["serve", "setup", "check", "ready"]) assert.match(text, new RegExp(`\\b${command}\\b`));
    });

test("bash completes options, commands and levels", async () => {
    const complete = async (...words) => {
        const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tuplecast; printf '%s\\n' "\${COMPREPLY[@]}"`;
        const { stdout } = await promisify(execFile)("bash", ["-c", script, resolve(ROOT, "etc/completion/tuplecast.bash"), ...words]);
        return stdout.trim().split("\n");
    };
    assert.deepEqual(await complete("tuplecast", "se"), ["serve", "setup"]);
    assert.deepEqual(await complete("tuplecast", "--dr"), ["--dry-run"]);
    assert.deepEqual(await complete("tuplecast", "--log-level", "w"), ["warn"]);
});

test("systemd finds the unit tight: 1.5 at most", async () => {
    await promisify(execFile)("systemd-analyze", ["security", "--offline=yes", "--no-pager", "--threshold=15", resolve(ROOT, "etc/systemd/tuplecast.service")]);
});

/** The system calls behind a name such as @system-service, or the one of that name. */
async function systemCalls(name) {
    if (!name.startsWith("@")) return [name];
    const { stdout } = await promisify(execFile)("systemd-analyze", ["syscall-filter", "--no-pager", name]);
    const names = stdout.split("\n").slice(1).map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
    return (await Promise.all(names.map(systemCalls))).flat();
}

test("the unit's filter of system calls allows all that the program uses, its own confinement included", async (t) => {
    const allowed = new Set(await systemCalls("@default"));
    for (const [, without, names] of read("etc/systemd/tuplecast.service").matchAll(/^SystemCallFilter=(~?)(.*)$/gm))
        for (const name of (await Promise.all(names.split(" ").map(systemCalls))).flat()) allowed[without ? "delete" : "add"](name);
    const dir = mkdtempSync(join(tmpdir(), "tuplecast-calls-"));
    t.after(() => rmSync(dir, { recursive: true }));
    const database = await createDatabase(t);
    const gateway = await startGateway(t, database.env);
    await gateway.ready(30_000);
    // A sanitizer makes system calls of its own, and does not bear to be traced.
    if (isSanitized(gateway.pid)) return t.skip("built with a sanitizer");
    await gateway.stop();
    const port = await freePort();
    const env = { ...process.env, ...gateway.env, TUPLECAST_CHANNELS: "*", TUPLECAST_LISTEN: `127.0.0.1:${port}` };
    const traced = spawn("setpriv", ["--pdeathsig", "KILL", "strace", "-f", "-qq", "-o", join(dir, "calls"), process.env.TUPLECAST_BIN], { env, stdio: "ignore" });
    const ended = new Promise((resolve) => traced.on("close", resolve));
    t.after(() => traced.kill("SIGKILL"));
    const origin = `http://127.0.0.1:${port}`;
    const answers = (path) => request(origin + path).then((response) => response.status === 200, () => false);
    await until(() => answers("/readyz"), "the traced gateway", 30_000);
    const stream = await subscribe(t, `${origin}/streams/traced`);
    await database.notify("traced", "1");
    await stream.next("message");
    assert.ok(await answers("/metrics"));
    const pid = Number(readFileSync(join(dir, "calls"), "utf8").split(" ")[0]);
    process.kill(pid, "SIGHUP");
    process.kill(pid, "SIGTERM");
    await ended;
    const used = new Set(readFileSync(join(dir, "calls"), "utf8").match(/(?<=^\d+ +)[a-z_0-9]+(?=\()/gm));
    assert.ok(used.has("epoll_wait"), "something was traced");
    assert.deepEqual([...used].filter((name) => !allowed.has(name)), []);
});

test("check --quiet says nothing of a good configuration, and what is wrong with a bad one", async () => {
    assert.deepEqual(await run(["check", "--quiet"]), { code: 0, stdout: "", stderr: "" });
    const bad = await run(["check", "--quiet"], { TUPLECAST_LISTEN: "nonsense" });
    assert.equal(bad.code, 78);
    assert.match(bad.stderr, /listen/);
});

describe("files for containers", () => {
    for (const file of ["Dockerfile", "etc/compose/compose.yaml", "etc/kubernetes/tuplecast.yaml"])
        test(`${file} uses settings that there are`, () => {
            const used = read(file).match(/(?<!-D)TUPLECAST_[A-Z_]+/g);
            assert.ok(used.length > 0);
            assert.deepEqual(used.filter((name) => !VARIABLES.has(name)), []);
        });

    test("compose: the gateway waits for the database side, writes nowhere, and only this machine reaches it", async () => {
        const [{ services }] = await yaml("etc/compose/compose.yaml");
        assert.deepEqual(services.setup.command, ["setup"]);
        assert.equal(services.gateway.depends_on.setup.condition, "service_completed_successfully");
        for (const { read_only, cap_drop } of [services.setup, services.gateway]) assert.deepEqual([read_only, cap_drop], [true, ["ALL"]]);
        assert.deepEqual(services.gateway.ports, ["127.0.0.1:8080:8080"]);
    });

    test("Kubernetes: the API knows every member, and its type", async (t) => {
        const folder = mkdtempSync(join(tmpdir(), "tuplecast-objects-"));
        t.after(() => rmSync(folder, { recursive: true }));
        symlinkSync(join(import.meta.dirname, "node_modules"), join(folder, "node_modules"));
        /** What the compiler says of objects as literals of their kinds' types, by number. */
        const check = async (objects) => {
            const lines = objects.flatMap((object, i) => [
                `import type { I${object.kind} as Kind${i} } from "kubernetes-models/${object.apiVersion}/${object.kind}";`,
                `export const object${i}: Kind${i} = ${JSON.stringify(object)};`,
            ]);
            writeFileSync(join(folder, "objects.ts"), lines.join("\n"));
            const compiler = join(import.meta.dirname, "node_modules/.bin/tsc");
            const { stdout } = await promisify(execFile)(compiler, ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", join(folder, "objects.ts")]).catch((error) => error);
            return stdout;
        };
        const objects = await yaml("etc/kubernetes/tuplecast.yaml");
        assert.deepEqual(objects.map(({ kind }) => kind), ["Deployment", "Service", "PodDisruptionBudget"]);
        assert.equal(await check(objects), "");
        const typo = (change) => {
            const copy = structuredClone(objects);
            change(copy[0].spec.template.spec.containers[0], copy);
            return copy;
        };
        const said = await check([
            ...typo((container) => (container.livenessProbe.httpGet.prt = "http")),
            ...typo((container) => (container.readinessProbe.periodSeconds = "2 s")),
            ...typo((container) => delete container.name),
            ...typo((_, [, , budget]) => (budget.spec.maxUnavailabel = 1)),
        ]);
        for (const complaint of [/'"prt"' does not exist/, /'string' is not assignable to type 'number'/, /Property '"name"' is missing/, /'"maxUnavailabel"' does not exist/]) assert.match(said, complaint);
    });

    test("Kubernetes: labels, ports and probes fit together, and the probes' addresses answer", async (t) => {
        const documents = await yaml("etc/kubernetes/tuplecast.yaml");
        const [deployment, service, budget] = ["Deployment", "Service", "PodDisruptionBudget"].map((kind) => documents.find((document) => document.kind === kind));
        const { metadata, spec } = deployment.spec.template;
        for (const selector of [deployment.spec.selector.matchLabels, service.spec.selector, budget.spec.selector.matchLabels])
            assert.deepEqual(selector, metadata.labels);
        const [container] = spec.containers;
        assert.equal(service.spec.ports[0].targetPort, container.ports[0].name);
        assert.deepEqual([spec.securityContext.runAsNonRoot, container.securityContext.readOnlyRootFilesystem], [true, true]);
        const database = await createDatabase(t);
        const gateway = await startGateway(t, database.env);
        await gateway.ready(30_000);
        for (const probe of [container.livenessProbe, container.readinessProbe]) assert.equal((await gateway.get(probe.httpGet.path)).status, 200);
    });
});
