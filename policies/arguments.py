"""Pure: the arguments of an action as policies read them: which ones a policy looks at, and of what kind each has to be.

Every operation takes other arguments, so no schema can list them. Their kinds are read off the policy itself: what is compared with a
number is a number. A policy is validated against what it says; an argument of another kind than a policy expects denies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Final, TypeAlias

from cedarpy import pst

from core.errors import Invalid

NAME: Final = "args"
COUNT: Final = "count"
"""Of a statement: how many parameters are bound to it. Those that no policy looked at are not kept."""
TEXT, NUMBER, TRUTH, TEXTS = "String", "Long", "Bool", "Set<String>"
LARGEST: Final = 2**63 - 1
"""Of Cedar's whole numbers; what is beyond it is read as text."""

Kinds: TypeAlias = Mapping[str, "str | Kinds"]
"""The arguments that a policy looks at: Cedar's type of each, or those inside it."""
Path: TypeAlias = tuple[str, ...]

_NUMBERS: Final = frozenset({"less", "less_eq", "greater", "greater_eq", "add", "sub", "mul"})
_TRUTHS: Final = frozenset({"and", "or"})
_SETS: Final = frozenset({"contains", "contains_all", "contains_any"})
_UNARY: Final[Mapping[str, str]] = {"not": TRUTH, "neg": NUMBER, "is_empty": TEXTS}
_LITERALS: Final[Mapping[type, str]] = {pst.StringLit: TEXT, pst.LongLit: NUMBER, pst.BoolLit: TRUTH}


# ---- what a policy says ----
def kinds_of(policy: pst.Template) -> Kinds:
    """The arguments that `policy` looks at. One of which it says nothing but its name is a text."""
    tree: dict[str, object] = {}
    for path, kind in _said(policy.clauses):
        _plant(tree, path, kind)
    return _ripe(tree)


def _said(node: object) -> Iterator[tuple[Path, str]]:
    """Each use of an argument: its path, and the kind that the use takes it for; empty where it takes it for none."""
    if isinstance(node, (tuple, list)):
        for one in node:
            yield from _said(one)
    elif isinstance(node, Mapping):
        yield from _said(tuple(node.values()))
    elif is_dataclass(node):
        yield from _used(node)
        for one in fields(node):
            yield from _said(getattr(node, one.name))


def _used(node: object) -> Iterator[tuple[Path, str]]:
    if isinstance(node, pst.BinaryOp):
        yield from _compared(node)
    elif isinstance(node, pst.UnaryOp):
        yield from _takes(node.arg, _UNARY.get(node.op, TEXT))
    elif isinstance(node, pst.Like):
        yield from _takes(node.base, TEXT)
    elif isinstance(node, (pst.When, pst.Unless)):
        yield from _takes(node.expr, TRUTH)
    elif isinstance(node, pst.IfThenElse):
        yield from _takes(node.cond, TRUTH)
    elif isinstance(node, pst.HasAttr):
        base = path_of(node.base)
        if base is not None:
            yield (*base, *node.attrs), ""
    elif isinstance(node, pst.GetAttr):
        yield from _takes(node, "")


def _compared(node: pst.BinaryOp) -> Iterator[tuple[Path, str]]:
    if node.op in _NUMBERS or node.op in _TRUTHS:
        kind = NUMBER if node.op in _NUMBERS else TRUTH
        yield from _takes(node.left, kind)
        yield from _takes(node.right, kind)
    elif node.op in _SETS:
        yield from _takes(node.left, TEXTS)
        yield from _takes(node.right, TEXT if node.op == "contains" else TEXTS)
    elif node.op in {"eq", "not_eq"}:
        yield from _takes(node.left, _LITERALS.get(type(node.right), ""))
        yield from _takes(node.right, _LITERALS.get(type(node.left), ""))


def _takes(node: object, kind: str) -> Iterator[tuple[Path, str]]:
    path = path_of(node)
    if path:
        yield path, kind


def path_of(node: object) -> Path | None:
    """The names after `context.args`, none for all arguments together; None for any other expression."""
    if not isinstance(node, pst.GetAttr):
        return None
    if node.base == pst.Var("context"):
        return () if node.attr == NAME else None
    base = path_of(node.base)
    return None if base is None else (*base, node.attr)


def _plant(tree: dict[str, object], path: Path, kind: str) -> None:
    """Note a use. Where two uses differ the first counts, and Cedar refuses the second."""
    *above, name = path
    for part in above:
        inner = tree.get(part)
        if not isinstance(inner, dict):
            inner = tree[part] = {}
        tree = inner
    if not tree.get(name) and not isinstance(tree.get(name), dict):
        tree[name] = kind


def _ripe(tree: Mapping[str, object]) -> Kinds:
    return {name: _ripe(kind) if isinstance(kind, dict) else str(kind or TEXT) for name, kind in tree.items()}


def cedar_type(kinds: Kinds) -> str:
    """The record in Cedar's words: every argument may be missing."""
    inside = ", ".join(
        f"{json.dumps(name)}?: {kind if isinstance(kind, str) else cedar_type(kind)}" for name, kind in kinds.items()
    )
    return f"{{ {inside} }}" if inside else "{}"


# ---- what an action says ----
def readable(said: Mapping[str, object]) -> dict[str, object]:
    """JSON arguments as policies read them: texts, whole numbers, truth values, lists of texts, and objects of these.

    Whatever else JSON has (fractions, null, other lists) is read as its JSON text, so that a policy which expects a number there
    denies instead of overlooking it. Raises Invalid for a name that Cedar keeps for itself.
    """
    for name in said:
        if name.startswith("__"):
            raise Invalid("arguments", f"No argument can be called {name[:40]}.", "Names do not begin with __.")
    return {name: _value(value) for name, value in said.items()}


def _value(value: object) -> object:
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, int) and abs(value) <= LARGEST:
        return value
    if isinstance(value, Mapping):
        return readable(value)
    if isinstance(value, (list, tuple, frozenset)) and all(isinstance(one, str) for one in value):
        return frozenset(value)
    return json.dumps(value, ensure_ascii=False)


def misfit(expected: Sequence[Kinds], said: object) -> str:
    """Name the first argument that is of another kind than a policy expects; empty when all fit."""
    if not isinstance(said, Mapping):
        return ""
    return next((name for kinds in expected if (name := _misfit(kinds, said))), "")


def _misfit(kinds: Kinds, said: Mapping[str, object]) -> str:
    for name, kind in kinds.items():
        if name not in said:
            continue
        value = said[name]
        if isinstance(kind, str):
            if not _IS[kind](value):
                return name
        elif not isinstance(value, Mapping):
            return name
        elif inner := _misfit(kind, value):
            return f"{name}.{inner}"
    return ""


_IS: Final = {
    TEXT: lambda value: isinstance(value, str),
    NUMBER: lambda value: isinstance(value, int) and not isinstance(value, bool),
    TRUTH: lambda value: isinstance(value, bool),
    TEXTS: lambda value: isinstance(value, frozenset),
}


def needed(expected: Sequence[Kinds], said: Mapping[str, object]) -> dict[str, object]:
    """The arguments that some policy looks at: the rest need not be handed to Cedar."""
    names = {name for kinds in expected for name in kinds}
    return {name: value for name, value in said.items() if name in names}
