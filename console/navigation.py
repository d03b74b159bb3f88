"""What every page shows around itself: the places this person may go, and who they are. `console.rail` says the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from accounts.models import Role, User
from agents.locking import MAY_ACTIVATE, MAY_REINSTATE
from core import words


@dataclass(frozen=True)
class Entry:
    """One place on the rail; `counted` where the page asks how much there needs this person."""

    label: str
    icon: str
    url: str
    current: bool
    counted: bool


@dataclass(frozen=True)
class _Place:
    label: str
    icon: str
    name: str
    roles: tuple[Role, ...]
    also: tuple[str, ...] = ()  # other sections that belong to it
    counted: tuple[Role, ...] = ()  # for whom it is counted what needs them there


PLACES = (
    _Place("Queue", "inbox", "queue:queue", (Role.REVIEWER, Role.OWNER), counted=(Role.REVIEWER,)),
    _Place("Posture", "shield-half", "console:posture", (Role.CISO,)),
    _Place("Incidents", "alert-triangle", "incidents:incidents", (Role.CISO, Role.AUDITOR), counted=(Role.CISO,)),
    _Place(
        "Agents",
        "robot",
        "agents:agents",
        (Role.ENGINEER, Role.OWNER, Role.CISO, Role.REVIEWER, Role.AUDITOR, Role.ADMINISTRATOR),
        counted=(*MAY_REINSTATE, *MAY_ACTIVATE),
    ),
    _Place(
        "Record",
        "book-2",
        "record:sessions",
        (Role.AUDITOR, Role.CISO, Role.ENGINEER, Role.OWNER, Role.REVIEWER, Role.ADMINISTRATOR),
    ),
    _Place("Stop", "hand-stop", "stop", (Role.ENGINEER, Role.CISO, Role.ADMINISTRATOR)),
    _Place("Resources", "database", "resources:all", (Role.ENGINEER,)),
    _Place("Policies", "gavel", "policies:versions", (Role.ENGINEER, Role.CISO)),
    _Place("People", "users", "people:all", (Role.ADMINISTRATOR,), also=("groups", "invite")),
    _Place("Webhooks", "webhook", "webhooks:all", (Role.ADMINISTRATOR,), also=("deliveries",)),
)


def navigation(request: HttpRequest) -> dict[str, Any]:
    """The context that base.html needs; empty for nobody and for fragments, which have no rail."""
    user = getattr(request, "user", None)
    if not isinstance(user, User) or request.headers.get("HX-Request"):
        return {}
    return {
        "rail": [_entry(place, request, user) for place in PLACES if user.has_role(*place.roles)],
        "you": _you(user),
    }


def _entry(place: _Place, request: HttpRequest, user: User) -> Entry:
    url = reverse(place.name)
    sections = ["/" + start.strip("/").partition("/")[0] + "/" for start in (url, *place.also)]
    here = request.path.startswith(tuple(sections))
    return Entry(place.label, place.icon, url, here, user.has_role(*place.counted))


def _you(user: User) -> dict[str, Any]:
    roles = [str(Role(role).label) for role in user.roles]
    return {"roles": words.listing(roles) if roles else "No role yet"}
