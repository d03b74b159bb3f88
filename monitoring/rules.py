"""What moves an agent's risk, and by how much. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

SUSPEND_AT: Final = 80
"""The score from which an agent is suspended without waiting for a person."""


class Kind(StrEnum):
    """What a signal observes."""

    DENIED = "denied"
    MISTAKE = "mistake"
    HOLD_DENIED = "hold_denied"
    FIRST_USE = "first_use"
    OFF_HOURS = "off_hours"
    DENIAL_BURST = "denial_burst"
    REVOKED_USE = "revoked_use"
    TAGGED_BURST = "tagged_burst"
    UNPROVEN = "unproven"

    @property
    def rule(self) -> Rule:
        """How it counts."""
        return RULES[self]


@dataclass(frozen=True)
class Rule:
    """`points` of one fresh signal, `most` of all signals of the kind together; `one` and `many` say it."""

    points: int
    most: int
    one: str
    many: str

    def says(self, number: int) -> str:
        """The reason, for so many signals."""
        return self.one if number == 1 else self.many.format(number)


RULES: Final[Mapping[Kind, Rule]] = MappingProxyType(
    {
        Kind.DENIED: Rule(6, 30, "An action was denied", "{} actions were denied"),
        Kind.MISTAKE: Rule(1, 5, "An action could not be understood", "{} actions could not be understood"),
        Kind.HOLD_DENIED: Rule(12, 24, "People denied an action", "People denied {} actions"),
        Kind.FIRST_USE: Rule(5, 10, "Used a resource for the first time", "Used {} resources for the first time"),
        Kind.OFF_HOURS: Rule(3, 6, "Worked outside 06 to 20 h (UTC)", "Worked outside 06 to 20 h (UTC) {} times"),
        Kind.DENIAL_BURST: Rule(55, 55, "Five denials within a minute", "Five denials within a minute, {} times"),
        Kind.REVOKED_USE: Rule(40, 40, "Used a revoked credential", "Used revoked credentials {} times"),
        Kind.TAGGED_BURST: Rule(40, 40, "A burst of reads of tagged columns", "{} bursts of reads of tagged columns"),
        Kind.UNPROVEN: Rule(10, 100, "An identity was not proven", "{} identities were not proven"),
    }
)

MISTAKES: Final = frozenset(
    {
        "syntax_error", "unknown_relation", "unknown_column", "unknown_type", "unknown_portal", "unknown_statement",
        "ambiguous", "nul_byte",
    }
)  # fmt: skip
"""Codes of denials that say that nobody could have understood the action: slips, not attempts."""

OURS: Final = frozenset(
    {"deaf", "record_unavailable", "catalog_unavailable", "no_policies", "engine_error", "evaluation_error"}
)
"""Codes of denials whose cause is on our side of the gate: they say nothing of the agent."""

UNPROVEN_CODES: Final = frozenset({"invalid_token", "no_token", "wrong_agent", "protocol", "invalid_client"})
"""Codes of connections and token requests that were refused before anybody had proven who they are."""

PROVEN_REVOKED: Final = "credential_revoked"
"""The code of a connection whose token was genuine, and revoked: the gate checks the signature first."""


def kind_of_denial(code: str) -> Kind | None:
    """What a denied action is a signal of; None where it says nothing of the agent."""
    if code in OURS:
        return None
    return Kind.MISTAKE if code in MISTAKES else Kind.DENIED
