"""A gateway that speaks SSH, a host behind it, and an agent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pytest_django.plugin import DjangoDbBlocker

from agents import actions as inventory
from agents.ssh_host import host_key
from approvals.models import Hold
from tests.conftest import fresh
from tests.databases import TestCluster
from tests.gateway.ssh.agent import POLICIES, Agent
from tests.gateway.ssh.host import running_host
from tests.gateway.wire import world as worlds
from tests.gateway.wire.conftest import listening


@pytest.fixture(scope="package")
def standing_agent(
    cluster: TestCluster,
    django_db_setup: None,
    worker: str,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Agent]:
    """One gateway and one host for all tests of SSH."""
    from tests.cast import meet  # it imports models, which must wait for Django

    folder = tmp_path_factory.mktemp("ssh")
    sandbox = folder / "sandbox"
    sandbox.mkdir()
    with (
        fresh(cluster, worker, django_db_blocker) as logins,
        worlds.shop(cluster, f"shop_{worker}_ssh") as dsn,
        running_host(folder / "host") as host,
    ):
        cast = meet()
        world = worlds.assemble(cast, logins, cluster, dsn, folder, POLICIES)
        world.config = replace(world.config, ssh_key=host_key(folder / "keys", "tests"))
        web = inventory.add_resource(
            "web", kind="ssh", segment=world.segment, owner=cast.owner, actor=cast.engineer, host="127.0.0.1", port=host.port,
            host_key=host.fingerprint, connections=30,
        )  # fmt: skip
        inventory.store_secret(web.id, user=host.user, password=host.login_key, actor=cast.engineer)
        with listening(world):
            yield Agent(world, host, web, sandbox, folder)


@pytest.fixture
def agent(standing_agent: Agent) -> Iterator[Agent]:
    yield standing_agent
    Hold.objects.filter(status="waiting").update(status="withdrawn")
