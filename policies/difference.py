"""Pure: what differs between two sets of policies, in words, policy by policy: what becomes allowed, held or denied.

Policies are compared by what they mean: order, comments and spaces are no difference. What they come to together, on what really
happened, a trial says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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


@dataclass(frozen=True)
class Differing:
    """A policy that is new, gone or says something else, and `reach`. Of ten thousand few are told in full."""

    policy: str
    reach: str
    was: Policy | None
    now: Policy | None


def differing(before: Mapping[str, Policy], after: Mapping[str, Policy]) -> list[Differing]:
    """Every policy that differs: what allows more first."""
    found = [*_gone(before, after), *_new(before, after), *_changed(before, after)]
    return sorted(found, key=lambda one: (_ORDER.index(one.reach), one.policy))


def differences(before: Mapping[str, Policy], after: Mapping[str, Policy]) -> list[Difference]:
    """Every policy that differs, told in full."""
    return [told(one) for one in differing(before, after)]


def in_short(found: Sequence[Differing | Difference]) -> str:
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


def told(one: Differing) -> Difference:
    """What a difference comes to, in words."""
    policy = one.now or one.was
    if policy is None:
        raise ValueError("a difference without a policy")
    made = outcome(policy)
    if one.was is None:
        says = f"Becomes {_DONE[made]}"
    elif one.now is None:
        says = f"No longer {_DONE[made]} by this"
    else:
        once = outcome(one.was)
        says = f"Becomes {_DONE[made]}, was {_DONE[once]}" if made != once else f"Changes what is {_DONE[made]}"
    parts = _parts(one.was, one.now) if one.was and one.now else ()
    return Difference(one.policy, made, one.reach, says, about(policy), condition(policy.text), policy.terms.why, parts)


def _new(before: Mapping[str, Policy], after: Mapping[str, Policy]) -> Iterator[Differing]:
    for name in after.keys() - before.keys():
        yield Differing(name, WIDER if outcome(after[name]) == ALLOW else NARROWER, None, after[name])


def _gone(before: Mapping[str, Policy], after: Mapping[str, Policy]) -> Iterator[Differing]:
    for name in before.keys() - after.keys():
        yield Differing(name, NARROWER if outcome(before[name]) == ALLOW else WIDER, before[name], None)


def _changed(before: Mapping[str, Policy], after: Mapping[str, Policy]) -> Iterator[Differing]:
    for name in before.keys() & after.keys():
        one, other = before[name], after[name]
        if one.text != other.text and (one.body != other.body or one.terms != other.terms):
            yield Differing(name, OTHER, one, other)


def _parts(one: Policy, other: Policy) -> tuple[Part, ...]:
    """What a policy that stays says otherwise."""
    was, now = _said(one), _said(other)
    same = _conditions(one) == _conditions(other)
    return tuple(
        Part(part, was[part], now[part])
        for part in was
        if was[part] != now[part] and not (part == "condition" and same)
    )


def _conditions(policy: Policy) -> object:
    return json.loads(policy.body)["conditions"]
