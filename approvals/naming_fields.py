"""A field in which people write names of agents and resources, and what those stand for."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from accounts.models import User
from approvals.outbox.narrowing import agent_ids, resource_ids
from core.errors import Invalid


class NamesField(forms.Field):
    """Names, with spaces or commas between them."""

    longest = 4_000

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 -- Django's own
        widget = forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"})
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


def narrowed(form: forms.Form, user: User) -> dict[str, Any]:
    """What was typed, with the identifiers of agents and resources in the place of names; what is none is said at its field."""
    given = form.cleaned_data
    for field, known in (("agents", agent_ids), ("resources", resource_ids)):
        try:
            given[field] = known(given.get(field) or [], user)
        except Invalid as error:
            form.add_error(field, str(error))
    return given
