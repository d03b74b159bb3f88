"""Erasing recordings by page: what was asked for and done, asking for it, confirming it as a second person."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Role, User
from accounts.requests import person_of
from activity import erasing_actions
from activity.asked import ActionsForm, filters, read
from activity.erasing_actions import MAY_ASK, MOST, ask_to_erase
from activity.listing import Row, all_actions, named
from activity.models import Action, Erasure, Session
from activity.queries import erasures_with_people
from agents.form_views import answer, both
from agents.forms import ConsoleForm
from audit.reading import note_read
from audit.roles import READERS
from core.errors import Invalid, NarrowgateError, Refused
from core.keyset import page_of

SHOWN = 50
"""Actions of an erasure that its page lists; the list of actions has them all."""


class EraseForm(ConsoleForm):
    """Why."""

    reason = forms.CharField(
        max_length=300,
        label="Why",
        help_text="A case or a ticket. Do not name whom it is about: this is kept.",
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why: it is kept in the record."},
    )


@require_GET
@login_required
def erasures(request: HttpRequest) -> HttpResponse:
    """What was asked to be erased, and what was, the newest first."""
    user = person_of(request, *READERS)
    page = page_of(erasures_with_people(), "asked_at", request.GET.get("after", ""))
    note_read(user, "erasures", "", {})
    return render(request, "audit/erasures.html", {"page": page, "may_ask": user.has_role(*MAY_ASK)})


@require_GET
@login_required
def erasure(request: HttpRequest, erasure_id: UUID) -> HttpResponse:
    """One of them, with what it is about."""
    user = person_of(request, *READERS)
    found = get_object_or_404(erasures_with_people(), id=erasure_id)
    note_read(user, "erasure", str(found.id), {})
    waits = found.erased_at is None
    context = {
        "it": found,
        "rows": _rows(found),
        "sessions": Session.objects.filter(id__in=found.sessions[:SHOWN]),
        "may_confirm": waits and user.has_role(Role.ADMINISTRATOR) and not _is_own(found, user),
        "is_own": waits and _is_own(found, user),
        "may_drop": waits and user.has_role(*MAY_ASK),
    }
    return render(request, "audit/erasure.html", context)


@both
@login_required
def erase_session(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Ask to erase all that was recorded in a session."""
    user = person_of(request, *MAY_ASK)
    found = get_object_or_404(Session, id=session_id)
    count = Action.objects.filter(session_id=found.id).count()
    return _asking(request, user, sessions=[found.id], session=found, count=count)


@both
@login_required
def erase_action(request: HttpRequest, action_id: UUID) -> HttpResponse:
    """Ask to erase what was recorded of one action."""
    user = person_of(request, *MAY_ASK)
    found = named([get_object_or_404(Action, id=action_id)])
    return _asking(request, user, actions=[action_id], rows=found, count=1)


@both
@login_required
def erase_found(request: HttpRequest) -> HttpResponse:
    """Ask to erase what was recorded of the actions that filters find: as somebody looks for whom a request is about."""
    user = person_of(request, *MAY_ASK)
    if not filters(ActionsForm(request.GET)):
        messages.error(request, "Find the actions first, then erase them.")
        return redirect("record:actions")
    try:
        asked = read(ActionsForm(request.GET))
    except Invalid as error:
        messages.error(request, f"Nothing was asked for. {error}")
        return redirect("record:actions")
    rows = list(islice((row for row in all_actions(user, asked) if row.action.erasure_id is None), MOST + 1))
    chosen = [row.action.id for row in rows]
    return _asking(request, user, actions=chosen, rows=rows[:SHOWN], count=len(chosen), most=MOST)


@require_POST
@login_required
def confirm(request: HttpRequest, erasure_id: UUID) -> HttpResponse:
    """Erase it, as a second person."""
    user = person_of(request, Role.ADMINISTRATOR)
    return _answered(request, erasure_id, user, erasing_actions.confirm_erasure, "It is erased, for good.")


@require_POST
@login_required
def drop(request: HttpRequest, erasure_id: UUID) -> HttpResponse:
    """Drop the wish."""
    user = person_of(request, *MAY_ASK)
    return _answered(request, erasure_id, user, erasing_actions.drop_erasure, "Nothing is erased: the wish is dropped.")


def _asking(
    request: HttpRequest,
    user: User,
    *,
    sessions: Collection[UUID] = (),
    actions: Collection[UUID] = (),
    **shown: Any,  # noqa: ANN401 -- what the page shows of them
) -> HttpResponse:
    form = EraseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        made = form.act(lambda: ask_to_erase(because=reason, actor=user, sessions=sessions, actions=actions))
        if made:
            messages.success(request, "It is asked for. Nothing is erased until an administrator confirms it.")
            return redirect("record:erasure", made.id)
    note_read(user, "erase", "", {"actions": len(actions), "sessions": len(sessions)})
    return answer(request, "audit/erase.html", form, **shown)


def _answered(
    request: HttpRequest, erasure_id: UUID, user: User, act: Callable[..., object], done: str
) -> HttpResponse:
    """Do it; a refusal is said where the wish is shown, and leaves an entry."""
    get_object_or_404(Erasure, id=erasure_id)
    try:
        act(erasure_id, actor=user)
    except NarrowgateError as error:
        if isinstance(error, Refused):
            erasing_actions.record_refusal(erasure_id, actor=user, error=error)
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    return (
        redirect("record:erasure", erasure_id)
        if Erasure.objects.filter(id=erasure_id).exists()
        else redirect("record:erasures")
    )


def _rows(found: Erasure) -> list[Row]:
    if found.erased_at:
        return named(Action.objects.filter(erasure_id=found.id).order_by("-asked_at", "-id")[:SHOWN])
    return named(Action.objects.filter(id__in=found.actions[:SHOWN]).order_by("-asked_at", "-id"))


def _is_own(found: Erasure, user: User) -> bool:
    return found.asked_by is not None and found.asked_by.person == user.person
