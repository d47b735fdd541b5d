// More PostgreSQL servers than the one of scripts/with-postgres: a fresh one, and standbys of either.

import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, chmod, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Database } from "./database.mjs";
import { until } from "./until.mjs";

const BIN = process.env.TUPLECAST_TEST_PGBIN;
const CLIENTS = process.env.TUPLECAST_TEST_PGCLIENTS;
const PATIENCE_MS = 60_000;
const execute = promisify(execFile);

const majorOf = (program) => Number(/ (\d+)/.exec(execFileSync(program, ["--version"], { encoding: "utf8" }))[1]);

/** The major version of all servers here. */
export const SERVER_VERSION = majorOf(path.join(BIN, "postgres"));

/** Why dump() is not to be had, or false. */
export const noDump = majorOf(path.join(CLIENTS, "pg_dump")) < SERVER_VERSION && "pg_dump refuses a server that is newer than itself";

/** PostgreSQL refuses root: as root, its programs run as the user that scripts/with-postgres chose. */
async function asOwner() {
    if (process.getuid() !== 0) return [];
    const user = process.env.TUPLECAST_TEST_PGUSER_OS;
    const { stdout } = await execute("id", ["-g", user]);
    return [`--reuid=${user}`, `--regid=${stdout.trim()}`, "--clear-groups"];
}

/** A server's program, or another one by its path, as the servers' user. */
async function runAsOwner(program, args, cwd = "/") {
    return execute("setpriv", [...(await asOwner()), path.resolve(BIN, program), ...args], { cwd });
}

const initialize = (data) =>
    runAsOwner("initdb", ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", `--pgdata=${data}`]);

/** Some installations of PostgreSQL have it. */
export const CAN_UPGRADE = existsSync(path.resolve(BIN, "pg_upgrade"));

/** Copies a database to another server, or to the same one under another name, by pg_dump. Roles must be there. Resolves with a function that restores it. */
export async function dump(database) {
    const options = { maxBuffer: 2 ** 28 };
    const { stdout } = await execute(path.join(CLIENTS, "pg_dump"), ["--dbname", database.name], options);
    return async (target) => {
        const restoring = execute(path.join(CLIENTS, "psql"), ["-X", "-q", "-v", "ON_ERROR_STOP=1"], { ...options, env: { ...process.env, ...target.env } });
        restoring.child.stdin.end(stdout);
        await restoring;
    };
}

function signalAll(pids, signal) {
    for (const pid of pids) {
        try {
            process.kill(pid, signal);
        } catch {
            // it has ended meanwhile
        }
    }
}

class Server {
    constructor(dir, settings) {
        this.dir = dir;
        this.data = path.join(dir, "data");
        this.settings = { unix_socket_directories: dir, listen_addresses: "", port: 5432, shared_buffers: "16MB", fsync: "off", ...settings };
        this.frozen = []; // process ids
        /** What makes a program use this server. */
        this.env = { PGHOST: dir, PGPORT: String(this.settings.port) };
    }

    /** more: settings beside its own. */
    async start(more = {}) {
        const settings = { ...this.settings, ...more };
        const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
        // However the test ends, the kernel sees to it that no server outlives it.
        this.child = spawn("setpriv", [...(await asOwner()), "--pdeathsig", "KILL", path.join(BIN, "postgres"), "-D", this.data, ...args], { cwd: "/", stdio: "ignore" });
        this.ended = new Promise((resolve) => this.child.on("close", resolve));
        await this.#until("SELECT 1", "1", "the server's start");
    }

    /** Waits until the server answers so, by one session, which is opened anew when it was lost. */
    async #until(question, wanted, what, values) {
        const control = this.database("postgres");
        let answer;
        const ask = async () => (answer = await control.value(question, values).catch(({ message }) => message)) === wanted;
        try {
            await until(ask, () => `${what}; it answers ${answer}`, PATIENCE_MS);
        } finally {
            await control.end();
        }
    }

    database(name) {
        return new Database(name, this.env);
    }

    /** SIGQUIT is a crash, SIGINT an orderly end: clients are told, and standbys get the rest. */
    async stop(signal = "SIGQUIT") {
        signalAll(this.frozen, "SIGCONT");
        this.frozen = [];
        this.child?.kill(signal);
        await this.ended;
    }

    /** Stands still until it is stopped. The postmaster first: a frozen one starts no new process. */
    async freeze() {
        const { pid } = this.child;
        process.kill(pid, "SIGSTOP");
        // Until then it may be in the midst of starting a process.
        await until(async () => /^State:\s+T/m.test(await readFile(`/proc/${pid}/status`, "utf8")), "a postmaster that stands still", PATIENCE_MS);
        const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
        this.frozen = [pid, ...children.trim().split(" ").map(Number)];
        signalAll(this.frozen, "SIGSTOP");
    }

    /** Gets all that the other one commits, before that is told to the one who commits it. */
    async synchronize(standby) {
        const control = this.database("postgres");
        await control.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
        await control.query("SELECT pg_reload_conf()");
        await control.end();
        await this.#until("SELECT max(sync_state) FROM pg_stat_replication", "sync", "the synchronous standby");
        return standby;
    }

    /** Starts it again, as a standby of the other one. It must have been stopped in order. */
    async startAsStandbyOf(primary) {
        await runAsOwner("/usr/bin/touch", [path.join(this.data, "standby.signal")]);
        await this.start({ primary_conninfo: `host=${primary.dir} port=5432 user=postgres` });
    }

    async caughtUp(primary) {
        const position = await primary.value("SELECT pg_current_wal_lsn()");
        await this.#until("SELECT pg_last_wal_replay_lsn() >= $1", "t", "the standby", [position]);
    }

    /** Gets nothing new from the primary any more. */
    async cutOff() {
        const control = this.database("postgres");
        await control.query("ALTER SYSTEM SET primary_conninfo = ''");
        await control.query("SELECT pg_reload_conf()");
        await control.end();
        await this.#until("SELECT count(*) FROM pg_stat_wal_receiver", "0", "the end of its connection");
    }

    /** By pg_upgrade, from its version to the same one: the server becomes another one, with the same data. */
    async upgrade() {
        await this.stop("SIGINT");
        await rename(this.data, `${this.data}.old`);
        await initialize(this.data);
        const folders = ["--old-bindir", BIN, "--new-bindir", BIN, "--old-datadir", `${this.data}.old`, "--new-datadir", this.data, "--socketdir", this.dir];
        await runAsOwner("pg_upgrade", [...folders, "--username", "postgres"], this.dir);
        await this.start();
    }

    async promote() {
        const control = this.database("postgres");
        await control.query("SELECT pg_promote()");
        await control.end();
        await this.#until("SELECT pg_is_in_recovery()", "f", "the promotion");
    }
}

async function newServer(t, fill, settings) {
    const dir = await mkdtemp(path.join(os.tmpdir(), "tuplecast-pg2."));
    await chmod(dir, 0o777);
    const server = new Server(dir, settings);
    t.after(async () => {
        await server.stop();
        await rm(dir, { recursive: true, force: true });
    });
    await fill(server);
    await server.start();
    return server;
}

/** A server with nothing in it. `prepare` is given its folder before it starts. */
export function startFreshServer(t, { settings, prepare = async () => {} } = {}) {
    const fill = async ({ data }) => {
        await initialize(data);
        await prepare(data);
    };
    return newServer(t, fill, settings);
}

/** Lets the servers' user own a file, as a key must be. */
export async function giveToServer(file) {
    if (process.getuid() === 0) await execute("chown", [process.env.TUPLECAST_TEST_PGUSER_OS, file]);
}

/** What pg_basebackup makes, which not every server brings: a copy of a running server's files, from which a standby can start. */
async function copyServer(primary, data) {
    const [start, stop] =
        SERVER_VERSION < 15
            ? ["SELECT pg_start_backup('copy', true, false)", "SELECT labelfile FROM pg_stop_backup(false, false)"]
            : ["SELECT pg_backup_start('copy', true)", "SELECT labelfile FROM pg_backup_stop(false)"];
    const control = primary?.database("postgres") ?? new Database("postgres");
    const source = await control.value("SHOW data_directory");
    await control.query(start);
    // Files change and go away meanwhile, which tar says by 1: what is missed is in the write-ahead log.
    const copy = `{ tar -C "$1" -c --exclude "./postmaster.*" --exclude "./pg_wal/0*" --exclude "./pg_replslot/*" --ignore-failed-read . || [ $? = 1 ]; } |
        tar -C "$2" -x`;
    await runAsOwner("/bin/sh", ["-c", `umask 077 && mkdir "$2" && ${copy}`, "sh", source, data]);
    await writeFile(path.join(data, "backup_label"), await control.value(stop));
    await writeFile(path.join(data, "standby.signal"), "");
    const { host, port } = primary ? { host: primary.dir, port: "5432" } : { host: process.env.PGHOST, port: process.env.PGPORT };
    await appendFile(path.join(data, "postgresql.auto.conf"), `primary_conninfo = 'host=${host} port=${port} user=postgres'\n`);
    for (const name of ["backup_label", "standby.signal"]) await giveToServer(path.join(data, name));
    await control.end();
}

/** A standby that follows the server of scripts/with-postgres, or another one, until it is promoted. */
export function startStandby(t, primary) {
    return newServer(t, ({ data }) => copyServer(primary, data));
}
