"""Credentials that end soon: which, in what order, by key, and for whom."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents.models import Agent, Credential
from console.expiring import expiring
from tests.approvals.world import World, assemble, enrol
from tests.bring.callers import browser
from tests.cast import Cast

LIST = reverse("agents:credentials")


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def issue(world: World, agent: Agent, ends: float, now: datetime, *, ago: float = 1, **about: object) -> Credential:
    """A credential that ends in so many minutes."""
    given: dict[str, object] = {"resource": world.resource, **about}
    return Credential.objects.create(
        agent=agent, key=agent.keys.get(), issued_at=now - timedelta(minutes=ago), expires_at=now + timedelta(minutes=ends), **given
    )  # fmt: skip


def test_the_live_ones_the_next_to_end_first_page_by_page(world: World) -> None:
    now = timezone.now()
    issue(world, world.agent, -0.5, now)
    issue(world, world.agent, 5, now, revoked_at=now)
    wanted = [issue(world, world.agent, ends, now).id for ends in (1, 2, 3, 4)]
    same = sorted(issue(world, world.agent, 6, now).id for _ in range(3))
    for size in (1, 2, 3, 50):
        seen, key = [], ""
        while True:
            page = expiring(world.cast.auditor, {}, now, key, size)
            seen += [one.id for one in page.rows]
            key = page.more
            if not key:
                break
        assert seen == wanted + same, size


def test_each_filter_finds_what_it_names(world: World) -> None:
    now = timezone.now()
    other = enrol(world.cast, world.segment, "other.production")
    issue(world, world.agent, 3, now)
    issue(world, other, 8, now)
    issue(world, other, 50, now, kind="svid", resource=None)

    def found(**asked: str) -> list[float]:
        page = expiring(world.cast.auditor, asked, now)
        return [(one.expires_at - now) / timedelta(minutes=1) for one in page.rows]

    assert found() == [3, 8, 50]
    assert found(agent="other.production") == [8, 50]
    assert found(kind="bearer") == [3, 8]
    assert found(within="5m") == [3]
    assert found(within="15m", agent="other.production") == [8]


def test_one_that_has_a_successor_says_so(world: World) -> None:
    now = timezone.now()
    first = issue(world, world.agent, 2, now, ago=8)
    last = issue(world, world.agent, 9, now)
    issue(world, world.agent, 9.5, now, revoked_at=now)
    certificate = issue(world, world.agent, 20, now, kind="svid", resource=None)
    page = expiring(world.cast.auditor, {}, now)
    assert {one.id: one.renewed for one in page.rows} == {first.id: True, last.id: False, certificate.id: False}
    issue(world, world.agent, 55, now, kind="svid", resource=None)
    assert {one.id: one.renewed for one in expiring(world.cast.auditor, {}, now).rows}[certificate.id] is True


def test_people_see_their_own_and_what_is_wrong_is_named(world: World) -> None:
    issue(world, world.agent, 3, timezone.now())
    for who, sees in (("auditor", True), ("owner", True), ("deputy", True), ("reviewer", True), ("outsider", False)):
        assert len(expiring(getattr(world.cast, who), {}, timezone.now()).rows) == int(sees), who
    ciso = browser(world.cast.ciso)
    page = ciso.get(LIST).content.decode()
    assert "support.production" in page
    assert "none yet" in page
    assert "No live credential here matches." in ciso.get(LIST, {"agent": "nobody"}).content.decode()
    assert ciso.get(LIST, {"kind": "x"}).status_code == 422
    for key in ("x", "x_y", "2026-01-01_x", "9999-99-99_", "_"):
        assert ciso.get(LIST, {"after": key}).status_code == 200


def test_the_list_takes_the_same_few_queries_however_long(world: World) -> None:
    auditor = browser(world.cast.auditor)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            auditor.get(LIST)
        return len(captured)

    issue(world, world.agent, 3, timezone.now())
    few = queries()
    for number in range(9):
        issue(world, world.agent, 4 + number, timezone.now())
    assert queries() == few <= 12
