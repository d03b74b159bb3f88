"""What every test may ask for: a database, the cast, a fresh database of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.urls import set_urlconf
from hypothesis import HealthCheck, settings
from pytest_django.plugin import DjangoDbBlocker, blocking_manager_key

from console import database
from tests.databases import BASE, PEOPLED, TestCluster, fresh_name, point_at, running_cluster
from tests.hsm import make_token
from tests.network import stay_home
from tests.serving import RunningServer, start, temporary_state

if TYPE_CHECKING:
    from tests.cast import Cast

_shared = pytest.StashKey[AbstractContextManager[TestCluster]]()
_described = pytest.StashKey[str]()


def pytest_configure() -> None:
    stay_home()
    # A loaded machine is slow, which says nothing of what is tested.
    settings.register_profile("loaded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("loaded")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Before xdist starts a worker: start the cluster they will share, and tell this one where it is."""
    config = node.config
    if _shared not in config.stash:
        context = running_cluster()
        with config.stash[blocking_manager_key].unblock():
            config.stash[_described] = json.dumps(vars(context.__enter__()))
        config.stash[_shared] = context
    node.workerinput["cluster"] = config.stash[_described]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """See that tests which share a server go to one worker: xdist tells them by the names of their groups."""
    if getattr(config.option, "loadgroup", False):
        lost = [item.nodeid for item in items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
        if lost:
            raise pytest.UsageError(f"pytest-xdist has lost the groups of {len(lost)} tests, {lost[0]} among them.")


def pytest_unconfigure(config: pytest.Config) -> None:
    if _shared in config.stash:
        config.stash[_shared].__exit__(None, None, None)


@pytest.fixture(autouse=True)
def no_memory() -> None:
    """Failed sign-ins are counted in the cache, for which all tests come from one address, what decides is kept by its
    revision, whose numbers each test begins anew, and Django keeps the last request's table of addresses: each starts with nothing.
    """
    from policies import crossings, current, reaching  # Django is there by now

    cache.clear()
    set_urlconf(None)
    current.forget()
    reaching.kinds_at.cache_clear()
    crossings.map_at.cache_clear()


@pytest.fixture(scope="session")
def hsm_token(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A token of SoftHSM in a folder of its own, by its name."""
    return make_token(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture(scope="session")
def worker() -> str:
    """The name of this xdist worker; `main` without xdist."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[TestCluster]:
    """The PostgreSQL cluster of this run, with the migrated base in it."""
    told = getattr(request.config, "workerinput", {}).get("cluster")
    if told:
        yield TestCluster(**json.loads(told))
        return
    with django_db_blocker.unblock(), running_cluster() as started:
        yield started


@pytest.fixture(scope="session")
def django_db_setup(cluster: TestCluster, worker: str, django_db_blocker: DjangoDbBlocker) -> None:
    """This worker's database with the cast in it, in place of pytest-django's."""
    with django_db_blocker.unblock():
        point_at(cluster.clone(f"narrowgate_{worker}", template=PEOPLED))


@contextmanager
def fresh(
    cluster: TestCluster, worker: str, blocker: DjangoDbBlocker, *, template: str = PEOPLED
) -> Iterator[database.Logins]:
    """A database that Django uses as the app until the block ends."""
    name = fresh_name(worker)
    with blocker.unblock():
        logins = cluster.clone(name, template=template)
        point_at(logins)
        try:
            yield logins
        finally:
            point_at(cluster.logins(f"narrowgate_{worker}"))
            cluster.drop(name)


@pytest.fixture
def fresh_database(
    request: pytest.FixtureRequest,
    cluster: TestCluster,
    django_db_setup: None,
    worker: str,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[database.Logins]:
    """A database for one test that needs committed rows: several connections, threads or processes.

    Django (in this process and in those it starts) uses it as the app; the value holds all four logins. It is empty unless
    the test asks for `fresh_cast`. Not to be mixed with `db`: what a test commits here goes with the database.
    """
    assert not request.node.get_closest_marker("django_db"), "a test uses the worker's database or a fresh one"
    template = PEOPLED if "fresh_cast" in request.fixturenames else BASE
    with fresh(cluster, worker, django_db_blocker, template=template) as logins:
        yield logins


@pytest.fixture
def cast(db: None) -> Cast:
    """The people of every story; what becomes of them is undone with the test's transaction."""
    from tests.cast import meet  # it imports models, which must wait for Django

    return meet()


@pytest.fixture
def fresh_cast(fresh_database: database.Logins) -> Cast:
    """The same people in a database of their own."""
    from tests.cast import meet  # it imports models, which must wait for Django

    return meet()


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """The whole server with the demo world, as a process of its own: one for all tests of this worker."""
    with temporary_state() as state:
        running = start(state)
        yield running
        assert running.stop() == 0
