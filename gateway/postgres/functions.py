"""Which functions, operators and types a statement may use and still be a read. Pure.

Names are resolved as PostgreSQL would with the pinned search path. What is on the checked-in list of `pg_catalog`
(written by `script/sql_allow_list.py`) is a read unless something of the same name in the database could be meant
instead; all else is a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from gateway.postgres.catalog import FIRST_USER_OID, Catalog, Routine, UserType
from gateway.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Allowed:
    """The checked-in list: name to volatility (`i`, `s`, `v`), and the output columns of set-returning functions."""

    functions: Mapping[str, str]
    operators: Mapping[str, str]
    outs: Mapping[str, tuple[str, ...]]


@cache
def allowed() -> Allowed:
    """The list, read once."""
    functions: dict[str, str] = {}
    operators: dict[str, str] = {}
    outs: dict[str, tuple[str, ...]] = {}
    for line in files("gateway.postgres").joinpath("allowed_functions.txt").read_text().splitlines():
        kind, _, rest = line.partition(" ")
        name, volatility, *columns = rest.split(" ")
        if kind == "operator":
            operators[name] = volatility
        elif kind == "function":
            functions[name] = volatility
            if columns:
                outs[name] = tuple(columns[0].split(","))
    return Allowed(functions, operators, outs)


ALLOWED = allowed()


def in_reach(routines: Iterable[Routine], schema: str | None, catalog: Catalog) -> tuple[Routine, ...]:
    """Those of some same-named routines that a name could mean: in its schema, or anywhere on the search path."""
    if schema is None:
        return tuple(one for one in routines if one.schema in catalog.search_path or one.schema == "pg_catalog")
    return tuple(one for one in routines if one.schema == schema)


def is_read(schema: str | None, name: str, listed: Mapping[str, str]) -> bool:
    """Whether a name is on the list, looking at PostgreSQL's own routines alone."""
    return name in listed and schema in {None, "pg_catalog"}


def is_immutable(schema: str | None, name: str, catalog: Catalog) -> bool:
    """Whether a name means one of PostgreSQL's own immutable functions and nothing else."""
    return (
        is_read(schema, name, ALLOWED.functions)
        and ALLOWED.functions[name] == "i"
        and not in_reach(catalog.functions.get(name, ()), schema, catalog)
    )


def is_immutable_operator(schema: str | None, name: str, catalog: Catalog) -> bool:
    """The same of an operator; stable ones (comparisons of dates with times) read no table and count as well."""
    return is_read(schema, name, ALLOWED.operators) and not in_reach(catalog.operators.get(name, ()), schema, catalog)


def user_type(schema: str | None, name: str, catalog: Catalog) -> UserType | None:
    """The type a name means; None for one of PostgreSQL's own.

    Raises Refusal (42704) when there is none.
    """
    if schema in {None, "pg_catalog"} and name in catalog.system_types:
        return None
    candidates = catalog.user_types.get(name, ())
    for place in catalog.search_path if schema is None else (schema,):
        for candidate in candidates:
            if candidate.schema == place:
                return candidate
    raise Refusal(f'type "{name}" does not exist, as far as the gate can see', code="unknown_type", sqlstate="42704")


def casts_between_system_types(catalog: Catalog) -> bool:
    """Whether somebody added a cast between PostgreSQL's own types that happens without being written."""
    return any(
        cast.context != "e" and cast.source < FIRST_USER_OID and cast.target < FIRST_USER_OID for cast in catalog.casts
    )


RETURNS_NO_DATA = frozenset(
    """
    nextval setval setseed set_config pg_sleep pg_sleep_for pg_sleep_until pg_notify txid_current pg_current_xact_id
    pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared
    pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared
    pg_advisory_unlock pg_advisory_unlock_shared pg_cancel_backend pg_terminate_backend pg_reload_conf
    """.split()  # noqa: SIM905 -- a list of names reads best as words
)
"""PostgreSQL's own functions that act, but give back nothing that was stored in a table."""
