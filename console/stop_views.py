"""Stopping many agents at once, by page: an owner's, a segment's, everything; and lifting the last, as two people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.models import User
from accounts.requests import person_of
from agents import halt_actions, lookups
from agents.form_views import answer, both
from agents.forms import ConsoleForm, ReasonForm
from agents.halt_actions import MAY_HALT
from agents.locking import MAY_REINSTATE


class OwnerForm(ReasonForm):
    """Whose agents, and why."""

    field_order = ("owner", "reason")
    owner = forms.CharField(max_length=150, label="Owner", help_text="The user name, as on their page.")


class SegmentForm(ReasonForm):
    """Which segment's agents, and why."""

    field_order = ("segment", "reason")
    segment = forms.CharField(max_length=40, help_text="Its name, as on the page of segments.")


class NoForm(ConsoleForm):
    """Nothing to type."""


FORMS: dict[str, type[ConsoleForm]] = {
    "owner": OwnerForm, "segment": SegmentForm, "everything": ReasonForm, "ask": ReasonForm, "lift": NoForm,
}  # fmt: skip


@both
@login_required
def stop(request: HttpRequest, how: str = "") -> HttpResponse:
    """What can be stopped and what is; `how` says which of the forms was sent."""
    user = person_of(request, *MAY_HALT)
    shown = {name: form(prefix=name) for name, form in FORMS.items()}
    said: ConsoleForm = NoForm()
    if request.method == "POST":
        if how not in FORMS:
            raise Http404
        said = shown[how] = FORMS[how](request.POST, prefix=how)
        done = said.act(lambda: _do(how, said.cleaned_data, user)) if said.is_valid() else None
        if done:
            messages.success(request, done)
            return redirect("stop")
    halted = halt_actions.halted()
    context = {"shown": shown, "halted": halted, "may_lift": user.has_role(*MAY_REINSTATE), "how": how}
    context["asked_it"] = bool(halted and halted.asked_by and halted.asked_by.person == user.person)
    return answer(request, "console/stop.html", said, **context)


def _do(how: str, given: dict[str, Any], user: User) -> str:
    """Do it; what to say then."""
    work: dict[str, Callable[[], str]] = {
        "owner": lambda: _owned(given, user),
        "segment": lambda: _segment(given, user),
        "everything": lambda: _said("Everything is stopped.", halt_actions.halt(actor=user, reason=given["reason"])),
        "ask": lambda: _said(
            "Asked. A second person lifts it.", halt_actions.ask_to_lift(actor=user, reason=given["reason"])
        ),
        "lift": lambda: _said("Agents may act again, with new credentials.", halt_actions.lift(actor=user)),
    }
    return work[how]()


def _owned(given: dict[str, Any], user: User) -> str:
    owner = lookups.account_named(given["owner"])
    stopped = halt_actions.suspend_owned(owner.id, actor=user, reason=given["reason"])
    return f"Suspended {stopped} of {owner}'s agents."


def _segment(given: dict[str, Any], user: User) -> str:
    segment = lookups.segment_named(given["segment"])
    stopped = halt_actions.suspend_segment(segment, actor=user, reason=given["reason"])
    return f"Suspended {stopped} agents of {segment.name}."


def _said(words: str, _done: object) -> str:
    return words
