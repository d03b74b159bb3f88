"""An agent asks the door what became of its action."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.test import RequestFactory

from activity.models import Action
from agents import actions as inventory
from agents.models import Credential
from core.ids import new_id
from gateway.views import action
from tests.gateway.wire.world import World, eventually


def _get(action_id: UUID, token: str = "") -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = action(RequestFactory().get(f"/v1/actions/{action_id}", headers=headers), action_id)
    return answer.status_code, json.loads(answer.content)


def test_its_own_action(world: World) -> None:
    with world.connect() as connection, pytest.raises(psycopg.Error):
        connection.execute("TRUNCATE orders")
    found = eventually(lambda: Action.objects.filter(status="denied").first())
    assert found is not None
    status, body = _get(found.id, world.token())
    assert (status, body["status"], body["code"], body["hold"]) == (200, "denied", "forbidden", None)


def test_refusals(world: World) -> None:
    with world.connect() as connection:
        connection.execute("SELECT 1")
    found = Action.objects.get()
    assert _get(found.id)[0] == 401
    assert _get(found.id, "nonsense")[0] == 401
    assert _get(new_id(), world.token())[0] == 404
    token = world.token()
    Action.objects.filter(id=found.id).update(session_id=new_id())
    assert _get(found.id, token)[0] == 404
    for credential in Credential.objects.all():
        inventory.revoke_credential(credential.id, actor=world.cast.engineer, reason="Over.")
    assert _get(found.id, token)[0] == 401
