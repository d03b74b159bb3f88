"""Trials by page: asking for one, how far it is, and what would have gone otherwise."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Role, User
from accounts.requests import person_of
from core.errors import NarrowgateError
from policies import trial_actions
from policies.models import PolicyTrial
from policies.presentation import undetermined
from policies.queries import TRIERS, trials_visible_to
from policies.trying import counted
from policies.views import found_version, show_version


@require_POST
@login_required
def ask(request: HttpRequest, number: int) -> HttpResponse:
    """Have a version tried; a refusal is said on the version's page."""
    user = person_of(request, *TRIERS)
    version = found_version(user, number)
    try:
        trial = trial_actions.ask(number, period=request.POST.get("period", "7d"), actor=user)
    except NarrowgateError as error:
        return show_version(request, version, user, refusal=error, status=error.status)
    return redirect("policies:trial", number, trial.id)


@require_GET
@login_required
def trial(request: HttpRequest, number: int, trial_id: UUID) -> HttpResponse:
    """One trial."""
    user = person_of(request, *TRIERS, Role.AUDITOR)
    found = _found(user, number, trial_id)
    changes = (found.found or {}).get("changes", [])
    context = {
        "it": found,
        "version": found.version,
        "changes": changes,
        "changed": counted(found.found) if found.found else 0,
        "quiet": undetermined(found.version.text, found.found["determined"]) if found.found else [],
        "again": user.has_role(*TRIERS),
        "periods": [(name, words) for name, (words, _) in trial_actions.PERIODS.items()],
    }
    return render(request, "policies/trial.html", context)


@require_POST
@login_required
def stop(request: HttpRequest, number: int, trial_id: UUID) -> HttpResponse:
    """Stop a shadow."""
    user = person_of(request, *TRIERS)
    found = _found(user, number, trial_id)
    try:
        trial_actions.stop(found.id, actor=user)
    except NarrowgateError as error:
        messages.error(request, str(error))
    return redirect("policies:trial", number, found.id)


@require_GET
@login_required
def progress(request: HttpRequest, number: int, trial_id: UUID) -> HttpResponse:
    """How far it is; once it is made, the page is loaded again."""
    found = _found(person_of(request, *TRIERS, Role.AUDITOR), number, trial_id)
    if not found.is_unfinished:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "policies/parts/progress.html", {"it": found})


def _found(user: User, number: int, trial_id: UUID) -> PolicyTrial:
    return get_object_or_404(trials_visible_to(user), version__number=number, id=trial_id)
