"""Every change to segments and resources, their logins and their tags. Each leaves its entry in the same transaction."""

from __future__ import annotations

from typing import TypedDict, Unpack
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents.actors import resource_subject, segment_subject
from agents.models import ColumnTag, Resource, ResourceSecret, Segment
from agents.revision import bump_revision
from agents.vault import Login, sealed_login
from core.db import db_now
from core.errors import Invalid, NotFound
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record


class Where(TypedDict, total=False):
    """How a resource is reached, and how names in it are read."""

    host: str
    port: int
    database: str
    tls: str
    tls_ca: str
    search_path: str
    role: str
    connections: int


def create_segment(name: str, *, purpose: str = "", actor: User | Actor) -> Segment:
    """Make a segment. Raises Refused and Invalid."""
    require_role(actor, Role.ENGINEER)
    try:
        with transaction.atomic():
            segment = Segment.objects.create(name=name, purpose=purpose)
            details = {"purpose": purpose}
            record(Event.SEGMENT_CREATED, actor=actor_of(actor), subject=segment_subject(segment), details=details)
            bump_revision()
    except IntegrityError:
        raise Invalid("name", f"There is already a segment {name}.", "Choose another name.") from None
    return segment


def add_resource(
    name: str,
    *,
    segment: Segment,
    purpose: str = "",
    owner: User | None = None,
    actor: User | Actor,
    **where: Unpack[Where],
) -> Resource:
    """Put a PostgreSQL database behind the gate. Raises Refused and Invalid."""
    require_role(actor, Role.ENGINEER)
    resource = Resource(name=name, segment=segment, purpose=purpose, owner=owner, **where)
    _require_tls(resource)
    try:
        with transaction.atomic():
            resource.save(force_insert=True)
            details = {"segment": segment.name, "database": resource.database, "host": resource.host}
            record(Event.RESOURCE_ADDED, actor=actor_of(actor), subject=resource_subject(resource), details=details)
            bump_revision()
    except IntegrityError:
        raise Invalid("name", f"There is already a resource {name}.", "Choose another name.") from None
    return resource


def change_resource(resource_id: UUID, *, actor: User | Actor, **where: Unpack[Where]) -> Resource:
    """Change how a resource is reached. Nothing happens where nothing differs."""
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        resource = _locked(resource_id)
        changed = {name: value for name, value in where.items() if getattr(resource, name) != value}
        for name, value in changed.items():
            setattr(resource, name, value)
        if changed:
            _require_tls(resource)
            resource.save(update_fields=list(changed))
            details = {"changed": sorted(changed), "host": resource.host, "database": resource.database}
            record(Event.RESOURCE_CHANGED, actor=actor_of(actor), subject=resource_subject(resource), details=details)
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
        resource = _locked(resource_id)
        sealed = sealed_login(resource, use, Login(user, password))
        ResourceSecret.objects.update_or_create(
            resource=resource, use=use, defaults={"login": user, "sealed": sealed, "stored_at": db_now()}
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
        resource = _locked(resource_id)
        confirmed_by = actor if isinstance(actor, User) else None
        found, _ = ColumnTag.objects.update_or_create(
            resource=resource, schema=schema, table=table, column=column,
            defaults={"tag": tag, "lookup": lookup, "confirmed_by": confirmed_by},
        )  # fmt: skip
        details = {"column": f"{schema}.{table}.{column}", "tag": tag, "lookup": lookup}
        record(Event.TAG_CONFIRMED, actor=actor_of(actor), subject=resource_subject(resource), details=details)
        bump_revision()
    return found


def _locked(resource_id: UUID) -> Resource:
    held = Resource.objects.select_for_update(of=("self",)).select_related("segment")
    resource = held.filter(id=resource_id).first()
    if resource is None:
        raise NotFound("There is no such resource.")
    return resource


def _require_tls(resource: Resource) -> None:
    """Without TLS a login may travel through a unix socket or the loopback interface, nowhere else."""
    near = resource.host.startswith("/") or resource.host in {"localhost", "127.0.0.1", "::1"}
    if resource.tls == "off" and not near:
        raise Invalid("tls", "Beyond this machine a resource is reached with TLS.", "Use verify-full.")
