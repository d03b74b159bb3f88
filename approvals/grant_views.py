"""Grants by page: what approving for a while would cover, those there are, and taking one back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.requests import ANY_ROLE, person_of
from approvals import grant_actions, granting
from approvals.case import case
from approvals.models import Review
from approvals.queries import visible_grants
from core.errors import NarrowgateError, NotFound
from core.keyset import page_of

UNUSABLE = 422
_GIVERS: Prefetch[str, QuerySet[Review], str] = Prefetch(
    "hold__reviews", Review.objects.filter(verdict=Review.Verdict.APPROVE).select_related("reviewer"), to_attr="givers"
)


class RevokeForm(forms.Form):
    """Why it is taken back."""

    reason = forms.CharField(
        max_length=grant_actions.LONGEST_REASON, error_messages={"required": "Say why: it is kept in the record."}
    )


@require_GET
@login_required
def wider(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """What approving more than once would have let through in the last week; a fragment."""
    hold = case(hold_id, person_of(request, *ANY_ROLE)).hold
    tried = [(scope, granting.tried(hold, scope)) for scope in granting.scopes_of(hold)]
    return render(request, "approvals/parts/tried.html", {"tried": tried})


@require_GET
@login_required
def grants(request: HttpRequest) -> HttpResponse:
    """The grants of holds that this person sees, the newest first."""
    return _page(request, person_of(request, *ANY_ROLE))


@require_POST
@login_required
def revoke(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """Take a grant back."""
    user = person_of(request, *ANY_ROLE)
    get_object_or_404(visible_grants(user), id=grant_id)
    form = RevokeForm(request.POST)
    if not form.is_valid():
        return _page(request, user, UNUSABLE, revoking=grant_id, form=form)
    try:
        taken = grant_actions.revoke(grant_id, actor=user, reason=form.cleaned_data["reason"])
    except NotFound:
        raise Http404 from None
    except NarrowgateError as error:
        return _page(request, user, error.status, refusal=error)
    messages.success(request, f"Taken back: {taken.agent.name} waits for people again.")
    return redirect("queue:grants")


def _page(request: HttpRequest, user: User, status: int = 200, **context: Any) -> HttpResponse:  # noqa: ANN401 -- the page's
    now = timezone.now()
    found = (
        visible_grants(user)
        .select_related("agent__owner", "agent__deputy", "resource", "hold", "revoked_by")
        .prefetch_related(_GIVERS)
    )
    agent = request.GET.get("agent", "")[:100]
    if agent:
        found = found.filter(agent__name=agent)
    page = page_of(found, "given_at", request.GET.get("after", ""))
    rows = [(one, one.is_live(now=now), grant_actions.may_revoke(user, one)) for one in page.rows]
    context |= {"page": page, "rows": rows, "agent": agent, "now": now}
    return render(request, "approvals/grants.html", context, status=status)
