"""Browsers that are pushed to, in the API: one's own."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Visible
from accounts.scopes import ACCOUNT_WRITE
from agents.api import read
from approvals.outbox import device_actions
from approvals.outbox.addresses import push_address_of
from approvals.outbox.models import Device
from approvals.outbox.queries import own_devices


class DeviceBody(serializers.Serializer[Any]):
    """What a browser's PushManager gave, and what its person calls it."""

    endpoint = serializers.CharField(max_length=500, help_text="Begins with https://.")
    p256dh = serializers.CharField(max_length=100)
    auth = serializers.CharField(max_length=40)
    name = serializers.CharField(max_length=80, required=False, allow_blank=True, default="")


class DeviceSerializer(serializers.ModelSerializer[Device]):
    """A browser. `service` is the host of its push service: the address itself is a secret of the browser's."""

    service = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = Device
        fields: ClassVar = ["id", "name", "service", "made_at"]

    def get_service(self, device: Device) -> str:
        """The host of its push service."""
        return push_address_of(device.endpoint).host


class DeviceViewSet(Visible[Device]):
    """Your browsers that are pushed to, newest first."""

    queryset = Device.objects.none()
    serializer_class = DeviceSerializer
    visible = own_devices
    write_scope = ACCOUNT_WRITE
    ordering: tuple[str, ...] = ("-made_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=DeviceBody, responses={201: DeviceSerializer})
    def create(self, request: Request) -> Response:
        """Push to a browser from now on."""
        device = device_actions.add(actor=self.person, **read(DeviceBody, request))
        return Response(self.get_serializer(device).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        """Push to it no more."""
        device_actions.remove(pk, actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)
