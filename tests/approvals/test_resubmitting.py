"""What reviewers see of an action that is asked again, and what is erased of it."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from agents.actors import agent_actor
from approvals import actions, resubmit_actions
from approvals.forgetting import forget_recordings
from approvals.models import Hold
from tests.approvals.world import World, held
from tests.bring.callers import Caller, browser

pytestmark = pytest.mark.django_db
WHY = "<b>Invoice</b> \u202e4711 is due"


def again(world: World) -> tuple[Hold, Hold]:
    old = held(world)
    old = actions.deny(old.id, actor=world.cast.reviewer, seen=old.digest, reason="Not this month")
    resubmit_actions.resubmit(old.id, by=agent_actor(world.agent), justification=WHY)
    return old, held(world)


def page(client: Client, hold: Hold) -> str:
    return client.get(reverse("queue:hold", args=[hold.id])).content.decode()


def test_reviewers_see_the_denial_and_the_agents_words_as_a_claim(world: World) -> None:
    old, new = again(world)
    shown = page(browser(world.cast.reviewer), new)
    assert reverse("queue:hold", args=[old.id]) in shown
    assert "Not this month" in shown
    assert "&lt;b&gt;Invoice" in shown
    assert "U+202E" in shown
    assert "\u202e" not in re.sub(r"<[^>]*>", " ", shown)
    assert reverse("queue:hold", args=[new.id]) in page(browser(world.cast.reviewer), old)


def test_the_api_says_both(world: World) -> None:
    old, new = again(world)
    ask = Caller(world.cast.reviewer)
    _, said = ask.get(f"holds/{new.id}")
    assert (said["resubmits"], said["justification"]) == (str(old.id), WHY)
    _, said = ask.get(f"holds/{old.id}")
    assert (said["resubmits"], said["justification"]) == (None, "")


def test_what_was_said_is_erased_with_what_was_denied(world: World) -> None:
    old, new = again(world)
    forget_recordings([old.action_id], "Erased.")
    new.refresh_from_db()
    assert new.resubmits is not None
    assert new.resubmits.justification == ""
    assert "4711" not in page(browser(world.cast.reviewer), new)
