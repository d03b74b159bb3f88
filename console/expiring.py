"""Credentials that end soon: what an agent holds at a resource and until when, those that end first before the others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.models import User
from accounts.requests import ANY_ROLE, person_of
from activity.asked import filters
from agents.access import LONGEST_LIFE
from agents.form_views import UNUSABLE
from agents.forms import ConsoleForm
from agents.models import Credential
from agents.queries import visible_credentials
from core.keyset import A_PAGE, Page, key_of
from core.moments import moment_of

WITHIN: Final = {
    "5m": ("Within 5 minutes", timedelta(minutes=5)),
    "15m": ("Within 15 minutes", timedelta(minutes=15)),
}


class ExpiringForm(ConsoleForm):
    """What the list is filtered by."""

    agent = forms.CharField(required=False, max_length=100, label="Agent")
    kind = forms.ChoiceField(required=False, label="Kind", choices=[("", "Any kind"), *Credential.Kind.choices])
    within = forms.ChoiceField(
        required=False,
        label="Ends",
        choices=[("", "Any time"), *((name, words) for name, (words, _) in WITHIN.items())],
    )


def expiring(user: User, asked: Mapping[str, Any], now: datetime, key: str = "", size: int = A_PAGE) -> Page:
    """The live credentials that `user` may see, the next to end first; each knows in `renewed` whether a later one is held."""
    rows = list(_behind(_live(user, asked, now), key).order_by("expires_at", "id")[: size + 1])
    return Page(rows[:size], key_of(rows[size - 1].expires_at, rows[size - 1].id) if len(rows) > size else "")


def _live(user: User, asked: Mapping[str, Any], now: datetime) -> QuerySet[Credential]:
    found = visible_credentials(user).filter(expires_at__gt=now, revoked_at=None)
    if asked.get("agent"):
        found = found.filter(agent__name=asked["agent"])
    if asked.get("kind"):
        found = found.filter(kind=asked["kind"])
    if asked.get("within"):
        found = found.filter(expires_at__lte=now + WITHIN[asked["within"]][1])
    return found.annotate(renewed=Exists(_later(now)))


def _later(now: datetime) -> QuerySet[Credential]:
    """What takes the place of a credential: one of its kind, for the same resource or for all, that ends after it."""
    for_it = Q(resource=OuterRef("resource")) | Q(resource=None)
    # No credential lives longer than LONGEST_LIFE: those issued before need not be looked at.
    return Credential.objects.filter(
        for_it, agent=OuterRef("agent"), kind=OuterRef("kind"), issued_at__gt=now - LONGEST_LIFE,
        expires_at__gt=OuterRef("expires_at"), revoked_at=None,
    )  # fmt: skip


def _behind(found: QuerySet[Credential], key: str) -> QuerySet[Credential]:
    """Those behind the key; all of them where it is none, for a key is only a place."""
    moment, _, last = key.partition("_")
    at = moment_of(moment)
    try:
        place = UUID(last)
    except ValueError:
        return found
    if at is None:
        return found
    # The first condition is what the index on the time can be asked for; the second is exact.
    return found.filter(Q(expires_at__gte=at) & (Q(expires_at__gt=at) | Q(id__gt=place)))


@require_GET
@login_required
def credentials(request: HttpRequest) -> HttpResponse:
    """The live credentials that this person may see, by when they end."""
    user, form, now = person_of(request, *ANY_ROLE), ExpiringForm(request.GET), timezone.now()
    usable = form.is_valid()
    page = expiring(user, form.cleaned_data, now, request.GET.get("after", "")) if usable else Page([])
    context = {"page": page, "form": form, "asked": filters(form), "now": now}
    return render(request, "console/fleet/credentials.html", context, status=200 if usable else UNUSABLE)
