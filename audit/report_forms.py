"""What people type to ask for a report."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import User
from agents.forms import ConsoleForm
from audit import actions
from audit.models import Report
from audit.reports.period import LABELS, period_of
from audit.reports.scope import ScopeKind, find

FILES = [(one.value, one.label) for one in Report.REPORT_FORMATS if one != Report.Format.JSONL]


class ReportForm(ConsoleForm):
    """Kind, period, scope and files."""

    kind = forms.ChoiceField(choices=[(one.value, one.label) for one in Report.REPORTED], label="Report")
    period = forms.ChoiceField(choices=LABELS, label="Period", initial="30d")
    first = forms.DateField(
        required=False, label="First day", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Give a day as 2026-10-01."},
    )  # fmt: skip
    last = forms.DateField(
        required=False, label="Last day", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Give a day as 2026-10-31."},
    )  # fmt: skip
    scope = forms.ChoiceField(choices=ScopeKind.choices, label="About")
    name = forms.CharField(
        required=False, max_length=100, label="Its name",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )  # fmt: skip
    formats = forms.MultipleChoiceField(
        choices=FILES, required=False, label="Files", initial=[value for value, _ in FILES],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "There is no such file."},
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError at what would otherwise be left out silently."""
        said = super().clean() or {}
        if said.get("period") != "custom" and (said.get("first") or said.get("last")):
            self.add_error("period", "Days were given: choose “From one day to another”, or empty them.")
        if said.get("scope") == ScopeKind.ALL and said.get("name"):
            self.add_error("scope", "A name was given: choose what it is the name of, or empty it.")
        return said

    def ask(self, actor: User) -> Report:
        """Ask for what a valid form says. Raises what the action does."""
        said = self.cleaned_data
        period = period_of(said["period"], timezone.now(), said["first"], said["last"])
        scope = find(said["scope"], said["name"])
        return actions.ask(kind=said["kind"], period=period, scope=scope, formats=said["formats"], actor=actor)
