// Setup trusts nothing that it finds: whoever came first cannot make it run code of theirs, nor take the superuser's rights from its session.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDatabase } from "./lib/database.mjs";
import { run, startGateway } from "./lib/gateway.mjs";
import { until } from "./lib/until.mjs";

const PATIENCE_MS = 60_000;

const setup = (database, ...more) => run(["setup", ...more], database.env);

/** A role that may create in the database; `as` runs something as that role. */
async function attacker(t, database) {
    const role = `attacker_${database.name}`;
    await database.query(`CREATE ROLE ${role} LOGIN; GRANT CREATE ON DATABASE ${database.name} TO ${role}`);
    const client = await database.connect(t);
    await client.query(`SET SESSION AUTHORIZATION ${role}`);
    return { role, as: (sql) => client.query(sql) };
}

const isSuper = (database, role) => database.value("SELECT rolsuper FROM pg_roles WHERE rolname = $1", [role]);

/** What a function of theirs tries, whoever runs it: to become somebody more, and to leave a mark in any case. */
const tries = (role) => `
    INSERT INTO public.marks VALUES (current_user);
    BEGIN EXECUTE 'RESET ROLE'; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'RESET SESSION AUTHORIZATION'; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'SET ROLE postgres'; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN PERFORM set_config('role', 'none', false); EXCEPTION WHEN OTHERS THEN NULL; END;
    INSERT INTO public.marks VALUES (current_user);
    BEGIN EXECUTE 'ALTER ROLE ${role} SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;`;

const MARKS = "CREATE TABLE public.marks (who text); GRANT ALL ON public.marks TO PUBLIC";

describe("a schema tuplecast that was there before", () => {
    const SCHEMAS = {
        "with a view version": (role) => `
            CREATE SCHEMA tuplecast;
            CREATE FUNCTION tuplecast.steal() RETURNS int LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} RETURN 0; END $$;
            CREATE VIEW tuplecast.version AS SELECT tuplecast.steal() AS version, ''::text AS checksum, '{}'::text AS fingerprint, now() AS installed_at`,
        "with a table version that has row level security": (role) => `
            CREATE SCHEMA tuplecast;
            CREATE FUNCTION tuplecast.steal() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} RETURN true; END $$;
            CREATE TABLE tuplecast.version (version int NOT NULL, checksum text NOT NULL, fingerprint text NOT NULL, installed_at timestamptz NOT NULL);
            INSERT INTO tuplecast.version VALUES (1, '', '{}', now());
            ALTER TABLE tuplecast.version ENABLE ROW LEVEL SECURITY; ALTER TABLE tuplecast.version FORCE ROW LEVEL SECURITY;
            CREATE POLICY steal ON tuplecast.version USING (tuplecast.steal())`,
        "that looks right, with triggers": (role) => `
            CREATE SCHEMA tuplecast;
            CREATE FUNCTION tuplecast.steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} RETURN NULL; END $$;
            CREATE TABLE tuplecast.version (version integer NOT NULL, checksum text NOT NULL, fingerprint text NOT NULL, installed_at timestamptz NOT NULL);
            CREATE TRIGGER steal BEFORE INSERT OR DELETE ON tuplecast.version FOR EACH STATEMENT EXECUTE FUNCTION tuplecast.steal()`,
        "with casts and operators": (role) => `
            CREATE SCHEMA tuplecast;
            CREATE FUNCTION tuplecast.steal(int, int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} RETURN true; END $$;
            CREATE OPERATOR tuplecast.= (LEFTARG = int, RIGHTARG = int, FUNCTION = tuplecast.steal);
            CREATE TABLE tuplecast.version (version int PRIMARY KEY)`,
    };

    for (const [what, sql] of Object.entries(SCHEMAS))
        test(`${what}: setup refuses it, says whose it is, and nothing of it has run; nor by --dry-run, check or serve`, { timeout: 60_000 }, async (t) => {
            const database = await createDatabase(t);
            await database.query(MARKS);
            const { role, as } = await attacker(t, database);
            await as(sql(role));
            await database.query("DELETE FROM public.marks");
            for (const more of [["--dry-run"], []]) {
                const { code, stdout, stderr } = await setup(database, ...more);
                assert.equal(code, 1, stdout);
                assert.match(stderr, new RegExp(`belongs to the role "${role}" and not to "tuplecast_owner"`));
            }
            assert.equal((await run(["check"], database.env)).code, 0);
            const gateway = await startGateway(t, database.env);
            await gateway.ready(PATIENCE_MS);
            await until(async () => /no durable channels/.test((await gateway.get("/readyz")).body), "a look at the schema", PATIENCE_MS);
            assert.deepEqual(await database.query("SELECT * FROM public.marks"), []);
            assert.equal(await isSuper(database, role), "f");
        });

    test("for an ordinary role: a schema that is not its own is refused, too", async (t) => {
        const database = await createDatabase(t);
        const { role, as } = await attacker(t, database);
        await as("CREATE SCHEMA tuplecast");
        await database.query(`CREATE ROLE other_${database.name} LOGIN; GRANT CREATE ON DATABASE ${database.name} TO other_${database.name}`);
        const { code, stderr } = await run(["setup"], { ...database.env, PGUSER: `other_${database.name}` });
        assert.equal(code, 1);
        assert.match(stderr, new RegExp(`belongs to the role "${role}" and not to "other_${database.name}"`));
    });
});

describe("who has the owner's rights does not get the superuser's by setup", () => {
    // Each is left behind by who could act as tuplecast_owner for a moment.
    const LEFT = {
        "a trigger on what setup writes": (role) => `
            CREATE FUNCTION public.steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} RETURN NULL; END $$;
            CREATE TRIGGER steal AFTER INSERT OR DELETE ON tuplecast.version FOR EACH STATEMENT EXECUTE FUNCTION public.steal()`,
        "a trigger that waits for COMMIT": (role) => `
            CREATE FUNCTION public.steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER steal AFTER INSERT ON tuplecast.version DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.steal()`,
        "a trigger that puts another one off until COMMIT": (role) => `
            CREATE FUNCTION public.steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} RETURN NULL; END $$;
            CREATE TABLE public.stage (i int); ALTER TABLE public.stage OWNER TO tuplecast_owner;
            CREATE CONSTRAINT TRIGGER steal AFTER INSERT ON public.stage DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.steal();
            CREATE FUNCTION public.push() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SET CONSTRAINTS ALL DEFERRED; INSERT INTO public.stage VALUES (1); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER push AFTER INSERT ON tuplecast.version DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.push()`,
        "a cursor that is read to its end at COMMIT": (role) => `
            CREATE FUNCTION public.steal() RETURNS int LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} RETURN 1; END $$;
            CREATE FUNCTION public.push() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT public.steal()'; RETURN NULL; END $$;
            CREATE TRIGGER push AFTER INSERT ON tuplecast.version FOR EACH STATEMENT EXECUTE FUNCTION public.push()`,
        "another function in the place of the one that gives the owner's rights": (role) => `
            CREATE FUNCTION public.push() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
                EXECUTE $g$ CREATE OR REPLACE FUNCTION pg_temp.tuplecast_run(script text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} END $$ $g$;
                RETURN NULL;
            END $f$;
            CREATE TRIGGER push AFTER INSERT ON tuplecast.version FOR EACH STATEMENT EXECUTE FUNCTION public.push()`,
        "another search_path, with operators of its own": (role) => `
            CREATE FUNCTION public.steal(name, name) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} RETURN true; END $$;
            CREATE FUNCTION public.steal(oid, oid) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} RETURN true; END $$;
            CREATE FUNCTION public.steal(int, int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN ${tries(role)} RETURN true; END $$;
            CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = public.steal);
            CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = public.steal);
            CREATE OPERATOR public.= (LEFTARG = int, RIGHTARG = int, FUNCTION = public.steal);
            CREATE FUNCTION public.push() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SET search_path = public, pg_catalog; RETURN NULL; END $$;
            CREATE TRIGGER push AFTER INSERT ON tuplecast.version FOR EACH STATEMENT EXECUTE FUNCTION public.push()`,
    };

    for (const [what, sql] of Object.entries(LEFT))
        for (const checksum of ["same", "other"])
            test(`${what}; the ${checksum} scripts`, { timeout: 60_000 }, async (t) => {
                const database = await createDatabase(t);
                await database.query(MARKS);
                assert.equal((await setup(database)).code, 0);
                const { role } = await attacker(t, database);
                await database.query(sql(role));
                await database.query("SET SESSION AUTHORIZATION tuplecast_owner; RESET SESSION AUTHORIZATION");
                for (const [name] of await database.query("SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace")) await database.query(`ALTER FUNCTION ${name} OWNER TO tuplecast_owner`);
                if (checksum === "other") await database.query("ALTER TABLE tuplecast.version DISABLE TRIGGER USER; UPDATE tuplecast.version SET checksum = 'x'; ALTER TABLE tuplecast.version ENABLE TRIGGER USER");
                else await database.query("ALTER FUNCTION tuplecast.make_tick(bigint, text) RESET search_path");
                await database.query("DELETE FROM public.marks");
                const { code, stdout, stderr } = await setup(database);
                t.diagnostic(`${code}: ${stdout}${stderr}`.trim().slice(0, 200));
                assert.deepEqual((await database.query("SELECT DISTINCT who FROM public.marks")).filter(([who]) => who !== "tuplecast_owner"), []);
                assert.equal(await isSuper(database, role), "f");
            });
});

describe("the owner's role", () => {
    for (const can of ["SUPERUSER", "CREATEROLE", "BYPASSRLS", "REPLICATION"])
        test(`that exists and has ${can} is refused`, async (t) => {
            const database = await createDatabase(t);
            await database.query("CREATE ROLE tuplecast_owner").catch(() => {}); // another test has made it
            await database.query(`ALTER ROLE tuplecast_owner ${can}`);
            t.after(() => database.query(`ALTER ROLE tuplecast_owner NO${can}`));
            const { code, stderr } = await setup(database);
            assert.equal(code, 1);
            assert.match(stderr, /tuplecast_owner.*can do more/);
            assert.equal(await database.value("SELECT to_regnamespace('tuplecast')"), null);
        });

    test("that is a member of another role, or has members, is refused", async (t) => {
        const database = await createDatabase(t);
        await database.query(`CREATE ROLE rich_${database.name}`);
        await database.query("CREATE ROLE tuplecast_owner").catch(() => {}); // another test has made it
        await database.query(`GRANT rich_${database.name} TO tuplecast_owner`);
        t.after(() => database.query(`REVOKE tuplecast_owner FROM rich_${database.name}`));
        t.after(() => database.query(`REVOKE rich_${database.name} FROM tuplecast_owner`));
        const refused = await setup(database);
        assert.equal(refused.code, 1);
        assert.match(refused.stderr, /tuplecast_owner is a member of other roles/);
        await database.query(`REVOKE rich_${database.name} FROM tuplecast_owner; GRANT tuplecast_owner TO rich_${database.name}`);
        const told = await setup(database);
        assert.equal(told.code, 1);
        assert.match(told.stderr, new RegExp(`tuplecast_owner has members.*rich_${database.name}`));
        assert.equal(await database.value("SELECT to_regnamespace('tuplecast')"), null);
    });
});

for (const who of ["a superuser", "an ordinary role"])
    test(`default privileges of ${who} give nobody a right on what is installed`, async (t) => {
        const database = await createDatabase(t);
        const [stranger, installer] = [`stranger_${database.name}`, `installer_${database.name}`];
        await database.query(`CREATE ROLE ${stranger} LOGIN; CREATE ROLE ${installer} LOGIN; GRANT CREATE ON DATABASE ${database.name} TO ${installer}`);
        await database.query("CREATE ROLE tuplecast_owner").catch(() => {}); // another test has made it
        const owner = who === "a superuser" ? "tuplecast_owner" : installer;
        for (const role of [owner, "postgres"])
            for (const kind of ["TABLES", "SEQUENCES", "FUNCTIONS", "SCHEMAS"])
                await database.query(`ALTER DEFAULT PRIVILEGES FOR ROLE ${role} GRANT ALL ON ${kind} TO ${stranger}${kind === "TABLES" || kind === "SEQUENCES" ? ", PUBLIC" : ""}`);
        t.after(() => database.query(`DROP OWNED BY ${stranger}`));
        const { code, stderr } = await run(["setup"], who === "a superuser" ? database.env : { ...database.env, PGUSER: installer });
        assert.equal(code, 0, stderr);
        assert.deepEqual(await database.query(`SELECT relname FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace AND relkind IN ('r', 'p')
            AND (has_table_privilege($1, oid, 'INSERT, UPDATE, DELETE, TRUNCATE') OR relname NOT IN ('version', 'function') AND has_table_privilege($1, oid, 'SELECT'))`, [stranger]), []);
        assert.deepEqual(await database.query(`SELECT relname FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace AND CASE WHEN relkind = 'S' THEN has_sequence_privilege($1, oid, CASE relname WHEN 'serial' THEN 'SELECT, UPDATE' ELSE 'USAGE, SELECT, UPDATE' END) END`, [stranger]), []);
        assert.deepEqual(await database.query(`SELECT proname FROM pg_proc CROSS JOIN LATERAL aclexplode(proacl) a WHERE pronamespace = 'tuplecast'::regnamespace AND a.grantee = $1::regrole`, [stranger]), []);
        assert.equal(await database.value("SELECT has_schema_privilege($1, 'tuplecast', 'CREATE')", [stranger]), "f");
    });
