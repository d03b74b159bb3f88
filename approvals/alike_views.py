"""Holds that ask alike, on one page, with one decision for those that are ticked."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.requests import ANY_ROLE, person_of
from approvals import actions, alike_actions
from approvals.board import alike_rows, board
from approvals.case import Together, case
from approvals.forms import WHY, AlikeForm
from approvals.views import KEYS, listing, show_hold
from core.errors import NarrowgateError
from core.ids import identifiers


@require_GET
@login_required
def alike(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """What asks alike and waits for this person; `of` names those that the page shows already, which stay the same."""
    return _page(request, hold_id, identifiers(request.GET.getlist("of")))


@require_POST
@login_required
def decide_alike(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Approve or deny those that are ticked. A refusal is recorded for each of them."""
    user, form = person_of(request, *ANY_ROLE), AlikeForm(request.POST)
    case(hold_id, user)
    listed = {UUID(key) for key, _ in form.fields["hold"].choices}  # type: ignore[attr-defined]
    if not form.is_valid():
        return _page(request, hold_id, listed, 422, form=form)
    said = form.cleaned_data
    try:
        if form.approves:
            alike_actions.approve_alike(form.shown(), actor=user, passkey=said["passkey"])
        else:
            alike_actions.deny_alike(form.shown(), actor=user, reason=said["reason"])
    except NarrowgateError as error:
        for hold in said["hold"]:
            actions.record_refusal(hold, actor=user, error=error)
        return _page(request, hold_id, listed, error.status, form=form, refusal=error)
    return _page(request, hold_id, listed)


def _page(
    request: HttpRequest, hold_id: UUID, shown: Collection[UUID], status: int = 200, **context: object
) -> HttpResponse:
    user = person_of(request, *ANY_ROLE)
    opened = case(hold_id, user)
    found = alike_rows(opened.hold, user, shown)
    if len(found) < 2:
        return show_hold(request, hold_id, status, **context)
    context |= {"together": Together(found, user), "why": WHY}
    if request.headers.get("HX-Request"):
        return render(request, "approvals/parts/together.html", context, status=status)
    if request.method == "POST" and status == 200:
        return redirect("queue:hold", hold_id)
    context |= {**listing(board(user), hold_id), "case": opened, "reading": True, "keys": KEYS}
    return render(request, "approvals/queue.html", context, status=status)
