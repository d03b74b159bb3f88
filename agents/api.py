"""The inventory in the API: agents, resources, segments. Read-only; nothing here says a secret."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers

from accounts.api import Visible
from agents.models import Agent, Resource, Segment
from agents.queries import visible_agents, visible_resources, visible_segments


class AgentSerializer(serializers.ModelSerializer[Agent]):
    """An agent, with who answers for it."""

    segment = serializers.CharField(source="segment.name")
    owner = serializers.CharField(source="owner.username")
    deputy = serializers.CharField(source="deputy.username", default=None)
    spiffe_id = serializers.CharField()

    class Meta:
        """What is shown."""

        model = Agent
        fields: ClassVar = [
            "id", "name", "spiffe_id", "function", "environment", "purpose", "segment", "owner", "deputy", "status",
            "status_reason", "risk", "enrolled_at",
        ]  # fmt: skip


class ResourceSerializer(serializers.ModelSerializer[Resource]):
    """A resource, without the way to it."""

    segment = serializers.CharField(source="segment.name")
    owner = serializers.CharField(source="owner.username", default=None)

    class Meta:
        """What is shown."""

        model = Resource
        fields: ClassVar = ["id", "name", "kind", "purpose", "segment", "owner", "retired_at"]


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    """A segment."""

    class Meta:
        """What is shown."""

        model = Segment
        fields: ClassVar = ["id", "name", "purpose"]


class AgentViewSet(Visible[Agent]):
    """Agents."""

    queryset = Agent.objects.none()
    serializer_class = AgentSerializer
    visible = visible_agents
    filters: ClassVar = {"name": "name", "status": "status", "segment": "segment__name", "function": "function"}
    ordering: tuple[str, ...] = ("name",)
    lookup_value_converter = "uuid"


class ResourceViewSet(Visible[Resource]):
    """Resources."""

    queryset = Resource.objects.none()
    serializer_class = ResourceSerializer
    visible = visible_resources
    filters: ClassVar = {"name": "name", "kind": "kind", "segment": "segment__name"}
    ordering: tuple[str, ...] = ("name",)
    lookup_value_converter = "uuid"


class SegmentViewSet(Visible[Segment]):
    """Segments."""

    queryset = Segment.objects.none()
    serializer_class = SegmentSerializer
    visible = visible_segments
    filters: ClassVar = {"name": "name"}
    ordering: tuple[str, ...] = ("name",)
    lookup_value_converter = "uuid"
