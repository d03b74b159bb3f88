"""The counter of changes to whatever decides, which every gateway watches."""

from __future__ import annotations

from django.db import connection

from core.errors import NarrowgateError

CHANNEL = "narrowgate_changed"


def bump_revision() -> int:
    """Count one change, in the caller's transaction, and tell the gateways once it commits (NOTIFY waits for that).

    Raises NarrowgateError outside a transaction.
    """
    if not connection.in_atomic_block:
        raise NarrowgateError("A revision is counted in the transaction of the change, and there is none.")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE agents_revision SET number = number + 1 RETURNING number")
        (number,) = cursor.fetchone()
    wake_gateways(str(number))
    return int(number)


def wake_gateways(because: str) -> None:
    """Have every gateway look again at what it watches, once the caller's transaction commits; they poll anyway."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, because])


def current_revision() -> int:
    """The number of changes so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM agents_revision")
        (number,) = cursor.fetchone()
    return int(number)
