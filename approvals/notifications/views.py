"""Notifications by page: the list, opening one, marking them read, how one wants to be told."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.requests import person_of
from agents.form_views import answer
from approvals.notifications import actions
from approvals.notifications.forms import KINDS, ChoicesForm
from approvals.notifications.models import Notification
from approvals.notifications.places import place_of
from approvals.notifications.queries import shown_to, unread_count
from core.errors import NotFound
from core.keyset import page_of


@never_cache
@require_GET
@login_required
def notifications(request: HttpRequest) -> HttpResponse:
    """What this person was told, newest first."""
    user = person_of(request)
    asked = {name: request.GET.get(name, "").strip() for name in ("kind", "unread", "after")}
    rows = shown_to(user)
    rows = rows.filter(kind=asked["kind"]) if asked["kind"] else rows
    rows = rows.filter(read_at=None) if asked["unread"] else rows
    context = {
        "page": page_of(rows, "at", asked["after"]),
        "asked": asked,
        "kinds": KINDS,
        "unread": unread_count(user),
    }
    return render(request, "approvals/notifications/list.html", context)


@require_GET
@login_required
def open_one(request: HttpRequest, notification_id: UUID) -> HttpResponse:
    """Go to what it is about; it is read then."""
    return redirect(place_of(_read(request, notification_id)))


@require_POST
@login_required
def mark(request: HttpRequest, notification_id: UUID, is_read: bool) -> HttpResponse:
    """Mark one as read, or as unread again."""
    _read(request, notification_id, is_read=is_read)
    return redirect("notifications:all")


@require_POST
@login_required
def mark_all(request: HttpRequest) -> HttpResponse:
    """Mark all as read."""
    actions.read_all(actor=person_of(request))
    return redirect("notifications:all")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def choices(request: HttpRequest) -> HttpResponse:
    """How this person wants to be told."""
    user = person_of(request)
    form = ChoicesForm(request.POST if request.method == "POST" else None, initial=ChoicesForm.of(user))
    if form.does(lambda: actions.choose(actor=user, **form.cleaned_data)):
        messages.success(request, "From now on you are told as you chose.")
        return redirect("notifications:choices")
    return answer(request, "approvals/notifications/choices.html", form)


def _read(request: HttpRequest, notification_id: UUID, *, is_read: bool = True) -> Notification:
    try:
        return actions.read(notification_id, actor=person_of(request), is_read=is_read)
    except NotFound:
        raise Http404 from None
