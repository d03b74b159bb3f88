"""The pages behind the posture page's figures: who falls short, what people decided, what the means are held against."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import Role, User
from accounts.requests import person_of
from core.keyset import page_of
from core.moments import moment_of
from monitoring import mark_actions
from monitoring.decisions import decided_holds
from monitoring.facts import facts_of, watch
from monitoring.fleet_counts import fleet_counts
from monitoring.forms import MarkForm
from monitoring.models import Mark
from monitoring.shortfalls import shortfalls
from monitoring.steps import SLUGS, steps

UNUSABLE = 422
_DAY = timedelta(hours=24)


@require_GET
@login_required
def step(request: HttpRequest, slug: str) -> HttpResponse:
    """What falls short of one step of zero trust."""
    person_of(request, Role.CISO)
    if slug not in SLUGS:
        raise Http404
    now = timezone.now()
    since, segment = _moment(request, "since") or now - _DAY, request.GET.get("segment", "")[:40]
    found = steps(facts_of(fleet_counts(), watch(since, now), now))
    page = shortfalls(slug, since=since, now=now, segment=segment, after=request.GET.get("after", "")[:100])
    one = next(step for step in found if step.slug == slug)
    context = {"step": one, "steps": found, "page": page, "segment": segment, "since": since}
    return render(request, "monitoring/step.html", context)


@require_GET
@login_required
def decisions(request: HttpRequest) -> HttpResponse:
    """The held actions that people decided, newest first, with how long each took."""
    user = person_of(request, Role.CISO, Role.AUDITOR)
    now = timezone.now()
    since, until = _moment(request, "since") or now - _DAY, _moment(request, "until") or now
    found = decided_holds(user, since, until)
    context = {"page": page_of(found, "settled_at", request.GET.get("after", "")), "since": since, "until": until}
    return render(request, "monitoring/decisions.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def marks(request: HttpRequest) -> HttpResponse:
    """What the mean times are held against."""
    ciso = person_of(request, Role.CISO)
    order = {figure: place for place, figure in enumerate(Mark.Figure.values)}
    kept = sorted(Mark.objects.all(), key=lambda mark: order[mark.figure])
    forms = [MarkForm(mark, request.POST or None) for mark in kept]
    valid = [form.is_valid() for form in forms]  # each of them, so that each says what is wrong with it
    if request.method == "POST" and all(valid) and _set(forms, ciso):
        messages.success(request, "Saved. The change is in the ledger.")
        return redirect("console:posture")
    unusable = any(form.errors for form in forms)
    return render(request, "monitoring/marks.html", {"forms": forms}, status=UNUSABLE if unusable else 200)


def _set(forms: list[MarkForm], ciso: User) -> bool:
    """Set all of them, or none; whether it was done."""
    with transaction.atomic():
        done = [form.act(lambda form=form: _set_one(form, ciso)) for form in forms]  # type: ignore[misc]  # bound now
        if None in done:
            transaction.set_rollback(True)
    return None not in done


def _set_one(form: MarkForm, ciso: User) -> Mark:
    baseline, target = form.lengths()
    return mark_actions.set_mark(Mark.Figure(form.mark.figure), baseline=baseline, target=target, actor=ciso)


def _moment(request: HttpRequest, name: str) -> datetime | None:
    """A time from the address; None for what is none."""
    return moment_of(request.GET.get(name, ""))
