"""Grants in the API: which there are, and taking one back."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Visible
from accounts.models import User
from accounts.scopes import REVIEW
from approvals import grant_actions, queries
from approvals.models import Grant


class GrantSerializer(serializers.ModelSerializer[Grant]):
    """A grant; `covers` is the action that its first one was, with tagged literals masked."""

    agent = serializers.CharField(source="agent.name")
    resource = serializers.CharField(source="resource.name")
    covers = serializers.CharField(source="hold.shown")
    revoked_by = serializers.CharField(source="revoked_by.username", default=None)

    class Meta:
        """What is shown."""

        model = Grant
        fields: ClassVar = [
            "id", "hold_id", "agent", "resource", "scope", "covers", "given_at", "expires_at", "most", "uses",
            "revoked_at", "revoked_by", "revoked_because",
        ]  # fmt: skip


class TakeBackSerializer(serializers.Serializer[Any]):
    """Why it is taken back."""

    reason = serializers.CharField(max_length=grant_actions.LONGEST_REASON)


def _related(user: User) -> QuerySet[Grant]:
    return queries.visible_grants(user).select_related("agent", "resource", "hold", "revoked_by")


class GrantViewSet(Visible[Grant]):
    """Grants, the newest first."""

    queryset = Grant.objects.none()
    serializer_class = GrantSerializer
    visible = _related
    write_scope = REVIEW
    filters: ClassVar = {"agent": "agent__name", "resource": "resource__name"}
    ordering: tuple[str, ...] = ("-given_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=TakeBackSerializer, responses=GrantSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: UUID) -> Response:
        """Take it back: it lets nothing through any more."""
        body = TakeBackSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        grant_actions.revoke(pk, actor=self.person, reason=body.validated_data["reason"])
        return Response(self.get_serializer(self.get_object()).data)
