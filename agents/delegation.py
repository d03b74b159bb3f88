"""How far a delegation reaches, and that whatever is made of it reaches no further (RFC 8693 section 1.1). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

LONGEST_CHAIN = 5
"""Agents one behind the other: more are a mistake, or an attempt to hide in numbers."""
MOST_VERBS = 32
_VERB = re.compile(r"[a-z]{1,16}:[a-z_]{1,32}")


@dataclass(frozen=True)
class Reach:
    """What an agent may do for a person: at one resource, with these verbs (None: whatever policy lets it), until then.

    `through` are the agents that it was handed on by, the first one first.
    """

    resource: str
    verbs: frozenset[str] | None
    expires_at: datetime
    through: tuple[str, ...] = ()

    def narrowed(self, *, resource: str, verbs: frozenset[str] | None, expires_at: datetime) -> Reach | None:
        """The part of it that was asked for; None where there is no such part."""
        if resource != self.resource:
            return None
        both = narrower(self.verbs, verbs)
        if both is not None and not both:
            return None
        return replace(self, verbs=both, expires_at=min(self.expires_at, expires_at))

    def handed_on(self, by: str) -> Reach | None:
        """The same in the hands of the next agent; None where the chain is too long."""
        through = (*self.through, by)
        return replace(self, through=through) if len(through) < LONGEST_CHAIN else None


def narrower(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """The verbs that are in both; None stands for all there are."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def is_verb(text: str) -> bool:
    """Whether it is written as a verb is; whether there is such a one, policies know."""
    return bool(_VERB.fullmatch(text))
