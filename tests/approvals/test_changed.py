"""What a reviewer is told of the last time: what changed in a call's arguments, and whether anybody can decide."""

import re
from typing import Any

import pytest
from django.urls import reverse

from accounts.quorum import Requirement
from approvals import actions
from approvals.changed import compared, since_last
from approvals.models import Hold
from approvals.queries import too_few
from tests.approvals.world import World, approve, backdate, held
from tests.bring.callers import browser

pytestmark = pytest.mark.django_db
FIRST = 'payments.transfer {\n  "amount": 250,\n  "to": "DE02"\n}'
NEXT = 'payments.transfer {\n  "amount": 9000,\n  "to": "DE\u043e2"\n}'


def call(world: World, shown: str, **changed: Any) -> Hold:
    return held(world, text=shown, shown=shown, **{"verb": "app:call", "shape": "payments.transfer", **changed})


def page(world: World, hold: Hold) -> str:
    return browser(world.cast.reviewer).get(reverse("queue:hold", args=[hold.id])).content.decode()


def test_what_changed_from_last_time_is_shown_line_by_line(world: World) -> None:
    first = call(world, FIRST)
    assert "What changed from last time" not in page(world, first)
    actions.deny(first.id, actor=world.cast.reviewer, seen=first.digest, reason="No")
    shown = page(world, call(world, NEXT))
    assert "What changed from last time" in shown
    assert reverse("queue:hold", args=[first.id]) in shown
    assert re.search(r'data-sign="-">.*&quot;amount&quot;: 250', shown)
    assert re.search(r'data-sign="\+">.*&quot;amount&quot;: 9000', shown)
    assert "U+043E" in shown  # a look-alike is marked here too


def test_the_very_same_says_so(world: World) -> None:
    first = call(world, FIRST)
    actions.deny(first.id, actor=world.cast.reviewer, seen=first.digest, reason="No")
    assert "it asks the very same again" in page(world, call(world, FIRST))


@pytest.mark.parametrize("changed", [{"verb": "sql:delete"}, {"shape": ""}, {"verb": "http:post"}])
def test_nothing_else_is_compared(world: World, changed: dict[str, str]) -> None:
    approve(call(world, FIRST), world.cast.reviewer)
    assert since_last(call(world, NEXT, **changed)) is None


def test_only_lines_beside_what_differs_are_told() -> None:
    before = "\n".join(str(number) for number in range(20))
    told = [(line.sign, line.text) for line in compared(before, before.replace("10", "ten"))]
    assert told == [(" ", "…"), (" ", "9"), ("-", "10"), ("+", "ten"), (" ", "11")]
    assert compared(before, before) == []


def test_too_few_is_said_while_it_waits_and_no_longer(world: World) -> None:
    assert not too_few(held(world))
    hold = held(world, Requirement({"dba": 9}), text="DELETE 9")
    assert too_few(hold)
    backdate(hold, status=Hold.Status.WITHDRAWN)
    hold.refresh_from_db()
    assert not too_few(hold)
