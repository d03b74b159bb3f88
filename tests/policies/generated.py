"""Policies and requests made up by the thousand, from a seed: for what must hold for all of them.

Hypothesis finds the smallest case; this makes many, twenty times as fast, so that a hundred thousand take seconds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from policies.evaluate import Ask
from policies.verbs import GROUPS
from policies.world import AgentFacts, ResourceFacts, World

FUNCTIONS, SEGMENTS, RESOURCES = ("support", "report"), ("production", "staging"), ("shop", "attic")
VERBS = ("sql:select", "sql:delete", "sql:ddl", "sql:grant")
AGENTS = tuple(
    AgentFacts(f"{function}.{segment}", function, segment, segment) for function in FUNCTIONS for segment in SEGMENTS
)
WORLD = World.of(
    AGENTS, [ResourceFacts(name, "postgres", segment) for name, segment in zip(RESOURCES, SEGMENTS, strict=True)]
)
PRINCIPALS = (
    "principal",
    "principal is Agent",
    *(f'principal == Agent::"{agent.name}"' for agent in AGENTS),
    *(f'principal in Function::"{name}"' for name in FUNCTIONS),
    *(f'principal in Segment::"{name}"' for name in SEGMENTS),
    *(f'principal is Agent in Segment::"{name}"' for name in SEGMENTS),
)
ACTIONS = (
    "action",
    'action in [Action::"sql:read", Action::"sql:ddl"]',
    'action in [Action::"sql:ddl", Action::"sql:select", Action::"sql:write"]',
    *(f'action == Action::"{verb}"' for verb in VERBS),
    *(f'action in Action::"{group}"' for group in sorted(GROUPS) if group.startswith("sql:")),
)
PLACES = (
    "resource",
    "resource is Resource",
    *(f'resource == Resource::"{name}"' for name in RESOURCES),
    *(f'resource in Segment::"{name}"' for name in SEGMENTS),
)
CONDITIONS = (
    "",
    "",
    "unless { context has approval }",
    "when { context has where && context.where }",
    'when { context has tables && context.tables.contains("public.t") }',
    'when { context has claimed && context.claimed has purpose && context.claimed.purpose like "a*" }',
    'when { principal.environment == "production" } unless { context has shape && context.shape == "x" }',
    "when { context has time && context.time.hour < 12 }",
    'when { context has time && context.time.now < datetime("2026-06-01") }',
    'when { context has source && context.source.isInRange(ip("10.0.0.0/8")) }',
    "when { context has risk && context.risk.score >= 60 }",
    'when { context has credential_age && context.credential_age > duration("5m") }',
    "when { context has rows_estimated && context.rows_estimated + 9223372036854775807 > 0 }",
    "when { context has where && context.where && 9223372036854775807 + 1 > 0 }",
    'when { principal in Segment::"staging" || resource in Segment::"staging" }',
)


TABLES = ("public.t", "public.u", "audit.t")
COLUMNS = tuple(f"{table}.{column}" for table in TABLES for column in ("id", "email"))
NAMED = (
    *(f'== Table::"shop/{table}"' for table in TABLES),
    *(f'in Table::"{name}/{table}"' for name in RESOURCES for table in TABLES),
    *(f'in Schema::"{name}/{schema}"' for name in RESOURCES for schema in ("public", "audit")),
)
TYPED = (
    "is Schema",
    "is Table",
    *(f'is Table in Resource::"{name}"' for name in RESOURCES),
    *(f'is Table in Segment::"{name}"' for name in SEGMENTS),
    'is Table in Schema::"shop/public"',
)
COLUMNAR = ("is Column", 'is Column in Table::"shop/public.t"', 'in Column::"shop/public.u.email"')
OF_PART = (
    'when { resource.name == "t" }',
    'unless { resource.name like "*a*" }',
    'when { resource in Schema::"shop/public" }',
)
OF_COLUMN = (*OF_PART, 'when { resource.tags.contains("email") }')


def of_parts(chosen: random.Random) -> tuple[list[str], list[str], list[str]]:
    """Policies of whole resources, of parts by their names, and of types of parts; each at most four."""
    names = iter(range(100))

    def made(heads: tuple[str, ...], conditions: tuple[str, ...], effect: str = "") -> str:
        effect = effect or chosen.choice(("permit", "permit", "forbid"))
        place = chosen.choice(heads)
        action = chosen.choice(ACTIONS if "Column" not in place else ("action", 'action in Action::"sql:read"'))
        head = f"{chosen.choice(PRINCIPALS)}, {action}, resource {place}"
        return f'@id("p{next(names)}") {effect} ({head}) {chosen.choice(("", *conditions))};'

    wholes = [made(('== Resource::"shop"', 'in Segment::"staging"'), ()) for _ in range(chosen.randint(0, 2))]
    named = [made(NAMED, ("when { context has where && context.where }",)) for _ in range(chosen.randint(0, 4))]
    typed = [made(TYPED, OF_PART) for _ in range(chosen.randint(0, 2))]
    columnar = [made(COLUMNAR[2:], (), "forbid") for _ in range(chosen.randint(0, 1))]
    typed += [made(COLUMNAR[:2], OF_COLUMN, "forbid") for _ in range(chosen.randint(0, 1))]
    return wholes, named + columnar, typed


def touching(chosen: random.Random, count: int) -> Iterator[Ask]:
    """Requests that touch tables and columns, each with one verb."""
    for _ in range(count):
        columns = frozenset(chosen.sample(COLUMNS, chosen.randint(0, 3)))
        tables = {".".join(column.split(".")[:2]) for column in columns}
        said = {
            "where": chosen.random() < 0.5,
            "tables": frozenset(tables | set(chosen.sample(TABLES, chosen.randint(0, 1)))),
            "columns": columns,
            "tagged": frozenset(f"{column} email" for column in columns if chosen.random() < 0.5),
        }
        verb = frozenset({chosen.choice(("sql:select", "sql:delete", "sql:ddl"))})
        yield Ask(chosen.choice(AGENTS).name, verb, chosen.choice(RESOURCES), said)


def texts(chosen: random.Random) -> str:
    """One to eight policies."""
    return "\n".join(
        f'@id("p{number}") {chosen.choice(("permit", "forbid"))} '
        f"({chosen.choice(PRINCIPALS)}, {chosen.choice(ACTIONS)}, {chosen.choice(PLACES)}) {chosen.choice(CONDITIONS)};"
        for number in range(chosen.randint(1, 8))
    )


def asks(chosen: random.Random, count: int) -> Iterator[Ask]:
    """Requests, each with one verb."""
    for _ in range(count):
        said = {
            "where": chosen.random() < 0.5,
            "tables": frozenset(chosen.sample(("public.t", "public.u"), chosen.randint(0, 2))),
            "claimed": {"purpose": chosen.choice(("abc", "xyz"))},
            "shape": chosen.choice(("x", "y")),
            "source": chosen.choice(("10.1.2.3", "192.0.2.1", "2001:db8::1")),
            "credential_age": chosen.choice((0, 300, 360)),
            "rows_estimated": chosen.choice((0, 1)),
        }
        ours = {"time": chosen.choice(("2026-05-01T09:00:00Z", "2026-11-26T23:59:00Z")), "risk": chosen.choice((0, 60))}
        yield Ask(
            chosen.choice(AGENTS).name,
            frozenset({chosen.choice(VERBS)}),
            chosen.choice(RESOURCES),
            {name: value for name, value in said.items() if chosen.random() < 0.7},
            {name: value for name, value in ours.items() if chosen.random() < 0.7},
        )
