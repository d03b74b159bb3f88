"""Tool servers in the API: what one offers and what of it is accepted, accepting, taking back, and the program that the gate runs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Asked
from accounts.models import Role, User
from accounts.scopes import AGENTS_WRITE
from agents import tool_actions
from agents.api import read
from agents.models import Resource
from agents.queries import visible_resources
from agents.tool_models import ToolDefinition, ToolServer
from agents.tool_views import READERS
from agents.tools import difference

MOST_ROW = 2**62


class DefinitionSerializer(serializers.ModelSerializer[ToolDefinition]):
    """A tool, a prompt or the instructions, as the server last said it: its own words. `difference` is from what is accepted, line by line."""

    standing = serializers.ChoiceField(choices=["new", "changed", "accepted", "gone"])
    accepted_by = serializers.CharField(source="accepted_by.username", default=None, allow_null=True)
    difference = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = ToolDefinition
        fields: ClassVar = [
            "id", "kind", "name", "standing", "seen", "digest", "problem", "accepted_digest", "accepted_at", "accepted_by", "changed_at",
            "gone_at", "difference",
        ]  # fmt: skip

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_difference(self, one: ToolDefinition) -> list[str]:
        """Nothing where it is the accepted one."""
        return (
            []
            if one.is_accepted
            else [f"{line.sign or ' '} {line.text}" for line in difference(one.accepted, one.seen)]
        )


class ToolsSerializer(serializers.Serializer[Any]):
    """What a tool server offers. `about` is what it calls itself; `problem` why its list could not be read."""

    about = serializers.CharField()
    problem = serializers.CharField()
    asked_at = serializers.DateTimeField(allow_null=True)
    read_at = serializers.DateTimeField(allow_null=True)
    command = serializers.ListField(child=serializers.CharField(), allow_null=True)
    definitions = DefinitionSerializer(many=True)


class SeenBody(serializers.Serializer[Any]):
    """A definition, and the digest of what was looked at."""

    id = serializers.IntegerField(min_value=1, max_value=MOST_ROW)
    digest = serializers.CharField(max_length=71)


class AcceptBody(serializers.Serializer[Any]):
    """What to accept."""

    definitions = SeenBody(many=True, allow_empty=False)


class WithdrawBody(serializers.Serializer[Any]):
    """Whose acceptance to take back."""

    id = serializers.IntegerField(min_value=1, max_value=MOST_ROW)


class CommandBody(serializers.Serializer[Any]):
    """The program, by its whole path, and its arguments."""

    command = serializers.ListField(
        child=serializers.CharField(max_length=tool_actions.LONGEST_ARGUMENT), max_length=100
    )


class _OfServer(Asked):
    """About one tool server."""

    write_scope = AGENTS_WRITE

    def found(self, name: str, *roles: Role) -> tuple[User, Resource]:
        """Who asks, and the server. Raises Http404."""
        person = self.person(*roles)
        server = visible_resources(person).filter(name=name, kind=Resource.Kind.MCP).first()
        if server is None:
            raise Http404
        return person, server

    def said(self, server: Resource, code: int = status.HTTP_200_OK) -> Response:
        """The answer that shows it."""
        known = ToolServer.objects.filter(resource=server).first() or ToolServer(resource=server)
        rows = server.definitions.select_related("accepted_by")
        says = {name: getattr(known, name) for name in ("about", "problem", "asked_at", "read_at", "command")}
        return Response(ToolsSerializer({**says, "definitions": list(rows)}).data, status=code)


class ToolsView(_OfServer):
    """What a tool server offers."""

    @extend_schema(responses=ToolsSerializer)
    def get(self, request: Request, name: str) -> Response:
        """What a tool server offers, what of it is accepted, and what differs from that."""
        return self.said(self.found(name, *READERS)[1])


class ReadToolsView(_OfServer):
    """Having its list read."""

    @extend_schema(request=None, responses={202: ToolsSerializer})
    def post(self, request: Request, name: str) -> Response:
        """Have a gateway read what a tool server offers, within a second or two."""
        engineer, server = self.found(name, Role.ENGINEER)
        tool_actions.ask_to_read(server.id, actor=engineer)
        return self.said(server, status.HTTP_202_ACCEPTED)


class AcceptToolsView(_OfServer):
    """Accepting."""

    @extend_schema(request=AcceptBody, responses=ToolsSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Accept definitions as they were seen: agents get them where a policy permits."""
        engineer, server = self.found(name, Role.ENGINEER)
        seen = {one["id"]: one["digest"] for one in read(AcceptBody, request)["definitions"]}
        tool_actions.accept(server.id, seen=seen, actor=engineer)
        return self.said(server)


class WithdrawToolView(_OfServer):
    """Taking back."""

    @extend_schema(request=WithdrawBody, responses=ToolsSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Take an acceptance back: no agent gets it any more."""
        engineer, server = self.found(name, Role.ENGINEER)
        tool_actions.withdraw(server.id, definition=read(WithdrawBody, request)["id"], actor=engineer)
        return self.said(server)


class ToolCommandView(_OfServer):
    """The program that the gate runs."""

    @extend_schema(request=CommandBody, responses=ToolsSerializer)
    def put(self, request: Request, name: str) -> Response:
        """Say, as an administrator, which program the gate runs for it, one for each session."""
        administrator, server = self.found(name, Role.ADMINISTRATOR)
        tool_actions.run_command(server.id, command=read(CommandBody, request)["command"], actor=administrator)
        return self.said(server)
