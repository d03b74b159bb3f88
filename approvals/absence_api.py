"""Being away, in the API: one's own."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Asked
from accounts.models import User
from accounts.scopes import ACCOUNT_WRITE
from approvals import absence_actions
from approvals.models import Absence
from core.errors import Invalid, NotFound


class AbsenceSerializer(serializers.Serializer[Any]):
    """From when until when one is away, and the user name of who is asked instead."""

    delegate = serializers.CharField(max_length=150, source="delegate.username")
    begins = serializers.DateTimeField()
    ends = serializers.DateTimeField()


class AbsenceView(Asked):
    """That whoever asks is away."""

    write_scope = ACCOUNT_WRITE

    @extend_schema(responses=AbsenceSerializer)
    def get(self, request: Request) -> Response:
        """Your absence; 404 where you said none."""
        absence = Absence.objects.select_related("delegate").filter(person=self.person()).first()
        if absence is None:
            raise NotFound("You are not away.")
        return Response(AbsenceSerializer(absence).data)

    @extend_schema(request=AbsenceSerializer, responses=AbsenceSerializer)
    def put(self, request: Request) -> Response:
        """Say that you are away."""
        person, body = self.person(), AbsenceSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        said = body.validated_data
        delegate = User.objects.filter(username=said["delegate"]["username"]).first()
        if delegate is None:
            raise Invalid("delegate", "Nobody here has that user name.")
        absence = absence_actions.go_away(actor=person, delegate=delegate, begins=said["begins"], ends=said["ends"])
        return Response(AbsenceSerializer(absence).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        """Say that you are there again."""
        absence_actions.come_back(actor=self.person())
        return Response(status=status.HTTP_204_NO_CONTENT)
