"""Letting an agent act that is suspended or proposed, by page: one person asks, another one confirms or declines."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.requests import person_of
from agents import actions
from agents.form_views import answer, both
from agents.forms import ReasonForm
from agents.locking import MAY_REINSTATE, answerable
from agents.models import Agent, Reinstatement
from agents.reinstating_actions import may_confirm
from console.fleet_views import found_agent
from core.errors import NarrowgateError


@both
@login_required
def reinstate(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for it; or, once somebody has, answer."""
    user = person_of(request)
    found = _askable(user, name)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        if form.act(lambda: actions.ask_to_reinstate(found.id, actor=user, reason=reason)):
            messages.success(request, f"Asked. A second person confirms that {found.name} may act.")
            return redirect("console:agent", found.name)
    return _shown(request, user, found, form)


@require_POST
@login_required
def confirm(request: HttpRequest, name: str, asked: UUID) -> HttpResponse:
    """Confirm what was asked, as it was shown."""
    user = person_of(request)
    found = _askable(user, name)
    form = ReasonForm()
    try:
        actions.reinstate(_of(found, asked).id, actor=user)
    except NarrowgateError as error:
        messages.error(request, str(error))
        return _shown(request, user, found, form, error.status)
    messages.success(request, f"{found.name} may act.")
    return redirect("console:agent", found.name)


@require_POST
@login_required
def decline(request: HttpRequest, name: str, asked: UUID) -> HttpResponse:
    """Say no, or take one's own asking back, with a reason."""
    user = person_of(request)
    found = _askable(user, name)
    wish, form = _of(found, asked), ReasonForm(request.POST)
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        if form.act(lambda: actions.decline_reinstatement(wish.id, actor=user, reason=reason)):
            messages.success(request, f"{found.name} stays {found.status}.")
            return redirect("console:agent", found.name)
    return _shown(request, user, found, form)


def _shown(request: HttpRequest, user: User, agent: Agent, form: ReasonForm, status: int = 0) -> HttpResponse:
    agent.refresh_from_db()
    waiting = agent.reinstatements.filter(status=Reinstatement.Status.WAITING).select_related("asked_by").first()
    shown = {"agent": agent, "waiting": waiting, "why_not": _why_not(user, agent, waiting)}
    page = answer(request, "console/fleet/reinstate.html", form, **shown)
    page.status_code = status or page.status_code
    return page


def _why_not(user: User, agent: Agent, waiting: Reinstatement | None) -> str:
    """Why `user` cannot confirm; empty where they can."""
    if waiting is None:
        return ""
    if user.person in answerable(agent):
        return "You answer for this agent, so another person confirms."
    proposed = agent.status == Agent.Status.PROPOSED
    if user.person == waiting.asked_by.person or (proposed and user.person == agent.enroller.person):
        return f"You {'enrolled' if proposed else 'asked for'} it, so another person confirms."
    who = "The CISO or an administrator" if proposed else "A platform engineer or the CISO"
    return "" if user.has_role(*may_confirm(agent)) else f"{who} confirms."


def _of(agent: Agent, asked: UUID) -> Reinstatement:
    found = agent.reinstatements.filter(id=asked).first()
    if found is None:
        raise Http404
    return found


def _askable(user: User, name: str) -> Agent:
    """The agent, where `user` may ask for it or answer. Raises Http404; the actions decide again."""
    found = found_agent(user, name)
    if not user.has_role(*MAY_REINSTATE, *may_confirm(found)) and user.person not in answerable(found):
        raise Http404
    return found
