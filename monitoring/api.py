"""Incidents in the API: see them, and answer them."""

from __future__ import annotations

from collections.abc import Callable
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


class SeveritySerializer(serializers.Serializer[Any]):
    """How bad it is."""

    severity = serializers.ChoiceField(choices=Incident.Severity.choices)


class AssigneeSerializer(serializers.Serializer[Any]):
    """Whose it is: a user name, or null."""

    assignee = serializers.CharField(max_length=150, allow_null=True)


class NoteSerializer(serializers.Serializer[Any]):
    """What to note."""

    text = serializers.CharField(max_length=actions.LONGEST)


class ReasonSerializer(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=actions.LONGEST_STATUS_REASON)


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

    @extend_schema(request=None, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: UUID) -> Response:
        """Take notice of it."""
        return self._answered(pk, lambda: actions.acknowledge(pk, actor=self.person))

    @extend_schema(request=SeveritySerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def severity(self, request: Request, pk: UUID) -> Response:
        """Change how bad it is."""
        body = _valid(SeveritySerializer(data=request.data))
        return self._answered(pk, lambda: actions.rate(pk, severity=body["severity"], actor=self.person))

    @extend_schema(request=AssigneeSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: UUID) -> Response:
        """Give it to a CISO or a platform engineer; to nobody with null."""
        body = _valid(AssigneeSerializer(data=request.data))
        return self._answered(
            pk, lambda: actions.assign(pk, assignee=actions.person_named(body["assignee"]), actor=self.person)
        )

    @extend_schema(request=NoteSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def note(self, request: Request, pk: UUID) -> Response:
        """Write a note on it."""
        body = _valid(NoteSerializer(data=request.data))
        return self._answered(pk, lambda: actions.annotate(pk, text=body["text"], actor=self.person))

    @extend_schema(request=ReasonSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def contain(self, request: Request, pk: UUID) -> Response:
        """Suspend its agent: its connections and credentials end within a second."""
        body = _valid(ReasonSerializer(data=request.data))
        return self._answered(pk, lambda: actions.contain(pk, reason=body["reason"], actor=self.person))

    @extend_schema(request=ResolutionSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: UUID) -> Response:
        """Resolve it, with a reason: its signals count no longer."""
        body = _valid(ResolutionSerializer(data=request.data))
        return self._answered(pk, lambda: actions.resolve(pk, reason=body["reason"], actor=self.person))

    def _answered(self, pk: UUID, act: Callable[[], object]) -> Response:
        """The incident as it is after an answer; a refusal is recorded."""
        self.get_object()
        try:
            act()
        except NarrowgateError as error:
            actions.record_refusal(pk, actor=self.person, error=error)
            raise
        return Response(self.get_serializer(self.get_object()).data)


def _valid(body: serializers.Serializer[Any]) -> dict[str, Any]:
    """What the body says. Raises ValidationError."""
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)
