"""The queries that `catalog_load` runs; each gives one column of JSON. Works with PostgreSQL 13 and newer. Pure."""

from __future__ import annotations

SESSION = "SELECT pg_catalog.current_database(), pg_catalog.current_setting('search_path'), current_user"

# The path is what a role may use of it, and the role that acts is seldom the one that reads.
USABLE = """
SELECT pg_catalog.to_json(n.nspname)::text FROM pg_catalog.pg_namespace n
 WHERE pg_catalog.has_schema_privilege({role}, n.oid, 'USAGE')
"""

# A setting of our own remembers the path, because the two statements may run in different transactions.
EMPTY_PATH = (
    "SELECT pg_catalog.set_config('narrowgate.path', pg_catalog.current_setting('search_path'), false),"
    " pg_catalog.set_config('search_path', '', false)"
)
RESTORE_PATH = "SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('narrowgate.path'), false)"

RELATIONS = """
SELECT json_build_object(
    'oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind,
    'columns', (SELECT json_agg(json_build_array(a.attname, a.attnum, a.atttypid::int8,
                                                 format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
                  FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'definition', CASE WHEN c.relkind IN ('v', 'm') AND c.oid >= 16384 THEN pg_get_viewdef(c.oid) END,
    'acts', (c.relhasrules AND EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type <> '1'))
            OR (c.relkind = 'v' AND c.relhastriggers),
    'effects', CASE WHEN c.oid >= 16384 THEN json_build_array(
        (SELECT json_agg(pg_get_triggerdef(t.oid) || t.tgenabled::text || p.prosrc ORDER BY t.tgname)
           FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
        (SELECT json_agg(pg_get_ruledef(r.oid) ORDER BY r.rulename)
           FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
        (SELECT json_agg(json_build_array(p.polname, p.polcmd, p.polpermissive, pg_get_expr(p.polqual, c.oid),
                                          pg_get_expr(p.polwithcheck, c.oid)) ORDER BY p.polname)
           FROM pg_policy p WHERE p.polrelid = c.oid),
        c.relrowsecurity, c.relforcerowsecurity) END)::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND n.nspname !~ '^pg_(toast|temp)'
"""

TYPES = """
SELECT json_build_object('oid', t.oid::int8, 'schema', n.nspname, 'name', t.typname, 'kind', t.typtype,
                         'base', t.typbasetype::int8, 'element', CASE WHEN t.typcategory = 'A' THEN t.typelem::int8 ELSE 0 END)::text
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE (t.oid >= 16384 OR n.nspname <> 'pg_catalog') AND n.nspname !~ '^pg_(toast|temp)'
"""

SYSTEM_TYPES = """
SELECT to_json(t.typname)::text FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.oid < 16384
"""

SYSTEM_FUNCTIONS = """
SELECT DISTINCT to_json(p.proname)::text FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384
"""

FUNCTIONS = """
SELECT json_build_object(
    'oid', p.oid::int8, 'schema', n.nspname, 'name', p.proname, 'arguments', ARRAY(SELECT a::int8 FROM unnest(p.proargtypes) a),
    'definition', concat_ws('|', p.prosrc, p.probin, p.proconfig, p.prosecdef, p.provolatile::text, p.prolang::int8,
                            pg_get_function_identity_arguments(p.oid), pg_get_expr(p.proargdefaults, 0)),
    'silent', p.prorettype = 'void'::regtype OR (p.prokind = 'p' AND p.proargmodes IS NULL))::text
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE p.oid >= 16384 OR n.nspname NOT IN ('pg_catalog', 'information_schema')
"""

OPERATORS = """
SELECT json_build_object('oid', o.oid::int8, 'schema', n.nspname, 'name', o.oprname,
                         'arguments', json_build_array(o.oprleft::int8, o.oprright::int8),
                         'definition', o.oprcode::regprocedure::text, 'silent', false)::text
  FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
 WHERE o.oid >= 16384 OR n.nspname NOT IN ('pg_catalog', 'information_schema')
"""

CASTS = """
SELECT json_build_object('source', c.castsource::int8, 'target', c.casttarget::int8, 'name', t.typname,
                         'context', c.castcontext)::text
  FROM pg_cast c JOIN pg_type t ON t.oid = c.casttarget WHERE c.oid >= 16384
"""

INHERITS = "SELECT json_build_object('child', inhrelid::int8, 'parent', inhparent::int8)::text FROM pg_inherits"

ALL = {
    "relations": RELATIONS,
    "types": TYPES,
    "system_types": SYSTEM_TYPES,
    "system_functions": SYSTEM_FUNCTIONS,
    "functions": FUNCTIONS,
    "operators": OPERATORS,
    "casts": CASTS,
    "inherits": INHERITS,
}
