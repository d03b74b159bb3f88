"""Pure: everything an agent may do at a resource by the policies in force, asked of the engine that decides actions.

A policy may look at the tables, the columns and the tags that an action touches, so the engine is asked about each table that a
policy, a tag or the record names, and about any other. What only an action itself can say (its claimed purpose, for whom it acts) is
left out, and named in `depends`: a policy that asks for it may allow more or less than is told here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import groupby
from typing import Final

from accounts.quorum import Requirement
from policies.decision import Ask, Decision, Verdict
from policies.evaluate import Engine
from policies.expressions import texts_of
from policies.parse import Policy
from policies.parts import COLUMN, SCHEMA, TABLE, TAGGED, Uid, is_part, resource_of
from policies.verbs import ARRANGING, GROUPS, VERBS, groups_of
from policies.world import AgentFacts

ASKABLE: Final = tuple(sorted(VERBS - ARRANGING))
"""The verbs that do something: arranging a session goes with any of them."""
MOST_TABLES: Final = 40
"""Tables that are asked about one by one; what lies beyond is told as any other."""
_ANY: Final = "…"
"""Stands for every table of a schema, or every schema, that is asked about by no name: none is called so."""
ELSEWHERE: Final = f"{_ANY}.{_ANY}"
_KNOWN: Final = frozenset(
    {"tables", "columns", "tags", TAGGED, "where", "environment", "purpose", "credential", "approval"}
)
_PER_COLUMN: Final = frozenset({"columns", "tags"})
_PER_OBJECT: Final = frozenset({"tables"}) | _PER_COLUMN
_TABLE: Final = re.compile(r"[^.\s]{1,63}\.[^.\s]{1,63}\Z")
_KINDS: Final = ("svid", "bearer")
_STRICTNESS: Final = (Verdict.ALLOW, Verdict.HOLD, Verdict.DENY)


@dataclass(frozen=True)
class Place:
    """A resource as it is asked about: its tagged columns as (table, column, tag), and more tables that are known of."""

    name: str
    tagged: frozenset[tuple[str, str, str]] = frozenset()
    tables: frozenset[str] = frozenset()

    def tags_of(self, table: str) -> frozenset[str]:
        """The tags in a table; of all tables for whichever."""
        return frozenset(tag for where, _, tag in self.tagged if table in {where, ""})


@dataclass(frozen=True)
class Permission:
    """One thing an agent may do: a verb on a table (empty: whichever), where `tag` is set on columns tagged so.

    `outcome` is allow or hold, `policies` those that said so; `masked` are the tags that stay masked in what comes back.
    """

    resource: str
    verb: str
    table: str
    outcome: Verdict
    policies: tuple[str, ...]
    tag: str = ""
    requirement: Requirement | None = None
    masked: tuple[str, ...] = ()
    unmasked: tuple[str, ...] = ()
    limit: int | None = None
    proof: timedelta | None = None


@dataclass(frozen=True)
class Effective:
    """What an agent may do at some resources. `depends` names what else of an action policies look at, by resource."""

    permissions: tuple[Permission, ...] = ()
    depends: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The permissions as they are counted: a resource and a verb."""
        return frozenset((one.resource, one.verb) for one in self.permissions)


def effective(engine: Engine, agent: AgentFacts, places: Iterable[Place]) -> Effective:
    """Everything `agent` may do at `places`, by resource and verb. The engine's world must hold both."""
    found: list[Permission] = []
    depends = {}
    for place in places:
        here = list(_at(engine, agent, place))
        found += here
        reads = _reads(engine.concerning(agent.name, verb, place.name) for verb in ASKABLE)
        if here or reads - _KNOWN:
            depends[place.name] = reads - _KNOWN
    return Effective(tuple(found), depends)


def _at(engine: Engine, agent: AgentFacts, place: Place, verbs: Iterable[str] = ASKABLE) -> Iterator[Permission]:
    for verb in verbs:
        concerning = engine.concerning(agent.name, verb, place.name)
        if not any(policy.terms.effect == "permit" for policy in concerning):
            continue  # nothing is allowed by absence
        reads = _reads([concerning])
        kinds = _KINDS if "credential" in reads else _KINDS[:1]
        for table, tag in _objects(concerning, place):
            decision = _best(
                engine, Ask(agent.name, frozenset({verb}), place.name, _context(agent, place, table, tag)), kinds
            )
            if decision.verdict is not Verdict.DENY:
                touched = frozenset({tag} - {""}) if reads & _PER_COLUMN else place.tags_of(table)
                yield replace(_permission(decision, verb, table, tag, touched), resource=place.name)


def _objects(concerning: Collection[Policy], place: Place) -> Iterator[tuple[str, str]]:
    """What to ask about: each table with each of its tags as far as the policies look at those; else only any table."""
    reads = _reads([concerning])
    if not reads & _PER_OBJECT:
        yield "", ""
        return
    named = {text for policy in concerning for text in texts_of(policy.rule) if _TABLE.match(text)}
    named |= {table for policy in concerning for uid in policy.names for table in _tables_in(uid, place.name)}
    tables = sorted({*named, *place.tables, *(table for table, _, _ in place.tagged)}, key=_named_first)[:MOST_TABLES]
    for table in (*tables, ELSEWHERE):
        yield table, ""
        for tag in sorted(place.tags_of(table)) if reads & _PER_COLUMN else ():
            yield table, tag


def _tables_in(uid: Uid, resource: str) -> Iterator[str]:
    """The table that a policy names as an entity, or in which it names a column; of a schema, any table."""
    if is_part(uid) and resource_of(uid) == resource:
        name = uid[1].partition("/")[2]
        if uid[0] in {TABLE, COLUMN}:
            yield ".".join(name.split(".")[:2])
        elif uid[0] == SCHEMA:
            yield f"{name}.{_ANY}"


def _named_first(table: str) -> tuple[bool, str]:
    return table.endswith(_ANY), table


def _best(engine: Engine, ask: Ask, kinds: Iterable[str]) -> Decision:
    """The mildest decision over the kinds of credential that an agent can have."""
    asked = (Ask(ask.agent, ask.verbs, ask.resource, {**ask.context, "credential": kind}) for kind in kinds)
    return min(map(engine.decide, asked), key=lambda decision: _STRICTNESS.index(decision.verdict))


def _context(agent: AgentFacts, place: Place, table: str, tag: str) -> dict[str, object]:
    """What the gate would say of an action on `table` that touches the columns with `tag`."""
    return {
        "tables": frozenset({table} if table else ()),
        "columns": frozenset(f"{where}.{column}" for where, column, of in place.tagged if (where, of) == (table, tag)),
        "tags": frozenset({tag} if tag else ()),
        TAGGED: frozenset(
            f"{where}.{column} {tag}" for where, column, of in place.tagged if (where, of) == (table, tag)
        ),
        "where": True,
        "environment": agent.environment,
        "purpose": agent.purpose,
    }


def _permission(decision: Decision, verb: str, table: str, tag: str, touched: frozenset[str]) -> Permission:
    """The permission that `decision` gives; only a SELECT shows what it touches."""
    seen = touched if verb == "sql:select" else frozenset()
    return Permission(
        "", verb, table, decision.verdict, decision.policies, tag, decision.requirement,
        tuple(sorted(seen - decision.unmask)), tuple(sorted(seen & decision.unmask)), decision.limit,
        decision.proof,
    )  # fmt: skip


def _reads(slices: Iterable[Collection[Policy]]) -> frozenset[str]:
    """What policies look at in an action's context; one that looks at the whole is taken to look at all we know of."""
    read = [policy.reads for concerning in slices for policy in concerning]
    return frozenset().union(*(_KNOWN if one is None else one for one in read))


# ---- told ----
@dataclass(frozen=True)
class Told:
    """Permissions that are alike, as one line says them. `verbs` are groups where the whole group is meant."""

    resource: str
    outcome: Verdict
    verbs: tuple[str, ...]
    objects: tuple[str, ...]
    policies: tuple[str, ...]
    requirement: Requirement | None
    masked: tuple[str, ...]
    unmasked: tuple[str, ...]
    limit: int | None
    proof: timedelta | None
    """How long ago, at most, it has to have proved that it holds its key."""


def told(permissions: Iterable[Permission]) -> list[Told]:
    """`permissions` as few lines: verbs and tables of one outcome, by the same policies, belong together."""

    def alike(one: Permission) -> tuple[str, ...]:
        needs = str(one.requirement or "")
        more = str(one.limit), str(one.proof)
        return one.resource, one.outcome, str(one.policies), needs, str(one.masked), str(one.unmasked), *more

    lines = []
    for _, group in groupby(sorted(permissions, key=alike), key=alike):
        same = list(group)
        by_objects: dict[tuple[str, ...], list[str]] = {}
        for verb, of_verb in groupby(sorted(same, key=lambda one: one.verb), key=lambda one: one.verb):
            by_objects.setdefault(_objects_told(of_verb), []).append(verb)
        one = same[0]
        lines += [
            Told(one.resource, one.outcome, verbs_told(verbs), objects, one.policies, one.requirement, one.masked, one.unmasked, one.limit, one.proof)
            for objects, verbs in by_objects.items()
        ]  # fmt: skip
    return sorted(lines, key=lambda line: (line.resource, _STRICTNESS.index(line.outcome), line.verbs, line.objects))


def verbs_told(verbs: Iterable[str]) -> tuple[str, ...]:
    """The groups that are there whole, and the verbs that are left."""
    given = set(verbs)
    whole = [group for group, members in GROUPS.items() if members <= given]
    left = sorted(verb for verb in given if not groups_of(verb) & set(whole))
    return (*whole, *left)


def _objects_told(permissions: Iterable[Permission]) -> tuple[str, ...]:
    """Each table, with its tag where that matters; `any other table` last, nothing for whichever."""
    named = [(one.table, one.tag) for one in permissions if one.table]
    words = [f"{table}, its {tag}" if tag else table for table, tag in sorted(named) if not table.endswith(_ANY)]
    schemas = [table.removesuffix(f".{_ANY}") for table, _ in sorted(named) if table.endswith(_ANY)]
    words += [f"any other table of {schema}" for schema in schemas if schema != _ANY]
    return (*words, *(["any other table"] if _ANY in schemas else []))
