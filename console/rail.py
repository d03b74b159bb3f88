"""How much on each place of the rail needs this person, and their groups. A page shows it a moment later: none waits for it."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.models import Membership, User
from accounts.requests import person_of
from agents.queries import reinstatements_for
from approvals.board import count_needing
from approvals.notifications.queries import unread_count
from console.navigation import PLACES
from monitoring.queries import unanswered

COUNTS = {
    "queue:queue": count_needing,
    "agents:agents": lambda user: reinstatements_for(user).count(),
    "incidents:incidents": unanswered,
}


@never_cache
@require_GET
@login_required
def counts(request: HttpRequest) -> JsonResponse:
    """`places` maps an address of the rail to a number, `unread` counts notifications; `groups` are this person's."""
    user: User = person_of(request)
    counted = [place.name for place in PLACES if user.has_role(*place.counted)]
    places = {reverse(name): COUNTS[name](user) for name in counted}
    groups = Membership.objects.filter(user=user).order_by("group__name").values_list("group__name", flat=True)
    return JsonResponse({"places": places, "unread": unread_count(user), "groups": list(groups)})
