"""The queue as one person sees it: what needs them, what waits for others, what settled this hour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Role, User
from approvals import alike, presentation
from approvals.eligibility import Bench, Standing
from approvals.models import Hold, Review
from approvals.queries import NEAR, RELATED, WITH_REVIEWS, visible_to, with_people
from approvals.seating import Chair, chairs_of, memberships_of

_MOST = 100
MOST_TOGETHER = 50
"""How many one decision is over, at most: as many as a passkey signs at once."""


@dataclass(frozen=True)
class Row:
    """One hold in the list, as `reader` sees it."""

    hold: Hold
    chairs: list[Chair]
    eligible: bool
    because: str  # why the reader cannot review it
    reviewed: bool  # the reader has decided already
    bench: Bench  # the reader's, before all that is listed

    @property
    def needs_reader(self) -> bool:
        """Whether it waits, and a seat is open that this reader can take."""
        return self.can_deny and not self.reviewed and any(chair.state == "me" for chair in self.chairs)

    @property
    def can_deny(self) -> bool:
        """Whether it waits and this reader may review it: one denial settles it, whoever has approved."""
        return self.hold.status == Hold.Status.WAITING and self.eligible

    @property
    def note(self) -> str:
        """The row's last words."""
        return presentation.row_note(self.hold, self.chairs, self.because, self.reviewed)

    @property
    def mark(self) -> str:
        """Changes when what the row says changes."""
        return f"{self.hold.status}{presentation.approved(self.chairs)}"

    @property
    def icon(self) -> tuple[str, str]:
        """Colour and icon once settled."""
        return presentation.mark_of(self.hold)

    @property
    def verb(self) -> str:
        """The verb as people know it."""
        return presentation.short_verb(self.hold.verb)


@dataclass(frozen=True)
class Board:
    """The whole list, in its order."""

    needs: list[Row]
    others: list[Row]
    settled: list[Row]
    now: datetime

    @property
    def groups(self) -> list[list[Row]]:
        """Those that need the reader, with those that ask alike together."""
        return alike.grouped((row.hold, row) for row in self.needs)

    def row_of(self, hold_id: object) -> Row | None:
        """The row of a hold, if it is listed."""
        return next((row for row in (*self.needs, *self.others, *self.settled) if row.hold.id == hold_id), None)

    @property
    def first(self) -> Row | None:
        """The most urgent, for a wide page to open."""
        return next(iter([*self.needs, *self.others]), None)


def board(reader: User) -> Board:
    """Every hold that concerns `reader` now: at most 100 waiting and 20 settled within the hour."""
    now = timezone.now()
    holds = visible_to(reader)
    # Which they are is asked of narrow rows, or thousands that wait would be joined and sorted whole.
    waiting_ids = holds.filter(status=Hold.Status.WAITING).order_by("deadline").values("id")[:_MOST]
    recent = holds.exclude(status=Hold.Status.WAITING).filter(_settled_since(now - timedelta(hours=1)))
    recent_ids = recent.order_by("-settled_at").values("id")[:20]
    listed = Hold.objects.filter(Q(id__in=waiting_ids) | Q(id__in=recent_ids)).order_by("-settled_at", "deadline", "id")
    found = rows(with_relations(listed, reader), reader)
    waiting = [row for row in found if row.hold.status == Hold.Status.WAITING]
    waiting.sort(key=lambda row: presentation.urgency(row.hold, now))
    settled = [row for row in found if row.hold.status != Hold.Status.WAITING]
    needs = [row for row in waiting if row.needs_reader]
    others = [row for row in waiting if not row.needs_reader]
    return Board(needs, others, settled, now)


def rows(holds: Iterable[Hold], reader: User) -> list[Row]:
    """Rows for `holds`, which must come `with_relations`."""
    listed = list(holds)
    accounts = {reader.person: {str(one) for hold in listed[:1] for one in hold.readers}}  # type: ignore[attr-defined]  # annotated
    memberships = memberships_of(listed, reader)
    chairs = chairs_of(listed, reader, memberships)
    bench = Bench([reader], listed, memberships=memberships, accounts=accounts)
    return [_row(hold, chairs[hold.id], bench.standing(reader, hold), bench) for hold in listed]


def alike_rows(hold: Hold, reader: User, shown: Iterable[UUID] = ()) -> list[Row]:
    """What `reader` can decide together with `hold`, or whatever became of those that were `shown`; the oldest first."""
    chosen = frozenset(shown)
    same = Q(status=Hold.Status.WAITING, agent=hold.agent_id, resource=hold.resource_id, shape=hold.shape)
    wanted = Q(id__in={*chosen, hold.id}) if chosen else same | Q(id=hold.id)
    listed = with_relations(visible_to(reader), reader).filter(wanted).order_by("asked_at", "id")[:MOST_TOGETHER]
    found = [row for row in rows(listed, reader) if chosen or alike.key_of(row.hold) == alike.key_of(hold)]
    return found if chosen else [row for row in found if row.needs_reader]


def count_needing(reader: User) -> int:
    """How many waiting holds this person can still add to: the number on the rail. Who is no reviewer can add to none."""
    if not reader.has_role(Role.REVIEWER):
        return 0
    waiting = with_relations(visible_to(reader), reader).filter(status=Hold.Status.WAITING)
    return sum(row.needs_reader for row in rows(waiting[:_MOST], reader))


def last_settled(reader: User) -> Hold | None:
    """The hold that settled last, for the empty queue to name."""
    return visible_to(reader).filter(settled_at__isnull=False).order_by("-settled_at").first()


def _row(hold: Hold, chairs: list[Chair], stands: Standing, bench: Bench) -> Row:
    given = (one for one in hold.reviews.all() if one.verdict == Review.Verdict.DENY or one.counts_for(hold))
    reviewed = any(review.reviewer.person == stands.user.person for review in given)
    return Row(hold, chairs, stands.eligible, stands.because, reviewed, bench)


def with_relations(holds: QuerySet[Hold], reader: User) -> QuerySet[Hold]:
    """`holds` with whatever a row says of them, and the accounts of the `reader`: asked for on the way, not in a query of its own."""
    accounts = ArraySubquery(User.objects.filter(person=reader.person).values("id"))
    return holds.select_related(*RELATED).prefetch_related(WITH_REVIEWS).annotate(readers=accounts)


def one_with_relations(hold_id: UUID, reader: User) -> Hold | None:
    """The same for one hold, if `reader` may see it."""
    accounts = ArraySubquery(User.objects.filter(person=reader.person).values("id"))
    near = visible_to(reader).filter(id=hold_id).select_related(*NEAR)
    hold = near.prefetch_related(WITH_REVIEWS).annotate(readers=accounts).first()
    return with_people(hold) if hold else None


def _settled_since(moment: datetime) -> Q:
    return Q(settled_at__gte=moment)
