"""Breaking the glass by page, looking at it afterwards, and the list of what was broken."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from accounts.requests import ANY_ROLE, person_of
from approvals import glass_actions, signing
from approvals.glass_actions import LONGEST
from approvals.queries import visible_glass
from approvals.views import do, show_hold
from core.keyset import page_of

UNUSABLE = 422


class BreakForm(forms.Form):
    """The digest that was shown, what the emergency is, and what the passkey signed."""

    digest = forms.CharField(max_length=80)
    reason = forms.CharField(
        max_length=LONGEST, error_messages={"required": "Say what the emergency is: everybody is told."}
    )
    passkey = forms.CharField(max_length=signing.LONGEST, required=False)


class LookForm(forms.Form):
    """What somebody found who looked at it."""

    found = forms.CharField(
        max_length=LONGEST, error_messages={"required": "Say what you found: it is kept in the record."}
    )


@require_POST
@login_required
def break_glass(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Let it through alone."""
    form = BreakForm(request.POST)
    if not form.is_valid():
        return show_hold(request, hold_id, UNUSABLE, breaking=form)
    said = form.cleaned_data
    return do(
        request,
        hold_id,
        lambda user: glass_actions.break_glass(
            hold_id, actor=user, seen=said["digest"], reason=said["reason"], passkey=said["passkey"]
        ),
        breaking=form,
    )


@require_POST
@login_required
def look(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Say what one found afterwards."""
    form = LookForm(request.POST)
    if not form.is_valid():
        return show_hold(request, hold_id, UNUSABLE, looking=form)
    found = form.cleaned_data["found"]
    return do(request, hold_id, lambda user: glass_actions.look_at(hold_id, actor=user, found=found), looking=form)


@require_GET
@login_required
def broken(request: HttpRequest) -> HttpResponse:
    """Whatever was let through alone, of the holds that this person sees; the latest first."""
    page = page_of(visible_glass(person_of(request, *ANY_ROLE)), "at", request.GET.get("after", ""))
    return render(request, "approvals/glass.html", {"page": page})
