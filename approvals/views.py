"""The queue: the list, one hold, the two decisions and the withdrawal. Fragments for htmx, whole pages for everybody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.requests import ANY_ROLE, person_of
from approvals import actions, signing, waiting_actions
from approvals.board import Board, board, last_settled
from approvals.case import Case, Together, case
from approvals.forms import WHY, ApproveForm, DenyForm, WithdrawForm
from approvals.granting import JUST_ONCE
from approvals.queries import visible_to
from core.errors import NarrowgateError

KEYS = (
    {"letters": ["J", "K"], "does": "next, previous hold"},
    {"letters": ["A"], "does": "approve once"},
    {"letters": ["F"], "does": "approve for a while"},
    {"letters": ["D"], "does": "deny with a reason"},
    {"letters": ["T"], "does": "take your approval back"},
    {"letters": ["W"], "does": "withdraw what an agent of yours asks"},
    {"letters": ["B"], "does": "break the glass, where policy lets you"},
    {"letters": ["O"], "does": "ask the owner something"},
    {"letters": ["R"], "does": "replay the session"},
    {"letters": ["/"], "does": "find in the queue"},
)


@require_GET
@login_required
def queue(request: HttpRequest, hold_id: UUID | None = None) -> HttpResponse:
    """The two panes; with an identifier that hold is open, else the most urgent where there is room."""
    user = person_of(request, *ANY_ROLE)
    if hold_id and request.headers.get("HX-Request"):
        return show_hold(request, hold_id)
    listed = board(user)
    open_id = hold_id or (listed.first.hold.id if listed.first else None)
    row = listed.row_of(open_id)
    opened = Case(row, user) if row else case(open_id, user) if open_id else None
    context = {**listing(listed, open_id), "case": opened, "reading": bool(hold_id), "keys": KEYS, "why": WHY}
    if not hold_id and listed.groups and len(listed.groups[0]) > 1:
        context["together"] = Together(listed.groups[0], user)
    return render(request, "approvals/queue.html", {**context, "last": None if opened else last_settled(user)})


@require_GET
@login_required
def holds(request: HttpRequest) -> HttpResponse:
    """The list alone."""
    return render(
        request, "approvals/parts/list.html", listing(board(person_of(request, *ANY_ROLE)), request.GET.get("open"))
    )


@require_POST
@login_required
def approve(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Approve what the form's digest names, once, or alike ones for a while too."""
    form = ApproveForm(request.POST)
    # A form that says nothing sensible names no digest: that is refused as stale, and recorded.
    seen, wider = (form.cleaned_data["digest"], form.wider()) if form.is_valid() else ("", JUST_ONCE)
    passkey = form.cleaned_data.get("passkey", "")
    return do(
        request, hold_id, lambda user: actions.approve(hold_id, actor=user, seen=seen, wider=wider, passkey=passkey)
    )


@require_POST
@login_required
def challenge(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """What the browser hands to one's passkey, to sign a verdict over the hold that is open, or those of its like that are ticked."""
    user = person_of(request, *ANY_ROLE)
    keys = _keys(request.POST.getlist("hold")) or [hold_id]
    shown = [case(key, user).hold for key in sorted(set(keys), key=str)]
    try:
        asked = signing.ask(user, request.POST.get("verdict", ""), [(str(hold.id), hold.digest) for hold in shown])
    except NarrowgateError as error:
        return JsonResponse({"message": str(error)}, status=error.status)
    return JsonResponse(asked)


def _keys(texts: Sequence[str]) -> list[UUID]:
    """Identifiers as they were sent. Raises Http404."""
    try:
        return [UUID(text) for text in texts[: signing.MOST_HOLDS]]
    except ValueError:
        raise Http404 from None


@require_POST
@login_required
def deny(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Deny what the form's digest names, with a reason."""
    form = DenyForm(request.POST)
    if not form.is_valid():
        return show_hold(request, hold_id, 422, form=form, deny_open=True)
    seen, reason = form.cleaned_data["digest"], form.cleaned_data["reason"]
    return do(request, hold_id, lambda user: actions.deny(hold_id, actor=user, seen=seen, reason=reason), form=form)


@require_POST
@login_required
def hand_over(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Ask a colleague to decide it."""
    (to,) = _keys([request.POST.get("to", "")])
    return do(request, hold_id, lambda user: waiting_actions.hand_over(hold_id, actor=user, to=to))


@require_POST
@login_required
def retract(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Take one's own approval back while it waits."""
    return do(request, hold_id, lambda user: actions.retract(hold_id, actor=user))


@require_POST
@login_required
def withdraw(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Take back what an agent of one's own waits for."""
    form = WithdrawForm(request.POST)
    if not form.is_valid():
        return show_hold(request, hold_id, 422, withdrawal=form)
    reason = form.cleaned_data["reason"]
    return do(request, hold_id, lambda user: actions.withdraw_own(hold_id, actor=user, reason=reason), withdrawal=form)


def do(request: HttpRequest, hold_id: UUID, act: Callable[[User], object], **context: object) -> HttpResponse:
    """Act, then show the hold as it now is; a refusal is recorded and said, and keeps what was typed."""
    user = person_of(request)
    if not visible_to(user).filter(id=hold_id).exists():
        raise Http404
    try:
        act(user)
    except NarrowgateError as error:
        actions.record_refusal(hold_id, actor=user, error=error)
        return show_hold(request, hold_id, error.status, refusal=error, **context)
    return show_hold(request, hold_id)


def show_hold(request: HttpRequest, hold_id: UUID, status: int = 200, **context: object) -> HttpResponse:
    """One hold: the fragment for htmx, a whole page where scripts are off."""
    user = person_of(request)
    if not request.headers.get("HX-Request"):
        return redirect("queue:hold", hold_id) if status == 200 else _page(request, hold_id, status, **context)
    shown = {"case": case(hold_id, user), "why": WHY, **context}
    return render(request, "approvals/parts/hold.html", shown, status=status)


def _page(request: HttpRequest, hold_id: UUID, status: int, **context: object) -> HttpResponse:
    user = person_of(request)
    shown = {**listing(board(user), hold_id), "case": case(hold_id, user), "reading": True, "keys": KEYS, "why": WHY}
    return render(request, "approvals/queue.html", {**shown, **context}, status=status)


def listing(listed: Board, open_id: object) -> dict[str, Any]:
    """What the list takes to be drawn."""
    return {"board": listed, "open_id": str(open_id or ""), "now": listed.now}
