"""Stopping many agents at once in the API: an owner's, a segment's, or everything; and lifting the last, as two people."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actors import require_role
from accounts.api import Visible
from accounts.scopes import AGENTS_WRITE
from agents import halt_actions, lookups
from agents.api import read
from agents.api_bodies import ReasonBody
from agents.halt_actions import MAY_HALT
from agents.models import Halt
from agents.queries import visible_halts


class HaltSerializer(serializers.ModelSerializer[Halt]):
    """A stop of everything: who, why, and who lifted it."""

    halted_by = serializers.CharField(source="halted_by.username")
    asked_by = serializers.CharField(source="asked_by.username", allow_null=True, default=None)
    lifted_by = serializers.CharField(source="lifted_by.username", allow_null=True, default=None)

    class Meta:
        """What is shown."""

        model = Halt
        fields: ClassVar = [
            "id", "reason", "halted_by", "halted_at", "asked_by", "asked_reason", "asked_at", "lifted_by", "lifted_at",
        ]  # fmt: skip


class OwnerBody(ReasonBody):
    """Whose agents, and why."""

    owner = serializers.CharField(max_length=150)


class SegmentNameBody(ReasonBody):
    """Which segment's agents, and why."""

    segment = serializers.CharField(max_length=40)


class SuspendedBody(serializers.Serializer[dict[str, Any]]):
    """How many agents were suspended."""

    suspended = serializers.IntegerField()


class HaltViewSet(Visible[Halt]):
    """Stops of everything, newest first."""

    queryset = Halt.objects.none()
    serializer_class = HaltSerializer
    visible = visible_halts
    write_scope = AGENTS_WRITE
    ordering: tuple[str, ...] = ("-halted_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=ReasonBody, responses={201: HaltSerializer})
    def create(self, request: Request) -> Response:
        """Stop everything, within a second: two people can lift it."""
        require_role(self.person, *MAY_HALT)
        made = halt_actions.halt(actor=self.person, **read(ReasonBody, request))
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=OwnerBody, responses=SuspendedBody)
    @action(detail=False, methods=["post"])
    def owner(self, request: Request) -> Response:
        """Suspend every agent that a person owns, within a second."""
        require_role(self.person, *MAY_HALT)
        given = read(OwnerBody, request)
        whose = lookups.account_named(given.pop("owner"))
        return Response({"suspended": halt_actions.suspend_owned(whose.id, actor=self.person, **given)})

    @extend_schema(request=SegmentNameBody, responses=SuspendedBody)
    @action(detail=False, methods=["post"])
    def segment(self, request: Request) -> Response:
        """Suspend every agent of a segment, within a second."""
        require_role(self.person, *MAY_HALT)
        given = read(SegmentNameBody, request)
        where = lookups.segment_named(given.pop("segment"))
        return Response({"suspended": halt_actions.suspend_segment(where, actor=self.person, **given)})

    @extend_schema(request=ReasonBody, responses=HaltSerializer)
    @action(detail=False, methods=["post"])
    def ask(self, request: Request) -> Response:
        """Ask that what was stopped may act again."""
        asked = halt_actions.ask_to_lift(actor=self.person, **read(ReasonBody, request))
        return Response(self.get_serializer(asked).data)

    @extend_schema(request=None, responses=HaltSerializer)
    @action(detail=False, methods=["post"])
    def lift(self, request: Request) -> Response:
        """Lift it, as a second person."""
        return Response(self.get_serializer(halt_actions.lift(actor=self.person)).data)
