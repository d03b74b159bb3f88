"""What a detection makes of its burst: an incident of a kind, with its severity. Pure but for the names of kinds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from monitoring.models import Incident

Kind, Severity = Incident.Kind, Incident.Severity
SEVERITIES = {
    Kind.DENIALS: Severity.HIGH,
    Kind.REVOKED_CREDENTIAL: Severity.HIGH,
    Kind.TAGGED_READS: Severity.MEDIUM,
    Kind.RISK: Severity.HIGH,
    Kind.UNPROVEN: Severity.LOW,
}
REFUSED = frozenset({Kind.REVOKED_CREDENTIAL, Kind.UNPROVEN})
"""Kinds whose every part was refused at the door: nothing is left to contain."""


@dataclass(frozen=True)
class Opening:
    """An incident to open, or to join: of an agent, or of an address."""

    kind: Incident.Kind
    severity: Incident.Severity
    began_at: datetime
    agent_id: UUID | None = None
    source: str | None = None

    @classmethod
    def of(
        cls, kind: Incident.Kind, *, began_at: datetime, agent_id: UUID | None = None, source: str | None = None
    ) -> Opening:
        """With the severity that its kind has before anybody has looked."""
        return cls(kind, SEVERITIES[kind], began_at, agent_id, None if agent_id else source)

    @property
    def refused(self) -> bool:
        """Whether nothing got through."""
        return self.kind in REFUSED
