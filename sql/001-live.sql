-- tuplecast, the database side: what it begins with.
--
-- Installed by `tuplecast setup`, which makes the schema before it runs the scripts, and runs them again to mend what was altered: so they make
-- tables only where there are none, and replace functions and views. A trigger is ours when its function is in the schema tuplecast.

COMMENT ON SCHEMA tuplecast IS 'tuplecast: row changes as Server-Sent Events';

-- One row. `tuplecast setup` writes it, and compares: checksum is of the scripts, fingerprint of what the catalog then held.
CREATE TABLE IF NOT EXISTS tuplecast.version (
    version integer NOT NULL,
    checksum text NOT NULL,
    fingerprint text NOT NULL,
    installed_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);

-- Keeps equal notifications of one transaction apart, which NOTIFY would otherwise send once.
-- They need to differ within a transaction only, so each session takes many at once: nobody waits for the sequence.
CREATE SEQUENCE IF NOT EXISTS tuplecast.serial AS bigint CACHE 1000 CYCLE;

-- The primary key of a changed row: a scalar, an object for a composite key, or null without one. Looked up in the catalog each time,
-- so that it stays right when a column is renamed or the key changes.
CREATE OR REPLACE FUNCTION tuplecast.key_of(relation oid, row_json json) RETURNS json
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

GRANT USAGE ON SCHEMA tuplecast TO PUBLIC;
GRANT SELECT ON tuplecast.version TO PUBLIC;
