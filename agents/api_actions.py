"""State changes of what is known of an API. Each leaves its entry in the same transaction."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from django.db import transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents import openapi
from agents.actors import resource_subject
from agents.api_models import ApiDescription
from agents.models import Resource
from agents.resource_actions import locked
from agents.revision import bump_revision
from core.db import db_now
from core.errors import Invalid
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record


def describe_api(resource_id: UUID, *, document: str, actor: User | Actor) -> ApiDescription:
    """Say by an OpenAPI document what an API can be asked for: from now on that, and nothing else, passes the gate.

    Raises Refused, NotFound, AlreadySettled (retired) and Invalid, for a resource that is no API too.
    """
    require_role(actor, Role.ENGINEER)
    described = openapi.read(document)
    with transaction.atomic():
        resource = locked(resource_id)
        if resource.kind != Resource.Kind.HTTP:
            raise Invalid("document", f"{resource.name} is no HTTP API.", "Describe one that is.")
        before = ApiDescription.objects.filter(resource=resource).values_list("digest", flat=True).first()
        found, _ = ApiDescription.objects.update_or_create(
            resource=resource,
            defaults={
                "title": described.title,
                "version": described.version,
                "digest": described.digest,
                "operations": [asdict(one) for one in described.operations],
                "described_at": db_now(),
                "described_by": actor if isinstance(actor, User) else None,
            },
        )
        details = {"digest": described.digest, "operations": len(described.operations), "before": before}
        record(Event.RESOURCE_DESCRIBED, actor=actor_of(actor), subject=resource_subject(resource), details=details)
        bump_revision()
    return found
