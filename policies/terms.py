"""Pure: what a policy's annotations mean: @id @hold @ttl @why @unmask @limit @proof @severity @breakglass @passkey @escalate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Final, Protocol

from cedarpy import pst

from accounts.quorum import Requirement
from core.errors import Invalid, NarrowgateError

KNOWN: Final = ("id", "why", "hold", "ttl", "escalate", "severity", "breakglass", "passkey", "unmask", "limit", "proof")
SEVERITIES: Final = ("low", "medium", "high", "critical")
"""The mildest first."""
DEFAULT_TTL: Final = timedelta(minutes=15)
LONGEST_TTL: Final = timedelta(hours=24)
LONGEST_PROOF: Final = timedelta(hours=1)

PASSKEY: Final = "required"

_ID: Final = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*\Z")
_TTL: Final = re.compile(r"([1-9][0-9]{0,5})([smh])\Z")
_TAG: Final = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*\Z")
_GROUP: Final = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*\Z")
_ESCALATE: Final = re.compile(r"([a-z0-9]+(?:[-_][a-z0-9]+)*) +after +([1-9][0-9]{0,5}[smh])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours"}


@dataclass(frozen=True)
class Escalation:
    """A group that may fill every seat of a hold as well, once it has waited so long."""

    group: str
    after: timedelta

    def __str__(self) -> str:
        return f"{self.group} after {int(self.after.total_seconds())}s"


@dataclass(frozen=True)
class Terms:
    """One policy's id, effect and annotations, understood."""

    id: str
    effect: pst.Effect
    why: str = ""
    hold: Requirement | None = None
    ttl: timedelta | None = None
    unmask: frozenset[str] = frozenset()
    limit: int | None = None
    proof: timedelta | None = None
    """How long ago the agent may have proved, at most, that it holds its key."""
    severity: str = ""
    breakglass: frozenset[str] = frozenset()
    """Groups of which one person may let a held action through in an emergency."""
    escalate: Escalation | None = None
    passkey: bool = False
    """Whether each approval is signed with a passkey."""

    @property
    def groups(self) -> frozenset[str]:
        """Every group of people that it names."""
        asked = self.hold.groups if self.hold else frozenset()
        return asked | self.breakglass | ({self.escalate.group} if self.escalate else frozenset())


class Noted(Protocol):
    """What is looked at of a policy here."""

    @property
    def effect(self) -> pst.Effect:
        """Permit or forbid."""

    @property
    def annotations(self) -> Mapping[str, str]:
        """As they are written."""


def terms_of(policy: Noted) -> Terms:
    """Read a policy's annotations. Raises Invalid for the first that cannot be meant."""
    found = problems(policy)
    if found:
        raise found[0]
    return checked_terms_of(policy)


def checked_terms_of(policy: Noted) -> Terms:
    """The same of a policy that was found to be right before. Raises KeyError without an @id, and Invalid."""
    notes = policy.annotations
    return Terms(
        id=notes["id"],
        effect=policy.effect,
        why=notes.get("why", ""),
        hold=Requirement.parse(notes["hold"]) if "hold" in notes else None,
        ttl=ttl(notes["ttl"]) if "ttl" in notes else None,
        unmask=tags(notes["unmask"]) if "unmask" in notes else frozenset(),
        limit=limit(notes["limit"]) if "limit" in notes else None,
        proof=proof(notes["proof"]) if "proof" in notes else None,
        severity=notes.get("severity", ""),
        breakglass=groups(notes["breakglass"]) if "breakglass" in notes else frozenset(),
        escalate=escalation(notes["escalate"]) if "escalate" in notes else None,
        passkey="passkey" in notes,
    )


def problems(policy: Noted) -> list[NarrowgateError]:
    """Everything wrong with a policy's annotations, each with what to write instead."""
    found: list[NarrowgateError] = list(_misplaced(policy))
    readers = {
        "id": _id, "hold": Requirement.parse, "ttl": ttl, "unmask": tags, "limit": limit, "proof": proof,
        "severity": severity,
        "breakglass": groups, "passkey": passkey, "escalate": escalation,
    }  # fmt: skip
    for name, read in readers.items():
        try:
            if name in policy.annotations:
                read(policy.annotations[name])
        except NarrowgateError as error:
            found.append(error)
    return found or list(_too_late(policy.annotations))


def _too_late(notes: Mapping[str, str]) -> Iterable[Invalid]:
    """An escalation that comes when the hold has expired."""
    waits = ttl(notes["ttl"]) if "ttl" in notes else DEFAULT_TTL
    if "escalate" in notes and escalation(notes["escalate"]).after >= waits:
        yield Invalid(
            "escalate", "@escalate comes when the hold has expired.", "Let it come sooner, or write a longer @ttl."
        )


def _misplaced(policy: Noted) -> list[Invalid]:
    notes = policy.annotations
    found = [_unknown(name) for name in notes if name not in KNOWN]
    if "id" not in notes:
        found.append(Invalid("id", "The policy has no @id.", 'Write @id("a-name-of-its-own") before it.'))
    rules: Mapping[str, tuple[bool, str]] = {
        "hold": (policy.effect == "forbid", "@hold belongs on a forbid: it turns the denial into a wait."),
        "ttl": ("hold" in notes, "@ttl says how long a hold waits, and this policy holds nothing."),
        "severity": (policy.effect == "forbid", "@severity belongs on a forbid: it says how grave what it stops is."),
        "breakglass": ("hold" in notes, "@breakglass says who alone may end a hold, and this policy holds nothing."),
        "escalate": (
            "hold" in notes,
            "@escalate says who may fill in for whom a hold asks, and this policy holds nothing.",
        ),
        "passkey": ("hold" in notes, "@passkey says how a hold is approved, and this policy holds nothing."),
        "unmask": (policy.effect == "permit", "@unmask belongs on a permit."),
        "limit": (policy.effect == "permit", "@limit belongs on a permit."),
        "proof": (
            policy.effect == "permit" or "hold" in notes,
            "@proof belongs on a permit, or on a forbid with @hold: it says what is asked of the agent before it may.",
        ),
    }
    found += [
        Invalid(name, message, "Remove it or move it.")
        for name, (fits, message) in rules.items()
        if name in notes and not fits
    ]
    return found


def _unknown(name: str) -> Invalid:
    near = get_close_matches(name, KNOWN, n=1)
    remedy = f"Did you mean @{near[0]}?" if near else f"Known are {', '.join(f'@{known}' for known in KNOWN)}."
    return Invalid(name, f"There is no annotation @{name}.", remedy)


def _id(text: str) -> str:
    if not _ID.match(text) or len(text) > 100:
        raise Invalid(
            "id",
            f'"{text[:100]}" cannot be a policy\'s @id.',
            "Use lower-case words joined by hyphens, up to 100 characters.",
        )
    return text


def ttl(text: str) -> timedelta:
    """Read how long a hold waits: `90s`, `15m`, `2h`; at most 24 hours. Raises Invalid."""
    wait = _time(text)
    if not timedelta() < wait <= LONGEST_TTL:
        raise Invalid(
            "ttl",
            f'@ttl("{text[:40]}") is not a time a hold can wait.',
            'Write a whole number and s, m or h, up to 24h: "15m".',
        )
    return wait


def proof(text: str) -> timedelta:
    """Read how long ago, at most, possession of the key was proved: `60s`, `5m`; at most an hour. Raises Invalid."""
    age = _time(text)
    if not timedelta() < age <= LONGEST_PROOF:
        raise Invalid(
            "proof",
            f'@proof("{text[:40]}") is no age that a proof may have.',
            'Write a whole number and s, m or h, up to 1h: "60s".',
        )
    return age


def _time(text: str) -> timedelta:
    match = _TTL.match(text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta()


def tags(text: str) -> frozenset[str]:
    """Read a list of tags separated by commas. Raises Invalid when one is not a tag, or there is none."""
    found = [tag.strip() for tag in text.split(",")]
    wrong = [tag for tag in found if not _TAG.match(tag)]
    if wrong:
        raise Invalid(
            "unmask", f'@unmask: "{wrong[0][:40]}" is not a tag.', 'Write tags separated by commas: "email, phone".'
        )
    return frozenset(found)


def groups(text: str) -> frozenset[str]:
    """Read the groups of which one person may break the glass. Raises Invalid when one is no group's name."""
    found = [group.strip() for group in text.split(",")]
    wrong = [group for group in found if not _GROUP.match(group)]
    if wrong:
        remedy = 'Name groups, separated by commas: "oncall, security". One person of them is enough.'
        raise Invalid("breakglass", f'@breakglass: "{wrong[0][:40]}" is not a group.', remedy)
    return frozenset(found)


def escalation(text: str) -> Escalation:
    """Read `oncall after 10m`. Raises Invalid."""
    match = _ESCALATE.fullmatch(text.strip())
    after = _time(match[2]) if match else timedelta()
    if match is None or not timedelta() < after < LONGEST_TTL:
        remedy = 'Write a group and a time after which it may fill in: "oncall after 10m".'
        raise Invalid("escalate", f'@escalate("{text[:60]}") does not say to whom and when.', remedy)
    return Escalation(match[1], after)


def agreed(escalations: Iterable[Escalation | None]) -> Escalation | None:
    """The group that all of them name, at the latest of their times; none where they differ or one names nobody."""
    said = list(escalations)
    named = [one for one in said if one is not None]
    if not named or len(named) < len(said) or len({one.group for one in named}) > 1:
        return None
    return max(named, key=lambda one: one.after)


def passkey(text: str) -> str:
    """Read that approvals are signed with a passkey. Raises Invalid for anything but the one thing it can say."""
    if text != PASSKEY:
        raise Invalid("passkey", f'@passkey("{text[:40]}") is nothing it can say.', f'Write @passkey("{PASSKEY}").')
    return text


def severity(text: str) -> str:
    """Read how grave it is. Raises Invalid."""
    if text not in SEVERITIES:
        near = get_close_matches(text.lower(), SEVERITIES, n=1)
        remedy = f'Did you mean "{near[0]}"?' if near else f"Write one of {', '.join(SEVERITIES)}."
        raise Invalid("severity", f'@severity("{text[:40]}") is none.', remedy)
    return text


def gravest(severities: Iterable[str]) -> str:
    """The gravest of those that are said; empty where none is."""
    return max((one for one in severities if one), key=SEVERITIES.index, default="")


def limit(text: str) -> int:
    """Read the most rows an action may return. Raises Invalid."""
    if not re.match(r"[1-9][0-9]{0,8}\Z", text):
        raise Invalid(
            "limit", f'@limit("{text[:40]}") is not a number of rows.', 'Write a whole number from 1: "1000".'
        )
    return int(text)
