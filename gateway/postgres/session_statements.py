"""Statements about the session itself: transactions, settings, cursors, prepared statements. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypedDict

from gateway.postgres import settings_allowed
from gateway.postgres.catalog import Col
from gateway.postgres.classified import SESSION, Setting
from gateway.postgres.tree import Node, constant_text
from gateway.postgres.walk import Walk
from gateway.refusal import Refusal


class Facts(TypedDict, total=False):
    """What a handler knows of its statement; the rest of `Statement` keeps its defaults."""

    kind: str
    transaction: str
    setting: Setting
    is_ddl: bool
    returns_rows: bool
    outputs: int
    outs: list[Col]
    savepoint: str
    prepares: tuple[str, str]
    deallocates: str
    declares: tuple[str, str]
    closes: str


class Known:
    """What the session holds by name: prepared statements and cursors, each with its text."""

    def __init__(self, prepared: Mapping[str, str], cursors: Mapping[str, str]) -> None:
        self.prepared = dict(prepared)
        self.cursors = dict(cursors)
        self.text = ""
        """The statement being read."""

    def learn(self, facts: Facts) -> None:
        """Take in what a statement does to the session, for those after it in the same text."""
        if "prepares" in facts:
            self.prepared.update([facts["prepares"]])
        if "declares" in facts:
            self.cursors.update([facts["declares"]])
        _forget(self.prepared, facts.get("deallocates"))
        _forget(self.cursors, facts.get("closes"))


def _forget(held: dict[str, str], name: str | None) -> None:
    if name == "*":
        held.clear()
    elif name is not None:
        held.pop(name, None)


Handler = Callable[[Walk, Node, Known], Facts]

TRANSACTION = {
    "TRANS_STMT_BEGIN": "begin",
    "TRANS_STMT_START": "begin",
    "TRANS_STMT_COMMIT": "commit",
    "TRANS_STMT_ROLLBACK": "rollback",
    "TRANS_STMT_SAVEPOINT": "savepoint",
    "TRANS_STMT_RELEASE": "release",
    "TRANS_STMT_ROLLBACK_TO": "rollback_to",
}


def _transaction(w: Walk, fields: Node, known: Known) -> Facts:
    kind = TRANSACTION.get(fields["kind"])
    if kind is None:
        raise Refusal("Two-phase commit is not available through the gate.", code="not_available")
    return {"kind": kind.replace("_", " "), "transaction": kind, "savepoint": fields.get("savepoint_name", "")}


def _set(w: Walk, fields: Node, known: Known) -> Facts:
    kind, name = fields["kind"], fields.get("name", "*")
    if kind == "VAR_RESET_ALL":
        return {"kind": "reset", "setting": Setting("*", None)}
    if kind == "VAR_SET_MULTI":
        return _set_transaction(name)
    value = None
    if kind == "VAR_SET_VALUE":
        value = _value(fields)
    elif kind not in {"VAR_RESET", "VAR_SET_DEFAULT"}:
        raise Refusal(f"The setting {name} may not be changed this way.", code="setting_denied")
    settings_allowed.check(name, value)
    local = bool(fields.get("is_local"))
    return {"kind": "set" if value is not None else "reset", "setting": Setting(name.lower(), value, local)}


def _value(fields: Node) -> str:
    values = [constant_text(arg) for arg in fields.get("args", ())]
    if not values or None in values:
        raise Refusal("A setting needs a constant value.", code="setting_denied")
    return ", ".join(str(value) for value in values)


def _set_transaction(name: str) -> Facts:
    if name not in {"TRANSACTION", "SESSION CHARACTERISTICS"}:
        raise Refusal(f"SET {name} is not available through the gate.", code="setting_denied")
    return {"kind": "set transaction"}


def _show(w: Walk, fields: Node, known: Known) -> Facts:
    settings_allowed.check_show(fields["name"])
    return {"kind": "show", "returns_rows": True, "outputs": 1}


def _discard(w: Walk, fields: Node, known: Known) -> Facts:
    if fields["target"] != "DISCARD_ALL":
        return {"kind": "discard"}
    return {"kind": "discard", "setting": Setting("*", None), "deallocates": "*", "closes": "*"}


def _deallocate(w: Walk, fields: Node, known: Known) -> Facts:
    return {"kind": "deallocate", "deallocates": fields.get("name", "*")}


def _close(w: Walk, fields: Node, known: Known) -> Facts:
    return {"kind": "close", "closes": fields.get("portalname", "*")}


def _plain(kind: str) -> Handler:
    def handle(w: Walk, fields: Node, known: Known) -> Facts:
        return {"kind": kind}

    return handle


HANDLERS: dict[str, Handler] = {
    "ClosePortalStmt": _close,
    "ConstraintsSetStmt": _plain("set constraints"),
    "DeallocateStmt": _deallocate,
    "DiscardStmt": _discard,
    "TransactionStmt": _transaction,
    "UnlistenStmt": _plain("unlisten"),
    "VariableSetStmt": _set,
    "VariableShowStmt": _show,
}


def handle(kind: str, w: Walk, fields: Node, known: Known) -> Facts:
    """Deal with one of `HANDLERS`."""
    w.verbs.add(SESSION)
    return HANDLERS[kind](w, fields, known)


def fetched(name: str, held: Mapping[str, str], what: str, sqlstate: str) -> str:
    """The text of a cursor or prepared statement. Raises Refusal for one that the gate has not seen made."""
    text = held.get(name)
    if text is None:
        raise Refusal(
            f'The {what} "{name}" is not known to the gate.',
            code=f"unknown_{what.partition(' ')[0]}",
            sqlstate=sqlstate,
        )
    return text
