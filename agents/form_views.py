"""Enrolling an agent by page; and how a page answers with its form."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.models import Role
from accounts.requests import person_of
from agents import actions
from agents.forms import ConsoleForm, EnrolForm

both = require_http_methods(["GET", "HEAD", "POST"])
UNUSABLE = 422


def answer(request: HttpRequest, template: str, form: ConsoleForm, **context: Any) -> HttpResponse:  # noqa: ANN401
    """The page with its form; 422 where something in it cannot be used."""
    return render(request, template, {"form": form, **context}, status=UNUSABLE if form.errors else 200)


@both
@login_required
def enrol(request: HttpRequest) -> HttpResponse:
    """Register an agent with the public half of its key."""
    engineer = person_of(request, Role.ENGINEER)
    form = EnrolForm(request.POST or None, initial={"segment": request.GET.get("segment", "")})
    if request.method == "POST" and form.is_valid():
        given = {**form.cleaned_data}
        key = given.pop("key")
        agent = form.act(lambda: actions.enrol(**given, public_jwk=key, actor=engineer))
        if agent:
            acts = agent.status == agent.Status.ACTIVE
            then = "What it may do, the policies say." if acts else "It acts once a second person activates it."
            messages.success(request, f"{agent.name} is enrolled. {then}")
            return redirect("console:agent", agent.name)
    return answer(request, "agents/forms/enrol.html", form)
