"""Reads what a tool server offers when a person asks for it, before any agent comes: with the gate's own session, at no agent's behest."""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog
from django.db import Error as OrmError
from django.db import transaction

from agents import tool_actions
from agents.actors import resource_subject
from agents.models import Resource
from agents.tool_models import ToolServer
from core.errors import NarrowgateError
from gateway.mcp.link import Link
from gateway.mcp.overhttp import OverHttp
from gateway.mcp.program import Program
from gateway.mcp.servers import Server, load
from gateway.mcp.sessions import LOST, Session, offered_now, unreached
from gateway.refusal import Refusal
from gateway.threads import in_thread
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

WITHIN = 60.0
"""Seconds that reading one list may take."""
log = structlog.get_logger()


class Reader:
    """One gateway's. Where there are several each reads: what they note is the same, once."""

    def __init__(self, node: Actor) -> None:
        self._node = node
        self._looking: set[asyncio.Task[None]] = set()
        self._reading: set[UUID] = set()

    def nudge(self) -> None:
        """Something in the inventory changed: look whether a list is to be read."""
        task = asyncio.create_task(self._look())
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def stop(self) -> None:
        """Read no more."""
        for task in list(self._looking):
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)

    async def _look(self) -> None:
        try:
            found = await in_thread(_asked)
            await asyncio.gather(*(self._read(one, name) for one, name in found if one not in self._reading))
        except OrmError as error:
            log.warning("lists_not_read", error=str(error))

    async def _read(self, resource: UUID, name: str) -> None:
        self._reading.add(resource)
        try:
            async with asyncio.timeout(WITHIN):
                await self._offers(await in_thread(self._opened, name))
        except (NarrowgateError, Refusal) as error:
            await in_thread(tool_actions.could_not_read, resource, problem=error.message)
        except LOST as error:
            await in_thread(tool_actions.could_not_read, resource, problem=unreached(error).message)
        except TimeoutError:
            await in_thread(tool_actions.could_not_read, resource, problem="Reading its list took too long.")
        finally:
            self._reading.discard(resource)

    def _opened(self, name: str) -> Server:
        """The server; that its secret is used is recorded."""
        server = load(name, None)
        if server.credential is not None:
            with transaction.atomic():
                subject = resource_subject(Resource.objects.get(id=server.id))
                record(Event.SECRET_USED, actor=self._node, subject=subject, details={"for": "reading its list"})
        return server

    async def _offers(self, server: Server) -> None:
        link: Link = Program(server) if server.pool is None else OverHttp(server, server.pool)
        try:
            welcome = await link.begin({})
            session = Session("", (), server, link, welcome.version, {}, welcome)
            offered = await offered_now(session)
            await in_thread(tool_actions.saw, server.id, offered, about=session.calls_itself, actor=self._node)
        finally:
            await link.close()
            if server.pool is not None:
                server.pool.close()


def _asked() -> list[tuple[UUID, str]]:
    """The servers whose lists somebody wants read."""
    waiting = ToolServer.objects.filter(asked_at__isnull=False, resource__retired_at=None)
    return list(waiting.values_list("resource_id", "resource__name"))
