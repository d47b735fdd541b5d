// Metrics, alerts and the dashboard, as Prometheus itself reads them; and the log lines behind them.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { define, install, put } from "./lib/changes.mjs";
import { createDatabase, server } from "./lib/database.mjs";
import { follow } from "./lib/follower.mjs";
import { freePort, startGateway } from "./lib/gateway.mjs";
import { descriptors, limitDescriptors } from "./lib/proc.mjs";
import { openStream, request, subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";
import { connect } from "./lib/wire.mjs";

const ETC = resolve(import.meta.dirname, "../../etc");
const RULES = readFileSync(join(ETC, "prometheus/tuplecast.rules.yml"), "utf8");
const DASHBOARD = JSON.parse(readFileSync(join(ETC, "grafana/tuplecast.json"), "utf8"));
const DEADLINE_MS = 30_000;

function temporary(t) {
    const dir = mkdtempSync(join(tmpdir(), "tuplecast-metrics-"));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    return dir;
}

async function promtool(...args) {
    const input = args.at(-1) instanceof Buffer ? args.pop() : undefined;
    const running = promisify(execFile)("promtool", args);
    running.child.stdin.end(input);
    return running;
}

/** A real Prometheus that looks five times a second, with our rules: what they wait for has happened at once. */
async function startPrometheus(t, port, rules) {
    const dir = temporary(t);
    const listen = `127.0.0.1:${await freePort()}`;
    writeFileSync(join(dir, "rules.yml"), rules);
    writeFileSync(
        join(dir, "prometheus.yml"),
        `global: {scrape_interval: 200ms, evaluation_interval: 200ms}
rule_files: [rules.yml]
scrape_configs: [{job_name: tuplecast, static_configs: [{targets: ["127.0.0.1:${port}"]}]}]
`,
    );
    const args = [`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`, `--web.listen-address=${listen}`, "--log.level=error"];
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "prometheus", ...args], { stdio: ["ignore", "ignore", "inherit"] });
    const ended = new Promise((resolve) => child.on("close", resolve));
    t.after(() => child.kill("SIGKILL") && ended);
    const ask = async (path) => JSON.parse((await request(`http://${listen}/api/v1/${path}`)).body).data;
    const prometheus = {
        query: async (text) => (await ask(`query?query=${encodeURIComponent(text)}`))?.result,
        firing: async () => new Set((await ask("alerts")).alerts.filter((alert) => alert.state === "firing").map((alert) => alert.labels.alertname)),
    };
    prometheus.fires = (name) =>
        until(async () => (await prometheus.firing()).has(`Tuplecast${name}`), async () => `the alert ${name}`, DEADLINE_MS);
    await until(() => prometheus.query('up{job="tuplecast"} == 1').then((result) => result?.length > 0, () => false), "the first look", DEADLINE_MS);
    return prometheus;
}

test("promtool finds nothing to say about the metrics and the rules", async (t) => {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, database.env);
    await gateway.ready(DEADLINE_MS);
    const { body } = await gateway.get("/metrics");
    await promtool("check", "metrics", Buffer.from(body));
    await promtool("check", "rules", join(ETC, "prometheus/tuplecast.rules.yml"));
    await promtool("check", "config", join(ETC, "prometheus/prometheus.yml"));
});

test("docs/operations.md says of each alert what to do", () => {
    const told = [...readFileSync(join(ETC, "../docs/operations.md"), "utf8").matchAll(/^### (Tuplecast\w+)$/gm)].map((match) => match[1]);
    assert.deepEqual(told, [...RULES.matchAll(/alert: (\w+)/g)].map((match) => match[1]));
});

test("labels have fixed values: no channel, table or address becomes one", async (t) => {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, database.env);
    await gateway.ready(DEADLINE_MS);
    const names = async () => (await gateway.get("/metrics")).body.split("\n").filter((line) => !line.startsWith("#")).map((line) => line.split(" ")[0]);
    const before = await names();
    await Promise.all(Array.from({ length: 30 }, (_, i) => subscribe(t, gateway.stream(`channel_${i}`, { table: `t${i}` }))));
    for (let i = 0; i < 30; i++) await gateway.get(`/nothing_${i}`);
    assert.deepEqual((await names()).filter((name) => !before.includes(name)), []);
});

/** The alerts of durable channels, one after the other. Before, there were none of these channels, and no alert. */
async function causeDurable(t, database, gateway, cause) {
    await install(database);
    await database.query("CREATE TABLE watched (id int PRIMARY KEY)");
    await put(database, "watched", define("watched", { durable: true }));
    const metric = (name, wanted) => until(async () => wanted(await gateway.metric(`tuplecast_durable_${name}`)), `durable_${name}`, DEADLINE_MS);
    await metric("up", (value) => value === 1);
    const stream = await subscribe(t, gateway.stream("watched_changes"));
    await cause("NotificationsIgnored", async () => {
        await database.query("INSERT INTO watched VALUES (1)");
        await stream.next(({ name }) => name === "message", DEADLINE_MS);
        await database.notify("watched_changes", "{}");
    });
    await cause("DurableUpkeepFails", () => database.query("ALTER FUNCTION tuplecast.retain RENAME TO retain_then"));
    await database.query("ALTER FUNCTION tuplecast.retain_then RENAME TO retain");
    // A log that is larger and older than it may be, as retain() says.
    await database.query(`ALTER FUNCTION tuplecast.retain RENAME TO retain_then;
        CREATE FUNCTION tuplecast.retain(i interval, b bigint, OUT bytes bigint, OUT oldest_age_s bigint, OUT has_more boolean) LANGUAGE sql AS $$ SELECT 1::bigint << 50, 1::bigint << 50, true $$;
        GRANT ALL ON FUNCTION tuplecast.retain(interval, bigint) TO PUBLIC`);
    await cause("DurableLogLarge", () => {});
    await cause("DurableLogOld", () => {});
    // The lead goes on, and gets no answer for a while.
    const locker = await database.connect(t);
    await locker.query("BEGIN; LOCK TABLE tuplecast.tick IN ACCESS EXCLUSIVE MODE");
    await cause("DurableLag", () => {});
    await locker.end();
    await cause("DurableDown", () => database.query("ALTER TABLE tuplecast.tick ADD CONSTRAINT none CHECK (false) NOT VALID; INSERT INTO watched VALUES (2)"));
    await cause("DurableNoLead", () => database.query("ALTER FUNCTION tuplecast.make_tick(bigint, text) RENAME TO make_tick_then"));
}

test("every alert fires when its cause is there, and none before; every panel of the dashboard shows something", async (t) => {
    const database = await createDatabase(t);
    const file = join(temporary(t), "tuplecast.conf");
    writeFileSync(file, "");
    const gateway = await startGateway(t, {
        ...database.env,
        TUPLECAST_LIMITS_STREAMS: "10",
        TUPLECAST_LIMITS_SEND_BUFFER_BYTES: "4096",
        TUPLECAST_LIMITS_FEED_LOG_BYTES: String(32 << 20),
        TUPLECAST_PROBE_INTERVAL_MS: "200",
    }, ["-c", file]);
    await gateway.ready(DEADLINE_MS);
    // The queue has 8 GB: a quarter of that is more than a test should write.
    const rules = RULES.replaceAll(/for: \d+m/g, "for: 0s").replace("queue_usage > 0.25", "queue_usage > 0.0002");
    const prometheus = await startPrometheus(t, gateway.port, rules);
    const alerts = [...RULES.matchAll(/alert: Tuplecast(\w+)/g)].map((match) => match[1]);
    const caused = [];
    const cause = async (name, action) => {
        await action();
        await prometheus.fires(name);
        caused.push(name);
    };

    assert.deepEqual([...(await prometheus.firing())], []);
    await cause("ReloadFailed", () => {
        writeFileSync(file, "nonsense");
        gateway.signal("SIGHUP");
    });
    await cause("LogsErrors", () => {});
    writeFileSync(file, "");
    gateway.signal("SIGHUP");
    await until(async () => !(await prometheus.firing()).has("TuplecastReloadFailed"), "the end of the alert", DEADLINE_MS);

    const sleeper = await subscribe(t, gateway.stream("slow"));
    await cause("SlowDelivery", async () => {
        sleeper.response.pause();
        await database.query("SELECT pg_notify('slow', repeat('x', 7000) || i) FROM generate_series(1, 1000) i");
        const from = performance.now();
        await until(() => performance.now() - from > 3000, "three seconds of sleep");
        sleeper.response.resume();
        await until(() => sleeper.events.length > 1000, () => `all events, there are ${sleeper.events.length}`, DEADLINE_MS);
    });
    const follower = await follow(t, gateway.stream("followed"));
    await cause("StreamsNearlyFull", () => Promise.all(Array.from({ length: 8 }, () => subscribe(t, gateway.stream("many")))));
    await cause("RefusesStreams", () => openStream(t, gateway.stream("many")));
    await cause("NotificationQueueFilling", async () => {
        const lazy = await database.connect(t);
        await lazy.query("LISTEN somewhere");
        await lazy.query("BEGIN");
        await lazy.query("SELECT 1");
        await database.query("SELECT pg_notify('nowhere', repeat('x', 7000) || i) FROM generate_series(1, 1000) i");
    });
    await cause("ConnectionsNotAccepted", async () => {
        limitDescriptors(gateway.pid, descriptors(gateway.pid) + 20);
        const wires = await Promise.all(Array.from({ length: 60 }, () => connect(t, gateway.port)));
        for (const wire of wires) wire.send("GET /livez HT");
        await until(() => gateway.log.includes("file descriptors are used up"), "the shortage", DEADLINE_MS);
        for (const wire of wires) wire.close();
    });
    await cause("DatabaseUnsteady", async () => {
        for (let i = 0; i < 5; i++) {
            const before = await gateway.metric("tuplecast_database_losses_total");
            await database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
            await until(async () => (await gateway.metric("tuplecast_database_losses_total")) > before, "the loss", DEADLINE_MS);
            await gateway.ready(DEADLINE_MS);
        }
    });
    await cause("ClientsMissEvents", () => follower.event("gap", DEADLINE_MS));
    for (const { targets } of DASHBOARD.panels)
        for (const { expr } of targets) {
            const query = expr.replaceAll("$job", "tuplecast").replaceAll("$instance", ".*").replaceAll("$__rate_interval", "5m");
            if (/durable_log_bytes/.test(query)) continue; // only where there is such a log
            assert.ok((await prometheus.query(query))?.length > 0, query);
        }
    follower.close();
    await causeDurable(t, database, gateway, cause);
    await cause("DatabaseAway", async () => {
        t.after(() => server("start").catch(() => {}));
        await database.end();
        await server("stop");
    });
    await cause("RestartsOften", async () => {
        for (let i = 0; i < 3; i++) {
            await gateway.restart();
            const seen = `changes(process_start_time_seconds[15m]) >= ${i + 1}`;
            await until(async () => (await prometheus.query(seen)).length > 0, `restart ${i + 1}`, DEADLINE_MS);
        }
    });
    await cause("Down", () => gateway.stop());
    assert.deepEqual(caused.sort(), alerts.sort());
});

test("log.requests: a line for each request, without the query", async (t) => {
    const database = await createDatabase(t);
    const gateway = await startGateway(t, { ...database.env, TUPLECAST_LOG_REQUESTS: "true", TUPLECAST_LOG_LEVEL: "error" });
    await gateway.ready(DEADLINE_MS);
    await subscribe(t, gateway.stream("logged", { id: "secret" }));
    await gateway.get("/nothing%20else?secret=1");
    const line = (path, status) => new RegExp(` info request method="GET" path="${path}" status=${status} us=\\d+ client="127\\.0\\.0\\.1"\n`);
    await until(() => line("/streams/logged", 200).test(gateway.log), () => `the stream: ${gateway.log}`, DEADLINE_MS);
    await until(() => line("/nothing%20else", 404).test(gateway.log), () => `the other: ${gateway.log}`, DEADLINE_MS);
    assert.equal((await gateway.get("/nothing%0aelse?secret=1")).status, 400);
    await until(() => / info request refused status=400 reason="[^"]+" client="127\.0\.0\.1"\n/.test(gateway.log), () => `the refused one: ${gateway.log}`, DEADLINE_MS);
    assert.doesNotMatch(gateway.log, /secret/);
});

test("without log.requests there is no such line", async (t) => {
    const gateway = await startGateway(t, { PGHOST: "/nonexistent" });
    await gateway.get("/livez");
    await gateway.stop();
    assert.doesNotMatch(gateway.log, / request /);
});
