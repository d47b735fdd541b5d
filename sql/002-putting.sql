-- tuplecast: putting and dropping triggers, and what they could be put on
--
-- These functions run with the caller's rights, too.

-- Why no trigger of ours can be on this table, to go on from its name, and what to do instead; nulls when one can.
CREATE OR REPLACE FUNCTION tuplecast.why_not(wanted oid, OUT reason text, OUT advice text)
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
CREATE OR REPLACE FUNCTION tuplecast.lock_for_ddl(wanted regclass, lock_mode text, deadline timestamptz) RETURNS void
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

CREATE OR REPLACE FUNCTION tuplecast.wait_until(deadline timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT set_config('lock_timeout', greatest(1, ceil(extract(epoch FROM deadline - clock_timestamp()) * 1000))::text || 'ms', true)
$$;

-- If-Match and If-None-Match: null, '*', or entity tags with commas between. `etag` is null when there is no such trigger.
CREATE OR REPLACE FUNCTION tuplecast.check_match(etag text, if_match text, if_none_match text) RETURNS void
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
CREATE OR REPLACE FUNCTION tuplecast.condition(wanted oid, item json, of text) RETURNS text
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
CREATE OR REPLACE FUNCTION tuplecast.part_statements(trigger_name text, wanted oid, channel text, operations text[], options json, row_level boolean,
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
    argument text := coalesce(NULLIF(options::text, '{}'), '');
    may_have_slots boolean := has_table_privilege(session_user, wanted, 'TRIGGER');
    way text;
    slot integer;
    slots integer[] := '{}';
BEGIN
    parts := '{}';
    statements := '{}';
    -- Without a condition, which must say NEW or OLD, and without slots, one row trigger does for all operations.
    IF row_level AND options -> 'where' IS NULL AND operations <> '{TRUNCATE}'
       AND NOT (may_have_slots AND tuplecast.slot_way(kind, wanted, operations[1], channel, argument) IS NOT NULL) THEN
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
        ELSE
            way := CASE WHEN may_have_slots THEN tuplecast.slot_way(kind, wanted, operation, channel, argument) END;
            SELECT 'WHEN (' || string_agg(tuplecast.condition(wanted, item, CASE operation WHEN 'DELETE' THEN 'OLD' ELSE 'NEW' END), ' AND ') || ') '
              INTO condition FROM json_array_elements(options -> 'where') item;
            -- Each table of rows that is named is kept for us by PostgreSQL: old ones only when they are wanted.
            form := CASE WHEN row_level THEN format('FOR EACH ROW %sEXECUTE FUNCTION tuplecast.%s', condition, kind)
                         ELSE format('REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION tuplecast.%s',
                                     CASE WHEN operation = 'DELETE' THEN 'OLD TABLE AS changed_rows'
                                          WHEN operation = 'UPDATE' AND (options ->> 'old')::boolean THEN 'OLD TABLE AS old_rows NEW TABLE AS changed_rows'
                                          ELSE 'NEW TABLE AS changed_rows' END, kind) END;
            IF way IS NULL THEN
                form := form || CASE WHEN row_level THEN '' ELSE '_statement' END;
            ELSE
                SELECT p.slot INTO slot FROM tuplecast.parts p
                 WHERE p.full_name = format('tuplecast:%s:%s', trigger_name, lower(operation)) AND p.relation = wanted
                   AND (SELECT count(*) = 1 FROM pg_trigger WHERE tgfoid = to_regprocedure(format('tuplecast.%s_%s()', kind, p.slot)) AND tgparentid = 0);
                slot := coalesce(slot, tuplecast.take_slot(slots));
                slots := slots || slot;
                form := format('%s_%s', form, slot);
                IF NOT EXISTS (SELECT FROM pg_proc WHERE oid = to_regprocedure(format('tuplecast.%s_%s()', kind, slot)) AND prosrc LIKE '%' || md5(way) || '%') THEN
                    statements := statements || format('SELECT tuplecast.make_slot(%s, %L, %L, %L, %L, %L)', slot, wanted::regclass, operation, channel,
                                                       kind, argument);
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
CREATE OR REPLACE FUNCTION tuplecast.check_columns(wanted oid, member text, names text[]) RETURNS void
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
CREATE OR REPLACE FUNCTION tuplecast.run_ddl(statements text[], trigger_name text, dry_run boolean) RETURNS text
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
CREATE OR REPLACE FUNCTION tuplecast.put_trigger(name text, definition json, if_match text, if_none_match text, dry_run boolean,
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
    ELSIF coalesce(definition ->> 'level', 'row') NOT IN ('row', 'statement') THEN
        RAISE invalid_parameter_value USING MESSAGE = 'level: "row" or "statement".';
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
        'level', CASE WHEN definition ->> 'level' = 'row' THEN 'row' END,
        'update_of', CASE WHEN update_of <> '{}' THEN to_json(update_of) END,
        'where', CASE WHEN json_array_length(definition -> 'where') > 0 THEN definition -> 'where' END));
    row_level := tuplecast.at_row_level(wanted, options) AND operations <> '{TRUNCATE}';
    IF row_level AND definition ->> 'level' = 'statement' THEN
        RAISE feature_not_supported USING
            MESSAGE = CASE WHEN tuplecast.needs_row_level(wanted)
                           THEN format('"%s" is partitioned, foreign, or part of an inheritance tree: its triggers are at row level.', definition ->> 'table')
                           ELSE 'Triggers with update_of or where are at row level.' END,
            HINT = 'Leave out level.';
    END IF;

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

CREATE OR REPLACE FUNCTION tuplecast.drop_trigger(name text, if_match text, dry_run boolean) RETURNS text
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
CREATE OR REPLACE FUNCTION tuplecast.list_tables(of_schema text, schemas text[]) RETURNS text
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
