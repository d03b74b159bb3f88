"""What administrators type about people and groups. What was typed is kept; a refusal names its field."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import Group

from accounts.actions import LONGEST_NAME
from accounts.models import Role, User
from agents.forms import ConsoleForm
from agents.models import Agent, Resource, Segment
from agents.person_field import PersonField

_PLAIN = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
GROUPS = Group.objects.order_by("name")


def _name() -> forms.CharField:
    return forms.CharField(max_length=LONGEST_NAME, help_text="As others know them.")


def _email() -> forms.EmailField:
    return forms.EmailField(
        max_length=254, label="E-mail", help_text="Their invitation and what they must know go there."
    )


def _roles() -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        choices=Role.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What they are here for. Making somebody an administrator takes a second one.",
    )


class InviteForm(ConsoleForm):
    """Somebody new."""

    username = forms.CharField(
        max_length=60,
        label="User name",
        help_text="What they sign in with: small letters, digits and . _ -",
        widget=forms.TextInput(attrs=_PLAIN),
    )
    name = _name()
    email = _email()
    roles = _roles()
    groups = forms.ModelMultipleChoiceField(
        GROUPS,
        required=False,
        to_field_name="name",
        widget=forms.CheckboxSelectMultiple,
        help_text="Whose seats they can fill, for what is asked from now on.",
    )


class PersonForm(ConsoleForm):
    """Somebody as they are."""

    name = _name()
    email = _email()
    manager = PersonField(
        required=False, help_text="Who decides on what their agents ask, where policy says @owner-manager."
    )
    roles = _roles()

    @classmethod
    def of(cls, user: User) -> dict[str, Any]:
        """What the form says about `user`."""
        return {name: getattr(user, name) for name in cls.base_fields}


class LinkForm(ConsoleForm):
    """The other account."""

    other = PersonField(
        queryset=User.objects.order_by("name", "username"),
        label="The other account",
        help_text="Everything of one person counts once: approvals, and what they may not review.",
    )


class NothingForm(ConsoleForm):
    """A change that needs no more than its button."""


class JoinForm(ConsoleForm):
    """A group to join."""

    group = forms.ModelChoiceField(GROUPS, to_field_name="name", empty_label="Choose one")


class MemberForm(ConsoleForm):
    """Somebody to add."""

    person = PersonField()


class GroupForm(ConsoleForm):
    """A group to make."""

    name = forms.CharField(
        max_length=40,
        help_text="As policies name it: small letters, digits and -",
        widget=forms.TextInput(attrs=_PLAIN),
    )


class ReviewForm(ConsoleForm):
    """What a group may review: one of the three."""

    segment = forms.ModelChoiceField(
        Segment.objects.order_by("name"), to_field_name="name", required=False, empty_label="None"
    )
    resource = forms.ModelChoiceField(
        Resource.objects.filter(retired_at=None).order_by("name"),
        to_field_name="name",
        required=False,
        empty_label="None",
    )
    agent = forms.ModelChoiceField(
        Agent.objects.exclude(status=Agent.Status.RETIRED).order_by("name"),
        to_field_name="name",
        required=False,
        empty_label="None",
        widget=forms.TextInput(attrs=_PLAIN),
        error_messages={"invalid_choice": "There is no such agent."},
    )

    def clean(self) -> dict[str, Any]:
        """Exactly one of them, as `target`."""
        given = [self.cleaned_data[kind] for kind in self.fields if self.cleaned_data.get(kind)]
        if not self.errors and len(given) != 1:
            raise forms.ValidationError("Choose a segment, a resource or an agent: one of them.")
        return {**self.cleaned_data, "target": given[0] if given else None}
