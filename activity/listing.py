"""Lists of what was asked: newest first, a page at a time, each page within a bounded number of rows looked at.

Who, when and what was decided is found through indexes. For anything else the newest rows are looked through, no more than
`LOOK` of them for one page: a page that found less says how far back it looked, and the next goes on there. So no question,
however rare its answer, reads the whole record at once, and no index that only lists need slows down what agents ask.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from accounts.models import User
from activity.asked import agents_named, containing, identifier_in, resource_named, window_of
from activity.models import Action, Session
from activity.visibility import Scope, scope_of
from agents.models import Agent, Resource
from core.keyset import A_PAGE, Page, behind, cut, key_of, newest_first

LOOK = {"asked_at": 50_000, "began_at": 10_000}
"""Actions, and sessions, looked at for one page where no index answers: at most 0.1 s."""
EXPORTED_AT_A_TIME = 1_000
_FEW = 50  # agents whose newest actions are fetched one agent at a time and merged
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Listed(Page):
    """A page; `back_to` is how far it looked where it found less than a page and there is more to look through."""

    back_to: datetime | None = None


@dataclass(frozen=True)
class Row:
    """An action with the names of its agent and resource."""

    action: Action
    agent: str
    resource: str


@dataclass(frozen=True)
class _Plan:
    """Where to look (`among`, through an index) and what to look for (`wanted`, row by row); `agents`, if only theirs."""

    among: Q
    wanted: Q
    agents: Collection[UUID] | None


# ---- actions ----
def actions_page(user: User, asked: Mapping[str, Any], key: str = "", size: int = A_PAGE) -> Listed:
    """The actions that `user` may see and asked for, behind `key`; `rows` are of `Row`."""
    plan = _plan(asked, scope_of(user), "asked_at", among=_actions_among(asked), wanted=_actions_wanted(asked))
    if plan is None:
        return Listed([])
    found = _listed(Action.objects.all(), plan, "asked_at", key, size)
    return Listed(named(found.rows), found.more, found.back_to)


def all_actions(user: User, asked: Mapping[str, Any]) -> Iterator[Row]:
    """Every action that `user` may see and asked for, newest first; a thousand are held at a time."""
    key = ""
    while True:
        page = actions_page(user, asked, key, EXPORTED_AT_A_TIME)
        yield from page.rows
        if not page.more:
            return
        key = page.more


def named(actions: Iterable[Action]) -> list[Row]:
    """The actions with names: two queries, however many."""
    actions = list(actions)
    agents = dict(Agent.objects.filter(id__in={one.agent_id for one in actions}).values_list("id", "name"))
    resources = dict(Resource.objects.filter(id__in={one.resource_id for one in actions}).values_list("id", "name"))
    return [Row(one, agents.get(one.agent_id, ""), resources.get(one.resource_id, "")) for one in actions]


def _actions_among(asked: Mapping[str, Any]) -> Q:
    decision, identifier = asked.get("decision"), identifier_in(asked.get("q") or "")
    among = Q(decision="allow" if decision == "mask" else decision) if decision else Q()
    among &= Q(session_id=asked["session"]) if asked.get("session") else Q()
    return among & (Q(id=identifier) | Q(session_id=identifier)) if identifier else among


def _actions_wanted(asked: Mapping[str, Any]) -> Q:
    decision, verb, text = asked.get("decision"), asked.get("verb"), asked.get("q") or ""
    wanted = Q(masked=decision == "mask") if decision in {"allow", "mask"} else Q()
    wanted &= Q(verb=verb if ":" in verb else f"sql:{verb}") if verb else Q()
    wanted &= Q(status=asked["status"]) if asked.get("status") else Q()
    return wanted if identifier_in(text) else wanted & containing(text, "shown", "summary")


# ---- sessions ----
def sessions_page(user: User, asked: Mapping[str, Any], key: str = "", size: int = A_PAGE) -> Listed:
    """The sessions that `user` may open and asked for, behind `key`."""
    plan = _plan(asked, scope_of(user), "began_at", among=_sessions_among(asked), wanted=_sessions_wanted(asked))
    return _listed(Session.objects.all(), plan, "began_at", key, size) if plan else Listed([])


def all_sessions(user: User, asked: Mapping[str, Any]) -> Iterator[Session]:
    """Every session that `user` may open and asked for, newest first; a thousand are held at a time."""
    key = ""
    while True:
        page = sessions_page(user, asked, key, EXPORTED_AT_A_TIME)
        yield from page.rows
        if not page.more:
            return
        key = page.more


def _sessions_among(asked: Mapping[str, Any]) -> Q:
    identifier = identifier_in(asked.get("q") or "")
    among = Q(ended_at=None) if asked.get("live") else Q()
    return among & (Q(id=identifier) | Q(credential_id=identifier)) if identifier else among


def _sessions_wanted(asked: Mapping[str, Any]) -> Q:
    wanted, text = Q(), asked.get("q") or ""
    if asked.get("decision"):
        wanted = Q(Exists(Action.objects.filter(session_id=OuterRef("id"), decision=asked["decision"])))
    return wanted if identifier_in(text) else wanted & containing(text, "agent_name", "purpose", "client", "end_reason")


# ---- both ----
def _plan(asked: Mapping[str, Any], scope: Scope, field: str, *, among: Q, wanted: Q) -> _Plan | None:
    """How to look; None where nothing can match."""
    among &= window_of(asked).on(field)
    agents: set[UUID] | None = set(agents_named(asked["agent"])) if asked.get("agent") else None
    if not scope.everything and not scope.resources:
        agents = set(scope.agents) if agents is None else agents & scope.agents
    elif not scope.everything:
        wanted &= scope.matches
    if asked.get("resource"):
        resources = resource_named(asked["resource"])
        if not resources:
            return None
        wanted &= Q(resource_id__in=resources)
    return None if agents is not None and not agents else _Plan(among, wanted, agents)


def _listed(rows: QuerySet[M], plan: _Plan, field: str, key: str, size: int) -> Listed:
    among, agents = behind(rows.filter(plan.among), field, key), plan.agents
    if agents is not None and len(agents) == 1:
        among = among.filter(agent_id=next(iter(agents)))
    elif agents is not None and len(agents) <= _FEW and not plan.wanted:
        return _whole(cut(_merged(rows, among, agents, field, size), field, size))
    elif agents is not None:
        return _looked(among, plan.wanted & Q(agent_id__in=agents), field, size)
    if not plan.wanted:
        return _whole(cut(list(newest_first(among, field)[: size + 1]), field, size))
    return _looked(among, plan.wanted, field, size)


def _merged(rows: QuerySet[M], among: QuerySet[M], agents: Collection[UUID], field: str, size: int) -> list[M]:
    """The newest of several agents: those of each through the index, then the newest of all."""
    newest = newest_first(among.filter(agent_id=OuterRef("pk")), field).values("id")[: size + 1]
    each = Agent.objects.filter(id__in=agents).order_by().values_list(ArraySubquery(newest), flat=True)
    ids = [identifier for one in each for identifier in one]
    return list(newest_first(rows.filter(id__in=ids), field)[: size + 1])


def _looked(among: QuerySet[M], wanted: Q, field: str, size: int) -> Listed:
    """Look for what is wanted among the newest rows, as many as `LOOK` says."""
    most = LOOK[field]
    end = next(iter(newest_first(among, field).values_list(field, "id")[most : most + 1]), None)
    if end:
        at, last = end
        among = among.filter(Q(**{f"{field}__gte": at}) & (Q(**{f"{field}__gt": at}) | Q(id__gte=last)))
    page = cut(list(newest_first(among.filter(wanted), field)[: size + 1]), field, size)
    return Listed(page.rows, key_of(*end), end[0]) if end and not page.more else _whole(page)


def _whole(page: Page) -> Listed:
    return Listed(page.rows, page.more)
