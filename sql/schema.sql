-- tuplecast, the database side. Everything is in the schema tuplecast; a trigger is ours when its function is in there, and nothing else is listed,
-- replaced or dropped.
--
-- The scripts are installed whole, in this order: schema, listing, live, log, generated, fast, putting, ticks, rights. Each can be run again. `tuplecast setup`
-- runs them with the rights of the schema's owner only; by hand: cat them in this order into psql --single-transaction -v ON_ERROR_STOP=1, as a role that is no superuser.
--
-- Four rules hold for all of it (docs/security.md):
--
-- 1. No function that runs with more rights than its caller can be called, or made a trigger, by a role that was not granted it.
-- 2. Code that belongs to others (casts, operators, checks of domains, names in somebody's search_path) never runs with our owner's
--    rights, and is not called at all by triggers. Functions that set no search_path of their own therefore qualify every name and every operator in them.
-- 3. Every session of ours sets what it relies on. What runs in a writer's session relies on no setting of it.
-- 4. Nothing of ours may make a write fail: what may be too long, or may raise an error, is measured or caught first.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL check_function_bodies = off; -- they call each other

DO $$
BEGIN
    IF to_regnamespace('tuplecast') IS NULL THEN
        CREATE SCHEMA tuplecast;
    END IF;
END
$$;
COMMENT ON SCHEMA tuplecast IS 'tuplecast: row changes as Server-Sent Events';

-- One row: what was installed. `checksum` is that of the scripts, `fingerprint` that of what they made, as the catalog shows it.
CREATE TABLE IF NOT EXISTS tuplecast.version (
    version integer PRIMARY KEY,
    checksum text NOT NULL,
    fingerprint text NOT NULL,
    installed_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);

-- Keeps equal notifications of one transaction apart, which NOTIFY would otherwise send once. Numbers need to differ within a transaction only, so each
-- session takes many at once: nobody waits for the sequence.
CREATE SEQUENCE IF NOT EXISTS tuplecast.serial AS bigint CYCLE CACHE 1000;

-- Which function was made for which trigger, and what it does. Whoever may put triggers on a table has this written for him (make_function); a trigger that
-- somebody hangs one of the functions onto by hand is not in here, and is none of ours. The owner of a table may give its triggers other arguments: what counts
-- are these.
CREATE TABLE IF NOT EXISTS tuplecast.function (
    name text NOT NULL,           -- live_7: made for this trigger; live_truncate: the same for all
    relation regclass NOT NULL,
    trigger name NOT NULL,        -- tuplecast:NAME:part
    arguments text[] NOT NULL,    -- as they were put: channel, options, operations
    PRIMARY KEY (relation, trigger)
);
-- A register of before has none. Then write_functions() enters anew what the catalog shows and can be trusted.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'tuplecast.function'::regclass AND attname = 'arguments' AND NOT attisdropped) THEN
        DELETE FROM tuplecast.function;
        ALTER TABLE tuplecast.function ADD COLUMN arguments text[] NOT NULL;
    END IF;
END
$$;
CREATE UNIQUE INDEX IF NOT EXISTS function_name ON tuplecast.function (name) WHERE name ~ '[0-9]$';
