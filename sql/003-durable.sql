-- tuplecast, version 3: durable channels. A trigger writes each change to a log, in the writer's own transaction; gateways read it.
--
-- Sequence order is not commit order, so "everything above the last id" loses what commits late. Instead one gateway, the lead, records a
-- snapshot about every 20 ms, a tick. What is visible in a tick and not in the one before is its batch; its events get dense numbers from the
-- tick's base on. Every gateway that reads the tick gives the same numbers, and a nonce tells this history from another one.

INSERT INTO tuplecast.version (version) VALUES (3);

CREATE SEQUENCE tuplecast.log_id AS bigint;

-- A ring of eight partitions. retain() goes on to the next one by a leap of the sequence, and empties one by TRUNCATE when nothing in it is within
-- the time that is kept.
CREATE TABLE tuplecast.log (
    id bigint NOT NULL DEFAULT nextval('tuplecast.log_id'),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    channel text NOT NULL,
    head text NOT NULL, -- the beginning of the event's object, up to its id
    id_json text NOT NULL,
    data text,          -- the row as JSON; null: too large to be JSON at all
    old text,           -- ,"old":{...},"changed":[...] when they are wanted
    at timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY LIST (((id >> 40) & 7));
CREATE INDEX ON tuplecast.log (xid, id);
DO $$
BEGIN
    FOR slot IN 0 .. 7 LOOP
        EXECUTE format('CREATE TABLE tuplecast.log_%s PARTITION OF tuplecast.log FOR VALUES IN (%s)', slot, slot);
    END LOOP;
END
$$;

-- The events with the numbers base + 1 to base + count: transaction by transaction, and each transaction's in the order of their log ids. The
-- order of the transactions is found once, by the lead, and is then the same for everybody.
CREATE TABLE tuplecast.tick (
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
CREATE INDEX ON tuplecast.tick (base);

CREATE TABLE tuplecast.state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    oldest_tick bigint NOT NULL DEFAULT 0, -- what was before it and in it is not kept
    rotated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO tuplecast.state DEFAULT VALUES;

CREATE FUNCTION tuplecast.new_nonce() RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(substr('0123456789abcdefghijklmnopqrstuvwxyz', 1 + get_byte(b, i) % 36, 1), '')
      FROM (SELECT uuid_send(gen_random_uuid())) AS u (b), generate_series(0, 5) i
$$;
INSERT INTO tuplecast.tick (number, base, count, nonce, snapshot, low, xids, sizes)
VALUES (0, 0, 0, tuplecast.new_nonce(), pg_current_snapshot(), '0', '{}', '{}');

------------------------------------------------------------------------------------------------------------------------------------------
-- Writing
------------------------------------------------------------------------------------------------------------------------------------------

-- The lead holds this lock while it sleeps; a writer that does not get its share wakes it. NOTIFY takes a lock on the whole database at
-- commit, so it is sent only then.
CREATE FUNCTION tuplecast.wake_lead() RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(1953853548, 1) THEN
        PERFORM pg_notify('tuplecast', 'wake');
    END IF;
END
$$;

-- The beginning of an event's object, up to its id.
CREATE FUNCTION tuplecast.log_head(table_schema text, table_name text, operation text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN concat('"schema":', to_json(table_schema), ',"table":', to_json(table_name), ',"type":"', operation, '","id":');
END
$$;

CREATE FUNCTION tuplecast.log_id_of(keys text[], row_json json) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN CASE WHEN keys IS NULL OR row_json IS NULL THEN 'null'
                WHEN array_length(keys, 1) = 1 THEN coalesce((row_json -> keys[1])::text, 'null')
                ELSE tuplecast.pick(row_json, keys) END;
END
$$;

CREATE FUNCTION tuplecast.log_row(row_json json, names text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN CASE WHEN names IS NULL THEN row_json::text ELSE tuplecast.pick(row_json, names) END;
END
$$;

CREATE FUNCTION tuplecast.log_old(old_json json, row_json json, names text[]) RETURNS text
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
CREATE FUNCTION tuplecast.durable_statement() RETURNS trigger
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
CREATE FUNCTION tuplecast.durable_way(relation oid, operation text, channel text) RETURNS text
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

CREATE OR REPLACE FUNCTION tuplecast.slot_way(kind text, relation oid, operation text, channel text, argument text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN kind = 'live' AND coalesce(argument, '') IN ('', '{"old":true}')
                THEN tuplecast.fast_way(relation, operation, channel, coalesce(argument, '') <> '' AND operation = 'UPDATE')
                WHEN kind = 'durable' AND argument = '{"durable":true}' THEN tuplecast.durable_way(relation, operation, channel) END
$$;

-- The table that a trigger was put on, of which this one, on a partition, is a clone.
CREATE FUNCTION tuplecast.trigger_table(relation oid, trigger_name name) RETURNS TABLE (table_schema text, table_name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE up AS (
        SELECT tgrelid, tgparentid FROM pg_trigger WHERE tgrelid = relation AND tgname = trigger_name
        UNION ALL
        SELECT t.tgrelid, t.tgparentid FROM up JOIN pg_trigger t ON t.oid = up.tgparentid
    )
    SELECT nspname, relname
      FROM up JOIN pg_class c ON c.oid = up.tgrelid JOIN pg_namespace s ON s.oid = c.relnamespace WHERE up.tgparentid = 0
$$;

CREATE FUNCTION tuplecast.durable() RETURNS trigger
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

------------------------------------------------------------------------------------------------------------------------------------------
-- What gateways call. All but depose() run as our owner: a gateway has no right on the log itself.
------------------------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION tuplecast.durable_channels() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT DISTINCT channel FROM tuplecast.triggers WHERE options ->> 'durable' = 'true'
$$;

-- A dump that was restored to another server counts transactions as the old one did: the changes of now would look as if an earlier tick had seen
-- them. Then a new history begins behind the old one, which is given up; who has an id of it is told.
CREATE FUNCTION tuplecast.begin_anew() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last record;
BEGIN
    FOR pass IN 1 .. 2 LOOP
        SELECT t.number, t.base + t.count AS end_number, t.snapshot INTO STRICT last FROM tuplecast.tick t ORDER BY t.number DESC LIMIT 1;
        -- Each tick was committed with a number of its own: the counter is always ahead of it, after a crash, too.
        IF pg_snapshot_xmax(last.snapshot) <= pg_snapshot_xmax(pg_current_snapshot()) THEN
            RETURN;
        END IF;
        -- Another gateway may do the same: look again under the lock.
        PERFORM set_config('lock_timeout', '2s', true);
        LOCK TABLE tuplecast.log, tuplecast.tick IN ACCESS EXCLUSIVE MODE;
    END LOOP;
    TRUNCATE tuplecast.log, tuplecast.tick;
    INSERT INTO tuplecast.tick (number, base, count, nonce, snapshot, low, xids, sizes)
    VALUES (last.number + 1, last.end_number, 0, tuplecast.new_nonce(), pg_current_snapshot(), '0', '{}', '{}');
    UPDATE tuplecast.state SET oldest_tick = last.number + 1;
END
$$;

-- Null, or why this database, or this role, has no durable channels. ordering is make_tick()'s.
CREATE FUNCTION tuplecast.check_durable(ordering text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN 'the database is a standby, where nothing can be written: connect to the primary';
    ELSIF NOT has_function_privilege('tuplecast.make_tick(bigint, text)', 'EXECUTE') THEN
        RETURN format('the role %s may not read the log: run SELECT tuplecast.grant_gateway(%L) as the owner of the schema tuplecast',
                      current_user, current_user);
    ELSIF ordering = 'commit_timestamp' AND NOT current_setting('track_commit_timestamp')::boolean THEN
        RETURN 'durable.order is "commit_timestamp", but the database keeps no commit timestamps: set track_commit_timestamp = on and restart it,'
               ' or set durable.order = "causal"';
    END IF;
    PERFORM tuplecast.begin_anew();
    RETURN NULL;
END
$$;

CREATE FUNCTION tuplecast.try_lead() RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_try_advisory_lock(1953853548, 2)
$$;

-- The session of the lead; null: there is none. It is the only one whose signs of life count, because anybody can NOTIFY.
CREATE FUNCTION tuplecast.lead_session() RETURNS integer
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 1953853548 AND objid = 2 AND objsubid = 2 AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1
$$;

-- Ends the session of a lead that gives no sign of life, and waits until its lock is free; not while the database itself keeps it busy with a
-- tick, which would take the next lead as long. Works for sessions of the caller's own role.
CREATE FUNCTION tuplecast.depose() RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(bool_or(pg_terminate_backend(l.pid, 500)), false) FROM tuplecast.lead_session() l (pid) LEFT JOIN pg_stat_activity a USING (pid)
     WHERE l.pid <> pg_backend_pid()
       AND NOT coalesce(a.state = 'active' AND a.query ~ 'make_tick|read_events' AND a.wait_event_type IS DISTINCT FROM 'Client', false)
$$;

CREATE FUNCTION tuplecast.try_sleep() RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_try_advisory_lock(1953853548, 1)
$$;

CREATE FUNCTION tuplecast.wake() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_unlock(1953853548, 1);
END
$$;

CREATE FUNCTION tuplecast.last_tick() RETURNS TABLE (number bigint, end_number bigint, nonce text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.number, t.base + t.count, t.nonce FROM tuplecast.tick t ORDER BY t.number DESC LIMIT 1
$$;

-- Records the next tick when there is anything new. A second lead fails with unique_violation: it is none any more.
--
-- ordering is causal: a transaction that waited for another one's row has the larger last id, so in the order of last ids the changes of one row
-- stand as they were made. Or it is commit_timestamp: then a transaction is held back while one that has an earlier timestamp may not be visible
-- yet. What is held back counts as being in flight. number is null when there is nothing to tell now, but something is held back.
CREATE FUNCTION tuplecast.make_tick(last bigint, ordering text)
    RETURNS TABLE (number bigint, base bigint, count bigint, nonce text, channels text, is_held boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    seen pg_snapshot := pg_current_snapshot();
    to_xid xid8 := pg_snapshot_xmax(seen);
    in_flight xid8[] := ARRAY(SELECT pg_snapshot_xip(seen));
    low xid8;
    was_in_flight xid8[];
    xids xid8[];
    sizes integer[];
    held xid8[];
    hold_from timestamptz := 'infinity';
    transactions_max constant integer := 10000; -- of one tick; what was written while no gateway ran makes several, of the same snapshot
BEGIN
    SELECT t.base + t.count, pg_snapshot_xmax(t.snapshot), ARRAY(SELECT pg_snapshot_xip(t.snapshot))
      INTO STRICT base, low, was_in_flight FROM tuplecast.tick t WHERE t.number = last;
    -- A snapshot that was taken before a crash can be ahead of the counter after it, unless something was committed in between.
    PERFORM set_config('synchronous_commit', 'on', true);
    IF ordering = 'commit_timestamp' THEN
        -- Who is committing has a timestamp before others see what he did; the moment between taking it and showing it is short.
        SELECT least(min(pg_xact_commit_timestamp(x::xid)), clock_timestamp() - interval '5 ms') INTO hold_from FROM unnest(in_flight) x;
    END IF;
    -- One range of the index, and the transactions that were in flight then. The parts go in as parameters, without which it would be a scan of
    -- everything.
    WITH changes AS MATERIALIZED (
        SELECT l.xid, l.channel, max(l.id) AS last, pg_catalog.count(*) AS size
          FROM (SELECT a.xid, a.id, a.channel FROM tuplecast.log a WHERE a.xid >= low AND a.xid < to_xid AND a.xid <> ALL (in_flight)
                UNION ALL
                SELECT b.xid, b.id, b.channel FROM tuplecast.log b WHERE b.xid = ANY (was_in_flight) AND b.xid < to_xid AND b.xid <> ALL (in_flight)) l
         GROUP BY l.xid, l.channel
    ), stamped AS (
        SELECT c.xid, max(c.last) AS last, sum(c.size) AS size, CASE WHEN ordering = 'commit_timestamp' THEN pg_xact_commit_timestamp(c.xid::xid) END AS at
          FROM changes c GROUP BY c.xid
    ), transactions AS (
        -- A clock that was put back must not hold anything for long.
        SELECT s.*, coalesce(s.at >= hold_from AND s.at < clock_timestamp() + interval '1 s', false) AS is_held FROM stamped s
    )
    SELECT array_agg(t.xid ORDER BY t.at NULLS FIRST, t.last) FILTER (WHERE NOT t.is_held),
           array_agg(t.size::integer ORDER BY t.at NULLS FIRST, t.last) FILTER (WHERE NOT t.is_held),
           coalesce(array_agg(t.xid) FILTER (WHERE t.is_held), '{}'),
           (SELECT CASE WHEN pg_catalog.count(DISTINCT c.channel) <= 500 THEN string_agg(DISTINCT c.channel, E'\n') END FROM changes c)
      INTO xids, sizes, held, channels FROM transactions t;
    is_held := held <> '{}';
    IF is_held THEN
        SELECT format('%s:%s:%s', min(x), to_xid, string_agg(x::text, ',' ORDER BY x)) INTO seen FROM unnest(in_flight || held) x;
    END IF;
    FOR i IN 0 .. coalesce(cardinality(xids) - 1, -1) / transactions_max LOOP
        EXIT WHEN xids IS NULL;
        count := (SELECT sum(x) FROM unnest(sizes[i * transactions_max + 1 : (i + 1) * transactions_max]) x);
        last := last + 1;
        INSERT INTO tuplecast.tick AS t (number, base, count, nonce, snapshot, channels, low, xids, sizes)
        VALUES (last, base, count, tuplecast.new_nonce(), seen, channels, low, xids[i * transactions_max + 1 : (i + 1) * transactions_max],
                sizes[i * transactions_max + 1 : (i + 1) * transactions_max])
        RETURNING t.number, t.nonce INTO number, nonce;
        RETURN NEXT;
        base := base + count;
    END LOOP;
    IF xids IS NOT NULL THEN
        PERFORM pg_notify('tuplecast', 'tick ' || number);
    ELSIF is_held THEN
        RETURN NEXT;
    END IF;
END
$$;

CREATE FUNCTION tuplecast.ticks_after(last bigint) RETURNS TABLE (number bigint, base bigint, count bigint, nonce text, channels text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.number, t.base, t.count, t.nonce, t.channels FROM tuplecast.tick t WHERE t.number > last ORDER BY t.number LIMIT 1000
$$;

-- A verdict on a client's place: ok, expired or rewound; and where it goes on. Without a place (0 and no nonce), the earliest one.
CREATE FUNCTION tuplecast.find_place(from_number bigint, from_nonce text) RETURNS TABLE (kind text, number bigint, nonce text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    oldest record;
    newest record;
    found record; -- the tick that gave from_number
BEGIN
    SELECT t.number, t.base + t.count AS last, t.nonce INTO oldest
      FROM tuplecast.tick t JOIN tuplecast.state s ON t.number >= s.oldest_tick ORDER BY t.number LIMIT 1;
    SELECT t.base + t.count AS last, t.nonce INTO newest FROM tuplecast.tick t ORDER BY t.number DESC LIMIT 1;
    IF from_number = 0 AND from_nonce = '' THEN
        RETURN QUERY SELECT 'ok', oldest.last, oldest.nonce;
        RETURN;
    END IF;
    SELECT t.number, t.nonce INTO found FROM tuplecast.tick t
     WHERE t.base <= from_number AND from_number <= t.base + t.count AND t.number >= oldest.number AND (from_number > t.base OR t.count = 0)
     ORDER BY t.base DESC, t.number DESC LIMIT 1;
    IF from_number > newest.last OR (found.number IS NOT NULL AND from_nonce <> '' AND found.nonce <> from_nonce) THEN
        RETURN QUERY SELECT 'rewound', newest.last, newest.nonce;
    ELSIF found.number IS NULL OR (found.number = oldest.number AND from_number < oldest.last) THEN
        RETURN QUERY SELECT 'expired', oldest.last, oldest.nonce;
    ELSE
        RETURN QUERY SELECT 'ok', from_number, found.nonce;
    END IF;
END
$$;

-- Of the next count_max events behind from_number, those of these channels; then a row of the kind `end` with the place up to which was looked. With
-- page_bytes, that can be sooner: the first `end` counts.
--
-- What would make an event longer than bytes_max is left out: cut is 1 for the old row, 2 for the row, 3 for both.
CREATE FUNCTION tuplecast.read_events(from_number bigint, count_max bigint, channels text[], bytes_max bigint, page_bytes bigint)
    RETURNS TABLE (kind text, number bigint, nonce text, channel text, head text, id_json text, data text, old text, at timestamptz, cut integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off SET enable_bitmapscan = off SET jit = off SET work_mem = '64MB'
SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    large constant integer := 5000; -- a transaction with more events is not read as a whole for a page that has only a part of it
    until bigint := from_number + count_max;
    first_tick bigint;
    low xid8;
    xids xid8[];
    sizes integer[];
    befores bigint[]; -- the number before each transaction's first event
    nonces text[];
    most integer;
    low_xid xid8;
    high_xid xid8;
    early_xids xid8[];
    from_id bigint := 0;
    until_id bigint := 9223372036854775807;
BEGIN
    SELECT min(x.tick), min(x.low), array_agg(x.xid ORDER BY x.before), array_agg(x.size ORDER BY x.before), array_agg(x.before ORDER BY x.before),
           array_agg(x.nonce ORDER BY x.before)
      INTO first_tick, low, xids, sizes, befores, nonces
      FROM (SELECT t.number AS tick, t.low, t.nonce, u.xid, u.size, t.base + sum(u.size) OVER (PARTITION BY t.number ORDER BY u.place) - u.size AS before
              FROM tuplecast.tick t CROSS JOIN unnest(t.xids, t.sizes) WITH ORDINALITY AS u (xid, size, place)
             WHERE t.base < until AND t.base >= coalesce((SELECT max(p.base) FROM tuplecast.tick p WHERE p.base <= from_number), 0)) x
     WHERE x.before < until AND x.before + x.size > from_number;
    IF first_tick IS NULL THEN
        RETURN QUERY SELECT 'end', t.base + t.count, t.nonce, NULL, NULL, NULL, NULL, NULL, NULL::timestamptz, 0
          FROM tuplecast.tick t ORDER BY t.number DESC LIMIT 1;
        RETURN;
    END IF;
    most := cardinality(xids);
    IF page_bytes IS NOT NULL THEN
        -- A large transaction, of which only a part is wanted, has pages of its own: there its ids are limits to the index.
        IF sizes[1] > large AND (from_number > befores[1] OR befores[1] + sizes[1] > until) THEN
            most := 1;
            IF from_number > befores[1] THEN
                SELECT l.id INTO from_id FROM tuplecast.log l WHERE l.xid = xids[1] ORDER BY l.xid, l.id OFFSET from_number - befores[1] - 1 LIMIT 1;
            END IF;
            IF befores[1] + sizes[1] > until THEN
                SELECT l.id INTO until_id FROM tuplecast.log l WHERE l.xid = xids[1] AND l.id > from_id ORDER BY l.xid, l.id
                OFFSET until - greatest(from_number, befores[1]) - 1 LIMIT 1;
            END IF;
            sizes[1] := sizes[1] - greatest(from_number - befores[1], 0); -- what is left of it, which the page must not go beyond
            befores[1] := greatest(from_number, befores[1]);
        ELSIF sizes[most] > large AND befores[most] + sizes[most] > until THEN
            most := most - 1;
        END IF;
        xids := xids[:most];
        until := least(until, befores[most] + sizes[most]);
    ELSE
        until := befores[most] + sizes[most];
    END IF;
    SELECT min(x) FILTER (WHERE x >= low), max(x), coalesce(array_agg(x) FILTER (WHERE x < low), '{}') INTO low_xid, high_xid, early_xids FROM unnest(xids) x;
    RETURN QUERY
    WITH transactions AS MATERIALIZED (
        SELECT u.* FROM unnest(xids, befores[:most], nonces[:most]) AS u (xid, before, nonce)
    ), events AS (
        SELECT t.before + row_number() OVER (PARTITION BY t.before ORDER BY l.id) AS number, t.nonce, l.*
          FROM (SELECT * FROM tuplecast.log a WHERE a.xid >= low_xid AND a.xid <= high_xid AND a.id > from_id AND a.id <= until_id
                UNION ALL
                SELECT * FROM tuplecast.log b WHERE b.xid = ANY (early_xids) AND b.id > from_id AND b.id <= until_id) l
          JOIN transactions t USING (xid)
    ), wanted AS (
        SELECT e.*, 200 + coalesce(octet_length(e.data), 0) + least(coalesce(octet_length(e.old), 0), 1000000000) AS bytes FROM events e
         WHERE e.number > from_number AND e.number <= until AND e.channel = ANY (channels)
    ), pages AS (
        SELECT w.*, lag(w.number) OVER up_to_here AS number_before, lag(w.nonce) OVER up_to_here AS nonce_before,
               sum(w.bytes) OVER up_to_here - w.bytes < coalesce(page_bytes, 9223372036854775807) AS has_room,
               sum(w.bytes) OVER up_to_here - w.bytes - lag(w.bytes, 1, 0) OVER up_to_here >= page_bytes AS is_beyond
          FROM wanted w
        WINDOW up_to_here AS (ROWS UNBOUNDED PRECEDING)
    )
    SELECT CASE WHEN p.has_room THEN 'event' ELSE 'end' END, CASE WHEN p.has_room THEN p.number ELSE p.number_before END,
           CASE WHEN p.has_room THEN p.nonce ELSE p.nonce_before END, p.channel, p.head, p.id_json,
           CASE WHEN c.cut < 2 AND p.has_room THEN p.data END, CASE WHEN c.cut = 0 AND p.has_room THEN p.old END, p.at, c.cut
      FROM pages p
     CROSS JOIN LATERAL (SELECT CASE WHEN p.data IS NULL OR octet_length(p.data) + octet_length(p.id_json) + 1000 > bytes_max
                                     THEN CASE WHEN p.old IS NULL THEN 2 ELSE 3 END
                                     WHEN octet_length(p.data)::bigint + octet_length(p.old) + octet_length(p.id_json) + 1000 > bytes_max THEN 1
                                     ELSE 0 END) c (cut)
     WHERE p.is_beyond IS NOT TRUE;
    kind := 'end';
    number := until;
    nonce := nonces[most];
    RETURN NEXT;
    -- TRUNCATE is not for snapshots: a partition can be empty all at once. But it is emptied only when everybody can see that its ticks were given up.
    IF first_tick <= (SELECT oldest_tick FROM tuplecast.state) THEN
        RAISE SQLSTATE 'TC001' USING MESSAGE = format('Tick %s is not kept any more.', first_tick);
    END IF;
END
$$;

-- Gives up what is older than max_age, or more than max_bytes, and empties partitions that hold nothing else. Called now and then by the lead, each
-- time in a transaction of its own; what one call gives up, a later one deletes, when everybody can know.
CREATE FUNCTION tuplecast.retain(max_age interval, max_bytes bigint)
    RETURNS TABLE (bytes bigint, oldest_at timestamptz, ticks bigint, dropped bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kept tuplecast.tick; -- the newest tick that was given up before this call
    slot integer;
    size bigint;
    current_slot integer;
    rows_left boolean;
    cutoff bigint;
    has_next boolean; -- the partition that would be next is empty
BEGIN
    -- One at a time (a lead that was replaced may be in the midst of this): the leap below reads the sequence and then sets it, and of two at once the
    -- later would set it back, to ids that were given meanwhile. A nextval() in between gets an id below the leap, as if it had come before: no harm.
    PERFORM FROM tuplecast.state FOR UPDATE;
    PERFORM set_config('lock_timeout', '50ms', true);
    SELECT t.* INTO kept FROM tuplecast.tick t JOIN tuplecast.state s ON t.number = s.oldest_tick;
    SELECT (last_value >> 40) & 7 INTO current_slot FROM tuplecast.log_id;
    dropped := 0;
    bytes := pg_total_relation_size('tuplecast.tick');
    FOR i IN 1 .. 8 LOOP
        slot := (current_slot + i) & 7; -- the oldest one first
        size := pg_total_relation_size(format('tuplecast.log_%s', slot));
        IF slot <> current_slot AND size > 65536 THEN
            -- Everything in it was visible in a tick that is not kept. The second look is under the lock: nobody can write any more.
            EXECUTE format('SELECT EXISTS (SELECT FROM tuplecast.log_%s WHERE xid >= pg_snapshot_xmin($1)'
                           ' AND NOT pg_visible_in_snapshot(xid, $1))', slot) INTO rows_left USING kept.snapshot;
            IF NOT rows_left THEN
                BEGIN
                    EXECUTE format('LOCK TABLE ONLY tuplecast.log_%s IN ACCESS EXCLUSIVE MODE', slot);
                    EXECUTE format('SELECT EXISTS (SELECT FROM tuplecast.log_%s WHERE xid >= pg_snapshot_xmin($1)'
                                   ' AND NOT pg_visible_in_snapshot(xid, $1))', slot) INTO rows_left USING kept.snapshot;
                    IF NOT rows_left THEN
                        EXECUTE format('TRUNCATE tuplecast.log_%s', slot);
                        dropped := dropped + size;
                        size := 0;
                    END IF;
                EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
                    NULL; -- another time
                END;
            END IF;
        END IF;
        bytes := bytes + size;
        has_next := coalesce(has_next, size <= 65536);
    END LOOP;
    -- The next partition, when this one holds a quarter of what is kept.
    size := pg_total_relation_size(format('tuplecast.log_%s', current_slot));
    IF has_next AND (size > greatest(max_bytes / 4, 65536)
                     OR (size > 65536 AND (SELECT rotated_at FROM tuplecast.state) < clock_timestamp() - max_age / 4)) THEN
        PERFORM setval('tuplecast.log_id', ((last_value >> 40) + 1) << 40) FROM tuplecast.log_id;
        UPDATE tuplecast.state SET rotated_at = clock_timestamp();
    END IF;
    SELECT max(t.number) INTO cutoff FROM tuplecast.tick t WHERE t.at < clock_timestamp() - max_age;
    IF bytes > max_bytes AND coalesce(cutoff, 0) <= kept.number THEN
        -- Too much: an eighth of the ticks goes.
        SELECT t.number INTO cutoff FROM tuplecast.tick t WHERE t.number > kept.number ORDER BY t.number
        OFFSET (SELECT pg_catalog.count(*) / 8 FROM tuplecast.tick) LIMIT 1;
    END IF;
    UPDATE tuplecast.state SET oldest_tick = cutoff WHERE cutoff > oldest_tick;
    DELETE FROM tuplecast.tick t WHERE t.number < kept.number;
    SELECT min(t.at), pg_catalog.count(*) INTO oldest_at, ticks FROM tuplecast.tick t;
    RETURN NEXT;
END
$$;

-- Lets a role be a gateway's: it can read the log and the ticks, and make ticks, and nothing else.
CREATE FUNCTION tuplecast.grant_gateway(gateway name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA tuplecast TO %I', gateway);
    EXECUTE format('GRANT EXECUTE ON FUNCTION tuplecast.durable_channels(), tuplecast.begin_anew(), tuplecast.last_tick(),'
                   ' tuplecast.make_tick(bigint, text),'
                   ' tuplecast.ticks_after(bigint), tuplecast.find_place(bigint, text),'
                   ' tuplecast.read_events(bigint, bigint, text[], bigint, bigint), tuplecast.retain(interval, bigint) TO %I', gateway);
END
$$;

REVOKE ALL ON ALL TABLES IN SCHEMA tuplecast FROM PUBLIC;
GRANT SELECT ON tuplecast.triggers, tuplecast.parts, tuplecast.version TO PUBLIC;
REVOKE EXECUTE ON FUNCTION tuplecast.durable_channels(), tuplecast.begin_anew(), tuplecast.last_tick(), tuplecast.make_tick(bigint, text), tuplecast.ticks_after(bigint),
    tuplecast.find_place(bigint, text), tuplecast.read_events(bigint, bigint, text[], bigint, bigint), tuplecast.retain(interval, bigint),
    tuplecast.wake_lead(), tuplecast.new_nonce(), tuplecast.log_head(text, text, text), tuplecast.log_id_of(text[], json),
    tuplecast.log_row(json, text[]), tuplecast.log_old(json, json, text[]) FROM PUBLIC;
