-- tuplecast: the functions that are written for one trigger each.
--
-- A change of one row costs the writer little more than what its trigger looks up: names, key, columns, arguments. PostgreSQL keeps a plan for as long as a
-- session lives, and plans anew when the table was altered; so what stands in a statement as a constant need not be looked up. `bench/triggers` shows what
-- that earns (docs/decisions/0007). It is the one place where SQL writes PL/pgSQL.
--
-- Such a function is one of
--
--     IF <the writer may use our schema> AND <the settings on which the table's values depend have their fixed form> THEN
--         IF tuplecast.is_current(<name>, <digest>) THEN       asked once for each plan, not for each change: it is declared IMMUTABLE
--             <the statements for the table as it was when they were written>
--             RETURN
--         END IF;
--     END IF;
--     IF tuplecast.is_current(<name>, <digest>) THEN
--         <the settings on which the table's values depend get their fixed form>
--         <the same statements, for sessions with other settings>
--         <the settings are put back>
--         RETURN
--     END IF;
--     <all settings get their fixed form>
--     EXECUTE <the statements, written anew for the table as it is now>
--     <the settings are put back>
--
-- and the statements are general ones (queries_of), which are right for every table and every definition, or fast ones (fast_way), which do the same for tables
-- whose columns are all built in or enums. There is nothing that only one of the two can.
--
-- Statements are parsed when they are first reached, so none that stands behind is_current() can fail over a table that was altered. The writer's settings are in force
-- when they are: every name, operator and collation in them says its schema, and no literal in them has a backslash that is not in E''.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL check_function_bodies = off; -- they call each other

------------------------------------------------------------------------------------------------------------------------------------------
-- What the catalog says of a table
------------------------------------------------------------------------------------------------------------------------------------------

-- The names of the columns that tell the table's rows apart: the primary key, else the unique index of the replica identity, else null.
CREATE OR REPLACE FUNCTION tuplecast.key_columns(relation oid) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    index_now oid;
BEGIN
    -- A transaction with an old snapshot sees the catalog as it was. Functions that describe indexes know them as they are: one that is gone has no definition, and a new key
    -- is the replica identity, unless there is none.
    IF current_setting('transaction_isolation') NOT LIKE 'read %' THEN
        index_now := coalesce((SELECT indexrelid FROM pg_index WHERE indrelid = relation AND indisprimary AND pg_get_indexdef(indexrelid) IS NOT NULL),
                              pg_get_replica_identity_index(relation));
        RETURN CASE WHEN index_now IS NOT NULL
                    THEN ARRAY(SELECT (parse_ident(pg_get_indexdef(index_now, k, false)))[1] FROM generate_series(1, 32) k
                                WHERE pg_index_column_has_property(index_now, k, 'orderable') ORDER BY k) END;
    END IF;
    RETURN (SELECT ARRAY(SELECT attname::text FROM generate_series(0, i.indnkeyatts - 1) k JOIN pg_attribute ON attrelid = relation AND attnum = i.indkey[k] ORDER BY k)
              FROM (SELECT indnkeyatts, indkey FROM pg_index WHERE indrelid = relation AND (indisprimary OR indisreplident) AND indisvalid
                     ORDER BY indisprimary DESC LIMIT 1) i);
END
$$;

-- The name of a column. A transaction with an old snapshot sees the catalog as it was, but has to name columns as they are: functions that describe objects know it.
CREATE OR REPLACE FUNCTION tuplecast.name_now(relation oid, number smallint, name name) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
BEGIN
    RETURN CASE WHEN current_setting('transaction_isolation') LIKE 'read %' THEN name::text
                 ELSE (parse_ident((pg_identify_object('pg_class'::regclass, relation, number)).identity))[3] END;
END
$$;

-- Schema and name of a table, as they are.
CREATE OR REPLACE FUNCTION tuplecast.table_now(relation oid) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
BEGIN
    RETURN parse_ident((pg_identify_object('pg_class'::regclass, relation, 0)).identity);
END
$$;

-- Does this transaction see the table as it is? One with an old snapshot may not see an ALTER TABLE that was committed since, which is in force for it all the same.
CREATE OR REPLACE FUNCTION tuplecast.sees_present(relation oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT current_setting('transaction_isolation') LIKE 'read %'
                   -- A partitioned table is rewritten with its partitions; one that this transaction does not see is newer, and as the table is.
                   OR ((SELECT bool_and(p.relfilenode = pg_relation_filenode(p.oid)) FROM pg_class p
                         WHERE p.relkind = 'r' AND p.oid IN (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid)))
                       AND (pg_identify_object('pg_class'::regclass, relation, c.relnatts + 1)).identity IS NULL
                       AND NOT EXISTS (SELECT FROM pg_attribute a WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
                                          AND (pg_identify_object('pg_class'::regclass, relation, attnum)).identity
                                              IS DISTINCT FROM format('%I.%I.%I', n.nspname, c.relname, attname))
                       AND ARRAY(SELECT indexrelid FROM pg_index WHERE indrelid = relation AND (indisreplident OR indisprimary AND c.relreplident = 'd'))
                           = array_remove(ARRAY[pg_get_replica_identity_index(relation)::oid], NULL))
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation);
END
$$;

-- Is the type one whose JSON is made by code of PostgreSQL's, or of a superuser's library, alone? Then what belongs to others has no part in it: only who owns a type can give it a
-- cast to json, which to_json() would call, and a base type is a superuser's unless he gave it away. A composite type that a table uses cannot get other types into it.
CREATE OR REPLACE FUNCTION tuplecast.is_safe(wanted oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
BEGIN
    SELECT y.oid, typtype, typbasetype, typrelid, CASE WHEN typlen = -1 AND typsubscript = 'array_subscript_handler'::regproc THEN typelem ELSE 0 END AS item, r.rolsuper,
           c.relkind
      INTO t FROM pg_type y LEFT JOIN pg_roles r ON r.oid = typowner LEFT JOIN pg_class c ON c.oid = typrelid WHERE y.oid = wanted;
    RETURN CASE WHEN t.oid < 16384 THEN true
                WHEN t.typtype = 'd' THEN tuplecast.is_safe(t.typbasetype)
                WHEN t.item <> 0 THEN tuplecast.is_safe(t.item)
                WHEN t.typtype = 'c' THEN t.relkind = 'c' AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped
                                                                                                    AND NOT tuplecast.is_safe(atttypid))
                WHEN t.typtype = 'b' THEN coalesce(t.rolsuper, false) AND NOT EXISTS (
                    SELECT FROM pg_cast JOIN pg_proc p ON p.oid = castfunc JOIN pg_language l ON l.oid = prolang
                     WHERE castsource = t.oid AND casttarget = 'json'::regtype AND lanname NOT IN ('c', 'internal'))
                ELSE false END;
END
$$;

-- The columns that are sent: all, or those of `wanted`, in their order. Virtual generated columns are not: they do not exist in the rows that a trigger sees.
--
-- `type` is what is left when domains and arrays are taken off, and decides the kind, which is how the column becomes JSON. None of them runs code that belongs to others.
--   integer     as it stands
--   builtin     by to_json(); PostgreSQL looks for casts of types with a number from 16384 on only, and there is none in it
--   label       an enum: its label, whatever casts it has
--   safe        by to_json(), too, for types of extensions and for composite types (is_safe)
--   record      another composite type: an object of its fields, each in the way of its own type
--   text        anything else: what its output function writes, which only a superuser can make
--   new         of a type that is known when it runs: a column that somebody else has added behind this transaction's snapshot
CREATE OR REPLACE FUNCTION tuplecast.columns_of(relation oid, wanted text[])
    RETURNS TABLE (place bigint, name text, kind text, type oid, declared oid, is_array boolean, length smallint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE added AS ( -- described by functions that know the catalog as it is; until the first that is not there
        SELECT (c.relnatts + 1)::smallint AS attnum, (pg_identify_object('pg_class'::regclass, relation, c.relnatts + 1)).identity
          FROM pg_class c WHERE c.oid = relation AND current_setting('transaction_isolation') NOT LIKE 'read %'
        UNION ALL
        SELECT (attnum + 1)::smallint, (pg_identify_object('pg_class'::regclass, relation, attnum + 1)).identity FROM added WHERE identity IS NOT NULL AND attnum < 1600
    ), base AS (
        SELECT attnum, tuplecast.name_now(relation, attnum, attname) AS name, atttypid AS type, atttypid AS declared, attlen AS length, false AS is_array
          FROM pg_attribute
         WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND attgenerated <> 'v' AND (wanted IS NULL OR tuplecast.name_now(relation, attnum, attname) = ANY (wanted))
        UNION ALL
        SELECT b.attnum, b.name, CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END, b.declared, b.length, b.is_array OR t.typtype <> 'd'
          FROM base b JOIN pg_type t ON t.oid = b.type
         WHERE t.typtype = 'd' OR (t.typelem <> 0 AND t.typlen = -1 AND t.typsubscript = 'array_subscript_handler'::regproc)
    )
    SELECT row_number() OVER (ORDER BY array_position(wanted, b.name), b.attnum), b.name, b.kind, b.type, b.declared, b.is_array, b.length
      FROM (
    SELECT b.attnum, b.name,
           CASE WHEN b.type < 16384 THEN CASE WHEN NOT b.is_array AND b.type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN 'integer' ELSE 'builtin' END
                WHEN t.typtype = 'e' AND NOT b.is_array THEN 'label'
                WHEN tuplecast.is_safe(b.type) THEN 'safe'
                WHEN t.typtype = 'c' AND NOT b.is_array THEN 'record'
                ELSE 'text' END AS kind,
           b.type, b.declared, b.is_array, b.length
      FROM base b JOIN pg_type t ON t.oid = b.type
     WHERE b.name NOT LIKE '........pg.dropped.%' AND t.typtype <> 'd' AND NOT (t.typelem <> 0 AND t.typlen = -1 AND t.typsubscript = 'array_subscript_handler'::regproc)
    UNION ALL
    SELECT a.attnum, n.name, 'new', 0::oid, 0::oid, false, -1::smallint FROM added a, LATERAL (SELECT (parse_ident(a.identity))[3] AS name) n
     WHERE a.identity IS NOT NULL AND (wanted IS NULL OR n.name = ANY (wanted))) b;
END
$$;

-- What the functions of a trigger are made of: the facts of the table, the trigger's arguments, and its level. While it is the same, so are they.
CREATE OR REPLACE FUNCTION tuplecast.digest_of(relation oid, arguments text[], row_level boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
BEGIN
    RETURN tuplecast.digest(concat_ws(' ', tuplecast.facts_of(relation), arguments, row_level));
END
$$;

-- All of a table that is written into its functions, as one text.
CREATE OR REPLACE FUNCTION tuplecast.facts_of(relation oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT json_build_array(relation, n.nspname, c.relname, c.relkind, tuplecast.key_columns(relation),
                                    EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND indisprimary AND indimmediate),
                                    (tuplecast.values_array(relation, NULL, 'r', false)).members,
                                    (SELECT json_agg(json_build_array(a.attname, a.attnum, a.atttypid, a.attgenerated) ORDER BY a.attnum) FROM pg_attribute a
                                      WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped))::text
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation);
END
$$;

-- The settings on which values of the table depend, what each has to be for these to have their fixed form, and the condition under which they do not have it.
CREATE OR REPLACE FUNCTION tuplecast.settings_of(relation oid, wanted text[]) RETURNS TABLE (setting text, value text, differs text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT DISTINCT s.setting, s.value, format(s.differs, s.setting)
      FROM tuplecast.columns_of(relation, NULL) c
      JOIN (VALUES ('TimeZone', 'UTC', '{timestamptz,tstzrange,tstzmultirange}'::regtype[],
                    'pg_catalog.current_setting(%L) OPERATOR(pg_catalog.<>) ALL (''{UTC,Etc/UTC}''::pg_catalog.text[])'),
                   ('DateStyle', 'ISO', '{tstzrange,tstzmultirange,tsrange,tsmultirange,daterange,datemultirange}',
                    'pg_catalog.left(pg_catalog.current_setting(%L), 3) OPERATOR(pg_catalog.<>) ''ISO'''),
                   ('IntervalStyle', 'iso_8601', '{interval}', 'pg_catalog.current_setting(%L) OPERATOR(pg_catalog.<>) ''iso_8601'''),
                   ('bytea_output', 'hex', '{bytea}', 'pg_catalog.current_setting(%L) OPERATOR(pg_catalog.<>) ''hex'''),
                   ('extra_float_digits', '1', '{float4,float8,point,line,lseg,box,path,polygon,circle}',
                    'pg_catalog.current_setting(%L) OPERATOR(pg_catalog.<>) ALL (''{1,2,3}''::pg_catalog.text[])'),
                   ('lc_monetary', 'C', '{money}', 'pg_catalog.current_setting(%L) OPERATOR(pg_catalog.<>) ''C'''),
                   -- Arrays of others' types are made of their text.
                   ('array_nulls', 'on', '{}', 'pg_catalog.current_setting(%L) OPERATOR(pg_catalog.<>) ''on'''),
                   ('quote_all_identifiers', 'off', '{regclass,regcollation,regconfig,regdictionary,regnamespace,regoper,regoperator,regproc,regprocedure,regrole,regtype}',
                    'pg_catalog.current_setting(%L) OPERATOR(pg_catalog.<>) ''off'''),
                   ('search_path', 'pg_catalog', '{regclass,regcollation,regconfig,regdictionary,regnamespace,regoper,regoperator,regproc,regprocedure,regrole,regtype}',
                    'pg_catalog.current_setting(%L) OPERATOR(pg_catalog.<>) ''pg_catalog''')) AS s (setting, value, types, differs)
        ON c.type = ANY (s.types::oid[]) OR c.kind IN ('safe', 'record', 'text') OR EXISTS (SELECT FROM pg_type t WHERE t.oid = c.type AND t.typtype = 'c')
     WHERE wanted IS NULL OR c.name = ANY (wanted) OR c.name = ANY (tuplecast.key_columns(relation));
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- Expressions
------------------------------------------------------------------------------------------------------------------------------------------

-- A column as JSON text: null where it cannot be made. `expression` is the column, `declared` its type as the catalog has it. While the writer waits, is_checked: his snapshot can
-- be older than the table, so that what its type is is looked at once more when it runs.
--
-- What could become longer than a text may be is made where errors are caught: of a text, each byte comes to six at most; of other types, a few stored
-- bytes can come to very many.
CREATE OR REPLACE FUNCTION tuplecast.value_of(kind text, type oid, declared oid, is_array boolean, length smallint, expression text, is_checked boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE
        WHEN kind = 'new'
        THEN format('CASE WHEN pg_catalog.pg_typeof(%1$s)::pg_catalog.oid OPERATOR(pg_catalog.<) 16384 THEN tuplecast.value_json(%1$s) ELSE tuplecast.text_json(%1$s, false) END', expression)
        WHEN is_checked
        THEN format('CASE WHEN pg_catalog.pg_typeof(%1$s)::pg_catalog.oid OPERATOR(pg_catalog.=) %2$s::pg_catalog.oid THEN %3$s ELSE tuplecast.text_json(%1$s, false) END',
                    expression, declared, tuplecast.value_of(kind, type, declared, is_array, length, expression, false))
        WHEN kind = 'integer' THEN format('COALESCE(%s::pg_catalog.text, ''null'')', expression)
        WHEN kind = 'label' THEN format('CASE WHEN %1$s IS NULL THEN ''null'' ELSE pg_catalog.to_json(pg_catalog.format(''%%s'', %1$s))::pg_catalog.text END', expression)
        WHEN kind = 'text' THEN format('tuplecast.text_json(%s, %L)', expression, is_array)
        WHEN kind = 'safe' THEN format('tuplecast.value_json(%s)', expression)
        WHEN kind = 'record' THEN (
            SELECT format('CASE WHEN %s IS DISTINCT FROM NULL THEN tuplecast.object(%L::pg_catalog.text[], ARRAY[%s]::pg_catalog.text[]) ELSE ''null'' END', expression,
                          coalesce(array_agg(to_json(f.name)::text ORDER BY f.place), '{}'),
                          string_agg(tuplecast.value_of(f.kind, f.type, f.declared, f.is_array, f.length, format('(%s).%I', expression, f.name), false), ', ' ORDER BY f.place))
              FROM tuplecast.columns_of((SELECT typrelid FROM pg_type WHERE oid = value_of.type), NULL) f)
        WHEN length > 0 THEN format('COALESCE(pg_catalog.to_json(%s)::pg_catalog.text, ''null'')', expression)
        WHEN NOT is_array AND type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
        THEN format('CASE WHEN pg_catalog.octet_length(%1$s::pg_catalog.text) OPERATOR(pg_catalog.>) 40000000 THEN tuplecast.value_json(%1$s)'
                    ' ELSE COALESCE(pg_catalog.to_json(%1$s)::pg_catalog.text, ''null'') END', expression)
        ELSE format('CASE WHEN pg_catalog.pg_column_size(%1$s) OPERATOR(pg_catalog.>) 7900 OR pg_catalog.pg_column_compression(%1$s) IS NOT NULL'
                    ' THEN tuplecast.value_json(%1$s) ELSE COALESCE(pg_catalog.to_json(%1$s)::pg_catalog.text, ''null'') END', expression)
        END;
END
$$;

-- The columns of a row as an array of values, and the names that belong to them, as a literal.
CREATE OR REPLACE FUNCTION tuplecast.values_array(relation oid, wanted text[], alias text, is_checked boolean, OUT names text, OUT members text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    SELECT quote_literal(coalesce(array_agg(to_json(c.name)::text ORDER BY c.place), '{}')::text) || '::pg_catalog.text[]',
           'ARRAY[' || coalesce(string_agg(tuplecast.value_of(c.kind, c.type, c.declared, c.is_array, c.length, format('%s.%I', alias, c.name), is_checked), ', ' ORDER BY c.place), '')
           || ']::pg_catalog.text[]'
      INTO names, members
      FROM tuplecast.columns_of(relation, wanted) c;
END
$$;

-- The condition of a definition as SQL on the row `of`, each column under the name that it has now; null without one. Everything is from pg_catalog. The
-- names are resolved by the name first, then by the number that the column had when the trigger was put.
CREATE OR REPLACE FUNCTION tuplecast.conditions(relation oid, options jsonb, row_alias text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT '(' || string_agg(tuplecast.condition(relation, item, row_alias), ' AND ' ORDER BY i) || ')'
              FROM jsonb_array_elements(options -> 'where') WITH ORDINALITY AS u (item, i));
END
$$;

-- The names in the definition's list of columns, or null.
CREATE OR REPLACE FUNCTION tuplecast.wanted_columns(options jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN options ? 'columns' THEN ARRAY(SELECT jsonb_array_elements_text(options -> 'columns')) END;
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- The general way
------------------------------------------------------------------------------------------------------------------------------------------

-- One side of a change, as something that can stand in FROM: of each row of `rows` its values, those of its key, and whether it meets the condition. With a number, rows of two
-- sides can be joined that are in the same order. The rows themselves do not come out: two together may have more columns than a row of a plan.
CREATE OR REPLACE FUNCTION tuplecast.side_of(relation oid, options jsonb, rows text, alias text, is_numbered boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT format('(SELECT %s%s AS member_values, %s AS key_values, %s AS is_in FROM %s r) %s',
                          CASE WHEN is_numbered THEN 'pg_catalog.row_number() OVER () AS number, ' ELSE '' END, m.members, k.members,
                          coalesce(tuplecast.conditions(relation, options, 'r'), 'true'), rows, alias)
              FROM tuplecast.values_array(relation, tuplecast.wanted_columns(options), 'r', options @> '{"checked":true}') m,
                   tuplecast.values_array(relation, coalesce(tuplecast.key_columns(relation), '{}'), 'r', options @> '{"checked":true}') k);
END
$$;

-- A statement that tells of each row of `source` (sides, the row's being n, and where old values are wanted the old one's o) for which the condition holds, or of all, as what
-- `type` and `op` say. The options have the channel in them.
CREATE OR REPLACE FUNCTION tuplecast.telling(caller text, relation oid, options jsonb, source text, condition text, type text, op text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    channel constant text := options ->> 'channel';
    names constant text := (tuplecast.values_array(relation, tuplecast.wanted_columns(options), 'n', false)).names;
    key_names constant text := (tuplecast.values_array(relation, coalesce(tuplecast.key_columns(relation), '{}'), 'n', false)).names;
    old_values constant text := CASE WHEN type = 'UPDATE' AND options @> '{"old":true}' THEN 'o.member_values' ELSE 'NULL::pg_catalog.text[]' END;
    is_left constant boolean := type = 'DELETE' AND op = 'UPDATE';
    address constant text[] := tuplecast.table_now(relation);
BEGIN
    condition := coalesce(' WHERE ' || condition, '');
    IF caller = 'live' THEN
        RETURN format('SELECT pg_catalog.count(tuplecast.%s(%L, %L, %s, n.key_values, %s, n.member_values%s)) FROM %s%s', CASE WHEN is_left THEN 'send_left' ELSE 'send' END,
                      channel, tuplecast.payload_head(address[1], address[2], type, op), key_names, names, CASE WHEN is_left THEN '' ELSE ', ' || old_values END,
                      source, condition);
    END IF;
    RETURN format('INSERT INTO tuplecast.log (channel, head, id_json, data, old, lost) SELECT %L, %L, tuplecast.id_text(%s, n.key_values), d.data, d.old, d.lost'
                  ' FROM %s CROSS JOIN LATERAL tuplecast.%s(%s, n.member_values%s) d%s', channel, tuplecast.log_head(address[1], address[2], type, op), key_names,
                  source, CASE WHEN is_left THEN 'log_left' ELSE 'log_row' END, names, CASE WHEN is_left THEN '' ELSE ', ' || old_values END, condition);
END
$$;

-- The statements of one part of a trigger, which together tell of all that it is to tell. `new_rows` and `old_rows` stand for the rows, as something that can stand in
-- FROM; at row level these are one row each.
CREATE OR REPLACE FUNCTION tuplecast.queries_of(caller text, relation oid, part text, options jsonb, new_rows text, old_rows text) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    row_level constant boolean := options @> '{"row_level":true}';
    has_where constant boolean := row_level AND part = 'update' AND options ? 'where';
    -- What is not needed is not made: where a function is not current, that takes time with each statement.
    key_names constant text := CASE WHEN part = 'key' THEN (tuplecast.values_array(relation, coalesce(tuplecast.key_columns(relation), '{}'), 'n', false)).names END;
    new_only constant text := CASE WHEN part IN ('insert', 'update') THEN tuplecast.side_of(relation, options, new_rows, 'n', false) END;
    old_only constant text := CASE WHEN part IN ('delete', 'key') OR has_where THEN tuplecast.side_of(relation, options, old_rows, 'n', false) END;
    new_and_old constant text := CASE WHEN part = 'update' AND row_level THEN format('%s CROSS JOIN %s', new_only, tuplecast.side_of(relation, options, old_rows, 'o', false)) END;
    old_and_new constant text := CASE WHEN (part = 'key' AND row_level) OR has_where
                                      THEN format('%s CROSS JOIN %s', old_only, tuplecast.side_of(relation, options, new_rows, 'o', false)) END;
BEGIN
    IF part = 'insert' THEN
        RETURN ARRAY[tuplecast.telling(caller, relation, options, new_only, NULL, 'INSERT', NULL)];
    ELSIF part = 'delete' THEN
        RETURN ARRAY[tuplecast.telling(caller, relation, options, old_only, NULL, 'DELETE', NULL)];
    ELSIF part = 'key' AND tuplecast.key_columns(relation) IS NULL THEN
        RETURN '{}'; -- it had one when the trigger was put
    ELSIF part = 'key' AND NOT row_level THEN
        RETURN ARRAY[tuplecast.telling(caller, relation, options, old_only, NULL, 'DELETE', 'UPDATE')];
    ELSIF part = 'key' THEN
        RETURN ARRAY[tuplecast.telling(
            caller, relation, options, old_and_new,
            format('tuplecast.key_is_left(%s, CASE WHEN n.is_in THEN tuplecast.id_text(%s, n.key_values) END, CASE WHEN o.is_in THEN tuplecast.id_text(%2$s, o.key_values) END)',
                   CASE caller WHEN 'live' THEN format('pg_catalog.concat(%L, pg_catalog.current_setting(''tuplecast.statement'', true), '' '')', relation || ' ')
                               ELSE format('tuplecast.durable_mark(%s)', relation) END, key_names),
            'DELETE', 'UPDATE')];
    ELSIF has_where THEN
        RETURN ARRAY[
            tuplecast.telling(caller, relation, options, new_and_old, 'n.is_in AND o.is_in', 'UPDATE', NULL),
            tuplecast.telling(caller, relation, options, new_and_old, 'n.is_in AND o.is_in IS NOT TRUE', 'INSERT', 'UPDATE'),
            -- A row that leaves. Of one whose key has changed as well, the key part has told.
            tuplecast.telling(caller, relation, options, old_and_new,
                              'n.is_in AND o.is_in IS NOT TRUE AND n.key_values OPERATOR(pg_catalog.=) o.key_values', 'DELETE', 'UPDATE')];
    ELSIF NOT options @> '{"old":true}' THEN
        RETURN ARRAY[tuplecast.telling(caller, relation, options, new_only, NULL, 'UPDATE', NULL)];
    ELSIF row_level THEN
        RETURN ARRAY[tuplecast.telling(caller, relation, options, new_and_old, NULL, 'UPDATE', NULL)];
    END IF;
    -- Both tables hold the rows in the same order. A full join is never made by nested loops, which a plan that was made for a few rows would keep; but one that needs
    -- files loses that order.
    RETURN ARRAY[tuplecast.telling(
        caller, relation, options, format('(SELECT n.key_values, n.member_values, o.member_values AS old_values FROM %s FULL JOIN %s ON n.number OPERATOR(pg_catalog.=) o.number'
                                          ' ORDER BY n.number) n CROSS JOIN LATERAL (SELECT n.old_values AS member_values) o',
                                          tuplecast.side_of(relation, options, new_rows, 'n', true), tuplecast.side_of(relation, options, old_rows, 'o', true)),
        NULL, 'UPDATE', NULL)];
END
$$;

-- Whether a key differs, or null without one; by its bytes: some types have no equality, or one that is anybody's function, or one that does not tell texts apart.
CREATE OR REPLACE FUNCTION tuplecast.key_changes(keys text[], old_alias text, new_alias text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT 'pg_catalog.record_image_ne(ROW(' || string_agg(format('%s.%I', old_alias, k), ', ' ORDER BY i) || '), ROW('
                   || string_agg(format('%s.%I', new_alias, k), ', ' ORDER BY i) || '))'
              FROM unnest(keys) WITH ORDINALITY AS u (k, i));
END
$$;

-- One condition of a definition as SQL on the row `row_alias`. Everything is from pg_catalog, and each literal gets the column's type at once, so that a bad one is
-- an error when the trigger is put and not in a writer's statement. A column that was renamed since is found by the number that it had then.
CREATE OR REPLACE FUNCTION tuplecast.condition(wanted oid, item jsonb, row_alias text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    op text := lower(item ->> 'op' COLLATE "C");
    operator text := CASE op WHEN 'in' THEN '=' ELSE op END;
    column_name text;
    listed jsonb[];
    column_type oid;
    column_kind "char";
    is_domain boolean;
    type_name text;
    value text;
    literals text;
BEGIN
    SELECT attname INTO column_name FROM pg_attribute
     WHERE attrelid = wanted AND (attname = item ->> 'column' OR attnum = (item ->> 'number')::smallint) AND attnum > 0 AND NOT attisdropped
     ORDER BY attname = item ->> 'column' DESC LIMIT 1;
    IF op IN ('is null', 'is not null') THEN
        RETURN format('%s.%I %s', row_alias, column_name, upper(op COLLATE "C"));
    ELSIF op IS NULL OR op NOT IN ('=', '<>', '<', '<=', '>', '>=', 'in') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('where: "%s" is not an operator.', item ->> 'op'),
                                            HINT = 'There are =, <>, <, <=, >, >=, in, is null and is not null.';
    ELSIF op = 'in' AND jsonb_typeof(item -> 'value') IS DISTINCT FROM 'array' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'where: "in" needs a list of values.';
    END IF;
    listed := CASE WHEN op = 'in' THEN ARRAY(SELECT jsonb_array_elements(item -> 'value')) ELSE ARRAY[item -> 'value'] END;
    IF array_length(listed, 1) IS NULL
       OR EXISTS (SELECT FROM unnest(listed) v WHERE coalesce(jsonb_typeof(v), 'null') NOT IN ('string', 'number', 'boolean')) THEN
        RAISE invalid_parameter_value USING MESSAGE = format('where: "%s" needs a string, a number or a boolean to compare with.', op),
                                            HINT = 'To compare with null there are "is null" and "is not null".';
    END IF;
    -- A domain's values are compared as those of the type beneath.
    WITH RECURSIVE up AS (
        SELECT t.oid, typbasetype, typtype FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
         WHERE a.attrelid = wanted AND a.attname = column_name
        UNION ALL
        SELECT t.oid, t.typbasetype, t.typtype FROM up JOIN pg_type t ON up.typtype = 'd' AND t.oid = up.typbasetype
    )
    SELECT oid, typtype, (SELECT count(*) > 1 FROM up) INTO column_type, column_kind, is_domain FROM up WHERE typtype <> 'd';
    type_name := format_type(column_type, -1);
    IF column_type >= 16384 AND column_kind <> 'e' THEN
        -- Its operators may be anybody's functions.
        RAISE feature_not_supported USING MESSAGE = format('where: column "%s" has the type %s, which is not built in.', column_name, type_name),
                                          HINT = 'Conditions are for built-in types, enums, and domains over them.';
    END IF;
    value := format('%s.%I', row_alias, column_name);
    -- The type of an enum is not named: who writes, and our owner, may not be able to use the schema that it is in. A literal takes the type of what it is compared with; of a
    -- domain, that is the type beneath where it stands beside something else.
    IF column_kind = 'e' THEN
        value := format(CASE WHEN is_domain THEN 'COALESCE(%s, NULL)' ELSE '%s' END, value);
        RETURN CASE op WHEN 'in' THEN format('%s OPERATOR(pg_catalog.=) ANY (%L)', value, ARRAY(SELECT v #>> '{}' FROM unnest(listed) WITH ORDINALITY AS u (v, i) ORDER BY i))
                       ELSE format('%s OPERATOR(pg_catalog.%s) %L', value, operator, listed[1] #>> '{}') END;
    END IF;
    BEGIN
        EXECUTE format('SELECT NULL::%1$s OPERATOR(pg_catalog.%2$s) NULL::%1$s', type_name, operator);
    EXCEPTION WHEN undefined_function OR ambiguous_function THEN
        RAISE feature_not_supported USING MESSAGE = format('where: values of type %s cannot be compared with %s (column "%s").',
                                                           type_name, operator, column_name),
                                          HINT = 'Choose another column; "is null" and "is not null" work with each.';
    END;
    SELECT string_agg(quote_literal(v #>> '{}'), ', ' ORDER BY i) INTO literals FROM unnest(listed) WITH ORDINALITY AS u (v, i);
    RETURN format(CASE op WHEN 'in' THEN '%s OPERATOR(pg_catalog.%s) ANY (ARRAY[%s]::%s[])' ELSE '%s OPERATOR(pg_catalog.%s) %s::%s' END,
                  value, operator, literals, type_name);
END
$$;

------------------------------------------------------------------------------------------------------------------------------------------
-- The functions
------------------------------------------------------------------------------------------------------------------------------------------

-- The statements that tell of a change of the table as it is now: the fast ones, and behind them the general ones where the fast ones do not tell of all. `leave` is the statement that
-- ends the function; all of it ends with that one.
CREATE OR REPLACE FUNCTION tuplecast.statements_of(kind text, relation oid, part text, options jsonb, leave text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    by_row constant boolean := part = 'key' OR options @> '{"row_level":true}';
    fast constant text := CASE kind WHEN 'live' THEN tuplecast.fast_live(relation, part, options, leave) ELSE tuplecast.fast_durable(relation, part, options, leave) END;
    query text;
    general text := '';
BEGIN
    IF right(fast, length(leave)) = leave THEN
        RETURN concat('        ', fast, E'\n');
    END IF;
    FOREACH query IN ARRAY tuplecast.queries_of(kind, relation, part, options, CASE WHEN by_row THEN '(SELECT NEW.*)' ELSE 'changed_rows' END,
                                                CASE WHEN by_row THEN '(SELECT OLD.*)' WHEN part = 'delete' THEN 'changed_rows' ELSE 'old_rows' END) LOOP
        general := general || CASE kind WHEN 'live' THEN format(E'        IF (%s) IS NULL THEN\n        END IF;\n', query)
                                        ELSE format(E'        %s;\n        told := told OR FOUND;\n', query) END;
    END LOOP;
    RETURN concat('        ' || fast || E'\n', general, CASE kind WHEN 'durable' THEN E'        IF told AND tuplecast.wake_lead() THEN\n        END IF;\n' END,
                  '        ', leave, E'\n');
END
$$;

-- What a function of this kind does for one part of a trigger. The options have the channel and whether the trigger is at row level in them. The number of the
-- table stands in it as a regclass: that makes PostgreSQL ask is_current() again when the table was altered, or its triggers.
--
-- The writer pays for each expression and for each function of ours in it, in every transaction anew, whether it is reached or not in the end: 0.7 and 0.3 microseconds. So there are few of
-- them on the usual way, and who has other settings has a copy of the statements.
CREATE OR REPLACE FUNCTION tuplecast.function_body(function_name text, relation oid, trigger_name text, options jsonb, digest text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind constant text := substring(function_name FROM '^(live|durable)_');
    part constant text := substring(trigger_name FROM '[a-z]+$');
    by_row constant boolean := part = 'key' OR options @> '{"row_level":true}';
    address constant text[] := tuplecast.table_now(relation);
    settings record; -- those on which this table depends: do they differ, what they were, what gives them their fixed form, and puts them back
    restore constant text := E'IF tuplecast.set_settings(settings) THEN\n        END IF;\n        RETURN NULL;';
    -- Partitions have clones of row level triggers.
    root constant oid := (SELECT pg_partition_root(relation)::oid FROM pg_class WHERE oid = relation AND relkind = 'p');
    here constant text := CASE WHEN root IS NULL THEN format('TG_RELID OPERATOR(pg_catalog.=) %s::pg_catalog.oid', relation)
                               ELSE format('pg_catalog.pg_partition_root(TG_RELID)::pg_catalog.oid OPERATOR(pg_catalog.=) %s::pg_catalog.oid', root) END
                          || CASE kind WHEN 'durable' THEN format(' AND TG_NAME OPERATOR(pg_catalog.=) %L::pg_catalog.name', trigger_name) ELSE '' END;
    -- A copy of the trigger on another table goes the general way; of a durable one, none.
    current constant text := concat(CASE WHEN kind = 'durable' OR NOT by_row THEN here || ' AND ' END, format(
        '%L::pg_catalog.regclass IS NOT NULL AND tuplecast.is_current(%L, %s, %L, %L)', relation, function_name, relation, trigger_name, digest));
    mine text; -- is it a trigger of ours that calls, and are its tables of changed rows what their names say?
BEGIN
    SELECT string_agg(s.differs, ' OR ' ORDER BY s.place) AS differ,
           string_agg(format('pg_catalog.current_setting(%L)', s.setting), ', ' ORDER BY s.place) AS were,
           string_agg(format('pg_catalog.set_config(%L, %L, true)', s.setting, s.value), ', ' ORDER BY s.place) AS fix,
           string_agg(format('pg_catalog.set_config(%L, settings[%s], true)', s.setting, s.place), ', ' ORDER BY s.place) AS restore
      INTO settings
      FROM (SELECT o.*, row_number() OVER (ORDER BY o.setting) AS place FROM tuplecast.settings_of(relation, tuplecast.wanted_columns(options)) o) s;
    IF kind = 'durable' THEN
        mine := format(E'    IF NOT tuplecast.is_ours(%L, %s, %L, TG_RELID, TG_NAME) THEN\n        %s\n    END IF;\n', function_name, relation, trigger_name, restore);
    END IF;
    IF kind = 'durable' AND NOT by_row THEN
        -- Our owner reads changed_rows by name only where it is certain to be the table of changed rows, and not something temporary of that name.
        mine := mine || format(E'    IF NOT tuplecast.has_changed_rows(TG_RELID, TG_NAME, %L, %L) THEN\n'
                               '        INSERT INTO tuplecast.log (channel, head, id_json) VALUES (%L, %L, ''null'');\n        %s\n    END IF;\n',
                               part, options @> '{"old":true}', options ->> 'channel', tuplecast.log_head(address[1], address[2], upper(part COLLATE "C"), NULL), restore);
    END IF;
    RETURN concat(
        E'\n-- Written by tuplecast for this one trigger.\n#variable_conflict use_variable\nDECLARE\n    settings pg_catalog.text[];\n    jit pg_catalog.text;\n',
        E'    memory pg_catalog.text;\n    number pg_catalog.text;\n    query pg_catalog.text;\n    told pg_catalog.bool;\nBEGIN\n',
        CASE kind
            -- A dump that was restored without privileges, for example: writers cannot use our schema until setup has mended it. Nothing of it may be named before that is known.
            WHEN 'live' THEN concat(
                '    IF pg_catalog.has_schema_privilege(''tuplecast'', ''USAGE'')', ' AND NOT (' || settings.differ || ')', E' THEN\n        IF ', current, E' THEN\n',
                tuplecast.statements_of(kind, relation, part, options, 'RETURN NULL;'), E'        END IF;\n',
                E'    ELSIF NOT pg_catalog.has_schema_privilege(''tuplecast'', ''USAGE'') THEN\n',
                format(E'        IF pg_catalog.pg_notify(%L, %L) IS NULL THEN\n        END IF;\n        RETURN NULL;\n', options ->> 'channel',
                       format('{"schema":%s,"table":%s,"type":%s,"id":null,"data":null,"cut":["data","id"]}', to_json(address[1]), to_json(address[2]),
                              CASE part WHEN 'key' THEN '"DELETE","op":"UPDATE"' ELSE to_json(upper(part COLLATE "C"))::text END)))
            ELSE concat('    IF ', current, ' AND NOT (' || settings.differ || ')', E' THEN\n', tuplecast.statements_of(kind, relation, part, options, 'RETURN NULL;')) END,
        E'    END IF;\n',
        CASE WHEN settings.differ IS NOT NULL THEN format(
            E'    IF %s THEN\n        settings := ARRAY[%s];\n        IF pg_catalog.concat(%s) IS NULL THEN\n        END IF;\n%s    END IF;\n', current, settings.were, settings.fix,
            tuplecast.statements_of(kind, relation, part, options,
                                    format(E'IF pg_catalog.concat(%s) IS NULL THEN\n        END IF;\n        RETURN NULL;', settings.restore))) END,
        E'    settings := tuplecast.fix_settings();\n', mine,
        format(E'    FOREACH query IN ARRAY COALESCE(CASE WHEN %s AND %L::pg_catalog.regclass IS NOT NULL THEN tuplecast.queries_kept(%L, %s, %L, %L) END,\n', here, relation,
               kind, relation, part, options),
        format(E'            tuplecast.queries_now(%L, COALESCE(tuplecast.put_on(TG_RELID, TG_NAME), TG_RELID), %L, %s)) LOOP\n', kind, part,
               CASE kind WHEN 'durable' THEN quote_literal(options) ELSE format('tuplecast.options(TG_ARGV[1], TG_ARGV[0], %L)', options @> '{"row_level":true}') END),
        '        EXECUTE query', CASE WHEN NOT by_row THEN '' WHEN part = 'insert' THEN ' USING NEW' WHEN part = 'delete' THEN ' USING OLD' ELSE ' USING NEW, OLD' END,
        E';\n    END LOOP;\n', format(E'    IF tuplecast.tell_stale(%L) THEN\n    END IF;\n', function_name),
        CASE kind WHEN 'durable' THEN E'    IF tuplecast.wake_lead() THEN\n    END IF;\n' END, '    ', restore, E'\nEND\n');
END
$$;

-- Is the function that was written with this digest what would be written now? Declared IMMUTABLE, which is not the truth, so that it is asked when a plan is made
-- and not when it runs. It must not fail: the writer would.
CREATE OR REPLACE FUNCTION tuplecast.is_current(function_name text, wanted oid, trigger_name name, digest text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    t record;
BEGIN
    SELECT g.tgtype, g.tgoldtable, g.tgnewtable, tuplecast.arguments(g.tgargs) AS arguments,
           CASE WHEN trigger_name NOT LIKE '%:key' THEN g.tgtype & 1 > 0
                ELSE EXISTS (SELECT FROM pg_trigger m WHERE m.tgrelid = wanted AND m.tgname = left(trigger_name, -3) || 'moves') END AS row_level
      INTO STRICT t FROM pg_trigger g
     WHERE g.tgrelid = wanted AND g.tgname = trigger_name AND g.tgfoid = to_regprocedure(format('tuplecast.%I()', function_name));
    -- Only who had everything taken from PUBLIC, as by restoring a dump without privileges, cannot draw numbers. The tables of changed rows are looked for in the
    -- catalog as it is, not as an old snapshot has it.
    RETURN coalesce(has_sequence_privilege('tuplecast.serial', 'USAGE') AND tuplecast.sees_present(wanted)
                    AND tuplecast.digest_of(wanted, t.arguments, t.row_level) = digest
                    AND (t.tgtype & 1 > 0
                         OR tuplecast.has_changed_rows(wanted, trigger_name, substring(trigger_name FROM '[a-z]+$'), tuplecast.options(t.arguments[2]) @> '{"old":true}')), false);
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END
$$;

-- Is it this function's trigger that calls it, or a clone on a partition? The table is known by its number, or, when it has another one since a dump was restored, by the
-- register of functions.
CREATE OR REPLACE FUNCTION tuplecast.is_ours(function_name text, wanted oid, wanted_trigger name, relation oid, trigger_name name) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tables constant oid[] := relation || ARRAY(SELECT a.relid::oid FROM pg_partition_ancestors(relation) a);
BEGIN
    RETURN trigger_name = wanted_trigger
           AND (wanted = ANY (tables)
                OR EXISTS (SELECT FROM tuplecast.function f WHERE f.name = function_name AND f.trigger = wanted_trigger AND f.relation = ANY (tables))
                -- A dump that was restored without its data: setup writes the register anew.
                OR NOT EXISTS (SELECT FROM tuplecast.function f WHERE f.name = function_name));
END
$$;

-- Has this trigger exactly the tables of changed rows that its statements read? Asked of functions that see the catalog as it is, whatever the writer's snapshot. False also
-- when that cannot be known: to find a trigger by its name, our owner needs a right on the schema; to find it by its number, it must be visible.
CREATE OR REPLACE FUNCTION tuplecast.has_changed_rows(relation oid, trigger_name name, part text, with_old boolean) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET standard_conforming_strings = on
AS $$
DECLARE
    number oid := (SELECT oid FROM pg_trigger WHERE tgrelid = relation AND tgname = trigger_name);
    tables constant text := CASE WHEN part = 'delete' THEN 'OLD TABLE AS changed_rows' WHEN part = 'update' AND with_old THEN 'OLD TABLE AS old_rows NEW TABLE AS changed_rows'
                                 ELSE 'NEW TABLE AS changed_rows' END;
BEGIN
    IF number IS NULL THEN
        number := (pg_get_object_address('trigger', tuplecast.table_now(relation) || trigger_name::text, '{}')).objid;
    END IF;
    -- Names in quotes could hold anything; what is left in front of the first literal cannot.
    RETURN coalesce(regexp_replace(pg_get_triggerdef(number), '"([^"]|"")*"', '', 'g')
                    ~ format('^CREATE TRIGGER [^'']* AFTER %s ON [^'']* REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION ', upper(part COLLATE "C"), tables), false);
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END
$$;

-- The statements of one part of a trigger for the table as it is now, for EXECUTE in a trigger's function. At row level, $1 is the row, or the new one, and $2 the old one.
CREATE OR REPLACE FUNCTION tuplecast.queries_now(kind text, relation oid, part text, options jsonb) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    by_row constant boolean := part = 'key' OR options @> '{"row_level":true}';
BEGIN
    RETURN tuplecast.queries_of(
        kind, relation, part, options || '{"checked":true}',
        CASE WHEN by_row THEN '(SELECT ($1).*)' ELSE 'changed_rows' END,
        CASE WHEN by_row AND part = 'delete' THEN '(SELECT ($1).*)' WHEN by_row THEN '(SELECT ($2).*)' WHEN part = 'delete' THEN 'changed_rows' ELSE 'old_rows' END);
END
$$;

-- The same, once for each plan: declared IMMUTABLE like is_current(). Null where the transaction does not see the table as it is.
CREATE OR REPLACE FUNCTION tuplecast.queries_kept(kind text, relation oid, part text, options jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
    RETURN CASE WHEN tuplecast.sees_present(relation) THEN tuplecast.queries_now(kind, relation, part, options) END;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- Says that a function is out of date. Not where PREPARE TRANSACTION is possible, which fails after a NOTIFY.
CREATE OR REPLACE FUNCTION tuplecast.tell_stale(function_name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('max_prepared_transactions') = '0' THEN
        PERFORM pg_notify('tuplecast', 'stale ' || function_name);
    END IF;
    RETURN true;
END
$$;

-- The table that a trigger was put on, of which this one, on a partition, is a clone.
CREATE OR REPLACE FUNCTION tuplecast.put_on(relation oid, trigger_name name) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN (WITH RECURSIVE up AS (
                SELECT tgrelid, tgparentid FROM pg_trigger WHERE tgrelid = relation AND tgname = trigger_name
                UNION ALL
                SELECT t.tgrelid, t.tgparentid FROM up JOIN pg_trigger t ON t.oid = up.tgparentid
            )
            SELECT tgrelid FROM up WHERE tgparentid = 0);
END
$$;

-- Writes the function of one part of a trigger, for an installer who may put triggers on the table, and lets him use it for that; seal_functions() takes that
-- back.
CREATE OR REPLACE FUNCTION tuplecast.make_function(function_name text, wanted regclass, trigger_name name, arguments text[], installer name) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    options constant jsonb := tuplecast.options(arguments[2]);
BEGIN
    IF NOT coalesce(pg_has_role(session_user, installer, 'MEMBER') AND has_table_privilege(installer, wanted, 'TRIGGER'), false) THEN
        RAISE insufficient_privilege USING MESSAGE = format('permission denied: %s may not put triggers on %s.', installer, wanted);
    ELSIF coalesce(function_name !~ '^(live|durable)_([0-9]{1,6}|truncate|moves)$' OR trigger_name !~ '^tuplecast:.{1,40}:(insert|update|delete|truncate|key|moves)$', true)
          OR function_name LIKE 'durable%' <> options @> '{"durable":true}'
          OR EXISTS (SELECT FROM tuplecast.function f WHERE f.name = function_name AND f.name ~ '[0-9]$' AND (f.relation, f.trigger) <> (wanted, trigger_name)) THEN
        RAISE invalid_parameter_value USING MESSAGE = format('Function "%s" cannot be made for trigger "%s" on %s.', function_name, trigger_name, wanted);
    END IF;
    INSERT INTO tuplecast.function AS f (name, relation, trigger, arguments) VALUES (function_name, wanted, trigger_name, arguments)
    ON CONFLICT ON CONSTRAINT function_pkey DO UPDATE SET name = excluded.name, arguments = excluded.arguments;
    IF function_name ~ '[0-9]$' THEN
        PERFORM tuplecast.write_function(function_name, wanted, trigger_name, arguments, tuplecast.at_row_level(wanted, options));
    END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION tuplecast.%I() TO %I', function_name, installer);
END
$$;

CREATE OR REPLACE FUNCTION tuplecast.write_function(function_name text, relation oid, trigger_name name, arguments text[], row_level boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_live constant boolean := function_name LIKE 'live%';
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION tuplecast.%I() RETURNS trigger LANGUAGE plpgsql %s AS %L', function_name,
                   CASE WHEN is_live THEN 'STABLE' ELSE 'VOLATILE SECURITY DEFINER' END,
                   tuplecast.function_body(function_name, relation, trigger_name, tuplecast.options(arguments[2], arguments[1], row_level),
                                           tuplecast.digest_of(relation, arguments, row_level)));
    EXECUTE format('REVOKE ALL ON FUNCTION tuplecast.%I() FROM PUBLIC', function_name);
    -- Partitions that are made later get the triggers of the whole, and whoever makes them needs EXECUTE for that.
    IF row_level THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION tuplecast.%I() TO %s', function_name,
                       CASE WHEN is_live THEN 'PUBLIC' ELSE (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = relation) END);
    END IF;
END
$$;

-- Writes all functions anew, after another version of these scripts was installed or a dump was restored. One that is in no register, because the dump had no data, is entered when
-- it is the function of one trigger only, which has the name that is written in it; so are the triggers that belong to that one.
CREATE OR REPLACE FUNCTION tuplecast.write_functions() RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO tuplecast.function (name, relation, trigger, arguments)
    SELECT min(p.proname::text), min(t.tgrelid::bigint)::oid::regclass, min(t.tgname::text), min(a.arguments)
      FROM pg_proc p JOIN pg_trigger t ON t.tgfoid = p.oid AND t.tgparentid = 0
     CROSS JOIN LATERAL tuplecast.arguments(t.tgargs) AS a (arguments)
     WHERE p.pronamespace = 'tuplecast'::regnamespace AND p.proname ~ '^(live|durable)_[0-9]{1,6}$' AND position(quote_literal(t.tgname) IN p.prosrc) > 0
       AND (p.proname LIKE 'live%' OR position(quote_literal(a.arguments[1]) IN p.prosrc) > 0) AND p.proname LIKE 'durable%' = (tuplecast.options(a.arguments[2]) @> '{"durable":true}')
       AND NOT EXISTS (SELECT FROM tuplecast.function f WHERE f.name = p.proname)
     GROUP BY p.oid HAVING count(*) = 1
    ON CONFLICT DO NOTHING;
    INSERT INTO tuplecast.function (name, relation, trigger, arguments)
    SELECT p.proname, t.tgrelid, t.tgname, tuplecast.arguments(t.tgargs)
      FROM pg_proc p JOIN pg_trigger t ON t.tgfoid = p.oid AND t.tgparentid = 0
     WHERE p.pronamespace = 'tuplecast'::regnamespace AND p.proname ~ '^(live|durable)_(truncate|moves)$' AND t.tgname ~ '^tuplecast:.*:(truncate|moves)$'
       AND EXISTS (SELECT FROM tuplecast.function f WHERE f.relation = t.tgrelid AND substring(f.trigger FROM '^tuplecast:.*:') = substring(t.tgname FROM '^tuplecast:.*:')
                                                      AND f.arguments = tuplecast.arguments(t.tgargs))
    ON CONFLICT DO NOTHING;
    SELECT count(tuplecast.write_function(p.function, p.relation, p.full_name, ARRAY[p.channel, p.argument, array_to_string(p.operations, ' ')], t.row_level)::text)
      FROM tuplecast.parts p JOIN tuplecast.triggers t ON t.relation = p.relation AND t.name = p.name
     WHERE p.function ~ '[0-9]$'
$$;

-- Writes a function anew whose table was altered since. Writers who find it so say which one; gateways call this, for writers have no right to.
CREATE OR REPLACE FUNCTION tuplecast.refresh_function(function_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p record;
BEGIN
    LOCK TABLE tuplecast.function IN SHARE ROW EXCLUSIVE MODE NOWAIT;
    SELECT q.relation, q.full_name, ARRAY[q.channel, q.argument, array_to_string(q.operations, ' ')] AS arguments, t.row_level, f.prosrc INTO p
      FROM tuplecast.parts q JOIN tuplecast.triggers t ON t.relation = q.relation AND t.name = q.name
      JOIN pg_proc f ON f.pronamespace = 'tuplecast'::regnamespace AND f.proname = q.function
     WHERE q.function = function_name AND q.function ~ '[0-9]$';
    IF position(tuplecast.digest_of(p.relation, p.arguments, p.row_level) IN p.prosrc) = 0 THEN
        PERFORM tuplecast.write_function(function_name, p.relation, p.full_name, p.arguments, p.row_level);
    END IF;
EXCEPTION WHEN OTHERS THEN
    NULL; -- somebody puts a trigger, or the table is gone: the next writer says it again
END
$$;

-- Takes back what make_function() gave, and drops the functions of triggers that are gone.
CREATE OR REPLACE FUNCTION tuplecast.seal_functions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    function_name text;
    grantee name;
BEGIN
    FOR function_name IN
        DELETE FROM tuplecast.function f
         WHERE NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = f.relation AND t.tgname = f.trigger AND p.proname = f.name)
        RETURNING f.name
    LOOP
        IF function_name ~ '[0-9]$' AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgfoid = to_regprocedure(format('tuplecast.%I()', function_name))) THEN
            EXECUTE format('DROP FUNCTION IF EXISTS tuplecast.%I()', function_name);
        END IF;
    END LOOP;
    FOR function_name, grantee IN
        SELECT p.proname, pg_get_userbyid(a.grantee) FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) a
         WHERE p.pronamespace = 'tuplecast'::regnamespace AND p.proname ~ '^(live|durable)_([0-9]{1,6}|truncate|moves)$' AND a.grantee NOT IN (0, p.proowner)
           AND NOT (p.proname ~ '[0-9]$' AND EXISTS (SELECT FROM tuplecast.function f JOIN pg_class c ON c.oid = f.relation
                                                      WHERE f.name = p.proname AND c.relowner = a.grantee AND c.relkind = 'p'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION tuplecast.%I() FROM %I', function_name, grantee);
    END LOOP;
END
$$;

-- Who changes triggers takes turns with everybody else who does, until his transaction ends. No writer waits for that, so it may take longer than the locks on tables.
CREATE OR REPLACE FUNCTION tuplecast.take_turn() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '6s'
AS $$
BEGIN
    LOCK TABLE tuplecast.function IN SHARE ROW EXCLUSIVE MODE;
EXCEPTION WHEN lock_not_available THEN
    RAISE lock_not_available USING MESSAGE = 'Others are changing triggers, and were not done within six seconds.', DETAIL = 'Nothing was changed.',
                                   HINT = 'Try again when they have ended.';
END
$$;
