"""A PostgreSQL resource as this gateway knows it: its catalog, kept current over a login that only reads."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from agents.detectors.acting import Detecting
from gateway.postgres.catalog import Catalog, Tag
from gateway.postgres.catalog_load import load, searched
from gateway.postgres.classified import Classified
from gateway.postgres.fetching import FetchError, Fetching
from gateway.postgres.remembered import Remembered
from gateway.postgres.upstream import Target, UpstreamError
from gateway.refusal import Refusal
from policies.snapshot import TagRow

if TYPE_CHECKING:
    from gateway.snapshot import Watch

LOOK_EVERY = 1.0
"""Seconds between looks at whether the schema changed."""
FIRST_USER_OID = 16384
# Every change of the schema, and of who is in which role, gives a row of the system catalogs another xmin.
VERSION_SQL = " UNION ALL ".join(
    f"SELECT '{table}', count(*)::text, coalesce(sum(hashtextextended(ctid::text || xmin::text, 0)), 0)::text "  # noqa: S608 -- our own names
    f"FROM pg_catalog.{table} WHERE {oid} >= {FIRST_USER_OID}"
    for table, oid in (
        ("pg_namespace", "oid"),
        ("pg_class", "oid"),
        ("pg_attribute", "attrelid"),
        ("pg_rewrite", "ev_class"),
        ("pg_proc", "oid"),
        ("pg_operator", "oid"),
        ("pg_type", "oid"),
        ("pg_cast", "oid"),
        ("pg_inherits", "inhrelid"),
        ("pg_trigger", "tgrelid"),
        ("pg_policy", "polrelid"),
    )
)
log = structlog.get_logger()


class Keeper:
    """Keeps the catalog of one resource, read as `target`'s login, as it is for `role`, which runs agents' statements."""

    def __init__(self, name: str, target: Target, role: str, watch: Watch) -> None:
        self.name = name
        self.target = target
        self.role = role
        self._watch = watch
        self._connection: Fetching | None = None
        self._catalog: Catalog | None = None
        self._version: object = None
        self._tagged: tuple[TagRow, ...] = ()
        self._loaded = 0.0
        self._remembered = Remembered(Catalog("", (), {}))
        self._stale = True
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def catalog(self) -> Catalog:
        """The catalog as it is now. Raises Refusal when it cannot be read."""
        if self._catalog is None or not self._is_current():
            async with self._lock:
                if self._catalog is None or not self._is_current():
                    return await self._load()
        return self._catalog

    def detecting(self) -> Detecting:
        """The detectors that act there."""
        return self._watch.detecting(self.name)

    async def reloaded(self, *, since: float) -> Catalog:
        """The catalog as it was read after `since` (`time.monotonic()`), if need be now. Raises Refusal."""
        async with self._lock:
            if self._catalog is None or not self._is_current():
                return await self._load()
            if self._loaded < since and not await self._is_unchanged():
                return await self._load()
            return self._catalog

    async def _is_unchanged(self) -> bool:
        """Whether reading the catalog again would give what is known already; if so it counts as read now."""
        asked = time.monotonic()
        try:
            unchanged = await self._versioned(await self._connected()) == self._version
        except (UpstreamError, FetchError, OSError):
            return False
        if unchanged and not self._stale:
            self._loaded = asked
        return unchanged and not self._stale

    async def _versioned(self, connection: Fetching) -> object:
        """What a catalog that is read now follows from: the rows that make it up, and the schemas that the role may use."""
        return await connection.fetch(VERSION_SQL), await searched(connection, self.role)

    def recalled(self, sql: str) -> Classified | None:
        """The reading of a text like one read before by the catalog of now, if there is one. Raises Refusal."""
        return self._remembered.find(sql) if self._remembered.catalog is self._catalog and self._is_current() else None

    def remember(self, classified: Classified) -> None:
        """Keep a reading for texts like it."""
        if self._remembered.catalog is not classified.catalog:
            self._remembered = Remembered(classified.catalog)
        self._remembered.keep(classified)

    def mark_stale(self) -> None:
        """The schema may have changed: read it again before the next statement."""
        self._stale = True

    async def fetching(self) -> Fetching:
        """Another connection of the reading login, for one use by the caller, who closes it. Raises UpstreamError."""
        return await Fetching.open(self.target)

    def _is_current(self) -> bool:
        tagged = self._watch.current().tags.get(self.name, ())
        return not self._stale and (tagged is self._tagged or tagged == self._tagged)

    async def _load(self) -> Catalog:
        try:
            connection = await self._connected()
            tagged = self._watch.current().tags.get(self.name, ())
            tags = {(row.schema, row.table, row.column): Tag(row.tag, row.lookup) for row in tagged}
            self._stale, self._loaded, self._tagged = False, time.monotonic(), tagged
            self._version = await self._versioned(connection)
            self._catalog = await load(connection, tags=tags, role=self.role)
            if self._catalog.missing_tags:
                log.warning("tagged_columns_missing", resource=self.name, columns=self._catalog.missing_tags)
        except (UpstreamError, FetchError, OSError) as error:
            self._stale = True
            log.warning("catalog_unreadable", resource=self.name, error=str(error))
            raise Refusal(
                "The gate cannot read the resource's catalog, so it understands no statement.",
                code="catalog_unavailable",
                sqlstate="57P03",
            ) from None
        if self._task is None:
            self._task = asyncio.create_task(self._look(), name=f"catalog of {self.name}")
        return self._catalog

    async def _connected(self) -> Fetching:
        if self._connection is None or self._connection.gone:
            self._connection = await Fetching.open(self.target)
        return self._connection

    async def _look(self) -> None:
        """Notice what others change."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                async with self._lock:
                    connection = await self._connected()
                    if await self._versioned(connection) != self._version:
                        self._stale = True
            except (UpstreamError, FetchError, OSError) as error:
                log.warning("catalog_unreadable", resource=self.name, error=str(error))
                self._stale = True

    async def close(self) -> None:
        """Stop looking and hang up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._connection is not None:
            self._connection.close()
