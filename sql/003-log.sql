-- tuplecast: durable channels. A trigger writes each change to a log, in the writer's own transaction; gateways read it.
-- Here is what writes it; 003-ticks.sql is what gateways call.
--
-- Sequence order is not commit order, so "everything above the last id" loses what commits late. Instead one gateway, the lead, records a
-- snapshot about every 20 ms, a tick. What is visible in a tick and not in the one before is its batch; its events get dense numbers from the
-- tick's base on. Every gateway that reads the tick gives the same numbers, and a nonce tells this history from another one.

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
    at timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY LIST (((id >> 40) & 7));
DO $$
BEGIN
    -- CREATE INDEX IF NOT EXISTS would lock out writers only to find that there is one.
    IF to_regclass('tuplecast.log_xid') IS NULL THEN
        CREATE INDEX log_xid ON tuplecast.log (xid, id);
    END IF;
    FOR slot IN 0 .. 7 LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS tuplecast.log_%s PARTITION OF tuplecast.log FOR VALUES IN (%s)', slot, slot);
    END LOOP;
END
$$;

-- The events with the numbers base + 1 to base + count: transaction by transaction, and each transaction's in the order of their log ids. The
-- order of the transactions is found once, by the lead, and is then the same for everybody.
CREATE TABLE IF NOT EXISTS tuplecast.tick (
    number bigint PRIMARY KEY,
    base bigint NOT NULL,
    count bigint NOT NULL,
    nonce text NOT NULL,
    snapshot pg_snapshot NOT NULL, -- what it sees is in this tick or an earlier one
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    channels text,          -- the names of the events' channels, with line feeds between; null: too many to list
    low xid8 NOT NULL,      -- of its transactions, those below were in flight when the tick before was made
    xids xid8[] NOT NULL,   -- its transactions
    sizes integer[] NOT NULL -- how many events each of them has
);

CREATE TABLE IF NOT EXISTS tuplecast.state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    oldest_tick bigint NOT NULL DEFAULT 0, -- what was before it and in it is not kept
    rotated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO tuplecast.state DEFAULT VALUES ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION tuplecast.new_nonce() RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(substr('0123456789abcdefghijklmnopqrstuvwxyz', 1 + get_byte(b, i) % 36, 1), '')
      FROM (SELECT uuid_send(gen_random_uuid())) AS u (b), generate_series(0, 5) i
$$;
INSERT INTO tuplecast.tick (number, base, count, nonce, snapshot, low, xids, sizes)
SELECT 0, 0, 0, tuplecast.new_nonce(), pg_current_snapshot(), '0', '{}', '{}' WHERE NOT EXISTS (SELECT FROM tuplecast.tick);
DO $$
BEGIN
    IF to_regclass('tuplecast.tick_base') IS NULL THEN
        CREATE INDEX tick_base ON tuplecast.tick (base);
    END IF;
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- Writing
------------------------------------------------------------------------------------------------------------------------------------------

-- The lead holds this lock while it sleeps; a writer that does not get its share wakes it. NOTIFY takes a lock on the whole database at
-- commit, so it is sent only then.
CREATE OR REPLACE FUNCTION tuplecast.wake_lead() RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(1953853548, 1) THEN
        PERFORM pg_notify('tuplecast', 'wake');
    END IF;
END
$$;

-- The beginning of an event's object, up to its id.
CREATE OR REPLACE FUNCTION tuplecast.log_head(table_schema text, table_name text, operation text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN concat('"schema":', to_json(table_schema), ',"table":', to_json(table_name), ',"type":"', operation, '","id":');
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.log_id_of(keys text[], row_json json) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN CASE WHEN keys IS NULL OR row_json IS NULL THEN 'null'
                WHEN array_length(keys, 1) = 1 THEN coalesce((row_json -> keys[1])::text, 'null')
                ELSE tuplecast.pick(row_json, keys) END;
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.log_row(row_json json, names text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN CASE WHEN names IS NULL THEN row_json::text ELSE tuplecast.pick(row_json, names) END;
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.log_old(old_json json, row_json json, names text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN ',"old":' || tuplecast.log_row(old_json, names) || ',"changed":' || tuplecast.changed_members(old_json, row_json, names);
END
$$;

-- The first way is that of plain triggers, which have no slot (below) or not the right one any more: a key of one column, no columns and no old values
-- asked for. It has no search_path of its own, for what that costs; every name and operator in it says its schema, as in live_statement().
--
-- A row of 100 MB and more is no JSON: nothing may make the writer fail, and a text ends at 1 GB.
CREATE OR REPLACE FUNCTION tuplecast.durable_statement() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    names pg_catalog.text[];
    keys pg_catalog.text[];
    key pg_catalog.text;
    event_head pg_catalog.text;
    settings pg_catalog.text[];
BEGIN
    event_head := pg_catalog.concat(
        '"schema":', pg_catalog.to_json(TG_TABLE_SCHEMA::pg_catalog.text), ',"table":', pg_catalog.to_json(TG_TABLE_NAME::pg_catalog.text),
        ',"type":"', TG_OP, '","id":');
    IF TG_ARGV[1] OPERATOR(pg_catalog.=) '{"durable":true}'
       AND pg_catalog.current_setting(pg_catalog.concat('tuplecast.key_', pg_catalog.pg_get_replica_identity_index(TG_RELID)::pg_catalog.oid), true)
           OPERATOR(pg_catalog.=) 'yes' THEN
        key := (pg_catalog.parse_ident(pg_catalog.pg_get_indexdef(pg_catalog.pg_get_replica_identity_index(TG_RELID), 1, true)))[1];
        INSERT INTO tuplecast.log (channel, head, id_json, data)
        SELECT TG_ARGV[0], event_head, coalesce((n.row_json OPERATOR(pg_catalog.->) key)::pg_catalog.text, 'null'), n.row_json
          FROM (SELECT CASE WHEN pg_catalog.pg_column_size(r.*) OPERATOR(pg_catalog.<) 100000000 THEN pg_catalog.row_to_json(r.*) END AS row_json
                  FROM changed_rows r OFFSET 0) n;
        IF FOUND AND NOT pg_catalog.pg_try_advisory_xact_lock_shared(1953853548, 1) THEN
            PERFORM pg_catalog.pg_notify('tuplecast', 'wake');
        END IF;
        RETURN NULL;
    END IF;

    settings := ARRAY[pg_catalog.current_setting('search_path'), pg_catalog.current_setting('jit'), pg_catalog.current_setting('work_mem')];
    IF pg_catalog.concat(pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), pg_catalog.set_config('jit', 'off', true)) IS NULL THEN
    END IF;
    IF TG_ARGV[1]::json -> 'columns' IS NOT NULL THEN
        names := ARRAY(SELECT json_array_elements_text(TG_ARGV[1]::json -> 'columns'));
    END IF;
    keys := tuplecast.key_columns(TG_RELID);
    IF TG_OP = 'UPDATE' AND (TG_ARGV[1]::json ->> 'old')::boolean THEN
        IF pg_size_bytes(settings[3]) < 67108864 THEN
            PERFORM set_config('work_mem', '64MB', true);
        END IF;
        -- Both tables hold the rows in the same order.
        INSERT INTO tuplecast.log (channel, head, id_json, data, old)
        SELECT TG_ARGV[0], event_head, tuplecast.log_id_of(keys, n.row_json), tuplecast.log_row(n.row_json, names),
               tuplecast.log_old(o.row_json, n.row_json, names)
          FROM (SELECT CASE WHEN pg_column_size(r.*) < 100000000 THEN row_to_json(r.*) END, row_number() OVER () FROM changed_rows r) AS n (row_json, i)
          JOIN (SELECT CASE WHEN pg_column_size(r.*) < 100000000 THEN row_to_json(r.*) END, row_number() OVER () FROM old_rows r) AS o (row_json, i)
            USING (i) ORDER BY i;
    ELSE
        INSERT INTO tuplecast.log (channel, head, id_json, data)
        SELECT TG_ARGV[0], event_head, tuplecast.log_id_of(keys, r.row_json), tuplecast.log_row(r.row_json, names)
          FROM (SELECT CASE WHEN pg_column_size(n.*) < 100000000 THEN row_to_json(n.*) END FROM changed_rows n OFFSET 0) AS r (row_json);
    END IF;
    IF FOUND THEN
        PERFORM tuplecast.wake_lead();
    END IF;
    IF concat(set_config('work_mem', settings[3], true), set_config('jit', settings[2], true),
              set_config('search_path', settings[1], true)) IS NULL THEN
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tuplecast.durable_statement() IS 'tuplecast: writes a statement''s changes to the log, for the channel named by the first argument';

-- The fast way of a durable trigger without options, which stands in front of durable_statement() (002-slots.sql): one query in which
-- everything is constant but the row. When it is not right any more it writes nothing, and durable_statement() does the work. $current asks.
CREATE OR REPLACE FUNCTION tuplecast.durable_way(relation oid, operation text, channel text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    keys text[] := coalesce(tuplecast.key_columns(relation), '{}');
    measures text; -- of a row that has values without a bound
    named text;
    id text := '''null''';
BEGIN
    -- The length of a text is known without looking at it.
    SELECT CASE WHEN bool_or(is_long AND NOT is_text) OR pg_catalog.count(*) FILTER (WHERE is_long) > 30 THEN 'pg_catalog.pg_column_size(n.*)'
                ELSE string_agg(format('COALESCE(pg_catalog.octet_length(%I::pg_catalog.text), 0)', attname), ' OPERATOR(pg_catalog.+) ' ORDER BY attnum)
                     FILTER (WHERE is_long) END,
           string_agg(format('NULL::pg_catalog.text AS %I', attname), ', ' ORDER BY attnum) FILTER (WHERE is_long AND is_text OR attname = ANY (keys))
      INTO measures, named
      FROM (SELECT attname, attnum, typlen < 0 AND t.oid <> 'numeric'::regtype AS is_long, t.oid IN ('text'::regtype, 'varchar'::regtype) AS is_text
              FROM pg_attribute JOIN pg_type t ON t.oid = atttypid WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped) c;
    IF cardinality(keys) > 0 THEN
        SELECT string_agg(CASE WHEN cardinality(keys) > 1 THEN quote_literal(CASE i WHEN 1 THEN '{' ELSE ',' END || to_json(k)::text || ':') || ', ' ELSE '' END
                          || format(CASE WHEN atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN '%I::pg_catalog.text'
                                         ELSE 'pg_catalog.to_json(%I)::pg_catalog.text' END, k), ', ' ORDER BY i)
          INTO id FROM unnest(keys) WITH ORDINALITY AS u (k, i) JOIN pg_attribute ON attrelid = relation AND attname = k;
        id := CASE WHEN cardinality(keys) > 1 THEN format('pg_catalog.concat(%s, ''}'')', id) ELSE format('COALESCE(%s, ''null'')', id) END;
    END IF;
    RETURN format($fast$
    INSERT INTO tuplecast.log (channel, head, id_json, data)
    SELECT c.* FROM (SELECT %s) k CROSS JOIN LATERAL (
        SELECT %L, %L, %s, %s FROM changed_rows n WHERE $current
    ) c;
    IF FOUND THEN
        IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(1953853548, 1) THEN
            PERFORM pg_catalog.pg_notify('tuplecast', 'wake');
        END IF;
        RETURN NULL;
    END IF;
$fast$,
        named, channel, (SELECT tuplecast.log_head(nspname, relname, operation) FROM pg_class r JOIN pg_namespace s ON s.oid = r.relnamespace WHERE r.oid = relation),
        id, CASE WHEN measures IS NULL THEN 'pg_catalog.row_to_json(n.*)'
                 ELSE format('CASE WHEN %s OPERATOR(pg_catalog.<) 100000000 THEN pg_catalog.row_to_json(n.*) END', measures) END);
END
$$;

-- The fast way of a slot: kind is live or durable.
CREATE OR REPLACE FUNCTION tuplecast.slot_way(kind text, relation oid, operation text, channel text, argument text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN kind = 'live' THEN tuplecast.live_way(relation, operation, channel, argument)
                WHEN kind = 'durable' AND argument = '{"durable":true}' AND NOT tuplecast.needs_row_level(relation)
                THEN tuplecast.durable_way(relation, operation, channel) END
$$;

CREATE OR REPLACE FUNCTION tuplecast.durable() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    options json := TG_ARGV[1]::json;
    names text[];
    row_json json;
    old_json json;
    table_schema text := TG_TABLE_SCHEMA;
    table_name text := TG_TABLE_NAME;
BEGIN
    IF options -> 'columns' IS NOT NULL THEN
        names := ARRAY(SELECT json_array_elements_text(options -> 'columns'));
    END IF;
    IF pg_partition_root(TG_RELID) <> TG_RELID THEN
        SELECT t.table_schema, t.table_name INTO table_schema, table_name FROM tuplecast.trigger_table(TG_RELID, TG_NAME) t;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO tuplecast.log (channel, head, id_json, data)
        VALUES (TG_ARGV[0], tuplecast.log_head(table_schema, table_name, TG_OP), 'null', 'null');
    ELSE
        IF TG_OP = 'DELETE' THEN
            NEW := OLD;
        END IF;
        IF pg_column_size(NEW) < 100000000 THEN
            row_json := row_to_json(NEW);
        END IF;
        IF TG_OP = 'UPDATE' AND (options ->> 'old')::boolean AND pg_column_size(OLD) < 100000000 THEN
            old_json := row_to_json(OLD);
        END IF;
        INSERT INTO tuplecast.log (channel, head, id_json, data, old)
        VALUES (TG_ARGV[0], tuplecast.log_head(table_schema, table_name, TG_OP), tuplecast.log_id_of(tuplecast.key_columns(TG_RELID), row_json),
                tuplecast.log_row(row_json, names), tuplecast.log_old(old_json, row_json, names));
    END IF;
    PERFORM tuplecast.wake_lead();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tuplecast.durable() IS 'tuplecast: writes a row''s change to the log, for the channel named by the first argument';
