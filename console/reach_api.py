"""Who can reach what in the API: what an agent may do, who can reach a resource, what crosses between segments."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Asked
from accounts.queries import READS_EVERYTHING
from agents.queries import visible_agents, visible_resources
from audit.reading import note_read
from policies.crossings import segment_map
from policies.effective import Told
from policies.reaching import agent_reach, resource_reach


class LineSerializer(serializers.Serializer[Told]):
    """Permissions that are alike: verbs (groups where whole) on objects (none: whichever), and the policies that say so."""

    resource = serializers.CharField()
    outcome = serializers.ChoiceField(choices=["allow", "hold"], source="outcome.value")
    verbs = serializers.ListField(child=serializers.CharField())
    objects = serializers.ListField(child=serializers.CharField())
    policies = serializers.ListField(child=serializers.CharField())
    requirement = serializers.SerializerMethodField(help_text="Who must approve what is held.")
    masked = serializers.ListField(child=serializers.CharField())
    unmasked = serializers.ListField(child=serializers.CharField())
    limit = serializers.IntegerField(allow_null=True)

    def get_requirement(self, line: Told) -> str:
        """The seats, as a policy writes them; empty where nothing is held."""
        return str(line.requirement or "")


class UsedSerializer(serializers.Serializer[Any]):
    """One permission and when it was last used in 30 days; null for never."""

    resource = serializers.CharField()
    verb = serializers.CharField()
    last = serializers.DateTimeField(allow_null=True)


class AgentReachSerializer(serializers.Serializer[Any]):
    """What an agent may do by the policies in force."""

    policy_version = serializers.IntegerField(source="version")
    permissions = LineSerializer(many=True, source="lines")
    used = UsedSerializer(many=True)
    unused = serializers.SerializerMethodField(help_text="The least-privilege gap: permissions that were not used.")
    unasked = serializers.IntegerField(help_text="Resources that were too many to ask about.")

    def get_unused(self, reach: Any) -> int:  # noqa: ANN401 -- an AgentReach
        """How many."""
        return len(reach.unused)


class ReacherSerializer(serializers.Serializer[Any]):
    """Agents that policies cannot tell apart at a resource."""

    agents = serializers.ListField(child=serializers.CharField(), source="kind.names")
    permissions = LineSerializer(many=True, source="lines")


class ResourceReachSerializer(serializers.Serializer[Any]):
    """Who can reach a resource by the policies in force."""

    policy_version = serializers.IntegerField(source="version")
    agents = serializers.IntegerField()
    reachers = ReacherSerializer(many=True)
    unasked = serializers.IntegerField(help_text="Kinds of agents that were too many to ask about.")


class CrossingSerializer(serializers.Serializer[Any]):
    """What agents of one segment may do at resources of another, or of their own."""

    begins = serializers.CharField()
    ends = serializers.CharField()
    agents = serializers.IntegerField()
    resources = serializers.ListField(child=serializers.CharField(), source="names")
    allowed = serializers.ListField(child=serializers.CharField(), source="allowed_told")
    held = serializers.ListField(child=serializers.CharField(), source="held_told")
    policies = serializers.ListField(child=serializers.CharField(), source="ids")


class PermissionsView(Asked):
    """What an agent may do."""

    @extend_schema(responses=AgentReachSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Everything an agent may do today, by which policy, and what of it was used in 30 days. Asking is an entry."""
        person = self.person()
        agent = visible_agents(person).filter(name=name).first()
        if agent is None:
            raise Http404
        note_read(person, "permissions", str(agent.id), {})
        return Response(AgentReachSerializer(agent_reach(agent, timezone.now())).data)


class ReachView(Asked):
    """Who can reach a resource."""

    @extend_schema(responses=ResourceReachSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Every active agent that may do anything at a resource, those that policies cannot tell apart together."""
        resource = visible_resources(self.person(*READS_EVERYTHING)).filter(name=name).first()
        if resource is None:
            raise Http404
        return Response(ResourceReachSerializer(resource_reach(resource)).data)


class CrossingsView(Asked):
    """What crosses between segments."""

    @extend_schema(responses=CrossingSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What may cross from segment to segment, or within one, by the policies in force."""
        self.person(*READS_EVERYTHING)
        return Response(CrossingSerializer(list(segment_map().crossings), many=True).data)
