"""What became of a hold: the sentence above it and the steps that led there. Takes models, returns words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from activity.models import Action
from approvals.models import BrokenGlass, Hold, Review
from core import words

_GATE = "the gate"


@dataclass(frozen=True)
class Step:
    """One thing that happened: when, who did it, what, and how long after the asking."""

    at: datetime
    who: str
    did: str
    after: str = ""


def story(hold: Hold, action: Action | None, glass: BrokenGlass | None = None) -> list[Step]:
    """The steps of `hold`, in order of time. Its reviews must be prefetched, and those who looked at a broken `glass`."""
    steps = [
        Step(hold.asked_at, hold.agent.name, f"asked; held by {_policies(hold)}"),
        *_granted(hold),
        *_escalated(hold),
        *_reviews(hold),
        *_broken(glass),
        *_endings(hold, action),
        *_justified(hold),
    ]
    return [
        Step(step.at, step.who, step.did, _after(step.at, hold)) for step in sorted(steps, key=lambda step: step.at)
    ]


def _policies(hold: Hold) -> str:
    return words.listing([str(reason["policy"]) for reason in hold.reasons]) if hold.reasons else "policy"


def _after(at: datetime, hold: Hold) -> str:
    return f"+{words.column_span(at - hold.asked_at)}" if at > hold.asked_at else ""


def _reviews(hold: Hold) -> list[Step]:
    steps = []
    for review in hold.reviews.all():
        said = "denied" if review.verdict == Review.Verdict.DENY else "approved"
        why = f": “{review.reason}”" if review.reason else ""
        steps.append(Step(review.at, str(review.reviewer), said + why))
        if review.retracted_at:
            steps.append(Step(review.retracted_at, str(review.reviewer), "took the approval back"))
    return steps


def _escalated(hold: Hold) -> list[Step]:
    if hold.escalated_at is None:
        return []
    return [Step(hold.escalated_at, _GATE, f"asked {hold.escalate_to} as well: nobody had decided")]


def _granted(hold: Hold) -> list[Step]:
    if hold.grant is None or hold.settled_at is None:
        return []
    return [
        Step(hold.settled_at, _GATE, f"did not let it wait: the grant of {words.clock(hold.grant.given_at)} covers it")
    ]


def _justified(hold: Hold) -> list[Step]:
    return [Step(hold.justified_at, hold.agent.name, "said why it asks again")] if hold.justified_at else []


def _broken(glass: BrokenGlass | None) -> list[Step]:
    if glass is None:
        return []
    looks = [Step(look.at, str(look.reviewer), f"looked at it: “{look.found}”") for look in glass.looks.all()]
    return [Step(glass.at, str(glass.by), f"broke the glass: “{glass.reason}”"), *looks]


def _endings(hold: Hold, action: Action | None) -> list[Step]:
    steps = []
    if hold.status in {Hold.Status.EXPIRED, Hold.Status.LAPSED, Hold.Status.WITHDRAWN} and hold.settled_at:
        did = {
            "expired": "denied it: the time ran out",
            "lapsed": "let the approval lapse",
            "withdrawn": "took it off the queue",
        }
        steps.append(Step(hold.settled_at, _GATE, did[hold.status]))
    if hold.released_at:
        steps.append(Step(hold.released_at, _GATE, "decided again and let it through, once"))
    if hold.released_at and action and action.finished_at:
        who = hold.resource.name if hold.enforced else hold.agent.name
        steps.append(Step(action.finished_at, who, _outcome(action) if hold.enforced else _reported(action)))
    return steps


def _outcome(action: Action) -> str:
    if action.status == Action.Status.FAILED:
        return f"refused it: {action.sqlstate} {action.message}".rstrip()
    done = words.plural(action.rows, "row") if action.rows is not None else "done"
    return f"{done}, {Action.Status(action.status).label.lower()}"


def _reported(action: Action) -> str:
    """What the agent says came of it."""
    if action.status == Action.Status.UNCERTAIN:
        return "never said what came of it"
    told = f": “{action.message}”" if action.message else ""
    return f"says it is {Action.Status(action.status).label.lower()}{told}"


def verdict(
    hold: Hold, approved: int, denial: Review | None, action: Action | None, glass: BrokenGlass | None = None
) -> str:
    """The sentence above a settled hold."""
    people = "a grant" if hold.grant_id else words.plural(approved, "person", "people")
    people = f"{glass.by} alone, who broke the glass," if glass else people
    through = "Let through" if glass else "Approved"
    took = words.span((hold.settled_at or hold.deadline) - hold.asked_at)
    by = f"by {denial.reviewer} " if denial else ""
    return {
        Hold.Status.WAITING: "It waits for people.",
        Hold.Status.DENIED: f"Denied {by}after {took}. It never left the gate.",
        Hold.Status.EXPIRED: f"Nobody decided by {words.clock(hold.deadline)}, so it was denied.",
        Hold.Status.WITHDRAWN: f"Taken back after {took}. It never left the gate.",
        Hold.Status.LAPSED: f"{through} by {people} in {took}, but not collected in time. It never ran.",
        Hold.Status.APPROVED: f"{through} by {people} in {took}. It runs once, when the agent collects it.",
        Hold.Status.RELEASED: f"{through} by {people} in {took}, then {_ran(action)}.",
    }[Hold.Status(hold.status)]


def _ran(action: Action | None) -> str:
    if action is None or action.status in {Action.Status.RELEASED, Action.Status.HELD}:
        return "let through; its outcome is not known yet"
    if action.status == Action.Status.UNCERTAIN:
        return "let through; the gate lost sight of it, so it may or may not have run, and never runs again by itself"
    if action.status == Action.Status.FAILED:
        return f"ran once and failed: {action.sqlstate} {action.message}".rstrip()
    took = words.span(action.finished_at - action.released_at) if action.finished_at and action.released_at else ""
    rows_done = words.plural(action.rows, "row") if action.rows is not None else "done"
    ending = {Action.Status.ROLLED_BACK: ", rolled back", Action.Status.PENDING: ", not committed yet"}.get(
        Action.Status(action.status), ""
    )
    return f"ran once: {rows_done}{f' in {took}' if took else ''}{ending}"
