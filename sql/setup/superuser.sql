-- A superuser's part: a role that cannot log in, and the schema. tuplecast_owner owns all that is installed, and its functions run with its rights: so
-- nobody else may be able to act as that role.
DO $$
DECLARE
    r record;
    thing record;
    members text;
BEGIN
    SELECT * INTO r FROM pg_roles WHERE rolname = 'tuplecast_owner';
    SELECT string_agg(quote_ident(o.rolname), ', ' ORDER BY o.rolname) INTO members
      FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.member WHERE m.roleid = r.oid AND NOT o.rolsuper;
    IF r.oid IS NULL THEN
        BEGIN
            CREATE ROLE tuplecast_owner NOLOGIN;
            COMMENT ON ROLE tuplecast_owner IS 'made by tuplecast setup';
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            RAISE serialization_failure USING MESSAGE = 'Another tuplecast setup is at work.';
        END;
    ELSIF r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication THEN
        RAISE invalid_role_specification USING
            MESSAGE = 'There is a role tuplecast_owner already that can do more than an owner of functions may be able to.',
            HINT = 'ALTER ROLE tuplecast_owner NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION, if it is tuplecast''s; else rename it.';
    ELSIF r.rolcanlogin THEN
        RAISE invalid_role_specification USING
            MESSAGE = 'There is a role tuplecast_owner already that can log in: whoever does could change what runs with its rights.',
            HINT = 'ALTER ROLE tuplecast_owner NOLOGIN, if it is tuplecast''s; else rename it.';
    ELSIF members IS NOT NULL THEN
        RAISE invalid_role_specification USING
            MESSAGE = format('The role tuplecast_owner has members, who could change what runs with its rights: %s.', members),
            HINT = format('REVOKE tuplecast_owner FROM %s, if it is tuplecast''s; else rename it.', members);
    ELSIF EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid) THEN
        RAISE invalid_role_specification USING
            MESSAGE = 'The role tuplecast_owner is a member of other roles, and has their rights.',
            HINT = 'Revoke them, if it is tuplecast''s role; else rename it.';
    END IF;

    IF to_regnamespace('tuplecast') IS NULL THEN
        BEGIN
            CREATE SCHEMA tuplecast AUTHORIZATION tuplecast_owner;
        EXCEPTION WHEN duplicate_schema OR unique_violation THEN
            RAISE serialization_failure USING MESSAGE = 'Another tuplecast setup is at work.';
        END;
    END IF;
    -- A dump that was restored without its owners: what fell to a superuser goes back.
    FOR thing IN
        SELECT 'SCHEMA tuplecast' AS name, nspowner AS owner, 1 AS turn FROM pg_namespace WHERE nspname = 'tuplecast'
        UNION ALL
        SELECT 'ROUTINE ' || oid::regprocedure, proowner, 2 FROM pg_proc WHERE pronamespace = to_regnamespace('tuplecast')
        UNION ALL
        SELECT CASE relkind WHEN 'v' THEN 'VIEW ' WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass, relowner, 3 FROM pg_class c
         WHERE relnamespace = to_regnamespace('tuplecast') AND relkind IN ('r', 'p', 'v', 'S')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND c.relkind = 'S' AND d.deptype IN ('a', 'i'))
         ORDER BY turn
    LOOP
        CONTINUE WHEN thing.owner = to_regrole('tuplecast_owner');
        IF NOT (SELECT rolsuper FROM pg_roles WHERE oid = thing.owner) THEN
            RAISE insufficient_privilege USING
                MESSAGE = format('%s belongs to the role %s.', thing.name, pg_get_userbyid(thing.owner)),
                HINT = 'Whoever put it there is not known to tuplecast: look what it is, and drop it.';
        END IF;
        EXECUTE format('ALTER %s OWNER TO tuplecast_owner', thing.name);
    END LOOP;
END
$$;

-- The rest is done by tuplecast_owner: within a function that runs with its rights, and where no code can take the superuser's back (SET ROLE and
-- SET SESSION AUTHORIZATION are refused there). It is called once: who had the owner's rights could replace it.
CREATE FUNCTION pg_temp.tuplecast_run(script text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE script;
END
$$;
ALTER FUNCTION pg_temp.tuplecast_run(text) OWNER TO tuplecast_owner;
