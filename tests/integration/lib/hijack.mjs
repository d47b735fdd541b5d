// Operators and functions that stand in for those of pg_catalog: whoever has their schema in his search_path and does not say pg_catalog runs
// them, as himself. In front of pg_catalog an equal one is taken; behind it one whose arguments fit better than those of pg_catalog do.

import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

const ROOT = path.resolve(import.meta.dirname, "../../..");

/** The names of all functions that our scripts and sessions could call, and of arguments that they name, as function.argument. */
async function calledNames() {
    const names = new Set();
    for (const [dir, pattern] of [["sql", /\.sql$/], ["src/postgres", /\.c$/]])
        for (const file of await readdir(path.join(ROOT, dir)))
            if (pattern.test(file))
                for (const [, name, argument] of (await readFile(path.join(ROOT, dir, file), "utf8")).matchAll(/\b([a-z_][a-z_0-9]*)\((?:([a-z_]+) =>)?/g))
                    names.add(name).add(argument ? `${name}.${argument}` : name);
    return [...names];
}

const TYPES = ["bool", "int2", "int4", "int8", "text", "varchar", "name", '"char"', "oid", "regclass", "regprocedure", "regtype", "json", "bytea", "timestamptz", "interval", "xid8", "text[]"];

/** Made by a session that may CREATE in the schema. Where pg_catalog's own are not shadowed, what is made does what those do, after a strike. */
export async function hijack(client, schema, { near }) {
    await client.query("SET search_path = pg_catalog");
    await client.query("SELECT set_config('hijack.names', $1, false), set_config('hijack.types', $2, false)", [
        (await calledNames()).join(" "), TYPES.map((type) => (/\[\]|"/.test(type) ? type : `pg_catalog.${type}`)).join(" ")]);
    await client.query(near ? NEAR_OPERATORS.replaceAll("@schema", schema) : EQUAL_OPERATORS.replaceAll("@schema", schema));
    await client.query((near ? NEAR_FUNCTIONS : EQUAL_FUNCTIONS).replaceAll("@schema", schema));
    await client.query("RESET search_path");
    const { rows } = await client.query(`SELECT (SELECT count(*) FROM pg_operator WHERE oprnamespace = '${schema}'::regnamespace) AS operators,
                                                (SELECT count(*) FROM pg_proc WHERE pronamespace = '${schema}'::regnamespace) AS functions`);
    return rows[0];
}

const EQUAL_OPERATORS = `
    DO $do$
    DECLARE
        one record;
    BEGIN
        FOR one IN SELECT oid, oprname, format_type(oprleft, NULL) AS l, format_type(oprright, NULL) AS r, format_type(oprresult, NULL) AS result FROM pg_operator
                    WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprleft <> 0
                      AND oprleft IN (SELECT t::regtype FROM unnest(string_to_array(current_setting('hijack.types'), ' ')) t)
                      AND oprright IN (SELECT t::regtype FROM unnest(string_to_array(current_setting('hijack.types'), ' ')) t)
        LOOP
            EXECUTE format('CREATE FUNCTION @schema.%1$I(%2$s, %3$s) RETURNS %4$s LANGUAGE plpgsql AS %5$L', 'operator_' || one.oid, one.l, one.r, one.result,
                           format('BEGIN PERFORM evil.strike(%L); RETURN $1 OPERATOR(pg_catalog.%s) $2; END', format('operator %s %s %s', one.l, one.oprname, one.r), one.oprname));
            EXECUTE format('CREATE OPERATOR @schema.%s (FUNCTION = @schema.%I, LEFTARG = %s, RIGHTARG = %s)', one.oprname, 'operator_' || one.oid, one.l, one.r);
        END LOOP;
    END
    $do$`;

const NEAR_OPERATORS = `
    DO $do$
    DECLARE
        types text[] := string_to_array(current_setting('hijack.types'), ' ');
        l text;
        r text;
        one record;
    BEGIN
        FOREACH l IN ARRAY types LOOP
            FOREACH r IN ARRAY types LOOP
                FOR one IN SELECT n, result FROM (VALUES ('=', 'bool'), ('<>', 'bool'), ('<', 'bool'), ('<=', 'bool'), ('>', 'bool'), ('>=', 'bool'), ('~', 'bool'),
                        ('!~', 'bool'), ('~~', 'bool'), ('@>', 'bool'), ('<@', 'bool'), ('&', 'int4'), ('|', 'int4'), ('#', 'int4'), ('||', 'text'), ('+', 'int8'), ('-', 'int8'), ('*', 'int8'), ('/', 'int8'),
                        ('%', 'int8'), ('<<', 'int8'), ('>>', 'int8'), ('->', 'json'), ('->>', 'text'), ('#>>', 'text')) AS v (n, result)
                            WHERE NOT EXISTS (SELECT FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprname = n AND oprleft = l::regtype AND oprright = r::regtype)
                LOOP
                    IF to_regprocedure(format('@schema.%I(%s, %s)', 'near_' || one.result, l, r)) IS NULL THEN
                        EXECUTE format('CREATE FUNCTION @schema.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', 'near_' || one.result, l, r, one.result,
                                       format('BEGIN PERFORM evil.strike(%L); RETURN NULL; END', format('near operator of %s and %s', l, r)));
                    END IF;
                    EXECUTE format('CREATE OPERATOR @schema.%s (FUNCTION = @schema.%I, LEFTARG = %s, RIGHTARG = %s)', one.n, 'near_' || one.result, l, r);
                END LOOP;
            END LOOP;
        END LOOP;
    END
    $do$`;

/** Functions of those names that plpgsql can have, as pg_catalog has them. */
const CALLED = `
    SELECT p.oid, p.proname, p.proretset, p.pronargs, p.provariadic, p.pronargdefaults, p.proargnames, format_type(p.prorettype, NULL) AS result, ARRAY(
               SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, i) ORDER BY i) AS types
      FROM pg_proc p
     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.proname = ANY (string_to_array(current_setting('hijack.names'), ' '))
       AND p.proallargtypes IS NULL AND p.prorettype <> ALL ('{internal,cstring,trigger,record}'::regtype[]) AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[])
       AND NOT 'cstring'::regtype = ANY (p.proargtypes::oid[])`;

const EQUAL_FUNCTIONS = `
    DO $do$
    DECLARE
        one record;
    BEGIN
        FOR one IN ${CALLED} AND p.provariadic = 0 AND format_type(p.prorettype, NULL) !~ '^any' LOOP
            BEGIN
                EXECUTE format('CREATE FUNCTION @schema.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', one.proname, array_to_string(one.types, ', '),
                               CASE WHEN one.proretset THEN 'SETOF' ELSE '' END, one.result,
                               format(CASE WHEN one.proretset THEN 'BEGIN PERFORM evil.strike(%L); RETURN; END'
                                           WHEN one.result = 'void' THEN 'BEGIN PERFORM evil.strike(%L); PERFORM pg_catalog.%I(%s); END'
                                           ELSE 'BEGIN PERFORM evil.strike(%L); RETURN pg_catalog.%I(%s); END' END,
                                      format('function %s', one.oid::regprocedure), one.proname,
                                      (SELECT string_agg('$' || i, ', ' ORDER BY i) FROM generate_series(1, one.pronargs) i)));
            EXCEPTION WHEN invalid_function_definition OR feature_not_supported OR syntax_error THEN NULL;
            END;
        END LOOP;
    END
    $do$`;

const NEAR_FUNCTIONS = `
    DO $do$
    DECLARE
        one record;
        near text;
        types text[];
    BEGIN
        FOR one IN ${CALLED} AND p.pronargs BETWEEN 1 AND 10 LOOP
            -- One argument of another type, and what stands for any type.
            FOR i IN 1 .. CASE WHEN one.pronargs > 5 THEN 0 ELSE one.pronargs END LOOP
                FOREACH near IN ARRAY CASE WHEN one.types[i] ~ '^"?any' THEN '{text,name,int4,int8,oid,json,regclass,timestamptz,text[]}'::text[]
                                           WHEN one.types[i] IN ('text', 'name', 'character varying') THEN '{text,name,varchar,json}'
                                           WHEN one.types[i] IN ('integer', 'bigint', 'smallint', 'double precision', 'numeric', 'oid') THEN '{int2,int4,int8,numeric,oid,regclass,regprocedure}'
                                           WHEN one.types[i] ~ '^(regclass|regproc)' THEN '{oid,int4,text,name}'
                                           ELSE '{text}' END LOOP
                    types := ARRAY(SELECT CASE WHEN k = i THEN near WHEN t ~ '^"?any' THEN 'text' ELSE t END FROM unnest(one.types) WITH ORDINALITY AS u (t, k) ORDER BY k);
                    CONTINUE WHEN types = one.types;
                    FOR more IN 0 .. CASE WHEN one.provariadic <> 0 THEN 3 ELSE 0 END LOOP
                        BEGIN
                            EXECUTE format('CREATE FUNCTION @schema.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', one.proname, array_to_string(types || array_fill(near, ARRAY[more]), ', '),
                                           CASE WHEN one.proretset THEN 'SETOF' ELSE '' END, CASE WHEN one.result ~ '^any' THEN 'text' ELSE one.result END,
                                           format('BEGIN PERFORM evil.strike(%L); RETURN %s; END', format('near function %s(%s)', one.proname, array_to_string(types, ', ')),
                                                  CASE WHEN one.proretset OR one.result = 'void' THEN '' ELSE 'NULL' END));
                        EXCEPTION WHEN duplicate_function OR invalid_function_definition OR feature_not_supported OR syntax_error THEN NULL;
                        END;
                    END LOOP;
                END LOOP;
            END LOOP;
            -- One argument that is named, where the others have defaults.
            IF one.pronargdefaults > 0 AND one.proargnames IS NOT NULL THEN
                FOR i IN 1 .. one.pronargs LOOP
                    CONTINUE WHEN concat(one.proname, '.', one.proargnames[i]) <> ALL (string_to_array(current_setting('hijack.names'), ' '));
                    FOREACH near IN ARRAY '{int4,int8,numeric,text}'::text[] LOOP
                        BEGIN
                            EXECUTE format('CREATE FUNCTION @schema.%I(%I %s) RETURNS %s LANGUAGE plpgsql AS %L', one.proname, one.proargnames[i], near, one.result,
                                           format('BEGIN PERFORM evil.strike(%L); RETURN NULL; END', format('near function %s(%s => %s)', one.proname, one.proargnames[i], near)));
                        EXCEPTION WHEN OTHERS THEN NULL;
                        END;
                    END LOOP;
                END LOOP;
            END IF;
        END LOOP;
    END
    $do$`;
