"""What an engineer types about policies: a text, and why."""

from __future__ import annotations

from django import forms
from django.urls import reverse_lazy

from agents.forms import ConsoleForm
from policies import cases
from policies.parse import LONGEST_TEXT


class TextField(forms.CharField):
    """Text of many lines, ends of lines as Unix has them, nothing stripped."""

    def to_python(self, value: object) -> str:
        """The text as it is kept: a browser sends CR LF."""
        return str(super().to_python(value)).replace("\r\n", "\n").replace("\r", "\n")


class DraftForm(ConsoleForm):
    """A version to propose."""

    text = TextField(
        label="All policies",
        max_length=LONGEST_TEXT,
        strip=False,
        help_text="Cedar. The whole text: what is left out is no longer in force.",
        widget=forms.Textarea(
            attrs={
                "rows": 26,
                "class": "is-code",
                "spellcheck": "false",
                "wrap": "soft",
                "data-check": reverse_lazy("policies:check"),
                "data-keys": "editor-keys",
                "data-told": "editor-told",
            }
        ),
        error_messages={"required": "Without a policy nothing is allowed: write at least one."},
    )
    tests = TextField(
        label="Test cases",
        max_length=cases.LONGEST,
        strip=False,
        required=False,
        help_text="YAML: who asks for what, and what must be answered. A version whose cases fail is not proposed.",
        widget=forms.Textarea(attrs={"rows": 10, "class": "is-code", "spellcheck": "false", "wrap": "soft"}),
    )
    note = forms.CharField(
        max_length=300, required=False, label="What changes, and why", help_text="Whoever approves it reads this."
    )


class RollbackReviewForm(ConsoleForm):
    """What looking at a roll-back came to."""

    found = forms.CharField(
        max_length=300,
        label="What you found",
        help_text="Whether it was right, and what follows. It is kept in the record.",
        error_messages={"required": "Say what you found: whether it was right, and what follows."},
    )


class RollbackForm(ConsoleForm):
    """Why an earlier version comes back."""

    reason = forms.CharField(
        max_length=300,
        label="What went wrong",
        help_text="It is kept in the record.",
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Rolling back needs a reason: say what went wrong."},
    )
