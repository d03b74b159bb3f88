"""A connection of its own to our database, with its own line of numbers in the ledger: one statement, one transaction.

The lane knows its last number, so that entries can be made before they are sent; the statement moves the number
only from where the lane believes it is, and does nothing at all otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection

from activity.hotpath import plains, texts
from gateway.statements import Statements
from ledger.entries import Draft
from ledger.write import OutboxRow, rows

STATEMENT: LiteralString = """
WITH moved AS (
    UPDATE ledger_node SET seq = %s WHERE name = %s AND seq = %s RETURNING seq
), stated AS (
    INSERT INTO ledger_outbox (node, node_seq, event, leaf)
    SELECT new.* FROM moved, unnest(%s::text[], %s::bigint[], %s::text[], %s::bytea[]) AS new
), """
UNNUMBERED: LiteralString = "WITH moved AS (SELECT 1), "
END: LiteralString = " SELECT count(*) FROM moved"
FIRST_SQL: LiteralString = "INSERT INTO ledger_node (name, seq) VALUES (%s, 0) ON CONFLICT DO NOTHING"
WHERE_SQL: LiteralString = "SELECT seq, extract(epoch FROM clock_timestamp()) FROM ledger_node WHERE name = %s"


@cache
def _numbered(fragment: LiteralString) -> LiteralString:
    return STATEMENT + fragment + END


@cache
def _unnumbered(fragment: LiteralString) -> LiteralString:
    return UNNUMBERED + fragment + END


def _literals(stated: Sequence[OutboxRow]) -> tuple[str, ...]:
    """The entries' columns as array literals, which a driver need not look into."""
    return (
        texts([row.node for row in stated]),
        plains([row.node_seq for row in stated]),
        texts([row.event for row in stated]),
        texts([f"\\x{row.leaf.hex()}" for row in stated]),
    )


# A plan is made once, when the tables may still be empty, and must be right when they are large: by index, always.
PLANS = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"


class Lane:
    """One writer's way into the database. Not for two tasks at once."""

    def __init__(self, dsn: str, node: str) -> None:
        self._dsn = dsn
        self._node = node
        self._statements: Statements | None = None
        self._seq = 0
        self._clock = timedelta()
        """What the database's clock is ahead of ours."""

    async def write(self, fragment: LiteralString, parameters: tuple[str, ...], drafts: Sequence[Draft]) -> None:
        """Run `fragment` and state `drafts`, in one transaction. Raises what psycopg raises, ValueError for a bad entry."""
        statements = self._statements
        if statements is None or statements.lost:
            statements = await self.open()
        if not drafts:
            await statements.run(_unnumbered(fragment), parameters)
            return
        while not await self._numbered(statements, fragment, parameters, drafts):
            await self._find(statements)  # another process has the same name: numbers stay gapless all the same

    async def _numbered(
        self,
        statements: Statements,
        fragment: LiteralString,
        parameters: tuple[str, ...],
        drafts: Sequence[Draft],
    ) -> bool:
        last = self._seq + len(drafts)
        stated = _literals(rows(drafts, self._node, last, datetime.now(UTC) + self._clock))
        moved = await statements.run(_numbered(fragment), (str(last), self._node, str(self._seq), *stated, *parameters))
        if moved != [b"1"]:
            return False
        self._seq = last
        return True

    async def open(self) -> Statements:
        """Connect, and find the lane's last number."""
        await self.close()
        connection: AsyncConnection[Any] = await AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            application_name="narrowgate recorder",
            client_encoding="UTF8",
            options=PLANS,
        )
        self._statements = statements = Statements(connection)
        await statements.run(FIRST_SQL, [self._node])
        await self._find(statements)
        return statements

    async def _find(self, statements: Statements) -> None:
        row = await statements.run(WHERE_SQL, [self._node])
        if row is None:
            raise psycopg.OperationalError("the lane has no number")
        self._seq = int(row[0])
        self._clock = timedelta(seconds=float(row[1]) - time.time())

    async def close(self) -> None:
        """Hang up."""
        if self._statements is not None:
            await self._statements.close()
            self._statements = None
