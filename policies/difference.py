"""Pure: what differs between two sets of policies, in words, policy by policy: what becomes allowed, held or denied.

Policies are compared by what they mean: order, comments and spaces are no difference. What they come to together, on what really
happened, a trial says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from core.words import count, listing, span
from policies.parse import Policy
from policies.parts import DECLARED, Uid
from policies.source import condition
from policies.terms import DEFAULT_TTL

ALLOW, HOLD, DENY = "allow", "hold", "deny"
_DONE: Final[Mapping[str, str]] = {ALLOW: "allowed", HOLD: "held", DENY: "denied"}
_WHO: Final[Mapping[str, str]] = {
    "Agent": "the agent", "Function": "agents of the function", "Segment": "agents in the segment",
}  # fmt: skip
_WHERE: Final[Mapping[str, str]] = {
    "Resource": "the resource", "Segment": "resources in the segment",
    **{kind: f"the {kind.lower()}" for kind in DECLARED},
}  # fmt: skip
WIDER, NARROWER, OTHER = "more", "less", "otherwise"
_ORDER: Final = (WIDER, OTHER, NARROWER)


@dataclass(frozen=True)
class Part:
    """One thing that a policy says otherwise; empty where it says nothing."""

    name: str
    was: str
    now: str


@dataclass(frozen=True)
class Difference:
    """One policy that is new, gone or says something else.

    `outcome` is what it makes of an action (allow, hold, deny), `reach` whether more is allowed with it than without (more, less,
    otherwise); `parts` say what changed of one that stays.
    """

    policy: str
    outcome: str
    reach: str
    says: str
    about: str
    condition: str
    why: str
    parts: tuple[Part, ...] = ()


def differences(before: Mapping[str, Policy], after: Mapping[str, Policy]) -> list[Difference]:
    """Every policy that differs: what allows more first."""
    found = [*_gone(before, after), *_new(before, after), *_changed(before, after)]
    return sorted(found, key=lambda one: (_ORDER.index(one.reach), one.policy))


def in_short(found: list[Difference]) -> str:
    """How many of each: `1 policy allows more and 2 say something else`."""
    counts = {reach: sum(one.reach == reach for one in found) for reach in _ORDER}
    words = {WIDER: ("allows more", "allow more"), OTHER: ("says something else", "say something else")}
    words[NARROWER] = ("allows less", "allow less")
    told = [f"{count(number)} {words[reach][number != 1]}" for reach, number in counts.items() if number]
    if not told:
        return "Nothing that decides differs."
    first, _, rest = told[0].partition(" ")
    return listing([f"{first} {'policy' if first == '1' else 'policies'} {rest}", *told[1:]])


def outcome(policy: Policy) -> str:
    """What a policy makes of an action that it matches."""
    if policy.terms.effect == "permit":
        return ALLOW
    return HOLD if policy.terms.hold else DENY


def about(policy: Policy) -> str:
    """Who, what and where, and what goes with it, as a sentence."""
    extras = [part for name, part in _said(policy).items() if name in _EXTRAS and part]
    return f"{_capital(who(policy))}: {what(policy)} at {where(policy)}{', ' if extras else ''}{', '.join(extras)}."


def who(policy: Policy) -> str:
    """Whom a policy speaks of."""
    return _named(policy.scope.agent, _WHO, "every agent")


def where(policy: Policy) -> str:
    """Which resources, or parts of them, it speaks of."""
    place, of = policy.scope.resource, policy.scope.of
    if not of:
        return _named(place, _WHERE, "every resource")
    return f"each {of.lower()} in {_named(place, _WHERE, '')}" if place else f"each {of.lower()} of every resource"


def what(policy: Policy) -> str:
    """The verbs and groups of verbs that it speaks of."""
    verbs = [action[1] for action in policy.scope.actions if action is not None]
    return listing(sorted(verbs)) if None not in policy.scope.actions else "whatever they do"


def _named(uid: Uid | None, words: Mapping[str, str], otherwise: str) -> str:
    return f"{words.get(uid[0], uid[0])} {uid[1]}" if uid else otherwise


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_EXTRAS: Final = ("unmasked", "limit", "approval", "escalation", "passkey", "proof", "severity", "emergency")


def _said(policy: Policy) -> dict[str, str]:
    """Everything that a policy says, part by part."""
    terms = policy.terms
    hold = f"held for {terms.hold}, up to {span(terms.ttl or DEFAULT_TTL)}" if terms.hold else ""
    return {
        "who": who(policy),
        "what": what(policy),
        "where": where(policy),
        "condition": condition(policy.text),
        "unmasked": f"{listing(sorted(terms.unmask))} unmasked" if terms.unmask else "",
        "limit": f"at most {count(terms.limit)} rows" if terms.limit is not None else "",
        "approval": hold,
        "escalation": f"{terms.escalate.group} may fill in after {span(terms.escalate.after)}"
        if terms.escalate
        else "",
        "passkey": "each approval is signed with a passkey" if terms.passkey else "",
        "proof": f"with a proof at most {span(terms.proof)} old" if terms.proof else "",
        "severity": f"severity {terms.severity}" if terms.severity else "",
        "emergency": f"{listing(sorted(terms.breakglass), 'or')} may break the glass" if terms.breakglass else "",
        "why": terms.why,
    }


def _told(policy: Policy, reach: str, says: str, parts: tuple[Part, ...] = ()) -> Difference:
    terms = policy.terms
    return Difference(
        terms.id, outcome(policy), reach, says, about(policy), condition(policy.text), terms.why, parts
    )  # fmt: skip


def _new(before: Mapping[str, Policy], after: Mapping[str, Policy]) -> Iterator[Difference]:
    for name in after.keys() - before.keys():
        made = outcome(after[name])
        yield _told(after[name], WIDER if made == ALLOW else NARROWER, f"Becomes {_DONE[made]}")


def _gone(before: Mapping[str, Policy], after: Mapping[str, Policy]) -> Iterator[Difference]:
    for name in before.keys() - after.keys():
        made = outcome(before[name])
        yield _told(before[name], NARROWER if made == ALLOW else WIDER, f"No longer {_DONE[made]} by this")


def _changed(before: Mapping[str, Policy], after: Mapping[str, Policy]) -> Iterator[Difference]:
    for name in before.keys() & after.keys():
        one, other = before[name], after[name]
        if one.text == other.text or (one.body == other.body and one.terms == other.terms):
            continue
        was, now = _said(one), _said(other)
        same = _conditions(one) == _conditions(other)
        parts = tuple(
            Part(part, was[part], now[part])
            for part in was
            if was[part] != now[part] and not (part == "condition" and same)
        )
        made, once = outcome(other), outcome(one)
        says = f"Becomes {_DONE[made]}, was {_DONE[once]}" if made != once else f"Changes what is {_DONE[made]}"
        yield _told(other, OTHER, says, parts)


def _conditions(policy: Policy) -> object:
    return json.loads(policy.body)["conditions"]
