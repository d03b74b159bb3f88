from __future__ import annotations

import psycopg
import pytest
from django.db import transaction

from agents.revision import CHANNEL, bump_revision, current_revision
from console.database import Logins
from core.errors import NarrowgateError


def test_a_change_is_counted_in_its_own_transaction_or_not_at_all(fresh_database: Logins) -> None:
    with pytest.raises(NarrowgateError):
        bump_revision()
    with transaction.atomic():
        bump_revision()
        transaction.set_rollback(True)
    assert current_revision() == 0


def test_gateways_hear_of_it_once_it_commits(fresh_database: Logins) -> None:
    with psycopg.connect(fresh_database.gateway, autocommit=True) as gateway:
        gateway.execute(f"LISTEN {CHANNEL}")
        with transaction.atomic():
            bump_revision()
            assert not list(gateway.notifies(timeout=0.1))
        (heard,) = gateway.notifies(timeout=5, stop_after=1)
    assert (heard.channel, heard.payload) == (CHANNEL, "1")
