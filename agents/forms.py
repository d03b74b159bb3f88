"""What people type to register agents, segments and resources. What was typed is kept; a refusal names its field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django import forms
from django.contrib.auth.models import Group
from django.core.validators import RegexValidator

from agents import naming
from agents.api_bodies import SLUG, SLUG_RULE, TAG
from agents.models import Agent, Resource, ResourceSecret, Segment
from agents.person_field import PersonField
from agents.resource_actions import PORTS
from core.errors import Invalid, NarrowgateError

T = TypeVar("T")
_CLASSES = (
    ((forms.CheckboxInput, forms.CheckboxSelectMultiple), "form-check-input"),
    (forms.Select, "form-select"),
)


class ConsoleForm(forms.Form):
    """A form in the console's look, which takes what an action refuses back to the field it is about."""

    use_required_attribute = False  # the server says what is missing, in its own words

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- Django's own
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            looks = next((name for kind, name in _CLASSES if isinstance(field.widget, kind)), "form-control")
            field.widget.attrs["class"] = f"{looks} {field.widget.attrs.get('class', '')}".strip()

    def act(self, action: Callable[[], T]) -> T | None:
        """Do it; None when it was refused, which the form then says."""
        try:
            return action()
        except NarrowgateError as error:
            self.add_error(self._field_of(error), str(error))
        return None

    def does(self, action: Callable[[], object]) -> bool:
        """Whether what was sent can be used, and doing it was not refused."""
        if not self.is_valid():
            return False
        self.act(action)
        return not self.errors

    def _field_of(self, error: NarrowgateError) -> str | None:
        return error.field if isinstance(error, Invalid) and error.field in self.fields else None


class ReasonForm(ConsoleForm):
    """Why."""

    reason = forms.CharField(
        max_length=300,
        label="Why",
        help_text="Its owner reads this, and it is kept in the record.",
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why: it is kept in the record."},
    )


class CommandForm(ConsoleForm):
    """The program that the gate runs for a tool server."""

    command = forms.CharField(
        max_length=20_000,
        label="Program and arguments, one a line",
        help_text="The first line is the whole path of the program. No shell reads them.",
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
        error_messages={"required": "Name the program by its whole path."},
    )

    def clean_command(self) -> list[str]:
        """The lines that say something."""
        return [line.rstrip("\r") for line in self.cleaned_data["command"].split("\n") if line.strip()]


class KeyField(forms.JSONField):
    """A public key as JSON (JWK, RFC 7517)."""

    widget = forms.Textarea
    default_error_messages = {
        "invalid": "That is not JSON. Paste the public key as one JSON object, braces included.",
        "required": "Paste the public key: without one the agent cannot prove who it is.",
    }

    def prepare_value(self, value: Any) -> Any:  # noqa: ANN401 -- Django's own
        """What the page shows: an empty field for no key, where Django would say `null`."""
        return "" if value is None else super().prepare_value(value)

    def clean(self, value: Any) -> dict[str, Any]:  # noqa: ANN401 -- Django's own
        """The object. Raises ValidationError."""
        said = super().clean(value)
        if not isinstance(said, dict):
            raise forms.ValidationError(self.error_messages["invalid"])
        return said


OPEN_SEGMENTS = Segment.objects.filter(retired_at=None).order_by("name")


class TagsField(forms.CharField):
    """Tags, separated by commas or spaces; those that columns carry are offered in the help text."""

    def __init__(self, **about: Any) -> None:  # noqa: ANN401 -- Django's own
        attrs = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
        super().__init__(max_length=2_000, widget=forms.TextInput(attrs=attrs), **about)

    def prepare_value(self, value: Any) -> Any:  # noqa: ANN401 -- Django's own
        """What the page shows."""
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:  # noqa: ANN401 -- Django's own
        """The tags, as they were typed."""
        return re.split(r"[\s,]+", text) if (text := super().clean(value).strip(" ,")) else []

    def has_changed(self, initial: Any, data: Any) -> bool:  # noqa: ANN401 -- Django's own
        """Whether other tags were typed."""
        return bool(self.prepare_value(initial or []) != (data or ""))


class DescribedForm(ConsoleForm):
    """What an agent runs, what it may be given, what it is meant to touch."""

    task_scope = forms.CharField(
        max_length=500,
        required=False,
        help_text="What it may be given to do, and what not.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    runtime = forms.CharField(max_length=100, required=False, help_text="Where it runs: Kubernetes, a VM, a laptop.")
    framework = forms.CharField(max_length=100, required=False, help_text="LangGraph 1.2, its own …")
    model_vendor = forms.CharField(max_length=60, required=False)
    model_name = forms.CharField(max_length=100, required=False, label="Model")
    model_version = forms.CharField(max_length=60, required=False)
    code_digest = forms.CharField(
        max_length=300,
        required=False,
        label="Digest of its code or image",
        help_text="sha256:…, an image with @sha256:…, or git: and a commit.",
        widget=forms.TextInput(attrs={"class": "is-code", "spellcheck": "false", "autocomplete": "off"}),
    )
    data_classes = TagsField(
        required=False, label="Data it is meant to touch", help_text="Tags as columns carry them: email, ssn …"
    )
    review_by = forms.DateField(
        required=False,
        label="Review by",
        help_text="When somebody looks at all this again.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )


class EnrolForm(DescribedForm):
    """An agent to register."""

    field_order = ("name", "purpose", "segment", "owner", "deputy", "key")

    name = forms.CharField(
        max_length=naming.LONGEST,
        help_text="function.environment, with .nn where there are several: support-bot.production.02",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )
    purpose = forms.CharField(max_length=300, help_text="What it is for, in one sentence. Reviewers read it.")
    segment = forms.ModelChoiceField(
        OPEN_SEGMENTS,
        to_field_name="name",
        empty_label="Choose one",
        help_text="Where it meets its resources.",
    )
    owner = PersonField(help_text="Who answers for it. They can never approve for it.")
    deputy = PersonField(required=False, help_text="Who stands in for the owner.")
    key = KeyField(
        label="Public key",
        help_text="A JWK of P-256 or Ed25519. The private half never leaves the agent.",
        widget=forms.Textarea(attrs={"rows": 4, "class": "is-code", "spellcheck": "false", "autocomplete": "off"}),
    )

    def clean_name(self) -> str:
        """The name, by the naming rule: told together with whatever else is wrong."""
        name = str(self.cleaned_data["name"])
        try:
            naming.parse(name)
        except Invalid as error:
            raise forms.ValidationError(str(error)) from None
        return name


class AgentForm(DescribedForm):
    """What is registered of an agent and may be changed."""

    field_order = ("purpose", "segment", "owner", "deputy")

    purpose = forms.CharField(max_length=300, help_text="Reviewers read it.")
    segment = forms.ModelChoiceField(
        OPEN_SEGMENTS, to_field_name="name", empty_label=None, help_text="Policies that name a segment follow at once."
    )
    owner = PersonField(help_text="They can never approve for it.")
    deputy = PersonField(required=False)

    @classmethod
    def of(cls, agent: Agent) -> dict[str, Any]:
        """What the form says about `agent` as it is."""
        return {name: getattr(agent, name) for name in cls.base_fields}


PRODUCTION: Any = {
    "required": False,
    "label": "Of production: a second person activates each agent",
}


class PurposeForm(ConsoleForm):
    """What a segment is for, and whether it is of production."""

    purpose = forms.CharField(max_length=200, required=False, help_text="What meets in it.")
    production = forms.BooleanField(**PRODUCTION)


class SegmentForm(ConsoleForm):
    """A segment to make."""

    name = forms.CharField(
        max_length=40, validators=[RegexValidator(SLUG, SLUG_RULE)], help_text="As in customer-care."
    )
    purpose = forms.CharField(max_length=200, required=False, help_text="What meets in it.")
    production = forms.BooleanField(**PRODUCTION)


class ReviewersForm(ConsoleForm):
    """A group that may review in a segment."""

    segment = forms.ModelChoiceField(OPEN_SEGMENTS, to_field_name="name", empty_label="Choose one")
    group = forms.ModelChoiceField(Group.objects.order_by("name"), to_field_name="name", empty_label="Choose one")


class LoginForm(ConsoleForm):
    """A login for the vault."""

    user = forms.CharField(
        max_length=63,
        label="User",
        help_text="Of an API: Bearer, a header with a colon such as X-API-Key:, or the user of HTTP’s Basic.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )
    password = forms.CharField(
        max_length=8000,
        strip=False,
        help_text="Sealed in the vault. Nobody can read it back, you included. Of a host: its password, or a private key in PEM form.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    use = forms.ChoiceField(choices=ResourceSecret.Use.choices, label="For", initial=ResourceSecret.Use.ACTIONS)


class RotateForm(ConsoleForm):
    """How often a login's password is changed by itself."""

    days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=365,
        label="Every so many days",
        help_text="From the last change. Empty: only when somebody asks.",
    )


_DATABASE = ("database", "search_path", "role", "user", "password")
_OF_OTHERS: Mapping[Resource.Kind, tuple[str, ...]] = {
    Resource.Kind.POSTGRES: ("path", "host_key"),
    Resource.Kind.SSH: (*_DATABASE, "path", "tls", "tls_ca"),
    Resource.Kind.HTTP: (*_DATABASE, "host_key"),
    Resource.Kind.MCP: (*_DATABASE, "host_key"),
}
"""Fields that a kind of resource has no use for."""


class WhereForm(ConsoleForm):
    """How a resource is reached."""

    host = forms.CharField(max_length=255, help_text="A name or an address.")
    port = forms.IntegerField(min_value=1, max_value=65535, initial=5432)
    database = forms.CharField(max_length=63)
    path = forms.CharField(max_length=300, required=False, help_text="Where it begins, as in /v2 or /mcp.")
    host_key = forms.CharField(
        max_length=100,
        required=False,
        label="Host key",
        help_text="SHA256:…, as ssh-keygen -lf says it at the host. Empty: test the connection first, then compare.",
    )
    tls = forms.ChoiceField(
        label="TLS",
        choices=[("verify-full", "Verified: name and chain"), ("off", "Off: unix socket or this machine only")],
    )
    tls_ca = forms.CharField(
        max_length=100_000,
        required=False,
        label="CA certificate",
        help_text="PEM; empty for the authorities that this machine trusts.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "is-code", "spellcheck": "false"}),
    )
    search_path = forms.CharField(max_length=200, initial="public", help_text="Pinned for every statement.")
    role = forms.CharField(
        max_length=63, required=False, help_text="The role that statements run as; the user’s own when empty."
    )
    connections = forms.IntegerField(
        min_value=1, max_value=10_000, initial=50, label="Connections at most", help_text="Held actions may take half."
    )

    def __init__(self, *args: Any, kind: str = Resource.Kind.POSTGRES, **kwargs: Any) -> None:  # noqa: ANN401 -- Django's own
        super().__init__(*args, **kwargs)
        for name in _OF_OTHERS[Resource.Kind(kind)]:
            self.fields.pop(name, None)
        if kind == Resource.Kind.POSTGRES:
            self.fields["host"].help_text = "A name, an address, or the folder of a unix socket."
        self.fields["port"].initial = PORTS[Resource.Kind(kind)]

    @classmethod
    def of(cls, resource: Resource) -> dict[str, Any]:
        """What the form says about `resource` as it is."""
        return {name: getattr(resource, name) for name in cls.base_fields}


class ChangeResourceForm(WhereForm):
    """What is registered of a resource, and how it is reached."""

    field_order = ("purpose", "segment", "owner")

    purpose = forms.CharField(max_length=200, required=False, help_text="What is in it.")
    segment = forms.ModelChoiceField(
        OPEN_SEGMENTS, to_field_name="name", empty_label=None, help_text="Policies that name a segment follow at once."
    )
    owner = PersonField(required=False, help_text="Who answers for it.")


class UntagForm(ConsoleForm):
    """A column whose tag is taken off, and why."""

    schema = forms.CharField(max_length=63, widget=forms.HiddenInput)
    table = forms.CharField(max_length=63, widget=forms.HiddenInput)
    column = forms.CharField(max_length=63, widget=forms.HiddenInput)
    reason = ReasonForm.base_fields["reason"]


class ResourceForm(WhereForm):
    """A resource to put behind the gate; a database with its login."""

    field_order = ("name", "purpose", "segment", "owner", "host", "port", "database", "user", "password", "tls")

    name = forms.CharField(
        max_length=60,
        validators=[RegexValidator(SLUG, SLUG_RULE)],
        help_text="What agents and policies call it; clients of PostgreSQL give it as the database.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    segment = forms.ModelChoiceField(OPEN_SEGMENTS, to_field_name="name", empty_label="Choose one")
    purpose = forms.CharField(max_length=200, required=False, help_text="What is in it.")
    owner = PersonField(required=False, help_text="Who answers for it.")
    user = LoginForm.base_fields["user"]
    password = LoginForm.base_fields["password"]


class TagForm(ConsoleForm):
    """A tag on a column."""

    schema = forms.CharField(max_length=63, initial="public")
    table = forms.CharField(max_length=63)
    column = forms.CharField(max_length=63)
    tag = forms.CharField(
        max_length=40,
        validators=[RegexValidator(TAG, "A tag is small letters, digits, - and _.")],
        help_text="email, ssn …",
    )
    lookup = forms.BooleanField(required=False, label="May stand in an equality with a constant")


def chosen_tags(values: list[str]) -> list[dict[str, Any]]:
    """The suggestions that were ticked, as the page wrote them; what is not one of ours is left out."""
    forms_of = (TagForm(said) for said in map(_said, values) if isinstance(said, dict))
    return [form.cleaned_data for form in forms_of if form.is_valid()]


def _said(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return None
