"""How somebody wants to be told."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms

from accounts.models import User
from agents.forms import ConsoleForm
from approvals.notifications.kinds import Kind
from approvals.notifications.models import NotificationChoices

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
    """Which kinds on the page, which by mail, and when no mail comes."""

    shown = _kinds()
    mailed = _kinds()
    quiet_from = _time("No mail from")
    quiet_until = _time("until")
    zone = forms.ChoiceField(choices=[(zone, zone) for zone in ("UTC", *ZONES)], label="By the clock of")

    @classmethod
    def of(cls, user: User) -> dict[str, Any]:
        """What `user` chose, or what holds where they chose nothing."""
        chosen = NotificationChoices.objects.filter(person=user).first() or NotificationChoices()
        return {
            "shown": [kind.value for kind in Kind if kind not in chosen.unshown],
            "mailed": [kind.value for kind in Kind if kind not in chosen.unmailed],
            "quiet_from": chosen.quiet_from,
            "quiet_until": chosen.quiet_until,
            "zone": chosen.zone,
        }

    def rows(self) -> list[tuple[str, Any, Any]]:
        """Each kind's sentence with its two boxes."""
        shown, mailed = list(self["shown"]), list(self["mailed"])
        return [(kind.sentence, one, other) for kind, one, other in zip(Kind, shown, mailed, strict=True)]
