"""What an agent can reach, who can reach a resource, and what crosses between segments, each by the policies in force."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.models import Role
from accounts.queries import READS_EVERYTHING
from accounts.requests import person_of
from agents.halt_actions import MAY_HALT
from agents.models import Agent
from agents.queries import visible_resources
from audit.reading import note_read
from console.fleet_views import found_agent
from console.segment_drawing import drawn
from policies.crossings import segment_map
from policies.queries import READERS
from policies.reaching import agent_reach, resource_reach


@require_GET
@login_required
def permissions(request: HttpRequest, name: str) -> HttpResponse:
    """Everything an agent may do today, by which policy, and what of it was used. What it did is part of the record: an entry."""
    user = person_of(request)
    found = found_agent(user, name)
    note_read(user, "permissions", str(found.id), {})
    context = {
        "agent": found,
        "reach": agent_reach(found, timezone.now()),
        "acts": found.status == Agent.Status.ACTIVE,
        "may_read_policies": user.has_role(*READERS),
        "may_open": user.has_role(Role.ENGINEER, Role.ADMINISTRATOR),
    }
    return render(request, "console/fleet/permissions.html", context)


@require_GET
@login_required
def reach(request: HttpRequest, name: str) -> HttpResponse:
    """Who can reach a resource, agents that policies cannot tell apart together."""
    user = person_of(request, *READS_EVERYTHING)
    found = visible_resources(user).filter(name=name).first()
    if found is None:
        raise Http404
    return render(request, "console/fleet/reach.html", {"resource": found, "reach": resource_reach(found)})


@require_GET
@login_required
def segments(request: HttpRequest) -> HttpResponse:
    """The segments drawn, with what may cross between them."""
    user = person_of(request, *READS_EVERYTHING)
    found = segment_map()
    drawing = drawn(
        [(one.name, one.agents) for one in found.segments if one.agents],
        [(one.name, one.resources) for one in found.segments if one.resources],
        [(one.begins, one.ends, verdict) for one in found.crossings for verdict in one.verdicts],
    )
    return render(
        request, "console/fleet/segments.html", {"map": found, "drawing": drawing, "may_halt": user.has_role(*MAY_HALT)}
    )
