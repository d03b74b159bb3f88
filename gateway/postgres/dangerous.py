"""Pure. Shapes of statements that nobody lets through, whatever policy says: known by PostgreSQL's own tree of them."""

from __future__ import annotations

from typing import Final

from gateway.postgres.tree import Node
from gateway.refusal import Refusal

_ABOVE_ALL: Final = {
    "superuser": "it makes a role a superuser",
    "isreplication": "it lets a role take the whole database away by replication",
    "bypassrls": "it lets a role pass by row security",
}


def require_harmless(kind: str, fields: Node) -> None:
    """Raise Refusal for a statement of one of these shapes."""
    if kind == "DropdbStmt":
        raise _refused("it drops a whole database")
    if kind in {"AlterRoleStmt", "CreateRoleStmt"}:
        for option in fields.get("options", ()):
            element = option["DefElem"]
            if element["defname"] in _ABOVE_ALL and element.get("arg", {}).get("Boolean", {}).get("boolval"):
                raise _refused(_ABOVE_ALL[element["defname"]])
    if kind == "CopyStmt" and fields.get("is_program"):
        raise _refused("it has the database server run a program")


def _refused(why: str) -> Refusal:
    return Refusal(
        f"No policy is asked about this statement: {why}.",
        code="dangerous_statement",
        remedy="Nobody can let it through the gate. A database administrator does it at the database itself.",
    )
