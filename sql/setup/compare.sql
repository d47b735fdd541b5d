-- What tuplecast.version says, and whether the catalog is still as it was then ($fingerprint stands for fingerprint.sql). $1 is the version that
-- this program installs, $2 the checksum of its scripts. Always one row.
--
--   kind      right, empty (there is no row), newer, older, other (of the same version, but another build's), altered
--   detail    null, or what was altered
WITH stored AS (
    SELECT v.version, v.checksum, v.fingerprint FROM ONLY tuplecast.version v ORDER BY v.version DESC LIMIT 1
), differing AS (
    SELECT pg_catalog.row_number() OVER (ORDER BY name) AS i, pg_catalog.count(*) OVER () AS count, name
      FROM stored s
      CROSS JOIN LATERAL (SELECT o.key, o.value FROM pg_catalog.json_each_text(s.fingerprint::pg_catalog.json) o) AS was (name, digest)
      FULL JOIN (SELECT o.key, o.value FROM ($fingerprint) f
                  CROSS JOIN LATERAL pg_catalog.json_each_text(f.fingerprint::pg_catalog.json) o) AS now (name, digest) USING (name)
     WHERE was.digest IS DISTINCT FROM now.digest AND name OPERATOR(pg_catalog.<>) 'PostgreSQL'
       AND (name OPERATOR(pg_catalog.!~) '^text of view '
            OR (SELECT pg_catalog.json_object_field_text(s.fingerprint::pg_catalog.json, 'PostgreSQL') FROM stored s)
               OPERATOR(pg_catalog.=) pg_catalog.left(pg_catalog.current_setting('server_version_num'), 2))
)
SELECT CASE WHEN s.version IS NULL THEN 'empty' WHEN s.version OPERATOR(pg_catalog.>) $1::pg_catalog.int4 THEN 'newer'
            WHEN s.version OPERATOR(pg_catalog.<) $1::pg_catalog.int4 THEN 'older' WHEN s.checksum OPERATOR(pg_catalog.<>) $2 THEN 'other'
            WHEN d.names IS NOT NULL THEN 'altered' ELSE 'right' END AS kind,
       d.names AS detail
  FROM (SELECT) one
  LEFT JOIN (SELECT pg_catalog.concat(pg_catalog.string_agg(d.name, ', ' ORDER BY d.i) FILTER (WHERE d.i OPERATOR(pg_catalog.<=) 3),
                                 CASE WHEN pg_catalog.max(d.count) OPERATOR(pg_catalog.>) 3
                                      THEN pg_catalog.format(' and %s more', pg_catalog.max(d.count) OPERATOR(pg_catalog.-) 3) END) AS names
          FROM differing d HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 0) d ON true
  LEFT JOIN stored s ON true
