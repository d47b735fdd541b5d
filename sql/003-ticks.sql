-- tuplecast: what gateways do with the log: ticks, places, reading, retention. All but depose() run as our owner: a gateway has no right
-- on the log itself.

CREATE OR REPLACE FUNCTION tuplecast.durable_channels() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT DISTINCT channel FROM tuplecast.triggers WHERE options ->> 'durable' = 'true'
$$;

-- A dump that was restored to another server counts transactions as the old one did: the changes of now would look as if an earlier tick had seen
-- them. Then a new history begins behind the old one, which is given up; who has an id of it is told.
CREATE OR REPLACE FUNCTION tuplecast.begin_anew() RETURNS void
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
CREATE OR REPLACE FUNCTION tuplecast.check_durable(ordering text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN 'the database is a standby, where nothing can be written: connect to the primary';
    ELSIF NOT has_function_privilege('tuplecast.make_tick(bigint, text)', 'EXECUTE') THEN
        -- Without the role's name: everybody may read this on /readyz.
        RETURN 'the role of this gateway may not read the log: run SELECT tuplecast.grant_gateway(''<role>'') as the owner of the schema tuplecast';
    ELSIF ordering = 'commit_timestamp' AND NOT current_setting('track_commit_timestamp')::boolean THEN
        RETURN 'durable.order is "commit_timestamp", but the database keeps no commit timestamps: set track_commit_timestamp = on and restart it,'
               ' or set durable.order = "causal"';
    END IF;
    PERFORM tuplecast.begin_anew();
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.try_lead() RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_try_advisory_lock(1953853548, 2)
$$;

-- The session of the lead; null: there is none. It is the only one whose signs of life count, because anybody can NOTIFY.
CREATE OR REPLACE FUNCTION tuplecast.lead_session() RETURNS integer
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 1953853548 AND objid = 2 AND objsubid = 2 AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1
$$;

-- Ends the session of a lead that gives no sign of life, and waits until its lock is free; not while the database itself keeps it busy with a
-- tick, which would take the next lead as long. Works for sessions of the caller's own role.
CREATE OR REPLACE FUNCTION tuplecast.depose() RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(bool_or(pg_terminate_backend(l.pid, 500)), false) FROM tuplecast.lead_session() l (pid) LEFT JOIN pg_stat_activity a USING (pid)
     WHERE l.pid <> pg_backend_pid()
       AND NOT coalesce(a.state = 'active' AND a.query ~ 'make_tick|read_events' AND a.wait_event_type IS DISTINCT FROM 'Client', false)
$$;

CREATE OR REPLACE FUNCTION tuplecast.try_sleep() RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_try_advisory_lock(1953853548, 1)
$$;

CREATE OR REPLACE FUNCTION tuplecast.wake() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_unlock(1953853548, 1);
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.last_tick() RETURNS TABLE (number bigint, end_number bigint, nonce text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.number, t.base + t.count, t.nonce FROM tuplecast.tick t ORDER BY t.number DESC LIMIT 1
$$;

-- Records the next tick when there is anything new. A second lead fails with unique_violation: it is none any more.
--
-- ordering is causal: a transaction that waited for another one's row has the larger last id, so in the order of last ids the changes of one row
-- stand as they were made. Or it is commit_timestamp: then a transaction is held back while one that has an earlier timestamp may not be visible
-- yet. What is held back counts as being in flight. number is null when there is nothing to tell now, but something is held back.
CREATE OR REPLACE FUNCTION tuplecast.make_tick(last bigint, ordering text)
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

CREATE OR REPLACE FUNCTION tuplecast.ticks_after(last bigint) RETURNS TABLE (number bigint, base bigint, count bigint, nonce text, channels text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.number, t.base, t.count, t.nonce, t.channels FROM tuplecast.tick t WHERE t.number > last ORDER BY t.number LIMIT 1000
$$;

-- A verdict on a client's place: ok, expired or rewound; and where it goes on. Without a place (0 and no nonce), the earliest one.
CREATE OR REPLACE FUNCTION tuplecast.find_place(from_number bigint, from_nonce text) RETURNS TABLE (kind text, number bigint, nonce text)
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
CREATE OR REPLACE FUNCTION tuplecast.read_events(from_number bigint, count_max bigint, channels text[], bytes_max bigint, page_bytes bigint)
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
CREATE OR REPLACE FUNCTION tuplecast.retain(max_age interval, max_bytes bigint)
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
CREATE OR REPLACE FUNCTION tuplecast.grant_gateway(gateway name) RETURNS void
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
