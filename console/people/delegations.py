"""The agents that act for oneself: let one, see which do, end one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.requests import person_of
from agents import lookups
from agents.delegation_actions import delegate, end_delegation
from agents.form_views import answer
from agents.forms import ConsoleForm
from agents.models import Delegation
from console.people.changes import both, posted
from core.errors import NotFound
from policies.verbs import GROUPS

LIVES = ((60, "an hour"), (480, "8 hours"), (1440, "a day"), (10_080, "a week"))
ENDED = "Ended on the page by whoever granted it."
MOST_SHOWN = 100


class DelegateForm(ConsoleForm):
    """What an agent is to do for oneself."""

    agent = forms.CharField(max_length=100, help_text="Its whole name, as in support.production.")
    resource = forms.CharField(max_length=60, help_text="The one that it may go to for you.")
    purpose = forms.CharField(max_length=300, help_text="In one sentence; reviewers and auditors read it.")
    minutes = forms.TypedChoiceField(coerce=int, label="It ends after", initial=60, choices=LIVES)
    reach = forms.ChoiceField(
        label="It may", choices=(("read", "Read for you"), ("all", "Do whatever policy lets it do")), initial="read"
    )
    passes_on = forms.BooleanField(
        required=False, label="It may hand this on", help_text="To another agent: the same or less, never more."
    )


@both
@login_required
def delegations(request: HttpRequest) -> HttpResponse:
    """Which agents act for this person, and letting one."""
    user = person_of(request)
    form = DelegateForm(posted(request))
    if form.is_valid():
        given: dict[str, Any] = {**form.cleaned_data}
        made = form.act(lambda: _delegate(given, user))
        if made:
            messages.success(request, f"{made.agent.name} may act for you at {made.resource.name}.")
            return redirect("delegations")
    mine = Delegation.objects.filter(person=user).select_related("agent", "resource")[:MOST_SHOWN]
    return answer(request, "console/people/delegations.html", form, delegations=mine, now=timezone.now())


def _delegate(given: dict[str, Any], user: Any) -> Delegation:  # noqa: ANN401 -- the request's person
    agent, resource = lookups.agent_named(given["agent"], user), lookups.resource_named(given["resource"], user)
    verbs = sorted(GROUPS["sql:read"]) if given["reach"] == "read" else None
    life = timedelta(minutes=given["minutes"])
    return delegate(
        agent.id, resource=resource, purpose=given["purpose"], life=life, verbs=verbs, passes_on=given["passes_on"], actor=user
    )  # fmt: skip


@require_POST
@login_required
def end(request: HttpRequest, delegation_id: UUID) -> HttpResponse:
    """End one of one's own: what came of it dies within a second."""
    user = person_of(request)
    try:
        ended = end_delegation(delegation_id, actor=user, reason=ENDED)
    except NotFound:
        raise Http404 from None
    messages.success(request, f"{ended.agent.name} does not act for you any more.")
    return redirect("delegations")
