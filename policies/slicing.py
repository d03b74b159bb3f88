"""Pure: which policies can match a request, found by scope without looking at the others, and what they read of it.

A slice is a superset of the policies whose scope matches; Cedar checks the scope again, so leaving a
policy out wrongly is the only mistake possible here, and `tests/policies` compares with the full set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Final, NamedTuple, TypeAlias

from cedarpy import pst

from policies.expressions import asked_of_resource
from policies.parts import DECLARED, READS, TAGGED, Chain, Uid, is_part, resource_of

Lineage: TypeAlias = frozenset[Uid]
_ANY_PART: Final = "*"


class Scope(NamedTuple):
    """What the head of a policy names: an agent, function or segment; verbs and groups; a resource, a part of one or a segment. None: nothing.

    `of` is the type of part that it says to speak of, as in `resource is Table`; empty where it says none.
    """

    agent: Uid | None
    actions: tuple[Uid | None, ...]
    resource: Uid | None
    of: str = ""

    @property
    def part(self) -> str:
        """The type of part that it speaks of; empty where it speaks of whole resources."""
        return self.of or (self.resource[0] if self.resource is not None and is_part(self.resource) else "")

    @property
    def sides(self) -> tuple[Uid | None, Uid | None]:
        """Who and where: the resource whose part it names."""
        where = self.resource
        return self.agent, ("Resource", resource_of(where)) if where is not None and is_part(where) else where


class ScopeIndex:
    """Policies by what their scope names: `table` has their ids, parted by spaces, under a key of verb, agent and resource.

    A flat table of texts: the collector has nothing to look for in it, and JSON can say it. Those of parts have keys of their own, and
    one more under the resource or segment that they are in, from which it is seen at once whether there are any.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self.table = table
        self.of_parts = any(f"|{_ANY_PART}" in key for key in table)

    @classmethod
    def of(cls, scopes: Mapping[str, Scope]) -> ScopeIndex:
        """Index policies by their scopes."""
        found: dict[str, list[str]] = {}
        for policy, scope in scopes.items():
            places = [f"{scope.of}{_key(scope.resource)}"]
            if scope.part:
                places.append(f"{_ANY_PART}{scope.part}{_key(scope.sides[1])}")
            for action in scope.actions:
                for place in places:
                    key = f"{_key(action)}|{_key(scope.agent)}|{place}"
                    found.setdefault(key, []).append(policy)
        return cls({key: " ".join(policies) for key, policies in found.items()})

    def matching(self, agent: Lineage, action: Lineage, resource: Lineage) -> frozenset[str]:
        """The ids of the policies whose scope can match: (|a|+1)(|b|+1)(|c|+1) look-ups."""
        return self._under(agent, action, _keys(resource))

    def of_any_part(self, agent: Lineage, action: Lineage, resource: Lineage, kinds: Sequence[str]) -> frozenset[str]:
        """The ids of those that speak of parts of a resource, of those kinds."""
        places = [_ANY_PART + kind + key for kind in kinds for key in _keys(resource)]
        return self._under(agent, action, places)

    def of_part(
        self, agent: Lineage, action: Lineage, resource: Lineage, chain: Chain, *, innermost: bool
    ) -> frozenset[str]:
        """The ids of those to put to the first part of a chain: those that name it, and, where it is the `innermost` of its type, those of such parts."""
        kind = chain[0][0]
        places = [_key(chain[0])]
        if innermost:
            places += [kind + key for key in (*_keys(resource), *map(_key, chain))]
        return self._under(agent, action, places)

    def _under(self, agent: Lineage, action: Lineage, places: Sequence[str]) -> frozenset[str]:
        heads = [f"{one}|{other}|" for one in _keys(action) for other in _keys(agent)]
        found = [self.table.get(head + place, "") for head in heads for place in places]
        return frozenset(" ".join(found).split())


def _key(uid: Uid | None) -> str:
    """An entity as a part of a key; two keys that were alike would only widen a slice."""
    return "" if uid is None else f"{uid[0]}::{uid[1]}"


def _keys(lineage: Lineage) -> list[str]:
    return ["", *map(_key, lineage)]


def scope_of(policy: pst.Template) -> Scope:
    """What the head of a policy names."""
    return Scope(
        _named(policy.principal), tuple(_actions(policy.action)), _named(policy.resource), _of(policy.resource)
    )


def _of(scope: pst.PrincipalOrResourceConstraint) -> str:
    kind = str(scope.entity_type) if isinstance(scope, (pst.ScopeIs, pst.ScopeIsIn)) else ""
    return kind if kind in DECLARED else ""


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


def reads(policy: pst.Template, scope: Scope) -> frozenset[str] | None:
    """The context attributes that `policy` looks at, those that tell its parts among them; None when it uses the context as a whole."""
    said = _said(policy)
    if said is None:
        return None
    kind = scope.part
    tags = {TAGGED} if kind and "tags" in asked_of_resource(policy) else frozenset()
    return said | READS.get(kind, frozenset()) | tags


def _said(policy: pst.Template) -> frozenset[str] | None:
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
