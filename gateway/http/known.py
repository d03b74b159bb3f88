"""What this gateway knows of the resources behind it that keep no connection, read again once anything in the inventory has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from django.db import transaction

from agents.actors import resource_subject
from agents.detectors.acting import Detecting
from agents.models import Resource
from gateway.action import Caller
from gateway.http.pool import Pool
from gateway.http.reaching import LONGEST
from gateway.snapshot import Watch
from gateway.threads import in_thread
from gateway.visits import Visit
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record


class Reached(Protocol):
    """One resource, as it is reached."""

    @property
    def pool(self) -> Pool | None:
        """The connections to it; None where it is no host."""
        ...

    @property
    def credential(self) -> tuple[str, str] | None:
        """What it is served with from the vault, None where that holds nothing for it."""
        ...


T = TypeVar("T", bound=Reached)


class Targets(Generic[T]):
    """Those that were asked for. `load` reads one, given what it was before."""

    def __init__(self, watch: Watch, node_id: UUID, load: Callable[[str, T | None], T]) -> None:
        self._watch = watch
        self._load = load
        self._node = Actor(kind="gateway", id=str(node_id), name="gateway")
        self._known: dict[str, tuple[int, T]] = {}
        self._changing = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()

    async def of(self, visit: Visit) -> T:
        """The resource that `visit` is at; that its credential is used is recorded once a session. Raises Refusal."""
        await self._watch.heard()  # as long as an action waits for it, and no longer
        name, revision = visit.caller.resource, self._watch.current().revision
        known = self._known.get(name)
        if known is None or known[0] != revision:
            async with self._changing:
                known = self._known.get(name)
                if known is None or known[0] != revision:
                    known = self._known[name] = revision, await self._read(name, known[1] if known else None)
        if known[1].credential is not None and not visit.secret_recorded:
            async with self._changing:
                if not visit.secret_recorded:
                    await in_thread(self._record_use, visit.caller)
                    visit.secret_recorded = True
        return known[1]

    def detecting(self, visit: Visit) -> Detecting:
        """The detectors that act where `visit` is."""
        return self._watch.detecting(visit.caller.resource)

    async def _read(self, name: str, before: T | None) -> T:
        target = await in_thread(self._load, name, before)
        if before is not None and before.pool is not None and before.pool is not target.pool:
            task = asyncio.create_task(_retire(before.pool))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        return target

    def _record_use(self, caller: Caller) -> None:
        with transaction.atomic():
            resource = Resource.objects.get(id=caller.resource_id)
            record(Event.SECRET_USED, actor=self._node, subject=resource_subject(resource), session=caller.session_id)

    async def close(self) -> None:
        """Close every connection."""
        retiring = list(self._retiring)
        for task in retiring:
            task.cancel()
        await asyncio.gather(*retiring, return_exceptions=True)
        for _, target in self._known.values():
            if target.pool is not None:
                target.pool.close()
        self._known.clear()


async def _retire(pool: Pool) -> None:
    """Close `pool` when the longest answer that may come through it is over, or when this is cancelled."""
    try:
        await asyncio.sleep(LONGEST)
    finally:
        pool.close()
