-- tuplecast: what triggers there are.
--
-- A logical trigger NAME is several of PostgreSQL's on one table, its parts: tuplecast:NAME:insert, :update, :delete, :truncate; with a key that may change,
-- :key tells the old key, and at row level :moves begins each statement that sets it. The arguments of each part are the channel, the options as
-- JSON (what is not default: always, columns, durable, level, old, prepare_transaction, row_security, update_of, where), and the operations.
--
-- The owner of a table may make such a trigger by hand, or give ours other arguments: no function here fails over them, and none believes them. A trigger is ours
-- when it has a row in tuplecast.function, and does what that row says.
--
-- These functions run with the caller's rights: who may not change a table cannot do it through them either.

SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL check_function_bodies = off; -- they call each other

-- The arguments of a trigger, out of its row in pg_trigger.
CREATE OR REPLACE FUNCTION tuplecast.arguments(tgargs bytea) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text[] := '{}';
BEGIN
    -- What is longer than any definition of ours is none, and would take long to take apart.
    IF octet_length(tgargs) > 1000000 THEN
        RETURN answer;
    END IF;
    WHILE position(decode('00', 'hex') IN tgargs) > 0 AND cardinality(answer) < 8 LOOP
        answer := answer || convert_from(substring(tgargs FROM 1 FOR position(decode('00', 'hex') IN tgargs) - 1), getdatabaseencoding());
        tgargs := substring(tgargs FROM position(decode('00', 'hex') IN tgargs) + 1);
    END LOOP;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN '{}';
END
$$;

-- The second argument of a trigger; {} when it is not what we would have written.
CREATE OR REPLACE FUNCTION tuplecast.options(argument text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer jsonb;
    item jsonb;
BEGIN
    IF coalesce(argument, '') = '' OR octet_length(argument) > 1000000 THEN
        RETURN '{}';
    END IF;
    answer := argument;
    IF jsonb_typeof(answer) <> 'object' OR coalesce(jsonb_typeof(answer -> 'columns'), 'array') <> 'array'
       OR coalesce(jsonb_typeof(answer -> 'update_of'), 'array') <> 'array' OR coalesce(jsonb_typeof(answer -> 'where'), 'array') <> 'array' THEN
        RETURN '{}';
    END IF;
    FOR item IN SELECT jsonb_array_elements(answer -> 'where') LOOP
        IF jsonb_typeof(item) <> 'object' THEN
            RETURN '{}';
        END IF;
    END LOOP;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN -- too deep for the stack, for example
    RETURN '{}';
END
$$;

-- The same with what the functions of a trigger need beside it.
CREATE OR REPLACE FUNCTION tuplecast.options(argument text, channel text, row_level boolean) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN tuplecast.options(argument) || jsonb_build_object('channel', channel, 'row_level', row_level);
END
$$;

-- PostgreSQL's triggers that are ours, each with the definition that it was put with.
CREATE OR REPLACE VIEW tuplecast.parts AS
SELECT t.oid AS trigger,
       t.tgname AS full_name,
       pg_catalog.substring(t.tgname::text, '^tuplecast:(.*):') AS name,
       pg_catalog.substring(t.tgname::text, '[a-z]+$') AS part,
       t.tgrelid AS relation,
       t.tgtype AS type,
       t.tgenabled AS state,
       f.arguments[1] AS channel,
       f.arguments[2] AS argument,
       pg_catalog.string_to_array(f.arguments[3], ' ') AS operations,
       f.name AS function,
       tuplecast.arguments(t.tgargs) IS DISTINCT FROM f.arguments AS altered
  FROM tuplecast.function f
  JOIN pg_catalog.pg_trigger t ON t.tgrelid = f.relation AND t.tgname = f.trigger AND t.tgparentid = 0
  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.proname = f.name
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'tuplecast';

CREATE OR REPLACE VIEW tuplecast.triggers AS
SELECT p.name,
       n.nspname::text AS schema,
       c.relname::text AS "table",
       p.channel,
       p.operations,
       o.options,
       coalesce(p.intended, '{INSERT,UPDATE,DELETE,TRUNCATE}') AS intended,
       p.row_level,
       p.enabled,
       p.equal,
       p.parts,
       p.relation,
       coalesce(o.options -> 'durable' = 'true'::jsonb, false) AS durable
  FROM (SELECT q.name,
               q.relation,
               min(q.channel) AS channel,
               min(q.argument) AS argument,
               min(q.operations) AS intended,
               array_remove(ARRAY[CASE WHEN bool_or(q.part = 'insert') THEN 'INSERT' END,
                                  CASE WHEN bool_or(q.part = 'update') THEN 'UPDATE' END,
                                  CASE WHEN bool_or(q.part = 'delete') THEN 'DELETE' END,
                                  CASE WHEN bool_or(q.part = 'truncate') THEN 'TRUNCATE' END], NULL) AS operations,
               bool_or(q.type & 1 > 0 AND q.part <> 'key') AS row_level,
               bool_and(q.state <> 'D') AS enabled,
               min(q.channel) IS NOT DISTINCT FROM max(q.channel) AND min(q.argument) IS NOT DISTINCT FROM max(q.argument)
               AND (bool_and(q.state = 'A') OR bool_and(q.state <> 'A')) AND NOT bool_or(q.altered) AS equal,
               array_agg(q.part ORDER BY q.part COLLATE "C") AS parts
          FROM tuplecast.parts q
         GROUP BY q.name, q.relation) p
 CROSS JOIN LATERAL tuplecast.options(p.argument) AS o (options)
  JOIN pg_catalog.pg_class c ON c.oid = p.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace;

-- Is a trigger on this table, as it is now, at row level whatever its definition? Rows that come by way of a parent table are unseen by
-- statement triggers of the child, and the other way round.
CREATE OR REPLACE FUNCTION tuplecast.needs_row_level(wanted oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT relkind <> 'r' OR relispartition OR EXISTS (SELECT FROM pg_inherits WHERE wanted IN (inhrelid, inhparent))
              FROM pg_class WHERE oid = wanted);
END
$$;

-- Is a trigger with these options at row level on the table as it is now?
CREATE OR REPLACE FUNCTION tuplecast.at_row_level(wanted oid, options jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN tuplecast.needs_row_level(wanted) OR options ? 'update_of' OR options ? 'where' OR options ? 'always'
            OR coalesce(options ->> 'level' = 'row', false);
END
$$;

-- What is not as it was when the trigger was put, in sentences.
CREATE OR REPLACE FUNCTION tuplecast.stale(t tuplecast.triggers) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (WITH gone AS (
                SELECT DISTINCT 'columns' AS list, name FROM jsonb_array_elements_text(t.options -> 'columns') name
                UNION ALL
                SELECT DISTINCT 'where', item ->> 'column' FROM jsonb_array_elements(t.options -> 'where') item
                EXCEPT ALL
                SELECT list, attname::text FROM (VALUES ('columns'), ('where')) AS lists (list), pg_attribute
                 WHERE attrelid = t.relation AND attnum > 0 AND NOT attisdropped
            )
            SELECT array_remove(
                       ARRAY[CASE WHEN NOT t.enabled THEN 'The trigger, or a part of it, is disabled: it sends nothing, or not everything.' END,
                             CASE WHEN NOT t.equal THEN 'Its parts are not as they were put: put it again.' END,
                             CASE WHEN NOT t.row_level AND t.operations <> '{TRUNCATE}' AND tuplecast.needs_row_level(t.relation)
                                  THEN 'The table has become a partition or part of an inheritance tree: changes that come by way of another '
                                       'table are missing. Put the trigger again.' END,
                             CASE WHEN (SELECT relrowsecurity FROM pg_class WHERE oid = t.relation) AND NOT t.options ? 'row_security'
                                  THEN 'The table has row level security now, which does not hold for events: everybody who may read the channel sees every '
                                       'row. Put the trigger again with "row_security": "ignored", or delete it.' END,
                             CASE WHEN 'UPDATE' = ANY (t.operations) AND tuplecast.key_columns(t.relation) IS NOT NULL
                                       AND ('key' <> ALL (t.parts) OR tuplecast.keys_are_missed(t.relation, t.name))
                                  THEN 'The table''s key is not the one that it had, or a trigger changes it before UPDATE: old keys may not be told of. Put the '
                                       'trigger again.' END,
                             CASE WHEN NOT t.options ? 'always' AND tuplecast.is_replicated(t.relation)
                                  THEN 'A subscription writes to this table: rows that come by logical replication are not sent. Put the trigger again with '
                                       '"always": true.' END]
                       || ARRAY(SELECT format('%s: column "%s" is not there any more%s', list, name,
                                              CASE list WHEN 'columns' THEN ', so it is not sent.'
                                                        ELSE ' under this name; the condition goes on with the column that had it.' END)
                                  FROM gone ORDER BY list COLLATE "C", name COLLATE "C")
                       || ARRAY(SELECT format('%s is missing: a part of the trigger was dropped.', operation)
                                  FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) WITH ORDINALITY AS o (operation, position)
                                 WHERE lower(operation COLLATE "C") <> ALL (t.parts) AND operation = ANY (t.intended)
                                 ORDER BY position), NULL));
END
$$;

-- Does a subscription of this database write to the table, or to a partition of it?
CREATE OR REPLACE FUNCTION tuplecast.is_replicated(relation oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = relation OR srrelid IN (SELECT relid FROM pg_partition_tree(relation))));
END
$$;

-- May a change of the key go by without the part that tells the old one? It looks at statements that set the key's columns; a trigger before UPDATE can set them, too.
CREATE OR REPLACE FUNCTION tuplecast.keys_are_missed(wanted oid, trigger_name text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT cardinality(t.tgattr::smallint[]) > 0
                   AND (tuplecast.has_triggers_before_update(wanted)
                        OR ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = wanted AND attnum = ANY (t.tgattr::smallint[]) ORDER BY attname::text COLLATE "C")
                           <> ARRAY(SELECT k FROM unnest(tuplecast.key_columns(wanted)) k ORDER BY k COLLATE "C"))
              FROM pg_trigger t WHERE tgrelid = wanted AND tgname = format('tuplecast:%s:key', trigger_name));
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.has_triggers_before_update(wanted oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid IN (SELECT wanted UNION SELECT relid FROM pg_partition_tree(wanted))
                                                    AND tgtype & 1 > 0 AND tgtype & 2 > 0 AND tgtype & 16 > 0 AND NOT tgisinternal));
END
$$;

-- What somebody should know of the table who has, or puts, this trigger on it, in sentences.
CREATE OR REPLACE FUNCTION tuplecast.notes(t tuplecast.triggers) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT array_remove(
                ARRAY[CASE WHEN c.relkind <> 'p' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = t.relation)
                           THEN 'Other tables inherit from this one. Their rows are not sent: each needs a trigger of its own.' END,
                      CASE WHEN c.relkind <> 'p' AND NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = t.relation)
                           THEN 'The table inherits from another one: a TRUNCATE or DROP of that one is not told here.' END,
                      CASE WHEN c.relispartition
                           THEN 'The table is a partition: TRUNCATE of the partitioned table, and detaching, are not told here.' END,
                      CASE WHEN c.relkind = 'f' THEN 'The table is a foreign table: only changes that are made through it are sent.' END,
                      CASE WHEN tuplecast.key_columns(t.relation) IS NULL
                           THEN 'The table has neither a primary key nor a unique replica identity: events have no id.' END,
                      CASE WHEN t.options ? 'row_security'
                           THEN 'Row level security does not hold for events: everybody who may read the channel sees every row.' END,
                      CASE WHEN t.options ? 'prepare_transaction' AND current_setting('max_prepared_transactions') <> '0'
                           THEN 'PREPARE TRANSACTION fails after a write to this table: NOTIFY does not allow it.' END], NULL)
              FROM pg_class c WHERE c.oid = t.relation);
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.trigger_json(t tuplecast.triggers) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    condition json := (SELECT json_agg(json_strip_nulls(json_build_object('column', item -> 'column', 'op', item -> 'op', 'value', item -> 'value')) ORDER BY i) FROM jsonb_array_elements(t.options -> 'where') WITH ORDINALITY AS u (item, i));
    definition text := json_strip_nulls(json_build_object(
        'name', t.name, 'schema', t.schema, 'table', t."table", 'channel', t.channel, 'operations', t.operations,
        'columns', t.options -> 'columns', 'update_of', t.options -> 'update_of', 'old', coalesce(t.options -> 'old' = 'true'::jsonb, false),
        'durable', t.durable, 'where', condition, 'level', CASE WHEN t.row_level THEN 'row' ELSE 'statement' END,
        'always', CASE WHEN t.options ? 'always' THEN true END, 'row_security', t.options ->> 'row_security',
        'prepare_transaction', t.options ->> 'prepare_transaction', 'enabled', t.enabled, 'stale', tuplecast.stale(t)))::text;
BEGIN
    RETURN left(definition, -1) || ',"notes":' || array_to_json(tuplecast.notes(t)) || ',"etag":"' || left(tuplecast.digest(definition), 16) || '"}';
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.list_triggers(of_schema text, of_table text, of_channel text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{"items":[' || coalesce(string_agg(tuplecast.trigger_json(t), ',' ORDER BY t.name COLLATE "C", t.schema COLLATE "C", t."table" COLLATE "C"), '')
           || ']}'
      FROM tuplecast.triggers t
     WHERE (of_schema IS NULL OR t.schema = of_schema) AND (of_table IS NULL OR t."table" = of_table)
       AND (of_channel IS NULL OR t.channel = of_channel)
$$;

-- The one of that name, or null. Should there be several, on different tables, made by hand: the one that was made first.
CREATE OR REPLACE FUNCTION tuplecast.find_trigger(trigger_name text) RETURNS tuplecast.triggers
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT t FROM tuplecast.triggers t WHERE t.name = trigger_name
             ORDER BY (SELECT min(trigger) FROM tuplecast.parts p WHERE p.name = t.name AND p.relation = t.relation) LIMIT 1);
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.get_trigger(trigger_name text) RETURNS text
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
