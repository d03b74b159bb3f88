"""The fleet as a list: agents filtered, in an order, by key, each with when it last asked for something and until when it may.

What other apps know of an agent is read for the agents of one page, or, to order by it, through an index for each agent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django import forms
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from accounts.models import User
from activity.asked import containing
from activity.visibility import actions_visible_to
from agents.access import LONGEST_LIFE
from agents.forms import ConsoleForm
from agents.models import Agent, Credential
from agents.queries import visible_agents
from agents.risk import BANDS
from core.keyset import A_PAGE, Page
from monitoring.fleet_counts import ATTENTION_FROM

EXPORTED_AT_A_TIME = 500
ATTENTION = "attention"
"""High and severe together, as the posture page counts who needs attention."""
_BOUNDS = (
    {str(number): (least, 100) for least, number, _ in BANDS}
    | {str(number): (least, BANDS[place - 1][0] - 1) for place, (least, number, _) in enumerate(BANDS) if place}
    | {ATTENTION: (next(least for least, number, _ in BANDS if number == ATTENTION_FROM), 100)}
)


@dataclass(frozen=True)
class Order:
    """An order of the list: by `field` (None behind everything), then by name."""

    label: str
    field: str = ""
    falling: bool = False


ORDERS: Mapping[str, Order] = {
    "-risk": Order("Riskiest first", "risk", falling=True),
    "name": Order("By name"),
    "last": Order("Last active first", "last_at", falling=True),
    "expiry": Order("Credential ends first", "until"),
}


def _needs(today: date) -> Mapping[str, Q]:
    """What somebody has to do about an agent, and how those agents are found on a day."""
    return {
        "owner": Q(owner__is_active=False),
        "use": Q(status=Agent.Status.ACTIVE, unused_warned_at__isnull=False),
        "review": Q(review_by__lte=today),
        "second": Q(reinstatements__status="waiting"),
    }


NEEDS: Final = (
    ("", "Whatever they need"),
    ("owner", "Another owner"),
    ("use", "Use: about to be suspended"),
    ("review", "A review: its day has come"),
    ("second", "A second person"),
)


class FleetForm(ConsoleForm):
    """What the list is filtered by."""

    q = forms.CharField(required=False, max_length=200, label="Find")
    segment = forms.CharField(required=False, max_length=40)
    owner = forms.CharField(required=False, max_length=150)
    status = forms.ChoiceField(
        required=False, choices=[("", "In service"), ("any", "Any status"), *Agent.Status.choices]
    )
    band = forms.ChoiceField(
        required=False,
        label="Risk",
        choices=[
            ("", "Any risk"),
            *((str(number), word) for _, number, word in BANDS),
            (ATTENTION, "Needs attention: high or severe"),
        ],
    )
    needs = forms.ChoiceField(required=False, label="Needs", choices=NEEDS)
    sort = forms.ChoiceField(
        required=False, label="Order", choices=[(name, order.label) for name, order in ORDERS.items()]
    )


def fleet_page(user: User, asked: Mapping[str, Any], key: str = "", size: int = A_PAGE) -> Page:
    """The agents that `user` may see and asked for, behind `key`. Each has `last_at` and `until`, or None."""
    order = order_of(asked)
    found = _with_times(matching(user, asked), user, timezone.now())
    rows = list(_behind(_ordered(found, order), order, key)[: size + 1])
    return Page(rows[:size], _key(rows[size - 1], order) if len(rows) > size else "")


def all_agents(user: User, asked: Mapping[str, Any]) -> Iterator[Agent]:
    """Every one of them, in order; some hundreds are held at a time."""
    key = ""
    while True:
        page = fleet_page(user, asked, key, EXPORTED_AT_A_TIME)
        yield from page.rows
        if not page.more:
            return
        key = page.more


def order_of(asked: Mapping[str, Any]) -> Order:
    """The order that was asked for; the riskiest first otherwise."""
    return ORDERS.get(asked.get("sort") or "", ORDERS["-risk"])


def matching(user: User, asked: Mapping[str, Any]) -> QuerySet[Agent]:
    """The agents that `user` may see and asked for. Those that are retired are there for who asks for them."""
    found = visible_agents(user).filter(containing(asked.get("q") or "", "name", "purpose", "owner__name"))
    for name, field in (("segment", "segment__name"), ("owner", "owner__username")):
        found = found.filter(**{field: asked[name]}) if asked.get(name) else found
    if asked.get("band"):
        found = found.filter(risk__range=_BOUNDS[asked["band"]])
    if asked.get("needs"):
        found = found.filter(_needs(timezone.now().date())[asked["needs"]])
    if not asked.get("status"):
        return found.exclude(status=Agent.Status.RETIRED)
    return found if asked["status"] == "any" else found.filter(status=asked["status"])


def _with_times(found: QuerySet[Agent], user: User, now: datetime) -> QuerySet[Agent]:
    """When each asked last, as far as `user` may see, and when the last of its live credentials ends."""
    newest = actions_visible_to(user).filter(agent_id=OuterRef("pk")).order_by("-asked_at").values("asked_at")[:1]
    # No credential lives longer than LONGEST_LIFE: those issued before need not be looked at.
    live = Credential.objects.filter(
        agent=OuterRef("pk"), issued_at__gt=now - LONGEST_LIFE, expires_at__gt=now, revoked_at=None
    )
    return found.annotate(
        last_at=Subquery(newest), until=Subquery(live.order_by("-expires_at").values("expires_at")[:1])
    )


def _ordered(found: QuerySet[Agent], order: Order) -> QuerySet[Agent]:
    if not order.field:
        return found.order_by("name")
    field = F(order.field)
    return found.order_by(field.desc(nulls_last=True) if order.falling else field.asc(nulls_last=True), "name")


def _behind(found: QuerySet[Agent], order: Order, key: str) -> QuerySet[Agent]:
    """Those behind the key; all of them where it is none, for a key is only a place."""
    value, mark, name = key.partition("~")
    if not mark:
        return found
    if not order.field:
        return found.filter(name__gt=name)
    place = _value(order.field, value)
    if place is None:
        return found if value else found.filter(**{f"{order.field}__isnull": True}, name__gt=name)
    same = Q(**{order.field: place}, name__gt=name)
    beyond = Q(**{f"{order.field}__{'lt' if order.falling else 'gt'}": place})
    return found.filter(same | beyond | Q(**{f"{order.field}__isnull": True}))


def _value(field: str, text: str) -> int | datetime | None:
    try:
        if field == "risk":
            return int(text) if len(text) < 4 else None
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def _key(agent: Agent, order: Order) -> str:
    value = getattr(agent, order.field) if order.field else ""
    written = value.isoformat() if isinstance(value, datetime) else "" if value is None else str(value)
    return f"{written}~{agent.name}"
