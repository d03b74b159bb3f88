"""What a reviewer sends: the digest they saw, and for a denial why; what an owner sends who withdraws."""

from __future__ import annotations

from typing import Any

from django import forms

from approvals.actions import LONGEST_WITHDRAWAL

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


class WithdrawForm(forms.Form):
    """Why it is no longer wanted."""

    reason = forms.CharField(
        max_length=LONGEST_WITHDRAWAL, error_messages={"required": "Say why: the agent and its reviewers will read it."}
    )
