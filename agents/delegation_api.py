"""Delegations in the API: a person lets an agent act for them, sees by which that is so, and ends one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Visible
from accounts.scopes import AGENTS_WRITE
from agents import lookups
from agents.api import read
from agents.api_bodies import ReasonBody
from agents.delegation import MOST_VERBS
from agents.delegation_actions import LONGEST, delegate, end_delegation
from agents.models import Delegation
from agents.queries import visible_delegations


class DelegationSerializer(serializers.ModelSerializer[Delegation]):
    """Who lets which agent act for them: where, what for, until when."""

    person = serializers.CharField(source="person.username")
    agent = serializers.CharField(source="agent.name")
    resource = serializers.CharField(source="resource.name")

    class Meta:
        """What is shown."""

        model = Delegation
        fields: ClassVar = [
            "id", "person", "agent", "resource", "purpose", "verbs", "passes_on", "granted_at", "expires_at", "ended_at",
        ]  # fmt: skip


class DelegateBody(serializers.Serializer[dict[str, Any]]):
    """What an agent is to do for oneself."""

    agent = serializers.CharField(max_length=100)
    resource = serializers.CharField(max_length=60)
    purpose = serializers.CharField(max_length=300)
    minutes = serializers.IntegerField(min_value=1, max_value=int(LONGEST.total_seconds() // 60))
    verbs = serializers.ListField(
        child=serializers.CharField(max_length=50), allow_null=True, default=None, max_length=MOST_VERBS
    )
    passes_on = serializers.BooleanField(default=False)


class DelegationViewSet(Visible[Delegation]):
    """By which agents act for people; one's own, and everybody's for who reads everything."""

    queryset = Delegation.objects.none()
    serializer_class = DelegationSerializer
    visible = visible_delegations
    write_scope = AGENTS_WRITE
    filters: ClassVar = {"agent": "agent__name", "resource": "resource__name", "person": "person__username"}
    ordering: tuple[str, ...] = ("-granted_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=DelegateBody, responses={201: DelegationSerializer})
    def create(self, request: Request) -> Response:
        """Let an agent act for oneself. What it may do, policies say."""
        given = read(DelegateBody, request)
        agent = lookups.agent_named(given.pop("agent"), self.person)
        resource = lookups.resource_named(given.pop("resource"), self.person)
        life = timedelta(minutes=given.pop("minutes"))
        made = delegate(agent.id, resource=resource, life=life, actor=self.person, **given)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ReasonBody, responses=DelegationSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: UUID) -> Response:
        """End it, and every credential that came of it, everywhere within a second."""
        ended = end_delegation(self.get_object().id, actor=self.person, **read(ReasonBody, request))
        return Response(self.get_serializer(ended).data)
