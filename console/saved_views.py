"""Saved views: filters of the list of agents that a person keeps under a name."""

from __future__ import annotations

from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.requests import ANY_ROLE, person_of
from activity.asked import filters
from agents.forms import ConsoleForm
from agents.models import SavedView
from agents.view_actions import forget_view, save_view
from console.fleet import FleetForm
from core.errors import NotFound


class NameForm(ConsoleForm):
    """What a view is called."""

    name = forms.CharField(max_length=60, label="Name", error_messages={"required": "Give the view a name."})


def views_of(user: User) -> list[SavedView]:
    """A person's own views, by name."""
    return list(SavedView.objects.filter(person=user).order_by("name"))


def query_of(form: FleetForm) -> str:
    """What is filtered and ordered by, always written the same way; where the page begins is no part of it."""
    return urlencode(filters(form))


@require_POST
@login_required
def save(request: HttpRequest) -> HttpResponse:
    """Keep the filters of the address under a name."""
    user, asked, form = person_of(request, *ANY_ROLE), FleetForm(request.GET), NameForm(request.POST)
    if not asked.is_valid():
        messages.error(request, "Nothing was saved: the filters cannot be used.")
        return redirect("agents:agents")
    query = query_of(asked)
    if form.does(lambda: save_view(form.cleaned_data["name"], query, actor=user)):
        messages.success(request, f"Saved as {form.cleaned_data['name']}, for you alone.")
    else:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
    return redirect(f"{reverse('agents:agents')}{'?' if query else ''}{query}")


@require_POST
@login_required
def forget(request: HttpRequest, view_id: int) -> HttpResponse:
    """Delete a view. The agents in it stay as they are."""
    user = person_of(request, *ANY_ROLE)
    try:
        view = forget_view(view_id, actor=user)
    except NotFound:
        raise Http404 from None
    messages.success(request, f"The view {view.name} is forgotten.")
    return redirect(f"{reverse('agents:agents')}?{view.query}")
