"""Webhooks and deliveries in the API, for administrators."""

from __future__ import annotations

from typing import Any, ClassVar, cast
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actors import require_role
from accounts.api import Visible
from accounts.models import Role
from accounts.scopes import WEBHOOKS_WRITE
from agents.api import read
from approvals.outbox import actions, webhook_actions
from approvals.outbox.models import Delivery, Webhook
from approvals.outbox.narrowing import MOST, agent_ids, agent_names, resource_ids, resource_names
from approvals.outbox.queries import recipient, visible_deliveries, visible_webhooks
from approvals.outbox.saying import EVENTS


def _names() -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=200),
        required=False,
        max_length=MOST,
        help_text="By name; empty for all.",
    )


class WebhookBody(serializers.Serializer[Any]):
    """Where a webhook is and what it hears of."""

    name = serializers.CharField(max_length=80)
    url = serializers.CharField(max_length=500, help_text="Begins with https://.")
    events = serializers.ListField(child=serializers.ChoiceField(choices=sorted(EVENTS)), allow_empty=False)
    agents = _names()
    resources = _names()
    tls_ca = serializers.CharField(max_length=20_000, required=False, allow_blank=True, help_text="PEM, or empty.")


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """A webhook. Its secret is in the answer to making it or renewing that, and nowhere else."""

    events = serializers.ListField(child=serializers.CharField())
    agents = serializers.SerializerMethodField()
    resources = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = Webhook
        fields: ClassVar = [
            "id", "name", "url", "tls_ca", "events", "agents", "resources", "status", "failing_since", "before_until", "made_at",
        ]  # fmt: skip

    def get_agents(self, hook: Webhook) -> list[str]:
        """Of which alone; empty for all."""
        return agent_names(hook.agents, self.context["request"].user)

    def get_resources(self, hook: Webhook) -> list[str]:
        """Of which alone; empty for all."""
        return resource_names(hook.resources, self.context["request"].user)


class WebhookWithSecret(WebhookSerializer):
    """A webhook with its secret, which is shown this once."""

    secret = serializers.CharField(read_only=True)

    class Meta(WebhookSerializer.Meta):
        """What is shown."""

        fields: ClassVar = [*WebhookSerializer.Meta.fields, "secret"]


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One thing that left or is to. `to` is a person or a webhook; `answered` the status of the last HTTP answer."""

    to = serializers.CharField(source="*", read_only=True)

    class Meta:
        """What is shown."""

        model = Delivery
        fields: ClassVar = [
            "id", "channel", "to", "webhook", "event", "status", "made_at", "due_at", "tries", "answered", "problem", "settled_at",
        ]  # fmt: skip

    def to_representation(self, instance: Delivery) -> dict[str, Any]:
        """With whom it goes to in words."""
        return {**super().to_representation(instance), "to": recipient(instance)}


class WebhookViewSet(Visible[Webhook]):
    """Webhooks: which other systems are told of entries."""

    queryset = Webhook.objects.none()
    serializer_class = WebhookSerializer
    visible = visible_webhooks
    write_scope = WEBHOOKS_WRITE
    filters: ClassVar = {"name": "name", "status": "status"}
    ordering: tuple[str, ...] = ("name", "id")
    lookup_value_converter = "uuid"

    def found(self) -> Webhook:
        """The webhook, for an administrator. Raises RoleRequired and Http404."""
        require_role(self.person, Role.ADMINISTRATOR)
        return self.get_object()

    @extend_schema(request=WebhookBody, responses={201: WebhookWithSecret})
    def create(self, request: Request) -> Response:
        """Tell another system from now on; the answer has the secret, this once."""
        require_role(self.person, Role.ADMINISTRATOR)
        hook, secret = webhook_actions.add(actor=self.person, **self._about(read(WebhookBody, request)))
        return self._with_secret(hook, secret, status.HTTP_201_CREATED)

    @extend_schema(request=WebhookBody, responses=WebhookSerializer)
    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Change where it is and what it hears of."""
        self.found()
        given = read(WebhookBody, request, partial=True)
        return self._said(webhook_actions.change(pk, actor=self.person, **self._about(given)))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        """End it: its secret is destroyed, what waits for it is not sent."""
        self.found()
        webhook_actions.remove(pk, actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=WebhookSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: UUID) -> Response:
        """Tell it nothing until it goes on."""
        self.found()
        return self._said(webhook_actions.pause(pk, actor=self.person))

    @extend_schema(request=None, responses=WebhookSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: UUID) -> Response:
        """Tell it again."""
        self.found()
        return self._said(webhook_actions.resume(pk, actor=self.person))

    @extend_schema(request=None, responses=WebhookWithSecret)
    @action(detail=True, methods=["post"])
    def secret(self, request: Request, pk: UUID) -> Response:
        """Sign by a new secret, which the answer has this once; the one before signs too for 24 hours."""
        self.found()
        fresh = webhook_actions.renew_secret(pk, actor=self.person)
        return self._with_secret(self.get_object(), fresh, status.HTTP_200_OK)

    @extend_schema(request=None, responses={202: DeliverySerializer})
    @action(detail=True, methods=["post"], url_path="try")
    def try_out(self, request: Request, pk: UUID) -> Response:
        """Send it a test event; its delivery says how that went."""
        self.found()
        made = webhook_actions.try_out(pk, actor=self.person)
        return Response(DeliverySerializer(made).data, status=status.HTTP_202_ACCEPTED)

    def _about(self, given: dict[str, Any]) -> webhook_actions.About:
        for field, known in (("agents", agent_ids), ("resources", resource_ids)):
            if field in given:
                given[field] = known(given[field], self.person)
        return cast("webhook_actions.About", given)

    def _said(self, hook: Webhook) -> Response:
        return Response(self.get_serializer(hook).data)

    def _with_secret(self, hook: Webhook, secret: str, code: int) -> Response:
        return Response({**self.get_serializer(hook).data, "secret": secret}, status=code)


class DeliveryViewSet(Visible[Delivery]):
    """Mail, pushes and messages to webhooks of the last 30 days, newest first."""

    queryset = Delivery.objects.none()
    serializer_class = DeliverySerializer
    visible = visible_deliveries
    write_scope = WEBHOOKS_WRITE
    filters: ClassVar = {"channel": "channel", "status": "status", "webhook": "webhook"}
    ordering: tuple[str, ...] = ("-made_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=None, responses=DeliverySerializer)
    @action(detail=True, methods=["post"])
    def resend(self, request: Request, pk: UUID) -> Response:
        """Deliver it once more, under the identifier that it had."""
        require_role(self.person, Role.ADMINISTRATOR)
        actions.resend(pk, actor=self.person)
        return Response(self.get_serializer(self.get_object()).data)
