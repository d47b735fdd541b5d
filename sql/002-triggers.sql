-- tuplecast, version 2: live triggers at statement level, with columns, old values and conditions; put, dropped and listed safely.
--
-- Triggers of version 1 go on working: their function is replaced under them. Putting one again gives it its new shape.
--
-- A logical trigger NAME is up to four of PostgreSQL's on one table, its parts: tuplecast:NAME:row, :insert, :update, :delete, :truncate.
-- Their first argument is the channel; the second, unless it is missing or empty, is JSON of what is not default: columns, old, update_of, where;
-- the third, when there is one, are the operations, unless they are all four. A trigger is ours when it has such a name and its function is in our schema: nothing else is listed, replaced or dropped.

INSERT INTO tuplecast.version (version) VALUES (2);

DROP FUNCTION tuplecast.put_trigger(text, text, text, text, text[]);
DROP FUNCTION tuplecast.drop_trigger(text);
DROP FUNCTION tuplecast.drop_parts(text, oid);
DROP FUNCTION tuplecast.get_trigger(text);
DROP FUNCTION tuplecast.list_triggers(text, text, text);
DROP FUNCTION tuplecast.trigger_json(tuplecast.triggers);
DROP VIEW tuplecast.triggers;

-- Numbers need to differ within a transaction only, so each session takes many at once: nobody waits for the sequence.
ALTER SEQUENCE tuplecast.serial CACHE 1000;

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
CREATE FUNCTION tuplecast.key_columns(relation oid) RETURNS text[]
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
CREATE FUNCTION tuplecast.pick(row_json json, names text[]) RETURNS text
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
CREATE FUNCTION tuplecast.changed_members(old_json json, new_json json, names text[]) RETURNS text
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
CREATE FUNCTION tuplecast.payload(head text, id text, data text, old text, changed text) RETURNS text
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
CREATE FUNCTION tuplecast.send(channel text, head text, keys text[], names text[], row_json json, old_json json) RETURNS boolean
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
CREATE FUNCTION tuplecast.sent_columns(relation oid, names text[]) RETURNS text[]
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(array_agg(attname::text ORDER BY array_position(names, attname::text), attnum), '{}') FROM pg_catalog.pg_attribute
     WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND (names IS NULL OR attname = ANY (names))
$$;

-- Columns of the row that `alias` stands for, as an expression: each as JSON, as row_to_json writes it, with commas between; with labels, each behind
-- its name. Integers are written at half the cost. A function takes a hundred arguments at most.
CREATE FUNCTION tuplecast.values_of(relation oid, columns text[], alias text, labels boolean) RETURNS text
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
CREATE FUNCTION tuplecast.statement_head(table_schema text, table_name text, operation text, keys text[], columns text[]) RETURNS text
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
CREATE FUNCTION tuplecast.bulk_query(relation oid, names text[], rows text, old_rows text) RETURNS text
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
CREATE FUNCTION tuplecast.payload_head(table_schema text, table_name text, operation text) RETURNS text
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
CREATE FUNCTION tuplecast.live_statement() RETURNS trigger
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

-- Row level, and TRUNCATE. A trigger on a partitioned table is at work in its partitions; what it sends names the table that it was put on.
CREATE OR REPLACE FUNCTION tuplecast.live() RETURNS trigger
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    names text[];
    with_old boolean := false;
    table_schema text := TG_TABLE_SCHEMA;
    table_name text := TG_TABLE_NAME;
    head text;
    row_json json;
    old_json json;
BEGIN
    IF coalesce(TG_ARGV[1], '') <> '' AND TG_OP <> 'TRUNCATE' THEN
        with_old := TG_OP = 'UPDATE' AND coalesce((TG_ARGV[1]::json ->> 'old')::boolean, false);
        IF TG_ARGV[1]::json -> 'columns' IS NOT NULL THEN
            names := ARRAY(SELECT json_array_elements_text(TG_ARGV[1]::json -> 'columns'));
        END IF;
    END IF;
    IF pg_partition_root(TG_RELID) <> TG_RELID THEN
        WITH RECURSIVE up AS (
            SELECT tgrelid, tgparentid FROM pg_trigger WHERE tgrelid = TG_RELID AND tgname = TG_NAME
            UNION ALL
            SELECT t.tgrelid, t.tgparentid FROM up JOIN pg_trigger t ON t.oid = up.tgparentid
        )
        SELECT nspname, relname INTO table_schema, table_name
          FROM up JOIN pg_class c ON c.oid = up.tgrelid JOIN pg_namespace s ON s.oid = c.relnamespace
         WHERE up.tgparentid = 0;
    END IF;
    head := tuplecast.payload_head(table_schema, table_name, TG_OP);
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM tuplecast.send(TG_ARGV[0], head, NULL, NULL, 'null', NULL);
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        NEW := OLD;
    END IF;
    IF pg_column_size(NEW) > 500000 OR (with_old AND pg_column_size(OLD) > 500000) THEN
        EXECUTE tuplecast.bulk_query(TG_RELID, names, '(SELECT ($4).*)', CASE WHEN with_old THEN '(SELECT ($5).*)' END)
          USING TG_ARGV[0], head, NULL::text, NEW, OLD;
        RETURN NULL;
    END IF;
    row_json := row_to_json(NEW);
    IF with_old THEN
        old_json := row_to_json(OLD);
    END IF;
    IF tuplecast.send(TG_ARGV[0], head, tuplecast.key_columns(TG_RELID), names, row_json, old_json) THEN
    END IF;
    RETURN NULL;
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- Slots: functions of triggers of no special kind
--
-- A change of one row costs the writer little more than what the function looks up: names, key, arguments. PostgreSQL keeps the plan of a query for as
-- long as the session lives, and plans anew when the table is altered; so what is written into the query as a constant need not be looked up.
-- Therefore such a trigger (statement level, no options) has a function of its own, tuplecast.live_<number>, a slot. It is live_statement() with one
-- query in front, the fast way, which names the table, its key and the columns to be measured, and sends everything.
--
-- The fast way is right only while all that is as it was. is_current() says so; being declared IMMUTABLE (which is not the truth) it is asked when the
-- query is planned and not when it runs. After ALTER TABLE, live_statement() does the work; to put the trigger again makes it fast again. A slot
-- without a trigger is taken by the next one.
-- The query must be possible to plan whatever has become of the table: each column that it names stands in a row of nulls around it, too, where the name is
-- found when the table has it no more, and is cast to text before anything is done with it.
------------------------------------------------------------------------------------------------------------------------------------------

-- The fast way of a table, with $current for the question whether it is right; null when there is none: a type of somebody's own has
-- output of unknown length (and may bring a function), and very many columns are better looked up.
--
-- Up to sixteen rows are sent each by itself, which takes little to set up; the rest as a statement and its rows, which takes little for each. In an IF, a
-- query that answers with no row is as good as false, and spares the writer an expression. Where old values are wanted, one row goes this way.
CREATE FUNCTION tuplecast.fast_way(relation oid, operation text, channel text, with_old boolean) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    keys text[] := coalesce(tuplecast.key_columns(relation), '{}');
    columns text[] := tuplecast.sent_columns(relation, NULL);
    source record; -- the names of schema and table
    head text;
    id text := 'null'; -- as a format of format()
    id_values text := '';
    measures text[] := '{}';
    measure text;
    named text[] := '{}';
    fixed integer := 100; -- the largest length of what is not measured
    c record;
BEGIN
    SELECT nspname, relname INTO source FROM pg_class r JOIN pg_namespace s ON s.oid = r.relnamespace WHERE r.oid = relation;
    head := tuplecast.payload_head(source.nspname, source.relname, operation);
    fixed := fixed + octet_length(head);
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
            RETURN NULL;
        END IF;
        fixed := fixed + octet_length(to_json(c.name)::text) * CASE WHEN c.is_key THEN 2 ELSE 1 END + c.width * CASE WHEN c.is_key THEN 2 ELSE 1 END + 10;
        IF c.width = 0 THEN
            -- The length of a text is known without looking at it. What is large of another type is not made text to be measured.
            measures := measures || format(
                CASE WHEN c.type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
                     THEN 'COALESCE(pg_catalog.octet_length(%1$s::pg_catalog.text), 0)'
                     ELSE 'CASE WHEN pg_catalog.pg_column_size(%1$s) OPERATOR(pg_catalog.>) 1200 THEN 10000'
                          ' ELSE COALESCE(pg_catalog.octet_length(%1$s::pg_catalog.text), 0) END' END, c.quoted);
            IF c.is_key THEN
                measures := measures || measures[cardinality(measures)];
            END IF;
        END IF;
        IF c.is_key OR c.width = 0 OR with_old THEN
            named := named || c.quoted;
        END IF;
    END LOOP;
    IF fixed > 5000 THEN
        RETURN NULL;
    END IF;
    IF cardinality(keys) > 0 THEN
        SELECT string_agg(CASE WHEN cardinality(keys) = 1 THEN '%s' ELSE replace(to_json(k)::text, '%', '%%') || ':%s' END, ',' ORDER BY i),
               string_agg(format(CASE WHEN atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN ', %I'
                                      ELSE ', pg_catalog.to_json(%I)' END, k), '' ORDER BY i)
          INTO id, id_values
          FROM unnest(keys) WITH ORDINALITY AS u (k, i) JOIN pg_attribute ON attrelid = relation AND attname = k;
        IF cardinality(keys) > 1 THEN
            id := '{' || id || '}';
        END IF;
    END IF;
    measure := coalesce(array_to_string(NULLIF(measures, '{}'), ' OPERATOR(pg_catalog.+) '), '0');
    IF with_old THEN
        RETURN tuplecast.fast_way_with_old(named, measure, (7900 - 2 * fixed) / 12, channel, replace(head, '%', '%%') || '%s,"id":' || id, id_values);
    END IF;
    -- A byte of a text is six at most in JSON.
    measure := format('%s OPERATOR(pg_catalog.<) %s', measure, (7900 - fixed) / 6);
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
        IF pg_catalog.current_setting('tuplecast.unsent', true) IS DISTINCT FROM 'yes' THEN
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
        coalesce((SELECT string_agg(format('NULL::pg_catalog.text AS %s', name), ', ' ORDER BY i) FROM unnest(named) WITH ORDINALITY AS u (name, i)), ''),
        measure, channel, replace(head, '%', '%%') || '%s,"id":' || id || ',"data":%s}', id_values, head,
        CASE WHEN cardinality(keys) > 0 THEN format('pg_catalog.format(%L%s)', id, id_values) ELSE '''null''' END,
        tuplecast.statement_head(source.nspname, source.relname, operation, keys, columns), tuplecast.values_of(relation, columns, 'n', false),
        -- One statement inserts or deletes a row once; equal ones can only come when there is no key, or from updates in a cascade.
        CASE WHEN operation <> 'UPDATE' AND EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND indisprimary AND indimmediate) THEN ''']}'''
             ELSE 'pg_catalog.concat(''],"n":'', pg_catalog.nextval(''tuplecast.serial''), ''}'')' END);
END
$$;

-- The same with old values. `named` are all columns; measure and limit are for one row of the two, `head` and `id_values` for format(). The inner query
-- becomes part of the outer one: nothing of the old row is made text before it is measured.
CREATE FUNCTION tuplecast.fast_way_with_old(named text[], measure text, size_limit integer, channel text, head text, id_values text) RETURNS text
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
        string_agg(format('NULL::pg_catalog.text AS %s', name), ', ' ORDER BY i), measure,
        string_agg(format('%s::pg_catalog.text AS "tuplecast''s %s"', name, i), ', ' ORDER BY i), size_limit, channel,
        head || ',"data":%s,"old":%s,"changed":[%s]}', id_values,
        string_agg(format('CASE WHEN %s::pg_catalog.text COLLATE "C" IS DISTINCT FROM o."tuplecast''s %s" THEN %L END', name, i,
                          to_json((parse_ident(name))[1])::text), ', ' ORDER BY i))
      FROM unnest(named) WITH ORDINALITY AS u (name, i)
$$;

-- The fast way of a slot: kind is live, or what later versions know; argument is the trigger's second.
CREATE FUNCTION tuplecast.slot_way(kind text, relation oid, operation text, channel text, argument text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT tuplecast.fast_way(relation, operation, channel, coalesce(argument, '') <> '' AND operation = 'UPDATE')
     WHERE kind = 'live' AND coalesce(argument, '') IN ('', '{"old":true}')
$$;

-- A row that may be too long for the fast way. True, as the fast way wants it.
CREATE FUNCTION tuplecast.send_long(channel text, head text, id text, changed record) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN pg_notify(channel, tuplecast.payload(head || nextval('tuplecast.serial') || ',"id":', id,
                                                CASE WHEN pg_column_size(changed) <= 500000 THEN row_to_json(changed)::text ELSE '' END,
                                                NULL, NULL)) IS NOT NULL;
END
$$;

-- The arguments of a trigger, out of its row in pg_trigger.
CREATE FUNCTION tuplecast.arguments(tgargs bytea) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text[] := '{}';
BEGIN
    WHILE position('\x00'::bytea IN tgargs) > 0 LOOP
        answer := answer || convert_from(substring(tgargs FROM 1 FOR position('\x00'::bytea IN tgargs) - 1), getdatabaseencoding());
        tgargs := substring(tgargs FROM position('\x00'::bytea IN tgargs) + 1);
    END LOOP;
    RETURN answer;
END
$$;

-- Is the fast way that has this digest the one that the only trigger of the slot would get now? A transaction whose snapshot is older than the
-- plan may not see what has become of the table: there the answer is no. It must not fail: the writer would.
CREATE FUNCTION tuplecast.is_current(slot integer, digest text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
BEGIN
    IF current_setting('transaction_isolation') LIKE 'read %' THEN
        SELECT tgrelid, tgtype, tgargs, kind INTO STRICT t FROM unnest('{live,durable}'::text[]) kind
          JOIN pg_trigger ON tgfoid = to_regprocedure(format('tuplecast.%s_%s()', kind, slot));
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
CREATE FUNCTION tuplecast.make_slot(slot integer, relation regclass, operation text, channel text, kind text DEFAULT 'live', argument text DEFAULT '') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    way text := tuplecast.slot_way(kind, relation, operation, channel, argument);
    body text := (SELECT prosrc FROM pg_proc WHERE oid = to_regprocedure(format('tuplecast.%I()', kind || '_statement')));
    start integer := position(E'\nBEGIN\n' IN body) + length(E'\nBEGIN\n');
BEGIN
    IF NOT coalesce(has_table_privilege(session_user, relation, 'TRIGGER'), false) THEN
        RAISE insufficient_privilege USING MESSAGE = format('permission denied: %s may not put triggers on %s.', session_user, relation);
    ELSIF way IS NULL OR coalesce(slot NOT BETWEEN 1 AND 999999, true)
          OR EXISTS (SELECT FROM pg_trigger WHERE tgfoid = to_regprocedure(format('tuplecast.%I()', kind || '_' || slot)) AND tgrelid <> relation) THEN
        RAISE invalid_parameter_value USING MESSAGE = format('Slot %s cannot be made for %s.', slot, relation);
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION tuplecast.%I() RETURNS trigger LANGUAGE plpgsql %s SECURITY DEFINER AS %L', kind || '_' || slot,
                   CASE kind WHEN 'live' THEN 'STABLE' ELSE 'VOLATILE' END,
                   E'\n#variable_conflict use_column' || left(body, start - 1)
                   || replace(way, '$current', format('tuplecast.is_current(%s, %L)', slot, md5(way))) || substr(body, start));
END
$$;

-- A slot that no trigger has, and nobody else takes before the transaction ends.
CREATE FUNCTION tuplecast.take_slot(taken integer[]) RETURNS integer
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
CREATE FUNCTION tuplecast.used_slots() RETURNS integer[]
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ARRAY(SELECT substring(proname FROM '[0-9]+')::integer FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid
                  WHERE pronamespace = 'tuplecast'::regnamespace AND proname ~ '^(live|durable)_[0-9]{1,6}$')
$$;

REVOKE EXECUTE ON FUNCTION tuplecast.key_columns(oid), tuplecast.key_of(oid, json), tuplecast.pick(json, text[]),
    tuplecast.changed_members(json, json, text[]), tuplecast.payload(text, text, text, text, text),
    tuplecast.send(text, text, text[], text[], json, json), tuplecast.bulk_query(oid, text[], text, text),
    tuplecast.sent_columns(oid, text[]), tuplecast.values_of(oid, text[], text, boolean), tuplecast.statement_head(text, text, text, text[], text[]),
    tuplecast.fast_way_with_old(text[], text, integer, text, text, text), tuplecast.payload_head(text, text, text), tuplecast.send_long(text, text, text, record), tuplecast.is_current(integer, text)
    FROM PUBLIC;

------------------------------------------------------------------------------------------------------------------------------------------
-- What there is
--
-- These functions run with the caller's rights: who may not change a table cannot do it through them either.
------------------------------------------------------------------------------------------------------------------------------------------

-- The second argument of a trigger; {} when it is not JSON, because anybody may make a trigger with our function by hand.
CREATE FUNCTION tuplecast.options(argument text) RETURNS json
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF argument <> '' AND json_typeof(argument::json) = 'object' AND coalesce(json_typeof(argument::json -> 'columns'), 'array') = 'array'
       AND coalesce(json_typeof(argument::json -> 'where'), 'array') = 'array' THEN
        RETURN argument;
    END IF;
    RETURN '{}';
EXCEPTION WHEN data_exception THEN
    RETURN '{}';
END
$$;

-- PostgreSQL's triggers that are ours, each with the definition that it carries.
CREATE VIEW tuplecast.parts AS
SELECT t.oid AS trigger,
       t.tgname AS full_name,
       substring(t.tgname FROM '^tuplecast:(.*):') AS name,
       substring(t.tgname FROM '[a-z]+$') AS part,
       t.tgrelid AS relation,
       t.tgtype AS type,
       t.tgenabled AS state,
       a.arguments[1] AS channel,
       a.arguments[2] AS argument,
       string_to_array(a.arguments[3], ' ') AS operations,
       ARRAY(SELECT attname::text FROM unnest(t.tgattr) WITH ORDINALITY AS u (number, position)
               JOIN pg_attribute ON attrelid = t.tgrelid AND attnum = u.number ORDER BY u.position) AS update_of,
       (SELECT substring(proname FROM '^(?:live|durable)_([0-9]{1,6})$')::integer FROM pg_proc WHERE oid = t.tgfoid) AS slot
  FROM pg_trigger t
  CROSS JOIN LATERAL tuplecast.arguments(t.tgargs) AS a (arguments)
 WHERE t.tgfoid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace
                                               AND proname ~ '^(live|durable)(_statement|_[0-9]{1,6})?$') AND t.tgparentid = 0
   AND t.tgname ~ '^tuplecast:.*:(row|insert|update|delete|truncate)$';

CREATE VIEW tuplecast.triggers AS
SELECT p.name,
       n.nspname::text AS schema,
       c.relname::text AS "table",
       p.channel,
       p.operations,
       tuplecast.options(p.argument) AS options,
       coalesce(p.intended, '{INSERT,UPDATE,DELETE,TRUNCATE}') AS intended,
       NULLIF(p.update_of, '{}') AS update_of,
       p.row_level,
       p.enabled,
       p.equal,
       p.parts,
       p.relation
  FROM (SELECT name,
               relation,
               min(channel) AS channel,
               min(argument) AS argument,
               min(operations) AS intended,
               array_remove(ARRAY[CASE WHEN bit_or(type) & 4 > 0 THEN 'INSERT' END,
                                  CASE WHEN bit_or(type) & 16 > 0 THEN 'UPDATE' END,
                                  CASE WHEN bit_or(type) & 8 > 0 THEN 'DELETE' END,
                                  CASE WHEN bit_or(type) & 32 > 0 THEN 'TRUNCATE' END], NULL) AS operations,
               max(update_of) AS update_of,
               bit_or(type) & 1 > 0 AS row_level,
               bool_and(state <> 'D') AS enabled,
               min(channel) IS NOT DISTINCT FROM max(channel) AND min(argument) IS NOT DISTINCT FROM max(argument) AS equal,
               array_agg(part ORDER BY part) AS parts
          FROM tuplecast.parts
         GROUP BY name, relation) p
  JOIN pg_class c ON c.oid = p.relation
  JOIN pg_namespace n ON n.oid = c.relnamespace;

-- Is a trigger on this table, as it is now, at row level whatever its definition? Rows that come by way of a parent table are unseen by
-- statement triggers of the child, and the other way round.
CREATE FUNCTION tuplecast.needs_row_level(wanted oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT relkind <> 'r' OR relispartition OR EXISTS (SELECT FROM pg_inherits WHERE wanted IN (inhrelid, inhparent))
      FROM pg_class WHERE oid = wanted
$$;

-- What is not as it was when the trigger was put, in sentences.
CREATE FUNCTION tuplecast.stale(t tuplecast.triggers) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH gone AS (
        SELECT DISTINCT 'columns' AS list, name FROM json_array_elements_text(t.options -> 'columns') name
        UNION ALL
        SELECT DISTINCT 'where', item ->> 'column' FROM json_array_elements(t.options -> 'where') item
        EXCEPT ALL
        SELECT list, attname::text FROM (VALUES ('columns'), ('where')) AS lists (list), pg_attribute
         WHERE attrelid = t.relation AND attnum > 0 AND NOT attisdropped
    )
    SELECT array_remove(
               ARRAY[CASE WHEN NOT t.enabled THEN 'The trigger, or a part of it, is disabled: it sends nothing, or not everything.' END,
                     CASE WHEN NOT t.equal THEN 'Its parts differ from each other: put it again.' END,
                     CASE WHEN NOT t.row_level AND t.operations <> '{TRUNCATE}' AND tuplecast.needs_row_level(t.relation)
                          THEN 'The table has become a partition or part of an inheritance tree: changes that come by way of another '
                               'table are missing. Put the trigger again.' END]
               || ARRAY(SELECT format('%s: column "%s" is not there any more%s', list, name,
                                      CASE list WHEN 'columns' THEN ', so it is not sent.'
                                                ELSE ' under this name; the condition goes on with the column that had it.' END)
                          FROM gone ORDER BY list, name)
               || ARRAY(SELECT format('%s is missing: a part of the trigger was dropped.', operation)
                          FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) WITH ORDINALITY AS o (operation, position)
                         WHERE lower(operation) <> ALL (t.parts) AND 'row' <> ALL (t.parts)
                           AND operation = ANY (t.intended)
                         ORDER BY position), NULL)
$$;

CREATE FUNCTION tuplecast.trigger_json(t tuplecast.triggers) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text := json_strip_nulls(json_build_object(
        'name', t.name, 'schema', t.schema, 'table', t."table", 'channel', t.channel, 'operations', t.operations,
        'columns', t.options -> 'columns', 'update_of', t.update_of, 'old', coalesce(t.options ->> 'old' = 'true', false),
        'durable', coalesce(t.options ->> 'durable' = 'true', false), 'where', t.options -> 'where', 'level', CASE WHEN t.row_level THEN 'row' ELSE 'statement' END,
        'enabled', t.enabled, 'stale', tuplecast.stale(t)))::text;
BEGIN
    RETURN left(answer, -1) || ',"etag":"' || left(md5(answer), 16) || '"}';
END
$$;

CREATE FUNCTION tuplecast.list_triggers(of_schema text, of_table text, of_channel text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{"items":[' || coalesce(string_agg(tuplecast.trigger_json(t), ',' ORDER BY t.name, t.schema, t."table"), '') || ']}'
      FROM tuplecast.triggers t
     WHERE (of_schema IS NULL OR t.schema = of_schema) AND (of_table IS NULL OR t."table" = of_table)
       AND (of_channel IS NULL OR t.channel = of_channel)
$$;

-- The one of that name, or null. Should there be several, on different tables, made by hand: the one that was made first.
CREATE FUNCTION tuplecast.find_trigger(trigger_name text) RETURNS tuplecast.triggers
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t FROM tuplecast.triggers t WHERE t.name = trigger_name
     ORDER BY (SELECT min(trigger) FROM tuplecast.parts p WHERE p.name = t.name AND p.relation = t.relation) LIMIT 1
$$;

CREATE FUNCTION tuplecast.get_trigger(trigger_name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found tuplecast.triggers := tuplecast.find_trigger(trigger_name);
BEGIN
    IF found.relation IS NULL THEN
        RAISE no_data_found USING MESSAGE = format('There is no trigger "%s" of ours.', trigger_name),
                                  HINT = 'GET /triggers lists those that there are.';
    END IF;
    RETURN tuplecast.trigger_json(found);
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- Changing them
------------------------------------------------------------------------------------------------------------------------------------------

-- Why no trigger of ours can be on this table, to go on from its name, and what to do instead; nulls when one can.
CREATE FUNCTION tuplecast.why_not(wanted oid, OUT reason text, OUT advice text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c record;
BEGIN
    SELECT relkind, relpersistence, nspname INTO c
      FROM pg_class r JOIN pg_namespace s ON s.oid = relnamespace WHERE r.oid = wanted;
    CASE
        WHEN c.nspname IN ('pg_catalog', 'information_schema') OR c.nspname ~ '^pg_toast' THEN
            reason := 'belongs to PostgreSQL itself';
            advice := 'Changes of the catalog cannot be sent.';
        WHEN c.nspname = 'tuplecast' THEN
            reason := 'belongs to tuplecast itself';
            advice := 'Put the trigger on a table of yours.';
        WHEN c.relpersistence = 't' THEN
            reason := 'is a temporary table';
            advice := 'Its rows are seen by one session only. Put the trigger on a lasting table.';
        WHEN c.relkind IN ('r', 'p', 'f') THEN
            reason := NULL;
        WHEN c.relkind = 'v' THEN
            reason := 'is a view';
            advice := 'A view has no rows of its own: put the trigger on the tables beneath it.';
        WHEN c.relkind = 'm' THEN
            reason := 'is a materialized view';
            advice := 'PostgreSQL has no triggers on REFRESH: put the trigger on the tables beneath it.';
        WHEN c.relkind = 'S' THEN
            reason := 'is a sequence';
            advice := 'Put the trigger on the table that uses it.';
        WHEN c.relkind IN ('i', 'I') THEN
            reason := 'is an index';
            advice := 'Put the trigger on its table.';
        ELSE
            reason := 'is not a table';
            advice := 'Put the trigger on the table that the rows come from.';
    END CASE;
END
$$;

-- Takes the locks that DDL on the table needs, its partitions' too, within two seconds together: while it waits, every new writer waits
-- behind it. What is left of the time is the limit for whatever follows in the transaction.
CREATE FUNCTION tuplecast.lock_for_ddl(wanted regclass, lock_mode text, deadline timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part record;
    holders text;
BEGIN
    FOR part IN
        SELECT c.oid::regclass AS relation
          FROM (SELECT wanted, 0 UNION SELECT relid, level FROM pg_partition_tree(wanted)) AS p (relid, level)
          JOIN pg_class c ON c.oid = p.relid
         -- LOCK TABLE does not take foreign tables, nor tables that one has no more than the right to put triggers on: there the DDL itself
         -- has to wait.
         WHERE c.relkind <> 'f' AND has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
         ORDER BY p.level, c.oid
    LOOP
        PERFORM tuplecast.wait_until(deadline);
        EXECUTE format('LOCK TABLE ONLY %s IN %s MODE', part.relation, lock_mode);
    END LOOP;
    PERFORM tuplecast.wait_until(deadline);
EXCEPTION WHEN lock_not_available THEN
    SELECT string_agg(DISTINCT pid::text, ', ') INTO holders
      FROM pg_locks
     WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND relation = coalesce(part.relation, wanted) AND granted AND pid <> pg_backend_pid()
       AND (lock_mode = 'ACCESS EXCLUSIVE' OR mode NOT IN ('AccessShareLock', 'RowShareLock'));
    RAISE lock_not_available USING
        MESSAGE = format('Table %s is in use, and was not free within two seconds.', coalesce(part.relation, wanted)),
        DETAIL = 'Nothing was changed. A trigger is changed while no transaction that has written to the table is open.',
        HINT = coalesce(format('Held by the server process(es) %s (pg_stat_activity tells what they do). ', holders), '')
               || 'Try again when they have ended.';
END
$$;

CREATE FUNCTION tuplecast.wait_until(deadline timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT set_config('lock_timeout', greatest(1, ceil(extract(epoch FROM deadline - clock_timestamp()) * 1000))::text || 'ms', true)
$$;

-- If-Match and If-None-Match: null, '*', or entity tags with commas between. `etag` is null when there is no such trigger.
CREATE FUNCTION tuplecast.check_match(etag text, if_match text, if_none_match text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF if_match IS NOT NULL AND (etag IS NULL OR (if_match <> '*' AND etag <> ALL (regexp_split_to_array(if_match, '\s*,\s*')))) THEN
        RAISE SQLSTATE 'TC412' USING MESSAGE = CASE WHEN etag IS NULL THEN 'There is no such trigger.'
                                                    ELSE 'The trigger is not as it was any more.' END,
                                     HINT = 'GET it again, and decide anew.';
    END IF;
    IF if_none_match IS NOT NULL AND etag IS NOT NULL
       AND (if_none_match = '*' OR etag = ANY (regexp_split_to_array(if_none_match, '\s*,\s*'))) THEN
        RAISE SQLSTATE 'TC412' USING MESSAGE = 'The trigger exists already.', HINT = 'Without If-None-Match it is replaced.';
    END IF;
END
$$;

-- One condition of a definition as SQL on the row `of` (NEW or OLD). Everything is from pg_catalog, and each literal is cast to the column's
-- type at once, so that a bad one is an error now and not in a writer's statement.
CREATE FUNCTION tuplecast.condition(wanted oid, item json, of text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    op text := lower(item ->> 'op');
    operator text := CASE op WHEN 'in' THEN '=' ELSE op END;
    listed json[];
    column_type oid;
    column_kind "char";
    is_builtin boolean;
    type_name text;
    literals text;
BEGIN
    IF op IN ('is null', 'is not null') THEN
        RETURN format('%s.%I %s', of, item ->> 'column', upper(op));
    ELSIF op IS NULL OR op NOT IN ('=', '<>', '<', '<=', '>', '>=', 'in') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('where: "%s" is not an operator.', item ->> 'op'),
                                            HINT = 'There are =, <>, <, <=, >, >=, in, is null and is not null.';
    ELSIF op = 'in' AND json_typeof(item -> 'value') IS DISTINCT FROM 'array' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'where: "in" needs a list of values.';
    END IF;
    listed := CASE WHEN op = 'in' THEN ARRAY(SELECT json_array_elements(item -> 'value')) ELSE ARRAY[item -> 'value'] END;
    IF array_length(listed, 1) IS NULL
       OR EXISTS (SELECT FROM unnest(listed) v WHERE coalesce(json_typeof(v), 'null') NOT IN ('string', 'number', 'boolean')) THEN
        RAISE invalid_parameter_value USING MESSAGE = format('where: "%s" needs a string, a number or a boolean to compare with.', op),
                                            HINT = 'To compare with null there are "is null" and "is not null".';
    END IF;
    -- A domain's values are compared as those of the type beneath.
    WITH RECURSIVE up AS (
        SELECT t.oid, typbasetype, typtype, typnamespace FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
         WHERE a.attrelid = wanted AND a.attname = item ->> 'column' AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT t.oid, t.typbasetype, t.typtype, t.typnamespace FROM up JOIN pg_type t ON up.typtype = 'd' AND t.oid = up.typbasetype
    )
    SELECT oid, typtype, typnamespace = 'pg_catalog'::regnamespace INTO column_type, column_kind, is_builtin FROM up WHERE typtype <> 'd';
    type_name := format_type(column_type, -1);
    IF NOT is_builtin AND column_kind <> 'e' THEN
        -- Its operators may be anybody's functions, and the condition runs with the writer's rights.
        RAISE feature_not_supported USING MESSAGE = format('where: column "%s" has the type %s, which is not built in.',
                                                           item ->> 'column', type_name),
                                          HINT = 'Conditions are for built-in types, enums, and domains over them.';
    END IF;
    BEGIN
        EXECUTE format('SELECT NULL::%1$s OPERATOR(pg_catalog.%2$s) NULL::%1$s', type_name, operator);
    EXCEPTION WHEN undefined_function OR ambiguous_function THEN
        RAISE feature_not_supported USING MESSAGE = format('where: values of type %s cannot be compared with %s (column "%s").',
                                                           type_name, operator, item ->> 'column'),
                                          HINT = 'Choose another column; "is null" and "is not null" work with each.';
    END;
    SELECT string_agg(quote_literal(v #>> '{}'), ', ' ORDER BY i) INTO literals FROM unnest(listed) WITH ORDINALITY AS u (v, i);
    RETURN format(CASE op WHEN 'in' THEN '%s.%I OPERATOR(pg_catalog.%s) ANY (ARRAY[%s]::%s[])' ELSE '%s.%I OPERATOR(pg_catalog.%s) %s::%s' END,
                  of, item ->> 'column', operator, literals, type_name);
END
$$;

-- The statements that make the parts of a trigger. `options` is what becomes the second argument.
CREATE FUNCTION tuplecast.part_statements(trigger_name text, wanted oid, channel text, operations text[], options json, row_level boolean,
                                          OUT parts text[], OUT statements text[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    arguments text := quote_literal(channel)
                      || CASE WHEN options::text <> '{}' THEN ', ' || quote_literal(options)
                              WHEN cardinality(operations) < 4 THEN ', ''''' ELSE '' END
                      || CASE WHEN cardinality(operations) < 4 THEN ', ' || quote_literal(array_to_string(operations, ' ')) ELSE '' END;
    kind text := CASE WHEN options ->> 'durable' = 'true' THEN 'durable' ELSE 'live' END;
    update_of text := (SELECT ' OF ' || string_agg(quote_ident(c), ', ') FROM json_array_elements_text(options -> 'update_of') c);
    operation text;
    event text;
    condition text;
    form text;
    way text;
    slot integer;
    slots integer[] := '{}';
BEGIN
    parts := '{}';
    statements := '{}';
    -- Without a condition one row trigger does for all operations: a condition must say NEW or OLD.
    IF row_level AND options -> 'where' IS NULL AND operations <> '{TRUNCATE}' THEN
        SELECT string_agg(o || CASE o WHEN 'UPDATE' THEN coalesce(update_of, '') ELSE '' END, ' OR ') INTO event
          FROM unnest(array_remove(operations, 'TRUNCATE')) o;
        parts := '{row}';
        statements := ARRAY[format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION tuplecast.%s(%s)',
                                   format('tuplecast:%s:row', trigger_name), event, wanted::regclass, kind, arguments)];
        operations := CASE WHEN 'TRUNCATE' = ANY (operations) THEN '{TRUNCATE}'::text[] ELSE '{}' END;
    END IF;
    FOREACH operation IN ARRAY operations LOOP
        event := operation || CASE operation WHEN 'UPDATE' THEN coalesce(update_of, '') ELSE '' END;
        IF operation = 'TRUNCATE' THEN
            form := 'FOR EACH STATEMENT EXECUTE FUNCTION tuplecast.' || kind;
        ELSIF row_level THEN
            SELECT string_agg(tuplecast.condition(wanted, item, CASE operation WHEN 'DELETE' THEN 'OLD' ELSE 'NEW' END), ' AND ')
              INTO condition FROM json_array_elements(options -> 'where') item;
            form := format('FOR EACH ROW WHEN (%s) EXECUTE FUNCTION tuplecast.%s', condition, kind);
        ELSE
            -- Each table of rows that is named is kept for us by PostgreSQL: old ones only when they are wanted.
            form := format('REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION tuplecast.%s',
                           CASE WHEN operation = 'DELETE' THEN 'OLD TABLE AS changed_rows'
                                WHEN operation = 'UPDATE' AND (options ->> 'old')::boolean THEN 'OLD TABLE AS old_rows NEW TABLE AS changed_rows'
                                ELSE 'NEW TABLE AS changed_rows' END, kind);
            way := CASE WHEN has_table_privilege(session_user, wanted, 'TRIGGER')
                        THEN tuplecast.slot_way(kind, wanted, operation, channel, NULLIF(options::text, '{}')) END;
            IF way IS NULL THEN
                form := form || '_statement';
            ELSE
                SELECT p.slot INTO slot FROM tuplecast.parts p
                 WHERE p.full_name = format('tuplecast:%s:%s', trigger_name, lower(operation)) AND p.relation = wanted
                   AND (SELECT count(*) = 1 FROM pg_trigger WHERE tgfoid = to_regprocedure(format('tuplecast.%s_%s()', kind, p.slot)));
                slot := coalesce(slot, tuplecast.take_slot(slots));
                slots := slots || slot;
                form := format('%s_%s', form, slot);
                IF NOT EXISTS (SELECT FROM pg_proc WHERE oid = to_regprocedure(format('tuplecast.%s_%s()', kind, slot)) AND prosrc LIKE '%' || md5(way) || '%') THEN
                    statements := statements || format('SELECT tuplecast.make_slot(%s, %L, %L, %L, %L, %L)', slot, wanted::regclass, operation, channel,
                                                       kind, coalesce(NULLIF(options::text, '{}'), ''));
                END IF;
            END IF;
        END IF;
        parts := parts || lower(operation);
        statements := statements || format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s(%s)',
                                           format('tuplecast:%s:%s', trigger_name, lower(operation)), event, wanted::regclass, form, arguments);
    END LOOP;
END
$$;

-- A list of column names: each is there, and once.
CREATE FUNCTION tuplecast.check_columns(wanted oid, member text, names text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    odd text;
BEGIN
    SELECT string_agg(format('"%s"', coalesce(n, 'null')), ', ' ORDER BY i) INTO odd FROM unnest(names) WITH ORDINALITY AS u (n, i)
     WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = wanted AND attname = n AND attnum > 0 AND NOT attisdropped);
    IF odd IS NOT NULL THEN
        RAISE undefined_column USING MESSAGE = format('%s: table %s has no column %s.', member, wanted::regclass, odd),
                                     HINT = 'GET /tables lists the columns. Names are as they are stored, without quotes.';
    END IF;
    IF member <> 'where' AND cardinality(names) > (SELECT count(DISTINCT n) FROM unnest(names) n) THEN
        RAISE duplicate_column USING MESSAGE = format('%s: a column is named twice.', member);
    END IF;
END
$$;

-- Runs the statements. With dry_run everything is undone again; what it would have been is the result all the same.
CREATE FUNCTION tuplecast.run_ddl(statements text[], trigger_name text, dry_run boolean) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statement text;
    answer text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
    SELECT tuplecast.trigger_json(t) INTO answer FROM tuplecast.find_trigger(trigger_name) t WHERE t.name IS NOT NULL;
    IF dry_run THEN
        RAISE SQLSTATE 'TC000';
    END IF;
    PERFORM pg_notify('tuplecast', 'triggers'); -- gateways ask which channels are durable
    RETURN answer;
EXCEPTION WHEN SQLSTATE 'TC000' THEN
    RETURN answer;
END
$$;

-- Creates or replaces; does nothing, and takes no lock on the table, when the trigger is there as it should be. `name` null: one is chosen.
CREATE FUNCTION tuplecast.put_trigger(name text, definition json, if_match text, if_none_match text, dry_run boolean,
                                      OUT created boolean, OUT answer text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '2 s';
    table_path text := format('%I.%I', definition ->> 'schema', definition ->> 'table');
    wanted oid := to_regclass(table_path);
    channel text := definition ->> 'channel';
    operations text[] := ARRAY(SELECT o FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) WITH ORDINALITY AS u (o, i)
                                WHERE o IN (SELECT json_array_elements_text(definition -> 'operations')) ORDER BY i);
    update_of text[] := ARRAY(SELECT json_array_elements_text(definition -> 'update_of'));
    options json;
    row_level boolean;
    found tuplecast.triggers;
    refusal record;
    parts text[];
    statements text[];
    obsolete text;
    number integer := 1;
BEGIN
    IF wanted IS NULL THEN
        RAISE undefined_table USING MESSAGE = format('There is no table "%s" in schema "%s".', definition ->> 'table', definition ->> 'schema'),
                                    HINT = 'GET /tables lists the tables.';
    END IF;
    SELECT * INTO refusal FROM tuplecast.why_not(wanted);
    IF refusal.reason IS NOT NULL THEN
        RAISE wrong_object_type USING MESSAGE = format('"%s.%s" %s.', definition ->> 'schema', definition ->> 'table', refusal.reason),
                                      HINT = refusal.advice;
    END IF;
    IF coalesce(octet_length(channel), 0) NOT BETWEEN 1 AND 63 OR channel ~ '[\x01-\x1f\x7f]' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'A channel''s name has 1 to 63 bytes, without control characters.';
    ELSIF operations = '{}' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'operations: name INSERT, UPDATE, DELETE or TRUNCATE.';
    ELSIF (definition ->> 'durable')::boolean AND to_regprocedure('tuplecast.durable()') IS NULL THEN
        RAISE feature_not_supported USING MESSAGE = 'Durable triggers need a newer version of the database side.', HINT = 'Run `tuplecast setup`.';
    ELSIF update_of <> '{}' AND 'UPDATE' <> ALL (operations) THEN
        RAISE invalid_parameter_value USING MESSAGE = 'update_of is given, but operations do not have UPDATE.';
    ELSIF coalesce(name, 'x') !~ '^[0-9A-Za-z_.-]{1,40}$' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'A trigger''s name has 1 to 40 characters of A-Z a-z 0-9 _ - and the dot.';
    END IF;
    PERFORM tuplecast.check_columns(wanted, 'columns', ARRAY(SELECT json_array_elements_text(definition -> 'columns'))),
            tuplecast.check_columns(wanted, 'update_of', update_of),
            tuplecast.check_columns(wanted, 'where', ARRAY(SELECT c ->> 'column' FROM json_array_elements(definition -> 'where') c));
    -- PostgreSQL has triggers for TRUNCATE of foreign tables from 16 on.
    IF current_setting('server_version_num')::integer < 160000 AND (SELECT relkind = 'f' FROM pg_class WHERE oid = wanted) THEN
        operations := array_remove(operations, 'TRUNCATE');
        IF operations = '{}' THEN
            RAISE feature_not_supported USING MESSAGE = format('"%s" is a foreign table: this PostgreSQL has no triggers for TRUNCATE of those.',
                                                               definition ->> 'table');
        END IF;
    END IF;
    options := json_strip_nulls(json_build_object(
        'columns', definition -> 'columns', 'old', CASE WHEN (definition ->> 'old')::boolean THEN true END,
        'durable', CASE WHEN (definition ->> 'durable')::boolean THEN true END,
        'update_of', CASE WHEN update_of <> '{}' THEN to_json(update_of) END,
        'where', CASE WHEN json_array_length(definition -> 'where') > 0 THEN definition -> 'where' END));
    row_level := (tuplecast.needs_row_level(wanted) OR update_of <> '{}' OR options -> 'where' IS NOT NULL) AND operations <> '{TRUNCATE}';

    -- Two that put the same name at once take turns.
    PERFORM tuplecast.wait_until(deadline);
    IF name IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('tuplecast trigger ' || name, 0));
        found := tuplecast.find_trigger(name);
    ELSE
        LOOP
            name := coalesce(NULLIF(left(regexp_replace(definition ->> 'table', '[^0-9A-Za-z_.-]', '', 'g'), 34), ''), 'trigger')
                    || CASE WHEN number > 1 THEN '_' || number ELSE '' END;
            PERFORM pg_advisory_xact_lock(hashtextextended('tuplecast trigger ' || name, 0));
            found := tuplecast.find_trigger(name);
            EXIT WHEN found.relation IS NULL;
            number := number + 1;
        END LOOP;
    END IF;
    created := found.relation IS NULL;
    PERFORM tuplecast.check_match(CASE WHEN NOT created THEN tuplecast.trigger_json(found)::json ->> 'etag' END, if_match, if_none_match);
    IF found.relation <> wanted THEN
        RAISE duplicate_object USING MESSAGE = format('Trigger "%s" is on table "%s.%s".', name, found.schema, found."table"),
                                     HINT = 'Delete it first, or take another name.';
    END IF;
    SELECT p.parts, p.statements INTO parts, statements
      FROM tuplecast.part_statements(name, wanted, channel, operations, options, row_level) p;
    IF NOT created AND found.channel = channel AND found.operations = operations AND found.options::jsonb = options::jsonb
       AND coalesce(found.update_of, '{}') = update_of AND found.row_level = row_level AND found.enabled AND found.equal
       AND found.parts @> parts AND parts @> found.parts AND array_to_string(statements, E'\n') !~ '(^|\n)SELECT tuplecast.make_slot' THEN
        answer := tuplecast.trigger_json(found);
        IF dry_run THEN
            answer := json_build_object('sql', '[]'::json, 'trigger', answer::json);
        END IF;
        RETURN;
    END IF;

    SELECT string_agg(quote_ident(tgname), ', ') INTO obsolete FROM pg_trigger
     WHERE tgrelid = wanted AND tgname ~ '^tuplecast:.*:(row|insert|update|delete|truncate)$'
       AND substring(tgname FROM '^tuplecast:(.*):') = name
       AND tgfoid NOT IN (SELECT oid FROM pg_proc WHERE pronamespace = 'tuplecast'::regnamespace);
    IF obsolete IS NOT NULL THEN
        RAISE duplicate_object USING MESSAGE = format('Table %s has a trigger %s, which is not ours.', wanted::regclass, obsolete),
                                     HINT = 'Drop it by SQL, or take another name.';
    END IF;
    -- New parts come first, so that what goes is seen in the list of statements beside what replaces it; no change is missed in any order,
    -- because nobody can write meanwhile.
    statements := statements || ARRAY(
        SELECT format('DROP TRIGGER %I ON %s', full_name, wanted::regclass) FROM tuplecast.parts p
         WHERE p.name = put_trigger.name AND p.relation = wanted AND p.part <> ALL (parts));
    PERFORM tuplecast.lock_for_ddl(wanted, CASE WHEN array_to_string(statements, '') ~ 'DROP' THEN 'ACCESS EXCLUSIVE' ELSE 'SHARE ROW EXCLUSIVE' END, deadline);
    answer := tuplecast.run_ddl(statements, name, dry_run);
    IF dry_run THEN
        answer := json_build_object('sql', statements, 'trigger', answer::json);
    END IF;
END
$$;

CREATE FUNCTION tuplecast.drop_trigger(name text, if_match text, dry_run boolean) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '2 s';
    found tuplecast.triggers;
    answer text;
    statements text[];
BEGIN
    PERFORM tuplecast.wait_until(deadline);
    PERFORM pg_advisory_xact_lock(hashtextextended('tuplecast trigger ' || name, 0));
    answer := tuplecast.get_trigger(name);
    found := tuplecast.find_trigger(name);
    PERFORM tuplecast.check_match(answer::json ->> 'etag', if_match, NULL);
    SELECT array_agg(format('DROP TRIGGER %I ON %s', p.full_name, p.relation::regclass) ORDER BY p.part) INTO statements
      FROM tuplecast.parts p WHERE p.name = found.name AND p.relation = found.relation;
    PERFORM tuplecast.lock_for_ddl(found.relation, 'ACCESS EXCLUSIVE', deadline);
    PERFORM tuplecast.run_ddl(statements, name, dry_run);
    IF dry_run THEN
        RETURN json_build_object('sql', statements);
    END IF;
    RETURN answer;
END
$$;

-- What a trigger could be put on. Rows and bytes are those of the last VACUUM or ANALYZE: to measure them would wait for locks.
CREATE FUNCTION tuplecast.list_tables(of_schema text, schemas text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{"items":[' || coalesce(string_agg(json_build_object(
               'schema', t.nspname, 'table', t.relname,
               'kind', CASE WHEN t.relispartition AND t.relkind = 'r' THEN 'partition'
                            ELSE CASE t.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
                                                WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' END END,
               'key', (SELECT json_agg(a.attname ORDER BY k.position)
                         FROM (SELECT * FROM pg_index WHERE indrelid = t.oid AND (indisprimary OR indisreplident)
                                ORDER BY indisprimary DESC LIMIT 1) i
                        CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS k (position)
                         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[k.position - 1]),
               'columns', (SELECT coalesce(json_agg(json_strip_nulls(json_build_object(
                                      'name', attname, 'type', format_type(atttypid, atttypmod),
                                      'generated', CASE WHEN attgenerated <> '' THEN true END)) ORDER BY attnum), '[]')
                             FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped),
               'rows', NULLIF(t.reltuples, -1)::bigint,
               'bytes', (SELECT coalesce(sum(c.relpages::bigint), 0) FROM pg_class c
                          WHERE c.oid IN (t.oid, t.reltoastrelid) OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = t.oid))
                        * current_setting('block_size')::bigint,
               'triggers', ARRAY(SELECT r.name FROM tuplecast.triggers r WHERE r.relation = t.oid ORDER BY r.name),
               'possible', t.reason IS NULL, 'reason', t.reason)::text, ',' ORDER BY t.nspname, t.relname), '') || ']}'
      FROM (SELECT c.*, n.nspname,
                   CASE WHEN w.reason IS NOT NULL THEN format('It %s. %s', w.reason, w.advice)
                        WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN format('The role %s may not use the schema.', current_user)
                        WHEN NOT has_table_privilege(c.oid, 'TRIGGER')
                        THEN format('The role %s may not put triggers on it: it must be a member of the owner %s.', current_user,
                                    pg_get_userbyid(c.relowner)) END AS reason
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL tuplecast.why_not(c.oid) w
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tuplecast')
               AND n.nspname !~ '^pg_(toast|temp_)' AND (of_schema IS NULL OR n.nspname = of_schema)
               AND (schemas IS NULL OR n.nspname = ANY (schemas))) t
$$;

GRANT SELECT ON tuplecast.triggers, tuplecast.parts TO PUBLIC;
