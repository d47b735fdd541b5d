-- tuplecast, version 3: durable channels. A trigger writes each change to a log, in the writer's own transaction; gateways read it.
--
-- Sequence order is not commit order, so "everything above the last id" loses what commits late. Instead one gateway, the lead, records a
-- snapshot about every 20 ms, a tick. What is visible in a tick and not in the one before is its batch; its events get dense numbers from the
-- tick's base on. Every gateway that reads the tick gives the same numbers, and a nonce tells this history from another one.

INSERT INTO tuplecast.version (version) VALUES (3);

CREATE SEQUENCE tuplecast.log_id AS bigint;

-- A ring of eight partitions, each for 2^20 ids in turn; one is emptied by TRUNCATE when nothing in it is within the time that is kept.
CREATE TABLE tuplecast.log (
    id bigint NOT NULL DEFAULT nextval('tuplecast.log_id'),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    channel text NOT NULL,
    head text NOT NULL, -- the beginning of the event's object, up to its id
    data text,          -- the row as JSON; null: too large to be JSON at all
    old text,           -- ,"old":{...},"changed":[...] when they are wanted
    at timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY LIST (((id >> 20) & 7));
CREATE INDEX ON tuplecast.log (xid, id);
DO $$
BEGIN
    FOR slot IN 0 .. 7 LOOP
        EXECUTE format('CREATE TABLE tuplecast.log_%s PARTITION OF tuplecast.log FOR VALUES IN (%s)', slot, slot);
    END LOOP;
END
$$;

-- The events with the numbers base + 1 to base + count.
CREATE TABLE tuplecast.tick (
    number bigint PRIMARY KEY,
    base bigint NOT NULL,
    count bigint NOT NULL,
    nonce text NOT NULL,
    snapshot pg_snapshot NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    channels text -- the names of the events' channels, with line feeds between; null: too many to list
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
INSERT INTO tuplecast.tick (number, base, count, nonce, snapshot) VALUES (0, 0, 0, tuplecast.new_nonce(), pg_current_snapshot());

------------------------------------------------------------------------------------------------------------------------------------------
-- Writing
------------------------------------------------------------------------------------------------------------------------------------------

-- The lead holds this lock while it sleeps; a writer that does not get its share wakes it. NOTIFY takes a lock on the whole database at
-- commit, so it is sent only then.
CREATE FUNCTION tuplecast.wake_lead() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(1953853548, 1) THEN
        PERFORM pg_notify('tuplecast', 'wake');
    END IF;
END
$$;

CREATE FUNCTION tuplecast.log_head(table_schema text, table_name text, operation text, keys text[], row_json json) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN '"schema":' || to_json(table_schema)::text || ',"table":' || to_json(table_name)::text || ',"type":"' || operation || '","id":'
           || CASE WHEN keys IS NULL OR row_json IS NULL THEN 'null'
                   WHEN array_length(keys, 1) = 1 THEN coalesce((row_json -> keys[1])::text, 'null')
                   ELSE tuplecast.pick(row_json, keys) END;
END
$$;

-- A row as JSON, unless the text would come near the end of what a text can be: nothing may make the writer fail.
CREATE FUNCTION tuplecast.log_row(row_json json, names text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN names IS NULL THEN row_json::text ELSE tuplecast.pick(row_json, names) END;
END
$$;

CREATE FUNCTION tuplecast.log_old(old_json json, row_json json, names text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ',"old":' || tuplecast.log_row(old_json, names) || ',"changed":' || tuplecast.changed_members(old_json, row_json, names);
END
$$;

CREATE FUNCTION tuplecast.durable_statement() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    options json := TG_ARGV[1]::json;
    names text[];
    keys text[];
BEGIN
    IF options -> 'columns' IS NOT NULL THEN
        names := ARRAY(SELECT json_array_elements_text(options -> 'columns'));
    END IF;
    keys := tuplecast.key_columns(TG_RELID);
    IF TG_OP = 'UPDATE' AND (options ->> 'old')::boolean THEN
        -- Both tables hold the rows in the same order.
        INSERT INTO tuplecast.log (channel, head, data, old)
        SELECT TG_ARGV[0], tuplecast.log_head(TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP, keys, n.row_json), tuplecast.log_row(n.row_json, names),
               tuplecast.log_old(o.row_json, n.row_json, names)
          FROM (SELECT CASE WHEN pg_column_size(r.*) < 100000000 THEN row_to_json(r.*) END, row_number() OVER () FROM changed_rows r) AS n (row_json, i)
          JOIN (SELECT CASE WHEN pg_column_size(r.*) < 100000000 THEN row_to_json(r.*) END, row_number() OVER () FROM old_rows r) AS o (row_json, i)
            USING (i) ORDER BY i;
    ELSE
        INSERT INTO tuplecast.log (channel, head, data)
        SELECT TG_ARGV[0], tuplecast.log_head(TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP, keys, r.row_json), tuplecast.log_row(r.row_json, names)
          FROM (SELECT CASE WHEN pg_column_size(n.*) < 100000000 THEN row_to_json(n.*) END FROM changed_rows n) AS r (row_json);
    END IF;
    IF FOUND THEN
        PERFORM tuplecast.wake_lead();
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tuplecast.durable_statement() IS 'tuplecast: writes a statement''s changes to the log, for the channel named by the first argument';

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
        INSERT INTO tuplecast.log (channel, head, data)
        VALUES (TG_ARGV[0], tuplecast.log_head(table_schema, table_name, TG_OP, NULL, NULL), 'null');
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
        INSERT INTO tuplecast.log (channel, head, data, old)
        VALUES (TG_ARGV[0], tuplecast.log_head(table_schema, table_name, TG_OP, tuplecast.key_columns(TG_RELID), row_json),
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
    last tuplecast.tick;
BEGIN
    FOR pass IN 1 .. 2 LOOP
        SELECT * INTO STRICT last FROM tuplecast.tick t ORDER BY t.number DESC LIMIT 1;
        -- Each tick was committed with a number of its own: the counter is always ahead of it, after a crash, too.
        IF pg_snapshot_xmax(last.snapshot) <= pg_snapshot_xmax(pg_current_snapshot()) THEN
            RETURN;
        END IF;
        -- Another gateway may do the same: look again under the lock.
        PERFORM set_config('lock_timeout', '2s', true);
        LOCK TABLE tuplecast.log, tuplecast.tick IN ACCESS EXCLUSIVE MODE;
    END LOOP;
    TRUNCATE tuplecast.log, tuplecast.tick;
    INSERT INTO tuplecast.tick (number, base, count, nonce, snapshot)
    VALUES (last.number + 1, last.base + last.count, 0, tuplecast.new_nonce(), pg_current_snapshot());
    UPDATE tuplecast.state SET oldest_tick = last.number + 1;
END
$$;

-- Null, or why this database, or this role, has no durable channels.
CREATE FUNCTION tuplecast.check_durable() RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN 'the database is a standby: nothing can be written there';
    ELSIF NOT has_function_privilege('tuplecast.make_tick(bigint)', 'EXECUTE') THEN
        RETURN format('the role %s may not read the log: run SELECT tuplecast.grant_gateway(%L) as the owner of the schema tuplecast',
                      current_user, current_user);
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

-- Ends the session of a lead that gives no sign of life, and waits until its lock is free; not while the database itself keeps it busy with a
-- tick, which would take the next lead as long. Works for sessions of the caller's own role.
CREATE FUNCTION tuplecast.depose() RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(bool_or(pg_terminate_backend(l.pid, 500)), false) FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.classid = 1953853548 AND l.objid = 2 AND l.objsubid = 2 AND l.granted AND l.pid <> pg_backend_pid()
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND NOT coalesce(a.state = 'active' AND a.query LIKE '%make_tick%' AND a.wait_event_type IS DISTINCT FROM 'Client', false)
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
CREATE FUNCTION tuplecast.make_tick(last bigint) RETURNS TABLE (number bigint, base bigint, count bigint, nonce text, channels text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    before tuplecast.tick;
    snapshot pg_snapshot := pg_current_snapshot();
    found_count bigint;
BEGIN
    SELECT * INTO STRICT before FROM tuplecast.tick t WHERE t.number = last;
    -- A snapshot that was taken before a crash can be ahead of the counter after it, unless something was committed in between.
    PERFORM set_config('synchronous_commit', 'on', true);
    SELECT sum(c.count), CASE WHEN pg_catalog.count(*) <= 500 THEN string_agg(c.channel, E'\n') END INTO found_count, channels
      FROM (SELECT b.channel, pg_catalog.count(*) AS count FROM tuplecast.batch(before.snapshot, snapshot) b GROUP BY b.channel) c;
    IF found_count IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO tuplecast.tick AS t (number, base, count, nonce, snapshot, channels)
    VALUES (last + 1, before.base + before.count, found_count, tuplecast.new_nonce(), snapshot, make_tick.channels)
    RETURNING t.number, t.base, t.count, t.nonce INTO number, base, count, nonce;
    PERFORM pg_notify('tuplecast', 'tick ' || number);
    RETURN NEXT;
END
$$;

CREATE FUNCTION tuplecast.ticks_after(last bigint) RETURNS TABLE (number bigint, base bigint, count bigint, nonce text, channels text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.number, t.base, t.count, t.nonce, t.channels FROM tuplecast.tick t WHERE t.number > last ORDER BY t.number LIMIT 1000
$$;

-- What one snapshot sees and the one before it does not: one range of the index, and the transactions that were in flight then. The parts go in
-- as parameters, without which it would be a scan of everything.
CREATE FUNCTION tuplecast.batch(before pg_snapshot, now pg_snapshot) RETURNS SETOF tuplecast.log
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    from_xid xid8 := pg_snapshot_xmax(before);
    to_xid xid8 := pg_snapshot_xmax(now);
    before_open xid8[] := ARRAY(SELECT pg_snapshot_xip(before));
    now_open xid8[] := ARRAY(SELECT pg_snapshot_xip(now));
BEGIN
    RETURN QUERY SELECT * FROM tuplecast.log l WHERE l.xid >= from_xid AND l.xid < to_xid AND l.xid <> ALL (now_open);
    IF cardinality(before_open) > 0 THEN
        RETURN QUERY SELECT * FROM tuplecast.log l WHERE l.xid = ANY (before_open) AND l.xid < to_xid AND l.xid <> ALL (now_open);
    END IF;
END
$$;

-- An event's whole object, at most bytes_max long: what is too large is left out, and `cut` says so.
CREATE FUNCTION tuplecast.log_payload(l tuplecast.log, bytes_max bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at text := ',"at":' || to_json(l.at)::text || '}';
    room bigint := bytes_max - octet_length(l.head) - octet_length(at) - 40;
BEGIN
    IF l.data IS NOT NULL AND octet_length(l.data)::bigint + coalesce(octet_length(l.old), 0) <= room THEN
        RETURN '{' || l.head || ',"data":' || l.data || coalesce(l.old, '') || at;
    ELSIF octet_length(l.data) <= room THEN
        RETURN '{' || l.head || ',"data":' || l.data || ',"cut":["old"]' || at;
    END IF;
    RETURN '{' || l.head || ',"data":null,"cut":["data"' || CASE WHEN l.old IS NOT NULL THEN ',"old"' ELSE '' END || ']' || at;
END
$$;

-- Changes of one row are in the order in which they were made, and those of a transaction stand together: a transaction that waited for
-- another one's row has the larger last id.
CREATE FUNCTION tuplecast.numbered(before pg_snapshot, now pg_snapshot, base bigint) RETURNS TABLE (number bigint, l tuplecast.log)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT base + row_number() OVER (ORDER BY o.last, (o.l).id), o.l
      FROM (SELECT b AS l, max(b.id) OVER (PARTITION BY b.xid) AS last FROM tuplecast.batch(before, now) b) o
     ORDER BY 1
$$;

CREATE FUNCTION tuplecast.read_tick(tick bigint, channels text[], bytes_max bigint)
    RETURNS TABLE (number bigint, channel text, payload text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this tuplecast.tick;
    before tuplecast.tick;
BEGIN
    SELECT * INTO this FROM tuplecast.tick t WHERE t.number = tick;
    SELECT * INTO before FROM tuplecast.tick t WHERE t.number = tick - 1;
    -- TRUNCATE is not for snapshots: a partition can be empty all at once.
    IF this.number IS NULL OR before.number IS NULL
       OR this.count <> (SELECT pg_catalog.count(*) FROM tuplecast.batch(before.snapshot, this.snapshot)) THEN
        RAISE SQLSTATE 'TC001' USING MESSAGE = format('Tick %s is not kept any more.', tick);
    END IF;
    RETURN QUERY SELECT n.number, (n.l).channel, tuplecast.log_payload(n.l, bytes_max)
      FROM tuplecast.numbered(before.snapshot, this.snapshot, this.base) n
     WHERE (n.l).channel = ANY (channels) ORDER BY 1;
END
$$;

-- A page of the log, for who comes back: a verdict on the place, events behind it, and how far was looked.
CREATE FUNCTION tuplecast.read_history(from_number bigint, from_nonce text, channels text[], bytes_max bigint, page_bytes bigint)
    RETURNS TABLE (kind text, number bigint, nonce text, channel text, payload text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    oldest tuplecast.tick;
    newest tuplecast.tick;
    start tuplecast.tick; -- that gave from_number
    before tuplecast.tick;
    this tuplecast.tick;
    e record;
    bytes bigint := 0;
    ticks integer := 0;
BEGIN
    SELECT t.* INTO oldest FROM tuplecast.tick t JOIN tuplecast.state s ON t.number >= s.oldest_tick ORDER BY t.number LIMIT 1;
    SELECT * INTO newest FROM tuplecast.tick t ORDER BY t.number DESC LIMIT 1;
    kind := 'ok';
    IF from_number = 0 AND from_nonce = '' THEN
        from_number := oldest.base + oldest.count;
        start := oldest;
    ELSE
        SELECT * INTO start FROM tuplecast.tick t
         WHERE t.base <= from_number AND from_number <= t.base + t.count AND t.number >= oldest.number
           AND (from_number > t.base OR t.count = 0) ORDER BY t.base DESC, t.number DESC LIMIT 1;
        IF from_number > newest.base + newest.count OR (start.number IS NOT NULL AND from_nonce <> '' AND start.nonce <> from_nonce) THEN
            kind := 'rewound';
            start := newest;
        ELSIF start.number IS NULL OR (start.number = oldest.number AND from_number < oldest.base + oldest.count) THEN
            kind := 'expired';
            start := oldest;
        END IF;
        IF kind <> 'ok' THEN
            from_number := start.base + start.count;
        END IF;
    END IF;
    number := from_number;
    nonce := start.nonce;
    RETURN NEXT;
    before := start;
    IF from_number < start.base + start.count THEN
        SELECT * INTO before FROM tuplecast.tick t WHERE t.number = start.number - 1;
    END IF;
    kind := 'event';
    FOR this IN SELECT * FROM tuplecast.tick t WHERE t.number > before.number ORDER BY t.number LIMIT 256 LOOP
        IF this.count <> (SELECT pg_catalog.count(*) FROM tuplecast.batch(before.snapshot, this.snapshot)) THEN
            RAISE SQLSTATE 'TC001' USING MESSAGE = format('Tick %s is not kept any more.', this.number);
        END IF;
        FOR e IN SELECT n.number, (n.l).channel, tuplecast.log_payload(n.l, bytes_max) AS payload
                   FROM tuplecast.numbered(before.snapshot, this.snapshot, this.base) n
                  WHERE n.number > from_number AND (n.l).channel = ANY (channels) ORDER BY 1 LOOP
            IF bytes > 0 AND bytes + octet_length(e.payload) > page_bytes THEN
                EXIT;
            END IF;
            bytes := bytes + octet_length(e.payload);
            number := e.number;
            nonce := this.nonce;
            channel := e.channel;
            payload := e.payload;
            RETURN NEXT;
        END LOOP;
        before := this;
        IF bytes > 0 AND e.payload IS NOT NULL AND number <> e.number THEN
            -- The page is full in the middle of a tick: it ends behind the last event in it.
            kind := 'end';
            channel := 'more';
            payload := NULL;
            RETURN NEXT;
            RETURN;
        END IF;
        number := this.base + this.count;
        nonce := this.nonce;
    END LOOP;
    kind := 'end';
    channel := CASE WHEN before.number = newest.number THEN 'head' ELSE 'more' END;
    payload := NULL;
    RETURN NEXT;
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
BEGIN
    PERFORM set_config('lock_timeout', '50ms', true);
    SELECT t.* INTO kept FROM tuplecast.tick t JOIN tuplecast.state s ON t.number = s.oldest_tick;
    SELECT (last_value >> 20) & 7 INTO current_slot FROM tuplecast.log_id;
    dropped := 0;
    bytes := 0;
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
    END LOOP;
    -- The next partition, when this one holds a quarter of what is kept.
    size := pg_total_relation_size(format('tuplecast.log_%s', current_slot));
    IF size > greatest(max_bytes / 4, 65536)
       OR (size > 65536 AND (SELECT rotated_at FROM tuplecast.state) < clock_timestamp() - max_age / 4) THEN
        PERFORM setval('tuplecast.log_id', ((last_value >> 20) + 1) << 20) FROM tuplecast.log_id;
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
    EXECUTE format('GRANT EXECUTE ON FUNCTION tuplecast.durable_channels(), tuplecast.begin_anew(), tuplecast.last_tick(), tuplecast.make_tick(bigint),'
                   ' tuplecast.ticks_after(bigint), tuplecast.read_tick(bigint, text[], bigint),'
                   ' tuplecast.read_history(bigint, text, text[], bigint, bigint), tuplecast.retain(interval, bigint) TO %I', gateway);
END
$$;

REVOKE ALL ON ALL TABLES IN SCHEMA tuplecast FROM PUBLIC;
GRANT SELECT ON tuplecast.triggers, tuplecast.parts, tuplecast.version TO PUBLIC;
REVOKE EXECUTE ON FUNCTION tuplecast.durable_channels(), tuplecast.begin_anew(), tuplecast.last_tick(), tuplecast.make_tick(bigint), tuplecast.ticks_after(bigint),
    tuplecast.read_tick(bigint, text[], bigint), tuplecast.read_history(bigint, text, text[], bigint, bigint),
    tuplecast.retain(interval, bigint), tuplecast.batch(pg_snapshot, pg_snapshot), tuplecast.numbered(pg_snapshot, pg_snapshot, bigint),
    tuplecast.log_payload(tuplecast.log, bigint), tuplecast.wake_lead(), tuplecast.new_nonce(),
    tuplecast.log_head(text, text, text, text[], json), tuplecast.log_row(json, text[]), tuplecast.log_old(json, json, text[]) FROM PUBLIC;
