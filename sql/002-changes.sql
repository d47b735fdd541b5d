-- tuplecast: live triggers at statement level, with columns, old values and conditions; put, dropped and listed safely.
-- Here is what a change sends; 002-slots.sql makes it fast, 002-listing.sql says what triggers there are, 002-putting.sql changes them.
--
-- A logical trigger NAME is up to four of PostgreSQL's on one table, its parts: tuplecast:NAME:row, :insert, :update, :delete, :truncate.
-- Their first argument is the channel; the second, unless it is missing or empty, is JSON of what is not default: columns, level, old, update_of, where;
-- the third, when there is one, are the operations, unless they are all four. A trigger is ours when it has such a name and its function is in our schema: nothing else is listed, replaced or dropped.


------------------------------------------------------------------------------------------------------------------------------------------
-- What a change sends
--
-- No function on the writer's way may fail, whatever the row is: NOTIFY refuses payloads of 8,000 bytes and more, a text ends at 1 GB, and
-- many types have no equality. So everything is measured in bytes before it is put together, a row is looked at before it is made text, and rows
-- are compared by their bytes. There is no EXCEPTION block: it would cost every write a subtransaction.
--
-- live() and live_statement() are SECURITY DEFINER: the writer needs no right on anything of ours; and whatever the row's types call (a cast to
-- json of an enum can be anybody's function) runs as our owner and not as a superuser who happens to write to the table. The functions that
-- they call have no search_path of their own, which would cost more than what they do; so nobody else may call them.
------------------------------------------------------------------------------------------------------------------------------------------

-- The names of the columns that tell the table's rows apart: the primary key, else the unique index of the replica identity, else null.
-- Found anew for each statement, so that it is right after a column was renamed or the key was changed.
--
-- The replica identity's index, which is the primary key's unless somebody chose otherwise, is found without a query; whether it is the
-- primary key's must be asked, and that would cost more than all the rest of a change of one row. But an index that is stays so for as long as
-- it exists, and has as many columns. So for an index of one column it is remembered for the
-- session, in a setting. A rollback takes it back, like any SET. Who sets it himself deceives only the readers of what he writes anyway.
CREATE OR REPLACE FUNCTION tuplecast.key_columns(relation oid) RETURNS text[]
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    key record;
    names text[];
BEGIN
    IF current_setting('tuplecast.key_' || pg_get_replica_identity_index(relation)::oid, true) = 'yes' THEN
        RETURN parse_ident(pg_get_indexdef(pg_get_replica_identity_index(relation), 1, true));
    END IF;
    SELECT indexrelid AS index, indisprimary AS is_primary, indnkeyatts AS columns INTO key FROM pg_index
     WHERE indrelid = relation AND (indisprimary OR indisreplident)
     ORDER BY indisprimary DESC LIMIT 1;
    FOR i IN 1 .. coalesce(key.columns, 0) LOOP
        names := names || parse_ident(pg_get_indexdef(key.index, i, true));
    END LOOP;
    IF key.is_primary AND key.columns = 1 THEN
        PERFORM set_config('tuplecast.key_' || key.index, 'yes', false);
    END IF;
    RETURN names;
END
$$;

-- Of a row, the members that are named, each as row_to_json wrote it. What is not there is left out.
CREATE OR REPLACE FUNCTION tuplecast.pick(row_json json, names text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    name text;
    value text;
    answer text := '';
BEGIN
    FOREACH name IN ARRAY names LOOP
        value := (row_json -> name)::text;
        IF value IS NOT NULL THEN
            answer := answer || ',' || to_json(name)::text || ':' || value;
        END IF;
    END LOOP;
    RETURN '{' || substr(answer, 2) || '}';
END
$$;

-- The names of the members that differ between two rows of one table, which have the same members in the same order.
CREATE OR REPLACE FUNCTION tuplecast.changed_members(old_json json, new_json json, names text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    answer text;
BEGIN
    SELECT string_agg(to_json(old_key)::text, ',') INTO answer
      FROM ROWS FROM (json_each(old_json), json_each(new_json)) AS members (old_key, old_value, new_key, new_value)
     WHERE old_value::text <> new_value::text AND (names IS NULL OR old_key = ANY (names));
    RETURN '[' || coalesce(answer, '') || ']';
END
$$;

-- Puts a payload together. What is too long is left out, and `cut` says so: first old, then data, then the key;
-- the names of what changed only when nothing else helps. `head` is everything up to the key. `old` and `changed` are null when they are not wanted; `data` and `old` are '' when the row was
-- too large even to be made text.
CREATE OR REPLACE FUNCTION tuplecast.payload(head text, id text, data text, old text, changed text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    room bigint := 7900 - octet_length(head) - octet_length(',"data":}');
    changed_member text;
    cut text := '"data"';
BEGIN
    IF old IS NULL THEN
        IF data <> '' AND octet_length(id)::bigint + octet_length(data) <= room THEN
            RETURN head || id || ',"data":' || data || '}';
        END IF;
        changed_member := '';
    ELSE
        changed_member := ',"changed":' || changed;
        IF data <> '' AND old <> '' AND octet_length(id)::bigint + octet_length(data) + octet_length(',"old":') + octet_length(old)
                                        + octet_length(changed_member) <= room THEN
            RETURN head || id || ',"data":' || data || ',"old":' || old || changed_member || '}';
        END IF;
        IF data <> '' AND octet_length(id)::bigint + octet_length(data) + octet_length(changed_member)
                          + octet_length(',"cut":["old"]') <= room THEN
            RETURN head || id || ',"data":' || data || changed_member || ',"cut":["old"]}';
        END IF;
        cut := '"old","data"';
    END IF;
    room := room - octet_length('null,"cut":[,"id","changed"]') - octet_length(cut);
    IF octet_length(id)::bigint + octet_length(changed_member) <= room THEN
        RETURN head || id || ',"data":null' || changed_member || ',"cut":[' || cut || ']}';
    ELSIF octet_length(changed_member) <= room THEN
        RETURN head || 'null,"data":null' || changed_member || ',"cut":[' || cut || ',"id"]}';
    ELSIF octet_length(id) <= room THEN
        RETURN head || id || ',"data":null,"cut":[' || cut || ',"changed"]}';
    END IF;
    RETURN head || 'null,"data":null,"cut":[' || cut || ',"id","changed"]}';
END
$$;

-- Sends one change whose rows are at hand as JSON; old_json is null unless old values are wanted.
CREATE OR REPLACE FUNCTION tuplecast.send(channel text, head text, keys text[], names text[], row_json json, old_json json) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    id text := 'null';
    data text := row_json::text;
    old text := old_json::text;
    changed text;
BEGIN
    IF array_length(keys, 1) = 1 THEN
        id := coalesce((row_json -> keys[1])::text, 'null');
    ELSIF keys IS NOT NULL THEN
        id := tuplecast.pick(row_json, keys);
    END IF;
    IF old IS NOT NULL THEN
        changed := tuplecast.changed_members(old_json, row_json, names);
    END IF;
    IF names IS NOT NULL THEN
        data := tuplecast.pick(row_json, names);
        IF old IS NOT NULL THEN
            old := tuplecast.pick(old_json, names);
        END IF;
    END IF;
    -- An expression, not PERFORM, which would start the executor for each change.
    RETURN pg_notify(channel, tuplecast.payload(head || nextval('tuplecast.serial') || ',"id":', id, data, old, changed)) IS NULL;
END
$$;

-- The columns that are sent and are there: all, or those of `names`, in their order.
CREATE OR REPLACE FUNCTION tuplecast.sent_columns(relation oid, names text[]) RETURNS text[]
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(array_agg(attname::text ORDER BY array_position(names, attname::text), attnum), '{}') FROM pg_catalog.pg_attribute
     WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND (names IS NULL OR attname = ANY (names))
$$;

-- Columns of the row that `alias` stands for, as an expression: each as JSON, as row_to_json writes it, with commas between; with labels, each behind
-- its name. Integers are written at half the cost. A function takes a hundred arguments at most.
CREATE OR REPLACE FUNCTION tuplecast.values_of(relation oid, columns text[], alias text, labels boolean) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT CASE count(*) WHEN 0 THEN '''''' WHEN 1 THEN min(part) ELSE 'pg_catalog.concat_ws('','', ' || string_agg(part, ', ' ORDER BY number) || ')' END
      FROM (SELECT (i - 1) / 50,
                   'pg_catalog.concat_ws('','', '
                   || string_agg(format(CASE WHEN labels THEN 'pg_catalog.concat(%3$L, %4$s)' ELSE '%4$s' END, alias, name, to_json(name)::text || ':',
                                        format(CASE WHEN atttypid NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                                                    THEN 'COALESCE(pg_catalog.to_json(%1$s.%2$I), ''null'')'
                                                    WHEN EXISTS (SELECT FROM pg_catalog.pg_index WHERE indrelid = relation AND indisprimary AND attnum = ANY (indkey))
                                                    THEN '%1$s.%2$I'
                                                    ELSE 'COALESCE(%1$s.%2$I::pg_catalog.text, ''null'')' END, alias, name)), ', ' ORDER BY i) || ')'
              FROM unnest(columns) WITH ORDINALITY AS u (name, i) JOIN pg_catalog.pg_attribute ON attrelid = relation AND attname = name
             GROUP BY (i - 1) / 50) AS parts (number, part)
$$;

-- What a statement that changes many rows begins with, behind its number: what its rows have in common. They follow, as lists of values, which is half
-- the bytes; and bytes are most of what many notifications cost. Null when there are too many names for one notification.
CREATE OR REPLACE FUNCTION tuplecast.statement_head(table_schema text, table_name text, operation text, keys text[], columns text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    head text := concat(',"schema":', to_json(table_schema), ',"table":', to_json(table_name), ',"type":"', operation, '","key":',
                        to_json(coalesce(keys, '{}')), ',"columns":', to_json(columns), '}');
BEGIN
    RETURN CASE WHEN octet_length(head) < 7900 THEN head END;
END
$$;

-- The query that sends a change for each row of `rows`, which can stand in FROM: changed_rows, or a row in parentheses; with `old_rows`, which
-- has the old rows in the same order, with old values. Its $1 is the channel, $2 the beginning of every payload that stands for itself, $3 that of
-- the rows of the statement whose beginning was sent, or null: then each stands for itself. More are the rows' own.
--
-- Columns are named, never taken out of a row as a whole: with transition tables, PostgreSQL takes the wrong one when an earlier column was
-- dropped. The whole row is n.*, which n is not when there is a column n.
CREATE OR REPLACE FUNCTION tuplecast.bulk_query(relation oid, names text[], rows text, old_rows text) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    keys text[] := tuplecast.key_columns(relation);
    sent text[] := tuplecast.sent_columns(relation, names);
    own text := 'tuplecast ';
    id text := '''null''';
    changed text := 'NULL::text';
    old text := 'NULL::text';
    compact text;
    size text;
    whole text;
    side text;
BEGIN
    -- Columns of ours beside the table's own need names that those do not have.
    WHILE EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND starts_with(attname, own)) LOOP
        own := own || '+';
    END LOOP;
    compact := format('$3 || n.%I || '']''', own);
    size := format('octet_length(n.%I)', own);
    whole := format('CASE WHEN %%1$s.%I IS NOT NULL THEN concat(''{'', %%2$s, ''}'') ELSE '''' END', own);
    -- A row of more than 500,000 bytes does not fit in any case, and is not made text: what a compressed one expands to, escaped, must
    -- stay below 1 GB, where text ends. To know it, the values without a bound are measured; when there are many of them, the row as a whole, so that
    -- the expression is not too deep.
    SELECT replace(format('(SELECT n.*, CASE WHEN %s <= 500000 THEN %s END AS %I FROM ',
                          CASE WHEN count(*) > 50 THEN 'pg_column_size(n.*)'
                               ELSE coalesce(string_agg(format('coalesce(pg_column_size(n.%I), 0)', attname), ' + ' ORDER BY attnum), '0') END,
                          tuplecast.values_of(relation, sent, 'n', false), own), '%', '%%') || '%s n)'
      INTO side FROM pg_attribute WHERE attrelid = relation AND attlen < 0 AND attname = ANY (sent);
    IF array_length(keys, 1) = 1 THEN
        id := tuplecast.values_of(relation, keys, 'n', false);
    ELSIF keys IS NOT NULL THEN
        id := format('concat(''{'', %s, ''}'')', tuplecast.values_of(relation, keys, 'n', true));
    END IF;
    IF NOT sent @> coalesce(keys, '{}') THEN
        compact := compact || ' || '',"id":'' || ' || id;
        size := size || ' + octet_length(' || id || ')';
    END IF;
    IF old_rows IS NULL THEN
        rows := format(side, rows) || ' n';
    ELSE
        -- By their bytes, because some types have no equality, or one that is anybody's function. Where it is known to be the same and built in,
        -- equality is faster.
        SELECT string_agg(format('CASE WHEN ' || CASE
                   WHEN atttypid IN ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype, 'date'::regtype,
                                     'timestamp'::regtype, 'timestamptz'::regtype) THEN 'o.%1$I IS DISTINCT FROM n.%1$I'
                   WHEN atttypid IN ('text'::regtype, 'varchar'::regtype) THEN 'o.%1$I COLLATE "C" IS DISTINCT FROM n.%1$I'
                   ELSE 'ROW(o.%1$I)::record OPERATOR(pg_catalog.*<>) ROW(n.%1$I)::record' END || ' THEN %2$L END',
                   attname, to_json(attname::text)::text), ', ' ORDER BY attnum)
          INTO changed FROM pg_attribute WHERE attrelid = relation AND attname = ANY (sent);
        changed := format('''['' || array_to_string(ARRAY[%s]::text[], '','') || '']''', changed);
        old := format(whole, 'o', tuplecast.values_of(relation, sent, 'o', true));
        compact := compact || format(' || '',"old":['' || o.%I || '']''', own);
        size := size || format(' + octet_length(o.%I)', own);
        side := replace(side, 'SELECT n.*', replace(format('SELECT row_number() OVER () AS %I, n.*', own || 'number'), '%', '%%'));
        rows := format(side, rows) || ' n JOIN ' || format(side, old_rows) || format(' o USING (%I)', own || 'number');
    END IF;
    -- Rows without a key may be equal, and a row may be changed twice by one statement, in a cascade: hence the serial number. A query within the query,
    -- because no row of a plan has more than 1,664 columns, and the two rows together may have twice as many.
    RETURN format('SELECT count(pg_notify($1, payload)) FROM'
                  ' (SELECT CASE WHEN $3 IS NOT NULL AND %s < 6000 THEN %s || '',"n":'' || nextval(''tuplecast.serial'') || ''}'''
                  ' ELSE tuplecast.payload($2 || nextval(''tuplecast.serial'') || '',"id":'', %s, %s, %s, %s) END AS payload FROM %s OFFSET 0) c',
                  size, compact, id, format(whole, 'n', tuplecast.values_of(relation, sent, 'n', true)), old, changed, rows);
END
$$;

-- What stands before the serial number in each payload that stands for itself.
CREATE OR REPLACE FUNCTION tuplecast.payload_head(table_schema text, table_name text, operation text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN '{"schema":' || to_json(table_schema)::text || ',"table":' || to_json(table_name)::text || ',"type":"' || operation || '","_":';
END
$$;

-- Statement level. There are three ways: most statements change one row, and what that costs is what writers feel, so it is done with one query and
-- as few expressions as can be (each is set up anew in each transaction); a few rows go a way that needs no planning; many rows, or large ones,
-- are worth a query of their own, which names the table's columns. Triggers of no special kind have a function of their own, which puts one more way
-- before these (below, slots).
--
-- The first way has no search_path of its own either, which would be a tenth of its cost: until the others set it, every name and every
-- operator says its schema.
--
-- STABLE is not the truth, but spares a snapshot for each expression; nothing here writes to a table, and the planner never sees a trigger function.
CREATE OR REPLACE FUNCTION tuplecast.live_statement() RETURNS trigger
LANGUAGE plpgsql STABLE SECURITY DEFINER
AS $$
DECLARE
    row_json pg_catalog.json;
    more boolean;
    rows pg_catalog.json[];
    olds pg_catalog.json[];
    keys pg_catalog.text[];
    names pg_catalog.text[];
    with_old boolean;
    head pg_catalog.text;
    statement_head pg_catalog.text;
    number pg_catalog.text;
    settings pg_catalog.text[];
BEGIN
    SELECT CASE WHEN pg_catalog.pg_column_size(n.*) OPERATOR(pg_catalog.<=) 500000 THEN pg_catalog.row_to_json(n.*) END,
           EXISTS (SELECT FROM changed_rows OFFSET 1)
      INTO row_json, more FROM changed_rows n LIMIT 1;
    -- Neither the key, which is part of the row, nor the names before it can make this too long.
    IF NOT more AND pg_catalog.octet_length(row_json::pg_catalog.text) OPERATOR(pg_catalog.<) 3000
       AND coalesce(TG_ARGV[1], '') OPERATOR(pg_catalog.=) ''
       AND pg_catalog.current_setting(pg_catalog.concat('tuplecast.key_', pg_catalog.pg_get_replica_identity_index(TG_RELID)::pg_catalog.oid), true)
           OPERATOR(pg_catalog.=) 'yes' THEN
        IF pg_catalog.pg_notify(TG_ARGV[0], pg_catalog.concat(
               '{"schema":', pg_catalog.to_json(TG_TABLE_SCHEMA::pg_catalog.text), ',"table":', pg_catalog.to_json(TG_TABLE_NAME::pg_catalog.text),
               ',"type":"', TG_OP, '","_":', pg_catalog.nextval('tuplecast.serial'), ',"id":',
               row_json OPERATOR(pg_catalog.->)
                   (pg_catalog.parse_ident(pg_catalog.pg_get_indexdef(pg_catalog.pg_get_replica_identity_index(TG_RELID), 1, true)))[1],
               ',"data":', row_json, '}')) IS NULL THEN
        END IF;
        RETURN NULL;
    ELSIF more IS NULL THEN
        RETURN NULL; -- the statement met no row
    END IF;

    -- Nobody else's names from here on. To compile a query for the processor takes longer than it runs, and a little memory spares the joining of
    -- old rows with new ones its files. Put back in the end, because all of it lasts as long as the transaction.
    settings := ARRAY[pg_catalog.current_setting('search_path'), pg_catalog.current_setting('jit'), pg_catalog.current_setting('work_mem')];
    IF pg_catalog.concat(pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), pg_catalog.set_config('jit', 'off', true)) IS NULL THEN
    END IF;
    with_old := false;
    IF coalesce(TG_ARGV[1], '') <> '' THEN
        with_old := TG_OP = 'UPDATE' AND coalesce((TG_ARGV[1]::json ->> 'old')::boolean, false);
        IF TG_ARGV[1]::json -> 'columns' IS NOT NULL THEN
            names := ARRAY(SELECT json_array_elements_text(TG_ARGV[1]::json -> 'columns'));
        END IF;
    END IF;
    rows := ARRAY[row_json];
    IF more THEN
        rows := ARRAY(SELECT CASE WHEN pg_column_size(n.*) <= 500000 THEN row_to_json(n.*) END FROM changed_rows n LIMIT 17);
    END IF;
    IF with_old THEN
        -- Both tables hold the rows in the same order; keys may have changed.
        olds := ARRAY(SELECT CASE WHEN pg_column_size(n.*) <= 500000 THEN row_to_json(n.*) END FROM old_rows n LIMIT 17);
    END IF;
    head := tuplecast.payload_head(TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP);
    IF array_length(rows, 1) > 16 OR array_position(rows::text[], NULL) IS NOT NULL
       OR (with_old AND array_position(olds::text[], NULL) IS NOT NULL) THEN
        IF with_old AND pg_size_bytes(settings[3]) < 67108864 THEN
            PERFORM set_config('work_mem', '64MB', true);
        END IF;
        statement_head := tuplecast.statement_head(TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP, tuplecast.key_columns(TG_RELID), tuplecast.sent_columns(TG_RELID, names));
        IF statement_head IS NOT NULL THEN
            number := nextval('tuplecast.serial');
            PERFORM pg_notify(TG_ARGV[0], concat('{"_":', number, statement_head));
        END IF;
        EXECUTE tuplecast.bulk_query(TG_RELID, names, 'changed_rows', CASE WHEN with_old THEN 'old_rows' END)
          USING TG_ARGV[0], head, '{"_":' || number || ',"row":[';
    ELSE
        keys := tuplecast.key_columns(TG_RELID);
        FOR i IN 1 .. array_length(rows, 1) LOOP
            IF tuplecast.send(TG_ARGV[0], head, keys, names, rows[i], olds[i]) THEN
            END IF;
        END LOOP;
    END IF;
    IF concat(set_config('work_mem', settings[3], true), set_config('jit', settings[2], true),
              set_config('search_path', settings[1], true)) IS NULL THEN
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tuplecast.live_statement() IS 'tuplecast: sends a statement''s changes to the channel named by the first argument';

-- The table that a trigger was put on, of which this one, on a partition, is a clone.
CREATE OR REPLACE FUNCTION tuplecast.trigger_table(relation oid, trigger_name name) RETURNS TABLE (table_schema text, table_name text)
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

-- Row level, and TRUNCATE. A trigger on a partitioned table is at work in its partitions; what it sends names the table that it was put on. Slots
-- stand in front of this one, too: hence the search_path as in live_statement().
CREATE OR REPLACE FUNCTION tuplecast.live() RETURNS trigger
LANGUAGE plpgsql STABLE SECURITY DEFINER
AS $$
DECLARE
    names pg_catalog.text[];
    with_old boolean;
    table_schema pg_catalog.text;
    table_name pg_catalog.text;
    head pg_catalog.text;
    row_json pg_catalog.json;
    old_json pg_catalog.json;
    writers_path pg_catalog.text;
BEGIN
    writers_path := pg_catalog.current_setting('search_path');
    IF pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true) IS NULL THEN
    END IF;
    with_old := false;
    table_schema := TG_TABLE_SCHEMA;
    table_name := TG_TABLE_NAME;
    IF coalesce(TG_ARGV[1], '') <> '' AND TG_OP <> 'TRUNCATE' THEN
        with_old := TG_OP = 'UPDATE' AND coalesce((TG_ARGV[1]::json ->> 'old')::boolean, false);
        IF TG_ARGV[1]::json -> 'columns' IS NOT NULL THEN
            names := ARRAY(SELECT json_array_elements_text(TG_ARGV[1]::json -> 'columns'));
        END IF;
    END IF;
    IF pg_partition_root(TG_RELID) <> TG_RELID THEN
        SELECT t.table_schema, t.table_name INTO table_schema, table_name FROM tuplecast.trigger_table(TG_RELID, TG_NAME) t;
    END IF;
    head := tuplecast.payload_head(table_schema, table_name, TG_OP);
    IF TG_OP = 'DELETE' THEN
        NEW := OLD;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM tuplecast.send(TG_ARGV[0], head, NULL, NULL, 'null', NULL);
    ELSIF pg_column_size(NEW) > 500000 OR (with_old AND pg_column_size(OLD) > 500000) THEN
        EXECUTE tuplecast.bulk_query(TG_RELID, names, '(SELECT ($4).*)', CASE WHEN with_old THEN '(SELECT ($5).*)' END)
          USING TG_ARGV[0], head, NULL::text, NEW, OLD;
    ELSE
        row_json := row_to_json(NEW);
        IF with_old THEN
            old_json := row_to_json(OLD);
        END IF;
        IF tuplecast.send(TG_ARGV[0], head, tuplecast.key_columns(TG_RELID), names, row_json, old_json) THEN
        END IF;
    END IF;
    IF set_config('search_path', writers_path, true) IS NULL THEN
    END IF;
    RETURN NULL;
END
$$;
