"""Choosing a person in a form: by user name, with those who are there offered by name as one types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.forms.renderers import BaseRenderer
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import User

OFFERED: Final = 500
"""People that the page offers; whoever is not among them can be typed all the same."""


class PersonInput(forms.TextInput):
    """A text field with a list of people behind it."""

    choices: Any = ()  # the field's

    def render(
        self, name: str, value: object, attrs: dict[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        """The field and its list."""
        offers = f"{(attrs or {}).get('id', name)}_people"
        field = super().render(name, value, {**(attrs or {}), "list": offers}, renderer)
        options = format_html_join("", '<option value="{}">{}</option>', self._offered())
        return format_html('{}<datalist id="{}">{}</datalist>', field, offers, options)

    def _offered(self) -> Iterable[tuple[str, str]]:
        queryset = getattr(self.choices, "queryset", User.objects.none())
        return ((one.username, one.name) for one in queryset[:OFFERED])


class PersonField(forms.ModelChoiceField[User]):
    """Somebody with an account that is open, unless `queryset` says otherwise."""

    default_error_messages = {"invalid_choice": "Nobody here has that user name."}

    def __init__(self, **about: Any) -> None:  # noqa: ANN401 -- Django's own
        attrs = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off", "placeholder": "User name"}
        people = about.pop("queryset", User.objects.filter(is_active=True).order_by("name", "username"))
        super().__init__(people, to_field_name="username", widget=PersonInput(attrs=attrs), **about)

    def to_python(self, value: Any) -> Any:  # noqa: ANN401 -- Django's own
        """The person. Raises ValidationError."""
        return super().to_python(value.strip() if isinstance(value, str) else value)
