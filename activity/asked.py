"""What a person asks of the lists of actions and sessions: the filters of pages, exports and the API, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.utils import timezone

from activity.models import Action
from agents.forms import ConsoleForm
from agents.models import Agent, Resource
from core.errors import Invalid
from core.moments import in_utc

PERIODS = {
    "24h": ("Last 24 hours", timedelta(days=1)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "90d": ("Last 90 days", timedelta(days=90)),
}
DECISIONS = (("allow", "Allowed"), ("mask", "Masked"), ("hold", "Held"), ("deny", "Denied"))
"""As people count them: what was masked is an allowance with an obligation, and counted apart."""
_MOST_AGENTS = 200
_MOST_WORDS = 5


class MomentField(forms.DateTimeField):
    """A point in time, in UTC; one without a zone is UTC."""

    def clean(self, value: Any) -> datetime | None:  # noqa: ANN401 -- Django's own
        """Raises ValidationError for what is none."""
        moment = super().clean(value)
        try:
            return in_utc(moment) if moment else None
        except OverflowError:
            raise forms.ValidationError("That is no time that a calendar has.") from None


class FindForm(ConsoleForm):
    """What both lists are filtered by. Times without a zone are UTC."""

    q = forms.CharField(required=False, max_length=200, label="Find")
    agent = forms.CharField(required=False, max_length=100)
    resource = forms.CharField(required=False, max_length=60)
    period = forms.ChoiceField(
        required=False, choices=[("", "Any time"), *((name, words) for name, (words, _) in PERIODS.items())]
    )
    since = MomentField(required=False, label="From", widget=forms.TextInput(attrs={"type": "datetime-local"}))
    until = MomentField(required=False, label="To", widget=forms.TextInput(attrs={"type": "datetime-local"}))

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError for a time that ends before it begins."""
        given = super().clean() or self.cleaned_data
        since, until = given.get("since"), given.get("until")
        if since and until and since >= until:
            self.add_error("until", "That is before the beginning.")
        return given


class ActionsForm(FindForm):
    """The filters of actions."""

    verb = forms.CharField(required=False, max_length=20)
    decision = forms.ChoiceField(required=False, choices=[("", "Any decision"), *DECISIONS])
    status = forms.ChoiceField(required=False, choices=[("", "Any outcome"), *Action.Status.choices])
    session = forms.UUIDField(required=False)


class SessionsForm(FindForm):
    """The filters of sessions: live ones, and those in which something was held or denied."""

    live = forms.ChoiceField(required=False, choices=[("", "Live or ended"), ("1", "Live now")])
    decision = forms.ChoiceField(
        required=False, choices=[("", "Anything in it"), ("hold", "Something held"), ("deny", "Something denied")]
    )


@dataclass(frozen=True)
class Window:
    """A span of time; None is open on that side."""

    since: datetime | None = None
    until: datetime | None = None

    def on(self, field: str) -> Q:
        """The rows whose `field` is in it."""
        since = Q(**{f"{field}__gte": self.since}) if self.since else Q()
        return since & Q(**{f"{field}__lt": self.until}) if self.until else since


def read(form: FindForm) -> dict[str, Any]:
    """What was asked, checked. Raises Invalid for the first field that cannot be used."""
    if not form.is_valid():
        field, problems = next(iter(form.errors.items()))
        raise Invalid(field, str(problems[0]), _remedy(form, field))
    return form.cleaned_data


def filters(form: forms.Form) -> dict[str, str]:
    """What was asked for, as it was typed: for the entry that says so."""
    return {name: value[:200] for name in form.fields if (value := str(form.data.get(name, "")).strip())}


def window_of(given: Mapping[str, Any]) -> Window:
    """The time that was asked for: from and to, or a period that ends now."""
    period = PERIODS.get(given.get("period") or "")
    since = timezone.now() - period[1] if period else None
    return Window(given.get("since") or since, given.get("until"))


def agents_named(text: str) -> list[UUID]:
    """The agent of that name; where there is none, those whose names contain the text, at most 200."""
    exact = list(Agent.objects.filter(name=text).values_list("id", flat=True))
    return exact or list(Agent.objects.filter(name__icontains=text).values_list("id", flat=True)[:_MOST_AGENTS])


def resource_named(name: str) -> list[UUID]:
    """The resource of that name, or nothing."""
    return list(Resource.objects.filter(name=name).values_list("id", flat=True))


def containing(text: str, *fields: str) -> Q:
    """The rows of which each word is in one of `fields`; longer questions are cut to five words."""
    found = Q()
    for word in text.split()[:_MOST_WORDS]:
        anywhere = Q()
        for field in fields:
            anywhere |= Q(**{f"{field}__icontains": word})
        found &= anywhere
    return found


def identifier_in(text: str) -> UUID | None:
    """The identifier that the text is; None for any other text."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _remedy(form: FindForm, field: str) -> str:
    choices = getattr(form.fields[field], "choices", None)
    if choices:
        return f"Known are {', '.join(str(value) for value, _ in choices if value)}."
    return "As in 2026-11-21T09:30:00Z." if field in {"since", "until"} else ""
