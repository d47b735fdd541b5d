-- tuplecast: the fast way of the functions that generated.sql writes.
--
-- For tables of which every column is built in or an enum, and all are sent. It does what the general statements do, and earns its keep by bench/triggers only:
-- it bounds how long a row can become before it makes it, with one query or, at row level, with none. What could be too long goes a way that measures.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL check_function_bodies = off; -- they call each other

-- What a row comes to as JSON: `fixed` bytes at most, names included, and six times `measure` (an expression), since a byte of a text is six at most;
-- `texts` is what its texts have at least. `fixed` is null when the table has no fast way.
CREATE OR REPLACE FUNCTION tuplecast.bounds_of(relation oid, keys text[], alias text, OUT fixed integer, OUT measure text, OUT texts text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    WITH columns AS (
        SELECT c.*, format('%s.%I', alias, c.name) AS quoted, CASE WHEN c.name = ANY (keys) THEN 2 ELSE 1 END AS times,
               NOT is_array AND type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype) AS is_text
          FROM tuplecast.columns_of(relation, NULL) c
    ), items AS (
        SELECT *, CASE WHEN length > 0 THEN NULL
                       WHEN is_text THEN format(CASE WHEN count(*) FILTER (WHERE length < 0) OVER () > 2
                                                     THEN 'LEAST(COALESCE(pg_catalog.octet_length(%s), 0), 10000)' -- no sum of theirs may overflow
                                                     ELSE 'COALESCE(pg_catalog.octet_length(%s), 0)' END,
                                                CASE WHEN type = 'bpchar'::regtype THEN quoted ELSE quoted || '::pg_catalog.text' END)
                       -- What is large, or compressed, is not made text to be measured.
                       ELSE format('CASE WHEN pg_catalog.pg_column_size(%1$s) OPERATOR(pg_catalog.>) 1200 OR pg_catalog.pg_column_compression(%1$s) IS NOT NULL'
                                   ' THEN 10000 ELSE COALESCE(pg_catalog.octet_length(%1$s::pg_catalog.text), 0) END', quoted) END AS item
          FROM columns
    )
    SELECT CASE WHEN bool_and(kind IN ('integer', 'builtin', 'label')) AND count(item) <= 50
                     AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attgenerated = 'v' AND NOT attisdropped)
                     AND NOT EXISTS (SELECT FROM columns JOIN pg_type t ON t.oid = columns.type WHERE t.typtype = 'c')
                THEN sum(times * (octet_length(to_json(name)::text) + 10
                                  + CASE WHEN length < 0 THEN 0 WHEN kind = 'label' OR type = 'name'::regtype THEN 390
                                         WHEN type IN ('line'::regtype, 'lseg'::regtype, 'box'::regtype, 'circle'::regtype, 'interval'::regtype) THEN 150
                                         ELSE 50 END))::integer END,
           concat_ws(' OPERATOR(pg_catalog.+) ', coalesce(string_agg(item, ' OPERATOR(pg_catalog.+) ' ORDER BY place), '0'),
                     string_agg(item, ' OPERATOR(pg_catalog.+) ' ORDER BY place) FILTER (WHERE times > 1)),
           coalesce(string_agg(item, ' OPERATOR(pg_catalog.+) ' ORDER BY place) FILTER (WHERE is_text), '0')
      INTO fixed, measure, texts
      FROM items;
END
$$;

-- A column as JSON where it is known to be short; without `may_be_null`, as something that format() and concat() write.
CREATE OR REPLACE FUNCTION tuplecast.short_value(kind text, expression text, may_be_null boolean) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN format(CASE WHEN kind = 'label' AND may_be_null
                        THEN 'COALESCE(pg_catalog.to_json(CASE WHEN %1$s IS NOT NULL THEN pg_catalog.format(''%%s'', %1$s) END)::pg_catalog.text, ''null'')'
                        WHEN kind = 'label' THEN 'pg_catalog.to_json(pg_catalog.format(''%%s'', %1$s))'
                        WHEN kind = 'integer' AND may_be_null THEN 'COALESCE(%1$s::pg_catalog.text, ''null'')'
                        WHEN kind = 'integer' THEN '%1$s'
                        WHEN may_be_null THEN 'COALESCE(pg_catalog.to_json(%1$s), ''null'')'
                        ELSE 'pg_catalog.to_json(%1$s)' END, expression);
END
$$;

-- The columns of a short row with commas between, each behind its name when `labels`. A function takes a hundred arguments at most.
CREATE OR REPLACE FUNCTION tuplecast.short_values(relation oid, alias text, labels boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT CASE count(*) WHEN 0 THEN '''''' WHEN 1 THEN min(part) ELSE 'pg_catalog.concat_ws('','', ' || string_agg(part, ', ' ORDER BY number) || ')' END
              FROM (SELECT (c.place - 1) / 50 AS number,
                           'pg_catalog.concat_ws('','', ' || string_agg(
                               format(CASE WHEN labels THEN 'pg_catalog.concat(%1$L, %2$s)' ELSE '%2$s' END, to_json(c.name)::text || ':',
                                      tuplecast.short_value(c.kind, format('%s.%I', alias, c.name),
                                                            NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attname = c.name AND attnotnull))),
                               ', ' ORDER BY c.place) || ')' AS part
                      FROM tuplecast.columns_of(relation, NULL) c GROUP BY 1) AS parts);
END
$$;

-- A short row as an object. Partitions may have their columns in another order, and row_to_json() would look for casts of an enum.
CREATE OR REPLACE FUNCTION tuplecast.short_row(relation oid, alias text, whole text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN tuplecast.is_plain(relation) THEN format('pg_catalog.row_to_json(%s)', whole)
                 ELSE format('pg_catalog.concat(''{'', %s, ''}'')', tuplecast.short_values(relation, alias, true)) END;
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.is_plain(relation oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT relkind <> 'p' AND NOT EXISTS (SELECT FROM tuplecast.columns_of(relation, NULL) WHERE kind NOT IN ('integer', 'builtin'))
              FROM pg_class WHERE oid = relation);
END
$$;

-- The key of a short row: as a format, what goes into it with a comma before each, and the same as one expression.
CREATE OR REPLACE FUNCTION tuplecast.short_id(relation oid, keys text[], alias text, OUT id text, OUT id_values text, OUT expression text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    SELECT f.id, f.id_values, CASE cardinality(keys) WHEN 0 THEN '''null''' WHEN 1 THEN format('pg_catalog.concat(%s)', substr(f.id_values, 3))
                                                     ELSE format('pg_catalog.format(%L%s)', f.id, f.id_values) END
      INTO id, id_values, expression
      FROM (SELECT CASE cardinality(keys) WHEN 0 THEN 'null' WHEN 1 THEN '%s'
                                          ELSE '{' || string_agg(replace(to_json(c.name)::text, '%', '%%') || ':%s', ',' ORDER BY c.place) || '}' END AS id,
                   coalesce(string_agg(', ' || tuplecast.short_value(c.kind, format('%s.%I', alias, c.name), false), '' ORDER BY c.place), '') AS id_values
              FROM tuplecast.columns_of(relation, keys) c) f;
END
$$;

-- An expression: the column's name, as JSON, when its value has changed, else null.
CREATE OR REPLACE FUNCTION tuplecast.name_if_changed(name text, type oid, is_array boolean, old_alias text, new_alias text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN format(CASE WHEN NOT is_array AND type IN ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype, 'date'::regtype,
                                                       'timestamp'::regtype, 'timestamptz'::regtype)
                        THEN 'CASE WHEN COALESCE(%1$s OPERATOR(pg_catalog.<>) %2$s, %1$s IS NOT NULL OR %2$s IS NOT NULL) THEN %3$L END'
                        WHEN NOT is_array AND type IN ('text'::regtype, 'varchar'::regtype)
                        THEN 'CASE WHEN COALESCE(%1$s::pg_catalog.text COLLATE pg_catalog."C" OPERATOR(pg_catalog.<>) %2$s::pg_catalog.text,'
                             ' %1$s IS NOT NULL OR %2$s IS NOT NULL) THEN %3$L END'
                        ELSE 'CASE WHEN pg_catalog.record_image_ne(ROW(%1$s), ROW(%2$s)) THEN %3$L END' END,
                   format('%s.%I', old_alias, name), format('%s.%I', new_alias, name), to_json(name)::text);
END
$$;

-- What a statement that changes many rows begins with, behind its number: what its rows have in common. They follow, as lists of values, which is half
-- the bytes; and bytes are most of what many notifications cost.
CREATE OR REPLACE FUNCTION tuplecast.statement_head(relation oid, operation text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT format(',"schema":%s,"table":%s,"type":"%s","key":%s,"columns":%s}', to_json(nspname), to_json(relname), operation,
                          to_json(coalesce(tuplecast.key_columns(relation), '{}')),
                          (SELECT to_json(array_agg(c.name ORDER BY c.place)) FROM tuplecast.columns_of(relation, NULL) c))
              FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.oid = relation);
END
$$;

-- The statements of the fast way of a live trigger; null when there is none for this part. They end with `leave` where all was told.
CREATE OR REPLACE FUNCTION tuplecast.fast_live(relation oid, part text, options jsonb, leave text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    channel constant text := options ->> 'channel';
    row_level constant boolean := options @> '{"row_level":true}';
    operation constant text := upper(part COLLATE "C");
    keys constant text[] := coalesce(tuplecast.key_columns(relation), '{}');
    alias constant text := CASE WHEN NOT row_level THEN 'n' WHEN part = 'delete' THEN 'OLD' ELSE 'NEW' END;
    whole constant text := CASE WHEN row_level THEN alias ELSE 'n.*' END;
    bounds record := tuplecast.bounds_of(relation, keys, alias);
    key record := tuplecast.short_id(relation, keys, alias);
    head constant text := (SELECT tuplecast.payload_head(nspname, relname, operation, NULL)
                             FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.oid = relation);
    limit_bytes integer;
    sent text; -- an expression that sends the row and is true
    long text; -- the same for one that may be too long
BEGIN
    bounds.fixed := bounds.fixed + octet_length(head) + 100;
    IF part = 'key' OR options ? 'columns' OR bounds.fixed IS NULL OR bounds.fixed > 5000 OR octet_length(tuplecast.statement_head(relation, operation)) > 7800 THEN
        RETURN NULL;
    ELSIF part = 'update' AND options @> '{"old":true}' THEN
        RETURN tuplecast.fast_live_old(relation, options, head, leave);
    END IF;
    limit_bytes := (7900 - bounds.fixed) / 6;
    sent := format('pg_catalog.pg_notify(%L, pg_catalog.format(%L, pg_catalog.nextval(''tuplecast.serial'')%s, %s)) IS NOT NULL', channel,
                   replace(head, '%', '%%') || '%s,"id":' || key.id || ',"data":%s}', key.id_values, tuplecast.short_row(relation, alias, whole));
    long := CASE WHEN tuplecast.is_plain(relation)
                 THEN format('tuplecast.send_long(%L, %L, %s, %s OPERATOR(pg_catalog.>) 8000, %s)', channel, head, key.expression, bounds.texts, whole)
                 ELSE format('(%s) IS NOT NULL', tuplecast.telling('live', relation, options, tuplecast.side_of(relation, options, format('(SELECT %s.*)', alias), 'n', false), NULL, operation, NULL)) END;
    IF row_level THEN
        RETURN format('IF %s(CASE WHEN %s OPERATOR(pg_catalog.<) %s THEN %s ELSE %s END) THEN %s END IF;',
                      CASE WHEN part = 'update' THEN tuplecast.conditions(relation, options, 'NEW') || ' IS TRUE AND ' || tuplecast.conditions(relation, options, 'OLD') || ' IS TRUE AND ' END,
                      bounds.measure, limit_bytes, sent, long, leave);
    END IF;
    -- Up to sixteen rows are sent each by itself, which takes little to set up; the rest as a statement and its rows, which takes little for each.
    RETURN format($fast$IF c.more FROM (
                SELECT true AS more FROM changed_rows n
                 WHERE CASE WHEN %1$s OPERATOR(pg_catalog.<) %2$s THEN %3$s ELSE %4$s END
                OFFSET 15 LIMIT 1) c THEN
            -- To compile a query for the processor may take longer than it runs; and a plan is kept.
            jit := pg_catalog.current_setting('jit');
            number := pg_catalog.nextval('tuplecast.serial');
            IF pg_catalog.concat(pg_catalog.set_config('jit', 'off', true), pg_catalog.pg_notify(%5$L, pg_catalog.concat('{"_":', number, %6$L))) IS NULL THEN
            END IF;
            number := pg_catalog.concat('{"_":', number, ',"row":[');
            PERFORM FROM (SELECT * FROM changed_rows OFFSET 16) n
              WHERE CASE WHEN %1$s OPERATOR(pg_catalog.<) %2$s
                         THEN pg_catalog.pg_notify(%5$L, number OPERATOR(pg_catalog.||) %7$s OPERATOR(pg_catalog.||) %8$s) IS NULL
                         ELSE NOT %4$s END;
            IF pg_catalog.set_config('jit', jit, true) IS NULL THEN
            END IF;
        END IF;
        %9$s$fast$,
        bounds.measure, limit_bytes, sent, long, channel, tuplecast.statement_head(relation, operation), tuplecast.short_values(relation, 'n', false),
        -- One statement inserts or deletes a row once; equal ones can only come when there is no key, or from updates in a cascade.
        CASE WHEN part <> 'update' AND EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND indisprimary AND indimmediate) THEN ''']}'''
             ELSE 'pg_catalog.concat(''],"n":'', pg_catalog.nextval(''tuplecast.serial''), ''}'')' END, leave);
END
$$;

-- The same for UPDATE with old values: one row that is short is sent by itself; at statement level many are sent as a statement and its rows, of which the gateway finds
-- out what has changed.
CREATE OR REPLACE FUNCTION tuplecast.fast_live_old(relation oid, options jsonb, head text, leave text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    channel constant text := options ->> 'channel';
    row_level constant boolean := options @> '{"row_level":true}';
    keys constant text[] := coalesce(tuplecast.key_columns(relation), '{}');
    new_alias constant text := CASE WHEN row_level THEN 'NEW' ELSE 'n' END;
    old_alias constant text := CASE WHEN row_level THEN 'OLD' ELSE 'o' END;
    new_bounds record := tuplecast.bounds_of(relation, keys, new_alias);
    old_bounds record := tuplecast.bounds_of(relation, keys, old_alias);
    key record := tuplecast.short_id(relation, keys, new_alias);
    limit_bytes constant integer := (7900 - 2 * (new_bounds.fixed + octet_length(head) + 100)) / 12;
    fits constant text := format('%s OPERATOR(pg_catalog.<) %s AND %s OPERATOR(pg_catalog.<) %2$s', new_bounds.measure, limit_bytes, old_bounds.measure);
    changed constant text := (SELECT string_agg(tuplecast.name_if_changed(c.name, c.type, c.is_array, old_alias, new_alias), ', ' ORDER BY c.place)
                                FROM tuplecast.columns_of(relation, NULL) c);
    sent constant text := format(
        'pg_catalog.pg_notify(%L, pg_catalog.format(%L, pg_catalog.nextval(''tuplecast.serial'')%s, %s, %s, pg_catalog.concat_ws('','', %s)))', channel,
        replace(head, '%', '%%') || '%s,"id":' || key.id || ',"data":%s,"old":%s,"changed":[%s]}', key.id_values,
        tuplecast.short_row(relation, new_alias, CASE WHEN row_level THEN 'NEW' ELSE 'n.*' END),
        tuplecast.short_row(relation, old_alias, CASE WHEN row_level THEN 'OLD' ELSE 'o.*' END), changed);
    number text := 'tuplecast number';
BEGIN
    IF limit_bytes < 50 OR (SELECT count(*) > 90 FROM tuplecast.columns_of(relation, NULL)) THEN
        RETURN NULL;
    ELSIF row_level THEN
        RETURN format('IF %s(CASE WHEN %s THEN %s IS NOT NULL ELSE false END) THEN %s END IF;',
                      tuplecast.conditions(relation, options, 'NEW') || ' IS TRUE AND ' || tuplecast.conditions(relation, options, 'OLD') || ' IS TRUE AND ', fits, sent, leave);
    END IF;
    WHILE EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attname = number) LOOP
        number := number || '+';
    END LOOP;
    RETURN format($fast$IF c.more FROM (
                SELECT true AS more FROM changed_rows n CROSS JOIN old_rows o
                 WHERE CASE WHEN %1$s AND NOT EXISTS (SELECT FROM changed_rows OFFSET 1) THEN %2$s IS NULL ELSE true END
                 LIMIT 1) c THEN
        ELSE
            %9$s
        END IF;
        jit := pg_catalog.current_setting('jit');
        memory := pg_catalog.current_setting('work_mem');
        number := pg_catalog.nextval('tuplecast.serial');
        -- A little memory spares the joining of old rows with new ones its files. There is one of each; a full join is never made by nested loops, which
        -- a plan that was made for a few rows would keep.
        IF pg_catalog.concat(pg_catalog.set_config('jit', 'off', true),
                             CASE WHEN pg_catalog.pg_size_bytes(memory) OPERATOR(pg_catalog.<) 67108864 THEN pg_catalog.set_config('work_mem', '64MB', true) END,
                             pg_catalog.pg_notify(%3$L, pg_catalog.concat('{"_":', number, %4$L))) IS NULL THEN
        END IF;
        number := pg_catalog.concat('{"_":', number, ',"row":[');
        PERFORM FROM (SELECT pg_catalog.row_number() OVER () AS %5$I, r.* FROM changed_rows r) n
                FULL JOIN (SELECT pg_catalog.row_number() OVER () AS %5$I, r.* FROM old_rows r) o ON n.%5$I OPERATOR(pg_catalog.=) o.%5$I
          WHERE CASE WHEN %1$s
                     THEN pg_catalog.pg_notify(%3$L, pg_catalog.concat(number, %6$s, '],"old":[', %7$s, '],"n":', pg_catalog.nextval('tuplecast.serial'), '}')) IS NULL
                     ELSE (%8$s) IS NULL END;
        IF pg_catalog.concat(pg_catalog.set_config('jit', jit, true), pg_catalog.set_config('work_mem', memory, true)) IS NULL THEN
        END IF;
        %9$s$fast$,
        fits, sent, channel, tuplecast.statement_head(relation, 'UPDATE'), number, tuplecast.short_values(relation, 'n', false),
        tuplecast.short_values(relation, 'o', false),
        tuplecast.telling('live', relation, options, tuplecast.side_of(relation, options, '(SELECT n.*)', 'n', false) || ' CROSS JOIN '
                          || tuplecast.side_of(relation, options, '(SELECT o.*)', 'o', false), NULL, 'UPDATE', NULL), leave);
END
$$;

-- The statements of the fast way of a durable trigger, which end with `leave`, or null.
CREATE OR REPLACE FUNCTION tuplecast.fast_durable(relation oid, part text, options jsonb, leave text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    row_level constant boolean := options @> '{"row_level":true}';
    keys constant text[] := coalesce(tuplecast.key_columns(relation), '{}');
    alias constant text := CASE WHEN NOT row_level THEN 'n' WHEN part = 'delete' THEN 'OLD' ELSE 'NEW' END;
    whole constant text := CASE WHEN row_level THEN alias ELSE 'n.*' END;
    is_plain constant boolean := tuplecast.is_plain(relation);
    data constant text := tuplecast.short_row(relation, alias, whole);
    key record := tuplecast.short_id(relation, keys, alias);
    size text;
    texts_only boolean;
    long record; -- what the general way makes of a row
BEGIN
    IF part = 'key' OR options ?| ARRAY['columns', 'old'] OR (part = 'update' AND options ? 'where') OR (tuplecast.bounds_of(relation, keys, alias)).fixed IS NULL THEN
        RETURN NULL;
    END IF;
    -- What is known to stay far below 1 GB, where text ends, is made at once.
    SELECT bool_and(c.is_text),
           CASE WHEN count(*) > 2 THEN '0::pg_catalog.int8 OPERATOR(pg_catalog.+) ' ELSE '' END || -- two lengths of texts cannot overflow
           string_agg(CASE WHEN c.is_text
                           THEN format('COALESCE(pg_catalog.octet_length(%s.%I::pg_catalog.text), 0)', alias, c.name)
                           ELSE format('CASE WHEN pg_catalog.pg_column_size(%1$s.%2$I) OPERATOR(pg_catalog.>) 7900 OR pg_catalog.pg_column_compression(%1$s.%2$I) IS NOT NULL'
                                       ' THEN 40000000 ELSE 0 END', alias, c.name) END, ' OPERATOR(pg_catalog.+) ' ORDER BY c.place)
      INTO texts_only, size
      FROM (SELECT *, NOT is_array AND type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype) AS is_text FROM tuplecast.columns_of(relation, NULL)) c
     WHERE c.length < 0 AND (c.type <> 'numeric'::regtype OR c.is_array);
    SELECT format('(tuplecast.log_row(%s, %s, NULL)).data', v.names, v.members) AS data, format('(tuplecast.log_row(%s, %s, NULL)).lost', v.names, v.members) AS lost
      INTO long FROM tuplecast.values_array(relation, NULL, alias, false) v;
    RETURN format(E'INSERT INTO tuplecast.log (channel, head, id_json, data, lost)\n        SELECT %L, %L, %s, %s, %s%s;\n'
                  '        IF FOUND AND pg_catalog.pg_sequence_last_value(''tuplecast.lead_asleep'') OPERATOR(pg_catalog.=) 2 THEN\n'
                  '            IF tuplecast.wake_lead() THEN\n            END IF;\n        END IF;\n        %s', options ->> 'channel',
                  (SELECT tuplecast.log_head(nspname, relname, upper(part COLLATE "C"), NULL) FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
                    WHERE c.oid = relation), key.expression,
                  CASE WHEN size IS NULL THEN data
                       -- Texts that long make an event longer than any that is sent on.
                       WHEN texts_only THEN format('CASE WHEN %s OPERATOR(pg_catalog.<) 40000000 THEN %s END', size, data)
                       ELSE format('CASE WHEN %s OPERATOR(pg_catalog.<) 40000000 THEN %s::pg_catalog.text ELSE %s END', size, data,
                                   CASE WHEN is_plain THEN format('tuplecast.row_json(%s)', whole) ELSE long.data END) END,
                  CASE WHEN is_plain OR size IS NULL OR texts_only THEN 'NULL' ELSE format('CASE WHEN %s OPERATOR(pg_catalog.>=) 40000000 THEN %s END', size, long.lost) END,
                  CASE WHEN row_level THEN '' ELSE ' FROM changed_rows n' END, leave);
END
$$;
