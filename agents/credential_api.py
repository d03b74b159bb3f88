"""Credentials and wishes that agents may act, in the API. Writes call the actions that pages call."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Visible
from accounts.scopes import AGENTS_WRITE
from agents import actions
from agents import api_bodies as bodies
from agents.api import read
from agents.models import Credential, Reinstatement
from agents.queries import visible_credentials, visible_reinstatements


class ReinstatementViewSet(Visible[Reinstatement]):
    """Wishes that suspended or proposed agents may act, newest first; `?status=waiting` for those that wait for a second person."""

    queryset = Reinstatement.objects.none()
    serializer_class = bodies.ReinstatementSerializer
    visible = visible_reinstatements
    write_scope = AGENTS_WRITE
    filters: ClassVar = {"agent": "agent__name", "status": "status"}
    ordering: tuple[str, ...] = ("-asked_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=None, responses=bodies.ReinstatementSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: UUID) -> Response:
        """Let the agent act, as a second person who does not answer for it."""
        actions.reinstate(self.get_object().id, actor=self.person)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=bodies.ReasonBody, responses=bodies.ReinstatementSerializer)
    @action(detail=True, methods=["post"])
    def decline(self, request: Request, pk: UUID) -> Response:
        """Say no, or take back what one asked oneself."""
        actions.decline_reinstatement(self.get_object().id, actor=self.person, **read(bodies.ReasonBody, request))
        return Response(self.get_serializer(self.get_object()).data)


def _live(text: str) -> Q:
    """`1` for those that are good now. Raises ValueError for anything else."""
    if text != "1":
        raise ValueError(text)
    return Q(expires_at__gt=timezone.now(), revoked_at=None)


class CredentialViewSet(Visible[Credential]):
    """Credentials that were issued; `?live=1` for those that are good now."""

    queryset = Credential.objects.none()
    serializer_class = bodies.CredentialSerializer
    visible = visible_credentials
    write_scope = AGENTS_WRITE
    filters: ClassVar = {
        "agent": "agent__name",
        "resource": "resource__name",
        "kind": "kind",
        "live": _live,
        "expires_until": "expires_at__lte",
    }
    ordering: tuple[str, ...] = ("-issued_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=bodies.ReasonBody, responses=bodies.CredentialSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: UUID) -> Response:
        """End a credential before its time, everywhere within a second."""
        credential = self.get_object()
        actions.revoke_credential(credential.id, actor=self.person, **read(bodies.ReasonBody, request))
        return Response(self.get_serializer(self.get_object()).data)
