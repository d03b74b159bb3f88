"""Resources by page: list, one, add, change, retire, login, test, scan, tags."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from django.conf import settings
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
from agents import actions, rotating
from agents.api_models import ApiDescription
from agents.detecting import lines_of
from agents.detector_views import acting
from agents.form_views import answer, both
from agents.forms import (
    ChangeResourceForm,
    LoginForm,
    ReasonForm,
    ResourceForm,
    RotateForm,
    TagForm,
    UntagForm,
    chosen_tags,
)
from agents.history import history_of
from agents.metadata import TOOL_SERVERS
from agents.models import Resource, ResourceSecret
from agents.queries import visible_resources
from agents.resource_checks import Scan, check_connection, scan_columns
from agents.tool_models import ToolServer
from core.db import db_now
from core.errors import NarrowgateError

Kind = Resource.Kind
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
    """Put a resource behind the gate; a database with its login."""
    engineer = person_of(request, Role.ENGINEER)
    asked = request.GET.get("kind", "")
    kind = Kind(asked) if asked in Kind.values else Kind.POSTGRES
    form = ResourceForm(request.POST or None, kind=kind)
    if request.method == "POST" and form.is_valid():
        made = form.act(lambda: _add(engineer, {**form.cleaned_data, "kind": kind}))
        if made:
            database = kind == Kind.POSTGRES
            is_now, then = ("behind the gate", ", then look at its columns") if database else ("registered", "")
            messages.success(request, f"{made.name} is {is_now}. Test the connection{then}.")
            return redirect("resources:one", made.name)
    return answer(request, "agents/forms/resource_add.html", form, kind=kind, kinds=Kind.choices)


def _add(engineer: User, given: dict[str, Any]) -> Resource:
    user, password = given.pop("user", ""), given.pop("password", "")
    with transaction.atomic():
        made = actions.add_resource(**given, actor=engineer)
        if user:
            actions.store_secret(made.id, user=user, password=password, actor=engineer)
    return made


@both
@login_required
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """Change how a resource is reached."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, name)
    form = ChangeResourceForm(request.POST or None, initial=ChangeResourceForm.of(found), kind=found.kind)
    if request.method == "POST" and form.is_valid():
        given: Any = form.cleaned_data
        if form.act(lambda: actions.change_resource(found.id, actor=engineer, **given)):
            messages.success(request, "Changed. New sessions go there; test the connection.")
            return redirect("resources:one", found.name)
    return answer(request, "agents/forms/resource_edit.html", form, resource=found)


@both
@login_required
def retire(request: HttpRequest, name: str) -> HttpResponse:
    """Take a resource from behind the gate for good, after saying what that ends."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, name)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        if form.act(lambda: actions.retire_resource(found.id, actor=engineer, reason=reason)):
            messages.success(request, f"{found.name} is behind the gate no longer.")
            return redirect("resources:one", found.name)
    live = found.credentials.filter(revoked_at=None, expires_at__gt=db_now()).count()
    return answer(
        request, "agents/forms/resource_retire.html", form, resource=found, live=live, logins=found.secrets.count()
    )


@both
@login_required
def login(request: HttpRequest, name: str) -> HttpResponse:
    """Store a login in the vault."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, name)
    form = LoginForm(
        request.POST or None, initial={"user": request.GET.get("user", ""), "use": request.GET.get("use", "")}
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if form.act(lambda: _store(found, engineer, given)):
            messages.success(request, f"The vault holds {given['user']} for {found.name}.")
            return redirect("resources:one", found.name)
    return answer(request, "agents/forms/resource_login.html", form, resource=found)


@both
@login_required
def rotate(request: HttpRequest, name: str, use: str) -> HttpResponse:
    """Have a login's password changed, now or every so many days."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, name)
    secret = found.secrets.filter(use=use).first()
    if secret is None or found.retired_at:
        raise Http404
    form = RotateForm(request.POST or None, initial={"days": secret.rotate_days})
    if request.method == "POST" and form.is_valid():
        days, now = form.cleaned_data["days"], "now" in request.POST
        if form.act(lambda: _rotate(found, use, engineer, days=days, now=now)):
            often = "within a minute" if now else f"every {days} days" if days else "only when somebody asks"
            messages.success(request, f"The password of {secret.login} is changed {often}.")
            return redirect("resources:one", found.name)
    return answer(request, "agents/forms/resource_rotate.html", form, resource=found, secret=secret)


def _rotate(found: Resource, use: str, engineer: User, *, days: int | None, now: bool) -> ResourceSecret:
    if now:
        return rotating.ask(found.id, use=use, actor=engineer)
    return rotating.schedule(found.id, use=use, days=days, actor=engineer)


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
def untag(request: HttpRequest, name: str) -> HttpResponse:
    """Take a tag off a column, after saying what that shows."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, name)
    column = {part: request.GET.get(part, "") for part in ("schema", "table", "column")}
    form = UntagForm(request.POST or None, initial=column)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if form.act(lambda: actions.remove_tag(found.id, actor=engineer, **given)):
            messages.success(request, f"{given['table']}.{given['column']} is masked no longer.")
            return redirect("resources:one", found.name)
    named = {part: request.POST.get(part, column[part]) for part in column}
    tag = found.tags.filter(**named).first()
    if tag is None:
        raise Http404
    return answer(request, "agents/forms/resource_untag.html", form, resource=found, tag=tag)


def _found(user: User, name: str) -> Resource:
    found = visible_resources(user).filter(name=name).first()
    if found is None:
        raise Http404
    return found


def _shown(
    request: HttpRequest, found: Resource, form: TagForm | None = None, *, status: int = 200, **context: object
) -> HttpResponse:
    engineer = isinstance(request.user, User) and request.user.has_role(Role.ENGINEER)
    shown = {
        "resource": found,
        "may_edit": engineer and found.retired_at is None,
        "description": ApiDescription.objects.filter(resource=found).first(),
        "logins": found.secrets.order_by("use"),
        "tags": found.tags.select_related("confirmed_by").order_by("schema", "table", "column"),
        "reviewers": [group.name for group in groups_reviewing(found.segment).order_by("name")],
        "form": form or TagForm(),
        "detecting": acting(lines_of(found)),
        **(_offers(found) if found.kind == Kind.MCP else {}),
        "changes": history_of(found.id),
        **context,
    }
    return render(request, "agents/forms/resource.html", shown, status=status)


def _offers(found: Resource) -> dict[str, object]:
    """How much of what a tool server offers is accepted, and where agents speak to it."""
    standing = Counter(one.standing for one in found.definitions.defer("seen", "accepted"))
    counted = {"accepted": standing["accepted"], "waiting": standing["new"] + standing["changed"]}
    address = f"{settings.GATEWAY_URL}{TOOL_SERVERS}{found.name}"
    return {"offers": counted, "tool_server": ToolServer.objects.filter(resource=found).first(), "address": address}


def _offered(scanned: Scan) -> list[tuple[str, object]]:
    """Each suggestion with the value that its tick box sends back."""
    names = ("schema", "table", "column", "tag")
    return [(json.dumps({name: asdict(one)[name] for name in names}), one) for one in scanned.suggestions]
