from __future__ import annotations

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections

from console.database import APP, Logins, create_database, drop_database
from core.errors import Invalid
from tests.databases import TestCluster

NAME = "narrowgate_prepared"


def test_it_migrates_and_grants(cluster: TestCluster, fresh_database: Logins, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(cluster.admin_dsn, autocommit=True) as admin:
        create_database(admin, NAME)
    logins = cluster.logins(NAME)
    monkeypatch.setenv("DATABASE_OWNER_URL", logins.owner)
    try:
        for _ in range(2):
            call_command("prepare_database")
        with psycopg.connect(logins.app) as app:
            assert app.execute("SELECT current_user, count(*) FROM agents_agent").fetchone() == (APP, 0)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("DROP TABLE agents_agent")
    finally:
        connections.close_all()
        with psycopg.connect(cluster.admin_dsn, autocommit=True) as admin:
            drop_database(admin, NAME)


def test_without_the_owners_address_it_says_so(fresh_database: Logins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_OWNER_URL", raising=False)
    with pytest.raises(Invalid, match="DATABASE_OWNER_URL"):
        call_command("prepare_database")
