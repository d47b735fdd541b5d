// Ways of getting a connection string wrong: each is a mistake of the configuration, with a sentence that helps; and the password is nowhere.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { until } from "./lib/until.mjs";

const EX_CONFIG = 78;

// Each part of it is looked for by itself.
const [BEGIN, END] = ["zaunkoenig", "wiedehopf"];

/** What was written, and a part of what is said about it. */
const WRONG = {
    "quotes around it": [`"postgresql://u:${BEGIN}${END}@db.invalid/app"`, /quotes around it/],
    "single quotes around it": [`'host=db.invalid user=u password=${BEGIN}${END}'`, /quotes around it/],
    "a line feed behind it": [`postgresql://u:${BEGIN}${END}@db.invalid/app\n`, /white space/],
    "a space before it": [` postgresql://u:${BEGIN}${END}@db.invalid/app`, /white space/],
    "SQLAlchemy's scheme": [`postgresql+asyncpg://u:${BEGIN}${END}@db.invalid/app`, /write postgresql:\/\//],
    "MySQL's scheme": [`mysql://u:${BEGIN}${END}@db.invalid/app`, /scheme/],
    "JDBC's": [`jdbc:postgresql://db.invalid/app?user=u&password=${BEGIN}${END}`, /JDBC/],
    "no scheme": [`u:${BEGIN}${END}@db.invalid/app`, /neither a URI/],
    "Prisma's parameter": [`postgresql://u:${BEGIN}${END}@db.invalid/app?schema=public`, /the parameter schema/],
    "PgBouncer's parameter": [`postgresql://u:${BEGIN}${END}@db.invalid/app?pgbouncer=true`, /the parameter pgbouncer/],
    "an unknown parameter": [`postgresql://u:${BEGIN}${END}@db.invalid/app?verbosity=high`, /another name than libpq knows/],
    "no digits behind %": [`postgresql://u:${BEGIN}%zz${END}@db.invalid/app`, /%25/],
    "a % at the end": [`postgresql://u:${BEGIN}${END}%@db.invalid/app`, /%25/],
    "an @ in the password": [`postgresql://u:${BEGIN}@${END}@db.invalid/app`, /%40/],
    "a / in the password": [`postgresql://u:${BEGIN}/${END}@db.invalid/app`, /%40/],
    "a ? in the password": [`postgresql://u:${BEGIN}?${END}@db.invalid/app`, /%40/],
    "a ? and = in the password": [`postgresql://u:${BEGIN}?${END}=x@db.invalid/app`, /%40/],
    "digits and a / in the password": [`postgresql://u:12/${BEGIN}${END}@db.invalid/app`, /%40/],
    "a space in the password": [`host=db.invalid user=u password=${BEGIN} ${END}`, /single quotes/],
    "a quote in the password": [`host=db.invalid user=u password='${BEGIN}'${END}'`, /single quotes/],
    "a quote that is left open": [`host=db.invalid user=u password='${BEGIN}${END}`, /single quotes/],
    "semicolons": [`Host=db.invalid;Username=u;Password=${BEGIN}${END}`, /username/i],
    "semicolons behind a host": [`host=db.invalid;user=u;password=${BEGIN}${END}`, /no semicolons/],
    "commas": [`host=db.invalid,user=u,password=${BEGIN}${END}`, /no semicolons/],
    "an option with another name": [`host=db.invalid pass=${BEGIN}${END}`, /one that libpq does not know/],
    "a port that is no number": [`host=db.invalid port=${BEGIN} user=u password=${END}`, /port is no number/],
    "a URI's port that is no number": [`postgresql://db.invalid:${BEGIN}${END}/app`, /port is no number/],
    "a port that is too large": [`postgresql://u:${BEGIN}${END}@db.invalid:70000/app`, /port is no number from 1 to 65535/],
    "a URI as the database": [`dbname=postgresql://u:${BEGIN}${END}@db.invalid/app`, /stands alone/],
    "another scheme as the database": [`host=db.invalid dbname=mysql://u:${BEGIN}${END}@db.invalid/app`, /stands alone/],
    "a name as an address": [`hostaddr=${BEGIN}${END} dbname=app`, /no IP address/],
    "an unknown sslmode": [`postgresql://u:${BEGIN}${END}@db.invalid/app?sslmode=yes`, /verify-full/],
};

function expectNoSecret(text, where) {
    for (const part of [BEGIN, END]) assert.ok(!text.includes(part), `${where} has a part of the password:\n${text}`);
}

const serverLog = () => readFile(path.join(process.env.PGHOST, "postgres.log"), "utf8");

describe("a connection string that is wrong", { concurrency: 4 }, () => {
    for (const [name, [text, said]] of Object.entries(WRONG))
        test(`${name}: serve, check and setup end with 78 and say what to do, and the password is nowhere`, async (t) => {
            const database = await createDatabase(t);
            const variables = [{ TUPLECAST_DATABASE: text }, { DATABASE_URL: text }, { TUPLECAST_TRIGGERS_DATABASE: text }];
            const runs = await Promise.all([
                ...["serve", "check", "setup"].map((command) => run([command], { ...database.env, ...variables[0], TUPLECAST_LISTEN: "127.0.0.1:0" })),
                run(["check"], { ...database.env, ...variables[1] }),
                run(["check"], { ...database.env, ...variables[2] }),
                run(["check", "-d", text], database.env),
            ]);
            for (const { code, stdout, stderr } of runs) {
                expectNoSecret(stdout, "stdout");
                expectNoSecret(stderr, "stderr");
                assert.equal(code, EX_CONFIG, stdout + stderr);
                assert.match(stderr, said);
            }
            assert.match(runs[0].stderr, /^environment TUPLECAST_DATABASE: database: /);
            assert.match(runs[3].stderr, /^environment DATABASE_URL: database: /);
            assert.match(runs[4].stderr, /^environment TUPLECAST_TRIGGERS_DATABASE: triggers.database: /);
            expectNoSecret(await serverLog(), "the server's log");
        });
});

describe("a variable of libpq's that is wrong", () => {
    for (const [name, value, said] of [
        ["PGDATABASE", `postgresql://u:${BEGIN}${END}@db.invalid/app`, /environment PGDATABASE: .*stands alone/],
        ["PGHOST", `u:${BEGIN}@${END}`, /environment PGHOST: the host has a character/],
        ["PGPORT", BEGIN, /environment PGPORT: the port is no number/],
    ])
        test(`${name}: 78, and nothing of it is repeated`, async () => {
            for (const command of ["serve", "check", "setup"]) {
                const { code, stdout, stderr } = await run([command], { [name]: value });
                expectNoSecret(stdout + stderr, command);
                assert.equal(code, EX_CONFIG);
                assert.match(stderr, said);
            }
        });
});

describe("a connection string that is right", () => {
    for (const [text, shown] of [
        [`postgresql://me:${BEGIN}%40${END}@db.invalid:5433/app?sslmode=require&application_name=a%20b`, "user=me password=*** dbname=app host=db.invalid port=5433"],
        [`host=/nowhere user=me password='${BEGIN} ${END}' dbname=app`, "user=me password=*** dbname=app host=/nowhere"],
        [`postgresql:///app?pass%77ord=${BEGIN}${END}&sslpassword=${END}`, "password=*** dbname=app"],
        ["host=a.invalid,10.0.0.1,::1 port=5432,,5433 dbname=app", "dbname=app host=a.invalid,10.0.0.1,::1 port=5432,,5433"],
        ["app", "app"],
    ])
        test(`${shown} is shown without what is secret`, async () => {
            const { code, stdout, stderr } = await run(["check"], { TUPLECAST_DATABASE: text });
            assert.equal(code, 0, stderr);
            expectNoSecret(stdout + stderr, "check");
            assert.ok(stdout.includes(`database = "${shown}`), stdout.slice(0, 300));
        });
});

/** Everything that a gateway answers without a token. */
async function answers(gateway, headers = {}) {
    const texts = [];
    for (const path of ["/readyz", "/livez", "/metrics", "/triggers", "/tables", "/channels", "/openapi.json"]) {
        const { body } = await gateway.get(path, { headers });
        if (path !== "/openapi.json") texts.push(`${path}: ${body}`);
    }
    return texts.join("\n");
}

describe("a database that cannot be reached", () => {
    const TOKEN = "0123456789abcdef0123456789abcdef";
    const AWAY = {
        "no such host": { host: "spatzenhirn.invalid", user: "amselfeld", dbname: "app" },
        "no such socket": { host: "/nowhere/spatzenhirn", user: "amselfeld", dbname: "app" },
        "no such user": { user: "amselfeld", dbname: "postgres" },
        "no such database": { dbname: "spatzenhirn" },
        "no such service": { service: "spatzenhirn" },
        "a certificate that is not there": { host: "127.0.0.1", sslmode: "verify-full", sslrootcert: "/nowhere/spatzenhirn.pem", user: "amselfeld" },
    };

    for (const [name, words] of Object.entries(AWAY))
        test(`${name}: HTTP answers say that it is away, and name no user, host, database or file`, { timeout: 60_000 }, async (t) => {
            const text = Object.entries({ password: BEGIN + END, ...words }).map(([word, value]) => `${word}=${value}`).join(" ");
            const gateway = await startGateway(t, { TUPLECAST_DATABASE: text, TUPLECAST_TRIGGERS_TOKEN: TOKEN });
            await until(() => /database away/.test(gateway.log), () => `a line in the log:\n${gateway.log}`, 30_000);
            const said = await answers(gateway, { Authorization: `Bearer ${TOKEN}` });
            assert.match(said, /The database is away: /);
            for (const word of ["spatzenhirn", "amselfeld", "nowhere", "/run", process.env.PGHOST, "postgres.log"]) assert.ok(!said.includes(word), `${word}\n${said}`);
            expectNoSecret(said, "an answer");
            expectNoSecret(gateway.log, "the log");
            expectNoSecret(await serverLog(), "the server's log");
        });

    test("the log says why", { timeout: 60_000 }, async (t) => {
        const gateway = await startGateway(t, { TUPLECAST_DATABASE: "user=amselfeld dbname=postgres" });
        await until(() => /role .+amselfeld.+ does not exist/.test(gateway.log), () => `why:\n${gateway.log}`, 30_000);
    });
});


describe("a variable of the environment that is no setting's", () => {
    test("is warned of with the nearest name, by check and by serve, and changes nothing", async (t) => {
        const odd = { TUPLECAST_STREAMS_HEARTBEATMS: "1", TUPLECAST_HEARTBEAT_MS: "1", TUPLECAST_CHANELS: "a", TUPLECAST_SOMETHING_ELSE_ALTOGETHER: "x" };
        const { code, stderr } = await run(["check"], odd);
        assert.equal(code, 0);
        assert.match(stderr, /TUPLECAST_STREAMS_HEARTBEATMS: .*did you mean TUPLECAST_STREAMS_HEARTBEAT_MS\?/);
        assert.match(stderr, /TUPLECAST_HEARTBEAT_MS: .*did you mean TUPLECAST_STREAMS_HEARTBEAT_MS\?/);
        assert.match(stderr, /TUPLECAST_CHANELS: .*did you mean TUPLECAST_CHANNELS\?/);
        assert.match(stderr, /TUPLECAST_SOMETHING_ELSE_ALTOGETHER: there is no such setting/);
        const gateway = await startGateway(t, odd);
        assert.match(gateway.log, /TUPLECAST_CHANELS.*TUPLECAST_CHANNELS/);
    });

    test("those of Kubernetes for services of our name are known", async () => {
        const { code, stderr } = await run(["check"], {
            TUPLECAST_SERVICE_HOST: "10.0.0.1",
            TUPLECAST_SERVICE_PORT: "8080",
            TUPLECAST_SERVICE_PORT_HTTP: "8080",
            TUPLECAST_PORT: "tcp://10.0.0.1:8080",
            TUPLECAST_PORT_8080_TCP: "tcp://10.0.0.1:8080",
            TUPLECAST_PORT_8080_TCP_PROTO: "tcp",
            TUPLECAST_PORT_8080_TCP_PORT: "8080",
            TUPLECAST_PORT_8080_TCP_ADDR: "10.0.0.1",
            TUPLECAST_MANAGEMENT_SERVICE_HOST: "10.0.0.2",
            TUPLECAST_MANAGEMENT_PORT: "tcp://10.0.0.2:9090",
            TUPLECAST_MANAGEMENT_PORT_9090_TCP_ADDR: "10.0.0.2",
        });
        assert.deepEqual([code, stderr], [0, ""]);
    });
});
