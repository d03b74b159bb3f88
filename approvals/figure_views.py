"""A reviewer's own figures by page."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.requests import ANY_ROLE, person_of
from approvals.figures import HASTY, decisions, figures
from core.keyset import page_of


@require_GET
@login_required
def own(request: HttpRequest) -> HttpResponse:
    """How this person decides, and what they decided; nobody else's."""
    user = person_of(request, *ANY_ROLE)
    page = page_of(decisions(user), "at", request.GET.get("after", ""))
    return render(request, "approvals/figures.html", {"figures": figures(user), "page": page, "hasty": HASTY})
