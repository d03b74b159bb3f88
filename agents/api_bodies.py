"""What the inventory's API takes and says. Secrets go in and never come out."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.api_models import ApiDescription
from agents.connection_test import Tried
from agents.described import FIELDS
from agents.history import Change, Difference
from agents.models import Agent, AgentKey, ColumnTag, Credential, Reinstatement, Resource, ResourceSecret, Segment
from agents.naming import LONGEST
from agents.openapi import LONGEST as LONGEST_DOCUMENT
from agents.resource_checks import Scan
from agents.scan import Suggestion

SLUG = r"^[a-z](?:[a-z0-9]|-(?=[a-z0-9]))*$"
SLUG_RULE = "Use small letters, digits and single hyphens, a letter first."
TAG = r"^[a-z0-9]+(?:[-_][a-z0-9]+)*$"
REASON: Any = {"max_length": 300}


class AgentSerializer(serializers.ModelSerializer[Agent]):
    """An agent, with who answers for it."""

    segment = serializers.CharField(source="segment.name")
    owner = serializers.CharField(source="owner.username")
    deputy = serializers.CharField(source="deputy.username", default=None)
    spiffe_id = serializers.CharField()

    class Meta:
        """What is shown."""

        model = Agent
        fields: ClassVar = [
            "id", "name", "spiffe_id", "function", "environment", "purpose", "segment", "owner", "deputy", "status",
            "status_reason", "risk", "enrolled_at", *FIELDS,
        ]  # fmt: skip


class ResourceSerializer(serializers.ModelSerializer[Resource]):
    """A resource, without the way to it."""

    segment = serializers.CharField(source="segment.name")
    owner = serializers.CharField(source="owner.username", default=None)

    class Meta:
        """What is shown."""

        model = Resource
        fields: ClassVar = ["id", "name", "kind", "purpose", "segment", "owner", "retired_at"]


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    """A segment. `unmark_asked_by` asks that it be of production no longer: a second administrator says the same."""

    unmark_asked_by = serializers.CharField(source="unmark_asked_by.username", allow_null=True, default=None)

    class Meta:
        """What is shown."""

        model = Segment
        fields: ClassVar = ["id", "name", "purpose", "production", "unmark_asked_by", "unmark_asked_at", "retired_at"]


class CredentialSerializer(serializers.ModelSerializer[Credential]):
    """A credential that was issued; the token itself is nowhere."""

    agent = serializers.CharField(source="agent.name")
    resource = serializers.CharField(source="resource.name", default="", help_text="Empty for an X.509-SVID.")

    class Meta:
        """What is shown."""

        model = Credential
        fields: ClassVar = [
            "id",
            "agent",
            "resource",
            "kind",
            "issued_at",
            "expires_at",
            "revoked_at",
            "revoked_reason",
        ]


class TagSerializer(serializers.ModelSerializer[ColumnTag]):
    """A confirmed tag on a column. `lookup` lets the column stand in an equality with a constant."""

    schema = serializers.CharField(max_length=63, default="public")
    tag = serializers.RegexField(
        TAG, max_length=40, error_messages={"invalid": "A tag is small letters, digits, - and _."}
    )

    class Meta:
        """What is shown and taken; saying it again changes it."""

        model = ColumnTag
        fields: ClassVar = ["schema", "table", "column", "tag", "lookup"]
        validators: ClassVar[list[Any]] = []


class DescribedBody(serializers.Serializer[Any]):
    """What an agent runs, what it may be given, what it is meant to touch; what is left out stays."""

    task_scope = serializers.CharField(max_length=500, required=False, allow_blank=True)
    runtime = serializers.CharField(max_length=100, required=False, allow_blank=True)
    model_vendor = serializers.CharField(max_length=60, required=False, allow_blank=True)
    model_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    model_version = serializers.CharField(max_length=60, required=False, allow_blank=True)
    framework = serializers.CharField(max_length=100, required=False, allow_blank=True)
    code_digest = serializers.CharField(
        max_length=300, required=False, allow_blank=True, help_text="sha256:…, an image with @sha256:…, or git:…"
    )
    data_classes = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=200, help_text="Tags of columns."
    )
    review_by = serializers.DateField(required=False, allow_null=True)


class EnrolBody(DescribedBody):
    """An agent to register: only the public half of its key."""

    name = serializers.CharField(max_length=LONGEST)
    purpose = serializers.CharField(max_length=300)
    segment = serializers.CharField(max_length=40)
    owner = serializers.CharField(max_length=150)
    deputy = serializers.CharField(max_length=150, required=False, allow_blank=True, default="")
    public_jwk = serializers.DictField()


class ChangeAgentBody(DescribedBody):
    """What of an agent is to change; what is left out stays. An empty deputy is nobody."""

    purpose = serializers.CharField(max_length=300, required=False)
    segment = serializers.CharField(max_length=40, required=False)
    owner = serializers.CharField(max_length=150, required=False)
    deputy = serializers.CharField(max_length=150, required=False, allow_blank=True)


class ReinstatementSerializer(serializers.ModelSerializer[Reinstatement]):
    """A wish that an agent may act which is suspended or proposed; a second person confirms or declines it."""

    agent = serializers.CharField(source="agent.name")
    asked_by = serializers.CharField(source="asked_by.username")
    answered_by = serializers.CharField(source="answered_by.username", default=None)

    class Meta:
        """What is shown."""

        model = Reinstatement
        fields: ClassVar = [
            "id",
            "agent",
            "reason",
            "asked_by",
            "asked_at",
            "status",
            "answered_by",
            "answered_at",
            "answer",
        ]


class EndedBody(serializers.Serializer[Any]):
    """How many credentials ended."""

    ended = serializers.IntegerField()


class KeyBody(serializers.Serializer[Any]):
    """One more public key of an agent."""

    public_jwk = serializers.DictField()


class KeySerializer(serializers.ModelSerializer[AgentKey]):
    """A key that was registered: `kid` is its RFC 7638 thumbprint."""

    class Meta:
        """What is shown."""

        model = AgentKey
        fields: ClassVar = ["kid", "algorithm", "added_at", "revoked_at"]


class FieldChangeSerializer(serializers.Serializer[Difference]):
    """A field before and after; empty for nothing."""

    field = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()


class HistorySerializer(serializers.Serializer[Any]):
    """One entry about it: who changed what. `told` is what else it says, by name."""

    event = serializers.CharField(source="entry.event")
    at = serializers.DateTimeField(source="entry.recorded")
    by = serializers.CharField(source="entry.actor_name")
    entry = serializers.IntegerField(source="entry.index")
    differences = FieldChangeSerializer(many=True)
    told = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_told(self, change: Change) -> dict[str, str]:
        """As the page has it."""
        return dict(change.told)


class ReasonBody(serializers.Serializer[Any]):
    """Why; it is kept in the record."""

    reason = serializers.CharField(**REASON)


class SegmentBody(serializers.Serializer[Any]):
    """A segment to make."""

    name = serializers.RegexField(SLUG, max_length=40, error_messages={"invalid": SLUG_RULE})
    purpose = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    production = serializers.BooleanField(
        required=False, default=False, help_text="A second person activates each agent in it."
    )


class ChangeSegmentBody(serializers.Serializer[Any]):
    """What a segment is for, and whether it is of production; what is left out stays. Its name stays: policies name it."""

    purpose = serializers.CharField(max_length=200, required=False, allow_blank=True)
    production = serializers.BooleanField(required=False)


class ReviewersBody(serializers.Serializer[Any]):
    """A group whose members may review what is asked in a segment."""

    group = serializers.CharField(max_length=150)


class LoginBody(serializers.Serializer[Any]):
    """A login at a resource, for the vault. Nothing ever says the password again."""

    user = serializers.CharField(max_length=63)
    password = serializers.CharField(max_length=8000, write_only=True, trim_whitespace=False)
    use = serializers.ChoiceField(choices=ResourceSecret.Use.choices, default=ResourceSecret.Use.ACTIONS)


class UseBody(serializers.Serializer[Any]):
    """Which login."""

    use = serializers.ChoiceField(choices=ResourceSecret.Use.choices, default=ResourceSecret.Use.ACTIONS)


class ScheduleBody(UseBody):
    """How often its password is changed by itself; null for never."""

    days = serializers.IntegerField(min_value=1, max_value=365, allow_null=True)


class RotationSerializer(serializers.ModelSerializer[ResourceSecret]):
    """How a login's password changes. `pending` while a new one is about to take the place of the other."""

    pending = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = ResourceSecret
        fields: ClassVar = ["use", "login", "stored_at", "rotate_days", "pending", "problem"]

    def get_pending(self, secret: ResourceSecret) -> bool:
        """Whether."""
        return secret.pending is not None


class WhereBody(serializers.Serializer[Any]):
    """How a resource is reached, and how names in it are read; what is left out stays."""

    host = serializers.CharField(max_length=255, required=False)
    port = serializers.IntegerField(min_value=1, max_value=65535, required=False)
    database = serializers.CharField(max_length=63, required=False, allow_blank=True)
    path = serializers.CharField(
        max_length=300, required=False, allow_blank=True, help_text="Where an API or a tool server begins."
    )
    host_key = serializers.CharField(
        max_length=100, required=False, allow_blank=True, help_text="SHA256:…, of an SSH host."
    )
    tls = serializers.ChoiceField(choices=["verify-full", "off"], required=False)
    tls_ca = serializers.CharField(max_length=100_000, required=False, allow_blank=True)
    search_path = serializers.CharField(max_length=200, required=False)
    role = serializers.CharField(max_length=63, required=False, allow_blank=True)
    connections = serializers.IntegerField(min_value=1, max_value=10_000, required=False)


class ChangeResourceBody(WhereBody):
    """What of a resource is to change; what is left out stays. An empty owner is nobody."""

    purpose = serializers.CharField(max_length=200, required=False, allow_blank=True)
    segment = serializers.CharField(max_length=40, required=False)
    owner = serializers.CharField(max_length=150, required=False, allow_blank=True)


class RemoveTagBody(serializers.Serializer[Any]):
    """A column whose tag is to be taken off, and why."""

    schema = serializers.CharField(max_length=63, default="public")
    table = serializers.CharField(max_length=63)
    column = serializers.CharField(max_length=63)
    reason = serializers.CharField(**REASON)


class AddResourceBody(WhereBody):
    """A resource to put behind the gate; a PostgreSQL database needs `database` and has a `login` that agents' actions run with."""

    name = serializers.RegexField(SLUG, max_length=60, error_messages={"invalid": SLUG_RULE})
    segment = serializers.CharField(max_length=40)
    purpose = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    owner = serializers.CharField(max_length=150, required=False, allow_blank=True, default="")
    kind = serializers.ChoiceField(choices=Resource.Kind.choices, default=Resource.Kind.POSTGRES)
    host = serializers.CharField(max_length=255)
    login = LoginBody(required=False)


class DescribeBody(serializers.Serializer[Any]):
    """An API's OpenAPI document (3.0 or 3.1), JSON or YAML as text."""

    document = serializers.CharField(max_length=LONGEST_DOCUMENT, trim_whitespace=False)


class DescriptionSerializer(serializers.ModelSerializer[ApiDescription]):
    """What an API can be asked for: `digest` is that of the document it was read from."""

    operations = serializers.ListField(child=serializers.DictField())

    class Meta:
        """What is shown."""

        model = ApiDescription
        fields: ClassVar = ["title", "version", "digest", "operations", "described_at"]


class TriedSerializer(serializers.Serializer[Tried]):
    """What came of trying to connect: `code` is `ok` or names what is wrong."""

    ok = serializers.BooleanField()
    code = serializers.CharField()
    says = serializers.CharField()
    remedy = serializers.CharField()
    server = serializers.CharField()
    took_ms = serializers.IntegerField()
    warnings = serializers.ListField(child=serializers.CharField())


class SuggestionSerializer(serializers.Serializer[Suggestion]):
    """What a column seems to hold. It counts only once a person confirms it."""

    schema = serializers.CharField()
    table = serializers.CharField()
    column = serializers.CharField()
    tag = serializers.CharField()
    because = serializers.CharField()


class ScanSerializer(serializers.Serializer[Scan]):
    """What a scan found among the columns that have no tag yet."""

    tables = serializers.IntegerField()
    columns = serializers.IntegerField()
    suggestions = SuggestionSerializer(many=True)
    unread = serializers.ListField(child=serializers.CharField())
