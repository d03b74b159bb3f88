"""Lists of the record as pages and as files: actions and sessions, filtered, by key; and one action."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.requests import ANY_ROLE, person_of
from activity.asked import ActionsForm, FindForm, SessionsForm, filters, read
from activity.erasing_actions import MAY_ASK
from activity.listing import Listed, Row, actions_page, all_actions, all_sessions, sessions_page
from activity.models import Session
from agents.queries import visible_resources
from audit.action_page import action_page
from audit.queries import counted
from audit.reading import note_read, note_taken
from audit.roles import READERS
from core.cells import Value
from core.errors import Invalid, NarrowgateError
from core.streaming import csv_file
from policies.again import decide_again
from policies.queries import READERS as POLICY_READERS
from policies.verbs import VERBS

UNUSABLE = 422
DIGITS = 9
"""As many as the number of a version can have."""
ACTION_COLUMNS = (
    "asked at", "agent", "resource", "verb", "decision", "enforced", "masked", "status", "statement", "summary", "reason", "rule",
    "policies", "policy version", "rows", "bytes", "masked values", "released at", "finished at", "error", "message", "session",
    "action", "digest",
)  # fmt: skip
SESSION_COLUMNS = (
    "began at", "ended at", "agent", "resource", "protocol", "source", "client (a claim)", "purpose (a claim)", "ended because",
    "credential", "session",
)  # fmt: skip


@require_GET
@login_required
def actions(request: HttpRequest) -> HttpResponse:
    """Actions, newest first."""
    user, form = person_of(request, *ANY_ROLE), ActionsForm(request.GET)
    page = actions_page(user, form.cleaned_data, request.GET.get("after", "")) if form.is_valid() else Listed([])
    note_read(user, "actions", "", filters(form))
    context = {
        "verbs": sorted(VERBS),
        "resources": visible_resources(user).order_by("name")[:500],
        "may_erase": user.has_role(*MAY_ASK),
    }
    return _list(request, "audit/actions.html", form, page, **context)


@require_GET
@login_required
def action(request: HttpRequest, action_id: UUID) -> HttpResponse:
    """One action."""
    user = person_of(request, *ANY_ROLE)
    found = action_page(action_id, user)
    note_read(user, "action", str(action_id), {}, session=str(found.action.session_id))
    roles = {"reads_ledger": user.has_role(*READERS), "reads_policies": user.has_role(*POLICY_READERS)}
    roles["may_erase"] = user.has_role(*MAY_ASK) and found.can_be_erased
    return render(request, "audit/action.html", {"it": found, **roles})


@require_GET
@login_required
def again(request: HttpRequest, action_id: UUID) -> HttpResponse:
    """The action decided again, by the version that is asked for; a refusal is said in its place."""
    user = person_of(request, *POLICY_READERS)
    found = action_page(action_id, user)
    number = request.GET.get("version", "")
    note_read(user, "action", str(action_id), {"again": number[:20]}, session=str(found.action.session_id))
    it, refusal = None, None
    try:
        if number and not (number.isdecimal() and len(number) <= DIGITS):
            raise Invalid("version", "There is no such version.", "Give its number.")
        it = decide_again(found.action, int(number) if number else None)
    except NarrowgateError as error:
        refusal = error
    return render(request, "audit/parts/again.html", {"it": it, "refusal": refusal})


@require_GET
@login_required
def sessions(request: HttpRequest) -> HttpResponse:
    """Sessions, newest first."""
    user, form = person_of(request, *ANY_ROLE), SessionsForm(request.GET)
    page = sessions_page(user, form.cleaned_data, request.GET.get("after", "")) if form.is_valid() else Listed([])
    note_read(user, "sessions", "", filters(form))
    context = {"rows": counted(page.rows), "resources": visible_resources(user).order_by("name")[:500]}
    return _list(request, "audit/sessions.html", form, page, **context)


@require_POST
@login_required
def actions_file(request: HttpRequest) -> HttpResponseBase:
    """The actions that were asked for, as a file. Taking it is an entry."""
    user = person_of(request, *ANY_ROLE)
    try:
        asked = read(ActionsForm(request.GET))
    except Invalid as error:
        return _back(request, "record:actions", error)
    note_taken(user, "actions", filters(ActionsForm(request.GET)))
    return csv_file("narrowgate-actions.csv", ACTION_COLUMNS, (_action_cells(row) for row in all_actions(user, asked)))


@require_POST
@login_required
def sessions_file(request: HttpRequest) -> HttpResponseBase:
    """The sessions that were asked for, as a file. Taking it is an entry."""
    user = person_of(request, *ANY_ROLE)
    try:
        asked = read(SessionsForm(request.GET))
    except Invalid as error:
        return _back(request, "record:sessions", error)
    note_taken(user, "sessions", filters(SessionsForm(request.GET)))
    return csv_file("narrowgate-sessions.csv", SESSION_COLUMNS, map(_session_cells, all_sessions(user, asked)))


def _list(request: HttpRequest, template: str, form: FindForm, page: Listed, **context: Any) -> HttpResponse:  # noqa: ANN401
    shown = {
        "page": page,
        "form": form,
        "asked": filters(form),
        "reads_ledger": person_of(request, *ANY_ROLE).has_role(*READERS),
    }
    status = 200 if form.is_valid() else UNUSABLE
    return render(request, template, {**shown, **context}, status=status)


def _back(request: HttpRequest, place: str, error: Invalid) -> HttpResponse:
    messages.error(request, f"Nothing was taken. {error.field}: {error}")
    return redirect(place)


def _action_cells(row: Row) -> Iterable[Value]:
    one = row.action
    return (
        one.asked_at, row.agent, row.resource, one.verb, one.decision, one.enforced, one.masked, one.status, one.shown, one.summary, one.reason,
        one.code, ", ".join(one.policies), one.policy_version, one.rows, one.bytes, one.masked_values, one.released_at,
        one.finished_at, one.sqlstate, one.message, one.session_id, one.id, one.digest,
    )  # fmt: skip


def _session_cells(one: Session) -> Iterable[Value]:
    return (
        one.began_at, one.ended_at, one.agent_name, one.resource_name, one.protocol, one.source, one.client, one.purpose,
        one.end_reason, one.credential_id, one.id,
    )  # fmt: skip
