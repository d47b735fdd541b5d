-- After the scripts. $version, $checksum and $fingerprint are filled in by setup.
DO $$
DECLARE
    thing record;
    before oid[] := string_to_array(current_setting('tuplecast.setup_before'), ',')::oid[];
BEGIN
    FOR thing IN SELECT oid::regprocedure AS name FROM pg_proc
                  WHERE pronamespace = 'tuplecast'::regnamespace AND 'application_name=left over' = ANY (proconfig)
    LOOP
        EXECUTE format('DROP ROUTINE %s', thing.name);
    END LOOP;
    -- What ALTER DEFAULT PRIVILEGES gave to others, on what is new.
    FOR thing IN
        SELECT 'ROUTINE ' || p.oid::regprocedure AS name, a.grantee
          FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) a
         WHERE p.pronamespace = 'tuplecast'::regnamespace AND p.oid <> ALL (before) AND a.grantee NOT IN (0, p.proowner)
        UNION
        SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass, a.grantee
          FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
         WHERE c.relnamespace = 'tuplecast'::regnamespace AND c.oid <> ALL (before) AND a.grantee <> c.relowner
           AND (a.grantee <> 0 OR c.relkind IN ('r', 'p', 'S') AND c.relname <> 'serial')
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', thing.name, CASE thing.grantee WHEN 0 THEN 'PUBLIC' ELSE thing.grantee::regrole::text END);
    END LOOP;
    -- What is new is granted to whom the rest was.
    FOR thing IN SELECT g ->> 0 AS granting, to_regrole(g ->> 1) AS role FROM json_array_elements(current_setting('tuplecast.setup_grants')::json) g LOOP
        IF to_regprocedure(format('tuplecast.%I(name)', thing.granting)) IS NOT NULL THEN
            EXECUTE format('SELECT tuplecast.%I($1)', thing.granting) USING (SELECT rolname FROM pg_roles WHERE oid = thing.role);
        END IF;
    END LOOP;
END
$$;
-- Tables keep what they hold, so they are not made anew: the same scripts would have to give the same tables.
DO $$
DECLARE
    altered text;
BEGIN
    SELECT string_agg(name, ', ' ORDER BY name) INTO altered
      FROM tuplecast.version v
      CROSS JOIN LATERAL json_each_text(v.fingerprint::json) AS was (name, digest)
      LEFT JOIN (SELECT o.* FROM ($fingerprint) f CROSS JOIN LATERAL json_each_text(f.fingerprint::json) o) AS now (name, digest) USING (name)
     WHERE v.checksum = '$checksum' AND name ~ '^(table|sequence) ' AND was.digest IS DISTINCT FROM now.digest;
    IF altered IS NOT NULL THEN
        RAISE feature_not_supported USING MESSAGE = format('Setup mends functions and views, and keeps tables, but this is not as it was: %s.', altered),
                                          HINT = 'Take back what was done to it, or run `tuplecast setup --remove`, then `tuplecast setup`.';
    END IF;
END
$$;
DELETE FROM tuplecast.version;
INSERT INTO tuplecast.version (version, checksum, fingerprint) SELECT $version, '$checksum', f.fingerprint FROM ($fingerprint) f;
SELECT pg_notify('tuplecast', 'triggers'); -- gateways look again
SET CONSTRAINTS ALL IMMEDIATE;
