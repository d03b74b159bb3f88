"""What is worth a look in a text, by today's agents, resources and people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from accounts.models import Membership
from agents.models import Agent
from policies import snapshot
from policies.lint import Finding, People, lint, seats_of
from policies.parse import policies
from policies.source import statements


@dataclass(frozen=True)
class Placed:
    """A finding with the line (from 1) that its policy begins on; 1 where it is about agents."""

    finding: Finding
    line: int


def findings(text: str) -> list[Placed]:
    """Everything worth a look in `text`. Raises Invalid for policies that no engine can use."""
    rules = policies(text)
    lines = dict(zip(rules, (statement.line for statement in statements(text)), strict=False))
    return [Placed(one, lines.get(one.policy, 1)) for one in lint(rules, snapshot.registered(), _people())]


def _people() -> People:
    members = Membership.objects.filter(user__is_active=True).values_list("user__person", "group__name")
    owners: Counter[str] = Counter()
    for own in Agent.objects.filter(status=Agent.Status.ACTIVE).values_list("owner__person", "deputy__person"):
        owners.update({str(person) for person in own if person})
    return People(seats_of((str(person), group) for person, group in members), owners)
