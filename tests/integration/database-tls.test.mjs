// TLS to the database, with certificates on both sides and a password in a file: a confined gateway that has to connect again reads all of
// these files again, wherever libpq looks for them.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { freePort, startGateway } from "./lib/gateway.mjs";
import { giveToServer, startFreshServer } from "./lib/servers.mjs";
import { subscribe } from "./lib/sse.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 60_000;

const openssl = (...args) => promisify(execFile)("openssl", args);

/** In `dir`: an authority of its own, and what it has signed for the server, `localhost`, and for the client, the user `postgres`. */
async function makeCertificates(dir) {
    await mkdir(dir, { recursive: true });
    const at = (name) => path.join(dir, name);
    const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    await openssl(...request, "-subj", "/CN=authority", "-keyout", at("ca.key"), "-out", at("ca.crt"));
    for (const [name, subject] of [["server", "localhost"], ["client", "postgres"]])
        await openssl(...request, "-subj", `/CN=${subject}`, "-addext", `subjectAltName=DNS:${subject}`, "-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-keyout", at(`${name}.key`), "-out", at(`${name}.crt`));
    return at;
}

/** Files that only their owner may read, as libpq wants keys and passwords to be. */
const write = (file, text) => writeFile(file, text, { mode: 0o600 });

test("certificates, keys, passwords and service files are read again when a confined gateway reconnects", { timeout: 150_000 }, async (t) => {
    const dir = await mkdtemp(path.join(tmpdir(), "tuplecast-tls-"));
    t.after(() => rm(dir, { recursive: true }));
    const home = path.join(dir, "home");
    const given = path.join(dir, "given");
    for (const folder of [path.join(home, ".postgresql"), given]) await mkdir(folder, { recursive: true });
    const port = await freePort();

    /** New certificates and a new password for everybody: what was valid before is not any more. */
    const renew = async (data, generation) => {
        const at = await makeCertificates(path.join(dir, generation));
        for (const name of ["ca.crt", "server.crt", "server.key"]) {
            await copyFile(at(name), path.join(data, name));
            await giveToServer(path.join(data, name));
        }
        for (const [name, own] of [["ca.crt", "root.crt"], ["client.crt", "postgresql.crt"], ["client.key", "postgresql.key"]]) {
            await copyFile(at(name), path.join(given, name));
            await copyFile(at(name), path.join(home, ".postgresql", own));
        }
        const password = `localhost:${port}:*:postgres:${generation}\n`;
        await write(path.join(given, "passwords"), password);
        await write(path.join(home, ".pgpass"), password);
    };
    const server = await startFreshServer(t, {
        settings: { listen_addresses: "127.0.0.1", port, ssl: "on", ssl_ca_file: "ca.crt" },
        prepare: async (data) => {
            await renew(data, "first");
            await writeFile(path.join(data, "pg_hba.conf"), "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n");
        },
    });
    const database = server.database("postgres");
    t.after(() => database.end());
    const setPassword = (password) => database.query(`ALTER ROLE postgres PASSWORD '${password}'`);
    await setPassword("first");

    const common = `user=postgres dbname=postgres port=${port} host=localhost sslmode=verify-full`;
    const files = `sslrootcert=${given}/ca.crt sslcert=${given}/client.crt sslkey=${given}/client.key passfile=${given}/passwords`;
    await write(path.join(dir, "services"), `[app]\n${`${common} ${files}`.replaceAll(" ", "\n")}\n`);
    const ways = {
        "in the connection string": { TUPLECAST_DATABASE: `${common} ${files}` },
        "in the home folder": { TUPLECAST_DATABASE: common, HOME: home },
        "in a service file": { TUPLECAST_DATABASE: "service=app", PGSERVICEFILE: path.join(dir, "services") },
    };
    const gateways = {};
    for (const [way, env] of Object.entries(ways)) gateways[way] = await startGateway(t, env);
    for (const gateway of Object.values(gateways)) await gateway.ready(PATIENCE_MS);
    const encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND client_dn = '/CN=postgres' AND application_name = 'tuplecast'";
    assert.ok(Number(await database.value(encrypted)) >= 3);

    await renew(server.data, "second");
    await setPassword("second");
    await server.stop();
    for (const gateway of Object.values(gateways)) await until(async () => (await gateway.get("/readyz")).status === 503, "the loss", PATIENCE_MS);
    await server.start();
    for (const [way, gateway] of Object.entries(gateways)) {
        await gateway.ready(PATIENCE_MS).catch((error) => assert.fail(`${way}: ${error.message}`));
        const stream = await subscribe(t, gateway.stream("back"));
        await until(() => database.notify("back", "1").then(() => true, () => false), "a notification", PATIENCE_MS);
        assert.equal((await stream.messages(1, PATIENCE_MS))[0].json.data, 1, way);
    }
});
