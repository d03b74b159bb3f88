"""A login's password is changed at a real PostgreSQL and in the vault, and whoever is killed in between leaves a way in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from agents import actions, rotating
from agents.connection_test import attempt
from agents.models import Resource, ResourceSecret
from agents.resource_checks import place_of
from agents.vault import Login, open_secret
from core.errors import Invalid, NotFound, Refused
from gateway.postgres.login import _target
from gateway.postgres.upstream import UpstreamError, connect
from ledger.models import Outbox
from tests.cast import Cast
from tests.databases import TestCluster

ROLE = f"turning_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"  # workers share a cluster
FIRST = "first-password"
LATER = timedelta(seconds=16)


@pytest.fixture
def role(cluster: TestCluster) -> Iterator[None]:
    with psycopg.connect(cluster.admin_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{FIRST}'")
        admin.execute(f"GRANT CONNECT ON DATABASE narrowgate_base TO {ROLE}")
        yield
        admin.execute(f"REVOKE CONNECT ON DATABASE narrowgate_base FROM {ROLE}")
        admin.execute(f"DROP ROLE {ROLE}")


@pytest.fixture
def shop(cast: Cast, cluster: TestCluster, role: None) -> Resource:
    segment = actions.create_segment("production", actor=cast.engineer)
    where: Any = {"host": cluster.socket_folder, "database": "narrowgate_base", "tls": "off"}
    made = actions.add_resource("shop", segment=segment, actor=cast.engineer, **where)
    actions.store_secret(made.id, user=ROLE, password=FIRST, actor=cast.engineer)
    return made


def opens(shop: Resource, password: str) -> bool:
    return attempt(place_of(shop), Login(ROLE, password)).ok


def secret() -> ResourceSecret:
    return ResourceSecret.objects.get()


def gate_gets_in(shop: Resource) -> bool:
    """Whether a gateway's own sign-in works, by what the vault says now."""

    async def sign_in() -> bool:
        try:
            (await connect(target)).abort()
        except UpstreamError:
            return False
        return True

    target = _target(shop, ResourceSecret.Use.ACTIONS)
    return asyncio.run(sign_in())


def test_it_is_changed_in_two_steps_and_the_old_one_opens_nothing(shop: Resource, cast: Cast) -> None:
    rotating.ask(shop.id, use="actions", actor=cast.engineer)
    assert rotating.turn(timezone.now()) == 0  # sign-ins that know one password only may be under way
    assert opens(shop, FIRST)
    assert rotating.turn(timezone.now() + LATER) == 1
    login = open_secret(shop)
    assert (login.user, login.other) == (ROLE, "")
    assert login.password != FIRST
    assert opens(shop, login.password)
    assert not opens(shop, FIRST)
    assert Outbox.objects.filter(event="secret:rotated").count() == 1
    assert gate_gets_in(shop)


def test_the_gate_gets_in_before_between_and_after(shop: Resource, cast: Cast) -> None:
    rotating.ask(shop.id, use="actions", actor=cast.engineer)
    before, after = open_secret(shop).password, open_secret(shop).other
    assert before == FIRST
    assert gate_gets_in(shop)
    _alter_only(shop, before, after)
    assert gate_gets_in(shop)  # the resource has the new one, the vault still the old one in its place
    assert rotating.finish(secret().id)
    assert gate_gets_in(shop)


def test_killed_between_changing_it_and_saving_that_it_goes_on(shop: Resource, cast: Cast) -> None:
    rotating.ask(shop.id, use="actions", actor=cast.engineer)
    after = open_secret(shop).other
    _alter_only(shop, FIRST, after)  # and here the worker died
    assert secret().pending is not None
    assert rotating.turn(timezone.now() + LATER) == 1
    assert (open_secret(shop).password, secret().pending, secret().problem) == (after, None, "")


def test_killed_before_changing_it_it_is_changed_then(shop: Resource, cast: Cast) -> None:
    rotating.ask(shop.id, use="actions", actor=cast.engineer)
    made = secret().pending
    rotating.ask(shop.id, use="actions", actor=cast.engineer)  # asked again: the same new password
    assert bytes(secret().pending or b"") == bytes(made or b"x")
    assert rotating.finish(secret().id)
    assert not rotating.finish(secret().id)  # twice does nothing


def test_by_itself_when_its_days_are_over(shop: Resource, cast: Cast) -> None:
    rotating.schedule(shop.id, use="actions", days=30, actor=cast.engineer)
    now = timezone.now()
    assert rotating.turn(now + timedelta(days=29)) == 0
    assert rotating.turn(now + timedelta(days=31)) == 2  # made, and, the clock of the test being ahead, changed
    assert open_secret(shop).password != FIRST
    rotating.schedule(shop.id, use="actions", days=None, actor=cast.engineer)
    assert rotating.turn(now + timedelta(days=99)) == 0
    assert Outbox.objects.filter(event="secret:scheduled").count() == 2


def test_what_is_wrong_is_kept_in_words_and_tried_again(shop: Resource, cast: Cast, cluster: TestCluster) -> None:
    rotating.ask(shop.id, use="actions", actor=cast.engineer)
    Resource.objects.update(port=5999)
    assert not rotating.finish(secret().id)
    assert "There is no socket" in secret().problem
    assert Outbox.objects.filter(event="secret:used").count() == 1
    assert not rotating.finish(secret().id)
    assert Outbox.objects.filter(event="secret:used").count() == 1  # told once
    Resource.objects.update(port=5432)
    assert rotating.turn(timezone.now() + LATER) == 0
    assert rotating.turn(timezone.now() + timedelta(minutes=11)) == 1
    assert opens(shop, open_secret(shop).password)


def test_one_that_somebody_changed_by_hand_is_told_of_and_a_new_one_stored(
    shop: Resource, cast: Cast, cluster: TestCluster
) -> None:
    rotating.ask(shop.id, use="actions", actor=cast.engineer)
    with psycopg.connect(cluster.admin_dsn, autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {ROLE} PASSWORD 'by-hand'")
    assert not rotating.finish(secret().id)
    assert "does not accept the user" in secret().problem
    actions.store_secret(shop.id, user=ROLE, password="by-hand", actor=cast.engineer)
    assert (secret().pending, secret().problem) == (None, "")
    assert gate_gets_in(shop)


def test_who_may_not_and_what_cannot(shop: Resource, cast: Cast) -> None:
    for who in ("owner", "ciso", "administrator", "auditor", "outsider"):
        with pytest.raises(Refused):
            rotating.ask(shop.id, use="actions", actor=getattr(cast, who))
        with pytest.raises(Refused):
            rotating.schedule(shop.id, use="actions", days=3, actor=getattr(cast, who))
    with pytest.raises(NotFound):
        rotating.ask(shop.id, use="reading", actor=cast.engineer)
    for days in (0, 366):
        with pytest.raises(Invalid):
            rotating.schedule(shop.id, use="actions", days=days, actor=cast.engineer)
    Resource.objects.update(kind="ssh")
    with pytest.raises(Refused) as refused:
        rotating.ask(shop.id, use="actions", actor=cast.engineer)
    assert refused.value.code == "cannot_rotate"


def _alter_only(shop: Resource, before: str, after: str) -> None:
    """Step 2 as far as the resource: what a worker has done that is killed before it saves that."""
    with psycopg.connect(
        host=shop.host, dbname=shop.database, user=ROLE, password=before, autocommit=True
    ) as connection:
        rotating._alter(connection, Login(ROLE, after))
