-- tuplecast, version 1: live triggers, which tell of a change with NOTIFY.
--
-- Installed by `tuplecast setup`; or by hand: psql --single-transaction -v ON_ERROR_STOP=1 -f 001-live.sql
-- Everything is in the schema tuplecast. A trigger is ours when its function is in that schema: nothing else is listed or dropped.

CREATE SCHEMA tuplecast;
COMMENT ON SCHEMA tuplecast IS 'tuplecast: row changes as Server-Sent Events';

CREATE TABLE tuplecast.version (
    version integer PRIMARY KEY,
    installed_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
INSERT INTO tuplecast.version (version) VALUES (1);

-- Keeps equal notifications of one transaction apart, which NOTIFY would otherwise send once.
CREATE SEQUENCE tuplecast.serial AS bigint CYCLE;

-- The primary key of a changed row: a scalar, an object for a composite key, or null without one. Looked up in the catalog each time,
-- so that it stays right when a column is renamed or the key changes.
CREATE FUNCTION tuplecast.key_of(relation oid, row_json json) RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE count(*)
               WHEN 0 THEN 'null'::json
               WHEN 1 THEN min((row_json -> a.attname)::text)::json
               ELSE json_object_agg(a.attname, row_json -> a.attname ORDER BY k.position)
           END
      FROM pg_index i
      CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, position)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
     WHERE i.indrelid = relation AND i.indisprimary
$$;

-- The trigger function. Its first argument is the channel. It must never make the writer's statement fail: NOTIFY refuses payloads of
-- 8,000 bytes and more with an error, so what is too long is cut, first the row, then the key, and `cut` says so.
--
-- SECURITY DEFINER: the writer needs no right on anything of ours; and whatever the row's types call runs as our owner and not as a
-- superuser who happens to write to the table.
CREATE FUNCTION tuplecast.live() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    head text := '"schema":' || to_json(TG_TABLE_SCHEMA::text)::text || ',"table":' || to_json(TG_TABLE_NAME::text)::text
                 || ',"type":"' || TG_OP || '","_":' || nextval('tuplecast.serial') || ',"id":';
    row_json json;
    key text := 'null';
    payload text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        row_json := row_to_json(OLD);
    ELSIF TG_OP <> 'TRUNCATE' THEN
        row_json := row_to_json(NEW);
    END IF;
    IF row_json IS NOT NULL THEN
        key := coalesce(tuplecast.key_of(TG_RELID, row_json)::text, 'null');
    END IF;
    payload := '{' || head || key || ',"data":' || coalesce(row_json::text, 'null') || '}';
    IF octet_length(payload) > 7900 THEN
        payload := '{' || head || key || ',"data":null,"cut":["data"]}';
    END IF;
    IF octet_length(payload) > 7900 THEN
        payload := '{' || head || 'null,"data":null,"cut":["data","id"]}';
    END IF;
    PERFORM pg_notify(TG_ARGV[0], payload);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tuplecast.live() IS 'tuplecast: sends a row''s change to the channel named by the first argument';

-- One logical trigger is up to two of PostgreSQL's, on one table: tuplecast:<name>:row and tuplecast:<name>:truncate.
CREATE VIEW tuplecast.triggers AS
SELECT t.name,
       n.nspname::text AS schema,
       c.relname::text AS "table",
       t.channel,
       t.operations,
       t.enabled,
       t.relation
  FROM (SELECT regexp_replace(tgname::text, '^tuplecast:(.*):(row|truncate)$', '\1') AS name,
               tgrelid AS relation,
               min(convert_from(substring(tgargs FROM 1 FOR position('\x00'::bytea IN tgargs) - 1),
                                getdatabaseencoding())) AS channel,
               array_remove(ARRAY[CASE WHEN bit_or(tgtype) & 4 > 0 THEN 'INSERT' END,
                                  CASE WHEN bit_or(tgtype) & 16 > 0 THEN 'UPDATE' END,
                                  CASE WHEN bit_or(tgtype) & 8 > 0 THEN 'DELETE' END,
                                  CASE WHEN bit_or(tgtype) & 32 > 0 THEN 'TRUNCATE' END], NULL) AS operations,
               bool_and(tgenabled <> 'D') AS enabled
          FROM pg_trigger
         WHERE tgfoid = 'tuplecast.live()'::regprocedure AND tgparentid = 0 AND tgname ~ '^tuplecast:.*:(row|truncate)$'
         GROUP BY 1, 2) t
  JOIN pg_class c ON c.oid = t.relation
  JOIN pg_namespace n ON n.oid = c.relnamespace;

CREATE FUNCTION tuplecast.trigger_json(t tuplecast.triggers) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT json_build_object('name', t.name, 'schema', t.schema, 'table', t."table", 'channel', t.channel, 'operations', t.operations,
                             'durable', false, 'enabled', t.enabled)::text
$$;

CREATE FUNCTION tuplecast.list_triggers(of_schema text, of_table text, of_channel text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{"items":[' || coalesce(string_agg(tuplecast.trigger_json(t), ',' ORDER BY t.name), '') || ']}'
      FROM tuplecast.triggers t
     WHERE (of_schema IS NULL OR t.schema = of_schema) AND (of_table IS NULL OR t."table" = of_table)
       AND (of_channel IS NULL OR t.channel = of_channel)
$$;

CREATE FUNCTION tuplecast.get_trigger(trigger_name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text;
BEGIN
    SELECT tuplecast.trigger_json(t) INTO answer FROM tuplecast.triggers t WHERE t.name = trigger_name;
    IF answer IS NULL THEN
        RAISE no_data_found USING MESSAGE = format('There is no trigger "%s" of ours.', trigger_name),
                                  HINT = 'GET /triggers lists those that there are.';
    END IF;
    RETURN answer;
END
$$;

-- Drops both parts of a trigger; the caller has found it.
CREATE FUNCTION tuplecast.drop_parts(trigger_name text, relation oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part record;
BEGIN
    FOR part IN SELECT tgname FROM pg_trigger
                 WHERE tgrelid = relation AND tgfoid = 'tuplecast.live()'::regprocedure
                   AND tgname IN (format('tuplecast:%s:row', trigger_name), format('tuplecast:%s:truncate', trigger_name))
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', part.tgname, relation::regclass);
    END LOOP;
END
$$;

CREATE FUNCTION tuplecast.drop_trigger(trigger_name text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text := tuplecast.get_trigger(trigger_name);
BEGIN
    -- A DDL statement that waits for a lock makes every new writer wait behind it: so it does not wait for long.
    PERFORM set_config('lock_timeout', '2s', true);
    PERFORM tuplecast.drop_parts(trigger_name, t.relation) FROM tuplecast.triggers t WHERE t.name = trigger_name;
    RETURN answer;
END
$$;

-- Creates or replaces. Does nothing when the trigger is there as it should be.
CREATE FUNCTION tuplecast.put_trigger(trigger_name text, table_schema text, table_name text, channel text, operations text[],
                                      OUT created boolean, OUT answer text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted oid := to_regclass(format('%I.%I', table_schema, table_name));
    found tuplecast.triggers;
    kind "char";
    row_operations text := array_to_string(array_remove(operations, 'TRUNCATE'), ' OR ');
BEGIN
    SELECT relkind INTO kind FROM pg_class WHERE oid = wanted;
    IF kind IS NULL THEN
        RAISE undefined_table USING MESSAGE = format('There is no table "%s" in schema "%s".', table_name, table_schema);
    ELSIF kind NOT IN ('r', 'p') THEN
        RAISE wrong_object_type USING MESSAGE = format('"%s.%s" is not a table.', table_schema, table_name),
                                      HINT = 'Put the trigger on the table that the rows come from.';
    END IF;
    -- Two gateways that put the same name at once take turns.
    PERFORM set_config('lock_timeout', '2s', true);
    PERFORM pg_advisory_xact_lock(hashtextextended('tuplecast trigger ' || trigger_name, 0));
    SELECT * INTO found FROM tuplecast.triggers t WHERE t.name = trigger_name;
    IF found.relation <> wanted THEN
        RAISE duplicate_object USING MESSAGE = format('Trigger "%s" is on table "%s.%s".', trigger_name, found.schema, found."table"),
                                     HINT = 'Delete it first, or take another name.';
    END IF;
    created := found.relation IS NULL;
    IF created OR found.channel <> channel OR NOT found.enabled
       OR NOT (found.operations @> operations AND operations @> found.operations) THEN
        IF NOT created THEN
            PERFORM tuplecast.drop_parts(trigger_name, wanted);
        END IF;
        IF row_operations <> '' THEN
            EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION tuplecast.live(%L)',
                           format('tuplecast:%s:row', trigger_name), row_operations, wanted::regclass, channel);
        END IF;
        IF 'TRUNCATE' = ANY (operations) THEN
            EXECUTE format('CREATE TRIGGER %I AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION tuplecast.live(%L)',
                           format('tuplecast:%s:truncate', trigger_name), wanted::regclass, channel);
        END IF;
    END IF;
    answer := tuplecast.get_trigger(trigger_name);
END
$$;

-- Whoever installs triggers calls these functions and needs the rights of the tables' owner beside; writers need nothing.
GRANT USAGE ON SCHEMA tuplecast TO PUBLIC;
GRANT SELECT ON tuplecast.triggers, tuplecast.version TO PUBLIC;
