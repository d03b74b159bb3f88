"""Pure: what the conditions of a policy ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Literal

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
    elif isinstance(node, Mapping):
        yield from _nodes(tuple(node.values()))
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
    return _asked_of("principal", policy)


def asked_of_resource(policy: pst.Template) -> frozenset[str]:
    """The attributes of the resource, or of its part, that conditions look at."""
    return _asked_of("resource", policy)


def _asked_of(variable: Literal["principal", "resource"], policy: pst.Template) -> frozenset[str]:
    return frozenset(
        node.attr if isinstance(node, pst.GetAttr) else node.attrs[0]
        for node in _nodes(policy.clauses)
        if isinstance(node, (pst.GetAttr, pst.HasAttr)) and node.base == pst.Var(variable)
    )


def uses_resource(policy: pst.Template) -> bool:
    """Whether conditions look at the resource, or the part, itself."""
    return any(node == pst.Var("resource") for node in _nodes(policy.clauses))


def types_in(policy: pst.Template) -> frozenset[str]:
    """The types of entities that conditions name, by an entity or by `is`."""
    named = (node.value.type for node in _nodes(policy.clauses) if isinstance(node, pst.EntityLit))
    asked = (node.entity_type for node in _nodes(policy.clauses) if isinstance(node, pst.Is))
    return frozenset(map(str, (*named, *asked)))
