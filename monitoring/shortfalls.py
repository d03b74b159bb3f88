"""What falls short of a step of zero trust, row by row: exactly the rows that its figure counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import reverse

from agents.models import Agent
from monitoring import facts, soft_keys
from monitoring.fleet_counts import BEARER, BROAD, NO_KEY, NO_ROLE, UNSCORED, fleet
from monitoring.models import Cursor, LedgerCheck
from monitoring.steps import FRESH, HEARD

A_PAGE: Final = 50
_AGENTS: Final[Mapping[str, tuple[Q, str]]] = {
    "roles": (NO_ROLE, "Has no purpose or no function."),
    "identity": (NO_KEY, "Has no valid key: it cannot prove who it is."),
    "authentication": (BEARER, "Used a bearer token in the last 24 hours."),
    "privilege": (BROAD, ""),
    "monitoring": (UNSCORED, "Has no score yet."),
}


@dataclass(frozen=True)
class Shortfall:
    """One thing that falls short: what, where it is looked into, and why it falls short."""

    name: str
    address: str
    why: str
    segment: str = ""
    owner: str = ""


@dataclass(frozen=True)
class Page:
    """Some of what falls short, and the key of the next page; empty on the last."""

    rows: list[Shortfall]
    more: str


def shortfalls(slug: str, *, since: datetime, now: datetime, segment: str = "", after: str = "") -> Page:
    """What falls short of a step, in order, behind the key `after`."""
    if slug in _AGENTS:
        return _agents(slug, now, segment, after)
    return _OTHERS[slug](since, now, after)


def _agents(slug: str, now: datetime, segment: str, after: str) -> Page:
    matching, why = _AGENTS[slug]
    found = fleet().filter(matching).filter(Q(segment__name=segment) if segment else Q())
    found = found.filter(name__gt=after).select_related("segment", "owner", "scored").order_by("name")
    page = _page(found, "name", lambda agent: _agent(agent, why or _breadth(agent)))
    if slug == "monitoring" and not after:
        return Page([*_silence(now), *page.rows], page.more)
    return page


def _agent(agent: Agent, why: str) -> Shortfall:
    address = reverse("console:agent", args=[agent.name])
    return Shortfall(agent.name, address, why, agent.segment.name, str(agent.owner))


def _breadth(agent: Agent) -> str:
    scored = agent.scored
    return f"Used {scored.used} of the {scored.granted} permissions it holds."


def _silence(now: datetime) -> list[Shortfall]:
    heard = Cursor.objects.values_list("beat_at", flat=True).get(id=Cursor.DETECTOR)
    if heard is not None and now - heard <= HEARD:
        return []
    return [Shortfall("The detector", "", "It is not heard. Start `manage.py detect`, or see its log.")]


def _page(found: QuerySet[Any], key: str, told: Callable[[Any], Shortfall]) -> Page:
    rows = list(found[: A_PAGE + 1])
    more = str(getattr(rows[A_PAGE - 1], key)) if len(rows) > A_PAGE else ""
    return Page([told(row) for row in rows[:A_PAGE]], more)


def _behind(found: QuerySet[Any], after: str) -> QuerySet[Any]:
    """Those behind an identifier; all of them where it is none, for a key is only a place."""
    found = found.order_by("id")
    try:
        return found.filter(id__gt=UUID(after)) if after else found
    except ValueError:
        return found


def _actions(found: QuerySet[Any], after: str, why: str) -> Page:
    def told(action: Any) -> Shortfall:  # noqa: ANN401 -- a row of any queryset
        return Shortfall(str(action.id), reverse("record:session", args=[action.session_id]), why)

    return _page(_behind(found, after), "id", told)


def _undecided(since: datetime, _now: datetime, after: str) -> Page:
    return _actions(facts.undecided(since), after, "Was allowed by no version of the policies.")


def _sessions(_since: datetime, now: datetime, after: str) -> Page:
    def told(session: Any) -> Shortfall:  # noqa: ANN401 -- as above
        where = reverse("record:session", args=[session.id])
        return Shortfall(str(session), where, "Is open though its credential is revoked.")

    return _page(_behind(facts.late_sessions(now), after), "id", told)


def _resources(_since: datetime, _now: datetime, after: str) -> Page:
    def told(resource: Any) -> Shortfall:  # noqa: ANN401 -- as above
        where = reverse("resources:one", args=[resource.name])
        return Shortfall(
            resource.name, where, "Has no login in the vault.", resource.segment.name, str(resource.owner or "")
        )

    page = _page(_behind(facts.bare_resources().select_related("segment", "owner"), after), "id", told)
    return page if after else Page([*_soft_keys(), *page.rows], page.more)


def _soft_keys() -> list[Shortfall]:
    why = "Is in a file, where whoever administers the machine can copy it. Move it into an HSM: see the help."
    where = reverse("help:document", args=["ledger-key"])
    names = [f"The ledger's key {key.key_id}" for key in facts.soft_key()] + soft_keys.in_files()
    return [Shortfall(name, where, why) for name in names]


def _audits(since: datetime, now: datetime, after: str) -> Page:
    page = _actions(facts.unrecorded(since, now), after, "Left the gate without an entry.")
    return page if after else Page([*_unsigned(now), *page.rows], page.more)


def _unsigned(now: datetime) -> list[Shortfall]:
    ledger = LedgerCheck.objects.get(id=1)
    if ledger.signed_at is None:
        return [Shortfall("The ledger", reverse("record:ledger"), "Has no checkpoint yet.")]
    if ledger.oldest_at and now - ledger.oldest_at > FRESH:
        return [Shortfall("The ledger", reverse("record:ledger"), "An entry has waited for over 5 minutes.")]
    return []


_OTHERS: Final[Mapping[str, Callable[[datetime, datetime, str], Page]]] = {
    "policy": _undecided,
    "revocation": _sessions,
    "isolation": _resources,
    "audits": _audits,
}
