"""Live incidents: a pipe that says "this incident changed", and nothing about it, to those who may see it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from channels.db import database_sync_to_async
from django.urls import path

from accounts.pipes import Pipe
from monitoring.actions import GROUP
from monitoring.queries import visible_incidents


class IncidentConsumer(Pipe):
    """One open list of incidents, or one open incident."""

    group: ClassVar[str] = GROUP

    async def incident_changed(self, message: dict[str, Any]) -> None:
        """Pass the identifier on, if this person may see the incident."""
        if await self._may_see(UUID(message["incident"])):
            await self.send_json({"type": "incident", "incident": message["incident"]})

    @database_sync_to_async  # type: ignore[untyped-decorator]  # channels publishes no types
    def _may_see(self, incident: UUID) -> bool:
        person = self.still_signed_in()
        return person is not None and visible_incidents(person).filter(id=incident).exists()


websocket_urls = [path("ws/incidents/", IncidentConsumer.as_asgi())]
