// Small volumes of the soak's own, which can be made full: for the server's write-ahead log, and for the log of durable channels.

import { execFile } from "node:child_process";
import { cp, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { server } from "../integration/lib/database.mjs";

const execute = promisify(execFile);
const SIZE = "1536m"; // an hour's log, and huge transactions

/** namespace: the folder in which scripts/soak has mounted the volumes `wal` and `log`. Restarts the server with its WAL there. */
export async function openVolumes(namespace) {
    if (!namespace) return undefined;
    const resize = (name, size) => execute("mount", ["-o", `remount,size=${size}`, path.join(namespace, name)]);
    const owner = process.env.TUPLECAST_TEST_PGUSER_OS;
    const place = path.join(process.env.TUPLECAST_TEST_PGDATA, "pg_wal");
    const wal = path.join(namespace, "wal", "pg_wal");
    await server("stop");
    await cp(place, wal, { recursive: true });
    await rm(place, { recursive: true });
    await symlink(wal, place);
    for (const name of ["wal", "log"]) await execute("chown", ["-R", owner, path.join(namespace, name)]);
    await execute("chmod", ["700", wal]);
    await server("start");
    return {
        /** The partitions of tuplecast.log, to the volume `log`. */
        async moveLog(database) {
            await database.query(`CREATE TABLESPACE soak LOCATION '${path.join(namespace, "log")}'`);
            for (const [name, kind] of await database.query(
                "SELECT oid::regclass, relkind FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace AND relkind IN ('r', 'i') AND relname ~ '^log_[0-9]'",
            ))
                await database.query(`ALTER ${kind === "i" ? "INDEX" : "TABLE"} ${name} SET TABLESPACE soak`);
        },
        /** No block more than there is now. */
        async fill(name) {
            const { stdout } = await execute("df", ["--output=used", "--block-size=4096", path.join(namespace, name)]);
            await resize(name, `${Number(stdout.split("\n")[1]) * 4}k`);
        },
        empty: (name) => resize(name, SIZE),
    };
}
