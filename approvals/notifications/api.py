"""Notifications in the API: one's own, marking them read, and how one wants to be told."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Asked, Visible
from accounts.scopes import ACCOUNT_WRITE, READ
from approvals.notifications import actions, queries
from approvals.notifications.forms import ChoicesForm
from approvals.notifications.kinds import Kind
from approvals.notifications.models import Notification
from approvals.outbox.narrowing import MOST, agent_ids, resource_ids


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    """One entry told to one person. `subject` is the identifier of what it is about."""

    title = serializers.CharField()

    class Meta:
        """What is shown."""

        model = Notification
        fields: ClassVar = ["id", "kind", "title", "about", "event", "entry", "subject", "at", "read_at"]


def _names(text: str) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=200), default=list, max_length=MOST, help_text=text
    )


class ChoicesSerializer(serializers.Serializer[Any]):
    """Which kinds are shown in the console, mailed and pushed; neither mail nor push comes from `quiet_from` to `quiet_until`, by the clock of
    `zone`, but what is critical where `severe` says so. `agents`, `resources` and `policies` narrow what is asked and what became of it.
    """

    shown = serializers.ListField(child=serializers.ChoiceField(choices=[kind.value for kind in Kind]))
    mailed = serializers.ListField(child=serializers.ChoiceField(choices=[kind.value for kind in Kind]))
    pushed = serializers.ListField(
        child=serializers.ChoiceField(choices=[kind.value for kind in Kind]),
        default=lambda: [kind.value for kind in Kind],
    )
    quiet_from = serializers.TimeField(allow_null=True)
    quiet_until = serializers.TimeField(allow_null=True)
    zone = serializers.CharField(max_length=60, help_text="As in Europe/Berlin.")
    severe = serializers.BooleanField(default=False)
    agents = _names("Of these alone, by name; empty for all.")
    resources = _names("At these alone, by name; empty for all.")
    policies = _names("Held by these alone, by their @id; empty for all.")


def _unread(text: str) -> Q:
    """`1` for those that were not read. Raises ValueError for anything else."""
    if text != "1":
        raise ValueError(text)
    return Q(read_at=None)


class NotificationViewSet(Visible[Notification]):
    """What you were told, newest first; `?kind=review` for holds that wait for you, `?unread=1` for what you have not read."""

    queryset = Notification.objects.none()
    serializer_class = NotificationSerializer
    visible = queries.shown_to
    write_scope = READ  # marking one's own as read is part of reading
    filters: ClassVar = {"kind": "kind", "unread": _unread}
    ordering: tuple[str, ...] = ("-at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=None, responses=NotificationSerializer)
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: UUID) -> Response:
        """Mark it as read."""
        return Response(self.get_serializer(actions.read(pk, actor=self.person)).data)

    @extend_schema(request=None, responses=NotificationSerializer)
    @action(detail=True, methods=["post"])
    def unread(self, request: Request, pk: UUID) -> Response:
        """Mark it as not read again."""
        return Response(self.get_serializer(actions.read(pk, actor=self.person, is_read=False)).data)

    @extend_schema(request=None, responses={204: None})
    @action(detail=False, methods=["post"], url_path="read-all")
    def read_all(self, request: Request) -> Response:
        """Mark all as read."""
        actions.read_all(actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChoicesView(Asked):
    """How whoever asks wants to be told."""

    write_scope = ACCOUNT_WRITE

    @extend_schema(responses=ChoicesSerializer)
    def get(self, request: Request) -> Response:
        """How you want to be told."""
        return Response(ChoicesSerializer(ChoicesForm.of(self.person())).data)

    @extend_schema(request=ChoicesSerializer, responses=ChoicesSerializer)
    def put(self, request: Request) -> Response:
        """Change how you want to be told, from now on."""
        person, body = self.person(), ChoicesSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        given["agents"], given["resources"] = (
            agent_ids(given["agents"], person),
            resource_ids(given["resources"], person),
        )
        actions.choose(actor=person, **given)
        return Response(ChoicesSerializer(ChoicesForm.of(person)).data)
