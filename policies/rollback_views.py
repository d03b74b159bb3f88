"""The review after a roll-back: who is asked for it, and the form that says what it came to."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.requests import person_of
from policies import rollback_actions
from policies.forms import RollbackReviewForm
from policies.models import PolicyRollback
from policies.queries import unreviewed
from policies.rollback_actions import REVIEWERS

Shown = tuple[PolicyRollback, bool, RollbackReviewForm]


def shown_to(user: User, given: tuple[UUID, RollbackReviewForm] | None = None) -> list[Shown]:
    """The roll-backs that wait for a review, whether `user` may give it, and the form; `given` is one that was refused."""
    refused = dict([given] if given else [])
    return [
        (
            one,
            one.id in refused or (user.has_role(*REVIEWERS) and one.by.person != user.person),
            refused.get(one.id) or RollbackReviewForm(auto_id=f"{one.id}_%s"),
        )
        for one in unreviewed()
    ]


@require_POST
@login_required
def review(request: HttpRequest, rollback_id: UUID) -> HttpResponse:
    """Say that one has looked at a roll-back, and what one found."""
    from policies.views import show_versions

    user = person_of(request, *REVIEWERS)
    if not unreviewed().filter(id=rollback_id).exists():
        raise Http404
    form = RollbackReviewForm(request.POST, auto_id=f"{rollback_id}_%s")
    if form.is_valid():
        done = form.act(lambda: rollback_actions.review(rollback_id, actor=user, found=form.cleaned_data["found"]))
        if done:
            messages.success(request, f"The roll-back to version {done.version.number} is reviewed.")
            return redirect("policies:versions")
    return show_versions(request, user, given=(rollback_id, form), status=422)
