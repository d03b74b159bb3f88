"""An API behind the gate, and an agent that speaks HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from agents import actions as inventory
from agents.api_actions import describe_api
from approvals.models import Hold
from tests.gateway.wire.doors import client, served
from tests.gateway.wire.http.agent import Agent
from tests.gateway.wire.http.upstream import DOCUMENT, SECRET, Api
from tests.gateway.wire.world import World, eventually


@pytest.fixture(scope="module")
def api(standing_world: World) -> Iterator[Api]:
    api, cast = Api(), standing_world.cast
    server = api.start()
    bank = inventory.add_resource(
        "bank", kind="http", segment=standing_world.segment, owner=cast.owner, actor=cast.engineer, host="127.0.0.1",
        port=api.port, path="/v1", tls="off", connections=20,
    )  # fmt: skip
    inventory.store_secret(bank.id, user="Bearer", password=SECRET, actor=cast.engineer)
    describe_api(bank.id, document=json.dumps(DOCUMENT), actor=cast.engineer)
    for column, tag in (("data[].email", "email"), ("**.phone", "phone")):
        inventory.confirm_tag(
            bank.id, schema="response", table="listCustomers", column=column, tag=tag, actor=cast.engineer
        )
    watch = standing_world.gateway.service._watch
    assert eventually(lambda: "bank" in watch.current().resources)
    yield api
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def door(standing_world: World, api: Api) -> Iterator[str]:
    with served(standing_world) as address:
        yield address


@pytest.fixture
def agent(standing_world: World, door: str, api: Api) -> Iterator[Agent]:
    with client(standing_world, door) as http:
        yield Agent(standing_world, door, api, http)
    Hold.objects.filter(status="waiting").update(status="withdrawn")
