-- What is installed, as the catalog shows it: one digest for each function, view, table and sequence, as the members of a JSON object. The functions
-- that are written for each trigger are left out; so are rights that are granted to roles by name. The digest of a view's text stands by itself, because
-- another major version of PostgreSQL writes the same view in other words.
SELECT pg_catalog.json_object_agg(o.name, o.digest ORDER BY o.name)::pg_catalog.text AS fingerprint
  FROM (
    SELECT 'PostgreSQL' AS name, pg_catalog.left(pg_catalog.current_setting('server_version_num'), 2) AS digest
    UNION ALL
    SELECT pg_catalog.concat('function ', p.oid::pg_catalog.regprocedure),
           pg_catalog.md5(pg_catalog.json_build_array(
               p.prosrc, l.lanname, p.prokind, p.prosecdef, p.proleakproof, p.proisstrict, p.proretset, p.provolatile, p.proparallel, p.proconfig,
               pg_catalog.pg_get_function_result(p.oid), p.proargnames, p.proargmodes, p.pronargdefaults,
               (SELECT pg_catalog.count(*) FROM pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
                 WHERE a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid))::pg_catalog.text)
      FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
     WHERE p.pronamespace OPERATOR(pg_catalog.=) 'tuplecast'::pg_catalog.regnamespace
       AND p.proname OPERATOR(pg_catalog.!~) '^(live|durable)_[0-9]+$'
    UNION ALL
    SELECT pg_catalog.concat(CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view ' ELSE 'table ' END, c.oid::pg_catalog.regclass),
           pg_catalog.md5(pg_catalog.json_build_array(
               c.relkind, c.relrowsecurity, c.relpersistence,
               (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated)
                                           ORDER BY a.attnum)
                  FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped),
               (SELECT pg_catalog.json_agg(t.tgname ORDER BY t.tgname) FROM pg_catalog.pg_trigger t
                 WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.tgisinternal),
               (SELECT pg_catalog.json_agg(r.rulename ORDER BY r.rulename) FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid),
               (SELECT pg_catalog.json_agg(a.privilege_type ORDER BY a.privilege_type) FROM pg_catalog.aclexplode(c.relacl) a
                 WHERE a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid))::pg_catalog.text)
      FROM pg_catalog.pg_class c
     WHERE c.relnamespace OPERATOR(pg_catalog.=) 'tuplecast'::pg_catalog.regnamespace AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,S,m,f}')
    UNION ALL
    SELECT pg_catalog.concat('text of view ', c.oid::pg_catalog.regclass), pg_catalog.md5(pg_catalog.pg_get_viewdef(c.oid))
      FROM pg_catalog.pg_class c
     WHERE c.relnamespace OPERATOR(pg_catalog.=) 'tuplecast'::pg_catalog.regnamespace AND c.relkind OPERATOR(pg_catalog.=) 'v'
  ) o
