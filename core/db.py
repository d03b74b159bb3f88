"""The database's clock: deadlines are compared with it and with no other."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from core.errors import NarrowgateError


def db_now() -> datetime:
    """The database's wall clock at this moment, in UTC; moves within a transaction, unlike `now()`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    if not isinstance(now, datetime):
        raise NarrowgateError("The database did not say what time it is.")
    return now
