"""The databases that tests get are real and fenced."""

from __future__ import annotations

import threading

import psycopg
import pytest
from django.db import ProgrammingError, connection

from accounts.models import Role, User
from console.database import Logins


@pytest.mark.django_db
def test_the_app_login_cannot_truncate() -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute("TRUNCATE accounts_user CASCADE")


@pytest.mark.django_db
def test_the_app_login_cannot_change_a_table() -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="must be owner"):
        cursor.execute("ALTER TABLE accounts_user DROP COLUMN roles")


@pytest.mark.django_db
def test_no_login_is_a_superuser() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'narrowgate_%%' AND rolsuper")
        assert cursor.fetchone() == (0,)


def test_a_fresh_database_is_seen_by_other_threads_and_connections(fresh_database: Logins) -> None:
    User.objects.create(username="x", name="X", roles=[Role.OWNER])
    seen: list[int] = []

    def look() -> None:
        seen.append(User.objects.count())
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    with psycopg.connect(fresh_database.gateway) as gateway:
        row = gateway.execute("SELECT count(*) FROM accounts_user").fetchone()
    assert (seen, row) == ([1], (1,))


def test_each_fresh_database_is_empty(fresh_database: Logins) -> None:
    assert User.objects.count() == 0
