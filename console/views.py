"""The pages that join the apps: home, posture, one agent; and the pages for what went wrong."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from accounts.models import Role, User
from accounts.requests import person_of
from agents.models import Agent
from core.problems import api_not_found
from monitoring.posture import PERIODS, posture_of

HOMES = (
    (Role.REVIEWER, "queue:queue"),
    (Role.CISO, "console:posture"),
    (Role.AUDITOR, "record:sessions"),
    (Role.ENGINEER, "agents:agents"),
    (Role.OWNER, "agents:agents"),
    (Role.ADMINISTRATOR, "people:all"),
)


@require_GET
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Each to the page they work on, on an empty console to the first steps; one without a role is told what to do."""
    user = person_of(request)
    place = next((name for role, name in HOMES if user.has_role(role)), None)
    if place == "agents:agents" and user.has_role(Role.ENGINEER) and not Agent.objects.exists():
        return redirect("start")
    if place:
        return redirect(place)
    administrators = User.objects.filter(roles__contains=[Role.ADMINISTRATOR], is_active=True)
    return render(request, "console/nobody.html", {"administrators": administrators})


@require_GET
@login_required
def posture(request: HttpRequest) -> HttpResponse:
    """The CISO's home."""
    person_of(request, Role.CISO)
    period = request.GET.get("period", "")
    chosen = period if period in PERIODS else "24h"
    context = {"it": posture_of(PERIODS[chosen], timezone.now()), "period": chosen, "periods": PERIODS}
    return render(request, "monitoring/posture.html", context)


@require_safe
def no_reset(request: HttpRequest, step: str = "") -> HttpResponse:
    """Passwords are not reset by mail."""
    return render(request, "account/password_reset.html")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: there is no such thing, or none that this person may see."""
    return api_not_found() if request.path.startswith("/api/") else _apart(request, "404.html", 404)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: not theirs to do."""
    return _apart(request, "403.html", 403)


def broken(request: HttpRequest) -> HttpResponse:
    """500: our fault; the page needs nothing of ours to be shown."""
    return HttpResponse(render_to_string("500.html"), status=500)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without a good token."""
    return render(request, "403_csrf.html", status=403)


def _apart(request: HttpRequest, template: str, status: int) -> HttpResponse:
    """A page for what went wrong. An async server makes it in a thread whose connection no end of a request closes."""
    page = render(request, template, status=status)
    if not connection.in_atomic_block:
        connection.close()
    return page
