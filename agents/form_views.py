"""Changing agents by page: enrol one, suspend it, let it act again, retire it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.models import Role, User
from accounts.requests import person_of
from agents import actions
from agents.forms import ConsoleForm, EnrolForm, ReasonForm
from agents.models import Agent
from agents.queries import visible_agents
from core.db import db_now

both = require_http_methods(["GET", "HEAD", "POST"])
UNUSABLE = 422


def answer(request: HttpRequest, template: str, form: ConsoleForm, **context: Any) -> HttpResponse:  # noqa: ANN401
    """The page with its form; 422 where something in it cannot be used."""
    return render(request, template, {"form": form, **context}, status=UNUSABLE if form.errors else 200)


@both
@login_required
def enrol(request: HttpRequest) -> HttpResponse:
    """Register an agent with the public half of its key."""
    engineer = person_of(request, Role.ENGINEER)
    form = EnrolForm(request.POST or None, initial={"segment": request.GET.get("segment", "")})
    if request.method == "POST" and form.is_valid():
        given = {**form.cleaned_data}
        key = given.pop("key")
        agent = form.act(lambda: actions.enrol(**given, public_jwk=key, actor=engineer))
        if agent:
            messages.success(request, f"{agent.name} is enrolled. What it may do, the policies say.")
            return redirect("console:agent", agent.name)
    return answer(request, "agents/forms/enrol.html", form)


@dataclass(frozen=True)
class Change:
    """A change of an agent's status as its page tells it."""

    action: Callable[..., Agent]
    verb: str
    done: str
    from_status: frozenset[str]
    will: tuple[str, ...]
    button: str = "btn-deny"


CHANGES = {
    "suspend": Change(
        actions.suspend,
        "Suspend",
        "is suspended",
        frozenset({"active"}),
        (
            "Its credentials end now; its connections, and what runs on them, are cut within a second.",
            "It gets no new credential, and nothing of its that was approved is released.",
            "It can be reinstated by another person than its owner or deputy.",
        ),
    ),
    "reinstate": Change(
        actions.reinstate,
        "Reinstate",
        "may act again",
        frozenset({"suspended"}),
        ("It can get credentials again, with the keys it has.", "Its old credentials stay ended."),
        "btn-ink",
    ),
    "retire": Change(
        actions.retire,
        "Retire",
        "is retired",
        frozenset({"active", "suspended"}),
        (
            "Its credentials end now, and it never acts again.",
            "Its name is never given to another. This cannot be undone.",
        ),
    ),
}


@both
@login_required
def change(request: HttpRequest, name: str, to: str) -> HttpResponse:
    """Suspend, reinstate or retire an agent, after saying what that does."""
    user = person_of(request)
    told, agent = CHANGES[to], _changeable(user, name, to)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        changed = form.act(lambda: told.action(agent.id, actor=user, reason=form.cleaned_data["reason"]))
        if changed:
            messages.success(request, f"{agent.name} {told.done}.")
            return redirect("console:agent", agent.name)
    live = agent.credentials.filter(revoked_at=None, expires_at__gt=db_now()).count()
    return answer(request, "agents/forms/change.html", form, agent=agent, change=told, to=to, live=live)


def _changeable(user: User, name: str, to: str) -> Agent:
    """The agent, where `user` may do that at all. Raises Http404; the action itself decides again."""
    agent = visible_agents(user).filter(name=name).first()
    if agent is None or not _may(user, agent, to):
        raise Http404
    return agent


def _may(user: User, agent: Agent, to: str) -> bool:
    if to == "suspend":
        return user.has_role(*actions.MAY_CONTAIN) or user.id in {agent.owner_id, agent.deputy_id}
    return user.has_role(Role.ENGINEER, Role.CISO) if to == "reinstate" else user.has_role(Role.ENGINEER)
