"""People by page: the list, one person, inviting, editing, their groups, and what a second administrator confirms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts import actions
from accounts.actors import actor_of
from accounts.models import Membership, PendingChange, Role, User
from accounts.people import (
    A_PAGE,
    HEADER,
    STATUSES,
    Asked,
    as_row,
    has_joined,
    matching,
    page_of,
    role_names,
    second_factors,
    status_of,
    waiting_changes,
    waiting_memberships,
)
from accounts.refusals import noting
from accounts.requests import person_of
from accounts.role_actions import confirm_change, drop_change
from agents.form_views import answer
from agents.halt_actions import MAY_HALT
from console.people.changes import both, found, posted, show_link
from console.people.editing import edit_person, invite_person
from console.people.forms import InviteForm, JoinForm, PersonForm
from console.people.owning import owned_by
from core.cells import csv_lines
from core.errors import NarrowgateError
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record

READERS = (Role.ADMINISTRATOR, Role.AUDITOR, Role.CISO)
"""Who sees who may do what; only administrators change it."""


@require_GET
@login_required
def people(request: HttpRequest) -> HttpResponse:
    """Everybody with an account: found, filtered, paged."""
    person_of(request, *READERS)
    asked = _asked(request)
    page = page_of(User.objects.all(), asked)
    context = {
        "page": page,
        "rows": [(one, role_names(one), status_of(one)) for one in page.people],
        "asked": asked,
        "roles": Role.choices,
        "groups": Group.objects.order_by("name"),
        "statuses": STATUSES,
        "changes": waiting_changes()[:A_PAGE],
        "memberships": waiting_memberships()[:10],
    }
    return render(request, "console/people/people.html", context)


@require_GET
@login_required
def export(request: HttpRequest) -> StreamingHttpResponse:
    """The same list as a CSV; taking it is an entry."""
    reader = person_of(request, *READERS)
    with transaction.atomic():
        subject = Subject(kind="people", id="people", name="The list of people")
        record(Event.EXPORT_MADE, actor=actor_of(reader), subject=subject, details={"format": "csv"})
    listed = matching(User.objects.all(), _asked(request)).prefetch_related("memberships__group")
    lines = csv_lines(HEADER, (as_row(one) for one in listed.iterator(chunk_size=500)))
    headers = {"Content-Disposition": 'attachment; filename="people.csv"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


@require_GET
@login_required
def person(request: HttpRequest, username: str) -> HttpResponse:
    """One person: what they may do, since when, and what they answer for."""
    reader = person_of(request, *READERS)
    return _person(request, reader, found(username), JoinForm())


@never_cache
@both
@login_required
def invite(request: HttpRequest) -> HttpResponse:
    """Make an account, and show the link with which they set a password."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    form = InviteForm(posted(request))
    if form.is_valid():
        act = partial(invite_person, form.cleaned_data, administrator)
        invited = form.act(noting(act, "invite", None, actor=administrator))
        if invited:
            return show_link(request, invited[0], invited[2])
    return answer(request, "console/people/invite.html", form)


@both
@login_required
def edit(request: HttpRequest, username: str) -> HttpResponse:
    """Change what somebody is called, their address and roles."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    edited = found(username)
    form = PersonForm(posted(request), initial=PersonForm.of(edited))
    act = noting(lambda: edit_person(edited, form.cleaned_data, administrator), "change", edited, actor=administrator)
    if form.does(act):
        messages.success(request, f"{form.cleaned_data['name']} is changed.")
        return redirect("people:person", username)
    return answer(request, "console/people/edit.html", form, person=edited)


@require_POST
@login_required
def join(request: HttpRequest, username: str) -> HttpResponse:
    """Add somebody to a group."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    joining, form = found(username), JoinForm(request.POST)
    act = noting(
        lambda: actions.add_member(joining, form.cleaned_data["group"], actor=administrator),
        "add",
        joining,
        actor=administrator,
    )
    if form.does(act):
        group = form.cleaned_data["group"].name
        messages.success(request, f"{joining} is in {group}, for what is asked from now on.")
        return redirect("people:person", username)
    return _person(request, administrator, joining, form)


@require_POST
@login_required
def membership(request: HttpRequest, membership_id: int, to: str) -> HttpResponse:
    """Confirm or end a membership."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    one = Membership.objects.select_related("user", "group").filter(id=membership_id).first()
    if one is None:
        raise Http404
    act = {"confirm": actions.confirm_member, "end": actions.remove_member}[to]
    said = f"{one.user} {'counts' if to == 'confirm' else 'is no longer'} in {one.group.name}"
    done = f"{said} for what was asked before, too." if to == "confirm" else f"{said}."
    tried = "confirm" if to == "confirm" else "remove"
    return _back(request, noting(partial(act, one, actor=administrator), tried, one.user, actor=administrator), done)


@require_POST
@login_required
def pending(request: HttpRequest, change_id: UUID, to: str) -> HttpResponse:
    """Confirm or drop what another administrator asked for."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    act = {"confirm": confirm_change, "drop": drop_change}[to]
    asked = PendingChange.objects.select_related("user").filter(id=change_id).first()
    about = asked.user if asked else None
    done = "Confirmed." if to == "confirm" else "Dropped."
    return _back(request, noting(partial(act, change_id, actor=administrator), to, about, actor=administrator), done)


def _back(request: HttpRequest, act: Callable[[], object], done: str) -> HttpResponse:
    """Act, say what became of it, and go back to the page it was asked on."""
    try:
        act()
    except NarrowgateError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    back = request.POST.get("back", "")
    return redirect("people:person", back) if User.objects.filter(username=back).exists() else redirect("people:all")


def _person(request: HttpRequest, reader: User, one: User, form: JoinForm) -> HttpResponse:
    context: dict[str, Any] = {
        "person": one,
        "roles": role_names(one),
        "status": status_of(one),
        "joined": has_joined(one),
        "memberships": one.memberships.select_related("group", "added_by", "confirmed_by").order_by("group__name"),
        "accounts": User.objects.filter(person=one.person).exclude(id=one.id).order_by("name"),
        "changes": waiting_changes().filter(user=one),
        "owning": owned_by(one),
        "may_halt": reader.has_role(*MAY_HALT),
        "tokens": one.api_tokens.count(),
        "factors": second_factors(one),
        "invitation": one.invitations.filter(used_at=None).first(),
        "administers": reader.has_role(Role.ADMINISTRATOR),
        "own": reader.person == one.person,
    }
    return answer(request, "console/people/person.html", form, **context)


def _asked(request: HttpRequest) -> Asked:
    return Asked(**{name: request.GET.get(name, "").strip() for name in Asked.__dataclass_fields__})
