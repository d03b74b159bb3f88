"""The database's clock, that deadlines are compared with and no other, and a way to ask it often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from django.db import connection
from psycopg import Cursor

from core.errors import NarrowgateError


def db_now() -> datetime:
    """The database's wall clock at this moment, in UTC; moves within a transaction, unlike `now()`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    if not isinstance(now, datetime):
        raise NarrowgateError("The database did not say what time it is.")
    return now


def prepared(sql: LiteralString, values: Sequence[object]) -> Cursor[Any]:
    """Run a statement that comes often: its text goes to the server once a connection and is planned once, its values beside it.

    Django's own cursors write the values into the text, which is read and planned anew each time. Raises what they raise.
    """
    connection.ensure_connection()
    if connection.queries_logged:  # as Django's own cursors do, for whoever counts statements
        connection.queries_log.append({"sql": sql, "time": "0.000"})
    with connection.wrap_database_errors:
        return Cursor(connection.connection).execute(sql, values, prepare=True)
