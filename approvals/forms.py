"""What a reviewer sends: the digest they saw, and for a denial why."""

from __future__ import annotations

from typing import Any

from django import forms

WHY = ("Wrong scope", "Not now", "Needs a ticket", "Looks manipulated")


class ApproveForm(forms.Form):
    """The digest of what was on the page."""

    digest = forms.CharField(max_length=80)


class DenyForm(forms.Form):
    """The digest, and a reason: one of the usual, words of one's own, or both."""

    digest = forms.CharField(max_length=80)
    why = forms.ChoiceField(choices=[(word, word) for word in WHY], required=False)
    words = forms.CharField(max_length=900, required=False)

    def clean(self) -> dict[str, Any]:
        """Join the reason. Invalid without any."""
        given = [part.strip() for part in (self.cleaned_data.get("why", ""), self.cleaned_data.get("words", ""))]
        reason = ". ".join(part.rstrip(".") if number == 0 else part for number, part in enumerate(given) if part)
        if not reason:
            self.add_error("words", "Say why: the agent and its owner will read it.")
        return {**self.cleaned_data, "reason": reason}
