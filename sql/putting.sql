-- tuplecast: putting and dropping triggers, and what they could be put on.
--
-- All but take_turn(), make_function() and seal_functions() (generated.sql) runs with the caller's rights: who may not change a table cannot do it through these
-- functions either. The statements that they run stand in a list first, which is what dry_run answers with.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL check_function_bodies = off; -- they call each other

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

-- The statements that make the parts of a trigger, for each part its function and the trigger itself; and whether all functions are already what would be written now. Functions
-- that are made by the statements `before` are taken.
CREATE OR REPLACE FUNCTION tuplecast.part_statements(trigger_name text, wanted oid, channel text, operations text[], options jsonb, row_level boolean,
                                                     before text[], OUT parts text[], OUT statements text[], OUT is_current boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind constant text := CASE WHEN options @> '{"durable":true}' THEN 'durable' ELSE 'live' END;
    arguments constant text[] := ARRAY[channel, CASE WHEN options = '{}' THEN '' ELSE options::text END, array_to_string(operations, ' ')];
    literals constant text := (SELECT string_agg(quote_literal(a), ', ' ORDER BY i) FROM unnest(arguments) WITH ORDINALITY AS u (a, i));
    digest constant text := tuplecast.digest_of(wanted, arguments, row_level);
    keys constant text[] := CASE WHEN 'UPDATE' = ANY (operations) THEN tuplecast.key_columns(wanted) END;
    -- A statement counts that names what can change what is told: the columns of update_of, of the condition, of the key.
    update_of constant text := (SELECT ' OF ' || string_agg(quote_ident(c), ', ' ORDER BY c COLLATE "C")
                                  FROM (SELECT jsonb_array_elements_text(options -> 'update_of') UNION SELECT unnest(keys)
                                        UNION SELECT item ->> 'column' FROM jsonb_array_elements(options -> 'where') item) u (c)
                                 WHERE options ? 'update_of');
    -- A trigger before UPDATE can change the key whatever the statement names.
    update_of_key constant text := CASE WHEN tuplecast.has_triggers_before_update(wanted) THEN ''
                                        ELSE (SELECT ' OF ' || string_agg(quote_ident(k), ', ' ORDER BY i) FROM unnest(keys) WITH ORDINALITY AS u (k, i)) END;
    old_is_in constant text := tuplecast.conditions(wanted, options, 'OLD');
    new_is_in constant text := tuplecast.conditions(wanted, options, 'NEW');
    this_part text;
    this_trigger text;
    event text;
    form text;
    function_name text;
BEGIN
    parts := CASE WHEN keys IS NULL THEN '{}' WHEN row_level THEN '{key,moves}' ELSE '{key}' END::text[]
             || ARRAY(SELECT lower(o COLLATE "C") FROM unnest(operations) WITH ORDINALITY AS u (o, i) ORDER BY i);
    statements := '{}';
    is_current := true;
    FOREACH this_part IN ARRAY parts LOOP
        this_trigger := format('tuplecast:%s:%s', trigger_name, this_part);
        event := 'AFTER ' || upper(this_part COLLATE "C");
        CASE this_part
        WHEN 'key' THEN
            event := 'AFTER UPDATE' || update_of_key;
            form := 'FOR EACH ROW WHEN (' || tuplecast.key_changes(keys, 'OLD', 'NEW') || coalesce(' AND (' || old_is_in || ' OR ' || new_is_in || ')', '') || ')';
        WHEN 'moves' THEN
            event := 'BEFORE UPDATE' || update_of_key;
            form := 'FOR EACH STATEMENT';
        WHEN 'truncate' THEN
            form := 'FOR EACH STATEMENT';
        WHEN 'update' THEN
            event := event || coalesce(update_of, '');
            form := CASE WHEN row_level THEN 'FOR EACH ROW' || coalesce(' WHEN (' || old_is_in || ' OR ' || new_is_in || ')', '')
                         WHEN options @> '{"old":true}' THEN 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows FOR EACH STATEMENT'
                         ELSE 'REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT' END;
        ELSE
            form := CASE WHEN row_level THEN 'FOR EACH ROW' || coalesce(' WHEN ' || CASE this_part WHEN 'delete' THEN old_is_in ELSE new_is_in END, '')
                         ELSE format('REFERENCING %s TABLE AS changed_rows FOR EACH STATEMENT', CASE this_part WHEN 'delete' THEN 'OLD' ELSE 'NEW' END) END;
        END CASE;
        function_name := kind || '_' || this_part;
        IF this_part NOT IN ('moves', 'truncate') THEN
            SELECT p.function INTO function_name FROM tuplecast.parts p
             WHERE p.relation = wanted AND p.full_name = this_trigger AND p.function ~ ('^' || kind || '_[0-9]{1,6}$');
            function_name := coalesce(function_name, tuplecast.free_function(kind, before || statements));
        END IF;
        is_current := is_current AND EXISTS (
            SELECT FROM tuplecast.parts p JOIN pg_proc ON proname = p.function AND pronamespace = 'tuplecast'::regnamespace
             WHERE p.relation = wanted AND p.full_name = this_trigger AND p.function = function_name
               AND (this_part IN ('moves', 'truncate') OR position(digest IN prosrc) > 0)
               -- Who owns a partitioned table now may use the functions that its partitions get.
               AND (kind = 'live' OR this_part IN ('moves', 'truncate')
                    OR (SELECT relkind <> 'p' OR has_function_privilege(relowner, pg_proc.oid, 'EXECUTE') FROM pg_class WHERE oid = wanted)));
        statements := statements || format('SELECT tuplecast.make_function(%L, %L, %L, %L, %L)', function_name, wanted::regclass, this_trigger, arguments, current_user);
        statements := statements || format('CREATE OR REPLACE TRIGGER %I %s ON %s %s EXECUTE FUNCTION tuplecast.%s(%s)',
                                           this_trigger, event, wanted::regclass, form, function_name, literals);
        IF options @> '{"always":true}' THEN
            statements := statements || format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', wanted::regclass, this_trigger);
        END IF;
    END LOOP;
END
$$;

-- A function's name that no trigger has, nor gets by these statements. Whoever asks has his turn.
CREATE OR REPLACE FUNCTION tuplecast.free_function(kind text, statements text[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT name FROM (SELECT kind || '_' || i AS name, i FROM generate_series(1, (SELECT count(*) FROM tuplecast.function) + cardinality(statements) + 1) i) c
             WHERE NOT EXISTS (SELECT FROM unnest(statements) s WHERE starts_with(s, format('SELECT tuplecast.make_function(%L,', c.name)))
               AND NOT EXISTS (SELECT FROM tuplecast.function f WHERE f.name = c.name)
             ORDER BY i LIMIT 1);
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
    SELECT string_agg(format('"%s"', attname), ', ' ORDER BY attnum) INTO odd FROM pg_attribute
     WHERE attrelid = wanted AND attname = ANY (names) AND attgenerated = 'v';
    IF odd IS NOT NULL THEN
        RAISE feature_not_supported USING MESSAGE = format('%s: column %s is a virtual generated column, which no trigger sees.', member, odd),
                                          HINT = 'Make it STORED, or name the columns that it is computed from.';
    END IF;
    IF member <> 'where' AND cardinality(names) > (SELECT count(DISTINCT n) FROM unnest(names) n) THEN
        RAISE duplicate_column USING MESSAGE = format('%s: a column is named twice.', member);
    END IF;
END
$$;

-- What the state of the database has against a trigger, and how to have it all the same.
CREATE OR REPLACE FUNCTION tuplecast.check_table(wanted oid, options jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    secured text;
BEGIN
    SELECT string_agg(oid::regclass::text, ', ' ORDER BY oid) INTO secured FROM pg_class
     WHERE relrowsecurity AND (oid = wanted OR oid IN (SELECT relid FROM pg_partition_tree(wanted)));
    IF secured IS NOT NULL AND NOT options ? 'row_security' THEN
        RAISE SQLSTATE 'TC409' USING MESSAGE = format('Row level security is enabled for %s, and does not hold for events.', secured),
                                     DETAIL = 'Whoever may read the channel would see every row, whatever the policies say.',
                                     HINT = 'If that is right, say "row_security": "ignored". Rows can be restricted by tokens instead.';
    END IF;
    IF NOT options ? 'durable' AND NOT options ? 'prepare_transaction' AND current_setting('max_prepared_transactions') <> '0' THEN
        RAISE SQLSTATE 'TC409' USING MESSAGE = 'This server allows PREPARE TRANSACTION, which fails after a write to a table with a live trigger.',
                                     DETAIL = 'PostgreSQL does not let a transaction be prepared that has sent a NOTIFY (max_prepared_transactions is '
                                              || current_setting('max_prepared_transactions') || ').',
                                     HINT = 'Make the trigger durable, which works with PREPARE TRANSACTION; or say "prepare_transaction": "fails" if nobody prepares '
                                            'transactions that write to this table.';
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
    PERFORM tuplecast.seal_functions();
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

-- The statements that make a trigger what it is to be, its old parts dropped; none when it is that already. Locks the table when there are any. They are run behind those `before`.
CREATE OR REPLACE FUNCTION tuplecast.put_statements(found tuplecast.triggers, trigger_name text, wanted oid, channel text, operations text[], options jsonb,
                                                    before text[], deadline timestamptz) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    row_level constant boolean := tuplecast.at_row_level(wanted, options) AND operations <> '{TRUNCATE}';
    obsolete text;
    wanted_parts text[];
    statements text[];
    is_current boolean;
BEGIN
    SELECT p.parts, p.statements, p.is_current INTO wanted_parts, statements, is_current FROM tuplecast.part_statements(trigger_name, wanted, channel, operations, options, row_level, before) p;
    IF found.relation IS NOT NULL AND found.channel = channel AND found.operations = operations AND found.options = options AND found.row_level = row_level
       AND found.enabled AND found.equal AND found.parts @> wanted_parts AND wanted_parts @> found.parts AND NOT tuplecast.keys_are_missed(wanted, trigger_name) IS TRUE
       AND is_current THEN
        RETURN '{}';
    END IF;
    SELECT string_agg(quote_ident(tgname), ', ' ORDER BY tgname) INTO obsolete FROM pg_trigger
     WHERE tgrelid = wanted AND tgname ~ '^tuplecast:.*:(insert|update|delete|truncate|key|moves)$' AND substring(tgname FROM '^tuplecast:(.*):') = trigger_name
       AND tgname NOT IN (SELECT full_name FROM tuplecast.parts WHERE relation = wanted);
    IF obsolete IS NOT NULL THEN
        RAISE duplicate_object USING MESSAGE = format('Table %s has a trigger %s, which is not ours.', wanted::regclass, obsolete),
                                     HINT = 'Drop it by SQL, or take another name.';
    END IF;
    -- New parts come first, so that what goes is seen in the list of statements beside what replaces it; no change is missed in any order,
    -- because nobody can write meanwhile.
    statements := statements || ARRAY(
        SELECT format('DROP TRIGGER %I ON %s', full_name, wanted::regclass) FROM tuplecast.parts p
         WHERE p.name = trigger_name AND p.relation = wanted AND p.part <> ALL (wanted_parts));
    PERFORM tuplecast.lock_for_ddl(wanted, CASE WHEN array_to_string(statements, '') ~ 'DROP|ALTER' THEN 'ACCESS EXCLUSIVE' ELSE 'SHARE ROW EXCLUSIVE' END, deadline);
    RETURN statements;
END
$$;

-- A channel is live or durable: durable triggers silence the live ones on it. Moves all others along when `whole` is true, else refuses. Returns the statements that do it behind
-- those that come before.
CREATE OR REPLACE FUNCTION tuplecast.move_channel(trigger_name text, wanted oid, channel text, durable boolean, whole boolean, before text[], deadline timestamptz) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    other tuplecast.triggers;
    options jsonb;
    statements text[] := before;
    kinds constant text[] := CASE WHEN durable THEN '{live,durable}' ELSE '{durable,live}' END;
    names text;
BEGIN
    SELECT string_agg(format('"%s"', t.name), ', ' ORDER BY t.name COLLATE "C") INTO names FROM tuplecast.triggers t
     WHERE t.channel = move_channel.channel AND t.durable <> move_channel.durable AND (t.name, t.relation) <> (trigger_name, wanted);
    IF names IS NOT NULL AND NOT whole THEN
        RAISE SQLSTATE 'TC409' USING
            MESSAGE = format('Channel "%s" is %s: trigger %s sends to it. A channel cannot be live and durable.', channel, kinds[1], names),
            HINT = format('Take another channel; or repeat the request with ?whole_channel=true, which makes all triggers of the channel %s.', kinds[2]);
    END IF;
    FOR other IN SELECT * FROM tuplecast.triggers t WHERE t.channel = move_channel.channel AND t.durable <> move_channel.durable
                                                       AND (t.name, t.relation) <> (trigger_name, wanted) ORDER BY t.relation LOOP
        options := CASE WHEN durable THEN other.options || '{"durable":true}' ELSE other.options - 'durable' END;
        PERFORM tuplecast.check_table(other.relation, options);
        statements := statements || tuplecast.put_statements(other, other.name, other.relation, channel, other.intended, options, statements, deadline);
    END LOOP;
    RETURN statements;
END
$$;

-- Creates or replaces; does nothing, and takes no lock on the table, when the trigger is there as it should be. `name` null: one is chosen.
CREATE OR REPLACE FUNCTION tuplecast.put_trigger(name text, definition json, if_match text, if_none_match text, dry_run boolean,
                                                 OUT created boolean, OUT answer text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
DECLARE
    deadline timestamptz;
    wanted constant oid := to_regclass(format('%I.%I', definition ->> 'schema', definition ->> 'table'));
    channel constant text := definition ->> 'channel';
    operations text[];
    options jsonb;
    found tuplecast.triggers;
    statements text[];
    number integer := 1;
BEGIN
    SELECT c.operations, c.options INTO operations, options FROM tuplecast.check_definition(name, wanted, definition::jsonb) c;
    PERFORM tuplecast.check_table(wanted, options);
    -- Two that put triggers at once take turns.
    PERFORM tuplecast.take_turn();
    deadline := clock_timestamp() + interval '2 s';
    IF name IS NOT NULL THEN
        found := tuplecast.find_trigger(name);
    ELSE
        LOOP
            name := coalesce(NULLIF(left(regexp_replace(definition ->> 'table', '[^0-9A-Za-z_.-]', '', 'g'), 34), ''), 'trigger')
                    || CASE WHEN number > 1 THEN '_' || number ELSE '' END;
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
    statements := tuplecast.put_statements(found, name, wanted, channel, operations, options, '{}', deadline);
    statements := tuplecast.move_channel(name, wanted, channel, options ? 'durable', coalesce((definition ->> 'whole_channel')::boolean, false), statements, deadline);
    IF statements = '{}' THEN
        answer := tuplecast.trigger_json(found);
    ELSE
        answer := tuplecast.run_ddl(statements, name, dry_run);
    END IF;
    IF dry_run THEN
        answer := json_build_object('sql', statements, 'trigger', answer::json);
    END IF;
END
$$;

-- Checks a definition against the table; returns the operations in their order, and the options: what is not default. The place of each condition's column
-- goes with it, by which it is found again after it was renamed.
CREATE OR REPLACE FUNCTION tuplecast.check_definition(name text, wanted oid, definition jsonb, OUT operations text[], OUT options jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    channel constant text := definition ->> 'channel';
    update_of constant text[] := ARRAY(SELECT jsonb_array_elements_text(definition -> 'update_of'));
    refusal record;
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
    operations := ARRAY(SELECT o FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) WITH ORDINALITY AS u (o, i)
                         WHERE o IN (SELECT jsonb_array_elements_text(definition -> 'operations')) ORDER BY i);
    IF coalesce(octet_length(channel), 0) NOT BETWEEN 1 AND 63 OR channel ~ '[\x01-\x1f\x7f]' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'A channel''s name has 1 to 63 bytes, without control characters.';
    ELSIF operations = '{}' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'operations: name INSERT, UPDATE, DELETE or TRUNCATE.';
    ELSIF update_of <> '{}' AND 'UPDATE' <> ALL (operations) THEN
        RAISE invalid_parameter_value USING MESSAGE = 'update_of is given, but operations do not have UPDATE.';
    ELSIF coalesce(definition ->> 'level', 'row') NOT IN ('row', 'statement') THEN
        RAISE invalid_parameter_value USING MESSAGE = 'level: "row" or "statement".';
    ELSIF coalesce(definition ->> 'row_security', 'ignored') <> 'ignored' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'row_security: "ignored" is the only value.';
    ELSIF coalesce(definition ->> 'prepare_transaction', 'fails') <> 'fails' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'prepare_transaction: "fails" is the only value.';
    ELSIF coalesce(name, 'x') !~ '^[0-9A-Za-z_.-]{1,40}$' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'A trigger''s name has 1 to 40 characters of A-Z a-z 0-9 _ - and the dot.';
    END IF;
    PERFORM tuplecast.check_columns(wanted, 'columns', ARRAY(SELECT jsonb_array_elements_text(definition -> 'columns'))),
            tuplecast.check_columns(wanted, 'update_of', update_of),
            tuplecast.check_columns(wanted, 'where', ARRAY(SELECT c ->> 'column' FROM jsonb_array_elements(definition -> 'where') c)),
            tuplecast.conditions(wanted, definition, 'NEW');
    -- PostgreSQL has triggers for TRUNCATE of foreign tables from 16 on.
    IF current_setting('server_version_num')::integer < 160000 AND (SELECT relkind = 'f' FROM pg_class WHERE oid = wanted) THEN
        operations := array_remove(operations, 'TRUNCATE');
        IF operations = '{}' THEN
            RAISE feature_not_supported USING MESSAGE = format('"%s" is a foreign table: this PostgreSQL has no triggers for TRUNCATE of those.',
                                                               definition ->> 'table');
        END IF;
    END IF;
    options := jsonb_strip_nulls(jsonb_build_object(
        'columns', definition -> 'columns', 'old', NULLIF((definition ->> 'old')::boolean, false),
        'durable', NULLIF((definition ->> 'durable')::boolean, false), 'always', NULLIF((definition ->> 'always')::boolean, false),
        'level', NULLIF(definition ->> 'level', 'statement'), 'row_security', definition ->> 'row_security',
        'prepare_transaction', definition ->> 'prepare_transaction', 'update_of', CASE WHEN update_of <> '{}' THEN to_jsonb(update_of) END,
        'where', (SELECT jsonb_agg(item || jsonb_build_object('number', attnum) ORDER BY i)
                    FROM jsonb_array_elements(definition -> 'where') WITH ORDINALITY AS u (item, i)
                    JOIN pg_attribute ON attrelid = wanted AND attname = item ->> 'column')));
    IF definition ->> 'level' = 'statement' AND operations <> '{TRUNCATE}' AND tuplecast.at_row_level(wanted, options) THEN
        RAISE feature_not_supported USING
            MESSAGE = CASE WHEN tuplecast.needs_row_level(wanted)
                           THEN format('"%s" is partitioned, foreign, or part of an inheritance tree: its triggers are at row level.', definition ->> 'table')
                           ELSE 'Triggers with update_of, where or always are at row level.' END,
            HINT = 'Leave out level.';
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.drop_trigger(name text, if_match text, dry_run boolean) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
DECLARE
    deadline timestamptz;
    found tuplecast.triggers;
    answer text;
    statements text[];
BEGIN
    PERFORM tuplecast.take_turn();
    deadline := clock_timestamp() + interval '2 s';
    answer := tuplecast.get_trigger(name);
    found := tuplecast.find_trigger(name);
    PERFORM tuplecast.check_match(answer::json ->> 'etag', if_match, NULL);
    SELECT array_agg(format('DROP TRIGGER %I ON %s', p.full_name, p.relation::regclass) ORDER BY p.part COLLATE "C") INTO statements
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
               'key', tuplecast.key_columns(t.oid),
               'columns', (SELECT coalesce(json_agg(json_strip_nulls(json_build_object(
                                      'name', attname, 'type', format_type(atttypid, atttypmod),
                                      'generated', CASE WHEN attgenerated <> '' THEN true END)) ORDER BY attnum), '[]')
                             FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped AND attgenerated <> 'v'),
               'rows', NULLIF(t.reltuples, -1)::bigint,
               'bytes', (SELECT coalesce(sum(c.relpages::bigint), 0) FROM pg_class c
                          WHERE c.oid IN (t.oid, t.reltoastrelid) OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = t.oid))
                        * current_setting('block_size')::bigint,
               'row_security', t.relrowsecurity,
               'triggers', ARRAY(SELECT r.name FROM tuplecast.triggers r WHERE r.relation = t.oid ORDER BY r.name COLLATE "C"),
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
