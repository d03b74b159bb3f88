"""A text of many policies on its way to become a draft, by page: how far it is, and what came of it."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts.models import User
from accounts.requests import person_of
from policies.models import PolicyIntake
from policies.presentation import WRITERS
from policies.queries import intakes_visible_to


@require_GET
@login_required
def intake(request: HttpRequest, intake_id: UUID) -> HttpResponse:
    """One text: its progress, why it was refused, or the version that it became."""
    found = _found(person_of(request, *WRITERS), intake_id)
    if found.version is not None:
        return redirect("policies:version", found.version.number)
    return render(request, "policies/intake.html", {"it": found})


@require_GET
@login_required
def progress(request: HttpRequest, intake_id: UUID) -> HttpResponse:
    """How far it is; once it is read, its version's page."""
    found = _found(person_of(request, *WRITERS), intake_id)
    if found.version is not None:
        return HttpResponse(headers={"HX-Redirect": reverse("policies:version", args=[found.version.number])})
    if not found.is_unfinished:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "policies/parts/intake_progress.html", {"it": found})


def _found(user: User, intake_id: UUID) -> PolicyIntake:
    found = intakes_visible_to(user).filter(id=intake_id).first()
    if found is None:
        raise Http404
    return found
