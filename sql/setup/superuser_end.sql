-- The superuser again. Nothing of the owner's may be left that would run now, or at COMMIT, with the superuser's rights: settings of the session, cursors
-- that are read to their end then, and triggers that are put off until then.
SET search_path = pg_catalog, pg_temp;
SET standard_conforming_strings = on;
CLOSE ALL;
DO $$
BEGIN
    -- What waits for COMMIT belongs to a table that this transaction has written to, and so has locked.
    IF EXISTS (SELECT FROM pg_locks l JOIN pg_trigger t ON t.tgrelid = l.relation
                WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') AND t.tgdeferrable) THEN
        RAISE insufficient_privilege USING
            MESSAGE = 'A table that setup wrote to has triggers that wait for COMMIT, where they would run as a superuser.',
            HINT = 'No table of tuplecast''s has such triggers: look who put them there, and drop them.';
    END IF;
END
$$;
DROP FUNCTION pg_temp.tuplecast_run(text);
