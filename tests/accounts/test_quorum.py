"""Seats and people: the arithmetic that decides whether enough of the right people approved."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.quorum import Requirement, Seat, could_fill, missing, satisfied, seated
from core.errors import Invalid

GROUPS = ("dba", "security", "legal")
requirements = st.dictionaries(st.sampled_from(GROUPS), st.integers(1, 3), min_size=1).map(Requirement)
seats = st.builds(Seat, st.sampled_from("abcdef"), st.frozensets(st.sampled_from(GROUPS)))
approvals = st.lists(seats, max_size=6)


def by_trying_everything(requirement: Requirement, given: Iterable[Seat]) -> bool:
    """The same question answered the slow way: is there any seating at all?"""
    people: dict[str, frozenset[str]] = {}
    for seat in given:
        people[seat.person] = people.get(seat.person, frozenset()) | seat.groups
    chairs = [group for group, count in requirement.seats.items() for _ in range(count)]
    return any(
        all(group in people[person] for group, person in zip(chairs, order, strict=True))
        for order in permutations(people, len(chairs))
    )


@given(requirements, approvals)
def test_matching_agrees_with_trying_everything(requirement: Requirement, given: list[Seat]) -> None:
    assert satisfied(requirement, given) == by_trying_everything(requirement, given)


@given(requirements, approvals, seats)
def test_one_more_approval_never_hurts(requirement: Requirement, given: list[Seat], more: Seat) -> None:
    assert seated(requirement, [*given, more]) >= seated(requirement, given)


@given(requirements, approvals, st.randoms())
def test_order_does_not_matter(requirement: Requirement, given: list[Seat], dice: object) -> None:
    assert satisfied(requirement, given) == satisfied(requirement, list(reversed(given)))


@given(requirements, approvals)
def test_it_takes_as_many_people_as_it_says(requirement: Requirement, given: list[Seat]) -> None:
    if satisfied(requirement, given):
        assert len({seat.person for seat in given}) >= requirement.people
        assert missing(requirement, given) == 0


@given(requirements, requirements, approvals)
def test_what_meets_the_merged_requirement_meets_both(one: Requirement, other: Requirement, given: list[Seat]) -> None:
    merged = one.merge(other)
    assert merged == other.merge(one)
    if satisfied(merged, given):
        assert satisfied(one, given)
        assert satisfied(other, given)


@given(requirements)
def test_a_requirement_is_read_back_as_written(requirement: Requirement) -> None:
    assert Requirement.parse(str(requirement)) == requirement
    assert copy.deepcopy(requirement) == requirement
    assert len({requirement, Requirement(dict(requirement.seats))}) == 1


def test_one_person_in_both_groups_takes_one_seat() -> None:
    requirement = Requirement.parse("dba:1, security:1")
    both = Seat("a", frozenset({"dba", "security"}))
    assert not satisfied(requirement, [both, both])
    assert satisfied(requirement, [both, Seat("b", frozenset({"dba"}))])


def test_two_accounts_of_one_person_are_one_person() -> None:
    accounts = [Seat("a", frozenset({"dba"})), Seat("a", frozenset({"security"}))]
    assert not satisfied(Requirement.parse("dba:1, security:1"), accounts)


def test_a_flexible_person_makes_room() -> None:
    flexible, fixed = Seat("a", frozenset({"dba", "security"})), Seat("b", frozenset({"dba"}))
    for order in ([flexible, fixed], [fixed, flexible]):
        assert satisfied(Requirement.parse("dba:1, security:1"), order)


@pytest.mark.parametrize(
    "text",
    ["", "dba", "dba:0", "dba:-1", "dba:2, dba:1", "dba:1;security:1", "DBA:1", "dba:21", "dba:1,", "dba:1.5", ":1"],
)
def test_what_requires_nothing_clear_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Requirement.parse(text)


def test_an_empty_requirement_cannot_be_made() -> None:
    with pytest.raises(Invalid):
        Requirement({})


@pytest.mark.parametrize(
    ("text", "json", "words"),
    [
        ("dba|oncall:2", {"dba|oncall": 2}, "2 of dba or oncall"),
        ("oncall | dba : 2", {"dba|oncall": 2}, "2 of dba or oncall"),
        ("dba:1 then security:1", {"dba": 1, "then": {"security": 1}}, "1 of dba, then 1 of security"),
        ("@data-owner:1, dba:1", {"@data-owner": 1, "dba": 1}, "1 of the data owner and 1 of dba"),
        ("dba:1 not trainees, vendors", {"dba": 1, "not": ["trainees", "vendors"]}, "1 of dba; nobody of trainees or vendors"),
    ],
)  # fmt: skip
def test_either_an_order_the_owner_and_who_is_left_out(text: str, json: dict[str, object], words: str) -> None:
    requirement = Requirement.parse(text)
    assert requirement.as_json() == json
    assert requirement.words == words
    assert Requirement.of(json) == requirement == Requirement.parse(str(requirement)) == copy.deepcopy(requirement)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dba:1 then", "not a group and a number"),
        ("dba:1 then security", "not a group and a number"),
        ("dba:1 then security:1 then legal:1", "three stages"),
        ("dba:1 not ", "not a group to leave out"),
        ("dba:1 not dba", "both asked for and left out"),
        ("dba:1 not trainees:1", "not a group to leave out"),
        ("dba|dba:1, dba:1", "named twice"),
        ("@owner:1", "not a group and a number"),
        ("then:1", "meaning of its own"),
        ("dba:12 then security:12", "between 1 and 20"),
    ],
)
def test_what_is_written_wrongly_is_refused_with_what_to_write(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        Requirement.parse(text)
    assert refused.value.remedy


def test_the_second_stage_counts_only_who_approved_after_the_first_was_full() -> None:
    requirement = Requirement.parse("dba:1 then security:1")
    first, second = Seat("a", frozenset({"dba"})), Seat("b", frozenset({"security"}))
    assert satisfied(requirement, [first, second])
    assert not satisfied(requirement, [second, first])
    assert could_fill(requirement, [second, first])
    both = Seat("c", frozenset({"dba", "security"}))
    assert satisfied(requirement, [first, both])
    assert not satisfied(requirement, [both])


def test_merging_keeps_each_stage_and_everybody_left_out() -> None:
    one, other = (
        Requirement.parse("dba:1 then security:1 not trainees"),
        Requirement.parse("dba:2, legal:1 not vendors"),
    )
    assert str(one.merge(other)) == "dba:2, legal:1 then security:1 not trainees, vendors"
