"""Connections that a process's threads share: lent one after the other, never more than were said, checked before."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Event, Thread

import psycopg
import pytest
from django.db import OperationalError, connection, connections

from console import database, database_url
from console.database import Logins
from tests.databases import TestCluster

SHARED = 2


@pytest.fixture
def sharing(fresh_database: Logins, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Django lends connections, as in the processes of the product."""
    monkeypatch.setattr(database_url, "WAIT", 0.3)
    ours = connections.settings["default"]
    before = dict(ours)
    connections.close_all()
    ours.update(database_url.database_from(fresh_database.app, shared=SHARED))
    yield
    database.hang_up()
    ours.clear()
    ours.update(before)


def _process() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _one_request(found: list[int]) -> None:
    try:
        found.append(_process())
    finally:
        connections.close_all()


@pytest.mark.usefixtures("sharing")
def test_threads_that_come_and_go_share_what_is_there() -> None:
    found: list[int] = []
    for _ in range(6):
        thread = Thread(target=_one_request, args=[found])
        thread.start()
        thread.join()
    assert len(found) == 6
    assert len(set(found)) <= SHARED


@pytest.mark.usefixtures("sharing")
def test_whoever_finds_none_free_hears_so_in_time() -> None:
    let_go = Event()
    borrowed = Barrier(SHARED + 1)

    def keep() -> None:
        _process()
        borrowed.wait(30)
        let_go.wait(30)
        connections.close_all()

    keepers = [Thread(target=keep) for _ in range(SHARED)]
    for keeper in keepers:
        keeper.start()
    borrowed.wait(30)
    with pytest.raises(OperationalError):
        _process()
    let_go.set()
    for keeper in keepers:
        keeper.join()
    assert _process()


@pytest.mark.usefixtures("sharing")
def test_one_that_the_database_ended_is_not_lent(cluster: TestCluster) -> None:
    found: list[int] = []
    _one_request(found)
    with psycopg.connect(cluster.admin_dsn, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s", [found[0]])
    _one_request(found)
    assert found[1] != found[0]
