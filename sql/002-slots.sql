-- tuplecast: slots, the functions of triggers of no special kind
--
-- A change of one row costs the writer little more than what the function looks up: names, key, arguments. PostgreSQL keeps the plan of a query for as
-- long as the session lives, and plans anew when the table is altered; so what is written into the query as a constant need not be looked up.
-- Therefore such a trigger (no list of columns) has a function of its own, tuplecast.live_<number>, a slot. It is live_statement(), or live() at row level, with the
-- fast way in front, which names the table, its key and the columns to be measured, and sends everything.
--
-- The fast way is right only while all that is as it was. is_current() says so; being declared IMMUTABLE (which is not the truth) it is asked when the
-- query is planned and not when it runs. After ALTER TABLE, the general function does the work; to put the trigger again makes it fast again. A slot
-- without a trigger is taken by the next one.
-- The query must be possible to plan whatever has become of the table: each column that it names stands in a row of nulls around it, too, where the name is
-- found when the table has it no more, and is cast to text before anything is done with it.
--
-- The writer's search_path is in force, and what is found by it would run with our owner's rights: every name, operator and collation says its schema. For
-- IS DISTINCT FROM there is no way to say it.

-- What a row of the table comes to as JSON: `fixed` bytes at most, names included, and six times `measure` (an expression), since a byte of a text is
-- six at most. `named` are the columns that the fast way names. Nulls when there is no bound: a type of somebody's own has output of
-- unknown length (and may bring a function), and very many columns are better looked up. `qualifier` stands before each name in `measure`.
CREATE OR REPLACE FUNCTION tuplecast.row_bounds(relation oid, keys text[], with_old boolean, qualifier text, OUT fixed integer, OUT measure text, OUT named text[])
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    measures text[] := '{}';
    c record;
BEGIN
    fixed := 0;
    named := '{}';
    FOR c IN
        WITH RECURSIVE base AS (
            SELECT attname::text, attnum, t.oid, t.typtype, t.typbasetype, t.typnamespace, t.typelem
              FROM pg_attribute JOIN pg_type t ON t.oid = atttypid WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
            UNION ALL
            SELECT attname, attnum, t.oid, t.typtype, t.typbasetype, t.typnamespace, t.typelem
              FROM base b JOIN pg_type t ON b.typtype = 'd' AND t.oid = b.typbasetype
        )
        SELECT attname AS name, format('%I', attname) AS quoted, attname = ANY (keys) AS is_key, b.oid::regtype AS type,
               b.typnamespace = 'pg_catalog'::regnamespace AND b.typtype IN ('b', 'r')
               AND (b.typelem = 0 OR EXISTS (SELECT FROM pg_type e WHERE e.oid = b.typelem AND e.typtype IN ('b', 'r')
                                                AND e.typnamespace = b.typnamespace)) AS is_builtin,
               CASE WHEN b.oid IN ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype, 'float8'::regtype,
                                   'oid'::regtype, 'uuid'::regtype, 'date'::regtype, 'time'::regtype, 'timetz'::regtype,
                                   'timestamp'::regtype, 'timestamptz'::regtype) THEN 50 ELSE 0 END AS width
          FROM base b WHERE typtype <> 'd' ORDER BY attnum
    LOOP
        -- A char without a length loses its blanks when it is compared as text; and columns of ours stand beside the table's own.
        IF NOT c.is_builtin OR cardinality(named) >= 50 OR starts_with(c.name, 'tuplecast''s ') OR (with_old AND c.type = 'bpchar'::regtype) THEN
            fixed := NULL;
            RETURN;
        END IF;
        fixed := fixed + octet_length(to_json(c.name)::text) * CASE WHEN c.is_key THEN 2 ELSE 1 END + c.width * CASE WHEN c.is_key THEN 2 ELSE 1 END + 10;
        IF c.width = 0 THEN
            -- The length of a text is known without looking at it. What is large of another type is not made text to be measured.
            measures := measures || format(
                CASE WHEN c.type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
                     THEN 'COALESCE(pg_catalog.octet_length(%1$s::pg_catalog.text), 0)'
                     ELSE 'CASE WHEN pg_catalog.pg_column_size(%1$s) OPERATOR(pg_catalog.>) 1200 THEN 10000'
                          ' ELSE COALESCE(pg_catalog.octet_length(%1$s::pg_catalog.text), 0) END' END, qualifier || c.quoted);
            IF c.is_key THEN
                measures := measures || measures[cardinality(measures)];
            END IF;
        END IF;
        IF c.is_key OR c.width = 0 OR with_old THEN
            named := named || c.quoted;
        END IF;
    END LOOP;
    measure := coalesce(array_to_string(NULLIF(measures, '{}'), ' OPERATOR(pg_catalog.+) '), '0');
END
$$;

-- The key of a row in the fast way: as a format, and what goes into it, with a comma before each.
CREATE OR REPLACE FUNCTION tuplecast.id_format(relation oid, keys text[], qualifier text, OUT id text, OUT id_values text)
LANGUAGE sql STABLE
AS $$
    SELECT CASE cardinality(keys) WHEN 0 THEN 'null' WHEN 1 THEN '%s'
                                  ELSE '{' || string_agg(replace(to_json(k)::text, '%', '%%') || ':%s', ',' ORDER BY i) || '}' END,
           coalesce(string_agg(format(CASE WHEN atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN ', %s%I'
                                           ELSE ', pg_catalog.to_json(%s%I)' END, qualifier, k), '' ORDER BY i), '')
      FROM unnest(keys) WITH ORDINALITY AS u (k, i) JOIN pg_attribute ON attrelid = relation AND attname = k
$$;

-- A row of nulls that has these names.
CREATE OR REPLACE FUNCTION tuplecast.nulls(named text[]) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce(string_agg('NULL::pg_catalog.text AS ' || name, ', ' ORDER BY i), '') FROM unnest(named) WITH ORDINALITY AS u (name, i)
$$;

-- An expression: the column's name, as JSON, when its value has changed, else null. `old_text` is the old value, null or a text.
CREATE OR REPLACE FUNCTION tuplecast.name_if_changed(name text, new_value text, old_text text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT format('CASE WHEN COALESCE(%1$s::pg_catalog.text COLLATE pg_catalog."C" OPERATOR(pg_catalog.<>) %2$s, %1$s IS NOT NULL OR %2$s IS NOT NULL) THEN %3$L END',
                  new_value, old_text, to_json((parse_ident(name))[1])::text)
$$;

-- The fast way of a table, with $current for the question whether it is right; null when there is none.
--
-- At statement level up to sixteen rows are sent each by itself, which takes little to set up; the rest as a statement and its rows, which takes little for
-- each. In an IF, a query that answers with no row is as good as false, and spares the writer an expression. What is set when nothing was sent is taken back at once; who sets
-- it himself has sixteen rows of his told twice. Where old values are wanted, one row goes this way.
CREATE OR REPLACE FUNCTION tuplecast.fast_way(relation oid, operation text, channel text, with_old boolean, row_level boolean) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    keys text[] := coalesce(tuplecast.key_columns(relation), '{}');
    columns text[] := tuplecast.sent_columns(relation, NULL);
    changed text := CASE operation WHEN 'DELETE' THEN 'OLD' ELSE 'NEW' END;
    qualifier text := CASE WHEN row_level THEN changed || '.' ELSE '' END;
    source record; -- the names of schema and table, and what kind it is
    bounds record;
    key record;
    head text;
    id text;
BEGIN
    SELECT nspname, relname, relkind INTO source FROM pg_class r JOIN pg_namespace s ON s.oid = r.relnamespace WHERE r.oid = relation;
    head := tuplecast.payload_head(source.nspname, source.relname, operation);
    bounds := tuplecast.row_bounds(relation, keys, with_old, qualifier);
    key := tuplecast.id_format(relation, keys, qualifier);
    bounds.fixed := bounds.fixed + octet_length(head) + 100;
    id := CASE WHEN cardinality(keys) > 0 THEN format('pg_catalog.format(%L%s)', key.id, key.id_values) ELSE '''null''' END;
    IF bounds.fixed IS NULL OR bounds.fixed > 5000 THEN
        RETURN NULL;
    ELSIF row_level AND source.relkind = 'p' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND indisprimary) THEN
        RETURN NULL; -- each partition may have a key of its own
    ELSIF row_level AND with_old THEN
        RETURN tuplecast.fast_way_of_row(
            relation, format('%s OPERATOR(pg_catalog.<) %s AND %s OPERATOR(pg_catalog.<) %2$s', bounds.measure, (7900 - 2 * bounds.fixed) / 12,
                             (tuplecast.row_bounds(relation, keys, with_old, 'OLD.')).measure),
            channel, replace(head, '%', '%%') || '%s,"id":' || key.id || ',"data":%s,"old":%s,"changed":[%s]}',
            format('%s, pg_catalog.row_to_json(NEW), pg_catalog.row_to_json(OLD), pg_catalog.concat_ws('','', %s)', key.id_values,
                   (SELECT string_agg(tuplecast.name_if_changed(name, 'NEW.' || name, format('OLD.%s::pg_catalog.text', name)), ', ' ORDER BY i)
                      FROM unnest(bounds.named) WITH ORDINALITY AS u (name, i))), 'false');
    ELSIF row_level THEN
        RETURN tuplecast.fast_way_of_row(
            relation, format('%s OPERATOR(pg_catalog.<) %s', bounds.measure, (7900 - bounds.fixed) / 6), channel,
            replace(head, '%', '%%') || '%s,"id":' || key.id || ',"data":%s}', format('%s, pg_catalog.row_to_json(%s)', key.id_values, changed),
            format('tuplecast.send_long(%L, %L, %s, %s)', channel, head, id, changed));
    ELSIF with_old THEN
        RETURN tuplecast.fast_way_with_old(bounds.named, bounds.measure, (7900 - 2 * bounds.fixed) / 12, channel,
                                           replace(head, '%', '%%') || '%s,"id":' || key.id, key.id_values);
    END IF;
    RETURN format($fast$
    IF c.more FROM (SELECT %1$s) k CROSS JOIN LATERAL (
        (SELECT true AS more FROM changed_rows n
          WHERE $current AND CASE WHEN %2$s
                THEN pg_catalog.pg_notify(%3$L, pg_catalog.format(%4$L, pg_catalog.nextval('tuplecast.serial')%5$s, pg_catalog.row_to_json(n.*))) IS NOT NULL
                ELSE tuplecast.send_long(%3$L, %6$L, %7$s, n.*) END
         OFFSET 15 LIMIT 1)
        UNION ALL
        SELECT pg_catalog.set_config('tuplecast.unsent', 'yes', true) IS NOT NULL FROM pg_catalog.generate_series(1, 1) WHERE NOT $current
    ) c THEN
        IF COALESCE(pg_catalog.current_setting('tuplecast.unsent', true), '') OPERATOR(pg_catalog.<>) 'yes' THEN
            -- To compile a query for the processor may take longer than it runs; and a plan is kept.
            settings := ARRAY[pg_catalog.current_setting('jit')];
            number := pg_catalog.nextval('tuplecast.serial');
            IF pg_catalog.concat(pg_catalog.set_config('jit', 'off', true),
                                 pg_catalog.pg_notify(%3$L, pg_catalog.concat('{"_":', number, %8$L))) IS NULL THEN
            END IF;
            number := pg_catalog.concat('{"_":', number, ',"row":[');
            PERFORM FROM (SELECT number AS "tuplecast's head") s CROSS JOIN (SELECT * FROM changed_rows OFFSET 16) n
             WHERE CASE WHEN %2$s
                   THEN pg_catalog.pg_notify(%3$L, s."tuplecast's head" OPERATOR(pg_catalog.||) %9$s OPERATOR(pg_catalog.||) %10$s) IS NULL
                   ELSE NOT tuplecast.send_long(%3$L, %6$L, %7$s, n.*) END;
            IF pg_catalog.set_config('jit', settings[1], true) IS NULL THEN
            END IF;
            RETURN NULL;
        ELSIF pg_catalog.set_config('tuplecast.unsent', '', true) IS NULL THEN
        END IF;
    ELSE
        RETURN NEW; -- which is null
    END IF;
$fast$,
        tuplecast.nulls(bounds.named), format('%s OPERATOR(pg_catalog.<) %s', bounds.measure, (7900 - bounds.fixed) / 6),
        channel, replace(head, '%', '%%') || '%s,"id":' || key.id || ',"data":%s}', key.id_values, head, id,
        tuplecast.statement_head(source.nspname, source.relname, operation, keys, columns), tuplecast.values_of(relation, columns, 'n', false),
        -- One statement inserts or deletes a row once; equal ones can only come when there is no key, or from updates in a cascade.
        CASE WHEN operation <> 'UPDATE' AND EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND indisprimary AND indimmediate) THEN ''']}'''
             ELSE 'pg_catalog.concat(''],"n":'', pg_catalog.nextval(''tuplecast.serial''), ''}'')' END);
END
$$;

-- The same with old values. `named` are all columns; measure and limit are for one row of the two, `head` and `id_values` for format(). The inner query
-- becomes part of the outer one: nothing of the old row is made text before it is measured.
CREATE OR REPLACE FUNCTION tuplecast.fast_way_with_old(named text[], measure text, size_limit integer, channel text, head text, id_values text) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT format($fast$
    IF c.more FROM (SELECT %1$s) k CROSS JOIN LATERAL (
        (SELECT true AS more
           FROM changed_rows n CROSS JOIN LATERAL (SELECT pg_catalog.row_to_json(o.*) AS "tuplecast's row", %2$s AS "tuplecast's size", %3$s FROM old_rows o) o
          WHERE $current AND CASE WHEN %2$s OPERATOR(pg_catalog.<) %4$s AND o."tuplecast's size" OPERATOR(pg_catalog.<) %4$s
                                       AND NOT EXISTS (SELECT FROM changed_rows OFFSET 1)
                THEN pg_catalog.pg_notify(%5$L, pg_catalog.format(%6$L, pg_catalog.nextval('tuplecast.serial')%7$s, pg_catalog.row_to_json(n.*),
                         o."tuplecast's row", pg_catalog.concat_ws(',', %8$s))) IS NULL
                ELSE true END
          LIMIT 1)
        UNION ALL
        SELECT true FROM pg_catalog.generate_series(1, 1) WHERE NOT $current
    ) c THEN
    ELSE
        RETURN NEW; -- which is null
    END IF;
$fast$,
        tuplecast.nulls(named), measure,
        string_agg(format('%s::pg_catalog.text AS "tuplecast''s %s"', name, i), ', ' ORDER BY i), size_limit, channel,
        head || ',"data":%s,"old":%s,"changed":[%s]}', id_values,
        string_agg(tuplecast.name_if_changed(name, name, format('o."tuplecast''s %s"', i)), ', ' ORDER BY i))
      FROM unnest(named) WITH ORDINALITY AS u (name, i)
$$;

-- The same at row level, for which no query is needed: what fits is sent, else `otherwise` is asked, which says true when it has sent the row. A name that the
-- table has no more would be an error, but what is behind the question is not looked at before it was answered. That the
-- table's number is named as a regclass makes PostgreSQL ask again, and read the rest again, when the table was altered.
CREATE OR REPLACE FUNCTION tuplecast.fast_way_of_row(relation oid, fits text, channel text, format_string text, format_values text, otherwise text) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT format($fast$
    IF %1$L::pg_catalog.regclass IS NOT NULL AND $current THEN
        IF %1$L::pg_catalog.regclass IS NOT NULL AND (CASE WHEN %2$s
              THEN pg_catalog.pg_notify(%3$L, pg_catalog.format(%4$L, pg_catalog.nextval('tuplecast.serial')%5$s)) IS NOT NULL
              ELSE %6$s END) THEN
            RETURN row_json; -- which is null
        END IF;
    END IF;
$fast$,
        relation::text, fits, channel, format_string, format_values, otherwise)
$$;

-- The fast way of a live trigger; argument is its second.
CREATE OR REPLACE FUNCTION tuplecast.live_way(relation oid, operation text, channel text, argument text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    options jsonb := coalesce(NULLIF(argument, ''), '{}');
BEGIN
    IF options - '{level,old,update_of,where}'::text[] <> '{}' THEN
        RETURN NULL;
    END IF;
    RETURN tuplecast.fast_way(relation, operation, channel, operation = 'UPDATE' AND options @> '{"old":true}', tuplecast.at_row_level(relation, options::json));
END
$$;

-- A row that may be too long for the fast way. True, as the fast way wants it.
CREATE OR REPLACE FUNCTION tuplecast.send_long(channel text, head text, id text, changed record) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN pg_notify(channel, tuplecast.payload(head || nextval('tuplecast.serial') || ',"id":', id,
                                                CASE WHEN pg_column_size(changed) <= 500000 THEN row_to_json(changed)::text ELSE '' END,
                                                NULL, NULL)) IS NOT NULL;
END
$$;

-- Is the fast way that has this digest the one that the only trigger of the slot would get now? A transaction whose snapshot is older than the
-- plan may not see what has become of the table: there the answer is no. It must not fail: the writer would.
CREATE OR REPLACE FUNCTION tuplecast.is_current(slot integer, digest text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
BEGIN
    IF current_setting('transaction_isolation') LIKE 'read %' THEN
        SELECT tgrelid, tgtype, tgargs, kind INTO STRICT t FROM unnest('{live,durable}'::text[]) kind
          JOIN pg_trigger ON tgfoid = to_regprocedure(format('tuplecast.%s_%s()', kind, slot)) AND tgparentid = 0;
        RETURN coalesce(md5(tuplecast.slot_way(t.kind, t.tgrelid, CASE WHEN t.tgtype & 4 > 0 THEN 'INSERT' WHEN t.tgtype & 16 > 0 THEN 'UPDATE' ELSE 'DELETE' END,
                                               (tuplecast.arguments(t.tgargs))[1], (tuplecast.arguments(t.tgargs))[2])) = digest, false);
    END IF;
    RETURN false;
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END
$$;

-- Writes the function of a slot, which becomes our owner's, for who may put triggers on the table. Who does it with a slot that is another's
-- would make that one slower and nothing else, because is_current() says no.
CREATE OR REPLACE FUNCTION tuplecast.make_slot(slot integer, relation regclass, operation text, channel text, kind text DEFAULT 'live', argument text DEFAULT '') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    way text := tuplecast.slot_way(kind, relation, operation, channel, argument);
    general text := kind || CASE WHEN tuplecast.at_row_level(relation, tuplecast.options(argument)) THEN '' ELSE '_statement' END;
    body text := (SELECT prosrc FROM pg_proc WHERE oid = to_regprocedure(format('tuplecast.%I()', general)));
    start integer := position(E'\nBEGIN\n' IN body) + length(E'\nBEGIN\n');
BEGIN
    IF NOT coalesce(has_table_privilege(session_user, relation, 'TRIGGER'), false) THEN
        RAISE insufficient_privilege USING MESSAGE = format('permission denied: %s may not put triggers on %s.', session_user, relation);
    ELSIF way IS NULL OR coalesce(slot NOT BETWEEN 1 AND 999999, true)
          OR EXISTS (SELECT FROM pg_trigger WHERE tgfoid = to_regprocedure(format('tuplecast.%I()', kind || '_' || slot)) AND tgrelid <> relation
                                                  AND tgparentid = 0) THEN
        RAISE invalid_parameter_value USING MESSAGE = format('Slot %s cannot be made for %s.', slot, relation);
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION tuplecast.%I() RETURNS trigger LANGUAGE plpgsql %s SECURITY DEFINER AS %L', kind || '_' || slot,
                   CASE kind WHEN 'live' THEN 'STABLE' ELSE 'VOLATILE' END,
                   E'\n#variable_conflict use_column' || left(body, start - 1)
                   || replace(way, '$current', format('tuplecast.is_current(%s, %L)', slot, md5(way))) || substr(body, start));
END
$$;

-- A slot that no trigger has, and nobody else takes before the transaction ends.
CREATE OR REPLACE FUNCTION tuplecast.take_slot(taken integer[]) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    used integer[] := tuplecast.used_slots();
    slot integer;
BEGIN
    FOR slot IN SELECT i FROM generate_series(1, cardinality(used) + 1000) i WHERE i <> ALL (used) AND i <> ALL (taken) LOOP
        -- Whoever had the lock may have put a trigger meanwhile.
        IF pg_try_advisory_xact_lock(hashtextextended('tuplecast slot ' || slot, 0)) AND slot <> ALL (tuplecast.used_slots()) THEN
            RETURN slot;
        END IF;
    END LOOP;
    RAISE lock_not_available USING MESSAGE = 'Very many triggers are put at once.', HINT = 'Try again.';
END
$$;

-- Read from the catalog as the statement sees it: a look-up by name may be answered from memory.
CREATE OR REPLACE FUNCTION tuplecast.used_slots() RETURNS integer[]
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ARRAY(SELECT substring(proname FROM '[0-9]+')::integer FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid
                  WHERE pronamespace = 'tuplecast'::regnamespace AND proname ~ '^(live|durable)_[0-9]{1,6}$')
$$;

REVOKE EXECUTE ON FUNCTION tuplecast.key_columns(oid), tuplecast.key_of(oid, json), tuplecast.pick(json, text[]),
    tuplecast.changed_members(json, json, text[]), tuplecast.payload(text, text, text, text, text),
    tuplecast.send(text, text, text[], text[], json, json), tuplecast.bulk_query(oid, text[], text, text),
    tuplecast.sent_columns(oid, text[]), tuplecast.values_of(oid, text[], text, boolean), tuplecast.statement_head(text, text, text, text[], text[]),
    tuplecast.row_bounds(oid, text[], boolean, text), tuplecast.id_format(oid, text[], text), tuplecast.nulls(text[]),
    tuplecast.name_if_changed(text, text, text), tuplecast.fast_way_of_row(oid, text, text, text, text, text),
    tuplecast.fast_way_with_old(text[], text, integer, text, text, text), tuplecast.payload_head(text, text, text), tuplecast.send_long(text, text, text, record), tuplecast.is_current(integer, text)
    FROM PUBLIC;
