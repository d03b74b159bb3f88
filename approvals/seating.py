"""Who sits where: the seats of holds with the people who approved, and the one that the reader may take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from accounts.models import Membership, User
from accounts.quorum import Requirement, Seat, fits, open_seats, seat_in_words, seating
from approvals.models import Hold, Review

Groups = dict[UUID, list[Membership]]


@dataclass(frozen=True)
class Chair:
    """One seat: its group, and `state`: `on` (approved), `me` (the reader's to take) or `open`."""

    group: str
    state: str
    review: Review | None = None
    then: bool = False
    """Whether the second stage begins with it."""

    @property
    def who(self) -> str:
        """Whom it is for."""
        return seat_in_words(self.group)

    @property
    def took(self) -> float:
        """Seconds from the asking to the approval; 0 while open."""
        return (self.review.at - self.review.hold.asked_at).total_seconds() if self.review else 0.0


def chairs_of(holds: Sequence[Hold], reader: User, memberships: Groups) -> dict[UUID, list[Chair]]:
    """The chairs of each hold, by hold. Reviews must be prefetched with reviewers."""
    return {hold.id: _chairs(hold, reader, memberships) for hold in holds}


def memberships_of(holds: Sequence[Hold], reader: User) -> Groups:
    """The memberships of the reader and of everybody who reviewed, by person; one query however many holds."""
    people = {review.reviewer_id for hold in holds for review in hold.reviews.all()} | {reader.id}
    found: Groups = defaultdict(list)
    for membership in Membership.objects.filter(user__in=people).select_related("group"):
        found[membership.user_id].append(membership)
    return found


def _chairs(hold: Hold, reader: User, memberships: Groups) -> list[Chair]:
    approvals = {str(review.reviewer.person): review for review in hold.reviews.all() if review.counts_for(hold)}
    needs = Requirement.of(hold.requirement)
    seats = [Seat(person, _groups(review.reviewer, hold, memberships)) for person, review in approvals.items()]
    seated = seating(needs, seats)
    mine = None
    if str(reader.person) not in approvals:
        groups = _groups(reader, hold, memberships)
        mine = next((number for number in open_seats(needs, seated) if fits(seated[number][0], groups)), None)
    first = sum(needs.seats.values())
    return [
        Chair(
            group,
            "on" if person else "me" if number == mine else "open",
            approvals.get(person or ""),
            then=number == first,
        )
        for number, (group, person) in enumerate(seated)
    ]


def _groups(user: User, hold: Hold, memberships: Groups) -> frozenset[str]:
    found = {one.group.name for one in memberships.get(user.id, []) if one.counts_for(hold.asked_at)}
    return hold.named(user) | found
