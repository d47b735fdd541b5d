-- tuplecast: what triggers there are
--
-- These functions run with the caller's rights: who may not change a table cannot do it through them either.

-- The arguments of a trigger, out of its row in pg_trigger.
CREATE OR REPLACE FUNCTION tuplecast.arguments(tgargs bytea) RETURNS text[]
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

-- The second argument of a trigger; {} when it is not JSON, because anybody may make a trigger with our function by hand.
CREATE OR REPLACE FUNCTION tuplecast.options(argument text) RETURNS json
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
CREATE OR REPLACE VIEW tuplecast.parts AS
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

CREATE OR REPLACE VIEW tuplecast.triggers AS
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
CREATE OR REPLACE FUNCTION tuplecast.needs_row_level(wanted oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT relkind <> 'r' OR relispartition OR EXISTS (SELECT FROM pg_inherits WHERE wanted IN (inhrelid, inhparent))
      FROM pg_class WHERE oid = wanted
$$;

-- Is a trigger with these options, as its second argument has them, at row level on the table as it is now?
CREATE OR REPLACE FUNCTION tuplecast.at_row_level(wanted oid, options json) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT tuplecast.needs_row_level(wanted) OR options -> 'update_of' IS NOT NULL OR options -> 'where' IS NOT NULL
           OR coalesce(options ->> 'level' = 'row', false)
$$;

-- What is not as it was when the trigger was put, in sentences.
CREATE OR REPLACE FUNCTION tuplecast.stale(t tuplecast.triggers) RETURNS text[]
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

CREATE OR REPLACE FUNCTION tuplecast.trigger_json(t tuplecast.triggers) RETURNS text
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

CREATE OR REPLACE FUNCTION tuplecast.list_triggers(of_schema text, of_table text, of_channel text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{"items":[' || coalesce(string_agg(tuplecast.trigger_json(t), ',' ORDER BY t.name, t.schema, t."table"), '') || ']}'
      FROM tuplecast.triggers t
     WHERE (of_schema IS NULL OR t.schema = of_schema) AND (of_table IS NULL OR t."table" = of_table)
       AND (of_channel IS NULL OR t.channel = of_channel)
$$;

-- The one of that name, or null. Should there be several, on different tables, made by hand: the one that was made first.
CREATE OR REPLACE FUNCTION tuplecast.find_trigger(trigger_name text) RETURNS tuplecast.triggers
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t FROM tuplecast.triggers t WHERE t.name = trigger_name
     ORDER BY (SELECT min(trigger) FROM tuplecast.parts p WHERE p.name = t.name AND p.relation = t.relation) LIMIT 1
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
