"""Detectors by page: those that there are, writing one's own, and what a resource says of each."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from accounts.models import Role
from accounts.requests import person_of
from agents import detector_actions
from agents.detecting import Line, lines_of
from agents.detector_models import OFF, STRATEGIES, OwnDetector
from agents.detectors.known import KNOWN
from agents.form_views import answer, both
from agents.forms import ConsoleForm, ReasonForm
from agents.queries import visible_resources

READERS = (Role.ENGINEER, Role.ADMINISTRATOR)
SAYS: Final = {**dict(STRATEGIES), OFF: "Off"}


class DetectorForm(ConsoleForm):
    """A detector of one's own."""

    name = forms.CharField(
        max_length=40,
        help_text="As in customer_number: policies lift it by this name.",
        widget=forms.TextInput(
            attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off", "class": "mono"}
        ),
    )
    title = forms.CharField(max_length=100, label="What it finds", help_text="As in “A customer’s number”.")
    pattern = forms.CharField(
        max_length=300,
        strip=False,
        help_text="Classes, groups and repeats like [0-9]{6,9}; at most 200 bytes, within one line. \\b is a word’s edge.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off", "class": "mono"}),
    )
    sample = forms.CharField(
        max_length=1_000,
        label="A text that holds one",
        help_text="It is tried on this before it acts. Take an invented value: it is shown here.",
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false"}),
    )
    strategy = forms.ChoiceField(choices=STRATEGIES, label="What becomes of a value")
    everywhere = forms.BooleanField(required=False, label="At every resource that does not say otherwise")


@require_GET
@login_required
def detectors(request: HttpRequest) -> HttpResponse:
    """Every detector: those that come with the gate, and one's own."""
    engineer = person_of(request, *READERS)
    shown = {
        "groups": _grouped_known(),
        "own": OwnDetector.objects.select_related("written_by"),
        "may_edit": engineer.has_role(Role.ENGINEER),
    }
    return render(request, "agents/forms/detectors.html", shown)


@both
@login_required
def write(request: HttpRequest) -> HttpResponse:
    """Write a detector, or write one anew."""
    engineer = person_of(request, Role.ENGINEER)
    before = OwnDetector.objects.filter(name=request.GET.get("name", "")).first()
    fields = ("name", "title", "pattern", "sample", "strategy", "everywhere")
    initial = {field: getattr(before, field) for field in fields} if before else {"everywhere": True}
    form = DetectorForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.does(
        lambda: detector_actions.write_detector(**form.cleaned_data, actor=engineer)
    ):
        messages.success(request, f"{form.cleaned_data['name']} is written, and acts within a second.")
        return redirect("resources:detectors")
    return answer(request, "agents/forms/detector_write.html", form, before=before)


@both
@login_required
def remove(request: HttpRequest, name: str) -> HttpResponse:
    """Take a detector of one's own away, after saying what that shows."""
    engineer = person_of(request, Role.ENGINEER)
    found = OwnDetector.objects.filter(name=name).first()
    if found is None:
        raise Http404
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.does(
        lambda: detector_actions.remove_detector(name, reason=form.cleaned_data["reason"], actor=engineer)
    ):
        messages.success(request, f"{name} is gone: what it found is shown from now on.")
        return redirect("resources:detectors")
    return answer(request, "agents/forms/detector_remove.html", form, one=found)


@both
@login_required
def at_resource(request: HttpRequest, name: str) -> HttpResponse:
    """What each detector does at a resource; an engineer says otherwise."""
    reader = person_of(request, *READERS)
    found = visible_resources(reader).filter(name=name).first()
    if found is None:
        raise Http404
    form = ConsoleForm(request.POST or None)
    if request.method == "POST":
        engineer = person_of(request, Role.ENGINEER)
        said = {key.removeprefix("d-"): value for key, value in request.POST.items() if key.startswith("d-")}
        if form.does(
            lambda: detector_actions.set_detectors(found.id, said={k: str(v) for k, v in said.items()}, actor=engineer)
        ):
            messages.success(request, "Detectors do what was said within a second.")
            return redirect("resources:resource_detectors", found.name)
    lines = lines_of(found)
    groups = [
        (group, [(line, SAYS[line.usual]) for line in some]) for group, some in groupby(lines, lambda line: line.group)
    ]
    may_edit = reader.has_role(Role.ENGINEER) and found.retired_at is None
    context = {"resource": found, "groups": groups, "says": SAYS.items(), "may_edit": may_edit, "acting": acting(lines)}
    return answer(request, "agents/forms/resource_detectors.html", form, **context)


def acting(lines: list[Line]) -> int:
    """How many detectors act."""
    return sum(line.acts != OFF for line in lines)


def _grouped_known() -> list[tuple[str, list[object]]]:
    return [(group, list(some)) for group, some in groupby(KNOWN.values(), lambda one: str(one.group))]
