"""What the API of people and groups takes and says."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import Group
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.actions import LONGEST_NAME
from accounts.models import Membership, PendingChange, Role, User
from accounts.people import status_of
from console.people.groups import Reviewed

ROLES = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices), required=False, default=list)


class MembershipSerializer(serializers.ModelSerializer[Membership]):
    """A place in a group: for what was asked before `since` it counts only where `confirmed_by` names somebody."""

    person = serializers.CharField(source="user.username")
    group = serializers.CharField(source="group.name")
    added_by = serializers.CharField(source="added_by.username", default=None, allow_null=True)
    confirmed_by = serializers.CharField(source="confirmed_by.username", default=None, allow_null=True)

    class Meta:
        """What is shown."""

        model = Membership
        fields: ClassVar = ["person", "group", "since", "added_by", "confirmed_by"]


class PersonSerializer(serializers.ModelSerializer[User]):
    """A person's account. `person` is the same for all accounts of one; `owns` names live agents."""

    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices))
    status = serializers.SerializerMethodField()
    memberships = MembershipSerializer(many=True)
    waits_for = serializers.SerializerMethodField()
    owns = serializers.SerializerMethodField()
    manager = serializers.CharField(source="manager.username", default=None, allow_null=True)

    class Meta:
        """What is shown."""

        model = User
        fields: ClassVar = [
            "id", "username", "name", "email", "roles", "status", "person", "memberships", "waits_for", "owns", "manager", "last_login",
        ]  # fmt: skip

    def get_status(self, user: User) -> str:
        """`active`, `invited` (no password yet) or `closed`."""
        return status_of(user)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_waits_for(self, user: User) -> list[str]:
        """What a second administrator has yet to confirm."""
        return [change.kind for change in user.pending_changes.all()]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_owns(self, user: User) -> list[str]:
        """The live agents this person answers for."""
        return [agent.name for agent in user.owned_agents.all()]


class InviteBody(serializers.Serializer[Any]):
    """Somebody new."""

    username = serializers.CharField(max_length=60)
    name = serializers.CharField(max_length=LONGEST_NAME)
    email = serializers.EmailField(max_length=254)
    roles = ROLES
    groups = serializers.ListField(child=serializers.CharField(max_length=150), required=False, default=list)


class PersonBody(serializers.Serializer[Any]):
    """What to change; what is not named stays."""

    name = serializers.CharField(max_length=LONGEST_NAME, required=False)
    email = serializers.EmailField(max_length=254, required=False)
    manager = serializers.CharField(
        max_length=60, required=False, allow_null=True, help_text="A user name; null for nobody."
    )
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices), required=False)


class OtherBody(serializers.Serializer[Any]):
    """The other account's user name."""

    other = serializers.CharField(max_length=60)


class InvitationSaid(serializers.Serializer[Any]):
    """A way in. `link` is said this once."""

    person = PersonSerializer()
    link = serializers.CharField()
    expires_at = serializers.DateTimeField()


class ReviewedSerializer(serializers.Serializer[Reviewed]):
    """Something that a group reviews: `kind` is segment, resource or agent."""

    kind = serializers.ChoiceField(choices=["segment", "resource", "agent"])
    name = serializers.CharField(source="target.name", max_length=100)


class ReviewBody(serializers.Serializer[Any]):
    """Something to review."""

    kind = serializers.ChoiceField(choices=["segment", "resource", "agent"])
    name = serializers.CharField(max_length=100)


class GroupSerializer(serializers.ModelSerializer[Group]):
    """A group, whose seats policies name."""

    memberships = MembershipSerializer(many=True)

    class Meta:
        """What is shown."""

        model = Group
        fields: ClassVar = ["name", "memberships"]


class GroupBody(serializers.Serializer[Any]):
    """A group to make."""

    name = serializers.CharField(max_length=40)


class MemberBody(serializers.Serializer[Any]):
    """A person's user name."""

    person = serializers.CharField(max_length=60)


class ChangeSerializer(serializers.ModelSerializer[PendingChange]):
    """A change that waits for a second administrator."""

    person = serializers.CharField(source="user.username")
    asked_by = serializers.CharField(source="asked_by.username")

    class Meta:
        """What is shown."""

        model = PendingChange
        fields: ClassVar = ["id", "kind", "person", "asked_by", "asked_at"]
