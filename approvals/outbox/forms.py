"""What an administrator types of a webhook, and asks of deliveries."""

from __future__ import annotations

from typing import Any, cast

from django import forms

from accounts.models import User
from agents.forms import ConsoleForm
from approvals.naming_fields import NamesField, narrowed
from approvals.outbox.models import CHANNELS, Delivery, Webhook
from approvals.outbox.narrowing import agent_names, resource_names
from approvals.outbox.saying import OFFERED
from approvals.outbox.webhook_actions import About

GROUPS = [(label, [(event.value, event.meaning) for event in events]) for label, events in OFFERED.items()]


class WebhookForm(ConsoleForm):
    """Where it is and what it hears of."""

    name = forms.CharField(max_length=80, help_text="Which system it is.")
    url = forms.CharField(
        max_length=500,
        label="Address",
        help_text="Begins with https://. A private address is sent to only if it is written here as numbers, or with a CA certificate below.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocapitalize": "none", "spellcheck": "false"}),
    )
    tls_ca = forms.CharField(
        max_length=20_000,
        required=False,
        label="CA certificate",
        help_text="PEM, of an authority of your own network; empty for the authorities that this machine trusts.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
    )
    events = forms.MultipleChoiceField(
        choices=GROUPS,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose one event at least."},
    )
    agents = NamesField(
        label="Of these agents alone", help_text="By name; empty for all. What is about no agent is left out then."
    )
    resources = NamesField(label="Of these resources alone", help_text="By name; empty for all.")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:  # noqa: ANN401 -- Django's own
        super().__init__(*args, **kwargs)
        self._user = user

    @classmethod
    def of(cls, hook: Webhook, user: User) -> dict[str, Any]:
        """What a webhook says now."""
        fields = {name: getattr(hook, name) for name in ("name", "url", "tls_ca", "events")}
        return {**fields, "agents": agent_names(hook.agents, user), "resources": resource_names(hook.resources, user)}

    def clean(self) -> dict[str, Any]:
        """With identifiers in the place of names."""
        return narrowed(self, self._user)

    def about(self) -> About:
        """What was said, for an action."""
        return cast("About", self.cleaned_data)

    def groups(self) -> list[tuple[str, list[Any]]]:
        """The boxes of events under the headings that they belong to."""
        boxes = iter(self["events"])
        return [(label, [next(boxes) for _ in events]) for label, events in GROUPS]


class DeliveriesForm(ConsoleForm):
    """Which deliveries."""

    channel = forms.ChoiceField(required=False, choices=[("", "Any way"), *CHANNELS])
    status = forms.ChoiceField(required=False, choices=[("", "Any state"), *Delivery.Status.choices])
    webhook = forms.UUIDField(required=False)
