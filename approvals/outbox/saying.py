"""What webhooks can be told of, and the words of a message: identifiers, sentences of ours and one link. Pure: no Django, no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from ledger.events import Event

OFFERED: Final[Mapping[str, tuple[Event, ...]]] = {
    "Holds": (
        Event.HOLD_ASKED, Event.HOLD_STAGE, Event.HOLD_REMINDED, Event.HOLD_ESCALATED, Event.HOLD_HANDED, Event.HOLD_APPROVED,
        Event.HOLD_RETRACTED, Event.HOLD_SETTLED, Event.HOLD_DENIED, Event.HOLD_EXPIRED, Event.HOLD_LAPSED,
        Event.HOLD_WITHDRAWN, Event.HOLD_RELEASED, Event.GLASS_BROKEN, Event.GLASS_OVERDUE, Event.GLASS_REVIEWED,
        Event.GRANT_GIVEN, Event.GRANT_REVOKED,
    ),
    "Incidents and stops": (
        Event.INCIDENT_OPENED, Event.INCIDENT_RATED, Event.INCIDENT_ACKNOWLEDGED, Event.INCIDENT_CONTAINED, Event.INCIDENT_RESOLVED,
        Event.CONTAINMENT_WITHHELD, Event.HALTED, Event.LIFT_ASKED, Event.LIFTED,
    ),
    "Agents": (
        Event.AGENT_ENROLLED, Event.AGENT_ACTIVATED, Event.AGENT_CHANGED, Event.AGENT_SUSPENDED, Event.AGENT_REINSTATED,
        Event.AGENT_UNUSED, Event.AGENT_OWNERLESS, Event.REINSTATEMENT_ASKED, Event.KEY_ADDED, Event.KEY_REVOKED,
    ),
    "Policies": (
        Event.POLICY_PROPOSED, Event.POLICY_APPROVED, Event.POLICY_ACTIVATED, Event.POLICY_ROLLBACK_OVERDUE,
        Event.POLICY_ROLLBACK_REVIEWED,
    ),
    "Resources": (
        Event.RESOURCE_ADDED, Event.RESOURCE_CHANGED, Event.RESOURCE_RETIRED, Event.SECRET_STORED, Event.SECRET_ROTATED,
        Event.TOOL_QUARANTINED, Event.TOOL_ACCEPTED, Event.TOOL_WITHDRAWN,
    ),
    "People and keys": (
        Event.ROLE_CHANGED, Event.MEMBERSHIP_CHANGED, Event.CHANGE_ASKED, Event.CHANGE_CONFIRMED, Event.PERSON_DEACTIVATED,
        Event.LEDGER_KEY_CHANGED, Event.TOKEN_KEY_CHANGED, Event.VAULT_KEY_CHANGED, Event.WEBHOOK_STOPPED,
    ),
}  # fmt: skip
"""The events that a webhook may hear of. None tells what an agent asked in its own words."""
EVENTS: Final[Mapping[str, Event]] = {event.value: event for events in OFFERED.values() for event in events}
"""The same by name."""
TEST_TYPE: Final = "narrowgate.test"


@dataclass(frozen=True)
class Named:
    """An agent or a resource, as it is called."""

    id: UUID
    name: str


@dataclass(frozen=True)
class Concern:
    """What an entry is about, as far as a webhook can be narrowed by it."""

    agent: Named | None = None
    resource: Named | None = None

    def is_for(self, agents: frozenset[UUID], resources: frozenset[UUID]) -> bool:
        """Whether somebody who wants to hear of these alone, or of all where there are none, hears of it."""
        return _among(self.agent, agents) and _among(self.resource, resources)


def _among(one: Named | None, wanted: frozenset[UUID]) -> bool:
    return not wanted or (one is not None and one.id in wanted)


@dataclass(frozen=True)
class Written:
    """An entry, by what of it may leave."""

    index: int
    uid: UUID
    event: Event
    at: datetime
    subject_kind: str
    subject_id: str


def type_of(event: str) -> str:
    """An event's name as the type of a message: `hold.asked`."""
    return event.replace(":", ".")


def message(written: Written, concern: Concern, link: str) -> str:
    """The body that tells of an entry."""
    data: dict[str, object] = {
        "says": written.event.meaning,
        "entry": {"index": written.index, "id": str(written.uid)},
        "subject": {"kind": written.subject_kind, "id": written.subject_id},
        "link": link,
    }
    for name, one in (("agent", concern.agent), ("resource", concern.resource)):
        if one is not None:
            data[name] = {"id": str(one.id), "name": one.name}
    return _body(type_of(written.event), written.at, data)


def test_message(name: str, at: datetime, link: str) -> str:
    """The body of a try."""
    return _body(TEST_TYPE, at, {"says": "Somebody tries whether this arrives.", "webhook": name, "link": link})


def _body(kind: str, at: datetime, data: Mapping[str, object]) -> str:
    stamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": kind, "timestamp": stamp, "data": data}, separators=(",", ":"))
