"""The inventory: agents and their keys, the resources behind the gate, the segments that hold both."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from agents.api_models import ApiDescription  # noqa: F401 -- where Django looks for it
from agents.detector_models import OwnDetector, ResourceDetector  # noqa: F401 -- likewise
from agents.tool_models import ToolDefinition, ToolServer  # noqa: F401 -- likewise
from core.ids import new_id


class Segment(models.Model):
    """A micro-perimeter. `environment` says which of its agents' names fit."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.SlugField(max_length=40, unique=True)
    purpose = models.CharField(max_length=200, blank=True)
    production = models.BooleanField(default=False)  # an agent acts in it once a second person has said so
    unmark_asked_by = models.ForeignKey(  # who asks that it be of production no longer: a second administrator confirms
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    unmark_asked_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)  # it is empty, and stays so

    class Meta:
        permissions: ClassVar = [("review_segment", "May review holds on this segment's resources")]

    def __str__(self) -> str:
        return self.name


class Agent(models.Model):
    """A registered autonomous program. Its name is never used again for another."""

    class Status(models.TextChoices):
        """Where an agent is in its life."""

        PROPOSED = "proposed", "Proposed"
        ACTIVE = "active", "Active"
        SUSPENDED = "suspended", "Suspended"
        RETIRED = "retired", "Retired"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=100, unique=True)
    function = models.CharField(max_length=60)
    environment = models.CharField(max_length=20)
    instance = models.CharField(max_length=2, blank=True)
    purpose = models.CharField(max_length=300)
    task_scope = models.CharField(max_length=500, blank=True)  # what it may be given to do, and what not, in words
    runtime = models.CharField(max_length=100, blank=True)
    model_vendor = models.CharField(max_length=60, blank=True)
    model_name = models.CharField(max_length=100, blank=True)
    model_version = models.CharField(max_length=60, blank=True)
    framework = models.CharField(max_length=100, blank=True)
    code_digest = models.CharField(max_length=300, blank=True)  # of its code or image: nobody measures it here
    data_classes = ArrayField(models.CharField(max_length=40), default=list, blank=True)  # tags it is meant to touch
    review_by = models.DateField(null=True, blank=True)
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="agents")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_agents")
    deputy = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="deputised_agents"
    )
    enroller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="enrolled_agents")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PROPOSED)
    status_reason = models.CharField(max_length=300, blank=True)
    status_at = models.DateTimeField(default=timezone.now)
    unused_warned_at = models.DateTimeField(null=True, blank=True)  # its owner was told that it will be suspended
    ownerless_since = models.DateTimeField(null=True, blank=True)  # when its owner was found to be gone
    enrolled_at = models.DateTimeField(default=timezone.now)
    risk = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(risk__lte=100), name="agent_risk_to_100")]

    def __str__(self) -> str:
        return self.name

    @property
    def spiffe_id(self) -> str:
        """Its SPIFFE ID: `spiffe://<trust domain>/agent/<name>`."""
        return f"spiffe://{settings.TRUST_DOMAIN}/agent/{self.name}"


class Reinstatement(models.Model):
    """A wish that an agent may act: one that is suspended again, one that is proposed for the first time. Another person confirms."""

    class Status(models.TextChoices):
        """waiting → confirmed | declined."""

        WAITING = "waiting", "Waiting"
        CONFIRMED = "confirmed", "Confirmed"
        DECLINED = "declined", "Declined"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="reinstatements")
    reason = models.CharField(max_length=300)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    answered_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["-asked_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["agent"], condition=models.Q(status="waiting"), name="reinstatement_one_waits"
            ),
            models.CheckConstraint(
                condition=~models.Q(status="confirmed") | ~models.Q(answered_by=models.F("asked_by")),
                name="reinstatement_second_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent}: {self.reason}"


class AgentKey(models.Model):
    """A public key that an agent holds the private half of."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="keys")
    kid = models.CharField(max_length=64, unique=True)  # RFC 7638 thumbprint
    algorithm = models.CharField(max_length=10)  # ES256 or Ed25519
    public_jwk = models.JSONField()
    added_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.kid} of {self.agent}"


class Resource(models.Model):
    """Something behind the gate. Where it is; its secret is apart, in the vault.

    `database`, `search_path` and `role` are a database's, `path` an API's or a tool server's, `host_key` an SSH host's.
    """

    class Kind(models.TextChoices):
        """The protocol it speaks."""

        POSTGRES = "postgres", "PostgreSQL"
        SSH = "ssh", "SSH host"
        HTTP = "http", "HTTP API"
        MCP = "mcp", "MCP server"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.SlugField(max_length=60, unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.POSTGRES)
    purpose = models.CharField(max_length=200, blank=True)
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="resources")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="owned_resources"
    )
    host = models.CharField(max_length=255)  # a name, an address, or a unix socket folder beginning with /
    port = models.PositiveIntegerField(default=5432)
    database = models.CharField(max_length=63, blank=True)
    path = models.CharField(max_length=300, blank=True)  # where it begins, as in /v2 or /mcp
    host_key = models.CharField(max_length=100, blank=True)  # SHA256:…, as ssh-keygen -l says it
    tls = models.CharField(
        max_length=12,
        default="verify-full",
        choices=[("verify-full", "verify-full"), ("off", "off (unix socket or loopback only)")],
    )
    tls_ca = models.TextField(blank=True)  # PEM; empty means the system's
    search_path = models.CharField(max_length=200, default="public")
    role = models.CharField(max_length=63, blank=True)
    connections = models.PositiveIntegerField(default=50)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class ResourceSecret(models.Model):
    """A login at a resource, sealed (AES-256-GCM under a data key, itself sealed by the vault's key). Write-only everywhere."""

    class Use(models.TextChoices):
        """What the login is for."""

        ACTIONS = "actions", "Running agents' actions"
        READING = "reading", "Counting and reading the catalogue, SELECT only"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="secrets")
    use = models.CharField(max_length=10, choices=Use.choices, default=Use.ACTIONS)
    login = models.CharField(max_length=63)
    sealed = models.BinaryField()
    stored_at = models.DateTimeField(default=timezone.now)
    rotate_days = models.PositiveSmallIntegerField(null=True, blank=True)  # None: by people alone
    # The password that is about to take the place of the other: whichever of the two opens the door is the one.
    pending = models.BinaryField(null=True, blank=True)
    pending_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)  # why the last rotation did not come about

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["resource", "use"], name="secret_once_per_use")]

    def __str__(self) -> str:
        return f"{self.login} at {self.resource}"


class ColumnTag(models.Model):
    """A confirmed tag on a column: its values are masked unless a permit unmasks the tag."""

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="tags")
    schema = models.CharField(max_length=63, default="public")
    table = models.CharField(max_length=63)
    column = models.CharField(max_length=63)
    tag = models.SlugField(max_length=40)
    lookup = models.BooleanField(default=False)  # may stand in an equality with a constant
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["resource", "schema", "table", "column"], name="tag_once_per_column")
        ]

    def __str__(self) -> str:
        return f"{self.table}.{self.column}: {self.tag}"


class Delegation(models.Model):
    """A person lets one agent act for them: at one resource, for a purpose and a time."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="delegations")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="delegations")
    purpose = models.CharField(max_length=300)
    verbs = models.JSONField(null=True, blank=True)  # exact verbs; null is whatever policy lets the agent do
    passes_on = models.BooleanField(default=False)  # to another agent, the same or less
    granted_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-granted_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["person", "-granted_at"], name="delegation_by_person"),
            models.Index(fields=["agent", "-granted_at"], name="delegation_by_agent"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(expires_at__gt=models.F("granted_at")), name="delegation_expires")
        ]

    def __str__(self) -> str:
        return f"{self.agent} for {self.person}"


class Credential(models.Model):
    """A short-lived proof of identity that was issued; its identifier is the token's `jti`."""

    class Kind(models.TextChoices):
        """How it is bound."""

        BEARER = "bearer", "Bearer"
        DPOP = "dpop", "Token bound to a key"
        MTLS = "mtls", "Token bound to a certificate"
        SVID = "svid", "X.509-SVID"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="credentials")
    key = models.ForeignKey(AgentKey, on_delete=models.PROTECT, related_name="credentials")
    resource = models.ForeignKey(  # the one it is for; an SVID proves an identity, wherever policy lets that go
        Resource, null=True, blank=True, on_delete=models.PROTECT, related_name="credentials"
    )
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.BEARER)
    purpose = models.CharField(max_length=300, blank=True)  # what the agent claims it is for
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    delegation = models.ForeignKey(  # by which it acts for them; null where it only says that it does
        Delegation, null=True, blank=True, on_delete=models.PROTECT, related_name="credentials"
    )
    source = models.GenericIPAddressField(null=True)
    bound_to = models.CharField(max_length=43, blank=True)  # a thumbprint: of the key, or of the certificate
    networks = models.JSONField(default=list)  # the only ones that it may be used from; none for any
    issued_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["agent", "-issued_at"], name="credential_by_agent"),
            models.Index(fields=["expires_at"], name="credential_by_expiry"),
            models.Index(
                fields=["revoked_at"], condition=models.Q(revoked_at__isnull=False), name="credential_revoked"
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(expires_at__gt=models.F("issued_at")), name="credential_expires"),
            models.CheckConstraint(
                condition=models.Q(kind="svid") | models.Q(resource__isnull=False), name="credential_bearer_for_one"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} credential of {self.agent}"


class Halt(models.Model):
    """Everything is stopped: no credential is issued and nothing released, until one person has asked and another lifted it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reason = models.CharField(max_length=300)
    halted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    halted_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    asked_reason = models.CharField(max_length=300, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                models.Value(1), condition=models.Q(lifted_at__isnull=True), name="halt_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=models.Q(lifted_at__isnull=True)
                | models.Q(~models.Q(lifted_by=models.F("asked_by")), asked_by__isnull=False, lifted_by__isnull=False),
                name="halt_second_person",
            ),
        ]

    def __str__(self) -> str:
        return self.reason


class SeenAssertion(models.Model):
    """The `jti` of a client assertion that was used: a second use is a replay, in whatever process."""

    digest = models.CharField(max_length=64, primary_key=True)  # SHA-256 of issuer and jti
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest


class SavedView(models.Model):
    """A person's filters of the list of agents, under a name of their own."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000)  # as in an address
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["person", "name"], name="saved_view_named_once")]

    def __str__(self) -> str:
        return self.name


class Revision(models.Model):
    """One row that counts changes to whatever decides: each gateway swaps its snapshot when it moves."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    class Meta:
        db_table = "agents_revision"
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id=1), name="revision_one_row")]

    def __str__(self) -> str:
        return str(self.number)
