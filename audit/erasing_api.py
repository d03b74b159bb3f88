"""Erasing recordings in the API: asking for it, confirming it as a second person, dropping it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actors import require_role
from accounts.models import Role, User
from accounts.scopes import PEOPLE_WRITE
from activity.erasing_actions import MAY_ASK, MOST, ask_to_erase, confirm_erasure, drop_erasure, record_refusal
from activity.models import Erasure
from activity.queries import erasures_with_people
from agents.api import read
from agents.api_bodies import ReasonBody
from audit.api import Recorded
from audit.roles import READERS
from core.errors import Refused, RoleRequired


class ErasureSerializer(serializers.ModelSerializer[Erasure]):
    """Recordings that somebody asked to erase; `erased_at` is null until a second person confirmed it."""

    asked_by = serializers.CharField(source="asked_by.username", allow_null=True, default=None)
    confirmed_by = serializers.CharField(source="confirmed_by.username", allow_null=True, default=None)

    class Meta:
        """What is shown."""

        model = Erasure
        fields: ClassVar = [
            "id", "because", "sessions", "actions", "asked_by", "asked_at", "confirmed_by", "erased_at", "count",
        ]  # fmt: skip


class EraseBody(ReasonBody):
    """What to erase, as a whole session or action by action, and why: not whom it is about, for that is kept."""

    sessions = serializers.ListField(child=serializers.UUIDField(), max_length=MOST, default=list)
    actions = serializers.ListField(child=serializers.UUIDField(), max_length=MOST, default=list)


def _visible(user: User) -> QuerySet[Erasure]:
    return erasures_with_people() if user.has_role(*READERS) else Erasure.objects.none()


class ErasureViewSet(Recorded[Erasure]):
    """Erasures of recordings, the newest first."""

    queryset = Erasure.objects.none()
    serializer_class = ErasureSerializer
    visible = _visible
    write_scope = PEOPLE_WRITE
    ordering: tuple[str, ...] = ("-asked_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=EraseBody, responses={201: ErasureSerializer})
    def create(self, request: Request) -> Response:
        """Ask for it, as an auditor or administrator; nothing is erased until an administrator who did not ask confirms."""
        require_role(self.person, *MAY_ASK)
        said = read(EraseBody, request)
        made = ask_to_erase(because=said.pop("reason"), actor=self.person, **said)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=ErasureSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: UUID) -> Response:
        """Erase it for good, as an administrator who did not ask for it."""
        require_role(self.person, Role.ADMINISTRATOR)
        return Response(self.get_serializer(self._do(pk, confirm_erasure)).data)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def drop(self, request: Request, pk: UUID) -> Response:
        """Drop it: nothing is erased."""
        require_role(self.person, *MAY_ASK)
        self._do(pk, drop_erasure)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _do(self, pk: UUID, act: Callable[..., Any]) -> Any:  # noqa: ANN401 -- what the action gives
        """Do it; a refusal leaves an entry."""
        if not self.get_queryset().filter(id=pk).exists():
            raise Http404
        try:
            return act(pk, actor=self.person)
        except RoleRequired:
            raise
        except Refused as error:
            record_refusal(pk, actor=self.person, error=error)
            raise
