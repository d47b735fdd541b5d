// The files for containers, run by a real Docker (DOCKER_HOST), in which scripts/test-packages has put the images tuplecast and postgres:15:
// what etc/compose/compose.yaml describes by docker-compose; the pod of etc/kubernetes/tuplecast.yaml as its template says, with the probes
// asked as a kubelet would.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { request, subscribe } from "../integration/lib/sse.mjs";
import { until } from "../integration/lib/until.mjs";

const ETC = resolve(import.meta.dirname, "../../etc");
const PATIENCE_MS = 60_000;

const run = async (command, ...args) => (await promisify(execFile)(command, args)).stdout.trim();
const docker = (...args) => run("docker", ...args);
const inspect = async (container, format) => docker("inspect", "--format", `{{${format}}}`, container);
const health = (container) => inspect(container, ".State.Health.Status");

async function yaml(file) {
    return JSON.parse(await run("python3", "-c", "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))", resolve(ETC, file)));
}

/** Nobody but an ordinary user, who can become no other and writes nowhere. */
async function assertConfined(container) {
    const status = await docker("exec", container, "cat", "/proc/1/status");
    assert.match(status, /^Uid:\t65532\t65532\t65532\t65532$/m);
    assert.match(status, /^CapBnd:\t0+$/m);
    assert.match(status, /^CapEff:\t0+$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(status, /^Seccomp:\t2$/m);
    await assert.rejects(docker("exec", "--user", "root", container, "touch", "/x"), /Read-only file system/);
}

/** The statements are those of a client within the database's container. */
const client = (container) => (sql) => docker("exec", container, "psql", "-U", "postgres", "-qAtc", sql, "app");

/** A notification that came before the stream was ready is nobody's: again, until one arrives. */
async function delivers(stream, query, payload) {
    await until(async () => {
        await query(`NOTIFY posts_changes, '${payload}'`);
        return stream.events.some(({ json }) => json.data === payload);
    }, () => `${payload}; the stream has ${JSON.stringify(stream.events)}`, PATIENCE_MS, 200);
}

test("compose: the database, then setup, then the gateway; it delivers, outlives the database, and ends well", { timeout: 180_000 }, async (t) => {
    const compose = (...args) => run("docker-compose", "--file", resolve(ETC, "compose/compose.yaml"), "--project-name", "tuplecast", ...args);
    t.after(() => compose("down", "--volumes"));
    await compose("up", "--detach", "--no-build");
    const containerOf = (service) => docker("ps", "--all", "--quiet", "--filter", `label=com.docker.compose.service=${service}`);
    const [database, setup, gateway] = await Promise.all(["database", "setup", "gateway"].map(containerOf));
    // Compose has waited for these two before it started the gateway.
    assert.equal(await health(database), "healthy");
    assert.deepEqual([await inspect(setup, ".State.Status"), await inspect(setup, ".State.ExitCode")], ["exited", "0"]);
    await until(async () => (await health(gateway)) === "healthy", "the gateway is healthy", PATIENCE_MS);
    await assertConfined(gateway);

    const query = client(database);
    const stream = await subscribe(t, "http://127.0.0.1:8080/streams/posts_changes");
    await delivers(stream, query, "it works");
    await compose("restart", "database");
    await stream.next(({ name, json }) => name === "status" && json.database === "down");
    await stream.next(({ name, json }) => name === "status" && json.database === "up", PATIENCE_MS);
    await delivers(stream, query, "it goes on");

    await compose("stop", "gateway");
    await stream.next("bye");
    assert.equal(await inspect(gateway, ".State.ExitCode"), "0", "it ended within stop_grace_period, and was not killed");
    await compose("start", "gateway");
    await until(async () => (await health(gateway)) === "healthy", "the gateway is healthy again", PATIENCE_MS);
});

test("Kubernetes: the pod runs as its template says, its probes tell what they should, and it ends within its grace period", { timeout: 180_000 }, async (t) => {
    const [{ spec: { template: { spec } } }] = await yaml("kubernetes/tuplecast.yaml");
    const [container] = spec.containers;
    const database = "kubernetes-database", pod = "kubernetes-pod", network = "kubernetes";
    const secrets = { tuplecast: { "database-url": `postgresql://postgres:secret@${database}/app` } };
    t.after(() => docker("rm", "--force", "--volumes", database, pod).then(() => docker("network", "rm", network)));
    await docker("network", "create", network);
    await docker("run", "--detach", "--name", database, "--network", network, "--env", "POSTGRES_DB=app", "--env", "POSTGRES_PASSWORD=secret", "postgres:15");
    await until(() => client(database)("SELECT 1").then(() => true, () => false), "the database", PATIENCE_MS);

    const value = ({ value, valueFrom }) => value ?? secrets[valueFrom.secretKeyRef.name][valueFrom.secretKeyRef.key];
    const environment = container.env.flatMap((variable) => ["--env", `${variable.name}=${value(variable)}`]);
    const { securityContext } = container;
    const options = [
        ...(securityContext.readOnlyRootFilesystem ? ["--read-only"] : []),
        ...(securityContext.allowPrivilegeEscalation ? [] : ["--security-opt", "no-new-privileges"]),
        ...securityContext.capabilities.drop.flatMap((name) => ["--cap-drop", name]),
        "--memory", container.resources.limits.memory.replace("Mi", "m"),
        "--network", network,
    ];
    const image = container.image.split(":")[0];
    await docker("run", "--rm", ...options, ...environment, image, "setup"); // by hand, once, as the file says
    await docker("run", "--detach", "--name", pod, ...options, ...environment, image);
    assert.ok(spec.securityContext.runAsNonRoot && Number(/^\d+/.exec(await inspect(image, ".Config.User"))[0]) > 0, "a number that is not root's");
    await assertConfined(pod);

    const address = await inspect(pod, "range .NetworkSettings.Networks}}{{.IPAddress}}{{end");
    const port = (name) => container.ports.find((port) => port.name === name).containerPort;
    const probe = async ({ httpGet, timeoutSeconds }) => {
        const answer = await request(`http://${address}:${port(httpGet.port)}${httpGet.path}`, { timeout: 1000 * timeoutSeconds }).catch((error) => error);
        return answer.status >= 200 && answer.status < 400;
    };
    const { livenessProbe: live, readinessProbe: ready } = container;
    await until(() => probe(ready), "the pod is ready", PATIENCE_MS);
    assert.ok(await probe(live));
    const stream = await subscribe(t, `http://${address}:${port("http")}/streams/posts_changes`);
    await delivers(stream, client(database), "it works");

    await docker("stop", database);
    await until(async () => !(await probe(ready)), "it is not ready without its database", PATIENCE_MS);
    assert.ok(await probe(live), "but alive: to start it again would not bring the database back");
    await docker("start", database);
    await until(() => probe(ready), "it is ready again", PATIENCE_MS);

    const began = performance.now();
    await docker("exec", pod, ...container.lifecycle.preStop.exec.command);
    assert.ok(await probe(ready), "who comes while the nodes are being told is served");
    await docker("stop", "--time", String(spec.terminationGracePeriodSeconds), pod);
    await stream.next("bye");
    assert.equal(await inspect(pod, ".State.ExitCode"), "0");
    const seconds = (performance.now() - began) / 1000;
    assert.ok(seconds < spec.terminationGracePeriodSeconds - 5, `${seconds} s`);
});
