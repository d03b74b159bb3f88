"""One's own account: who one is here, and one's API tokens."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from accounts import actions
from accounts.people import role_names, second_factors
from accounts.requests import person_of
from accounts.scopes import (
    ACCOUNT_WRITE,
    AGENTS_WRITE,
    ASK,
    EXPORT,
    INCIDENTS_WRITE,
    PEOPLE_WRITE,
    POLICIES_WRITE,
    READ,
    REVIEW,
    WEBHOOKS_WRITE,
)
from agents.form_views import answer
from agents.forms import ConsoleForm
from console.people.changes import both, posted
from core.errors import NotFound

SCOPES = (
    (READ, "See what you may see"),
    (REVIEW, "Approve and deny holds"),
    (AGENTS_WRITE, "Register and change agents and resources, withdraw holds"),
    (POLICIES_WRITE, "Write and approve policies"),
    (EXPORT, "Take copies of the record"),
    (INCIDENTS_WRITE, "Answer incidents, set what their times are held against"),
    (PEOPLE_WRITE, "Change people and groups"),
    (ASK, "Ask what policies would decide (AuthZEN)"),
    (WEBHOOKS_WRITE, "Change webhooks, and deliver once more"),
    (ACCOUNT_WRITE, "Change how you are told, keep views, end your own tokens"),
)
DAYS = (1, 7, 30, 90)


class TokenForm(ConsoleForm):
    """A token to make. It never does more than the person may."""

    name = forms.CharField(max_length=80, help_text="Where it is used, so that you know it again.")
    scopes = forms.MultipleChoiceField(
        choices=SCOPES,
        label="What it is for",
        widget=forms.CheckboxSelectMultiple,
        initial=[READ],
        error_messages={"required": "A token that is for nothing is of no use: choose one at least."},
    )
    days = forms.TypedChoiceField(
        coerce=int, label="It ends after", initial=30, choices=[(n, f"{n} day{'s' if n > 1 else ''}") for n in DAYS]
    )


@never_cache
@sensitive_variables("made")
@both
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """The page, and making a token, whose secret is on the answer and nowhere else."""
    user = person_of(request)
    form, made = TokenForm(posted(request)), None
    if form.is_valid():
        given, life = form.cleaned_data, timedelta(days=form.cleaned_data["days"])
        made = form.act(
            lambda: actions.create_api_token(
                user, name=given["name"], scopes=given["scopes"], lifetime=life, actor=user
            )
        )
    context = {
        "secret": made[1] if made else "",
        "tokens": user.api_tokens.order_by("-created_at"),
        "roles": role_names(user),
        "memberships": user.memberships.select_related("group").order_by("group__name"),
        "factors": second_factors(user),
        "now": timezone.now(),
    }
    return answer(request, "console/people/account.html", TokenForm() if made else form, **context)


@require_POST
@login_required
def revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """End one of one's own tokens."""
    try:
        actions.revoke_api_token(token_id, actor=person_of(request))
    except NotFound:
        raise Http404 from None
    messages.success(request, "The token has ended.")
    return redirect("account")
