-- tuplecast: durable channels, the writing side. A trigger writes each change into a log, in the writer's own transaction; ticks.sql is what gateways do
-- with it.
--
-- Only our owner writes to the log: an append function that every writer could call would be a forger's tool. So durable triggers run as our owner
-- (SECURITY DEFINER), and for that reason only. What belongs to others never runs in them: no cast, operator or function of theirs is called (columns_of in generated.sql), and the
-- tables of changed rows are read by name only where they are certain to be those of the trigger.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL check_function_bodies = off; -- they call each other

CREATE SEQUENCE IF NOT EXISTS tuplecast.log_id AS bigint;

-- A ring of eight partitions. retain() goes on to the next one by a leap of the sequence, and empties one by TRUNCATE when nothing in it is within
-- the time that is kept.
CREATE TABLE IF NOT EXISTS tuplecast.log (
    id bigint NOT NULL DEFAULT nextval('tuplecast.log_id'),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    channel text NOT NULL,
    head text NOT NULL, -- the beginning of the event's object, up to its id
    id_json text NOT NULL,
    data text,          -- the row as JSON; null: too large to be JSON at all
    old text,           -- ,"old":{...},"changed":[...] when they are wanted
    lost text,          -- the columns that could not be made JSON and are left out: "data.shape","old.shape"
    at timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY LIST (((id >> 40) & 7));
-- Only when they are missing: even to find that they are there, these statements would wait for writers, and others behind them.
DO $$
BEGIN
    IF to_regclass('tuplecast.log_7') IS NULL THEN
        CREATE INDEX ON tuplecast.log (xid, id);
        FOR slot IN 0 .. 7 LOOP
            EXECUTE format('CREATE TABLE tuplecast.log_%s PARTITION OF tuplecast.log FOR VALUES IN (%s)', slot, slot);
        END LOOP;
    END IF;
END
$$;

-- 2 while the lead sleeps, otherwise 1. A sequence, because it is read outside of every snapshot: a writer looks after he has written, and sees what is, however
-- old his snapshot (ticks.sql has the protocol).
CREATE SEQUENCE IF NOT EXISTS tuplecast.lead_asleep AS smallint MINVALUE 1 MAXVALUE 2 CYCLE;

-- The beginning of an event's object, up to its id. op is the statement's, where that is another one than what it comes to.
CREATE OR REPLACE FUNCTION tuplecast.log_head(table_schema text, table_name text, type text, op text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN concat('"schema":', to_json(table_schema), ',"table":', to_json(table_name), ',"type":"', type, '"', ',"op":"' || op || '"', ',"id":');
END
$$;

-- What the log keeps of a row, whatever its types: the values are JSON, or null where they could not be made; old_values null unless they are wanted.
CREATE OR REPLACE FUNCTION tuplecast.log_row(names text[], new_values text[], old_values text[], OUT data text, OUT old text, OUT lost text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    data := tuplecast.object(names, new_values);
    lost := tuplecast.lost('data', names, new_values);
    IF old_values IS NOT NULL THEN
        old := concat(',"old":' || tuplecast.object(names, old_values), ',"changed":', tuplecast.changed_names(names, old_values, new_values));
        lost := concat_ws(',', lost, tuplecast.lost('old', names, old_values));
    END IF;
    lost := NULLIF(lost, '');
END
$$;

-- The same for a row that is gone from what is told of, because its key has changed or it does not meet the condition any more: the gateway judges by the row who may know, and
-- does not send it on.
CREATE OR REPLACE FUNCTION tuplecast.log_left(names text[], old_values text[], OUT data text, OUT old text, OUT lost text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    data := 'null';
    old := ',"_was":' || tuplecast.object(names, old_values);
END
$$;

-- Wakes the lead, if it sleeps. PREPARE TRANSACTION fails after a NOTIFY: where that is possible, the lead does not rely on being woken.
CREATE OR REPLACE FUNCTION tuplecast.wake_lead() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_sequence_last_value('tuplecast.lead_asleep') = 2 AND current_setting('max_prepared_transactions') = '0' THEN
        PERFORM pg_notify('tuplecast', 'wake');
    END IF;
    RETURN true;
END
$$;

-- TRUNCATE, for every durable trigger.
CREATE OR REPLACE FUNCTION tuplecast.durable_truncate() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO tuplecast.log (channel, head, id_json, data)
    VALUES (TG_ARGV[0], tuplecast.log_head(TG_TABLE_SCHEMA, TG_TABLE_NAME, 'TRUNCATE', NULL), 'null', 'null');
    PERFORM tuplecast.wake_lead();
    RETURN NULL;
END
$$;

-- Begins a statement that sets a key (live.sql, keys that move through each other): a number that nobody else can draw, or set back, within this session.
CREATE SEQUENCE IF NOT EXISTS tuplecast.statement AS bigint CYCLE;

CREATE OR REPLACE FUNCTION tuplecast.durable_moves() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM nextval('tuplecast.statement');
    RETURN NULL;
END
$$;

CREATE TABLE IF NOT EXISTS tuplecast.secret (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    secret text NOT NULL
);
INSERT INTO tuplecast.secret (secret) VALUES (gen_random_uuid()::text || gen_random_uuid()) ON CONFLICT DO NOTHING;

-- The mark of this statement for key_is_left(). A session that never drew a number has none: then its first statement is the only one.
CREATE OR REPLACE FUNCTION tuplecast.durable_mark(relation oid) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN concat((SELECT secret FROM tuplecast.secret), ' ', relation, ' ', currval('tuplecast.statement'), ' ');
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    RETURN concat((SELECT secret FROM tuplecast.secret), ' ', relation, ' ', nextval('tuplecast.statement'), ' ');
END
$$;
