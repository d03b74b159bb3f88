"""The counts that are kept behind the ledger equal a recount, whatever happens between reading and committing."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from activity.hotpath import intent_record
from activity.models import Action
from agents.actors import agent_actor
from approvals.models import Hold
from core.db import db_now
from core.ids import new_id
from ledger.entries import Actor, Subject, shared_details
from ledger.events import Event
from ledger.models import Entry
from ledger.write import record
from monitoring import counting, recount, tasks
from monitoring.models import AgentHourCount, Cursor, MinuteCount
from monitoring.recount import FROM_THE_FIRST, check, settled_until
from monitoring.tally import KINDS, Decided, by_agent_and_hour, by_minute, kind_of
from tests.approvals.world import held, in_thread
from tests.monitoring.conftest import Watched, sequenced

GATE = Actor(kind="gateway", id="00000000-0000-0000-0000-000000000001", name="gate")
HOUR = timedelta(hours=1)
EARLIER = datetime.fromisoformat("2026-11-01T00:00:00+00:00")


# ---- the arithmetic ----
@given(
    st.lists(
        st.tuples(
            st.integers(0, 600), st.integers(0, 3), st.sampled_from(KINDS), st.integers(1, 50)
        )
    )
)  # fmt: skip
def test_minutes_and_hours_count_the_same_actions(rows: list[tuple[int, int, str, int]]) -> None:
    decided = [Decided(EARLIER + timedelta(minutes=at), UUID(int=agent), kind, n) for at, agent, kind, n in rows]
    for counts in (by_minute(decided).values(), by_agent_and_hour(decided).values()):
        for kind in KINDS:
            assert sum(one[kind] for one in counts) == sum(one.number for one in decided if one.kind == kind)


def test_a_masked_action_is_counted_as_masked_only() -> None:
    assert kind_of("allow", masked=True) == "mask"
    assert kind_of("allow", masked=False) == "allow"
    assert kind_of("deny", masked=True) == "deny"
    assert kind_of("hold", masked=True) == "hold"


# ---- behind a real ledger ----
def _intent(watched: Watched, at: datetime, decision: str, *, masked: bool = False) -> Action:
    action = new_id()
    return Action(
        id=action, session_id=new_id(), node_id=new_id(), agent_id=watched.world.agent.id, credential_id=new_id(),
        resource_id=watched.world.resource.id, number=1, verb="sql:select", shown="SELECT 1", digest="sha256:00",
        salt=b"", decision=decision, masked=masked, status="denied" if decision == "deny" else "released", asked_at=at,
    )  # fmt: skip


def allow_together(watched: Watched, moments: list[datetime], *, masked: bool = False) -> None:
    """Several reads that share an entry, as the gateway's recorder writes them."""
    with transaction.atomic():
        actions = [_intent(watched, at, "allow", masked=masked) for at in moments]
        details = shared_details([intent_record(action) for action in actions])
        uid = record(Event.ACTIONS_ALLOWED, actor=GATE, subject=Subject("gateway", GATE.id, GATE.name), details=details)
        for action in actions:
            action.entry_id = uid
        Action.objects.bulk_create(actions)


def deny_one(watched: Watched, at: datetime) -> None:
    with transaction.atomic():
        action = _intent(watched, at, "deny")
        action.entry_id = record(
            Event.ACTION_DENIED, actor=agent_actor(watched.agent), action=action.id,
            subject=Subject("action", str(action.id), "sql:select"), details={"code": "forbidden"},
        )  # fmt: skip
        action.save(force_insert=True)


def hold_one(watched: Watched, at: datetime) -> Hold:
    with transaction.atomic():
        hold = held(watched.world)
        action = _intent(watched, at, "hold")
        action.id, action.status = hold.action_id, "held"
        action.save(force_insert=True)
    return hold


def _totals() -> dict[str, int]:
    rows = MinuteCount.objects.values_list(*KINDS)
    return {kind: sum(row[place] for row in rows) for place, kind in enumerate(KINDS)}


def _whole() -> recount.Differences:
    return recount.recount(FROM_THE_FIRST, db_now().replace(minute=0, second=0, microsecond=0) + HOUR)


def _count_on() -> None:
    sequenced()
    while counting.turn():
        pass


def test_every_kind_is_counted_once_by_minute_and_by_agent_and_hour(watched: Watched) -> None:
    now = db_now()
    allow_together(watched, [now] * 3)
    allow_together(watched, [now] * 2, masked=True)
    deny_one(watched, now)
    hold_one(watched, now)
    _count_on()
    assert _totals() == {"allow": 3, "mask": 2, "deny": 1, "hold": 1}
    (hours,) = AgentHourCount.objects.values_list(*KINDS)
    assert hours == (3, 2, 1, 1)
    _count_on()
    assert _totals()["allow"] == 3, "read again, nothing is counted twice"
    assert _whole().number == 0


def test_an_action_asked_long_before_its_entry_is_found(watched: Watched) -> None:
    allow_together(watched, [db_now(), db_now() - timedelta(minutes=7), db_now() - 5 * HOUR])
    _count_on()
    assert _totals()["allow"] == 3
    assert _whole().number == 0


def test_an_outcome_that_comes_late_changes_no_count(watched: Watched) -> None:
    allow_together(watched, [db_now()])
    _count_on()
    Action.objects.update(status="uncertain", finished_at=db_now(), rows=7)
    _count_on()
    assert _totals()["allow"] == 1
    assert _whole().number == 0


def test_a_hold_that_is_asked_again_counts_once(watched: Watched) -> None:
    hold = hold_one(watched, db_now())
    with transaction.atomic():
        record(
            Event.HOLD_ASKED, actor=GATE, subject=Subject("hold", str(hold.id), "hold"), action=hold.action_id,
            details={"again": True},
        )  # fmt: skip
    _count_on()
    assert _totals()["hold"] == 1


def test_a_crash_between_counting_and_moving_on_counts_once(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    allow_together(watched, [db_now()] * 4)
    sequenced()

    def crash(*_: object) -> None:
        raise RuntimeError("the process ends here")

    with monkeypatch.context() as patched:
        patched.setattr(counting, "_move", crash)
        with pytest.raises(RuntimeError):
            counting.turn()
    assert _totals()["allow"] == 0
    _count_on()
    assert _totals()["allow"] == 4


def test_while_one_counts_another_does_nothing(watched: Watched) -> None:
    allow_together(watched, [db_now()])
    sequenced()
    with transaction.atomic():
        Cursor.objects.select_for_update().get(id=Cursor.COUNTER)
        thread, results = in_thread(counting.turn)
        thread.join(10)
    assert results == [False]
    assert _totals()["allow"] == 0


def test_any_history_read_in_any_steps_equals_a_recount(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Property: whatever was asked, however it was batched, and wherever reading stopped in between."""

    @settings(max_examples=15, deadline=None, database=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from(("allow", "mask", "deny")), st.integers(0, 4000), st.integers(1, 6)), max_size=8
        ),
        st.integers(1, 5),
    )
    def history(asked: list[tuple[str, int, int]], at_once: int) -> None:
        monkeypatch.setattr(counting, "AT_ONCE", at_once)
        now = db_now()
        for kind, seconds, number in asked:
            at = now - timedelta(seconds=seconds)
            if kind == "deny":
                deny_one(watched, at)
            else:
                allow_together(watched, [at - timedelta(seconds=n) for n in range(number)], masked=kind == "mask")
        sequenced()
        counting.turn()
        _count_on()
        assert _whole().number == 0
        assert sum(_totals().values()) == Action.objects.count()

    history()


# ---- the check ----
def _old_history(watched: Watched) -> datetime:
    """Actions of some hours ago, counted."""
    at = db_now().replace(minute=10) - 2 * HOUR
    allow_together(watched, [at, at + timedelta(minutes=1)])
    _count_on()
    return at


def test_the_check_says_that_counts_equal_a_recount(watched: Watched) -> None:
    _old_history(watched)
    tasks.recount()
    cursor = Cursor.objects.get(id=Cursor.COUNTER)
    assert cursor.differing == 0
    assert cursor.checked_until == settled_until()
    call_command("recount")


def test_a_wrong_count_is_found_stays_noted_and_is_repaired_with_an_entry(watched: Watched) -> None:
    at = _old_history(watched)
    MinuteCount.objects.filter(at__gte=at.replace(second=0, microsecond=0)).update(allow=40)
    AgentHourCount.objects.update(deny=9)
    with pytest.raises(CommandError, match="3 counts"):
        call_command("recount")
    assert Cursor.objects.get(id=Cursor.COUNTER).differing == 3
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recount, "LATELY", timedelta(0))
        check()
    assert Cursor.objects.get(id=Cursor.COUNTER).differing == 3, "a check of less than the whole takes nothing back"
    call_command("recount", "--repair")
    assert _totals()["allow"] == 2
    assert Cursor.objects.get(id=Cursor.COUNTER).differing == 0
    sequenced()
    assert Entry.objects.filter(event=Event.COUNTS_REPAIRED).count() == 1


def test_an_action_nobody_recorded_is_a_difference(watched: Watched) -> None:
    at = _old_history(watched)
    _intent(watched, at, "allow").save(force_insert=True)
    assert check(since=FROM_THE_FIRST).number == 2


def test_what_is_not_counted_yet_is_not_compared(watched: Watched) -> None:
    """Where the counter is behind, what it has not read is no difference."""
    at = _old_history(watched)
    Cursor.objects.filter(id=Cursor.COUNTER).update(next=0)
    first = Entry.objects.filter(event=Event.ACTIONS_ALLOWED).get()
    assert first.recorded is not None
    assert settled_until() <= first.recorded - timedelta(minutes=10)
    assert settled_until() < at + 3 * HOUR


def test_a_hundred_reads_a_second_are_counted_in_a_fraction_of_it(watched: Watched) -> None:
    now = db_now()
    for _ in range(40):
        allow_together(watched, [now] * 50)
    sequenced()
    began = time.monotonic()
    while counting.turn():
        pass
    assert _totals()["allow"] == 2000
    assert time.monotonic() - began < 2
