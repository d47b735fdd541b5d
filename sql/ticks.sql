-- tuplecast: what gateways do with the log: the lead's lease and its sleep, ticks, places, reading, retention.
--
-- A gateway has no right on the log itself: all but check_durable() and take_over() run as our owner, and are for those whom grant_gateway()
-- names. Nothing here rests on what any role can take: no advisory lock, and no notification but as a hint.
--
-- Sequence order is not commit order, so "everything above the last id" loses what commits late. Instead one gateway, the lead, records a
-- snapshot about every 20 ms, a tick. What is visible in a tick and not in the one before is its batch; its events get dense numbers from the
-- tick's base on. Every gateway that reads the tick gives the same numbers, and a nonce tells this history from another one.

SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL check_function_bodies = off; -- they call each other

-- The events with the numbers base + 1 to base + count: transaction by transaction, and each transaction's in the order of their log ids. The
-- order of the transactions is found once, by the lead, and is then the same for everybody.
CREATE TABLE IF NOT EXISTS tuplecast.tick (
    number bigint PRIMARY KEY,
    base bigint NOT NULL,
    count bigint NOT NULL,
    nonce text NOT NULL,
    snapshot pg_snapshot NOT NULL, -- what it sees is in this tick or an earlier one
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    server bigint NOT NULL,        -- that counted the transactions of the snapshot: server_identity()
    made_by xid8 NOT NULL DEFAULT pg_current_xact_id(), -- the transaction that wrote this row; after a restore its xmin is another one
    slots integer NOT NULL,        -- the partitions of the log that its events are in, a bit for each
    channels text,                 -- the names of the events' channels, with line feeds between; null: too many to list
    xids xid8[] NOT NULL,          -- its transactions
    sizes integer[] NOT NULL       -- how many events each of them has
);
CREATE INDEX IF NOT EXISTS tick_base_number ON tuplecast.tick (base, number);

CREATE TABLE IF NOT EXISTS tuplecast.state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    oldest_tick bigint NOT NULL DEFAULT 0,  -- what was before it and in it is not kept
    deleted_tick bigint NOT NULL DEFAULT 0, -- ticks before it are deleted: nobody walks over what is left of them in an index
    rotated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO tuplecast.state DEFAULT VALUES ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION tuplecast.new_nonce() RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(substr('0123456789abcdefghijklmnopqrstuvwxyz', 1 + get_byte(b, i) % 36, 1), '')
      FROM (SELECT uuid_send(gen_random_uuid())) AS u (b), generate_series(0, 5) i
$$;

-- What no other server has, and its standbys and physical copies have, too. 0 where our owner may not know.
CREATE OR REPLACE FUNCTION tuplecast.server_identity() RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN
        RETURN (SELECT c.system_identifier FROM pg_control_system() c);
    END IF;
    RETURN 0;
END
$$;

-- A tick without events: where a history begins.
CREATE OR REPLACE FUNCTION tuplecast.begin_history(first_number bigint, first_base bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO tuplecast.tick (number, base, count, nonce, snapshot, server, slots, xids, sizes)
    VALUES (first_number, first_base, 0, tuplecast.new_nonce(), pg_current_snapshot(), tuplecast.server_identity(), 0, '{}', '{}');
    INSERT INTO tuplecast.state AS s (oldest_tick, deleted_tick) VALUES (first_number, first_number)
    ON CONFLICT (one) DO UPDATE SET oldest_tick = first_number, deleted_tick = first_number;
$$;
SELECT tuplecast.begin_history(0, 0) WHERE NOT EXISTS (SELECT FROM tuplecast.tick);

------------------------------------------------------------------------------------------------------------------------------------------
-- Whose log this is
------------------------------------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION tuplecast.durable_channels() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT DISTINCT t.channel FROM tuplecast.triggers t WHERE t.options ->> 'durable' = 'true'
$$;

-- A dump that was restored to another server counts transactions as the old one did: the changes of now would look as if an earlier tick had seen
-- them, or would never be reached. Then a new history begins behind the old one, which is given up; who has an id of it is told.
--
-- A server's own ticks are kept when only its identity is another one (pg_upgrade, pg_createsubscriber): they are where the transactions wrote them that say
-- so. A dump is restored by one transaction, so two ticks of different transactions cannot both look like that.
CREATE OR REPLACE FUNCTION tuplecast.begin_anew() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last record;
    is_locked boolean := false;
BEGIN
    FOR attempt IN 1 .. 20 LOOP
        SELECT t.number, t.base + t.count AS end_number, t.snapshot, t.server INTO last FROM tuplecast.tick t ORDER BY t.number DESC LIMIT 1;
        IF FOUND AND EXISTS (SELECT FROM tuplecast.state) AND pg_snapshot_xmax(last.snapshot) <= pg_snapshot_xmax(pg_current_snapshot()) THEN
            IF last.server = tuplecast.server_identity() THEN
                RETURN; -- each tick was committed with a number of its own: the counter is always ahead of it, after a crash, too
            ELSIF (SELECT pg_catalog.count(DISTINCT t.made_by) = 2 AND bool_and(t.made_by::xid = t.xmin)
                     FROM (SELECT made_by, xmin FROM tuplecast.tick ORDER BY number DESC LIMIT 2) t) THEN
                UPDATE tuplecast.tick t SET server = tuplecast.server_identity(), made_by = pg_current_xact_id() WHERE t.number = last.number;
                RETURN;
            END IF;
        END IF;
        EXIT WHEN is_locked;
        -- Another gateway may do the same: look again under the lock. No writer is to wait behind us while we wait for others.
        BEGIN
            PERFORM set_config('lock_timeout', '20ms', true);
            LOCK TABLE tuplecast.log, tuplecast.tick, tuplecast.state IN ACCESS EXCLUSIVE MODE;
            is_locked := true;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    IF NOT is_locked THEN
        RAISE lock_not_available USING MESSAGE = 'the log comes from another server and is to be begun anew, but somebody is using it';
    END IF;
    TRUNCATE tuplecast.log, tuplecast.tick;
    PERFORM tuplecast.begin_history(coalesce(last.number + 1, 0), coalesce(last.end_number, 0));
END
$$;

-- Null, or why this database, or this role, has no durable channels: a word for machines (enum durable_fault), and a sentence. ordering is make_tick()'s.
CREATE OR REPLACE FUNCTION tuplecast.check_durable(ordering text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN 'standby: the database is a standby, where nothing can be written: connect to the primary';
    ELSIF NOT has_function_privilege('tuplecast.make_tick(bigint, text)', 'EXECUTE') THEN
        -- Without the role's name: whoever can reach the gateway may read this on /readyz.
        RETURN 'rights: the role of this gateway may not read the log: run SELECT tuplecast.grant_gateway(''<role>'') as the owner of the schema tuplecast';
    ELSIF ordering = 'commit_timestamp' AND NOT current_setting('track_commit_timestamp')::boolean THEN
        RETURN 'order: durable.order is "commit_timestamp", but the database keeps no commit timestamps: set track_commit_timestamp = on and restart it,'
               ' or set durable.order = "causal"';
    END IF;
    PERFORM tuplecast.begin_anew();
    RETURN NULL;
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- The lead
--
-- It has a lease: the number of its session, and a count that it raises with each sign of life. Whoever saw the same value for too long, or sees
-- that the session is gone, takes it over. That rests on no clock but the follower's own. Two leads at once do no harm: a tick's number is given once.
--
-- Lease and sleep are sequences, which are read and written outside of transactions: a reader with an old snapshot sees the present, and a lease
-- that is renewed for a day, while a long transaction holds back VACUUM, leaves nothing behind. Only our owner can write them.
------------------------------------------------------------------------------------------------------------------------------------------

CREATE SEQUENCE IF NOT EXISTS tuplecast.lead_lease AS bigint MINVALUE 0 START 0; -- signs of life << 32 | process id of the session; id 0: nobody's
SELECT setval('tuplecast.lead_lease', 0), setval('tuplecast.lead_asleep', 1) WHERE pg_sequence_last_value('tuplecast.lead_asleep') IS NULL;

CREATE OR REPLACE FUNCTION tuplecast.find_lead() RETURNS TABLE (lease bigint, session integer, is_gone boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    lease := coalesce(pg_sequence_last_value('tuplecast.lead_lease'), 0);
    session := lease & 4294967295;
    is_gone := session = pg_backend_pid() OR NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = session AND a.datname = current_database());
    RETURN NEXT;
END
$$;

-- Takes the lead if nobody has it, its session is gone, or its lease is still `seen`. Returns the new lease, or null.
CREATE OR REPLACE FUNCTION tuplecast.claim_lead(seen bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lead record;
BEGIN
    LOCK TABLE tuplecast.state IN SHARE UPDATE EXCLUSIVE MODE; -- one at a time
    SELECT * INTO lead FROM tuplecast.find_lead();
    IF lead.lease IS DISTINCT FROM seen AND NOT lead.is_gone THEN
        RETURN NULL;
    END IF;
    PERFORM setval('tuplecast.lead_lease', ((lead.lease >> 32) + 1) << 32 | pg_backend_pid()), setval('tuplecast.lead_asleep', 1),
            pg_notify('tuplecast', 'lead');
    RETURN pg_sequence_last_value('tuplecast.lead_lease');
END
$$;

-- The lead's sign of life. False: it is not the lead any more.
CREATE OR REPLACE FUNCTION tuplecast.renew_lead() RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lease bigint := pg_sequence_last_value('tuplecast.lead_lease');
BEGIN
    IF (lease & 4294967295) IS DISTINCT FROM pg_backend_pid() THEN
        RETURN false;
    END IF;
    -- Who takes the lead over in this moment is overwritten, and finds out when it renews.
    PERFORM setval('tuplecast.lead_lease', lease + (1::bigint << 32)), pg_notify('tuplecast', 'alive');
    RETURN true;
END
$$;

-- The lead goes, and the others are told.
CREATE OR REPLACE FUNCTION tuplecast.resign_lead() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM setval('tuplecast.lead_lease', lease >> 32 << 32), pg_notify('tuplecast', 'lead')
       FROM pg_sequence_last_value('tuplecast.lead_lease') lease WHERE (lease & 4294967295) = pg_backend_pid();
END
$$;

-- Takes the lead from a session that gave no sign of life since its lease was `seen`, and ends that session, whose tick might be half made. Not while
-- the database itself keeps it busy with a tick, which would take the next lead as long. Sessions of other roles than the caller's can be neither looked
-- into nor ended: they lose the lead only.
CREATE OR REPLACE FUNCTION tuplecast.take_over(seen bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old_session integer := seen & 4294967295;
    lease bigint;
BEGIN
    IF EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = old_session AND a.datname = current_database() AND a.state = 'active'
                  AND a.query ~ 'make_tick|read_events' AND a.wait_event_type IS DISTINCT FROM 'Client') THEN
        RETURN NULL;
    END IF;
    lease := tuplecast.claim_lead(seen);
    IF lease IS NOT NULL AND old_session <> pg_backend_pid() THEN
        BEGIN
            PERFORM pg_terminate_backend(a.pid, 500) FROM pg_stat_activity a WHERE a.pid = old_session AND a.datname = current_database();
        EXCEPTION WHEN insufficient_privilege THEN
            NULL;
        END;
    END IF;
    RETURN lease;
END
$$;

-- From here on writers wake the lead. But who looked before this, and found it awake, may not have committed yet: all of them have lower numbers than
-- the transaction whose number is returned (setval() takes it while nobody can read the sequence). A lead may rest only behind a tick that found nothing
-- and saw no transaction in flight below it (oldest_xid of make_tick). Null: it may never, because NOTIFY would keep writers from PREPARE TRANSACTION.
CREATE OR REPLACE FUNCTION tuplecast.fall_asleep() RETURNS xid8
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('max_prepared_transactions')::integer > 0
       OR (pg_sequence_last_value('tuplecast.lead_lease') & 4294967295) IS DISTINCT FROM pg_backend_pid() THEN
        RETURN NULL;
    END IF;
    PERFORM setval('tuplecast.lead_asleep', 2);
    RETURN pg_current_xact_id();
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.wake_up() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (pg_sequence_last_value('tuplecast.lead_lease') & 4294967295) = pg_backend_pid() THEN
        PERFORM setval('tuplecast.lead_asleep', 1);
    END IF;
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- Ticks
------------------------------------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION tuplecast.last_tick() RETURNS TABLE (number bigint, end_number bigint, nonce text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.number, t.base + t.count, t.nonce FROM tuplecast.tick t ORDER BY t.number DESC LIMIT 1
$$;

-- Records the next tick when there is anything new. A second lead fails with unique_violation: it is none any more. The last row has no number; it tells
-- whether something is held back, and the oldest transaction in flight.
--
-- ordering is causal: a transaction that waited for another one's row has the larger last id, so in the order of last ids the changes of one row
-- stand as they were made. Or it is commit_timestamp: then a transaction is held back while one that has an earlier timestamp may not be visible
-- yet. What is held back counts as being in flight.
--
-- It looks at the rows of transactions that ended since the tick before, and at no others: not at those of an open transaction, however many it has.
CREATE OR REPLACE FUNCTION tuplecast.make_tick(last bigint, ordering text)
    RETURNS TABLE (number bigint, base bigint, count bigint, nonce text, channels text, is_held boolean, oldest_xid xid8)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on SET jit = off
SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    seen pg_snapshot := pg_current_snapshot();
    to_xid xid8 := pg_snapshot_xmax(seen);
    in_flight xid8[] := ARRAY(SELECT pg_snapshot_xip(seen));
    low xid8;              -- the tick before saw none from here on
    was_in_flight xid8[];  -- nor these, which are below
    ended xid8[];          -- those of them that are not in flight any more
    server bigint;
    xids xid8[];
    sizes integer[];
    slots integer;
    held xid8[];
    hold_from timestamptz := 'infinity';
    transactions_max constant integer := 10000; -- of one tick; what was written while no gateway ran makes several, of the same snapshot
BEGIN
    SELECT t.base + t.count, t.server, pg_snapshot_xmax(t.snapshot), ARRAY(SELECT pg_snapshot_xip(t.snapshot))
      INTO STRICT base, server, low, was_in_flight FROM tuplecast.tick t WHERE t.number = last;
    IF server <> tuplecast.server_identity() OR low > to_xid THEN
        RAISE SQLSTATE 'TC002' USING MESSAGE = format('Tick %s was made by another server.', last);
    END IF;
    -- A snapshot that was taken before a crash can be ahead of the counter after it, unless something was committed in between.
    PERFORM set_config('synchronous_commit', 'on', true);
    IF ordering = 'commit_timestamp' THEN
        -- Who is committing has a timestamp before others see what he did; the moment between taking it and showing it is short.
        SELECT least(min(pg_xact_commit_timestamp(x::xid)), clock_timestamp() - interval '5 ms') INTO hold_from FROM unnest(in_flight) x;
    END IF;
    ended := ARRAY(SELECT unnest(was_in_flight) EXCEPT SELECT unnest(in_flight));
    -- Ranges of the index between those that are in flight, and those that were; each transaction by itself, because what is in flight may be large.
    WITH ranges AS MATERIALIZED (
        SELECT b.x::text::xid8 AS above, b.next::text::xid8 AS below
          FROM (SELECT x, lead(x) OVER (ORDER BY x) AS next
                  FROM (SELECT greatest(low::text::bigint - 1, 0) UNION ALL SELECT to_xid::text::bigint
                        UNION ALL SELECT f::text::bigint FROM unnest(in_flight) f WHERE f >= low) AS bounds (x)) b
         WHERE b.next - b.x > 1
    ), changes AS MATERIALIZED (
        SELECT l.xid, l.channel, max(l.id) AS last, pg_catalog.count(*) AS size, bit_or(1 << ((l.id >> 40) & 7)::integer) AS slots
          FROM (SELECT a.* FROM ranges r CROSS JOIN LATERAL
                       (SELECT c.xid, c.id, c.channel FROM tuplecast.log c WHERE c.xid > r.above AND c.xid < r.below OFFSET 0) a
                UNION ALL
                SELECT b.* FROM unnest(ended) AS e (xid) CROSS JOIN LATERAL
                       (SELECT c.xid, c.id, c.channel FROM tuplecast.log c WHERE c.xid = e.xid OFFSET 0) b) l
         GROUP BY l.xid, l.channel
    ), stamped AS (
        SELECT c.xid, max(c.last) AS last, sum(c.size) AS size, bit_or(c.slots) AS slots,
               CASE WHEN ordering = 'commit_timestamp' THEN pg_xact_commit_timestamp(c.xid::xid) END AS at
          FROM changes c GROUP BY c.xid
    ), transactions AS (
        -- A clock that was put back must not hold anything for long.
        SELECT s.*, coalesce(s.at >= hold_from AND s.at < clock_timestamp() + interval '1 s', false) AS is_held FROM stamped s
    )
    SELECT array_agg(t.xid ORDER BY t.at NULLS FIRST, t.last) FILTER (WHERE NOT t.is_held),
           array_agg(t.size::integer ORDER BY t.at NULLS FIRST, t.last) FILTER (WHERE NOT t.is_held), bit_or(t.slots),
           coalesce(array_agg(t.xid) FILTER (WHERE t.is_held), '{}'),
           (SELECT CASE WHEN pg_catalog.count(DISTINCT c.channel) <= 500 THEN string_agg(DISTINCT c.channel, E'\n') END FROM changes c)
      INTO xids, sizes, slots, held, channels FROM transactions t;
    is_held := held <> '{}';
    oldest_xid := pg_snapshot_xmin(seen);
    IF is_held THEN
        in_flight := ARRAY(SELECT x FROM unnest(in_flight || held) x ORDER BY x);
        seen := format('%s:%s:%s', in_flight[1], to_xid, array_to_string(in_flight, ','));
    END IF;
    FOR i IN 0 .. coalesce(cardinality(xids) - 1, -1) / transactions_max LOOP
        EXIT WHEN xids IS NULL;
        count := (SELECT sum(x) FROM unnest(sizes[i * transactions_max + 1 : (i + 1) * transactions_max]) x);
        last := last + 1;
        INSERT INTO tuplecast.tick AS t (number, base, count, nonce, snapshot, server, slots, channels, xids, sizes)
        VALUES (last, base, count, tuplecast.new_nonce(), seen, server, slots, channels, xids[i * transactions_max + 1 : (i + 1) * transactions_max],
                sizes[i * transactions_max + 1 : (i + 1) * transactions_max])
        RETURNING t.number, t.nonce INTO number, nonce;
        RETURN NEXT;
        base := base + count;
    END LOOP;
    IF xids IS NOT NULL THEN
        PERFORM pg_notify('tuplecast', 'tick ' || number);
    END IF;
    number := NULL;
    RETURN NEXT;
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.ticks_after(last bigint) RETURNS TABLE (number bigint, base bigint, count bigint, nonce text, channels text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.number, t.base, t.count, t.nonce, t.channels FROM tuplecast.tick t WHERE t.number > last ORDER BY t.number LIMIT 1000
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- Places and reading
------------------------------------------------------------------------------------------------------------------------------------------

-- A verdict on a client's place: ok, expired or rewound; and where it goes on. Without a place (0 and no nonce), the earliest one.
CREATE OR REPLACE FUNCTION tuplecast.find_place(from_number bigint, from_nonce text) RETURNS TABLE (kind text, number bigint, nonce text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    oldest record;
    newest record;
    found record; -- the tick that gave from_number
BEGIN
    SELECT t.number, t.base, t.base + t.count AS last, t.nonce INTO oldest
      FROM tuplecast.tick t WHERE t.number >= (SELECT s.oldest_tick FROM tuplecast.state s WHERE s.one) ORDER BY t.number LIMIT 1;
    SELECT t.base + t.count AS last, t.nonce INTO newest FROM tuplecast.tick t ORDER BY t.number DESC LIMIT 1;
    IF from_number = 0 AND from_nonce = '' THEN
        RETURN QUERY SELECT 'ok', oldest.last, oldest.nonce;
        RETURN;
    END IF;
    -- Of two with the same base, only one has events; the other began a history.
    SELECT t.number, t.nonce INTO found FROM tuplecast.tick t
     WHERE t.base BETWEEN oldest.base AND from_number AND (t.base < from_number OR t.count = 0)
     ORDER BY t.base DESC, t.number DESC LIMIT 1;
    IF from_number > newest.last OR (found.number IS NOT NULL AND from_nonce <> '' AND found.nonce <> from_nonce) THEN
        RETURN QUERY SELECT 'rewound', newest.last, newest.nonce;
    ELSIF found.number IS NULL OR (found.number <= oldest.number AND from_number < oldest.last) THEN
        RETURN QUERY SELECT 'expired', oldest.last, oldest.nonce;
    ELSE
        RETURN QUERY SELECT 'ok', from_number, found.nonce;
    END IF;
END
$$;

-- Of the next count_max events behind from_number, those of these channels; then a row of the kind `end` with the place up to which was looked. With
-- page_bytes, that can be sooner: the first `end` counts. What is not kept any more is refused (TC001).
--
-- What would make an event longer than bytes_max is left out: cut is 1 for the old row, 2 for the row, 3 for both. lost names columns that the writer
-- had to leave out.
--
-- It looks at the rows of the transactions that the page is of, one transaction after the other, and at no others: neither at those of transactions that
-- lie between them and were open, rolled back or told elsewhere, nor at ticks before or behind.
CREATE OR REPLACE FUNCTION tuplecast.read_events(from_number bigint, count_max bigint, channels text[], bytes_max bigint, page_bytes bigint)
    RETURNS TABLE (kind text, number bigint, nonce text, channel text, head text, id_json text, data text, old text, at timestamptz, cut integer, lost text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on SET jit = off
SET enable_partition_pruning = on SET work_mem = '64MB' SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    large constant integer := 5000; -- a transaction with more events is not read as a whole for a page that has only a part of it
    until bigint := from_number + count_max;
    kept_base bigint;
    kept_from bigint; -- events up to this one are given up
    first_tick bigint;
    last_tick bigint;
    xids xid8[];
    sizes integer[];
    befores bigint[]; -- the number before each transaction's first event
    nonces text[];
    slots integer;
    most integer;
    from_id bigint := 0;
    until_id bigint := 9223372036854775807;
BEGIN
    SELECT t.base, t.base + t.count INTO kept_base, kept_from FROM tuplecast.tick t WHERE t.number = (SELECT s.oldest_tick FROM tuplecast.state s WHERE s.one);
    IF from_number < kept_from THEN
        RAISE SQLSTATE 'TC001' USING MESSAGE = format('Event %s is not kept any more.', from_number + 1);
    END IF;
    SELECT t.number INTO first_tick FROM tuplecast.tick t WHERE t.base BETWEEN kept_base AND from_number ORDER BY t.base DESC, t.number DESC LIMIT 1;
    SELECT t.number INTO last_tick FROM tuplecast.tick t WHERE t.base >= kept_base AND t.base < until ORDER BY t.base DESC, t.number DESC LIMIT 1;
    SELECT array_agg(x.xid ORDER BY x.before), array_agg(x.size ORDER BY x.before), array_agg(x.before ORDER BY x.before),
           array_agg(x.nonce ORDER BY x.before), bit_or(x.slots)
      INTO xids, sizes, befores, nonces, slots
      FROM (SELECT t.nonce, t.slots, u.xid, u.size, t.base + sum(u.size) OVER (PARTITION BY t.number ORDER BY u.place) - u.size AS before
              FROM tuplecast.tick t CROSS JOIN unnest(t.xids, t.sizes) WITH ORDINALITY AS u (xid, size, place)
             WHERE t.number BETWEEN first_tick AND last_tick) x
     WHERE x.before < until AND x.before + x.size > from_number;
    IF xids IS NULL THEN
        RETURN QUERY SELECT 'end', t.base + t.count, t.nonce, NULL, NULL, NULL, NULL, NULL, NULL::timestamptz, 0, NULL
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
    -- unnest() gives the transactions in their order, and the join goes through them one by one: so the events come in the order of their numbers, and none
    -- is sorted. The terms with slots leave out partitions that have none of them.
    RETURN QUERY
    WITH wanted AS (
        SELECT t.before + l.place AS number, t.nonce, l.*,
               200 + coalesce(octet_length(l.data), 0) + least(coalesce(octet_length(l.old), 0), 1000000000) AS bytes
          FROM unnest(xids, befores[:most], nonces[:most]) AS t (xid, before, nonce)
         CROSS JOIN LATERAL (
                SELECT row_number() OVER (ORDER BY c.id) AS place, c.channel, c.head, c.id_json, c.data, c.old, c.at, c.lost
                  FROM tuplecast.log c
                 WHERE c.xid = t.xid AND c.id > from_id AND c.id <= until_id
                   AND (c.id >> 40) & 7 IN (CASE WHEN slots & 1 > 0 THEN 0 END, CASE WHEN slots & 2 > 0 THEN 1 END, CASE WHEN slots & 4 > 0 THEN 2 END,
                                            CASE WHEN slots & 8 > 0 THEN 3 END, CASE WHEN slots & 16 > 0 THEN 4 END, CASE WHEN slots & 32 > 0 THEN 5 END,
                                            CASE WHEN slots & 64 > 0 THEN 6 END, CASE WHEN slots & 128 > 0 THEN 7 END)) l
         WHERE t.before + l.place > from_number AND t.before + l.place <= until AND l.channel = ANY (channels)
    ), pages AS (
        SELECT w.*, lag(w.number) OVER up_to_here AS number_before, lag(w.nonce) OVER up_to_here AS nonce_before,
               sum(w.bytes) OVER up_to_here - w.bytes < coalesce(page_bytes, 9223372036854775807) AS has_room,
               sum(w.bytes) OVER up_to_here - w.bytes - lag(w.bytes, 1, 0) OVER up_to_here >= page_bytes AS is_beyond
          FROM wanted w
        WINDOW up_to_here AS (ROWS UNBOUNDED PRECEDING)
    )
    SELECT CASE WHEN p.has_room THEN 'event' ELSE 'end' END, CASE WHEN p.has_room THEN p.number ELSE p.number_before END,
           CASE WHEN p.has_room THEN p.nonce ELSE p.nonce_before END, p.channel, p.head, p.id_json,
           CASE WHEN c.cut < 2 AND p.has_room THEN p.data END, CASE WHEN c.cut = 0 AND p.has_room THEN p.old END, p.at, c.cut, p.lost
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
    IF from_number < (SELECT t.base + t.count FROM tuplecast.tick t WHERE t.number = (SELECT s.oldest_tick FROM tuplecast.state s WHERE s.one)) THEN
        RAISE SQLSTATE 'TC001' USING MESSAGE = format('Event %s is not kept any more.', from_number + 1);
    END IF;
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- Retention
------------------------------------------------------------------------------------------------------------------------------------------

-- Whether the partition has a row that is not in the snapshot: one that began later, or was in flight.
CREATE OR REPLACE FUNCTION tuplecast.has_later_rows(slot integer, snapshot pg_snapshot) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET jit = off
AS $$
DECLARE
    is_so boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM tuplecast.log_%1$s WHERE xid >= pg_snapshot_xmax($1))'
                   ' OR EXISTS (SELECT FROM tuplecast.log_%1$s WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1))))', slot) INTO is_so USING snapshot;
    RETURN is_so;
END
$$;

-- Gives up what is older than max_age, or more than max_bytes, and empties a partition that holds nothing else. Called now and then by the lead, each
-- time in a transaction of its own; what one call gives up, a later one deletes, when everybody can know.
--
-- Each call does a bounded part, and says whether there is more. It takes no lock that it would have to wait for longer than 5 ms, and only on
-- partitions that nobody writes to, so no writer waits for it.
CREATE OR REPLACE FUNCTION tuplecast.retain(max_age interval, max_bytes bigint)
    RETURNS TABLE (bytes bigint, oldest_age_s bigint, ticks bigint, dropped bigint, has_more boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET jit = off
AS $$
DECLARE
    portion constant integer := 10000; -- ticks that are looked at, or deleted
    was tuplecast.state;
    kept tuplecast.tick; -- the newest tick that was given up before this call
    newest bigint;
    slot integer;
    size bigint;
    current_slot integer;
    cutoff bigint;
    has_next boolean; -- the partition that would be next is empty
BEGIN
    -- One at a time (a lead that was replaced may be in the midst of this): the leap below reads the sequence and then sets it, and of two at once the
    -- later would set it back, to ids that were given meanwhile. A nextval() in between gets an id below the leap, as if it had come before: no harm.
    SELECT * INTO was FROM tuplecast.state WHERE one FOR UPDATE;
    PERFORM set_config('lock_timeout', '5ms', true);
    SELECT t.* INTO kept FROM tuplecast.tick t WHERE t.number = was.oldest_tick;
    SELECT max(t.number) INTO newest FROM tuplecast.tick t;
    SELECT (last_value >> 40) & 7 INTO current_slot FROM tuplecast.log_id;
    dropped := 0;
    has_more := false;
    bytes := pg_total_relation_size('tuplecast.tick');
    FOR i IN 1 .. 8 LOOP
        slot := (current_slot + i) & 7; -- the oldest one first
        size := pg_total_relation_size(format('tuplecast.log_%s', slot));
        -- One in each call. Everything in it was visible in a tick that is not kept. The second look is under the lock: nobody can write any more.
        IF slot <> current_slot AND size > 65536 AND dropped = 0 AND NOT tuplecast.has_later_rows(slot, kept.snapshot) THEN
            BEGIN
                EXECUTE format('LOCK TABLE ONLY tuplecast.log_%s IN ACCESS EXCLUSIVE MODE', slot);
                IF NOT tuplecast.has_later_rows(slot, kept.snapshot) THEN
                    EXECUTE format('TRUNCATE tuplecast.log_%s', slot);
                    dropped := size;
                    size := 0;
                    has_more := true;
                END IF;
            EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
                has_more := true; -- another time
            END;
        END IF;
        bytes := bytes + size;
        has_next := coalesce(has_next, size <= 65536);
    END LOOP;
    -- The next partition, when this one holds a quarter of what is kept.
    size := pg_total_relation_size(format('tuplecast.log_%s', current_slot));
    IF has_next AND (size > greatest(max_bytes / 4, 65536) OR (size > 65536 AND was.rotated_at < clock_timestamp() - max_age / 4)) THEN
        PERFORM setval('tuplecast.log_id', ((last_value >> 40) + 1) << 40) FROM tuplecast.log_id;
        was.rotated_at := clock_timestamp();
    END IF;
    -- Up to the first one that is not too old.
    SELECT t.number - 1 INTO cutoff FROM (SELECT k.number, k.at FROM tuplecast.tick k WHERE k.number > kept.number ORDER BY k.number LIMIT portion) t
     WHERE t.at >= clock_timestamp() - max_age ORDER BY t.number LIMIT 1;
    cutoff := coalesce(cutoff, least(kept.number + portion, newest));
    has_more := has_more OR cutoff = kept.number + portion;
    IF bytes > max_bytes AND cutoff = kept.number THEN
        cutoff := least(kept.number + 1 + (newest - kept.number) / 8, newest); -- too much: an eighth of the ticks goes
    END IF;
    -- Numbers have no holes, so the first of a portion is where the portion before ended.
    DELETE FROM tuplecast.tick t WHERE t.number >= was.deleted_tick AND t.number < least(kept.number, was.deleted_tick + portion);
    has_more := has_more OR was.deleted_tick + portion < kept.number;
    UPDATE tuplecast.state SET oldest_tick = cutoff, deleted_tick = least(kept.number, was.deleted_tick + portion),
           rotated_at = was.rotated_at;
    SELECT extract(epoch FROM clock_timestamp() - t.at)::bigint INTO oldest_age_s
      FROM tuplecast.tick t WHERE t.number >= least(kept.number, was.deleted_tick + portion) ORDER BY t.number LIMIT 1;
    ticks := newest - least(kept.number, was.deleted_tick + portion) + 1;
    RETURN NEXT;
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- Rights
------------------------------------------------------------------------------------------------------------------------------------------
