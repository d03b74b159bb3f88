"""Pure: what the conditions of a policy ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from cedarpy import pst


def asked_of_context(policy: pst.Template) -> frozenset[str]:
    """The names in every `context has name`. Cedar's validator takes a misspelt one for "never there"."""
    return frozenset(
        node.attrs[0]
        for node in _nodes(policy.clauses)
        if isinstance(node, pst.HasAttr) and isinstance(node.base, pst.Var) and node.base.name == "context"
    )


def _nodes(node: object) -> Iterator[object]:
    if isinstance(node, (tuple, list)):
        for one in node:
            yield from _nodes(one)
    elif is_dataclass(node):
        yield node
        for one in fields(node):
            yield from _nodes(getattr(node, one.name))


def texts_of(policy: pst.Template) -> frozenset[str]:
    """Every text that the conditions of a policy compare with: names of tables, columns and tags among them."""
    return frozenset(node.value for node in _nodes(policy.clauses) if isinstance(node, pst.StringLit))


def mentions(policy: pst.Template, text: str) -> bool:
    """Whether the conditions of a policy compare with `text`, or with a pattern, which might be for it."""
    return text in texts_of(policy) or any(isinstance(node, pst.Like) for node in _nodes(policy.clauses))


def asked_of_principal(policy: pst.Template) -> frozenset[str]:
    """The attributes of the agent that conditions look at; what the agent is in, `principal in …`, is none of them."""
    return frozenset(
        node.attr if isinstance(node, pst.GetAttr) else node.attrs[0]
        for node in _nodes(policy.clauses)
        if isinstance(node, (pst.GetAttr, pst.HasAttr)) and node.base == pst.Var("principal")
    )
