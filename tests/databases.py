"""One PostgreSQL cluster for a whole test run, a database for each worker, more on request.

The migrated base is made once, and once more with the cast in it; every database a test sees is a copy of one of
them. Tests log in as the app does, so the fences (no TRUNCATE, no rewriting of the ledger) are real.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connections

from console import database, embedded
from console.database_url import database_from

BASE = "narrowgate_base"
PEOPLED = "narrowgate_peopled"
TARGET_LOGINS = ("shop_gate", "shop_reader")  # logins are a whole cluster's: made once, before workers could race
_numbers = itertools.count(1)


@dataclass(frozen=True)
class TestCluster:
    """What a worker needs to know of the run's cluster; plain values, so that it travels to xdist's workers."""

    __test__ = False

    admin_dsn: str
    socket_folder: str
    base: dict[str, str]

    def logins(self, name: str) -> database.Logins:
        """The connection URLs of database `name`."""
        return database.Logins(**{role: dsn.replace(f"/{BASE}?", f"/{name}?") for role, dsn in self.base.items()})

    def clone(self, name: str, *, template: str = BASE) -> database.Logins:
        """A copy of the migrated base, or of `PEOPLED`."""
        with psycopg.connect(self.admin_dsn, autocommit=True) as admin:
            database.drop_database(admin, name)
            database.create_database(admin, name, template=template, strategy="FILE_COPY")
        return self.logins(name)

    def drop(self, name: str) -> None:
        """Drop database `name`, whoever is connected."""
        with psycopg.connect(self.admin_dsn, autocommit=True) as admin:
            database.drop_database(admin, name)


@contextmanager
def running_cluster() -> Iterator[TestCluster]:
    """A cluster with the migrated base in it; gone, files and all, at the end."""
    state = Path(tempfile.mkdtemp(prefix="narrowgate-tests-"))
    state.chmod(0o755)
    cluster = embedded.start(state, "tests", durable=False)
    try:
        passwords = {role: role for role in database.ROLES}
        logins = database.prepare(cluster, passwords, database=BASE)
        database.migrate(logins.owner)
        with psycopg.connect(cluster.admin_dsn(), autocommit=True) as admin:
            for login in TARGET_LOGINS:
                admin.execute(f"CREATE ROLE {login} LOGIN PASSWORD '{login}'".encode())
        made = TestCluster(cluster.admin_dsn(), str(cluster.socket_folder), asdict(logins))
        _people(made)
        yield made
    finally:
        cluster.stop()
        embedded.destroy(state, "tests")
        shutil.rmtree(state, ignore_errors=True)


def _people(cluster: TestCluster) -> None:
    """Make the cast in a copy of the base: nearly every test meets it, and to make it takes longer than most tests."""
    from tests.cast import assemble  # it imports models, which must wait for Django

    with database.django_on(cluster.clone(PEOPLED).app):
        assemble()


def point_at(logins: database.Logins) -> None:
    """Make Django, and every process started from here on, use this database as the app."""
    connections.close_all()
    connections.settings["default"].update(database_from(logins.app))
    urls = {
        "DATABASE_URL": logins.app,
        "DATABASE_GATEWAY_URL": logins.gateway,
        "DATABASE_SEQUENCER_URL": logins.sequencer,
    }
    for name, url in urls.items():
        setattr(settings, name, url)
        os.environ[name] = url


def fresh_name(worker: str) -> str:
    """A name no other database of this run has."""
    return f"narrowgate_{worker}_{next(_numbers)}"
