"""What somebody may review is asked once while a page is read, and afresh by whatever acts."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from accounts.objects import reviewable_by
from accounts.once import OncePerPage
from agents.review_actions import stop_review
from tests.approvals.world import World, assemble
from tests.cast import Cast


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _asked_twice(world: World, method: str, expected: int, count: DjangoAssertNumQueries) -> None:
    def answer(_request: object) -> HttpResponse:
        for _ in range(2):
            assert world.segment.id in reviewable_by(world.cast.reviewer).segments
            assert world.segment.id not in reviewable_by(world.cast.outsider).segments
        return HttpResponse()

    with count(expected):
        OncePerPage(answer)(RequestFactory().generic(method, "/"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_asks_once_for_each_person(
    world: World, method: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _asked_twice(world, method, 1, django_assert_num_queries)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_whatever_acts_asks_each_time(
    world: World, method: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _asked_twice(world, method, 2, django_assert_num_queries)


def test_the_next_page_and_everything_outside_of_one_sees_what_was_withdrawn(world: World) -> None:
    seen: list[bool] = []

    def answer(_request: object) -> HttpResponse:
        seen.append(world.segment.id in reviewable_by(world.cast.reviewer).segments)
        return HttpResponse()

    page = OncePerPage(answer)
    page(RequestFactory().get("/"))
    stop_review(world.cast.dba, world.segment, actor=world.cast.administrator)
    stop_review(world.cast.security, world.segment, actor=world.cast.administrator)
    page(RequestFactory().get("/"))
    assert seen == [True, False]
    assert world.segment.id not in reviewable_by(world.cast.reviewer).segments


def test_an_answer_that_fails_leaves_nothing_behind(
    world: World, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def fail(_request: object) -> HttpResponse:
        reviewable_by(world.cast.reviewer)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 -- it is ours
        OncePerPage(fail)(RequestFactory().get("/"))
    with django_assert_num_queries(2):
        reviewable_by(world.cast.reviewer)
        reviewable_by(world.cast.reviewer)
