"""A reviewer's own figures: their median, what share they approve, what others overturned; nobody else's."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from approvals import actions, grant_actions
from approvals.figures import figures
from approvals.granting import Wider
from approvals.models import Grant, Scope
from core.db import db_now
from tests.approvals.world import BOTH, TWO, World, approve, backdate, held

pytestmark = pytest.mark.django_db


def test_they_count_what_one_decided_and_what_became_of_it(world: World) -> None:
    rita, tom = world.cast.reviewer, world.cast.teammate
    slow = approve(held(world, text="DELETE 1"), rita)
    backdate(slow, asked_at=db_now() - timedelta(minutes=10))
    wide = held(world, text="DELETE 2")
    actions.approve(wide.id, actor=rita, seen=wide.digest, wider=Wider(Scope.SAME, 60, 5))
    grant_actions.revoke(Grant.objects.get().id, actor=tom, reason="Too wide")
    contested = approve(held(world, TWO, text="DELETE 3"), rita)
    actions.deny(contested.id, actor=tom, seen=contested.digest, reason="No")
    mine = held(world, text="DELETE 4")
    actions.deny(mine.id, actor=rita, seen=mine.digest, reason="No")
    week = figures(rita)[0]
    assert (week.decided, week.approved, week.share, week.overturned) == (4, 3, 75, 2)
    assert week.median is not None
    assert week.median < 60
    assert week.hasty == 2
    assert [one.decided for one in figures(world.cast.owner)] == [0, 0, 0]


def test_what_was_taken_back_is_no_decision(world: World) -> None:
    hold = approve(held(world, BOTH), world.cast.reviewer)
    actions.retract(hold.id, actor=world.cast.reviewer)
    assert figures(world.cast.reviewer)[0].decided == 0


def test_the_page_shows_ones_own(world: World, client: Client) -> None:
    approve(held(world, text="DELETE FROM mine"), world.cast.reviewer)
    client.force_login(world.cast.teammate)
    assert "You have not decided anything yet." in client.get("/queue/figures/").content.decode()
    client.force_login(world.cast.reviewer)
    page = client.get("/queue/figures/").content.decode()
    assert "100 %" in page
    assert "Deletes rows from customers" in page
