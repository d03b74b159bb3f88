"""A tool server by page: what it offers and what of it is accepted, accepting, taking back, and the program that the gate runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Role, User
from accounts.requests import person_of
from agents import tool_actions
from agents.form_views import UNUSABLE, answer, both
from agents.forms import CommandForm
from agents.models import Resource
from agents.queries import visible_resources
from agents.tool_models import ToolDefinition, ToolServer
from agents.tools import Line, difference
from core.errors import NarrowgateError

READERS = (Role.ENGINEER, Role.ADMINISTRATOR)
SHOWN = 200
"""Lines of one definition that are shown at once."""


@require_GET
@login_required
def tools(request: HttpRequest, server: str) -> HttpResponse:
    """What a tool server offers: what waits for acceptance first, each with what differs."""
    found = _found(person_of(request, *READERS), server)
    return _shown(request, found)


@require_POST
@login_required
def read(request: HttpRequest, server: str) -> HttpResponse:
    """Have its list read."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, server)
    try:
        tool_actions.ask_to_read(found.id, actor=engineer)
    except NarrowgateError as error:
        return _shown(request, found, error)
    return redirect("resources:tools", found.name)


@require_POST
@login_required
def accept(request: HttpRequest, server: str) -> HttpResponse:
    """Accept what was ticked, as it was shown."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, server)
    seen = _ticked(request.POST.getlist("seen"))
    if not seen:
        return _shown(request, found, NarrowgateError("Nothing was ticked.", "Tick what agents are to get."))
    try:
        accepted = tool_actions.accept(found.id, seen=seen, actor=engineer)
    except NarrowgateError as error:
        return _shown(request, found, error)
    count = len(accepted)
    messages.success(request, f"{count} accepted. Agents get {'it' if count == 1 else 'them'} where a policy permits.")
    return redirect("resources:tools", found.name)


@require_POST
@login_required
def withdraw(request: HttpRequest, server: str) -> HttpResponse:
    """Take an acceptance back."""
    engineer = person_of(request, Role.ENGINEER)
    found = _found(engineer, server)
    number = request.POST.get("definition", "")
    try:
        one = tool_actions.withdraw(
            found.id, definition=int(number) if number.isascii() and number.isdigit() else 0, actor=engineer
        )
    except NarrowgateError as error:
        return _shown(request, found, error)
    messages.success(
        request, f"{one.get_kind_display()} {one.name} is not accepted any more: no agent gets it.".replace("  ", " ")
    )
    return redirect("resources:tools", found.name)


@both
@login_required
def command(request: HttpRequest, server: str) -> HttpResponse:
    """Say which program the gate runs for it."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    found = _found(administrator, server)
    known = ToolServer.objects.filter(resource=found).first()
    form = CommandForm(request.POST or None, initial={"command": "\n".join(known.command or ()) if known else ""})
    if request.method == "POST" and form.does(
        lambda: tool_actions.run_command(found.id, command=form.cleaned_data["command"], actor=administrator)
    ):
        messages.success(request, "The gate runs it from now on, one for each session. Its list is being read.")
        return redirect("resources:tools", found.name)
    return answer(request, "agents/forms/tool_command.html", form, resource=found)


def _found(user: User, name: str) -> Resource:
    found = visible_resources(user).filter(name=name, kind=Resource.Kind.MCP).first()
    if found is None:
        raise Http404
    return found


def _ticked(values: Iterable[str]) -> dict[int, str]:
    """The rows that were ticked, with the digests that were shown."""
    found = {}
    for value in values:
        number, _, digest = value.partition(":")
        if number.isascii() and number.isdigit() and len(number) < 18:
            found[int(number)] = digest
    return found


def _shown(request: HttpRequest, found: Resource, refusal: NarrowgateError | None = None) -> HttpResponse:
    rows = list(found.definitions.select_related("accepted_by"))
    waiting = [_with_difference(one) for one in rows if one.standing in {"new", "changed"}]
    engineer = isinstance(request.user, User) and request.user.has_role(Role.ENGINEER)
    shown = {
        "resource": found,
        "server": ToolServer.objects.filter(resource=found).first(),
        "waiting": waiting,
        "accepted": [one for one in rows if one.standing == "accepted"],
        "gone": [one for one in rows if one.standing == "gone"],
        "may_edit": engineer and found.retired_at is None,
        "refusal": refusal,
    }
    return render(request, "agents/forms/tools.html", shown, status=UNUSABLE if refusal else 200)


def _with_difference(one: ToolDefinition) -> dict[str, Any]:
    lines: list[Line] = difference(one.accepted, one.seen)
    return {"one": one, "lines": lines[:SHOWN], "more": lines[SHOWN:]}
