"""What people say around holds by page: questions to an agent's owner, answers, and that one is away."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.requests import ANY_ROLE, person_of
from agents.form_views import answer as page_with
from agents.forms import ConsoleForm
from agents.person_field import PersonField
from approvals import absence_actions, question_actions
from approvals.models import Absence
from approvals.views import do, show_hold

UNUSABLE = 422


class QuestionForm(forms.Form):
    """What is asked, or answered."""

    text = forms.CharField(max_length=question_actions.LONGEST, error_messages={"required": "Write a sentence."})


def _moment(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, widget=widget, help_text="UTC.")


class AwayForm(ConsoleForm):
    """Who stands in, from when until when."""

    delegate = PersonField(help_text="Who is asked instead of you. They decide only what they may by themselves.")
    begins = _moment("Away from")
    ends = _moment("until")


@require_POST
@login_required
def ask_owner(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """Ask those who answer for the agent."""
    form = QuestionForm(request.POST)
    if not form.is_valid():
        return show_hold(request, hold_id, UNUSABLE, asking=form)
    text = form.cleaned_data["text"]
    return do(request, hold_id, lambda user: question_actions.ask_owner(hold_id, actor=user, text=text), asking=form)


@require_POST
@login_required
def answer(request: HttpRequest, hold_id: UUID, question_id: UUID) -> HttpResponse:
    """Answer a question about what an agent of one's own asks."""
    form = QuestionForm(request.POST)
    context = {"answering": form, "answered": question_id}
    if not form.is_valid():
        return show_hold(request, hold_id, UNUSABLE, **context)
    text = form.cleaned_data["text"]
    return do(
        request, hold_id, lambda user: question_actions.answer(hold_id, question_id, actor=user, text=text), **context
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def away(request: HttpRequest) -> HttpResponse:
    """Say that one is away; whatever one said before is shown, and replaced."""
    user, now = person_of(request, *ANY_ROLE), timezone.now()
    absence = Absence.objects.select_related("delegate").filter(person=user, ends__gt=now).first()
    said = {name: getattr(absence, name) for name in AwayForm.base_fields} if absence else {"begins": now}
    form = AwayForm(request.POST if request.method == "POST" else None, initial=said)
    if form.does(lambda: absence_actions.go_away(actor=user, **form.cleaned_data)):
        messages.success(request, f"{form.cleaned_data['delegate']} is asked instead of you.")
        return redirect("queue:away")
    return page_with(request, "approvals/away.html", form, absence=absence, on=absence and absence.is_on(now))


@require_POST
@login_required
def back(request: HttpRequest) -> HttpResponse:
    """Say that one is there again."""
    user = person_of(request, *ANY_ROLE)
    if Absence.objects.filter(person=user).exists():
        absence_actions.come_back(actor=user)
        messages.success(request, "You are asked again.")
    return redirect("queue:away")
