"""The inventory as a list."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.requests import person_of
from agents.models import Agent
from agents.queries import visible_agents, visible_segments

_ORDERS = {"name": ("name",), "risk": ("-risk", "name"), "segment": ("segment__name", "name")}
_A_PAGE = 50


@require_GET
@login_required
def agents(request: HttpRequest) -> HttpResponse:
    """Every agent this person may see: filtered, sorted, paged."""
    user = person_of(request)
    asked = {name: request.GET.get(name, "").strip() for name in ("q", "segment", "status", "sort")}
    order = asked["sort"] if asked["sort"] in _ORDERS else "risk"
    found = visible_agents(user).filter(_matches(asked)).order_by(*_ORDERS[order])
    page = Paginator(found, _A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "asked": asked,
        "order": order,
        "segments": visible_segments(user),
        "statuses": Agent.Status.choices,
    }
    return render(request, "agents/agents.html", context)


def _matches(asked: dict[str, str]) -> Q:
    """What the filters ask for; an unknown value matches nothing rather than everything."""
    words = Q()
    for word in asked["q"].split():
        words &= Q(name__icontains=word) | Q(purpose__icontains=word) | Q(owner__name__icontains=word)
    words &= Q(segment__name=asked["segment"]) if asked["segment"] else Q()
    return words & (Q(status=asked["status"]) if asked["status"] else Q())
