// The types that columns have, and values that tried somebody's patience.
//
// A card: {name, sql, values, json, lost, ...}. values are expressions of SQL. json makes of an expression the JSON that an event must
// have (the contract's fixed form, in a session that has the fixed settings): to_json() unless it says otherwise. lost says for which
// writers the value cannot be made JSON: "durable", "writer" (a live trigger of a writer without rights), "all"; or "maybe".

const label = (e) => `pg_catalog.to_json(${e}::pg_catalog.text)`;
const labels = (e) => `pg_catalog.to_json(${e}::pg_catalog.text[])`;

function card(name, sql, values, more = {}) {
    return { name, sql, values, json: (e) => `pg_catalog.to_json(${e})`, ...more };
}

const deep = `'${'{"a":['.repeat(50)}1${"]}".repeat(50)}'`;
const many = (value, count) => `pg_catalog.array_fill(${value}, ARRAY[${count}])`;

const NUMBERS = [
    card("int2", "int2", ["-32768", "7", "NULL"], { where: [["<", 0], ["is null"]] }),
    card("int4", "int4", ["2147483647", "-1", "NULL"], {
        where: [
            ["in", [-1, 5]],
            ["<>", -1],
        ],
    }),
    card("int8", "int8", ["9007199254740993", "-9223372036854775808", "NULL"], { where: [[">", 0]] }),
    card("numeric", "numeric", ["'NaN'", "'Infinity'", "1.00", "1.0", "-0.0000000001", "12345678901234567890.123456789", "NULL"], {
        where: [[">=", 1]],
    }),
    card("numeric(9,3)", "numeric(9,3)", ["1.5", "-0.001", "NULL"]),
    card("huge numeric", "numeric", ["'1e131071'", "'-1e-16383'", "1"]),
    card("float4", "float4", ["'NaN'", "'-Infinity'", "0.1", "'-0'", "1.17549435e-38", "NULL"]),
    card("float8", "float8", ["'NaN'", "'Infinity'", "0.1", "'-0'", "0", "1e300", "0.30000000000000004", "NULL"]),
    card("money", "money", ["'12.34'", "-5", "1234567.89", "NULL"]),
    card("bool", "bool", ["true", "false", "NULL"], { where: [["=", true], ["is not null"]] }),
];

const TEXTS = [
    card("text", "text", ["''", "'plain'", `E'quote " back \\\\ tab \\t line \\n \\r \\x01 \\x7f'`, "NULL"], {
        where: [["=", "plain"], ["is not null"], ["in", ["plain", "''", "it's"]]],
    }),
    card("unicode text", "text", ["'é € 🙂'", `U&'\\2028 \\FEFF'`, "'ıİ'"], { encodings: ["UTF8"] }),
    card("latin text", "text", ["'é ÿ ß'", "'plain'"]),
    card("long text", "text", [
        "pg_catalog.repeat('x', 7700)",
        "pg_catalog.repeat('\"', 3900)",
        `pg_catalog.repeat(E'\\x01', 1300)`,
        "pg_catalog.repeat('é', 3900)",
        "'short'",
    ]),
    card(
        "text near the limit",
        "text",
        [7400, 7500, 7600, 7650, 7700, 7750, 7800, 7850, 7900].map((n) => `pg_catalog.repeat('y', ${n})`),
    ),
    card("text of 300 kB", "text", ["pg_catalog.repeat('x', 300000)", "'short'", "pg_catalog.repeat('\"', 300000)"], { big: true }),
    card("varchar", "varchar(20)", ["'vär'", "'   '", "NULL"], { where: [["<", "w"]] }),
    card("bpchar", "char(8)", ["'x'", "'12345678'", "NULL"]),
    card("name", "name", [`'it''s'`, "NULL"]),
    card('"char"', '"char"', ["'x'", `E'\\\\'`, "NULL"]),
    card("collated text", 'text COLLATE "C"', ["'a'", "'B'", "NULL"]),
    card("xml", "xml", [`'<a b="1">x</a>'`, "'text'", "NULL"], { setup: "SET xmloption = content" }),
    card("tsvector", "tsvector", [`'fat:2A cat:3 ''it''''s'''`, "''", "NULL"]),
    card("tsquery", "tsquery", [`'fat & !rat | (cat <-> dog)'`, "NULL"]),
    card("bytea", "bytea", ["pg_catalog.decode('00ff5c27', 'hex')", "''", "NULL"]),
    card("bit", "bit(3)", ["B'101'", "NULL"]),
    card("varbit", "varbit", ["B''", "B'10101'", "NULL"]),
    card("uuid", "uuid", ["'00000000-0000-0000-0000-00000000000a'", "NULL"], { where: [["is null"]] }),
    card("refcursor", "refcursor", ["'c'", "NULL"]),
];

const TIMES = [
    card("date", "date", ["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'2024-02-29'", "NULL"], { where: [[">", "2000-01-01"]] }),
    card("time", "time", ["'24:00:00'", "'01:02:03.456789'", "NULL"]),
    card("timetz", "timetz", ["'01:02:03.4+05:45'", "'00:00:00-15:59:59'", "NULL"]),
    card("timestamp", "timestamp", ["'infinity'", "'4713-01-01 00:00:00 BC'", "'2024-03-10 02:30:00.000001'", "NULL"], {
        where: [["<", "2030-01-01"]],
    }),
    card("timestamptz", "timestamptz", [
        "'infinity'",
        "'0044-03-15 12:00:00+00 BC'",
        "'1883-11-18 12:03:57+00'",
        "'2024-03-10 02:30:00.5+05:45'",
        "NULL",
    ]),
    card("interval", "interval", ["'1 year -2 mons 3 days -04:05:06.789'", "'1 day'", "'24:00:00'", "'0'", "NULL"]),
];

const JSONS = [
    card("json", "json", [`'{"a":1,"a":2}'`, `' [1 , "x"]  '`, "'null'", "NULL"]),
    card("json with \\u0000", "json", [`E'{"a":"\\\\u0000"}'`, `E'"\\\\u0000"'`]),
    card("json with half a surrogate pair", "json", [`E'"\\\\ud800"'`, `E'{"\\\\udc00":1}'`, `E'["\\\\ud83d\\\\ude00"]'`]),
    card("json with a euro sign", "json", [`E'"\\\\u20ac"'`, `E'{"\\\\u20ac":1}'`]),
    card("json 100 deep", "json", [deep, "'1'"]),
    card("json with line breaks", "json", [`E'{\\n"a":\\r\\n[1,\\n2]\\t}'`, "'{}'"]),
    card("json with huge numbers", "json", ["'1e131071'", "'-0'", "'123456789012345678901234567890'"]),
    card("jsonb", "jsonb", [`'{"a":[1,null,"x"],"b":{}}'`, "'null'", `'"it''s"'`, "NULL"]),
    card("jsonb with huge numbers", "jsonb", ["'[1e131071,1e131071,-1e131071]'", "'1'", "'{}'"], { big: true }),
    card("jsonb 100 deep", "jsonb", [deep]),
    card("json[]", "json[]", [`ARRAY['{"a":1}'::pg_catalog.json, 'null', NULL]`, "NULL"]),
    card("jsonpath", "jsonpath", [`'$.a[*] ? (@ > 1)'`, "NULL"]),
];

const LISTS = [
    card("int[]", "int[]", ["ARRAY[1,NULL,3]", "'{}'", "'[2:3]={1,2}'", "'{{1,2},{3,4}}'", "NULL"]),
    card("text[]", "text[]", [`ARRAY['a"b', 'c,d', NULL, 'NULL', '']`, `ARRAY[E'\\\\']`, "NULL"]),
    card("numeric[] with huge exponents", "numeric[]", [many("'1e131071'::pg_catalog.numeric", 3), "'{1,NaN}'", "NULL"], { big: true }),
    card("timestamptz[]", "timestamptz[]", ["ARRAY['2024-01-01 00:00:00+03'::pg_catalog.timestamptz, 'infinity']", "NULL"]),
    card("interval[]", "interval[]", ["ARRAY['1 day'::pg_catalog.interval, '1 mon -1 day']", "NULL"]),
    card("bytea[]", "bytea[]", ["ARRAY[pg_catalog.decode('00ff', 'hex')]", "NULL"]),
    card("float8[]", "float8[]", ["ARRAY[0.1, 'NaN'::pg_catalog.float8, '-0']", "NULL"]),
    card("money[]", "money[]", ["ARRAY['1'::pg_catalog.money, '-2.5']", "NULL"]),
    card("int4range", "int4range", ["'[1,5)'", "'empty'", "'(,3]'", "NULL"]),
    card("numrange", "numrange", ["'[1.5,2.50]'", "'(,)'", "NULL"]),
    card("tstzrange", "tstzrange", ["'[2024-01-01 00:00:00+02, infinity)'", "NULL"]),
    card("daterange", "daterange", ["'[2024-01-01,2024-02-01)'", "NULL"]),
    card("multirange", "tstzmultirange", ["'{[2024-01-01 00:00:00+02,2024-01-02 00:00:00+02)}'", "'{}'", "NULL"]),
    card("range[]", "tstzrange[]", ["ARRAY['[2024-01-01 00:00:00+02,)'::pg_catalog.tstzrange]", "NULL"]),
    card("int2vector", "int2vector", ["'1 2'", "NULL"]),
    card("oidvector", "oidvector", ["'1 2'", "NULL"]),
];

const CATALOG = [
    card("regclass", "regclass", ["'kinds.thing'::pg_catalog.regclass", "'pg_catalog.pg_class'::pg_catalog.regclass", "NULL"]),
    card("regtype", "regtype", ["'kinds.shade'::pg_catalog.regtype", "'pg_catalog.timestamptz'::pg_catalog.regtype", "NULL"]),
    card("regproc", "regproc", ["'kinds.only'::pg_catalog.regproc", "'pg_catalog.now'::pg_catalog.regproc", "NULL"]),
    card("regprocedure", "regprocedure", ["'kinds.only(integer)'::pg_catalog.regprocedure", "NULL"]),
    card("regoperator", "regoperator", ["'pg_catalog.+(integer,integer)'::pg_catalog.regoperator", "NULL"]),
    card("regrole", "regrole", ["'postgres'::pg_catalog.regrole", "NULL"]),
    card("regnamespace", "regnamespace", ["'kinds'::pg_catalog.regnamespace", "NULL"]),
    card("regconfig", "regconfig", ["'pg_catalog.simple'::pg_catalog.regconfig", "NULL"]),
    card("oid", "oid", ["4294967295", "NULL"]),
    card("xid8", "xid8", ["'18446744073709551615'", "NULL"]),
    card("xid", "xid", ["'7'", "NULL"]),
    card("cid", "cid", ["'7'", "NULL"]),
    card("tid", "tid", ["'(1,2)'", "NULL"]),
    card("pg_lsn", "pg_lsn", ["'16/B374D848'", "NULL"]),
    card("pg_snapshot", "pg_snapshot", ["'10:20:10,14'", "NULL"]),
    card("aclitem", "aclitem", ["'postgres=r/postgres'", "NULL"]),
    card("inet", "inet", ["'192.168.0.1/24'", "'::1'", "NULL"]),
    card("cidr", "cidr", ["'10.0.0.0/8'", "NULL"]),
    card("macaddr", "macaddr", ["'08:00:2b:01:02:03'", "NULL"]),
    card("macaddr8", "macaddr8", ["'08:00:2b:01:02:03:04:05'", "NULL"]),
    card("point", "point", ["'(0.1,-0)'", "NULL"]),
    card("polygon", "polygon", ["'((0,0),(1,0.1),(1,1))'", "NULL"]),
    card("circle", "circle", ["'<(0.1,0.2),3>'", "NULL"]),
    card("path", "path", ["'[(0,0),(1,1)]'", "NULL"]),
];

/** Types that are not built in. Their owner is kinds_owner, whose functions are anybody's. */
const OTHERS = [
    card("enum", "kinds.shade", ["'dark'", "'light \"one\"'", "NULL"], {
        json: label,
        others: true,
        where: [
            ["=", "dark"],
            ["in", ["dark"]],
        ],
    }),
    card("enum[]", "kinds.shade[]", ["ARRAY['dark'::kinds.shade, NULL]", "NULL"], { json: labels, others: true }),
    card("enum with a cast to json", "kinds.mood", ["'good'", "'bad'", "NULL"], { json: label, others: true, where: [["<>", "bad"]] }),
    card("array of enums with a cast to json", "kinds.mood[]", ["ARRAY['good'::kinds.mood, 'bad']", "NULL"], { json: labels, others: true }),
    card("domain over an enum", "kinds.tone", ["'dark'", "NULL"], { json: label, others: true }),
    card("domain over an enum with a cast", "kinds.temper", ["'good'", "NULL"], { json: label, others: true }),
    card("domain over int", "kinds.positive", ["1", "77", "NULL"], { others: true, where: [[">", 1]] }),
    card("domain over text", "kinds.word", ["'a'", `'"'`, "NULL"], { others: true }),
    card("domain over timestamptz", "kinds.moment", ["'2024-01-01 00:00:00+03'", "NULL"], { others: true }),
    card("domain over json", "kinds.document", [`E'{"a":"\\\\u0000"}'`, "NULL"], { others: true }),
    card("domain over int[]", "kinds.numbers", ["'{1,2}'", "NULL"], { others: true }),
    card("composite", "kinds.thing_type", ["ROW(1, 'x', '2024-01-01 00:00:00+03')", "ROW(NULL, NULL, NULL)", "NULL"], { others: true }),
    card("composite[]", "kinds.thing_type[]", ["ARRAY[ROW(1, 'x', NULL)::kinds.thing_type, NULL]", "NULL"], { others: true }),
    card("domain over a composite", "kinds.thing_domain", ["ROW(1, 'x', NULL)::kinds.thing_type", "NULL"], { others: true }),
    card("table's row type", "kinds.thing", ["ROW(1, 'x')", "NULL"], { others: true }),
    card("own range", "kinds.floatrange", ["'[0.1,2)'", "'empty'", "NULL"], { json: label, others: true }),
    card("own multirange", "kinds.floatmultirange", ["'{[0.1,2)}'", "NULL"], { json: label, others: true }),
    card("own range over timestamptz", "kinds.momentrange", ["'[2024-01-01 00:00:00+03,)'", "NULL"], { json: label, others: true }),
    card("own type", "kinds.plain", ["'some \"text\"'", "NULL"], { json: label, others: true }),
    // None of these casts is ever called: what their type's output function writes is sent.
    card("own type with a cast to json", "kinds.shape", ["'a'", "'b'", "NULL"], { json: label, others: true }),
    card("own type whose cast raises", "kinds.broken", ["'a'", "'b'"], { json: label, others: true }),
    card("own type whose cast raises now and then", "kinds.moody", ["'a'", "'raise'"], { json: label, others: true }),
    card("own type whose cast needs rights", "kinds.guarded", ["'a'", "'b'"], { json: label, others: true }),
    card("own type whose cast gives null", "kinds.nothing", ["'a'"], { json: label, others: true }),
    card("hstore", "ext.hstore", [`'a=>1, "b c"=>NULL'`, "''", "NULL"], { others: true, extension: "hstore" }),
    card("citext", "ext.citext", ["'Abc'", "'abc'", "NULL"], { others: true, extension: "citext" }),
    card("ltree", "ext.ltree", ["'a.b.c'", "NULL"], { others: true, extension: "ltree", json: label }),
    card("cube", "ext.cube", ["'(1,2)'", "NULL"], { others: true, extension: "cube", json: label }),
    card("PostGIS", "gis.geometry", ["'SRID=4326;POINT(1 2)'", "'POINT EMPTY'", "NULL"], { others: true, extension: "postgis", lost: "maybe" }),
];

export const TYPES = [...NUMBERS, ...TEXTS, ...TIMES, ...JSONS, ...LISTS, ...CATALOG, ...OTHERS];
export const typeNamed = (name) => TYPES.find((type) => type.name === name);

const ONE = "CREATE FUNCTION kinds.only(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1'";
const base = (name) => `CREATE TYPE kinds.${name};
CREATE FUNCTION kinds.${name}_in(cstring) RETURNS kinds.${name} AS 'textin' LANGUAGE internal IMMUTABLE STRICT;
CREATE FUNCTION kinds.${name}_out(kinds.${name}) RETURNS cstring AS 'textout' LANGUAGE internal IMMUTABLE STRICT;
CREATE TYPE kinds.${name} (INPUT = kinds.${name}_in, OUTPUT = kinds.${name}_out, LIKE = pg_catalog.text);`;
const cast = (
    name,
    language,
    body,
) => `CREATE FUNCTION kinds.${name}_json(kinds.${name}) RETURNS pg_catalog.json LANGUAGE ${language} AS $f$${body}$f$;
CREATE CAST (kinds.${name} AS pg_catalog.json) WITH FUNCTION kinds.${name}_json(kinds.${name});`;

/** What makes them, as a superuser. */
export const OWN_TYPES = `
CREATE SCHEMA kinds;
GRANT USAGE ON SCHEMA kinds TO PUBLIC;
CREATE TABLE kinds.thing (a int, b text);
${ONE};
CREATE TYPE kinds.shade AS ENUM ('dark', 'light "one"');
CREATE TYPE kinds.mood AS ENUM ('good', 'bad');
${cast("mood", "sql", `SELECT '{"not":"the label"}'::pg_catalog.json`)}
CREATE DOMAIN kinds.tone AS kinds.shade;
CREATE DOMAIN kinds.temper AS kinds.mood;
CREATE DOMAIN kinds.positive AS int CHECK (VALUE OPERATOR(pg_catalog.>) 0);
CREATE DOMAIN kinds.word AS text CHECK (VALUE OPERATOR(pg_catalog.<>) 'no');
CREATE DOMAIN kinds.moment AS timestamptz;
CREATE DOMAIN kinds.document AS json;
CREATE DOMAIN kinds.numbers AS int[];
CREATE TYPE kinds.thing_type AS (a int, "b c" text, d timestamptz);
CREATE DOMAIN kinds.thing_domain AS kinds.thing_type;
CREATE TYPE kinds.floatrange AS RANGE (SUBTYPE = float8, MULTIRANGE_TYPE_NAME = kinds.floatmultirange);
CREATE TYPE kinds.momentrange AS RANGE (SUBTYPE = timestamptz);
${["plain", "shape", "broken", "moody", "guarded", "nothing"].map(base).join("\n")}
${cast("shape", "plpgsql", `BEGIN RETURN '{"shape":true}'; END`)}
${cast("broken", "plpgsql", "BEGIN RAISE 'this cast raises'; END")}
${cast("moody", "plpgsql", "BEGIN IF $1::pg_catalog.text OPERATOR(pg_catalog.=) 'raise' THEN RAISE 'now it raises'; END IF; RETURN '1'; END")}
CREATE TABLE kinds.systems (srid int);
INSERT INTO kinds.systems VALUES (4326);
${cast("guarded", "plpgsql", `BEGIN RETURN (SELECT pg_catalog.json_build_object('srid', srid) FROM kinds.systems); END`)}
${cast("nothing", "sql", "SELECT NULL::pg_catalog.json")}
`;
