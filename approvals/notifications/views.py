"""Notifications by page: the list, opening one, marking them read, how one wants to be told."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.requests import person_of
from agents.form_views import answer
from approvals.notifications import actions
from approvals.notifications.forms import KINDS, ChoicesForm
from approvals.notifications.models import Notification
from approvals.notifications.places import place_of
from approvals.notifications.queries import shown_to, unread_count
from approvals.outbox import device_actions
from approvals.outbox.push_key import public_key
from core.errors import NarrowgateError, NotFound
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
    form = ChoicesForm(request.POST if request.method == "POST" else None, initial=ChoicesForm.of(user), user=user)
    if form.does(lambda: actions.choose(actor=user, **form.cleaned_data)):
        messages.success(request, "From now on you are told as you chose.")
        return redirect("notifications:choices")
    return answer(
        request, "approvals/notifications/choices.html", form, devices=user.devices.all(), push_key=public_key()
    )


@require_POST
@login_required
def add_device(request: HttpRequest) -> HttpResponse:
    """Push to the browser that asks."""
    user = person_of(request)
    given = {name: request.POST.get(name, "") for name in ("endpoint", "p256dh", "auth", "name")}
    try:
        device_actions.add(actor=user, **given)
        messages.success(request, "This browser is told from now on, also when no page of the console is open.")
    except NarrowgateError as error:
        messages.error(request, str(error))
    return redirect("notifications:choices")


@require_POST
@login_required
def remove_device(request: HttpRequest, device_id: UUID) -> HttpResponse:
    """Push to one of one's browsers no more."""
    try:
        device_actions.remove(device_id, actor=person_of(request))
    except NotFound:
        raise Http404 from None
    messages.success(request, "That browser is told no more.")
    return redirect("notifications:choices")


@require_GET
@cache_control(max_age=300)
def worker(request: HttpRequest) -> HttpResponse:
    """The script that shows pushes, at the root, so that it may open any page of the console. It holds nothing of anybody's."""
    found = finders.find("console/js/push-worker.js")
    if not isinstance(found, str):
        raise Http404
    return HttpResponse(Path(found).read_bytes(), content_type="text/javascript")


def _read(request: HttpRequest, notification_id: UUID, *, is_read: bool = True) -> Notification:
    try:
        return actions.read(notification_id, actor=person_of(request), is_read=is_read)
    except NotFound:
        raise Http404 from None
