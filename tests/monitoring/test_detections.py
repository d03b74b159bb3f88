from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring import budget
from monitoring.detect import READS, ROWS, Seen, denials, tagged_reads

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(*seconds: float) -> list[Seen]:
    return [Seen(NOW + timedelta(seconds=second)) for second in seconds]


def test_five_denials_within_a_minute_are_found() -> None:
    (burst,) = denials(at(0, 10, 20, 30, 60))
    assert (burst.began, burst.completed, burst.count) == (NOW, NOW + timedelta(minutes=1), 5)


@pytest.mark.parametrize("seconds", [(0, 1, 2, 3), (0, 15, 30, 45, 60.001), (0, 1, 2, 3, 120, 121, 122, 123), ()])
def test_four_denials_or_a_longer_minute_are_not(seconds: tuple[float, ...]) -> None:
    assert denials(at(*seconds)) == []


def test_each_denial_is_part_of_one_burst() -> None:
    assert len(denials(at(*range(9)))) == 1
    assert len(denials(at(*range(10)))) == 2


@given(st.lists(st.floats(0, 600), max_size=40))
def test_the_order_of_telling_does_not_matter(seconds: list[float]) -> None:
    assert denials(at(*seconds)) == denials(at(*reversed(seconds)))


def test_a_burst_of_reads_is_many_reads_or_many_rows() -> None:
    many = at(*[number * 0.5 for number in range(READS)])
    assert len(tagged_reads(many)) == 1
    assert tagged_reads(many[1:]) == []
    assert len(tagged_reads([Seen(NOW, ROWS // 2), Seen(NOW + timedelta(seconds=59), ROWS // 2)])) == 1
    assert tagged_reads([Seen(NOW, ROWS // 2), Seen(NOW + timedelta(seconds=61), ROWS // 2)]) == []
    assert tagged_reads([Seen(NOW, ROWS - 1)]) == []


@pytest.mark.parametrize(
    ("fleet", "unanswered", "allowed"),
    [(9, 0, True), (9, 1, False), (100, 9, True), (100, 10, False), (1, 0, True), (0, 0, True), (0, 1, False)],
)
def test_a_tenth_of_the_fleet_and_at_least_one_may_be_suspended_without_a_person(
    fleet: int, unanswered: int, allowed: bool
) -> None:
    assert budget.allows(fleet=fleet, unanswered=unanswered) is allowed
