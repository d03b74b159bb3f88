"""A shared entry speaks of each of its actions, or the page says that it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.urls import reverse

from activity.hotpath import Intent
from activity.models import Action
from audit.shared_entries import BROKEN, INCOMPLETE, VERIFIED, Shared, shared_of
from console.database import Logins
from core.ids import new_id
from gateway.batches import intent_drafts
from ledger.entries import Actor
from ledger.models import Entry
from ledger.write import INSERT_SQL, TAKE_SQL, columns, rows
from tests.approvals.world import World, assemble
from tests.audit.test_api import sequence
from tests.bring.callers import browser
from tests.cast import Cast

NODE = Actor(kind="gateway", id="1", name="node-1")


@pytest.fixture
def three(fresh_database: Logins, fresh_cast: Cast, tmp_path: Path) -> tuple[World, list[Action]]:
    """Three reads that share an entry, in the log."""
    world = assemble(fresh_cast)
    intents = [_intent(world, number) for number in range(1, 4)]
    drafts = intent_drafts([(intent, None) for intent in intents], NODE)
    with transaction.atomic(), connection.cursor() as cursor:
        for intent in intents:
            Action.objects.create(
                **{
                    name: getattr(intent, name)
                    for name in intent.__slots__
                    if name not in {"tables", "tags", "policies", "question"}
                }
            )
        cursor.execute(TAKE_SQL, ["tests/shared", len(drafts)])
        cursor.execute(INSERT_SQL, columns(rows(drafts, "tests/shared", *cursor.fetchone())))
    sequence(fresh_database, tmp_path)
    return world, list(Action.objects.order_by("id"))


def _intent(world: World, number: int) -> Intent:
    return Intent(
        id=new_id(), session_id=new_id(), node_id=new_id(), agent_id=world.agent.id, resource_id=world.resource.id,
        credential_id=new_id(), number=number, verb="sql:select", shown=f"SELECT {number}", digest="sha256:" + "1" * 64,
        salt=bytes(32), decision="allow", status="released", asked_at=datetime.now(UTC), policy_version=1,
    )  # fmt: skip


def _shared(action: Action) -> Shared:
    shared = shared_of(Entry.objects.get(uid=action.entry_id), action)
    assert shared is not None
    return shared


def test_each_of_them_is_proved_and_the_page_says_so(three: tuple[World, list[Action]]) -> None:
    world, actions = three
    assert [_shared(action) for action in actions] == [
        Shared(3, VERIFIED, 1, 2), Shared(3, VERIFIED, 2, 2), Shared(3, VERIFIED, 3, 1),
    ]  # fmt: skip
    page = browser(world.cast.auditor).get(reverse("record:action", args=[actions[1].id])).content.decode()
    assert "One of 3 reads that share it: number 2" in " ".join(page.split())
    assert "Show the proof" in page
    for who in ("owner", "reviewer"):
        page = browser(getattr(world.cast, who)).get(reverse("record:action", args=[actions[1].id])).content.decode()
        assert "One of 3 reads" in page
        assert "Show the proof" not in page


def test_a_row_that_was_changed_is_found_out(three: tuple[World, list[Action]]) -> None:
    world, actions = three
    Action.objects.filter(id=actions[0].id).update(verb="sql:delete")
    assert {_shared(action).state for action in Action.objects.all()} == {BROKEN}
    page = browser(world.cast.auditor).get(reverse("record:action", args=[actions[0].id])).content.decode()
    assert "This row is not what the entry says." in page


def test_a_missing_row_is_not_called_a_proof(three: tuple[World, list[Action]]) -> None:
    _, actions = three
    actions[0].delete()
    assert _shared(actions[1]) == Shared(3, INCOMPLETE)


def test_an_entry_of_its_own_shares_nothing(three: tuple[World, list[Action]]) -> None:
    _, actions = three
    other = Entry.objects.exclude(event="actions:allowed").first()
    assert other is not None
    assert shared_of(other, actions[0]) is None
