-- What is there, from the catalog alone: nothing in the schema is read or run. Always one row.
--
--   kind        none, foreign (not ours to look into), odd (an older format, or something that is not ours at all), unreadable (this role may
--               not read tuplecast.version), present
--   detail      of foreign and odd: a sentence; of the others: what belongs to another role than the schema does; null: nothing
--   superuser   whether setup would run as one
--   nobody      none: there is no function tuplecast.value_json_as_nobody; yes, no: whether it belongs to the role tuplecast_nobody
--   mendable    foreign, but a superuser's: a dump that was restored by one without its owners. Setup, run by a superuser, gives it to its owner
WITH found AS (
    SELECT n.oid AS schema, n.nspowner AS owner, pg_catalog.pg_get_userbyid(n.nspowner) AS owner_name, r.rolsuper AS owner_super
      FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
     WHERE n.nspname OPERATOR(pg_catalog.=) 'tuplecast'
), me AS (
    SELECT current_user::pg_catalog.text AS name, pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on' AS super
), version AS (
    SELECT c.oid, c.relkind OPERATOR(pg_catalog.=) 'r' AND NOT c.relrowsecurity
           AND (c.relowner OPERATOR(pg_catalog.=) f.owner OR r.rolsuper OR r.rolname OPERATOR(pg_catalog.=) 'tuplecast_owner')
           AND (SELECT pg_catalog.array_agg(pg_catalog.concat(a.attname, ' ', a.atttypid::pg_catalog.regtype) ORDER BY a.attnum)
                  FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0
                   AND NOT a.attisdropped AND a.attgenerated OPERATOR(pg_catalog.=) '')
               OPERATOR(pg_catalog.=) '{version integer,checksum text,fingerprint text,installed_at timestamp with time zone}' AS plain
      FROM found f JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) f.schema AND c.relname OPERATOR(pg_catalog.=) 'version'
      LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) c.relowner
), things AS (
    SELECT CASE p.prokind WHEN 'p' THEN 'procedure ' WHEN 'a' THEN 'aggregate ' ELSE 'function ' END
           OPERATOR(pg_catalog.||) p.oid::pg_catalog.regprocedure::pg_catalog.text AS name, p.proowner AS owner,
           p.proname OPERATOR(pg_catalog.=) 'value_json_as_nobody' AS is_nobodys
      FROM found f JOIN pg_catalog.pg_proc p ON p.pronamespace OPERATOR(pg_catalog.=) f.schema
    UNION ALL
    SELECT CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'S' THEN 'sequence ' WHEN 'r' THEN 'table ' WHEN 'p' THEN 'table ' ELSE 'relation ' END
           OPERATOR(pg_catalog.||) c.oid::pg_catalog.regclass::pg_catalog.text, c.relowner, false
      FROM found f JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) f.schema
     WHERE c.relkind OPERATOR(pg_catalog.<>) ALL ('{i,I,t}')
), strangers AS (
    SELECT pg_catalog.row_number() OVER (ORDER BY t.name) AS i, pg_catalog.count(*) OVER () AS count,
           pg_catalog.concat(t.name, ' belongs to ', pg_catalog.pg_get_userbyid(t.owner)) AS sentence
      FROM found f, things t
     WHERE t.owner OPERATOR(pg_catalog.<>) f.owner
       AND NOT (t.is_nobodys AND pg_catalog.pg_get_userbyid(t.owner) OPERATOR(pg_catalog.=) 'tuplecast_nobody')
)
SELECT CASE WHEN f.schema IS NULL THEN 'none'
            WHEN $1::pg_catalog.bool AND f.owner_name OPERATOR(pg_catalog.<>) CASE WHEN me.super THEN 'tuplecast_owner' ELSE me.name END THEN 'foreign'
            WHEN v.plain IS NOT TRUE THEN 'odd'
            WHEN NOT pg_catalog.has_table_privilege(v.oid, 'SELECT') OR NOT pg_catalog.has_schema_privilege(f.schema, 'USAGE') THEN 'unreadable'
            ELSE 'present' END AS kind,
       CASE WHEN f.schema IS NULL THEN NULL
            WHEN v.plain AND f.owner_super AND (me.super OR NOT $1::pg_catalog.bool)
            THEN pg_catalog.format('the schema tuplecast belongs to the superuser "%s", as after a dump was restored without its owners', f.owner_name)
            WHEN $1::pg_catalog.bool AND f.owner_name OPERATOR(pg_catalog.<>) CASE WHEN me.super THEN 'tuplecast_owner' ELSE me.name END
            THEN pg_catalog.format('the schema tuplecast belongs to the role "%s" and not to "%s"; nothing in it was looked at', f.owner_name,
                                   CASE WHEN me.super THEN 'tuplecast_owner' ELSE me.name END)
            WHEN v.oid IS NULL THEN 'there is a schema tuplecast, but nothing of ours is in it'
            WHEN v.plain IS NOT TRUE THEN 'the schema tuplecast has a form of before the first release'
            ELSE (SELECT pg_catalog.concat(pg_catalog.string_agg(s.sentence, ', ' ORDER BY s.i),
                                           CASE WHEN pg_catalog.max(s.count) OPERATOR(pg_catalog.>) 3
                                                THEN pg_catalog.format(' and %s more', pg_catalog.max(s.count) OPERATOR(pg_catalog.-) 3) END)
                    FROM strangers s WHERE s.i OPERATOR(pg_catalog.<=) 3 HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 0) END AS detail,
       me.super AS superuser,
       coalesce((SELECT CASE pg_catalog.pg_get_userbyid(t.owner) WHEN 'tuplecast_nobody' THEN 'yes' ELSE 'no' END FROM things t WHERE t.is_nobodys LIMIT 1), 'none')
           AS nobody,
       coalesce(me.super AND f.owner_super AND v.plain, false) AS mendable
  FROM me LEFT JOIN found f ON true LEFT JOIN version v ON true
