"""Agents and resources as files, in the API: taken away, looked at before they are brought, and brought."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Role, User
from accounts.permissions import HasScope
from accounts.scopes import AGENTS_WRITE
from agents.carrying import FIELDS, FORMATS
from agents.importing import apply, plan
from audit.reading import note_taken
from console.carrying_views import carried


class BringBody(serializers.Serializer[Any]):
    """A file's text. With `seen`, the digest of what was looked at, exactly that is done; without, nothing is."""

    text = serializers.CharField(max_length=400_000, trim_whitespace=False)
    form = serializers.ChoiceField(choices=FORMATS, default="json")
    seen = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")


class DifferenceSerializer(serializers.Serializer[Any]):
    """A field with what it holds and what it would."""

    field = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()


class ItemSerializer(serializers.Serializer[Any]):
    """What becomes of one row: `about` names the field that cannot be used."""

    line = serializers.IntegerField()
    name = serializers.CharField()
    verb = serializers.ChoiceField(choices=["create", "change", "same", "refuse"])
    differences = DifferenceSerializer(many=True)
    about = serializers.CharField()
    problem = serializers.CharField()
    remedy = serializers.CharField()


class PlanSerializer(serializers.Serializer[Any]):
    """What a file does: send `digest` as `seen` to have it done."""

    digest = serializers.CharField()
    done = serializers.BooleanField()
    items = ItemSerializer(many=True)


class CarriedSerializer(serializers.Serializer[Any]):
    """All of them as a file would have them."""

    things = serializers.ListField(child=serializers.DictField())


class CarryView(APIView):
    """Agents or resources as files."""

    permission_classes = (IsAuthenticated, HasScope)
    write_scope = AGENTS_WRITE

    @extend_schema(responses=CarriedSerializer)
    def get(self, request: Request, what: str) -> Response:
        """All agents, or all resources, as a file can bring them again: no key, no secret. Taking them is an entry."""
        user = self._person(request, what, Role.ENGINEER, Role.ADMINISTRATOR)
        note_taken(user, f"{what} to carry", {"form": "json"})
        return Response({"things": carried(user, what)})

    @extend_schema(request=BringBody, responses=PlanSerializer)
    def post(self, request: Request, what: str) -> Response:
        """Say what a file would change; or, with the digest of that, change it: all of it or nothing, an entry each."""
        user = self._person(request, what, Role.ENGINEER)
        body = BringBody(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        seen = given["seen"]
        found = (
            apply(given["text"], given["form"], what, seen=seen, actor=user)
            if seen
            else plan(given["text"], given["form"], what, actor=user)
        )
        return Response(PlanSerializer({"digest": found.digest, "done": bool(seen), "items": found.items}).data)

    def _person(self, request: Request, what: str, *roles: Role) -> User:
        if what not in FIELDS or not isinstance(request.user, User) or not request.user.has_role(*roles):
            raise Http404
        return request.user
