"""What goes on around a hold while it waits: questions to the owner, and who is asked while somebody is away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from approvals import absence_actions, actions, question_actions, waiting_actions
from approvals.models import Absence, Hold, HoldQuestion
from approvals.notifications.audience import audience
from approvals.notifications.told import Told
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotEligible, NotFound, Refused
from ledger.models import Outbox
from tests.approvals.world import ONE, TWO, World, held

pytestmark = pytest.mark.django_db


def told(hold: Hold, event: str, actor: User | None = None) -> set[User]:
    said = Told(1, hold.id, event, db_now(), str(actor.id) if actor else "", hold.id, "sql:delete")
    return {one.person for one in audience([said])}


def gone(person: User, delegate: User, **changed: Any) -> Absence:
    now = db_now()
    when = {"begins": now - timedelta(hours=1), "ends": now + timedelta(days=1)} | changed
    return absence_actions.go_away(actor=person, delegate=delegate, **when)


def test_a_question_is_answered_by_the_owner_and_both_are_recorded(world: World) -> None:
    cast, hold = world.cast, held(world)
    question = question_actions.ask_owner(hold.id, actor=cast.reviewer, text="Which ticket?")
    assert told(hold, "hold:questioned", cast.reviewer) == {cast.owner, cast.deputy}
    answered = question_actions.answer(hold.id, question.id, actor=cast.deputy, text="4711")
    assert (answered.answer, answered.answered_by) == ("4711", cast.deputy)
    assert told(hold, "hold:answered", cast.deputy) == {cast.reviewer}
    leaves = [bytes(row.leaf) for row in Outbox.objects.filter(event__in=["hold:questioned", "hold:answered"])]
    assert len(leaves) == 2
    assert not any(b"ticket" in leaf or b"4711" in leaf for leaf in leaves)  # committed to, kept beside
    with pytest.raises(AlreadySettled):
        question_actions.answer(hold.id, question.id, actor=cast.owner, text="Again")


def test_only_who_may_review_asks_and_only_who_answers_for_it_answers(world: World) -> None:
    cast, hold = world.cast, held(world)
    with pytest.raises(NotEligible):
        question_actions.ask_owner(hold.id, actor=cast.owner, text="Why?")
    with pytest.raises(NotFound):
        question_actions.ask_owner(hold.id, actor=cast.outsider, text="Why?")
    with pytest.raises(Invalid):
        question_actions.ask_owner(hold.id, actor=cast.reviewer, text=" ")
    question = question_actions.ask_owner(hold.id, actor=cast.reviewer, text="Why?")
    with pytest.raises(NotEligible):
        question_actions.answer(hold.id, question.id, actor=cast.teammate, text="Because")
    with pytest.raises(NotFound):
        question_actions.answer(hold.id, hold.id, actor=cast.owner, text="Because")
    Hold.objects.update(asked=question_actions.MOST)
    with pytest.raises(Refused):
        question_actions.ask_owner(hold.id, actor=cast.reviewer, text="One more?")
    actions.deny(hold.id, actor=cast.teammate, seen=hold.digest, reason="No")
    with pytest.raises(AlreadySettled):
        question_actions.answer(hold.id, question.id, actor=cast.owner, text="Late")


def test_the_page_asks_and_answers(world: World, client: Client) -> None:
    cast, hold = world.cast, held(world)
    client.force_login(cast.reviewer)
    assert "Ask Olga Owner something" in client.get(f"/queue/{hold.id}/").content.decode()
    assert client.post(f"/queue/{hold.id}/ask/", {"text": ""}).status_code == 422
    assert client.post(f"/queue/{hold.id}/ask/", {"text": "<b>Why</b>?"}).status_code == 302
    assert "no answer yet" in client.get(f"/queue/{hold.id}/").content.decode()
    client.force_login(cast.owner)
    page = client.get(f"/queue/{hold.id}/").content.decode()
    assert "Your answer" in page
    assert "<b>Why" not in page
    question = HoldQuestion.objects.get()
    assert client.post(f"/queue/{hold.id}/answer/{question.id}/", {"text": "So"}).status_code == 302
    assert "“So”" in client.get(f"/queue/{hold.id}/").content.decode()


def test_a_colleague_is_told_in_the_place_of_who_is_away(world: World) -> None:
    cast, hold = world.cast, held(world, TWO)
    gone(cast.reviewer, cast.teammate)
    assert told(hold, "hold:asked") == {cast.teammate} | told_administrators(hold)
    absence_actions.come_back(actor=cast.reviewer)
    assert cast.reviewer in told(hold, "hold:asked")


def told_administrators(hold: Hold) -> set[User]:
    return {one for one in told(hold, "hold:asked") if "administrator" in one.roles}


def test_who_may_not_review_it_stands_in_for_nobody(world: World) -> None:
    cast, hold = world.cast, held(world)
    gone(cast.reviewer, cast.reviewer2)
    assert told(hold, "hold:asked") == {cast.reviewer, cast.teammate}
    handed = waiting_actions.hand_over(hold.id, actor=cast.teammate, to=cast.reviewer.id)
    assert handed.handed_to == cast.reviewer


def test_what_is_handed_to_who_is_away_goes_to_who_stands_in(world: World) -> None:
    cast, hold = world.cast, held(world, ONE)
    cast.owner.refresh_from_db()
    third = User.objects.get(id=cast.reviewer2.id)
    gone(cast.teammate, third)
    assert absence_actions.stands_in(cast.teammate, hold, now=db_now()) == cast.teammate  # of security: may not
    gone(cast.reviewer, cast.teammate, begins=db_now() + timedelta(hours=1))
    assert absence_actions.stands_in(cast.reviewer, hold, now=db_now()) == cast.reviewer  # not away yet
    gone(cast.reviewer, cast.teammate)
    assert absence_actions.stands_in(cast.reviewer, hold, now=db_now()) == cast.teammate


def test_an_absence_ends_after_it_begins_and_names_somebody_else(world: World) -> None:
    cast, now = world.cast, db_now()
    for changed in (
        {"ends": now - timedelta(hours=2)},
        {"ends": now - timedelta(minutes=1)},
        {"ends": now + timedelta(days=100)},
    ):
        with pytest.raises(Invalid):
            gone(cast.reviewer, cast.teammate, **changed)
    with pytest.raises(Invalid):
        gone(cast.reviewer, cast.reviewer)
    with pytest.raises(NotFound):
        absence_actions.come_back(actor=cast.reviewer)


def test_the_pages_say_who_is_away(world: World, client: Client) -> None:
    cast, hold = world.cast, held(world)
    client.force_login(cast.reviewer)
    wrong = client.post("/queue/away/", {"delegate": "nobody", "begins": "2026-01-01T00:00", "ends": "x"})
    assert (wrong.status_code, "Nobody here has that user name" in wrong.content.decode()) == (422, True)
    ends = (db_now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    assert (
        client.post("/queue/away/", {"delegate": "tom", "begins": "2026-01-01T00:00", "ends": ends}).status_code == 422
    )
    begins = (db_now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    assert client.post("/queue/away/", {"delegate": "tom", "begins": begins, "ends": ends}).status_code == 302
    assert "You are away until" in client.get("/queue/away/").content.decode()
    client.force_login(cast.teammate)
    assert "Tom Teammate stands in" in client.get(f"/queue/{hold.id}/").content.decode()
    client.force_login(cast.reviewer)
    assert client.post("/queue/away/back/").status_code == 302
    assert not Absence.objects.exists()
