"""What a CISO types to say what the mean times are held against."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django import forms

from agents.forms import ConsoleForm
from monitoring.models import Mark

PRESETS: Final = (48, 72)
"""Hours that incidents took, in many an organisation, before they were watched for."""
UNITS: Final = (("1", "seconds"), ("60", "minutes"), ("3600", "hours"))
_BASELINES: Final = (("none", "None"), *((str(hours), f"{hours} h") for hours in PRESETS), ("own", "Own value"))


class MarkForm(ConsoleForm):
    """One mean's baseline and target."""

    baseline = forms.ChoiceField(choices=_BASELINES, label="Baseline")
    own = forms.IntegerField(
        min_value=1, max_value=8760, required=False, label="Own value, in hours",
        error_messages={"invalid": "Give whole hours.", "min_value": "At least one hour.", "max_value": "At most a year."},
    )  # fmt: skip
    target = forms.IntegerField(
        min_value=1, max_value=31_536_000, label="Target",
        error_messages={"required": "Say how long it may take.", "invalid": "Give a whole number.", "min_value": "At least one."},
    )  # fmt: skip
    unit = forms.ChoiceField(choices=UNITS, label="Unit")

    def __init__(self, mark: Mark, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- Django's own
        super().__init__(*args, initial=_typed(mark), prefix=mark.figure, **kwargs)
        self.mark = mark

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError at the field that lacks what another asks for."""
        said = super().clean() or {}
        if said.get("baseline") == "own" and not said.get("own") and "own" not in self.errors:
            self.add_error("own", "Say how many hours, or choose another baseline.")
        return said

    def lengths(self) -> tuple[timedelta | None, timedelta]:
        """Baseline and target, of a valid form."""
        said = self.cleaned_data
        hours = said["own"] if said["baseline"] == "own" else said["baseline"]
        baseline = None if hours == "none" else timedelta(hours=int(hours))
        return baseline, timedelta(seconds=said["target"] * int(said["unit"]))


def _typed(mark: Mark) -> dict[str, object]:
    """A mark as the form shows it."""
    hours = mark.baseline // timedelta(hours=1) if mark.baseline else 0
    seconds = int(mark.target.total_seconds())
    unit = next(size for size in (3600, 60, 1) if seconds % size == 0)
    preset = str(hours) if hours in PRESETS else "own" if hours else "none"
    return {"baseline": preset, "own": hours if preset == "own" else None, "target": seconds // unit, "unit": str(unit)}
