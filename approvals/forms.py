"""What a reviewer sends: the digest they saw, and for a denial why; what an owner sends who withdraws."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.http import QueryDict

from approvals import signing
from approvals.actions import LONGEST_WITHDRAWAL
from approvals.granting import JUST_ONCE, Wider
from approvals.models import Review, Scope
from core.ids import identifiers

WHY = ("Wrong scope", "Not now", "Needs a ticket", "Looks manipulated")


DIGEST: Final = "digest-"
"""Before a hold's identifier: the field with the digest that was shown of it."""
LASTS = ((15, "15 minutes"), (60, "1 hour"), (240, "4 hours"), (480, "8 hours"))
OFTEN = ((5, "5 times"), (20, "20 times"), (100, "100 times"))
ALIKE = ((Scope.SAME, "exactly this again"), (Scope.SHAPE, "this, with other values"))


class ApproveForm(forms.Form):
    """The digest of what was on the page, and for an approval wider than once how wide."""

    digest = forms.CharField(max_length=80)
    scope = forms.ChoiceField(choices=((Scope.ONCE, "once"), *ALIKE), required=False)
    minutes = forms.TypedChoiceField(choices=LASTS, coerce=int, required=False)
    times = forms.TypedChoiceField(choices=OFTEN, coerce=int, required=False)
    passkey = forms.CharField(max_length=signing.LONGEST, required=False)

    def wider(self) -> Wider:
        """What it agrees to beyond this action."""
        given = self.cleaned_data
        scope = Scope(given["scope"] or Scope.ONCE)
        return JUST_ONCE if scope == Scope.ONCE else Wider(scope, given["minutes"] or 0, given["times"] or 0)


class WhyForm(forms.Form):
    """A reason: one of the usual, words of one's own, or both."""

    why = forms.ChoiceField(choices=[(word, word) for word in WHY], required=False)
    words = forms.CharField(max_length=900, required=False)

    def clean(self) -> dict[str, Any]:
        """Join the reason. Invalid without any."""
        given = [part.strip() for part in (self.cleaned_data.get("why", ""), self.cleaned_data.get("words", ""))]
        reason = ". ".join(part.rstrip(".") if number == 0 else part for number, part in enumerate(given) if part)
        if not reason:
            self.add_error("words", "Say why: the agent and its owner will read it.")
        return {**self.cleaned_data, "reason": reason}


class DenyForm(WhyForm):
    """The digest, and why not."""

    digest = forms.CharField(max_length=80)


class AlikeForm(WhyForm):
    """One decision over those that are ticked, each with the digest that was shown of it; a denial says why."""

    hold = forms.TypedMultipleChoiceField(coerce=UUID, error_messages={"required": "Tick those that you mean."})
    verdict = forms.ChoiceField(choices=Review.Verdict.choices[:2])
    passkey = forms.CharField(max_length=signing.LONGEST, required=False)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        known = identifiers(name.removeprefix(DIGEST) for name in data if name.startswith(DIGEST))
        self.fields["hold"].choices = [(str(one), one) for one in known]  # type: ignore[attr-defined]

    @property
    def approves(self) -> bool:
        """Whether it approves, which takes no reason."""
        return self.data.get("verdict") == Review.Verdict.APPROVE

    def clean(self) -> dict[str, Any]:
        """Take the reason of a denial. Invalid without any."""
        return self.cleaned_data if self.approves else super().clean()

    def ticked(self) -> list[str]:
        """What was ticked, as it was sent."""
        return [str(one) for one in self.data.getlist("hold")]  # type: ignore[attr-defined]  # a QueryDict

    def shown(self) -> list[tuple[UUID, str]]:
        """The holds that are ticked, each with the digest of what was on the page."""
        return [(hold, self.data.get(f"{DIGEST}{hold}", "")) for hold in self.cleaned_data["hold"]]


class WithdrawForm(forms.Form):
    """Why it is no longer wanted."""

    reason = forms.CharField(
        max_length=LONGEST_WITHDRAWAL, error_messages={"required": "Say why: the agent and its reviewers will read it."}
    )
