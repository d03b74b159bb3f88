"""Every change to resources, their logins and their tags. Each leaves its entry in the same transaction."""

from __future__ import annotations

import re
from typing import TypedDict, Unpack
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents.actors import resource_subject
from agents.differences import changed
from agents.models import ColumnTag, Resource, ResourceSecret, Segment
from agents.revision import bump_revision
from agents.segment_actions import require_open
from agents.vault import Login, sealed_login
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

PORTS = {Resource.Kind.POSTGRES: 5432, Resource.Kind.SSH: 22, Resource.Kind.HTTP: 443, Resource.Kind.MCP: 443}
HOST_KEY = re.compile(r"SHA256:[A-Za-z0-9+/]{43}\Z")
PATH = re.compile(r"/[!$-;=@-Z\\_a-z~%]*\Z")


class Where(TypedDict, total=False):
    """How a resource is reached, and how names in it are read."""

    host: str
    port: int
    database: str
    tls: str
    tls_ca: str
    path: str
    host_key: str
    search_path: str
    role: str
    connections: int


class Registered(Where, total=False):
    """What is registered of a resource and may be changed."""

    purpose: str
    segment: Segment
    owner: User | None


def add_resource(
    name: str,
    *,
    segment: Segment,
    kind: str = Resource.Kind.POSTGRES,
    purpose: str = "",
    owner: User | None = None,
    actor: User | Actor,
    **where: Unpack[Where],
) -> Resource:
    """Put a resource behind the gate: a PostgreSQL database unless `kind` says otherwise. Raises Refused and Invalid."""
    require_role(actor, Role.ENGINEER)
    resource = Resource(name=name, kind=kind, segment=segment, purpose=purpose, owner=owner, **where)
    if "port" not in where:
        resource.port = PORTS[Resource.Kind(kind)]
    _require_fit(resource)
    try:
        with transaction.atomic():
            require_open(segment)
            resource.save(force_insert=True)
            details = {"segment": segment.name, "database": resource.database, "host": resource.host}
            details |= {"kind": str(kind)} if kind != Resource.Kind.POSTGRES else {}
            record(Event.RESOURCE_ADDED, actor=actor_of(actor), subject=resource_subject(resource), details=details)
            bump_revision()
    except IntegrityError:
        raise Invalid("name", f"There is already a resource {name}.", "Choose another name.") from None
    return resource


def change_resource(resource_id: UUID, *, actor: User | Actor, **given: Unpack[Registered]) -> Resource:
    """Change what is registered of a resource and how it is reached. Nothing happens where nothing differs.

    Raises Refused, Invalid, NotFound, and AlreadySettled for one that is retired.
    """
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        resource = locked(resource_id)
        difference = changed(resource, given)
        if difference:
            _require_fit(resource)
            if "segment" in difference:
                require_open(resource.segment)
            resource.save(update_fields=list(difference))
            details = {"changed": difference}
            record(Event.RESOURCE_CHANGED, actor=actor_of(actor), subject=resource_subject(resource), details=details)
            bump_revision()
    return resource


def retire_resource(resource_id: UUID, *, reason: str, actor: User | Actor) -> Resource:
    """Take a resource from behind the gate for good: its sessions end within a second, its logins leave the vault.

    Raises Refused, NotFound, AlreadySettled.
    """
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        resource = locked(resource_id)
        resource.retired_at = now = db_now()
        resource.save(update_fields=["retired_at"])
        live = resource.credentials.filter(revoked_at=None, expires_at__gt=now)
        ended = live.update(revoked_at=now, revoked_reason="Resource retired.")
        logins, _ = resource.secrets.all().delete()
        details = {"reason": reason, "credentials": ended, "logins": logins}
        record(Event.RESOURCE_RETIRED, actor=actor_of(actor), subject=resource_subject(resource), details=details)
        bump_revision()
    return resource


def store_secret(
    resource_id: UUID, *, user: str, password: str, use: str = ResourceSecret.Use.ACTIONS, actor: User | Actor
) -> None:
    """Put a login into the vault, over the one for the same use. It can never be read back by a person."""
    require_role(actor, Role.ENGINEER)
    if not user or not password:
        raise Invalid("password", "A login needs a user and a password.")
    with transaction.atomic():
        resource = locked(resource_id)
        sealed = sealed_login(resource, use, Login(user, password))
        ResourceSecret.objects.update_or_create(
            resource=resource,
            use=use,
            defaults={"login": user, "sealed": sealed, "stored_at": db_now(), "pending": None, "problem": ""},
        )
        details = {"use": str(use), "login": user}
        record(Event.SECRET_STORED, actor=actor_of(actor), subject=resource_subject(resource), details=details)
        bump_revision()


def confirm_tag(
    resource_id: UUID,
    *,
    table: str,
    column: str,
    tag: str,
    lookup: bool = False,
    schema: str = "public",
    actor: User | Actor,
) -> ColumnTag:
    """Say what kind of data a column holds: from now on it is masked unless a permit unmasks the tag."""
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        resource = locked(resource_id)
        confirmed_by = actor if isinstance(actor, User) else None
        before = resource.tags.filter(schema=schema, table=table, column=column).values("tag", "lookup").first()
        found, _ = ColumnTag.objects.update_or_create(
            resource=resource, schema=schema, table=table, column=column,
            defaults={"tag": tag, "lookup": lookup, "confirmed_by": confirmed_by},
        )  # fmt: skip
        details = {"column": f"{schema}.{table}.{column}", "tag": tag, "lookup": lookup, "before": before}
        record(Event.TAG_CONFIRMED, actor=actor_of(actor), subject=resource_subject(resource), details=details)
        bump_revision()
    return found


def remove_tag(
    resource_id: UUID, *, table: str, column: str, schema: str = "public", reason: str, actor: User | Actor
) -> ColumnTag:
    """Take a tag off a column, which is given back: from now on it is masked no longer. Raises Refused, NotFound, AlreadySettled (retired)."""
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        resource = locked(resource_id)
        tag = resource.tags.filter(schema=schema, table=table, column=column).first()
        if tag is None:
            raise NotFound("That column has no tag.")
        tag.delete()
        before = {"tag": tag.tag, "lookup": tag.lookup}
        details = {"column": f"{schema}.{table}.{column}", "before": before, "reason": reason}
        record(Event.TAG_REMOVED, actor=actor_of(actor), subject=resource_subject(resource), details=details)
        bump_revision()
    return tag


def locked(resource_id: UUID) -> Resource:
    """The resource, held; one that is retired changes no more."""
    held = Resource.objects.select_for_update(of=("self",)).select_related("segment", "owner")
    resource = held.filter(id=resource_id).first()
    if resource is None:
        raise NotFound("There is no such resource.")
    if resource.retired_at:
        raise AlreadySettled(f"{resource.name} is retired.")
    return resource


def _require_fit(resource: Resource) -> None:
    """What each kind of resource needs. Raises Invalid."""
    if resource.kind == Resource.Kind.POSTGRES and not resource.database:
        raise Invalid("database", "A PostgreSQL resource is one database.", "Name it.")
    if resource.host_key and not HOST_KEY.match(resource.host_key):
        raise Invalid("host_key", "That is not the fingerprint of a host key.", "SHA256:…, as ssh-keygen -lf says it.")
    if resource.path and not PATH.match(resource.path):
        raise Invalid("path", "A path begins with / and has no spaces, ? or #.", "As in /v2 or /mcp.")
    if resource.kind != Resource.Kind.SSH:  # which has a host key instead
        _require_tls(resource)


def _require_tls(resource: Resource) -> None:
    """Without TLS a login may travel through a unix socket or the loopback interface, nowhere else."""
    near = resource.host.startswith("/") or resource.host in {"localhost", "127.0.0.1", "::1"}
    if resource.tls == "off" and not near:
        raise Invalid("tls", "Beyond this machine a resource is reached with TLS.", "Use verify-full.")
