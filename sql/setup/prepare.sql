-- Before the scripts: rights are as CREATE gives them, so that the scripts do the same to what is there as to what is new.
DO $$
DECLARE
    f record;
BEGIN
    -- Setups take turns.
    IF to_regclass('tuplecast.version') IS NOT NULL THEN
        LOCK TABLE tuplecast.version IN SHARE ROW EXCLUSIVE MODE;
    ELSE
        -- What ALTER DEFAULT PRIVILEGES gave to others on the new schema.
        FOR f IN SELECT DISTINCT a.grantee FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
                  WHERE n.nspname = 'tuplecast' AND a.grantee NOT IN (0, n.nspowner)
        LOOP
            EXECUTE format('REVOKE ALL ON SCHEMA tuplecast FROM %s', f.grantee::regrole);
        END LOOP;
    END IF;
    REVOKE ALL ON SCHEMA tuplecast FROM PUBLIC;
    REVOKE ALL ON ALL TABLES IN SCHEMA tuplecast FROM PUBLIC;
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA tuplecast FROM PUBLIC;
    -- What was there before, and who was granted what by grant_gateway() and grant_installer().
    PERFORM set_config('tuplecast.setup_before', coalesce((
        SELECT string_agg(oid::text, ',') FROM (SELECT oid FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace
                                                UNION ALL SELECT oid FROM pg_class WHERE relnamespace = 'tuplecast'::regnamespace) o), ''), false);
    PERFORM set_config('tuplecast.setup_grants', coalesce((
        SELECT json_agg(DISTINCT jsonb_build_array(w.granting, a.grantee::regrole::text))::text
          FROM (VALUES ('read_events', 'grant_gateway'), ('put_trigger', 'grant_installer')) w (granted, granting)
          JOIN pg_proc p ON p.pronamespace = 'tuplecast'::regnamespace AND p.proname = w.granted
          CROSS JOIN LATERAL aclexplode(p.proacl) a
         WHERE a.grantee NOT IN (0, p.proowner)), '[]'), false);
    FOR f IN SELECT oid::regprocedure AS name, proname ~ '^(live|durable)_[0-9]+$' AS is_generated, prokind AS kind
               FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace
    LOOP
        IF f.is_generated THEN
            EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', f.name);
            CONTINUE;
        END IF;
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO PUBLIC', f.name);
        IF f.kind IN ('f', 'p') THEN
            -- CREATE OR REPLACE takes it away again: so who still has it in the end is in no script.
            EXECUTE format('ALTER ROUTINE %s SET application_name = ''left over''', f.name);
        END IF;
    END LOOP;
END
$$;
