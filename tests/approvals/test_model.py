"""Every sequence of asking, reviewing, changes of membership, expiry, withdrawal, crashes and releases, against a model of what may be.

The database is real; a crash is a transaction that is rolled back, and a restart a new connection. After each step promises 3, 4 and 10 are
looked at in the rows: nothing runs twice or without the people it takes, nobody approves their own, and a hold outlives whoever held it.
NARROWGATE_MODEL_EXAMPLES says how many sequences are tried; without it a few, always the same.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from accounts import actions as people
from accounts.models import Membership, User
from agents.actors import agent_actor
from approvals import actions
from approvals.models import Hold
from core.db import db_now
from core.errors import NarrowgateError
from ledger.models import Outbox
from tests.approvals.world import BOTH, ONE, TWO, World, assemble, backdate, held, release
from tests.cast import SETUP, Cast

EXAMPLES = int(os.environ.get("NARROWGATE_MODEL_EXAMPLES", "6"))
ALWAYS_THE_SAME = "NARROWGATE_MODEL_EXAMPLES" not in os.environ
PEOPLE = ("reviewer", "teammate", "reviewer2", "owner", "deputy", "engineer", "administrator")
INVOLVED = ("owner", "deputy", "engineer")  # owner, deputy, enroller: they never count
REQUIREMENTS = {"one": ONE, "two": TWO, "both": BOTH}
who = st.sampled_from(PEOPLE)


@dataclass
class Known:
    """What the model knows of one hold: who approved it and has not taken that back, how it stands, how often it ran."""

    id: UUID
    asked_at: datetime
    needs: str
    approved: set[str] = field(default_factory=set)
    status: str = "waiting"
    runs: int = 0


class Holds(RuleBasedStateMachine):
    """The machine; each example begins with the cast and nothing asked, in a transaction that is undone."""

    cast: Cast

    def __init__(self) -> None:
        super().__init__()
        self._undone = transaction.atomic()
        self._undone.__enter__()
        self.world: World = assemble(self.cast)
        self.known: list[Known] = []
        self.closed: set[str] = set()

    def teardown(self) -> None:
        """Undo the example."""
        transaction.set_rollback(True)
        self._undone.__exit__(None, None, None)

    def _counts(self, name: str, one: Known) -> set[str]:
        """The groups whose seats somebody fills for a hold, as the model has it."""
        if name in INVOLVED or name in self.closed or name == "administrator":
            return set()
        joined = {
            row.group.name
            for row in Membership.objects.filter(user=getattr(self.cast, name)).select_related("group")
            if row.since <= one.asked_at or row.confirmed_by_id
        }
        return joined & set(REQUIREMENTS[one.needs].seats)

    def _met(self, one: Known) -> bool:
        """Whether those who approved, and still count, fill the seats: two groups, so trying both ways is enough."""
        counting = {name: groups for name in one.approved if (groups := self._counts(name, one))}
        seats = [group for group, count in REQUIREMENTS[one.needs].seats.items() for _ in range(count)]
        return _fills(seats, list(counting.values()))

    def _row(self, one: Known) -> Hold:
        return Hold.objects.get(id=one.id)

    @rule(needs=st.sampled_from(sorted(REQUIREMENTS)), number=st.integers(1, 3))
    def ask(self, needs: str, number: int) -> None:
        """An agent asks; the same asked again joins what still lives."""
        with suppress(NarrowgateError):
            hold = held(self.world, REQUIREMENTS[needs], text=f"DELETE {needs} {number}")
            if hold.id not in {one.id for one in self.known}:
                self.known.append(Known(hold.id, hold.asked_at, needs))

    @precondition(lambda self: bool(self.known))
    @rule(name=who, pick=st.integers(0, 9), crash=st.booleans())
    def approve(self, name: str, pick: int, crash: bool) -> None:
        """Somebody approves, and perhaps the process dies before it commits."""
        one = self._pick(pick)
        may = one.status == "waiting" and name not in one.approved and bool(self._counts(name, one))
        done = self._try(lambda: actions.approve(one.id, actor=self._user(name), seen=self._row(one).digest), crash)
        assert done == (may and not crash)
        if done:
            one.approved.add(name)
            one.status = "approved" if self._met(one) else "waiting"

    @precondition(lambda self: bool(self.known))
    @rule(name=who, pick=st.integers(0, 9), crash=st.booleans())
    def deny(self, name: str, pick: int, crash: bool) -> None:
        """One denial settles."""
        one = self._pick(pick)
        may = one.status == "waiting" and bool(self._counts(name, one))
        done = self._try(
            lambda: actions.deny(one.id, actor=self._user(name), seen=self._row(one).digest, reason="No"), crash
        )
        assert done == (may and not crash)
        if done:
            one.status = "denied"

    @precondition(lambda self: bool(self.known))
    @rule(name=who, pick=st.integers(0, 9))
    def retract(self, name: str, pick: int) -> None:
        """Only one's own approval, only while it waits; a closed account takes nothing back."""
        one = self._pick(pick)
        done = self._try(lambda: actions.retract(one.id, actor=self._user(name)))
        assert not done or (one.status == "waiting" and name in one.approved)
        if done:
            one.approved.discard(name)

    @precondition(lambda self: bool(self.known))
    @rule(pick=st.integers(0, 9))
    def withdraw(self, pick: int) -> None:
        """The agent takes it back."""
        one = self._pick(pick)
        assert self._try(lambda: actions.withdraw(one.id, by=agent_actor(self.world.agent))) == (
            one.status == "waiting"
        )
        one.status = "withdrawn" if one.status == "waiting" else one.status

    @precondition(lambda self: bool(self.known))
    @rule(pick=st.integers(0, 9), announced=st.booleans())
    def time_passes(self, pick: int, announced: bool) -> None:
        """Its deadline, or the end of its collection, is over; whether a task has said so or not."""
        one = self._pick(pick)
        assume(one.status in {"waiting", "approved"})
        over = db_now() - timedelta(seconds=1)
        ends: dict[str, Any] = {"deadline": over} if one.status == "waiting" else {"redeem_by": over}
        backdate(self._row(one), asked_at=over - timedelta(minutes=20), **ends)
        one.asked_at = over - timedelta(minutes=20)
        if announced:
            actions.expire(one.id)
            actions.lapse(one.id)
        one.status = "over"

    @precondition(lambda self: bool(self.known))
    @rule(pick=st.integers(0, 9), crash=st.booleans(), forged=st.booleans())
    def release(self, pick: int, crash: bool, forged: bool) -> None:
        """A gateway would run it: once, with the people it takes, and what was approved."""
        one = self._pick(pick)
        row, met = self._row(one), self._met(one)
        row.digest = "sha256:forged" if forged else row.digest
        done = self._try(lambda: release(row, REQUIREMENTS[one.needs]), crash)
        assert done == (one.status == "approved" and met and not crash and not forged)
        one.runs += done
        if done:
            one.status = "released"
        elif one.status == "approved" and not crash and not forged:
            one.status = "waiting"  # the people are too few by now: it waits again

    @rule(name=st.sampled_from(PEOPLE[:3]), group=st.sampled_from(("dba", "security")), joins=st.booleans())
    def membership(self, name: str, group: str, joins: bool) -> None:
        """Somebody joins or leaves a group; who joins counts for what is asked from then on."""
        user, its = self._user(name), getattr(self.cast, group)
        place = Membership.objects.filter(user=user, group=its).first()
        with suppress(NarrowgateError):
            if joins:
                people.add_member(user, its, actor=self.cast.administrator)
            elif place:
                people.remove_member(place, actor=self.cast.administrator)

    @rule(name=st.sampled_from(PEOPLE[:3]))
    def account(self, name: str) -> None:
        """An account is closed, or opened again; its memberships then begin anew."""
        if name in self.closed:
            people.reactivate(self._user(name), actor=SETUP)
            self.closed.discard(name)
        else:
            people.deactivate(self._user(name), actor=SETUP)
            self.closed.add(name)

    @invariant()
    def rows_agree(self) -> None:
        """A hold stands as the model has it, whatever died meanwhile; it ran as often as its record says: once at most."""
        released = [bytes(row.leaf).decode() for row in Outbox.objects.filter(event="action:released")]
        for one in self.known:
            row = self._row(one)
            if one.status != "over":
                assert row.status == one.status
            assert row.status != "released" or one.runs == 1
            assert sum(f'"hold":"{one.id}"' in leaf for leaf in released) == one.runs <= 1

    @invariant()
    def nobody_approved_their_own(self) -> None:
        """No review is by whoever answers for the agent."""
        involved = [getattr(self.cast, name).person for name in INVOLVED]
        assert not Hold.objects.filter(reviews__reviewer__person__in=involved).exists()

    def _pick(self, number: int) -> Known:
        return self.known[number % len(self.known)]

    def _user(self, name: str) -> User:
        return User.objects.get(id=getattr(self.cast, name).id)

    def _try(self, act: Any, crash: bool = False) -> bool:
        """Whether it was done. What `release` ends is committed before it is raised, as at a gateway."""
        if not crash:
            with suppress(NarrowgateError):
                act()
                return True
            return False
        with suppress(NarrowgateError), transaction.atomic():
            act()
            transaction.set_rollback(True)
        return False


def _fills(seats: list[str], people_in: list[set[str]]) -> bool:
    if not seats:
        return True
    first, *rest = seats
    return any(
        first in groups and _fills(rest, people_in[:number] + people_in[number + 1 :])
        for number, groups in enumerate(people_in)
    )


@pytest.mark.django_db
def test_no_sequence_breaks_a_promise(cast: Cast) -> None:
    machine = type("Machine", (Holds,), {"cast": cast})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            derandomize=ALWAYS_THE_SAME,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert connection.in_atomic_block  # the worker's database is as it was
