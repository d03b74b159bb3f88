"""State changes of what is known of tool servers. Each leaves its entry in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents.actors import resource_subject
from agents.models import Resource
from agents.resource_actions import locked
from agents.revision import bump_revision
from agents.tool_models import ToolDefinition, ToolServer
from agents.tools import Definition
from core.db import db_now
from core.errors import Invalid, NotFound, Stale
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

MOST_ARGUMENTS: Final = 100
LONGEST_ARGUMENT: Final = 1_000
AT_ONCE: Final = 200
"""Definitions that one entry names."""


def run_command(resource_id: UUID, *, command: Sequence[str], actor: User | Actor) -> ToolServer:
    """Say which program the gate runs for a tool server: what it runs it runs as itself, so an administrator says it.

    Raises Refused, NotFound, AlreadySettled (retired) and Invalid.
    """
    require_role(actor, Role.ADMINISTRATOR)
    _require_command(command)
    with transaction.atomic():
        resource = _tool_server(resource_id)
        server, _ = ToolServer.objects.select_for_update().get_or_create(resource=resource)
        before = server.command
        server.command, server.asked_at = list(command), db_now()
        server.save(update_fields=["command", "asked_at"])
        details = {"command": list(command), "before": before}
        record(Event.TOOL_COMMAND_SET, actor=actor_of(actor), subject=resource_subject(resource), details=details)
        bump_revision()
    return server


def _require_command(command: Sequence[str]) -> None:
    if not command or not command[0].startswith("/"):
        raise Invalid("command", "The program is not named by its whole path.", "As in /usr/bin/python3.")
    if len(command) > MOST_ARGUMENTS or any(len(one) > LONGEST_ARGUMENT or "\0" in one for one in command):
        raise Invalid("command", "There are too many arguments, or one is too long.", "A file can hold the rest.")


def ask_to_read(resource_id: UUID, *, actor: User | Actor) -> ToolServer:
    """Have a gateway read what a tool server offers, within a second or two. Raises Refused, NotFound, AlreadySettled, Invalid."""
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        resource = _tool_server(resource_id)
        server, _ = ToolServer.objects.select_for_update().get_or_create(resource=resource)
        server.asked_at = db_now()
        server.save(update_fields=["asked_at"])
        record(Event.TOOLS_ASKED, actor=actor_of(actor), subject=resource_subject(resource))
        bump_revision()
    return server


def saw(
    resource_id: UUID, offered: Mapping[tuple[str, str], Definition], *, about: str, actor: Actor
) -> list[ToolDefinition]:
    """Note what a tool server offers now: what nobody has accepted as it is, is quarantined. Gives what changed.

    Raises NotFound, AlreadySettled, Invalid.
    """
    with transaction.atomic():
        resource = _tool_server(resource_id)
        now = db_now()
        ToolServer.objects.update_or_create(
            resource=resource, defaults={"read_at": now, "about": about[:200], "problem": "", "asked_at": None}
        )
        known = {(one.kind, one.name): one for one in resource.definitions.select_for_update()}
        differs = [
            one
            for key, definition in offered.items()
            if (one := _noted(resource, known.get(key), definition)) is not None
        ]
        for one in differs:
            one.changed_at = now
            one.save()
        _quarantined(resource, [one for one in differs if not one.is_accepted], actor)
        gone = [one.id for key, one in known.items() if key not in offered and one.gone_at is None]
        ToolDefinition.objects.filter(id__in=gone).update(gone_at=now)
        if differs or gone:
            bump_revision()
    return differs


def _quarantined(resource: Resource, rows: Sequence[ToolDefinition], actor: Actor) -> None:
    """An entry for what was found at once, so that people are told of it once."""
    for some in (rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE)):
        details = {"definitions": {str(one): one.digest for one in some}}
        record(Event.TOOL_QUARANTINED, actor=actor, subject=resource_subject(resource), details=details)


def _noted(resource: Resource, known: ToolDefinition | None, definition: Definition) -> ToolDefinition | None:
    """The row, changed and not saved; None where it says so already."""
    if known is not None and known.digest == definition.digest and known.gone_at is None:
        return None
    row = known or ToolDefinition(resource=resource, kind=definition.kind, name=definition.name)
    row.seen, row.digest, row.problem = dict(definition.body), definition.digest, definition.problem
    row.gone_at = None
    return row


def could_not_read(resource_id: UUID, *, problem: str) -> None:
    """Note that a tool server's list could not be read, and why."""
    ToolServer.objects.filter(resource=resource_id).update(problem=problem[:300], asked_at=None, read_at=db_now())


def accept(resource_id: UUID, *, seen: Mapping[int, str], actor: User) -> list[ToolDefinition]:
    """Accept definitions as they were shown: `seen` has the digest of each by its row. From now on agents get them.

    Raises Refused, NotFound, AlreadySettled (retired), Stale (it changed since it was shown) and Invalid.
    """
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        resource = _tool_server(resource_id)
        found = list(resource.definitions.select_for_update().filter(id__in=seen))
        if len(found) != len(seen) or not found:
            raise NotFound("There is no such definition.", "Read the list again.")
        for one in found:
            _accept(resource, one, seen[one.pk], actor)
        bump_revision()
    return found


def _accept(resource: Resource, one: ToolDefinition, digest: str, actor: User) -> None:
    if one.digest != digest:
        raise Stale(f"{one.name or 'The instructions'} changed since this was shown.", "Look at it again.")
    if one.problem:
        raise Invalid("definition", f"{one.name} cannot be accepted: {one.problem}", "Its server has to mend it.")
    before = one.accepted_digest
    one.accepted, one.accepted_digest = one.seen, one.digest
    one.accepted_at, one.accepted_by = db_now(), actor
    one.save(update_fields=["accepted", "accepted_digest", "accepted_at", "accepted_by"])
    details = {"kind": one.kind, "name": one.name, "digest": one.digest, "before": before}
    record(Event.TOOL_ACCEPTED, actor=actor_of(actor), subject=resource_subject(resource), details=details)


def withdraw(resource_id: UUID, *, definition: int, actor: User) -> ToolDefinition:
    """Take an acceptance back: agents get it no longer. Raises Refused, NotFound, AlreadySettled."""
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        resource = _tool_server(resource_id)
        one = resource.definitions.select_for_update().filter(id=definition).exclude(accepted_digest="").first()
        if one is None:
            raise NotFound("That is not accepted.")
        before, one.accepted, one.accepted_digest = one.accepted_digest, None, ""
        one.accepted_at, one.accepted_by = None, None
        one.save(update_fields=["accepted", "accepted_digest", "accepted_at", "accepted_by"])
        details = {"kind": one.kind, "name": one.name, "before": before}
        record(Event.TOOL_WITHDRAWN, actor=actor_of(actor), subject=resource_subject(resource), details=details)
        bump_revision()
    return one


def _tool_server(resource_id: UUID) -> Resource:
    resource = locked(resource_id)
    if resource.kind != Resource.Kind.MCP:
        raise Invalid("resource", f"{resource.name} is no tool server.", "Name one that is.")
    return resource
