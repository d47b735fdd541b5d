-- tuplecast: what runs when a row changes and a live trigger tells of it with NOTIFY. generated.sql writes the functions that call these.
--
-- All of it runs as the writer, as any trigger does, and needs no right but USAGE on the schema and the sequence. It may not fail, whatever the row holds: NOTIFY
-- refuses payloads of 8,000 bytes and more, no text is longer than 1 GB, and other people's types may raise errors.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL check_function_bodies = off; -- they call each other

-- 32 hexadecimal digits that stand for a text. Not md5(), which servers that keep to FIPS 140 do not have.
CREATE OR REPLACE FUNCTION tuplecast.digest(content text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN left(encode(sha256(convert_to(content, getdatabaseencoding())), 'hex'), 32);
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- Values
--
-- The same row has the same bytes, whoever writes it: values that depend on a setting of the session are made while it has the fixed form.
------------------------------------------------------------------------------------------------------------------------------------------

-- Gives the settings on which the text of a value depends their fixed form, and returns what they were, for set_settings().
CREATE OR REPLACE FUNCTION tuplecast.fix_settings() RETURNS text[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    was pg_catalog.text[];
BEGIN
    was := ARRAY[pg_catalog.current_setting('TimeZone'), pg_catalog.current_setting('DateStyle'), pg_catalog.current_setting('IntervalStyle'),
                 pg_catalog.current_setting('bytea_output'), pg_catalog.current_setting('extra_float_digits'),
                 pg_catalog.current_setting('lc_monetary'), pg_catalog.current_setting('array_nulls'),
                 pg_catalog.current_setting('quote_all_identifiers'), pg_catalog.current_setting('search_path')];
    IF tuplecast.set_settings(ARRAY['UTC', 'ISO', 'iso_8601', 'hex', '1', 'C', 'on', 'off', 'pg_catalog']) THEN
    END IF;
    RETURN was;
END
$$;

-- True.
CREATE OR REPLACE FUNCTION tuplecast.set_settings(wanted text[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN pg_catalog.concat(
        pg_catalog.set_config('TimeZone', wanted[1], true), pg_catalog.set_config('DateStyle', wanted[2], true),
        pg_catalog.set_config('IntervalStyle', wanted[3], true), pg_catalog.set_config('bytea_output', wanted[4], true),
        pg_catalog.set_config('extra_float_digits', wanted[5], true), pg_catalog.set_config('lc_monetary', wanted[6], true),
        pg_catalog.set_config('array_nulls', wanted[7], true), pg_catalog.set_config('quote_all_identifiers', wanted[8], true),
        pg_catalog.set_config('search_path', wanted[9], true)) IS NOT NULL;
END
$$;

-- A value as JSON, of a type that is safe (is_safe in generated.sql): null when it cannot be made, or is too large for any event.
CREATE OR REPLACE FUNCTION tuplecast.value_json(value anyelement) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text;
BEGIN
    answer := coalesce(to_json(value)::text, 'null');
    RETURN CASE WHEN octet_length(answer) <= 250000000 THEN answer END;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- The text of a value as JSON, for types that others may have given a cast to json: what their output function writes.
CREATE OR REPLACE FUNCTION tuplecast.text_json(value anyelement, is_array boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text;
BEGIN
    answer := CASE WHEN value IS NOT DISTINCT FROM NULL THEN 'null' WHEN is_array THEN to_json(format('%s', value)::text[])::text ELSE to_json(format('%s', value))::text END;
    RETURN CASE WHEN octet_length(answer) <= 250000000 THEN answer END;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- The same for a row of which every column is built in, but which may be too large.
CREATE OR REPLACE FUNCTION tuplecast.row_json(changed record) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text;
BEGIN
    answer := row_to_json(changed)::text;
    RETURN CASE WHEN octet_length(answer) <= 250000000 THEN answer END;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- An object of these members, whose names are JSON already; a value that is null could not be made and is left out. Null when it is too large.
CREATE OR REPLACE FUNCTION tuplecast.object(names text[], member_values text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bytes bigint := 0;
    members text[];
BEGIN
    FOR i IN 1 .. coalesce(cardinality(names), 0) LOOP
        bytes := bytes + coalesce(octet_length(member_values[i]), 0);
    END LOOP;
    IF bytes > 250000000 THEN
        RETURN NULL;
    END IF;
    FOR i IN 1 .. coalesce(cardinality(names), 0) LOOP
        members[i] := names[i] || ':' || member_values[i];
    END LOOP;
    RETURN '{' || array_to_string(coalesce(members, '{}'), ',') || '}';
END
$$;

-- What `cut` says of the values that could not be made: "data.NAME", with commas between; null when there are none.
CREATE OR REPLACE FUNCTION tuplecast.lost(member text, names text[], member_values text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT string_agg('"' || member || '.' || substr(n, 2), ',' ORDER BY i) FROM unnest(names, member_values) WITH ORDINALITY AS u (n, v, i) WHERE v IS NULL);
END
$$;

-- The names of the members that differ.
CREATE OR REPLACE FUNCTION tuplecast.changed_names(names text[], old_values text[], new_values text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT '[' || coalesce(string_agg(n, ',' ORDER BY i), '') || ']'
              FROM unnest(names, old_values, new_values) WITH ORDINALITY AS u (n, o, w, i) WHERE o IS DISTINCT FROM w);
END
$$;

-- The key of a row: a scalar, an object when it has several columns, or null without one.
CREATE OR REPLACE FUNCTION tuplecast.id_text(names text[], member_values text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN coalesce(CASE WHEN array_position(member_values, NULL) IS NOT NULL OR cardinality(names) = 0 THEN NULL
                          WHEN cardinality(names) = 1 THEN member_values[1] ELSE tuplecast.object(names, member_values) END, 'null');
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- Payloads
------------------------------------------------------------------------------------------------------------------------------------------

-- Keeps equal payloads of a transaction apart; 0 for who may not draw numbers any more.
CREATE OR REPLACE FUNCTION tuplecast.serial_number() RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN has_sequence_privilege('tuplecast.serial', 'USAGE') THEN nextval('tuplecast.serial') ELSE 0 END;
END
$$;

-- Puts a payload together. What is too long is left out, and `cut` says so: first old, then data, then the key; the names of what changed only when
-- nothing else helps. `head` is everything up to the key. `old` and `changed` are null when they are not wanted; `data` and `old` are '' when the row was too
-- large even to be made text. `missing` are the names of columns that could not be made, as lost() has them, or ''.
CREATE OR REPLACE FUNCTION tuplecast.payload(head text, id text, data text, old text, changed text, missing text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    room bigint := 7900 - octet_length(head) - octet_length(',"data":}');
    changed_member text := coalesce(',"changed":' || changed, '');
    old_member text := CASE WHEN old IS NULL THEN '' ELSE ',"old":' || old END;
    cut_member text := CASE WHEN missing = '' THEN '' ELSE ',"cut":[' || missing || ']' END;
    cut text := CASE WHEN old IS NULL THEN '"data"' ELSE '"old","data"' END;
BEGIN
    IF data <> '' AND octet_length(data) < 8000 AND octet_length(id) < 8000 THEN
        IF old IS DISTINCT FROM '' AND octet_length(id)::bigint + octet_length(data) + octet_length(old_member) + octet_length(changed_member)
                                       + octet_length(cut_member) <= room THEN
            RETURN head || id || ',"data":' || data || old_member || changed_member || cut_member || '}';
        END IF;
        IF old IS NOT NULL THEN
            cut_member := ',"cut":["old"' || CASE WHEN missing = '' THEN '' ELSE ',' || missing END || ']';
            IF octet_length(id)::bigint + octet_length(data) + octet_length(changed_member) + octet_length(cut_member) <= room THEN
                RETURN head || id || ',"data":' || data || changed_member || cut_member || '}';
            END IF;
        END IF;
    END IF;
    room := room - octet_length('null,"cut":[,"id","changed"]') - octet_length(cut);
    IF octet_length(id)::bigint + octet_length(changed_member) <= room THEN
        RETURN head || id || ',"data":null' || changed_member || ',"cut":[' || cut || ']}';
    ELSIF changed IS NOT NULL AND octet_length(changed_member) <= room THEN
        RETURN head || 'null,"data":null' || changed_member || ',"cut":[' || cut || ',"id"]}';
    ELSIF octet_length(id) <= room THEN
        RETURN head || id || ',"data":null,"cut":[' || cut || ',"changed"]}';
    END IF;
    RETURN head || 'null,"data":null,"cut":[' || cut || ',"id"' || CASE WHEN changed IS NULL THEN '' ELSE ',"changed"' END || ']}';
END
$$;

-- Sends one change, whatever its types: the values are JSON, or null where they could not be made; old_values null unless they are wanted. Returns true.
CREATE OR REPLACE FUNCTION tuplecast.send(channel text, head text, key_names text[], key_values text[], names text[], new_values text[], old_values text[])
    RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_notify(channel, tuplecast.payload(
        head || tuplecast.serial_number() || ',"id":', tuplecast.id_text(key_names, key_values), coalesce(tuplecast.object(names, new_values), ''),
        CASE WHEN old_values IS NOT NULL THEN coalesce(tuplecast.object(names, old_values), '') END,
        CASE WHEN old_values IS NOT NULL THEN tuplecast.changed_names(names, old_values, new_values) END,
        concat_ws(',', tuplecast.lost('data', names, new_values), CASE WHEN old_values IS NOT NULL THEN tuplecast.lost('old', names, old_values) END)));
    RETURN true;
END
$$;

-- Tells that a row is gone from what is told of: its key has changed, or it does not meet the condition any more. The row itself is not sent on; the gateway judges by it who
-- may know. What does not fit is left out, and then those do not learn of it who may see some rows only.
CREATE OR REPLACE FUNCTION tuplecast.send_left(channel text, head text, key_names text[], key_values text[], names text[], old_values text[]) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    payload text := head || tuplecast.serial_number() || ',"id":';
    id text := tuplecast.id_text(key_names, key_values);
    was text := ',"_was":' || tuplecast.object(names, old_values);
BEGIN
    IF octet_length(payload) + octet_length(id) + octet_length(',"data":null}') > 7900 THEN
        PERFORM pg_notify(channel, payload || 'null,"data":null,"cut":["id"]}');
    ELSIF coalesce(octet_length(payload)::bigint + octet_length(id) + octet_length(was) > 7880, true) THEN
        PERFORM pg_notify(channel, payload || id || ',"data":null}');
    ELSE
        PERFORM pg_notify(channel, payload || id || ',"data":null' || was || '}');
    END IF;
    RETURN true;
END
$$;

-- Sends a row of built-in types that may be too long for the fast way. True, as the fast way wants it.
CREATE OR REPLACE FUNCTION tuplecast.send_long(channel text, head text, id text, too_long boolean, changed record) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_notify(channel, tuplecast.payload(head || nextval('tuplecast.serial') || ',"id":', id,
                                                 CASE WHEN too_long THEN '' ELSE coalesce(tuplecast.row_json(changed), '') END, NULL, NULL, ''));
    RETURN true;
END
$$;

-- TRUNCATE, for every live trigger.
CREATE OR REPLACE FUNCTION tuplecast.live_truncate() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    number bigint := 0;
BEGIN
    -- Writers may have lost their rights on our schema, as after a dump was restored without privileges.
    IF has_schema_privilege('tuplecast', 'USAGE') THEN
        number := tuplecast.serial_number();
    END IF;
    PERFORM pg_notify(TG_ARGV[0], concat('{"schema":', to_json(TG_TABLE_SCHEMA::text), ',"table":', to_json(TG_TABLE_NAME::text),
                                         ',"type":"TRUNCATE","_":', number, ',"id":null,"data":null}'));
    RETURN NULL;
END
$$;

-- What stands before the serial number in each payload that stands for itself. op is the statement's, where that is another one than what it comes to.
CREATE OR REPLACE FUNCTION tuplecast.payload_head(table_schema text, table_name text, type text, op text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN concat('{"schema":', to_json(table_schema), ',"table":', to_json(table_name), ',"type":"', type, '"', ',"op":"' || op || '"', ',"_":');
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- Keys that move through each other, at row level
--
-- The old key of a changed one is told as a DELETE. At statement level all of those come before the changes. At row level, each stands before its own change, and
-- with SET id = id + 1 the row that became 2 has been told when the row that was 2 is reached: its DELETE would take the other's place away. So a key that a row
-- has moved into within this statement is not told as deleted.
--
-- The keys moved into are remembered in settings of the transaction, as digests in 256 buckets. The statement is told apart by a number that the part
-- `moves` draws before it. For durable triggers both are drawn by our owner, from a sequence and with a secret that writers do not have, so that
-- nobody can have a DELETE left out by setting them himself.
------------------------------------------------------------------------------------------------------------------------------------------

-- Is the old key to be told? `mark` tells table and statement, and a secret. The ids are null where the row was not, or is not, one that is told of.
CREATE OR REPLACE FUNCTION tuplecast.key_is_left(mark text, old_id text, new_id text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old_digest text := tuplecast.digest(mark || old_id);
    new_digest text := tuplecast.digest(mark || new_id);
    bucket text := 'tuplecast.moved_' || left(new_digest, 2);
BEGIN
    IF new_id IS NOT NULL THEN
        PERFORM set_config(bucket, concat(current_setting(bucket, true), ' ', substr(new_digest, 3)), true);
    END IF;
    RETURN old_id IS NOT NULL
           AND position(' ' || substr(old_digest, 3) IN coalesce(current_setting('tuplecast.moved_' || left(old_digest, 2), true), '')) = 0;
END
$$;

-- Begins a statement that sets a key.
CREATE OR REPLACE FUNCTION tuplecast.live_moves() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF has_schema_privilege('tuplecast', 'USAGE') THEN
        PERFORM set_config('tuplecast.statement', tuplecast.serial_number()::text, true);
    END IF;
    RETURN NULL;
END
$$;
