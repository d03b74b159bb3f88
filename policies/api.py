"""Policy versions in the API. Read-only."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers

from accounts.api import Visible
from policies.models import PolicyVersion
from policies.queries import visible_to


class PolicyVersionSerializer(serializers.ModelSerializer[PolicyVersion]):
    """A version with its text and the people behind it."""

    author = serializers.CharField(source="author.username")
    approved_by = serializers.CharField(source="approved_by.username", default=None)

    class Meta:
        """What is shown."""

        model = PolicyVersion
        fields: ClassVar = [
            "number", "digest", "status", "note", "author", "created_at", "approved_by", "approved_at", "activated_at", "text",
        ]  # fmt: skip


class PolicyVersionViewSet(Visible[PolicyVersion]):
    """Versions of the policies, by number."""

    queryset = PolicyVersion.objects.none()
    serializer_class = PolicyVersionSerializer
    visible = visible_to
    lookup_field = "number"
    lookup_value_converter = "int"
    filters: ClassVar = {"status": "status"}
    ordering: tuple[str, ...] = ("-number",)
