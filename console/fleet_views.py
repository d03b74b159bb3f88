"""The fleet's pages: the list and its file, one agent, and the changes that say beforehand what they end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Role, User
from accounts.requests import ANY_ROLE, person_of
from activity.asked import filters
from agents import actions
from agents.form_views import UNUSABLE, answer, both
from agents.forms import AgentForm, ReasonForm
from agents.halt_actions import MAY_HALT
from agents.locking import MAY_REINSTATE, answerable
from agents.models import Agent
from agents.queries import reinstatements_for, visible_agents, visible_segments
from agents.reinstating_actions import may_confirm
from audit.reading import note_read, note_taken
from console.agent_page import agent_page
from console.fleet import FleetForm, all_agents, fleet_page, matching
from console.saved_views import query_of, views_of
from console.stopping import ends_of
from core.cells import Value
from core.keyset import Page
from core.streaming import csv_file

COLUMNS = (
    "agent", "purpose", "function", "environment", "segment", "owner", "deputy", "status", "reason", "risk", "last action",
    "credential until", "enrolled at", "SPIFFE ID", "task scope", "runtime", "model vendor", "model name", "model version", "framework",
    "code digest", "data classes", "review by",
)  # fmt: skip


@require_GET
@login_required
def agents(request: HttpRequest) -> HttpResponse:
    """Every agent this person may see: filtered, ordered, by key."""
    user, form = person_of(request, *ANY_ROLE), FleetForm(request.GET)
    usable = form.is_valid()
    page = fleet_page(user, form.cleaned_data, request.GET.get("after", "")) if usable else Page([])
    context = {
        "page": page,
        "form": form,
        "asked": filters(form),
        "count": matching(user, form.cleaned_data).count() if usable else 0,
        "segments": visible_segments(user).order_by("name"),
        "to_confirm": reinstatements_for(user)[:10],
        "views": views_of(user),
        "query": query_of(form) if usable else "",
        "nothing": not visible_agents(user).exists() if not page.rows else False,
    }
    return render(request, "console/fleet/agents.html", context, status=200 if usable else UNUSABLE)


@require_POST
@login_required
def agents_file(request: HttpRequest) -> HttpResponseBase:
    """The agents that were asked for, as a file. Taking it is an entry."""
    user, form = person_of(request, *ANY_ROLE), FleetForm(request.GET)
    if not form.is_valid():
        messages.error(request, "Nothing was taken: the filters cannot be used.")
        return redirect("agents:agents")
    note_taken(user, "agents", filters(form))
    return csv_file("narrowgate-agents.csv", COLUMNS, map(_cells, all_agents(user, form.cleaned_data)))


def _cells(agent: Any) -> Iterable[Value]:  # noqa: ANN401 -- an agent with its times
    return (
        agent.name, agent.purpose, agent.function, agent.environment, agent.segment.name, agent.owner.username,
        agent.deputy.username if agent.deputy else "", agent.status, agent.status_reason, agent.risk, agent.last_at, agent.until,
        agent.enrolled_at, agent.spiffe_id, agent.task_scope, agent.runtime, agent.model_vendor, agent.model_name, agent.model_version,
        agent.framework, agent.code_digest, ", ".join(agent.data_classes), agent.review_by,
    )  # fmt: skip


@require_GET
@login_required
def agent(request: HttpRequest, name: str) -> HttpResponse:
    """One agent. What it did is part of the record, so opening it is an entry."""
    user = person_of(request)
    shown = agent_page(name, user)
    note_read(user, "agent", str(shown.agent.id), {})
    may_reinstate = user.has_role(*MAY_REINSTATE, *may_confirm(shown.agent)) or user.person in answerable(shown.agent)
    context = {
        "it": shown,
        "now": timezone.now(),
        "door": settings.GATEWAY_URL,
        "may_stop": may_stop(user, shown.agent),
        "may_halt": user.has_role(*MAY_HALT),
        "may_reinstate": may_reinstate,
    }
    return render(request, "console/fleet/agent.html", context)


@both
@login_required
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """Change what is registered of an agent."""
    engineer = person_of(request, Role.ENGINEER)
    found = found_agent(engineer, name)
    form = AgentForm(request.POST or None, initial=AgentForm.of(found))
    if request.method == "POST" and form.is_valid():
        about: Any = form.cleaned_data
        if form.act(lambda: actions.change_agent(found.id, actor=engineer, **about)):
            messages.success(request, "Changed. Policies see it within a second.")
            return redirect("console:agent", found.name)
    return answer(request, "console/fleet/edit.html", form, agent=found)


@dataclass(frozen=True)
class Stop:
    """A change that ends something: what it is called, what it does, and what is left of the agent afterwards."""

    action: Callable[..., object]
    verb: str
    done: str
    from_status: frozenset[str]
    ends_sessions: bool
    then: tuple[str, ...]


STOPS = {
    "suspend": Stop(
        actions.suspend,
        "Suspend",
        "is suspended",
        frozenset({"active"}),
        True,
        (
            "It gets no new credential, and nothing of its that was approved is released.",
            "It acts again once one person asks for that and another one confirms, neither its owner nor its deputy.",
        ),
    ),
    "revoke": Stop(
        actions.revoke_credentials,
        "Revoke credentials of",
        "has no live credential any more",
        frozenset({"active", "suspended"}),
        True,
        ("It can get new ones at once: it stays as it is otherwise. To stop it, suspend it.",),
    ),
    "retire": Stop(
        actions.retire,
        "Retire",
        "is retired",
        frozenset({"active", "suspended", "proposed"}),
        True,
        ("It never acts again, and its name is never given to another. This cannot be undone.",),
    ),
}


@both
@login_required
def stop(request: HttpRequest, name: str, how: str) -> HttpResponse:
    """Suspend or retire an agent, or end its credentials, after saying what that ends."""
    user, told = person_of(request), STOPS[how]
    found = found_agent(user, name)
    if not (user.has_role(Role.ENGINEER) if how == "retire" else may_stop(user, found)):
        raise Http404
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        if form.act(lambda: (told.action(found.id, actor=user, reason=reason),)):
            messages.success(request, f"{found.name} {told.done}.")
            return redirect("console:agent", found.name)
    return answer(
        request,
        "console/fleet/stop.html",
        form,
        agent=found,
        stop=told,
        how=how,
        ends=ends_of(Agent.objects.filter(id=found.id)),
    )


def found_agent(user: User, name: str) -> Agent:
    """The agent, where `user` may see it. Raises Http404."""
    found = visible_agents(user).filter(name=name).first()
    if found is None:
        raise Http404
    return found


def may_stop(user: User, agent: Agent) -> bool:
    """Whether `user` may suspend it and end its credentials; the action itself decides again."""
    return user.has_role(*actions.MAY_CONTAIN) or user.id in {agent.owner_id, agent.deputy_id}
