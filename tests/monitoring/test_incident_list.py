"""The list of incidents: its orders by key, its filters, the file, and what an open page hears."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from django.conf import settings
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from core.db import db_now
from ledger.models import Outbox
from monitoring.actions import GROUP
from monitoring.incident_list import ORDERS, incidents_page
from monitoring.models import Incident
from tests.approvals.world import World, assemble
from tests.cast import Cast


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def _many(world: World, number: int) -> list[Incident]:
    now = db_now()
    return Incident.objects.bulk_create(
        Incident(
            kind="denials", severity=("low", "medium", "high")[place % 3], agent=world.agent, status="resolved",
            began_at=now - timedelta(minutes=place + 1), detected_at=now - timedelta(minutes=place),
            resolved_at=now if place % 2 else None, contained_at=now if place % 5 else None,
        )
        for place in range(number)
    )  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_pages_by_key_show_each_once_in_order(world: World, order: str) -> None:
    made = _many(world, 120)
    rows, after = [], ""
    for _ in range(5):
        page = incidents_page(world.cast.auditor, {"sort": order}, after)
        rows += page.rows
        after = page.more
        if not after:
            break
    assert len(rows) == len({row.id for row in rows}) == len(made)
    rank = {"low": 1, "medium": 2, "high": 3}
    keys = [
        ((rank[row.severity], row.detected_at) if order == "-severity" else (0, row.detected_at), row.id)
        for row in rows
    ]
    assert keys == sorted(keys, reverse=order != "detected")


def test_more_incidents_cost_no_more_queries(
    world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    _many(world, 60)
    client = _as(world.cast.ciso)
    with django_assert_max_num_queries(12):
        client.get(reverse("incidents:incidents"))


def test_filters_by_assignee_and_time(world: World) -> None:
    first, *rest = _many(world, 4)
    Incident.objects.filter(id=first.id).update(assignee=world.cast.engineer)

    def found(**asked: str) -> int:
        return len(incidents_page(world.cast.ciso, asked, "").rows)

    assert found(assignee=world.cast.engineer.username) == 1
    assert found(assignee="nobody") == 3
    assert found(assignee="unheard-of") == 0
    assert found(since=rest[0].detected_at.isoformat()) == 2
    assert found(until=rest[0].detected_at.isoformat()) == 2
    assert found(since="yesterday") == 4


async def _whole(answer: Any) -> bytes:
    return b"".join([part async for part in answer.streaming_content])


def test_the_file_holds_what_was_asked_for_and_taking_it_is_an_entry(world: World) -> None:
    _many(world, 7)
    Incident.objects.filter(severity="low").update(resolution='=HYPERLINK("http://evil")')
    client = _as(world.cast.auditor)
    answer = client.post(reverse("incidents:file") + "?severity=low&sort=detected")
    text = async_to_sync(_whole)(answer).decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(text))
    assert header[:3] == ["severity", "kind", "agent"]
    assert [row[0] for row in rows] == ["low"] * 3
    assert {row[header.index("resolution")][0] for row in rows} == {"'"}, "no formula"
    (entry,) = (json.loads(bytes(row.leaf)) for row in Outbox.objects.filter(event="export:made"))
    assert entry["details"] == {"severity": "low", "sort": "detected"}


@pytest.mark.parametrize("who", ["reviewer", "outsider"])
def test_nobody_else_takes_it(world: World, who: str) -> None:
    assert _as(getattr(world.cast, who)).post(reverse("incidents:file")).status_code == 404
    assert not Outbox.objects.filter(event="export:made").exists()


# ---- live ----
def _cookie(person: User) -> bytes:
    return f"{settings.SESSION_COOKIE_NAME}={_as(person).cookies[settings.SESSION_COOKIE_NAME].value}".encode()


async def _heard(cookie: bytes, incident: UUID) -> list[Any]:
    from console.asgi import application  # it needs Django, which the fixtures set up

    headers = [(b"cookie", cookie), (b"host", b"localhost"), (b"origin", b"http://localhost")]
    communicator: Any = ApplicationCommunicator  # asgiref publishes no types for it
    scope = {"type": "websocket", "path": "/ws/incidents/", "headers": headers, "query_string": b"", "subprotocols": []}
    socket = communicator(application, scope)
    await socket.send_input({"type": "websocket.connect"})
    if (await socket.receive_output(5))["type"] != "websocket.accept":
        return []
    await get_channel_layer().group_send(GROUP, {"type": "incident.changed", "incident": str(incident)})
    heard = []
    with contextlib.suppress(asyncio.TimeoutError):
        while True:
            heard.append(json.loads((await socket.receive_output(1))["text"]))
    return heard


@pytest.mark.parametrize(("who", "hears"), [("ciso", True), ("owner", True), ("reviewer", False), ("outsider", False)])
def test_an_open_page_hears_of_incidents_that_its_person_may_see(fresh_cast: Cast, who: str, hears: bool) -> None:
    world = assemble(fresh_cast)
    (incident,) = _many(world, 1)
    heard = async_to_sync(_heard)(_cookie(getattr(fresh_cast, who)), incident.id)
    told = {"type": "incident", "incident": str(incident.id)}
    assert (told in heard) is hears
    assert all(message.keys() <= {"type", "incident"} for message in heard)
