"""Notifications in the API: one's own, and marking them read."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Visible
from accounts.scopes import READ
from approvals.notifications import actions, queries
from approvals.notifications.models import Notification


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    """One entry told to one person. `subject` is the identifier of what it is about."""

    title = serializers.CharField()

    class Meta:
        """What is shown."""

        model = Notification
        fields: ClassVar = ["id", "kind", "title", "about", "event", "entry", "subject", "at", "read_at"]


class NotificationViewSet(Visible[Notification]):
    """What you were told, newest first; `?kind=review` for holds that wait for you."""

    queryset = Notification.objects.none()
    serializer_class = NotificationSerializer
    visible = queries.shown_to
    write_scope = READ  # marking one's own as read is part of reading
    filters: ClassVar = {"kind": "kind"}
    ordering: tuple[str, ...] = ("-at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=None, responses=NotificationSerializer)
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: UUID) -> Response:
        """Mark it as read."""
        return Response(self.get_serializer(actions.read(pk, actor=self.person)).data)

    @extend_schema(request=None, responses={204: None})
    @action(detail=False, methods=["post"], url_path="read-all")
    def read_all(self, request: Request) -> Response:
        """Mark all as read."""
        actions.read_all(actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)
