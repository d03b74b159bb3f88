"""Segments by page: list, make, change, retire, who reviews in one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.models import Role
from accounts.objects import groups_by_target
from accounts.requests import person_of
from agents import actions
from agents.form_views import answer, both
from agents.forms import PurposeForm, ReasonForm, ReviewersForm, SegmentForm
from agents.history import history_of
from agents.models import Agent, Segment
from agents.resource_views import READERS
from agents.segment_actions import inhabitants, waits_for


@both
@login_required
def segments(request: HttpRequest) -> HttpResponse:
    """The segments, what is in them and who reviews there; engineers make one."""
    user = person_of(request, *([Role.ENGINEER] if request.method == "POST" else READERS))
    form = SegmentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if form.act(lambda: actions.create_segment(**given, actor=user)):
            messages.success(request, f"There is a segment {given['name']}.")
            return redirect("resources:segments")
    return _segments(request, form, ReviewersForm())


@both
@login_required
def edit_segment(request: HttpRequest, name: str) -> HttpResponse:
    """Change what a segment is for."""
    user = person_of(request, *READERS)
    found = get_object_or_404(Segment, name=name)
    form = PurposeForm(request.POST or None, initial={"purpose": found.purpose, "production": found.production})
    if request.method == "POST" and form.is_valid():
        about: Any = {name: form.cleaned_data[name] for name in form.changed_data}
        about |= {"production": True} if "keep" in request.POST else {}
        changed = form.act(lambda: actions.change_segment(found.id, actor=user, **about))
        if changed:
            waits = changed.production and about.get("production") is False
            asked = f"Asked: {found.name} is of production until a second administrator says the same."
            messages.success(request, asked if waits else f"Changed {found.name}.")
            return redirect("resources:segments")
    context = {"segment": found, "changes": history_of(found.id), "asks": waits_for(found)}
    return answer(request, "agents/forms/segment_edit.html", form, **context)


@both
@login_required
def retire_segment(request: HttpRequest, name: str) -> HttpResponse:
    """End an empty segment, after saying what is in it."""
    engineer = person_of(request, Role.ENGINEER)
    found = get_object_or_404(Segment, name=name)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        if form.act(lambda: actions.retire_segment(found.id, reason=reason, actor=engineer)):
            messages.success(request, f"{found.name} is retired.")
            return redirect("resources:segments")
    agents, resources = inhabitants(found)
    inside = {"agents": agents, "resources": resources}
    return answer(request, "agents/forms/segment_retire.html", form, segment=found, inside=inside)


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
    counted = (
        Segment.objects.select_related("unmark_asked_by")
        .annotate(
            agent_count=Count("agents", filter=~Q(agents__status=Agent.Status.RETIRED), distinct=True),
            resource_count=Count("resources", filter=Q(resources__retired_at=None), distinct=True),
        )
        .order_by(F("retired_at").desc(nulls_first=True), "name")
    )
    groups = groups_by_target(counted)
    rows = [(one, sorted(groups.get(("segment", one.id), ()))) for one in counted]
    context = {"rows": rows, "form": form, "review": review}
    status = 422 if form.errors or review.errors else 200
    return render(request, "agents/forms/segments.html", context, status=status)
