-- What setup's session relies on, whatever ALTER ROLE and ALTER DATABASE say. Its own session has it already; psql has it from here.
SET search_path = pg_catalog, pg_temp;
SET standard_conforming_strings = on;
SET default_tablespace = '';
SET default_table_access_method = heap;
SET check_function_bodies = on;
SET quote_all_identifiers = off;
SET row_security = on;
SET statement_timeout = 0;
-- A DDL statement that waits for a lock makes every new writer wait behind it.
SET lock_timeout = '2s';
