"""What reaches whom how: decided by a pure function, for every choice that there is."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.notifications.choosing import BY_NAME, NARROWED, Choice, Concern, is_severe, ways
from approvals.notifications.kinds import Kind
from ledger.events import Event

IDS = [UUID(int=n) for n in range(1, 4)]
KINDS = st.sampled_from(list(Kind))
SOME_KINDS = st.frozensets(KINDS)
SOME_IDS = st.frozensets(st.sampled_from(IDS))
POLICIES = st.frozensets(st.sampled_from(["writes", "exports", "deletes"]))
HOURS = st.one_of(st.none(), st.times())
CONCERNS = st.builds(
    Concern, st.one_of(st.none(), st.sampled_from(IDS)), st.one_of(st.none(), st.sampled_from(IDS)), POLICIES,
    st.sampled_from(["", "low", "critical"]),
)  # fmt: skip
CHOICES = st.builds(
    Choice, SOME_KINDS, SOME_KINDS, SOME_KINDS, HOURS, HOURS, st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
    st.booleans(), SOME_IDS, SOME_IDS, POLICIES,
)  # fmt: skip
EVENTS = st.sampled_from([Event.HOLD_ASKED.value, Event.HOLD_HANDED.value, Event.HOLD_DENIED.value])
NOWS = st.integers(0, 365 * 86_400).map(lambda late: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=late))
NOW = datetime(2026, 11, 26, 23, tzinfo=UTC)
NIGHT: dict[str, Any] = {"quiet_from": time(22), "quiet_until": time(7)}


@settings(max_examples=200)
@given(CHOICES, KINDS, EVENTS, CONCERNS, NOWS)
def test_every_choice_is_kept(choice: Choice, kind: Kind, event: str, concern: Concern, now: datetime) -> None:
    reach = ways(choice, kind, event, concern, now)
    assert not (reach.page and kind in choice.unshown)
    assert not (reach.mail and kind in choice.unmailed)
    assert not (reach.push and kind in choice.unpushed)
    for at in (reach.mail, reach.push):
        assert at is None or now <= at <= now + timedelta(hours=26)  # a day, and a clock that jumps
    if choice.severe and is_severe(kind, concern):
        assert {reach.mail, reach.push} <= {now, None}
    if kind not in NARROWED or event in BY_NAME:
        assert (reach.page, reach.mail is None, reach.push is None) == (
            kind not in choice.unshown, kind in choice.unmailed, kind in choice.unpushed,
        )  # fmt: skip
    elif choice.agents and concern.agent is not None and concern.agent not in choice.agents:
        assert not reach.any


def test_without_a_choice_everything_comes_at_once() -> None:
    for kind in Kind:
        reach = ways(Choice(), kind, "", Concern(), NOW)
        assert (reach.page, reach.mail, reach.push) == (True, NOW, NOW)


@pytest.mark.parametrize(
    ("severe", "kind", "severity", "waits"),
    [
        (False, Kind.REVIEW, "critical", True), (True, Kind.REVIEW, "critical", False), (True, Kind.REVIEW, "high", True),
        (True, Kind.GLASS, "", False), (True, Kind.INCIDENT, "", True),
    ],
)  # fmt: skip
def test_what_is_severe_comes_through_where_somebody_says_so(
    severe: bool, kind: Kind, severity: str, waits: bool
) -> None:
    reach = ways(Choice(**NIGHT, severe=severe), kind, "", Concern(severity=severity), NOW)
    assert (reach.mail != NOW) is waits
    assert reach.mail == reach.push
    assert reach.page


@pytest.mark.parametrize(
    ("choice", "comes"),
    [
        (Choice(agents=[IDS[0]]), True), (Choice(agents=[IDS[1]]), False), (Choice(resources=[IDS[1]]), True),
        (Choice(resources=[IDS[0]]), False), (Choice(policies=["writes"]), True), (Choice(policies=["exports"]), False),
        (Choice(agents=[IDS[0]], policies=["exports"]), False),
    ],
)  # fmt: skip
def test_filters_narrow_what_may_be_reviewed_and_not_what_a_colleague_hands_over(choice: Choice, comes: bool) -> None:
    concern = Concern(IDS[0], IDS[1], frozenset({"writes"}))
    assert ways(choice, Kind.REVIEW, Event.HOLD_ASKED, concern, NOW).any is comes
    assert ways(choice, Kind.REVIEW, Event.HOLD_HANDED, concern, NOW).any
    assert ways(choice, Kind.GLASS, Event.GLASS_BROKEN, concern, NOW).any
