"""What an administrator types of a webhook, and asks of deliveries."""

from __future__ import annotations

import re
from typing import Any, cast

from django import forms

from accounts.models import User
from agents.forms import ConsoleForm
from approvals.outbox.models import CHANNELS, Delivery, Webhook
from approvals.outbox.narrowing import agent_ids, agent_names, resource_ids, resource_names
from approvals.outbox.saying import OFFERED
from approvals.outbox.webhook_actions import About
from core.errors import Invalid

GROUPS = [(label, [(event.value, event.meaning) for event in events]) for label, events in OFFERED.items()]


class NamesField(forms.Field):
    """Names, with spaces or commas between them."""

    longest = 4_000

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 -- Django's own
        widget = forms.TextInput(attrs={"class": "mono", "autocapitalize": "none", "spellcheck": "false"})
        super().__init__(required=False, widget=widget, **kwargs)

    def to_python(self, value: Any) -> list[str]:  # noqa: ANN401 -- Django's own
        """The names. Raises ValidationError for more text than any list of them is."""
        text = str(value or "")
        if len(text) > self.longest:
            raise forms.ValidationError(f"That is longer than {self.longest:,} characters.")
        return [name for name in re.split(r"[\s,]+", text) if name]

    def prepare_value(self, value: Any) -> Any:  # noqa: ANN401 -- Django's own
        """As they are typed."""
        return ", ".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:  # noqa: ANN401 -- Django's own
        """Whether other names are meant."""
        return sorted(initial or []) != sorted(self.to_python(data or ""))


class WebhookForm(ConsoleForm):
    """Where it is and what it hears of."""

    name = forms.CharField(max_length=80, help_text="Which system it is.")
    url = forms.CharField(
        max_length=500,
        label="Address",
        help_text="Begins with https://. A private address is sent to only if it is written here as numbers, or with a CA certificate below.",
        widget=forms.TextInput(
            attrs={"class": "mono", "inputmode": "url", "autocapitalize": "none", "spellcheck": "false"}
        ),
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
        given = super().clean() or self.cleaned_data
        for field, known in (("agents", agent_ids), ("resources", resource_ids)):
            try:
                given[field] = known(given.get(field) or [], self._user)
            except Invalid as error:
                self.add_error(field, str(error))
        return given

    def about(self) -> About:
        """What was said, for an action."""
        return cast("About", self.cleaned_data)

    def groups(self) -> list[tuple[str, list[Any]]]:
        """The boxes of events under the headings that they belong to."""
        boxes = iter(self["events"])
        return [(label, [next(boxes) for _ in events]) for label, events in GROUPS]


class DeliveriesForm(ConsoleForm):
    """Which deliveries."""

    channel = forms.ChoiceField(required=False, choices=[("", "By any way"), *CHANNELS])
    status = forms.ChoiceField(required=False, choices=[("", "Whatever became of it"), *Delivery.Status.choices])
    webhook = forms.UUIDField(required=False)
