"""A gateway that runs, for the tests of the listener."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from console.database import Logins
from tests.cast import Cast
from tests.conftest import fresh
from tests.databases import TestCluster
from tests.gateway.wire import world as worlds


@pytest.fixture
def prepared(
    fresh_cast: Cast, fresh_database: Logins, cluster: TestCluster, worker: str, tmp_path: Path
) -> Iterator[worlds.World]:
    """Everything but a running gateway."""
    with worlds.shop(cluster, f"shop_{worker}") as dsn:
        yield worlds.assemble(fresh_cast, fresh_database, cluster, dsn, tmp_path)


@pytest.fixture(scope="module")
def standing_world(
    cluster: TestCluster,
    django_db_setup: None,
    worker: str,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[worlds.World]:
    """A gateway that listens for all tests of a module: what one of them leaves there, the next one finds."""
    from tests.cast import meet  # it imports models, which must wait for Django

    with (
        fresh(cluster, worker, django_db_blocker) as logins,
        worlds.shop(cluster, f"shop_{worker}_standing") as dsn,
        listening(worlds.assemble(meet(), logins, cluster, dsn, tmp_path_factory.mktemp("world"))) as world,
    ):
        yield world


@pytest.fixture
def world(prepared: worlds.World) -> Iterator[worlds.World]:
    """A gateway that listens."""
    with listening(prepared):
        yield prepared


@contextmanager
def listening(prepared: worlds.World) -> Iterator[worlds.World]:
    """The world with its gateway, until the block ends."""
    prepared.gateway = worlds.Gateway(prepared.config)
    try:
        yield prepared
    finally:
        prepared.gateway.stop()
