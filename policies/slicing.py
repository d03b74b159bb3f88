"""Pure: which policies can match a request, found by scope without looking at the others, and what they read of it.

A slice is a superset of the policies whose scope matches; Cedar checks the scope again, so leaving a
policy out wrongly is the only mistake possible here, and `tests/policies` compares with the full set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import NamedTuple, TypeAlias

from cedarpy import pst

from policies.world import Uid

Lineage: TypeAlias = frozenset[Uid]


class Scope(NamedTuple):
    """What the head of a policy names: an agent, function or segment; verbs and groups; a resource or segment. None: nothing."""

    agent: Uid | None
    actions: tuple[Uid | None, ...]
    resource: Uid | None

    @property
    def sides(self) -> tuple[Uid | None, Uid | None]:
        """Who and where."""
        return self.agent, self.resource


class ScopeIndex:
    """Policies by what their scope names: `table` has their ids, parted by spaces, under a key of verb, agent and resource.

    A flat table of texts: the collector has nothing to look for in it, and JSON can say it.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self.table = table

    @classmethod
    def of(cls, scopes: Mapping[str, Scope]) -> ScopeIndex:
        """Index policies by their scopes."""
        found: dict[str, list[str]] = {}
        for policy, scope in scopes.items():
            for action in scope.actions:
                key = f"{_key(action)}|{_key(scope.agent)}|{_key(scope.resource)}"
                found.setdefault(key, []).append(policy)
        return cls({key: " ".join(policies) for key, policies in found.items()})

    def matching(self, agent: Lineage, action: Lineage, resource: Lineage) -> frozenset[str]:
        """The ids of the policies whose scope can match: (|a|+1)(|b|+1)(|c|+1) look-ups."""
        heads = [f"{one}|{other}|" for one in _keys(action) for other in _keys(agent)]
        found = [self.table.get(head + one, "") for head in heads for one in _keys(resource)]
        return frozenset(" ".join(found).split())


def _key(uid: Uid | None) -> str:
    """An entity as a part of a key; two keys that were alike would only widen a slice."""
    return "" if uid is None else f"{uid[0]}::{uid[1]}"


def _keys(lineage: Lineage) -> list[str]:
    return ["", *map(_key, lineage)]


def scope_of(policy: pst.Template) -> Scope:
    """What the head of a policy names."""
    return Scope(_named(policy.principal), tuple(_actions(policy.action)), _named(policy.resource))


def _named(scope: pst.PrincipalOrResourceConstraint) -> Uid | None:
    if isinstance(scope, (pst.ScopeEq, pst.ScopeIn, pst.ScopeIsIn)) and isinstance(scope.entity, pst.EntityUid):
        return _uid(scope.entity)
    return None


def _actions(scope: pst.ActionConstraint) -> list[Uid | None]:
    if isinstance(scope, pst.ActionEq):
        return [_uid(scope.entity)]
    if isinstance(scope, pst.ActionIn):
        return [_uid(entity) for entity in scope.entities]
    return [None]


def _uid(entity: pst.EntityUid) -> Uid:
    return str(entity.type), entity.id


def reads(policy: pst.Template) -> frozenset[str] | None:
    """The context attributes that `policy` looks at; None when it uses the context as a whole."""
    names: set[str] = set()
    pending: list[object] = list(policy.clauses)
    while pending:
        node = pending.pop()
        attribute = _attribute(node)
        if attribute is not None:
            names.add(attribute)
        elif isinstance(node, pst.Var) and node.name == "context":
            return None
        elif isinstance(node, Mapping):
            pending.extend(node.values())
        elif isinstance(node, tuple):
            pending.extend(node)
        elif is_dataclass(node) and not isinstance(node, type):
            pending.extend(getattr(node, part.name) for part in fields(node))
    return frozenset(names)


def _attribute(node: object) -> str | None:
    if isinstance(node, (pst.GetAttr, pst.HasAttr)) and node.base == pst.Var("context"):
        return node.attr if isinstance(node, pst.GetAttr) else node.attrs[0]
    return None
