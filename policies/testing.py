"""Test cases against today's registry and traffic, for whoever asks: a page, the API, or whoever proposes a version."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from django.db.models import Func, QuerySet

from activity.models import Action
from core.errors import Invalid
from policies import cases, snapshot

NEWEST: Final = 20_000
"""Actions that are looked at for what met a policy: a bound on how long that takes."""


def run(text: str, tests: str) -> cases.Tested:
    """What `tests` say of `text`, and which policies neither they nor what agents did lately ever met. Raises Invalid where one of the two cannot be read."""
    documents = cases.parse(tests)
    found = cases.run(text, documents, snapshot.registered(*cases.named(documents)))
    if not found.uncovered:
        return found
    met = frozenset(met_lately())
    return replace(found, unmet=tuple(name for name in found.uncovered if name not in met))


def met_lately() -> QuerySet[Action, str]:
    """The policies, by their ids, that determined any of the newest actions."""
    newest = Action.objects.order_by("-asked_at", "-id").values("id")[:NEWEST]
    each = Action.objects.filter(id__in=newest).annotate(policy=Func("policies", function="unnest"))
    return each.order_by().values_list("policy", flat=True).distinct()


def tested(text: str, tests: str) -> cases.Tested | None:
    """The same for a page, which says elsewhere what cannot be read; None without test cases."""
    if not tests.strip():
        return None
    try:
        return run(text, tests)
    except Invalid:
        return None
