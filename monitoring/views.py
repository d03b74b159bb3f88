"""Incidents' pages: the list, one incident, what a person does about it; and the signals behind a score."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Role, User
from accounts.queries import READS_EVERYTHING
from accounts.requests import person_of
from agents.forms import ReasonForm
from core.errors import NarrowgateError
from core.streaming import csv_file
from monitoring import actions
from monitoring.containing import effect_of
from monitoring.incident_list import COLUMNS, FILTERS, ORDERS, incident_cells, incidents_page
from monitoring.incidents import assignable, case_of
from monitoring.models import Incident
from monitoring.queries import signals_page, visible_incidents
from monitoring.rules import RULES

UNUSABLE = 422
FIGURES = (("detect", "Counted in MTTD"), ("contain", "Counted in MTTC"), ("resolve", "Counted in MTTR"))
STATES = (("unresolved", "Not resolved"), *Incident.Status.choices)


@require_GET
@login_required
def incidents(request: HttpRequest) -> HttpResponse:
    """Incidents: all for those who answer for the whole, an owner's own."""
    user = person_of(request, *READS_EVERYTHING, Role.OWNER)
    asked = _asked(request, *FILTERS, "sort")
    context = {
        "page": incidents_page(user, asked, request.GET.get("after", "")),
        "asked": asked,
        "kinds": Incident.Kind.choices,
        "severities": Incident.Severity.choices,
        "states": STATES,
        "orders": [(name, words) for name, (_, words) in ORDERS.items()],
        "figures": FIGURES,
        "assignees": assignable(),
    }
    return render(request, "monitoring/incidents.html", context)


@require_POST
@login_required
def incidents_file(request: HttpRequest) -> HttpResponseBase:
    """The incidents that were asked for, as a file. Taking it is an entry."""
    user = person_of(request, *READS_EVERYTHING, Role.OWNER)
    asked = {name: value for name, value in _asked(request, *FILTERS, "sort").items() if value}
    actions.note_taken(user, asked)
    return csv_file("narrowgate-incidents.csv", COLUMNS, incident_cells(user, asked))


@require_GET
@login_required
def signals(request: HttpRequest) -> HttpResponse:
    """The signals behind scores, newest first, of agents that this person may see."""
    user = person_of(request, *Role)
    asked = _asked(request, "agent", "kind", "source")
    context = {
        "page": signals_page(user, asked, request.GET.get("after", "")),
        "asked": asked,
        "kinds": [(kind.value, rule.one) for kind, rule in RULES.items()],
        "reads_ledger": user.has_role(*READS_EVERYTHING),
    }
    return render(request, "monitoring/signals.html", context)


@require_GET
@login_required
def incident(request: HttpRequest, incident_id: UUID) -> HttpResponse:
    """One incident with its time line."""
    return _page(request, incident_id)


@require_POST
@login_required
def acknowledge(request: HttpRequest, incident_id: UUID) -> HttpResponse:
    """Take notice."""
    return _answer(request, incident_id, lambda user: actions.acknowledge(incident_id, actor=user), "Acknowledged.")


@require_POST
@login_required
def rate(request: HttpRequest, incident_id: UUID) -> HttpResponse:
    """Say how bad it is."""
    severity = request.POST.get("severity", "")
    return _answer(
        request, incident_id, lambda user: actions.rate(incident_id, severity=severity, actor=user), "Severity changed."
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def contain(request: HttpRequest, incident_id: UUID) -> HttpResponse:
    """Suspend the agent that it is about, after saying what that does."""
    user = person_of(request)
    case = case_of(incident_id, user)
    if case is None or not case.may_answer or case.incident.agent is None:
        raise Http404
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        if form.act(lambda: actions.contain(incident_id, reason=reason, actor=user)):
            messages.success(request, f"{case.incident.agent.name} is suspended, and this incident is contained.")
            return redirect("incidents:incident", incident_id)
    context = {"form": form, "it": case.incident, "effect": effect_of(case.incident.agent)}
    return render(request, "monitoring/contain.html", context, status=UNUSABLE if form.errors else 200)


@require_POST
@login_required
def assign(request: HttpRequest, incident_id: UUID) -> HttpResponse:
    """Give it to somebody, or to nobody."""
    return _answer(request, incident_id, lambda user: _assign(request, incident_id, user), "Assigned.")


@require_POST
@login_required
def note(request: HttpRequest, incident_id: UUID) -> HttpResponse:
    """Write a note."""
    text = request.POST.get("text", "")
    return _answer(request, incident_id, lambda user: actions.annotate(incident_id, text=text, actor=user), "Noted.")


@require_POST
@login_required
def resolve(request: HttpRequest, incident_id: UUID) -> HttpResponse:
    """End it, with a reason."""
    reason = request.POST.get("reason", "")
    return _answer(
        request, incident_id, lambda user: actions.resolve(incident_id, reason=reason, actor=user), "Resolved."
    )


def _assign(request: HttpRequest, incident_id: UUID, user: User) -> Incident:
    return actions.assign(incident_id, assignee=actions.person_named(request.POST.get("assignee")), actor=user)


def _answer(request: HttpRequest, incident_id: UUID, act: Callable[[User], object], done: str) -> HttpResponse:
    """Act, then show the incident as it now is; a refusal is recorded and said, and keeps what was typed."""
    user = person_of(request)
    if not visible_incidents(user).filter(id=incident_id).exists():
        raise Http404
    try:
        act(user)
    except NarrowgateError as error:
        actions.record_refusal(incident_id, actor=user, error=error)
        return _page(request, incident_id, error)
    messages.success(request, done)
    return redirect("incidents:incident", incident_id)


def _page(request: HttpRequest, incident_id: UUID, refusal: NarrowgateError | None = None) -> HttpResponse:
    user = person_of(request)
    case = case_of(incident_id, user)
    if case is None:
        raise Http404
    context = {
        "case": case,
        "it": case.incident,
        "refusal": refusal,
        "typed": request.POST,
        "severities": Incident.Severity.choices,
    }
    return render(request, "monitoring/incident.html", context, status=refusal.status if refusal else 200)


def _asked(request: HttpRequest, *names: str) -> dict[str, str]:
    return {name: request.GET.get(name, "").strip()[:100] for name in names}
