"""A gateway that runs, for the tests of the listener."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.database import Logins
from tests.cast import Cast
from tests.databases import TestCluster
from tests.gateway.wire import world as worlds


@pytest.fixture
def prepared(
    fresh_cast: Cast, fresh_database: Logins, cluster: TestCluster, worker: str, tmp_path: Path
) -> Iterator[worlds.World]:
    """Everything but a running gateway."""
    with worlds.shop(cluster, f"shop_{worker}") as dsn:
        yield worlds.assemble(fresh_cast, fresh_database, cluster, dsn, tmp_path)


@pytest.fixture
def world(prepared: worlds.World) -> Iterator[worlds.World]:
    """A gateway that listens."""
    prepared.gateway = worlds.Gateway(prepared.config)
    try:
        yield prepared
    finally:
        prepared.gateway.stop()
