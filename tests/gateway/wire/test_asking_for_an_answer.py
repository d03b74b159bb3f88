"""An agent asks the door what became of its action."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from activity.models import Action
from agents import actions as inventory
from agents.models import Credential
from core.ids import new_id
from tests.gateway.wire.doors import client, served
from tests.gateway.wire.world import World, eventually


@pytest.fixture
def get(world: World) -> Iterator[Any]:
    """Asks the door about an action: the status, and what it says."""
    with served(world) as door, client(world, door) as asking:

        def ask(action_id: UUID, token: str = "") -> tuple[int, dict[str, Any]]:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = asking.get(f"/v1/actions/{action_id}", headers=headers)
            return answer.status_code, answer.json()

        yield ask


def test_its_own_action(world: World, get: Any) -> None:
    with world.connect() as connection, pytest.raises(psycopg.Error):
        connection.execute("TRUNCATE orders")
    found = eventually(lambda: Action.objects.filter(status="denied").first())
    assert found is not None
    status, body = get(found.id, world.token())
    assert (status, body["status"], body["code"], body["hold"]) == (200, "denied", "forbidden", None)


def test_refusals(world: World, get: Any) -> None:
    with world.connect() as connection:
        connection.execute("SELECT 1")
    found = Action.objects.get()
    assert get(found.id)[0] == 401
    assert get(found.id, "nonsense")[0] == 401
    assert get(new_id(), world.token())[0] == 404
    token = world.token()
    Action.objects.filter(id=found.id).update(session_id=new_id())
    assert get(found.id, token)[0] == 404
    for credential in Credential.objects.all():
        inventory.revoke_credential(credential.id, actor=world.cast.engineer, reason="Over.")
    assert get(found.id, token)[0] == 401
