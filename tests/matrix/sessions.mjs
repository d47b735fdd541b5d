// How the writer's session is set. needs: "superuser" where only such a role may set it; server: what must be there.

const session = (name, settings, more = {}) => ({ name, settings, ...more });

export const SESSIONS = [
    session("as it comes", {}),
    session("repeatable read", { default_transaction_isolation: "repeatable read" }),
    session("serializable", { default_transaction_isolation: "serializable" }),
    session("TimeZone", { TimeZone: "Asia/Kathmandu" }),
    session("TimeZone of New York", { TimeZone: "America/New_York" }),
    session("DateStyle German", { DateStyle: "German" }),
    session("DateStyle SQL, DMY", { DateStyle: "SQL, DMY" }),
    session("DateStyle Postgres", { DateStyle: "Postgres, MDY" }),
    session("IntervalStyle", { IntervalStyle: "postgres_verbose" }),
    session("IntervalStyle sql_standard", { IntervalStyle: "sql_standard" }),
    session("bytea_output", { bytea_output: "escape" }),
    session("extra_float_digits", { extra_float_digits: "-15" }),
    session("extra_float_digits 0", { extra_float_digits: "0" }),
    session("lc_monetary", { lc_monetary: "de_DE.UTF-8" }, { locale: "de_DE.UTF-8" }),
    session("xmlbinary, xmloption", { xmlbinary: "hex", xmloption: "content" }),
    session("standard_conforming_strings off", { standard_conforming_strings: "off", escape_string_warning: "on", backslash_quote: "off" }),
    session("plpgsql.extra_errors", { "plpgsql.extra_errors": "all", "plpgsql.extra_warnings": "all" }, { load: "plpgsql" }),
    session("plpgsql.variable_conflict use_variable", { "plpgsql.variable_conflict": "use_variable" }, { needs: "superuser", load: "plpgsql" }),
    session("plpgsql.variable_conflict use_column", { "plpgsql.variable_conflict": "use_column" }, { needs: "superuser", load: "plpgsql" }),
    session("plpgsql.check_asserts, print_strict_params", { "plpgsql.check_asserts": "off", "plpgsql.print_strict_params": "on" }, { load: "plpgsql" }),
    session("quote_all_identifiers", { quote_all_identifiers: "on" }),
    session("transform_null_equals", { transform_null_equals: "on" }),
    session("array_nulls off", { array_nulls: "off" }),
    session("statement_timeout", { statement_timeout: "45s", lock_timeout: "45s", idle_in_transaction_session_timeout: "90s" }),
    session("empty search_path", { search_path: "" }),
    session("strange search_path", { search_path: '"$user", nowhere, kinds, pg_temp' }),
    session("plan_cache_mode generic", { plan_cache_mode: "force_generic_plan" }),
    session("plan_cache_mode custom", { plan_cache_mode: "force_custom_plan" }),
    session("jit for everything", { jit: "on", jit_above_cost: "0", jit_inline_above_cost: "-1", jit_optimize_above_cost: "-1" }),
    session("no plans but the odd ones", { enable_seqscan: "off", enable_hashagg: "off", enable_hashjoin: "off", enable_sort: "off", enable_material: "off", enable_nestloop: "off" }),
    session("little memory", { work_mem: "64kB", temp_buffers: "800kB", hash_mem_multiplier: "1" }),
    session("joins as written", { from_collapse_limit: "1", join_collapse_limit: "1", geqo: "on", geqo_threshold: "2" }),
    session("parallel for everything", { force_parallel_mode: "on", parallel_setup_cost: "0", parallel_tuple_cost: "0" }, { renamed: { force_parallel_mode: ["debug_parallel_query", 160000] } }),
    session("row_security off", { row_security: "off" }),
    session("messages", { client_min_messages: "debug1" }),
    session("client_encoding", { client_encoding: "LATIN1" }),
    session("default_transaction_read_only after the fact", { synchronous_commit: "off", default_toast_compression: "pglz" }),
    session("check_function_bodies off", { check_function_bodies: "off", default_tablespace: "", vacuum_freeze_min_age: "0" }),
    session("session_replication_role", { session_replication_role: "replica" }, { needs: "superuser" }),
    session("everything at once", {
        TimeZone: "Australia/Lord_Howe", DateStyle: "SQL, MDY", IntervalStyle: "postgres_verbose", bytea_output: "escape", extra_float_digits: "-3", standard_conforming_strings: "off",
        quote_all_identifiers: "on", array_nulls: "off", search_path: "", plan_cache_mode: "force_generic_plan", default_transaction_isolation: "serializable",
    }),
];

/** Who writes. Only the owner and the superuser can alter the table themselves. */
export const ROLES = { superuser: undefined, owner: "matrix_owner", writer: "matrix_writer" };
