"""Reads about holds. What a person sees of them starts from `visible_to`."""

from __future__ import annotations

from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Prefetch, Q, QuerySet

from accounts.models import Role, User
from accounts.objects import groups_by_target, reviewable_by
from accounts.queries import READS_EVERYTHING
from accounts.quorum import Requirement, Seat, could_fill
from activity.models import Action
from approvals.eligibility import Bench, Standing, exclusions
from approvals.models import BrokenGlass, Grant, Hold, Review
from approvals.presentation import urgency
from core.db import db_now

WITH_REVIEWS: Prefetch[str, QuerySet[Review], str] = Prefetch(
    "reviews", Review.objects.select_related("reviewer").order_by("at", "id")
)
"""To prefetch holds' reviews and their reviewers with: one query."""
RELATED = (
    "agent__owner__manager", "manager", "agent__deputy", "agent__enroller", "agent__segment", "resource__segment", "resource__owner", "on_behalf_of", "grant", "handed_to",
)  # fmt: skip

NEAR = ("agent__segment", "resource__segment", "grant")
"""What one hold is read with where its people come after (`with_people`)."""


def with_people(hold: Hold) -> Hold:
    """`hold`, read with NEAR, and whom it is about, in one query more: joined to it with all else, they take the database longer to
    plan than everything that is done with them.
    """
    places = (
        *((hold.agent, name) for name in ("owner", "deputy", "enroller")),
        (hold.resource, "owner"),
        *((hold, name) for name in ("manager", "on_behalf_of", "handed_to")),
    )
    people = User.objects.select_related("manager").in_bulk(
        {getattr(one, f"{name}_id") for one, name in places} - {None}
    )
    for one, name in places:
        setattr(one, name, people.get(getattr(one, f"{name}_id")))
    return hold


def visible_to(user: User) -> QuerySet[Hold]:
    """All for those who answer for the whole; for a reviewer what they may review; what one's own agents ask."""
    if user.has_role(*READS_EVERYTHING):
        return Hold.objects.all()
    if not user.is_active:
        return Hold.objects.none()
    own = Q(agent__owner=user) | Q(agent__deputy=user) | Q(on_behalf_of=user)
    may = reviewable_by(user)
    reviewed = Q(resource__segment__in=may.segments) | Q(resource__in=may.resources) | Q(agent__in=may.agents)
    asked = Q(asks_owner=True, resource__owner=user) | Q(asks_manager=True, manager=user)
    return Hold.objects.filter(own | reviewed | asked)


def watchers(hold_id: UUID) -> frozenset[UUID]:
    """The accounts of everybody who may see a hold now: what `visible_to` says, asked the other way round for a push."""
    hold = Hold.objects.select_related("agent", "resource__segment").filter(id=hold_id).first()
    if hold is None:
        return frozenset()
    own = {hold.agent.owner_id, hold.agent.deputy_id, hold.on_behalf_of_id}
    own |= {hold.resource.owner_id} if hold.asks_owner else set()
    own |= {hold.manager_id} if hold.asks_manager else set()
    groups = set().union(*groups_by_target([hold.resource.segment, hold.resource, hold.agent]).values())
    reviewers = Q(roles__contains=[Role.REVIEWER], memberships__group__name__in=groups)
    everything = Q(roles__overlap=[str(role) for role in READS_EVERYTHING])
    found = User.objects.filter(everything | Q(id__in=own - {None}) | reviewers, is_active=True)
    return frozenset(found.values_list("id", flat=True))


def visible_grants(user: User) -> QuerySet[Grant]:
    """Those of holds that `user` may see."""
    return Grant.objects.filter(hold__in=visible_to(user))


def visible_glass(user: User) -> QuerySet[BrokenGlass]:
    """The broken glasses of holds that `user` may see, with who looked."""
    broken = BrokenGlass.objects.filter(hold__in=visible_to(user)).select_related("by", "hold__agent", "hold__resource")
    return broken.prefetch_related("looks__reviewer")


def waiting_for(user: User) -> list[Hold]:
    """The waiting holds that `user` may see, the most urgent first."""
    now = db_now()
    waiting = visible_to(user).filter(status=Hold.Status.WAITING, deadline__gt=now).select_related(*RELATED)
    return sorted(waiting.prefetch_related(WITH_REVIEWS), key=lambda hold: urgency(hold, now))


def same_shape_before(hold: Hold, limit: int = 5) -> QuerySet[Hold]:
    """What people decided on the same shape before, the latest first; nothing where it has no shape."""
    decided = Hold.objects.filter(shape=hold.shape, resource=hold.resource, settled_at__isnull=False)
    decided = decided.filter(asked_at__lt=hold.asked_at).exclude(id=hold.id).exclude(shape="")
    return decided.select_related("agent").prefetch_related(WITH_REVIEWS).order_by("-settled_at")[:limit]


def just_before(hold: Hold, limit: int = 5) -> QuerySet[Action]:
    """What the agent asked of the same resource just before, the latest first: whoever sees the hold may see it."""
    same = Action.objects.filter(agent_id=hold.agent_id, resource_id=hold.resource_id)
    earlier = same.filter(asked_at__lt=hold.asked_at).exclude(id=hold.action_id)
    return earlier.order_by("-asked_at")[:limit]


def reviewers_for(hold: Hold, beside: Bench | None = None) -> list[Standing]:
    """Those in the groups it needs, and those it excludes, with where they stand: who may first, then by name.

    `beside` is the bench of somebody else before it, if there is one.
    """
    named = ({hold.resource.owner_id} if hold.asks_owner else set()) | (
        {hold.manager_id} if hold.asks_manager else set()
    )
    excluded = {one["user"] for one in [*hold.excluded, *exclusions(hold.agent, hold.on_behalf_of)]}
    concerned = Q(
        memberships__group__name__in=list(Requirement.of(hold.requirement).groups), roles__contains=[Role.REVIEWER]
    ) | Q(id__in=excluded | named - {None})
    theirs = ArraySubquery(User.objects.filter(person=OuterRef("person")).values("id"))
    known = User.objects.filter(concerned, is_active=True).select_related("absence__delegate")
    people = list(known.annotate(accounts=theirs).distinct())
    accounts = {person.person: {str(one) for one in person.accounts} for person in people}
    bench = Bench(people, [hold], accounts=accounts, beside=beside)
    standings = [bench.standing(person, hold) for person in people]
    return sorted(standings, key=lambda one: (not one.eligible, str(one.user)))


def too_few(hold: Hold) -> bool:
    """Whether it waits, and those who may review it cannot fill its seats: then only a change of who may lets it through."""
    if hold.status != Hold.Status.WAITING:
        return False
    eligible = [one for one in reviewers_for(hold) if one.eligible]
    return not could_fill(
        Requirement.of(hold.requirement), [Seat(str(one.user.person), one.groups) for one in eligible]
    )
