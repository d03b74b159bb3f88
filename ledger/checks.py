"""The fences, checked at start: a ledger whose tables can be changed by this login is not a ledger."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from core.errors import NarrowgateError
from ledger.models import FENCED

TRIGGERS = {
    **{table: {"rows_are_final", "table_is_final"} for table in FENCED},
    "ledger_node": {"numbers_only_grow", "nodes_stay", "table_is_final"},
    "ledger_person": {"keys_are_only_destroyed", "people_stay", "table_is_final"},
}
REMEDY = "Run the migrations as the owner, and give each process its own login."

# pgtrigger's names begin with ours; "O" and "A" are triggers that fire for ordinary sessions
TRIGGERS_SQL = """
SELECT c.relname, t.tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE c.oid = ANY(%s::regclass[]) AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
"""

RIGHTS_SQL = """
SELECT t.name, p.privilege FROM unnest(%s::text[]) AS t (name),
unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS p (privilege)
WHERE has_table_privilege(t.name, p.privilege)
OR (p.privilege = 'UPDATE' AND has_any_column_privilege(t.name, 'UPDATE'))
"""

SUPERUSER_SQL = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"

OWNED_SQL = """
SELECT relname FROM pg_class WHERE oid = ANY(%s::regclass[]) AND pg_has_role(relowner, 'USAGE') ORDER BY relname
"""

WRITE_SQL = (
    "SELECT has_column_privilege('ledger_outbox', 'leaf', 'INSERT') OR has_table_privilege('ledger_entry', 'INSERT')"
)


def require_fences(connection: BaseDatabaseWrapper) -> None:
    """Refuse to run where the ledger's triggers or grants are not in place for this login. Raises NarrowgateError."""
    with connection.cursor() as cursor:
        _require_tables(cursor)
        _require_triggers(cursor)
        _require_small_rights(cursor)


def _require_tables(cursor: CursorWrapper) -> None:
    missing = [
        table
        for table, there in _rows(cursor, "SELECT t, to_regclass(t) FROM unnest(%s::text[]) AS t", sorted(TRIGGERS))
        if there is None
    ]
    if missing:
        raise NarrowgateError(f"The ledger has no table {missing[0]}.", REMEDY)


def _require_triggers(cursor: CursorWrapper) -> None:
    found = {(str(table), str(name)) for table, name in _rows(cursor, TRIGGERS_SQL, sorted(TRIGGERS))}
    for table, names in TRIGGERS.items():
        for wanted in sorted(names):
            if not any(there == table and name.startswith(f"pgtrigger_{wanted}_") for there, name in found):
                raise NarrowgateError(f"The table {table} lacks its fence {wanted}.", REMEDY)


def _require_small_rights(cursor: CursorWrapper) -> None:
    if _rows(cursor, SUPERUSER_SQL)[0][0]:
        raise NarrowgateError("This login is a superuser: no fence holds it.", REMEDY)
    for (table,) in _rows(cursor, OWNED_SQL, sorted(TRIGGERS)):
        raise NarrowgateError(f"This login owns {table}.", REMEDY)
    for table, right in _rows(cursor, RIGHTS_SQL, list(FENCED)):
        raise NarrowgateError(f"This login may {right} {table}.", REMEDY)
    if not _rows(cursor, WRITE_SQL)[0][0]:
        raise NarrowgateError("This login may not write to the ledger.", REMEDY)


def _rows(cursor: CursorWrapper, sql: str, *params: list[str]) -> list[tuple[Any, ...]]:
    cursor.execute(sql, list(params))
    found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
