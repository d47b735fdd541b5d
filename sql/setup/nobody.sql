-- tuplecast.value_json_as_nobody() calls code of others, and so belongs to a role that may nothing. Only its caller, our owner, may call it. Who is not
-- a superuser can give it away as a member of that role; otherwise it stays where it is, and sends values of types that are not built in as text.
DO $$
DECLARE
    owner oid := (SELECT nspowner FROM pg_namespace WHERE nspname = 'tuplecast');
BEGIN
    IF to_regprocedure('tuplecast.value_json_as_nobody(anyelement)') IS NULL THEN
        RETURN;
    END IF;
    IF to_regrole('tuplecast_nobody') IS NULL AND (SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
        CREATE ROLE tuplecast_nobody NOLOGIN;
        COMMENT ON ROLE tuplecast_nobody IS 'made by tuplecast setup';
    END IF;
    IF to_regrole('tuplecast_nobody') IS NULL THEN
        RETURN;
    END IF;
    IF NOT pg_has_role(current_user, 'tuplecast_nobody', 'MEMBER') AND (SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
        BEGIN
            EXECUTE format('GRANT tuplecast_nobody TO %I', current_user);
        EXCEPTION WHEN insufficient_privilege THEN
            RETURN;
        END;
    END IF;
    BEGIN
        REVOKE ALL ON FUNCTION tuplecast.value_json_as_nobody(anyelement) FROM PUBLIC;
        GRANT CREATE ON SCHEMA tuplecast TO tuplecast_nobody; -- that a role may be given a function
        ALTER FUNCTION tuplecast.value_json_as_nobody(anyelement) OWNER TO tuplecast_nobody;
        REVOKE CREATE ON SCHEMA tuplecast FROM tuplecast_nobody;
        EXECUTE format('GRANT EXECUTE ON FUNCTION tuplecast.value_json_as_nobody(anyelement) TO %I', pg_get_userbyid(owner));
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
END
$$;
