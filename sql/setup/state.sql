-- What is there, from the catalog alone: nothing in the schema is read or run. Always one row.
--
--   kind        none, foreign (nothing in it may be read or run), odd (an older format, or something that is not ours at all), unreadable (this
--               role may not read tuplecast.version), present
--   detail      of foreign and odd: a sentence; of the others: what belongs to another role than the schema does; null: nothing
--   superuser   whether setup would run as one
--   mendable    foreign, but a superuser's: a dump that was restored by one without its owners. Setup, run by a superuser, gives it to its owner
--
-- $1 is true for setup: then the schema has to belong to who asks, or to tuplecast_owner for a superuser. Otherwise it has to belong to somebody who gains
-- nothing when this role runs what is in it: a superuser, this role itself, a member of it, tuplecast_owner when nobody can act as that role, or the owner of the
-- database. A superuser trusts neither the owner of the database nor an ordinary member of his own role. And all that is in it belongs to the same role, or to a superuser.
WITH me AS (
    SELECT current_user AS name, pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on' AS super
), members AS (
    -- Who can act as tuplecast_owner, superusers aside.
    SELECT pg_catalog.string_agg(pg_catalog.quote_ident(r.rolname), ', ' ORDER BY r.rolname) AS names
      FROM pg_catalog.pg_auth_members m
      JOIN pg_catalog.pg_roles o ON o.oid OPERATOR(pg_catalog.=) m.roleid AND o.rolname OPERATOR(pg_catalog.=) 'tuplecast_owner'
      JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) m.member AND NOT r.rolsuper
), found AS (
    SELECT n.oid AS schema, n.nspowner AS owner, r.rolname AS owner_name, r.rolsuper AS owner_super, r.rolname OPERATOR(pg_catalog.=) 'tuplecast_owner' AS is_ours,
           CASE WHEN r.rolname OPERATOR(pg_catalog.=) 'tuplecast_owner' AND r.rolcanlogin THEN 'can log in: ALTER ROLE tuplecast_owner NOLOGIN'
                WHEN r.rolname OPERATOR(pg_catalog.=) 'tuplecast_owner' AND m.names IS NOT NULL
                THEN pg_catalog.format('has members, who can do all that it can: REVOKE tuplecast_owner FROM %s', m.names) END AS weakness,
           CASE WHEN me.super THEN r.rolsuper
                ELSE pg_catalog.pg_has_role(n.nspowner, current_user, 'MEMBER') OR d.datdba OPERATOR(pg_catalog.=) n.nspowner END AS is_trusted
      FROM me
      JOIN pg_catalog.pg_namespace n ON n.nspname OPERATOR(pg_catalog.=) 'tuplecast'
      JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
      JOIN pg_catalog.pg_database d ON d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
     CROSS JOIN members m
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
           OPERATOR(pg_catalog.||) p.oid::pg_catalog.regprocedure::pg_catalog.text AS name, p.proowner AS owner
      FROM found f JOIN pg_catalog.pg_proc p ON p.pronamespace OPERATOR(pg_catalog.=) f.schema
    UNION ALL
    SELECT CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'S' THEN 'sequence ' WHEN 'r' THEN 'table ' WHEN 'p' THEN 'table ' ELSE 'relation ' END
           OPERATOR(pg_catalog.||) c.oid::pg_catalog.regclass::pg_catalog.text, c.relowner
      FROM found f JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) f.schema
     WHERE c.relkind OPERATOR(pg_catalog.<>) ALL ('{i,I,t}')
    UNION ALL
    SELECT pg_catalog.concat('type ', pg_catalog.format_type(y.oid, NULL)), y.typowner
      FROM found f JOIN pg_catalog.pg_type y ON y.typnamespace OPERATOR(pg_catalog.=) f.schema
     WHERE y.typrelid OPERATOR(pg_catalog.=) 0::pg_catalog.oid AND y.typelem OPERATOR(pg_catalog.=) 0::pg_catalog.oid
), strangers AS (
    SELECT pg_catalog.row_number() OVER (ORDER BY t.name) AS i, pg_catalog.count(*) OVER () AS count,
           pg_catalog.concat(t.name, ' belongs to ', r.rolname) AS sentence, r.rolsuper AS is_super
      FROM found f JOIN things t ON t.owner OPERATOR(pg_catalog.<>) f.owner
      LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) t.owner
), others AS (
    SELECT pg_catalog.concat(pg_catalog.string_agg(s.sentence, ', ' ORDER BY s.i) FILTER (WHERE s.i OPERATOR(pg_catalog.<=) 3),
                             CASE WHEN pg_catalog.max(s.count) OPERATOR(pg_catalog.>) 3
                                  THEN pg_catalog.format(' and %s more', pg_catalog.max(s.count) OPERATOR(pg_catalog.-) 3) END) AS names,
           pg_catalog.bool_and(s.is_super) AS are_super
      FROM strangers s HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 0
), verdict AS (
    -- Why nothing in it may be run, and what to do; null: it may.
    SELECT CASE WHEN f.is_ours AND f.weakness IS NOT NULL AND (me.super OR NOT f.is_trusted)
                THEN pg_catalog.format('the schema tuplecast belongs to the role tuplecast_owner, which %s', f.weakness)
                WHEN $1::pg_catalog.bool AND f.owner_name OPERATOR(pg_catalog.<>) CASE WHEN me.super THEN 'tuplecast_owner' ELSE me.name END
                THEN pg_catalog.format('the schema tuplecast belongs to the role "%s" and not to "%s"; nothing in it was looked at. If tuplecast was installed as that role, '
                                       'run `tuplecast setup` as it; else look what it is, and drop it or give it another name',
                                       f.owner_name, CASE WHEN me.super THEN 'tuplecast_owner' ELSE me.name END)
                WHEN $1::pg_catalog.bool THEN NULL
                WHEN NOT f.is_ours AND NOT f.is_trusted
                THEN pg_catalog.format('the schema tuplecast belongs to the role "%s", whose functions "%s" does not run. ', f.owner_name, me.name)
                     OPERATOR(pg_catalog.||) CASE WHEN me.super THEN 'Connect as a role that is no superuser, or run `tuplecast setup` as a superuser'
                          ELSE pg_catalog.format('If tuplecast was installed as that role: GRANT %I TO %I; else look what it is, drop it, and run `tuplecast setup`',
                                                 me.name, f.owner_name) END
                WHEN NOT o.are_super
                THEN pg_catalog.format('not all that is in the schema tuplecast belongs to its owner "%s": %s. Look what that is, and drop it', f.owner_name, o.names) END AS refusal
      FROM me CROSS JOIN found f LEFT JOIN others o ON true
)
SELECT CASE WHEN f.schema IS NULL THEN 'none'
            WHEN d.refusal IS NOT NULL THEN 'foreign'
            WHEN v.plain IS NOT TRUE THEN 'odd'
            WHEN NOT pg_catalog.has_table_privilege(v.oid, 'SELECT') OR NOT pg_catalog.has_schema_privilege(f.schema, 'USAGE') THEN 'unreadable'
            ELSE 'present' END AS kind,
       CASE WHEN f.schema IS NULL THEN NULL
            WHEN v.plain AND f.owner_super AND (me.super OR NOT $1::pg_catalog.bool)
            THEN pg_catalog.format('the schema tuplecast belongs to the superuser "%s", as after a dump was restored without its owners', f.owner_name)
            WHEN d.refusal IS NOT NULL THEN d.refusal
            WHEN v.oid IS NULL THEN 'there is a schema tuplecast, but nothing of ours is in it'
            WHEN v.plain IS NOT TRUE THEN 'the schema tuplecast has a form of before the first release'
            ELSE o.names END AS detail,
       me.super AS superuser,
       coalesce(me.super AND f.owner_super AND v.plain, false) AS mendable
  FROM me LEFT JOIN found f ON true LEFT JOIN version v ON true LEFT JOIN others o ON true LEFT JOIN verdict d ON true
