"""Incidents in the API: see them, and resolve them with a reason."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Visible
from accounts.scopes import INCIDENTS_WRITE
from core.errors import NarrowgateError
from monitoring import actions
from monitoring.models import Incident
from monitoring.queries import visible_incidents


class IncidentSerializer(serializers.ModelSerializer[Incident]):
    """An incident of an agent, or of the address from which nobody's identity was proven."""

    agent = serializers.CharField(source="agent.name", default=None)
    assignee = serializers.CharField(source="assignee.username", default=None)
    acknowledged_by = serializers.CharField(source="acknowledged_by.username", default=None)

    class Meta:
        """What is shown."""

        model = Incident
        fields: ClassVar = [
            "id", "kind", "severity", "status", "agent", "source", "began_at", "detected_at", "contained_at", "resolved_at",
            "acknowledged_at", "acknowledged_by", "assignee", "suspended_at", "withheld_at", "resolution",
        ]  # fmt: skip


class ResolutionSerializer(serializers.Serializer[Any]):
    """Why it is resolved."""

    reason = serializers.CharField(max_length=actions.LONGEST)


class IncidentViewSet(Visible[Incident]):
    """Incidents, newest first; `?status=open` for those that nobody has looked at."""

    queryset = Incident.objects.none()
    serializer_class = IncidentSerializer
    visible = visible_incidents
    write_scope = INCIDENTS_WRITE
    filters: ClassVar = {
        "status": "status",
        "kind": "kind",
        "severity": "severity",
        "agent": "agent__name",
        "source": "source",
    }
    ordering: tuple[str, ...] = ("-detected_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=ResolutionSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: UUID) -> Response:
        """Resolve it, with a reason: its signals count no longer."""
        body = ResolutionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        self.get_object()
        try:
            actions.resolve(pk, reason=body.validated_data["reason"], actor=self.person)
        except NarrowgateError as error:
            actions.record_refusal(pk, actor=self.person, error=error)
            raise
        return Response(self.get_serializer(self.get_object()).data)
