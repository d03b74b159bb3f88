"""Stopping many agents at once, by page: an owner's, a segment's, everything; and lifting the last, as two people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.requests import person_of
from agents import halt_actions
from agents.form_views import answer, both
from agents.forms import ConsoleForm, ReasonForm
from agents.halt_actions import MAY_HALT
from agents.locking import MAY_REINSTATE
from agents.models import Agent, Segment
from agents.person_field import PersonField
from console.stopping import ends_of

NAMED = 12
"""Agents that the page names; of more it says how many."""
ACTIVE = Agent.objects.filter(status=Agent.Status.ACTIVE)
OWNERS = User.objects.filter(Exists(ACTIVE.filter(owner=OuterRef("pk")))).order_by("name", "username")


@dataclass(frozen=True)
class Stop:
    """What is about to be stopped: in words, whose agents those are, and the change, which gives what to say then."""

    words: str
    verb: str
    agents: QuerySet[Agent]
    action: Callable[[User, str], str]


class SegmentChoice(forms.ModelChoiceField[Segment]):
    """A segment, with how many agents act in it."""

    def label_from_instance(self, segment: Any) -> str:  # noqa: ANN401 -- a segment with its count
        """Its name and that number."""
        return f"{segment.name}, {segment.acting} active"


class OwnerForm(ConsoleForm):
    """Whose agents."""

    of = PersonField(
        label="Owner",
        queryset=OWNERS,
        error_messages={
            "required": "Say whose.",
            "invalid_choice": "Nobody of that user name owns an agent that acts.",
        },
    )

    def stop(self) -> Stop:
        """The owner's agents."""
        owner: User = self.cleaned_data["of"]
        return Stop(f"{owner}’s agents", "Suspend", ACTIVE.filter(owner=owner), self._suspend)

    def _suspend(self, user: User, reason: str) -> str:
        owner: User = self.cleaned_data["of"]
        return f"Suspended {halt_actions.suspend_owned(owner.id, actor=user, reason=reason)} of {owner}’s agents."


class SegmentForm(ConsoleForm):
    """Which segment's agents."""

    of = SegmentChoice(
        Segment.objects.filter(retired_at=None)
        .annotate(acting=Count("agents", filter=Q(agents__status=Agent.Status.ACTIVE)))
        .order_by("name"),
        to_field_name="name",
        label="Segment",
        empty_label=None,
        error_messages={"required": "Say which.", "invalid_choice": "There is no such segment."},
    )

    def stop(self) -> Stop:
        """The segment's agents."""
        segment: Segment = self.cleaned_data["of"]
        return Stop(f"the agents of {segment.name}", "Suspend", ACTIVE.filter(segment=segment), self._suspend)

    def _suspend(self, user: User, reason: str) -> str:
        segment: Segment = self.cleaned_data["of"]
        return f"Suspended {halt_actions.suspend_segment(segment, actor=user, reason=reason)} agents of {segment.name}."


class EverythingForm(ConsoleForm):
    """Nothing to choose."""

    def stop(self) -> Stop:
        """Every agent."""
        return Stop("everything", "Stop", ACTIVE, self._halt)

    def _halt(self, user: User, reason: str) -> str:
        halt_actions.halt(actor=user, reason=reason)
        return "Everything is stopped."


WHOM: dict[str, type[OwnerForm | SegmentForm | EverythingForm]] = {
    "owner": OwnerForm, "segment": SegmentForm, "everything": EverythingForm,
}  # fmt: skip
LIFTING: dict[str, type[ConsoleForm]] = {"ask": ReasonForm, "lift": ConsoleForm}


@require_safe
@login_required
def stop(request: HttpRequest) -> HttpResponse:
    """What can be stopped, and what is."""
    return _choices(request, person_of(request, *MAY_HALT))


@both
@login_required
def stop_how(request: HttpRequest, how: str) -> HttpResponse:
    """What one stop would end, and why it is to be done; or, once everything is stopped, the way back."""
    user = person_of(request, *MAY_HALT)
    if how in LIFTING:
        return _lifting(request, user, how)
    if how not in WHOM:
        raise Http404
    whom = WHOM[how](request.GET, auto_id=f"{how}_%s")
    if not whom.is_valid():
        return _choices(request, user, **{how: whom})
    told, form = whom.stop(), ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        done = form.act(lambda: told.action(user, form.cleaned_data["reason"]))
        if done:
            messages.success(request, done)
            return redirect("stop")
    context = {"stop": told, "how": how, "ends": ends_of(told.agents), "count": told.agents.count()}
    context["named"] = list(told.agents.order_by("name").values_list("name", flat=True)[:NAMED])
    return answer(request, "console/stop_confirm.html", form, **context)


def _lifting(request: HttpRequest, user: User, how: str) -> HttpResponse:
    if request.method != "POST":
        return redirect("stop")
    form = LIFTING[how](request.POST)
    done = form.act(lambda: _lift(how, form.cleaned_data, user)) if form.is_valid() else None
    if done is None:
        return _choices(request, user, **{how: form})
    messages.success(request, done)
    return redirect("stop")


def _lift(how: str, given: dict[str, Any], user: User) -> str:
    if how == "ask":
        halt_actions.ask_to_lift(actor=user, reason=given["reason"])
        return "Asked. A second person lifts it."
    halt_actions.lift(actor=user)
    return "Agents may act again, with new credentials."


def _choices(request: HttpRequest, user: User, **said: ConsoleForm) -> HttpResponse:
    """The page of what can be stopped; `said` is the form that was sent and cannot be used."""
    shown = {how: form(auto_id=f"{how}_%s") for how, form in {**WHOM, **LIFTING}.items()} | said
    halted = halt_actions.halted()
    context = {
        "shown": shown,
        "halted": halted,
        "acting": ACTIVE.count(),
        "may_lift": user.has_role(*MAY_REINSTATE),
        "asked_it": bool(halted and halted.asked_by and halted.asked_by.person == user.person),
    }
    return answer(request, "console/stop.html", next(iter(said.values()), ConsoleForm()), **context)
