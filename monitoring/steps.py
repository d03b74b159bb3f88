"""The nine steps of zero trust: each measured on what is there, or said not to be measured yet. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from core import words

FRESH: Final = timedelta(minutes=5)
"""How long an entry may wait for its checkpoint."""
HEARD: Final = timedelta(seconds=15)
"""How long the detector may be silent."""
CUT: Final = timedelta(seconds=2)
"""How long after its credential was revoked a session may be open."""


@dataclass(frozen=True)
class Facts:
    """What is counted; times are ages, None where there is nothing to have one."""

    agents: int = 0
    no_role: int = 0
    no_key: int = 0
    bearer: int = 0
    undecided: int = 0
    measured: int = 0
    broad: int = 0
    unscored: int = 0
    silent: timedelta | None = None
    behind: int = 0
    late_sessions: int = 0
    bare_resources: int = 0
    soft_keys: int = 0
    unrecorded: int = 0
    signed: timedelta | None = None
    waiting: timedelta | None = None


@dataclass(frozen=True)
class Step:
    """One step: `short` counts what falls short, None where nothing measures it yet; `says` is the figure in words."""

    slug: str
    name: str
    how: str
    says: str
    short: int | None

    @property
    def state(self) -> str:
        """`met`, `short` or `unmeasured`."""
        return "unmeasured" if self.short is None else "short" if self.short else "met"


def _roles(facts: Facts) -> tuple[str, int | None]:
    without = facts.no_role
    return (f"{words.count(without)} have none" if without else f"all {words.count(facts.agents)} have one"), without


def _identity(facts: Facts) -> tuple[str, int | None]:
    without = facts.no_key
    return (f"{words.count(without)} without a key" if without else "each its own key"), without


def _authentication(facts: Facts) -> tuple[str, int | None]:
    bearers = facts.bearer
    return (f"{words.plural(bearers, 'agent')} on bearer tokens" if bearers else "no bearer tokens"), bearers


def _policy(facts: Facts) -> tuple[str, int | None]:
    without = facts.undecided
    return (f"{words.count(without)} without a version" if without else "every action decided"), without


def _privilege(facts: Facts) -> tuple[str, int | None]:
    if not facts.measured:
        return "not measured yet", None
    broad = facts.broad
    return (f"{words.plural(broad, 'agent')} used less than half" if broad else "each uses half or more"), broad


def _monitoring(facts: Facts) -> tuple[str, int | None]:
    if facts.silent is None or facts.silent > HEARD:
        return "the detector is silent", facts.unscored + 1
    if facts.unscored:
        return f"{words.plural(facts.unscored, 'agent')} not scored yet", facts.unscored
    return (f"{words.plural(facts.behind, 'entry', 'entries')} behind" if facts.behind else "reads every entry"), 0


def _revocation(facts: Facts) -> tuple[str, int | None]:
    late = facts.late_sessions
    return (f"{words.plural(late, 'session')} outlived it" if late else "every session ended with it"), late


def _isolation(facts: Facts) -> tuple[str, int | None]:
    bare, soft = facts.bare_resources, facts.soft_keys
    if bare:
        return f"{words.count(bare)} without a secret", bare + soft
    return (f"{words.plural(soft, 'key')} in no HSM" if soft else "every secret in its vault"), soft


def _audits(facts: Facts) -> tuple[str, int | None]:
    if facts.signed is None:
        return "no checkpoint yet", facts.unrecorded + 1
    late = int(facts.waiting is not None and facts.waiting > FRESH)
    if facts.unrecorded:
        return f"{words.count(facts.unrecorded)} unrecorded", facts.unrecorded + late
    age = facts.signed.total_seconds()
    return (f"signed {words.span(age)} ago" if age >= 2 else "signed just now"), late


_Measure = Callable[[Facts], tuple[str, int | None]]
STEPS: Final[tuple[tuple[str, str, str, _Measure], ...]] = (
    ("roles", "Roles defined", "Agents with a purpose and a function, of all that are not retired.", _roles),
    ("identity", "Unique identity", "Agents with a valid key of their own; no key is registered twice.", _identity),
    (
        "authentication",
        "Mutual authentication",
        "Agents that used no bearer token in 24 hours: a bearer token is not bound to a key.",
        _authentication,
    ),
    ("policy", "Policy engine", "Actions of the period that were allowed by a version of the policies.", _policy),
    (
        "privilege",
        "Least privilege",
        "Agents that used at least half of what policy lets them do, in 30 days.",
        _privilege,
    ),
    ("monitoring", "Monitoring", "The detector is heard every 15 seconds, and every agent has a score.", _monitoring),
    (
        "revocation",
        "Automatic revocation",
        "Sessions that ended within 2 seconds of their credential's revocation.",
        _revocation,
    ),
    (
        "isolation",
        "Credential isolation",
        "Resources whose login is in the vault, never with an agent; in an HSM, the keys of ledger, vault, tokens, certificates and policies.",
        _isolation,
    ),
    (
        "audits",
        "Audits",
        "Entries are signed within 5 minutes, and no action left the gate in the period without an entry.",
        _audits,
    ),
)
SLUGS: Final = tuple(slug for slug, _, _, _ in STEPS)


def steps(facts: Facts) -> list[Step]:
    """All nine, in order."""
    return [Step(slug, name, how, *measure(facts)) for slug, name, how, measure in STEPS]


def met(found: list[Step]) -> str:
    """How many of the steps are met, fall short, are not measured."""
    states = [step.state for step in found]
    parts = [
        f"{states.count('met')} met",
        f"{states.count('short')} fall short",
        f"{states.count('unmeasured')} not measured yet",
    ]
    return ", ".join(part for part in parts if not part.startswith("0"))
