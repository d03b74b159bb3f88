"""Agent access: which agents reached what, what was decided, what was masked and what denied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, Count, F, Max, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce

from activity.models import Action
from agents.models import Agent, Resource
from audit.reports.period import Period
from audit.reports.scope import Scope, actions_of
from audit.reports.shape import Chart, Column, Content, Figure, Row, Series, Table, moment
from audit.reports.timeline import over_time
from core import words

CHUNK = 2_000
NOTABLE = 200
BUSIEST = 10
_DECISION = Case(
    When(decision=Action.Decision.ALLOW, masked=True, then=Value("mask")),
    default=F("decision"),
    output_field=CharField(),
)
_SERIES = (
    ("allow", "Allowed", "allow"),
    ("mask", "Masked", "mask"),
    ("hold", "Held for people", "hold"),
    ("deny", "Denied", "deny"),
)
_COUNTS = {
    "actions": Count("pk"),
    "allow": Count("pk", filter=Q(decision="allow", masked=False)),
    "mask": Count("pk", filter=Q(decision="allow", masked=True)),
    "hold": Count("pk", filter=Q(decision="hold")),
    "deny": Count("pk", filter=Q(decision="deny")),
}
_COUNTED = (
    Column("actions", "Actions", "count"),
    Column("allow", "Allowed", "count"),
    Column("mask", "Masked", "count"),
    Column("hold", "Held", "count"),
    Column("deny", "Denied", "count"),
)
_AGENTS = (Column("agent", "Agent", "name"), Column("segment", "Segment"), Column("owner", "Owner"), *_COUNTED)
_RESOURCES = (
    Column("resource", "Resource", "name"),
    Column("segment", "Segment"),
    Column("agents", "Agents", "count"),
    *_COUNTED,
)
_REASONS = (
    Column("rule", "Rule", "name"),
    Column("actions", "Denied", "count"),
    Column("agents", "Agents", "count"),
    Column("last", "Last", "time"),
)
ACTIONS = (
    Column("asked_at", "Asked", "time"),
    Column("agent", "Agent", "name"),
    Column("resource", "Resource", "name"),
    Column("verb", "Verb", "verb"),
    Column("decision", "Decision", "decision"),
    Column("statement", "Statement", "code"),
    Column("reason", "Why"),
    Column("status", "What became of it"),
    Column("rule", "Rule", "name"),
    Column("policies", "Policies", "name"),
    Column("policy_version", "Policy version", "count"),
    Column("tables", "Tables", "name"),
    Column("tags", "Tags", "name"),
    Column("rows", "Rows", "count"),
    Column("bytes", "Bytes", "count"),
    Column("masked_values", "Values masked", "count"),
    Column("digest", "Digest", "hash"),
    Column("session", "Session", "hash"),
    Column("action", "Action", "hash"),
    Column("entry", "Entry", "hash"),
)
_PRINTED = tuple(
    column
    for column in ACTIONS
    if column.key in {"asked_at", "agent", "resource", "verb", "decision", "statement", "reason"}
)


class _Names:
    """Agents and resources by identifier, read once: there are thousands of them and millions of actions."""

    def __init__(self) -> None:
        agents = Agent.objects.values_list("id", "name", "segment__name", "owner__name")
        self.agents = {key: (name, segment, owner) for key, name, segment, owner in agents.iterator()}
        resources = Resource.objects.values_list("id", "name", "segment__name")
        self.resources = {key: (name, segment) for key, name, segment in resources.iterator()}

    def agent(self, key: UUID) -> str:
        return self.agents[key][0] if key in self.agents else str(key)

    def resource(self, key: UUID) -> str:
        return self.resources[key][0] if key in self.resources else str(key)


def content(scope: Scope, period: Period) -> Content:
    """The report's content."""
    actions, names = actions_of(scope, period), _Names()
    counts = actions.aggregate(
        **_COUNTS,
        agents=Count("agent_id", distinct=True),
        resources=Count("resource_id", distinct=True),
        rows=Coalesce(Sum("rows"), 0),
        values=Coalesce(Sum("masked_values"), 0),
        uncertain=Count("pk", filter=Q(status=Action.Status.UNCERTAIN)),
    )
    charts = (
        over_time("Decisions", actions, "asked_at", period, kind=_DECISION, series=_SERIES),
        _busiest(actions, names),
    )
    tables = (
        Table("agents", "Who reached how much", _AGENTS, lambda: _by_agent(actions, names)),
        Table("resources", "What was reached", _RESOURCES, lambda: _by_resource(actions, names)),
        Table("denials", "Why actions were denied", _REASONS, lambda: _by_rule(actions), empty="Nothing was denied."),
        Table(
            "notable",
            f"The latest {NOTABLE} that were held or denied",
            _PRINTED,
            lambda: _notable(actions, names),
            printed=NOTABLE,
            empty="Nothing was held or denied.",
        ),
        Table("actions", "Every action", ACTIONS, lambda: _rows(actions.order_by("asked_at", "id"), names), printed=0),
    )
    return Content(_headline(counts), counts["actions"], _figures(counts), charts, tables)


def _headline(n: Mapping[str, Any]) -> str:
    if not n["actions"]:
        return "No agent asked for anything in this period."
    who = f"{words.plural(n['agents'], 'agent')} asked for {words.plural(n['actions'], 'action')} at {words.plural(n['resources'], 'resource')}"
    parts = [
        f"{words.count(n[key])} {said}"
        for key, said in (
            ("allow", "allowed"),
            ("mask", "allowed with values masked"),
            ("hold", "held for people"),
            ("deny", "denied"),
        )
        if n[key]
    ]
    return f"{who}: {words.listing(parts)}."


def _figures(n: Mapping[str, Any]) -> tuple[Figure, ...]:
    return (
        Figure("Actions", n["actions"]),
        Figure("Allowed", n["allow"]),
        Figure("Allowed, values masked", n["mask"], note=f"{words.count(n['values'])} values masked"),
        Figure("Held for people", n["hold"]),
        Figure("Denied", n["deny"]),
        Figure("Agents", n["agents"]),
        Figure("Resources", n["resources"]),
        Figure("Rows returned", n["rows"]),
        Figure(
            "Outcome uncertain",
            n["uncertain"],
            note="the gate lost sight of it; it never runs again by itself",
            bad=n["uncertain"] > 0,
        ),
    )


def _busiest(actions: QuerySet[Action], names: _Names) -> Chart:
    found = list(_counted(actions, "agent_id")[:BUSIEST])
    drawn = tuple(Series(name, colour, tuple(row[key] for row in found)) for key, name, colour in _SERIES)
    labels = tuple(names.agent(row["agent_id"]) for row in found)
    return Chart("The busiest agents", "bars", labels, drawn)


def _counted(actions: QuerySet[Any], key: str, **more: Any) -> QuerySet[Any, dict[str, Any]]:  # noqa: ANN401 -- expressions
    """How many actions of each kind by `key`, the most first."""
    counted: QuerySet[Any, dict[str, Any]] = actions.values(key).annotate(**_COUNTS, **more).order_by("-actions", key)
    return counted


def _by_agent(actions: QuerySet[Action], names: _Names) -> Iterator[Row]:
    for row in _counted(actions, "agent_id").iterator(CHUNK):
        name, segment, owner = names.agents.get(row["agent_id"], (str(row["agent_id"]), "", ""))
        yield {"agent": name, "segment": segment, "owner": owner, **{key: row[key] for key in _COUNTS}}


def _by_resource(actions: QuerySet[Action], names: _Names) -> Iterator[Row]:
    for row in _counted(actions, "resource_id", agents=Count("agent_id", distinct=True)).iterator(CHUNK):
        name, segment = names.resources.get(row["resource_id"], (str(row["resource_id"]), ""))
        counts = {key: row[key] for key in ("agents", *_COUNTS)}
        yield {"resource": name, "segment": segment, **counts}


def _by_rule(actions: QuerySet[Action]) -> Iterator[Row]:
    denied = actions.filter(decision=Action.Decision.DENY).values("code")
    grouped = denied.annotate(n=Count("pk"), agents=Count("agent_id", distinct=True), last=Max("asked_at"))
    for row in grouped.order_by("-n", "code"):
        yield {"rule": row["code"], "actions": row["n"], "agents": row["agents"], "last": moment(row["last"])}


def _notable(actions: QuerySet[Action], names: _Names) -> Iterator[Row]:
    found = actions.filter(decision__in=[Action.Decision.DENY, Action.Decision.HOLD]).order_by("-asked_at", "-id")
    keys = [column.key for column in _PRINTED]
    return ({key: row[key] for key in keys} for row in _rows(found[:NOTABLE], names))


_FIELDS = (
    "asked_at", "agent_id", "resource_id", "verb", "decision", "masked", "shown", "reason", "status", "code", "policies",
    "policy_version", "tables", "tags", "rows", "bytes", "masked_values", "digest", "session_id", "id", "entry_id", "enforced",
)  # fmt: skip


def _rows(actions: QuerySet[Action], names: _Names) -> Iterator[Row]:
    """One row an action, read with a server-side cursor: memory does not grow with their number."""
    for action in actions.values(*_FIELDS).iterator(CHUNK):
        yield {
            "asked_at": moment(action["asked_at"]),
            "agent": names.agent(action["agent_id"]),
            "resource": names.resource(action["resource_id"]),
            "verb": action["verb"],
            "decision": "mask" if action["masked"] and action["decision"] == "allow" else action["decision"],
            "statement": action["shown"],
            "reason": action["reason"],
            "status": action["status"] if action["enforced"] else f"{action['status']}, not enforced",
            "rule": action["code"],
            "policies": ", ".join(action["policies"]),
            "policy_version": action["policy_version"],
            "tables": ", ".join(action["tables"]),
            "tags": ", ".join(action["tags"]),
            "rows": action["rows"],
            "bytes": action["bytes"],
            "masked_values": action["masked_values"],
            "digest": action["digest"],
            "session": str(action["session_id"]),
            "action": str(action["id"]),
            "entry": str(action["entry_id"] or ""),
        }
