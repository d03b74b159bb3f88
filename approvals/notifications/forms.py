"""How somebody wants to be told."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms

from accounts.models import User
from agents.forms import ConsoleForm
from approvals.naming_fields import NamesField, narrowed
from approvals.notifications.kinds import Kind
from approvals.notifications.models import NotificationChoices
from approvals.outbox.narrowing import agent_names, resource_names

KINDS = [(kind.value, kind.sentence) for kind in Kind]
ZONES = sorted(
    zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix", "right"))
)


def _kinds() -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(choices=KINDS, required=False, widget=forms.CheckboxSelectMultiple)


def _time(label: str) -> forms.TimeField:
    widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    return forms.TimeField(label=label, required=False, widget=widget)


class ChoicesForm(ConsoleForm):
    """Which kinds on the page, which by mail, which as a push; when neither comes; and of what alone."""

    shown = _kinds()
    mailed = _kinds()
    pushed = _kinds()
    quiet_from = _time("From")
    quiet_until = _time("until")
    zone = forms.ChoiceField(choices=[(zone, zone) for zone in ("UTC", *ZONES)], label="By the clock of")
    severe = forms.BooleanField(required=False, label="What is critical, and a broken glass, comes all the same")
    agents = NamesField(
        label="Of these agents alone", help_text="By name, with spaces or commas between them; empty for all."
    )
    resources = NamesField(label="At these resources alone", help_text="By name; empty for all.")
    policies = NamesField(label="Held by these policies alone", help_text="By their @id; empty for all.")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:  # noqa: ANN401 -- Django's own
        super().__init__(*args, **kwargs)
        self._user = user

    def clean(self) -> dict[str, Any]:
        """With identifiers in the place of names."""
        return narrowed(self, self._user)

    @classmethod
    def of(cls, user: User) -> dict[str, Any]:
        """What `user` chose, or what holds where they chose nothing."""
        chosen = NotificationChoices.objects.filter(person=user).first() or NotificationChoices()
        return {
            "shown": [kind.value for kind in Kind if kind not in chosen.unshown],
            "mailed": [kind.value for kind in Kind if kind not in chosen.unmailed],
            "pushed": [kind.value for kind in Kind if kind not in chosen.unpushed],
            "quiet_from": chosen.quiet_from,
            "quiet_until": chosen.quiet_until,
            "zone": chosen.zone,
            "severe": chosen.severe,
            "agents": agent_names(chosen.agents, user),
            "resources": resource_names(chosen.resources, user),
            "policies": list(chosen.policies),
        }

    def rows(self) -> list[tuple[str, Any, Any, Any]]:
        """Each kind's sentence with its three boxes."""
        boxes = (list(self[name]) for name in ("shown", "mailed", "pushed"))
        return [(kind.sentence, *three) for kind, *three in zip(Kind, *boxes, strict=True)]
