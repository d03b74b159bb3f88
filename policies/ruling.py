"""Pure: what one verb is answered, and how the answers for several verbs become one decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import Final, TypeVar

from accounts.quorum import Requirement
from policies.decision import Code, Decision, Reason, Verdict
from policies.terms import DEFAULT_TTL, Escalation, Terms, agreed, gravest

T = TypeVar("T", int, timedelta)
_STRICTNESS: Final = (Verdict.ALLOW, Verdict.HOLD, Verdict.DENY)


@dataclass(frozen=True, eq=False)
class Ruling:
    """The answer for one verb. `unmask` is None where the verb returns no data to mask.

    Each is equal to itself alone: what policies rule is made once and kept, and found again quickly.
    """

    verdict: Verdict
    code: Code
    why: str
    reasons: tuple[Reason, ...] = ()
    requirement: Requirement | None = None
    ttl: timedelta | None = None
    unmask: frozenset[str] | None = None
    limit: int | None = None
    proof: timedelta | None = None
    severity: str = ""
    breakglass: frozenset[str] | None = None
    passkey: bool = False
    escalate: Escalation | None = None


def refused(code: Code, why: str, reasons: tuple[Reason, ...] = (), *, severity: str = "") -> Ruling:
    """A denial."""
    return Ruling(Verdict.DENY, code, why, reasons, severity=severity)


def forbidden(forbids: Sequence[Terms]) -> Ruling:
    """The denial that `forbids` determined, in their words."""
    return refused(
        Code.FORBIDDEN,
        _words(forbids, lambda terms: f"The policy {terms.id} forbids it."),
        reasons_of(forbids),
        severity=gravest(terms.severity for terms in forbids),
    )


def allowed(permits: Sequence[Terms]) -> Ruling:
    """The allowance that `permits` determined: a tag is unmasked only where all of them unmask it."""
    return Ruling(
        Verdict.ALLOW,
        Code.PERMITTED,
        f"Allowed by {_listed(terms.id for terms in permits)}.",
        reasons_of(permits),
        unmask=strictest(terms.unmask for terms in permits),
        limit=_smallest(terms.limit for terms in permits),
        proof=_smallest(terms.proof for terms in permits),
    )


def held(forbids: Sequence[Terms], once_approved: Ruling) -> Ruling:
    """The hold that `forbids` ask for; `once_approved` is the allowance it would become."""
    requirement = reduce(Requirement.merge, (terms.hold for terms in forbids if terms.hold))
    return Ruling(
        Verdict.HOLD,
        Code.HELD,
        _words(forbids, lambda terms: f"The policy {terms.id} holds it for people to review."),
        reasons_of(forbids),
        requirement=requirement,
        ttl=min(terms.ttl or DEFAULT_TTL for terms in forbids),
        unmask=once_approved.unmask,
        limit=once_approved.limit,
        proof=_smallest([once_approved.proof, *(terms.proof for terms in forbids)]),
        severity=gravest(terms.severity for terms in forbids),
        breakglass=strictest(terms.breakglass for terms in forbids),
        passkey=any(terms.passkey for terms in forbids),
        escalate=agreed(terms.escalate for terms in forbids),
    )


def combine(rulings: Sequence[Ruling], *, version: int, snapshot: str) -> Decision:
    """One decision out of an answer per verb: the strictest verdict, with its reasons. Needs at least one."""
    if len(rulings) == 1:
        return alone(rulings[0], version=version, snapshot=snapshot)
    worst = max((ruling.verdict for ruling in rulings), key=_STRICTNESS.index)
    said = [ruling for ruling in rulings if ruling.verdict is worst]
    allows = worst is not Verdict.DENY
    requirements = [ruling.requirement for ruling in said if ruling.requirement]
    glass = [ruling.breakglass for ruling in said if ruling.breakglass is not None]
    masks = [ruling.unmask for ruling in rulings if ruling.unmask is not None]
    return Decision(
        verdict=worst,
        code=said[0].code,
        why=" ".join(dict.fromkeys(ruling.why for ruling in said)),
        reasons=tuple(dict.fromkeys(reason for ruling in said for reason in ruling.reasons)),
        requirement=reduce(Requirement.merge, requirements) if requirements else None,
        ttl=min((ruling.ttl for ruling in said if ruling.ttl), default=None),
        unmask=strictest(masks) if allows else frozenset(),
        limit=_smallest(ruling.limit for ruling in rulings) if allows else None,
        proof=_smallest(ruling.proof for ruling in rulings) if allows else None,
        severity=gravest(ruling.severity for ruling in said),
        breakglass=strictest(glass),
        passkey=any(ruling.passkey for ruling in said),
        escalate=agreed(ruling.escalate for ruling in said),
        policy_version=version,
        snapshot=snapshot,
    )


def alone(ruling: Ruling, *, version: int, snapshot: str) -> Decision:
    """The decision of one ruling, as of most actions: they have one verb."""
    allows = ruling.verdict is not Verdict.DENY
    return Decision(
        verdict=ruling.verdict,
        code=ruling.code,
        why=ruling.why,
        reasons=ruling.reasons,
        requirement=ruling.requirement,
        ttl=ruling.ttl,
        unmask=(ruling.unmask or frozenset()) if allows else frozenset(),
        limit=ruling.limit if allows else None,
        proof=ruling.proof if allows else None,
        severity=ruling.severity,
        breakglass=ruling.breakglass or frozenset(),
        passkey=ruling.passkey,
        escalate=ruling.escalate,
        policy_version=version,
        snapshot=snapshot,
    )


def strictest(unmasked: Iterable[frozenset[str]]) -> frozenset[str]:
    """The names that every one of `unmasked` holds; none for none."""
    sets = list(unmasked)
    return frozenset.intersection(*sets) if sets else frozenset()


def reasons_of(policies: Iterable[Terms]) -> tuple[Reason, ...]:
    """What a page shows of the policies that determined an answer."""
    return tuple(Reason(terms.id, terms.why, terms.effect) for terms in policies)


def _smallest(limits: Iterable[T | None]) -> T | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _words(policies: Iterable[Terms], otherwise: Callable[[Terms], str]) -> str:
    return " ".join(dict.fromkeys(terms.why or otherwise(terms) for terms in policies))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
