"""Resources and segments by page: list, one, add, change, login, test, scan, tags, who reviews where."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Role, User
from accounts.objects import groups_reviewing
from accounts.requests import person_of
from agents import actions
from agents.form_views import answer, both
from agents.forms import LoginForm, ResourceForm, ReviewersForm, SegmentForm, TagForm, WhereForm, chosen_tags
from agents.models import Resource, Segment
from agents.queries import visible_resources
from agents.resource_checks import Scan, check_connection, scan_columns
from core.errors import NarrowgateError

READERS = (Role.ENGINEER, Role.ADMINISTRATOR)


@require_GET
@login_required
def resources(request: HttpRequest) -> HttpResponse:
    """Every resource, with whether the vault holds a login and how many columns are tagged."""
    user = person_of(request, *READERS)
    counted = visible_resources(user).annotate(
        logins=Count("secrets", distinct=True), tagged=Count("tags", distinct=True)
    )
    return render(request, "agents/forms/resources.html", {"resources": counted.order_by("name")})


@require_GET
@login_required
def resource(request: HttpRequest, name: str) -> HttpResponse:
    """One resource."""
    user = person_of(request, *READERS)
    return _shown(request, _found(user, name))


@both
@login_required
def add(request: HttpRequest) -> HttpResponse:
    """Put a database behind the gate, with its login."""
    engineer = person_of(request, Role.ENGINEER)
    form = ResourceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = form.act(lambda: _add(engineer, dict(form.cleaned_data)))
        if made:
            messages.success(request, f"{made.name} is behind the gate. Test the connection, then look at its columns.")
            return redirect("resources:one", made.name)
    return answer(request, "agents/forms/resource_add.html", form)


def _add(engineer: User, given: dict[str, Any]) -> Resource:
    user, password = given.pop("user"), given.pop("password")
    with transaction.atomic():
        made = actions.add_resource(**given, actor=engineer)
        actions.store_secret(made.id, user=user, password=password, actor=engineer)
    return made


@both
@login_required
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """Change how a resource is reached."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, name)
    form = WhereForm(request.POST or None, initial=WhereForm.of(found))
    if request.method == "POST" and form.is_valid():
        where: Any = form.cleaned_data
        if form.act(lambda: actions.change_resource(found.id, actor=engineer, **where)):
            messages.success(request, "Changed. New sessions go there; test the connection.")
            return redirect("resources:one", found.name)
    return answer(request, "agents/forms/resource_edit.html", form, resource=found)


@both
@login_required
def login(request: HttpRequest, name: str) -> HttpResponse:
    """Store a login in the vault."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, name)
    form = LoginForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if form.act(lambda: _store(found, engineer, given)):
            messages.success(request, f"The vault holds {given['user']} for {found.name}.")
            return redirect("resources:one", found.name)
    return answer(request, "agents/forms/resource_login.html", form, resource=found)


def _store(found: Resource, engineer: User, given: dict[str, Any]) -> bool:
    actions.store_secret(found.id, **given, actor=engineer)
    return True


@require_POST
@login_required
def test(request: HttpRequest, name: str) -> HttpResponse:
    """Try to connect as the gate would, and say what came of it."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, name)
    try:
        return _shown(request, found, tried=check_connection(found.id, actor=engineer))
    except NarrowgateError as error:
        return _shown(request, found, refusal=error)


@require_POST
@login_required
def scan(request: HttpRequest, name: str) -> HttpResponse:
    """Suggest tags for columns that have none."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, name)
    try:
        scanned = scan_columns(found.id, actor=engineer)
    except NarrowgateError as error:
        return _shown(request, found, refusal=error)
    return _shown(request, found, scan=scanned, suggestions=_offered(scanned))


@require_POST
@login_required
def tag(request: HttpRequest, name: str) -> HttpResponse:
    """Confirm the suggestions that were ticked, or the one that was typed."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, name)
    ticked = chosen_tags(request.POST.getlist("chosen"))
    form = TagForm(request.POST if "tag" in request.POST else None)
    if form.is_bound and not form.is_valid():
        return _shown(request, found, form, status=422)
    with transaction.atomic():
        for one in [*ticked, *([form.cleaned_data] if form.is_bound else [])]:
            actions.confirm_tag(found.id, **one, actor=engineer)
    count = len(ticked) + form.is_bound
    told = f"{count} column{'' if count == 1 else 's'} tagged: masked from now on." if count else "Nothing was ticked."
    messages.success(request, told)
    return redirect("resources:one", found.name)


@both
@login_required
def segments(request: HttpRequest) -> HttpResponse:
    """The segments, what is in them and who reviews there; engineers make one."""
    user = person_of(request, *READERS)
    form = SegmentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if form.act(lambda: actions.create_segment(**given, actor=user)):
            messages.success(request, f"There is a segment {given['name']}.")
            return redirect("resources:segments")
    return _segments(request, form, ReviewersForm())


@require_POST
@login_required
def reviewers(request: HttpRequest) -> HttpResponse:
    """Let a group review in a segment."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    form = ReviewersForm(request.POST)
    if form.is_valid():
        group, segment = form.cleaned_data["group"], form.cleaned_data["segment"]
        actions.let_review(group, segment, actor=administrator)
        messages.success(request, f"The members of {group.name} review what is asked in {segment.name}.")
        return redirect("resources:segments")
    return _segments(request, SegmentForm(), form)


def _segments(request: HttpRequest, form: SegmentForm, review: ReviewersForm) -> HttpResponse:
    counted = Segment.objects.annotate(
        agent_count=Count("agents", distinct=True), resource_count=Count("resources", distinct=True)
    ).order_by("name")
    rows = [(one, [group.name for group in groups_reviewing(one).order_by("name")]) for one in counted]
    context = {"rows": rows, "form": form, "review": review}
    status = 422 if form.errors or review.errors else 200
    return render(request, "agents/forms/segments.html", context, status=status)


def _found(user: User, name: str) -> Resource:
    found = visible_resources(user).filter(name=name).first()
    if found is None:
        raise Http404
    return found


def _shown(
    request: HttpRequest, found: Resource, form: TagForm | None = None, *, status: int = 200, **context: object
) -> HttpResponse:
    shown = {
        "resource": found,
        "logins": found.secrets.order_by("use"),
        "tags": found.tags.select_related("confirmed_by").order_by("schema", "table", "column"),
        "reviewers": [group.name for group in groups_reviewing(found.segment).order_by("name")],
        "form": form or TagForm(),
        **context,
    }
    return render(request, "agents/forms/resource.html", shown, status=status)


def _offered(scanned: Scan) -> list[tuple[str, object]]:
    """Each suggestion with the value that its tick box sends back."""
    names = ("schema", "table", "column", "tag")
    return [(json.dumps({name: asdict(one)[name] for name in names}), one) for one in scanned.suggestions]
