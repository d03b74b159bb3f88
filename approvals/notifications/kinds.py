"""What there is to tell people, and in which words. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Self

from ledger.events import Event


class Kind(StrEnum):
    """Something that a role must know, with the sentence by which a person chooses it."""

    sentence: str
    icon: str

    def __new__(cls, value: str, sentence: str, icon: str) -> Self:
        """Keep the name as the string, and the rest beside it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence, member.icon = sentence, icon
        return member

    @classmethod
    def of(cls, value: str) -> Kind:
        """The kind with this value. Raises StopIteration for none of ours."""
        return next(kind for kind in cls if kind.value == value)

    REVIEW = "review", "A hold waits that you may review", "player-pause"
    OUTCOME = "outcome", "What became of a hold of an agent of yours", "gavel"
    QUESTION = "question", "A question about a hold of an agent of yours, or the answer to yours", "message-question"
    STUCK = "stuck", "A hold waits that too few people may review", "user-question"
    GLASS = "glass", "Somebody broke the glass, or it waits to be looked at", "urgent"
    INCIDENT = "incident", "An incident opened, or a suspension was left to people", "alert-triangle"
    AGENT = "agent", "An agent of yours was stopped, let act, or is about to be stopped", "robot"
    REINSTATE = "reinstate", "An agent waits for your confirmation that it may act", "user-check"
    POLICY = "policy", "Policies wait that you may approve", "file-certificate"
    SECOND = "second", "A change waits for a second administrator", "users"
    TOOLS = "tools", "A tool server offers what nobody has accepted", "tools"
    REPORT = "report", "A report that you asked for is ready, or cannot be made", "report"
    WEBHOOK = "webhook", "A webhook was stopped, because nothing reached it", "webhook"


ABOUT_HOLDS: Final = (Kind.REVIEW, Kind.OUTCOME, Kind.QUESTION, Kind.STUCK, Kind.GLASS)
ABOUT_AGENTS: Final = (Kind.AGENT, Kind.REINSTATE)

OUTCOMES: Final[Mapping[str, str]] = {
    Event.HOLD_SETTLED: "Approved",
    Event.HOLD_DENIED: "Denied",
    Event.HOLD_EXPIRED: "Nobody decided in time, so it was denied",
    Event.HOLD_LAPSED: "Approved, but not collected in time",
    Event.HOLD_WITHDRAWN: "Withdrawn",
}
_OTHERS: Final[Mapping[str, str]] = {
    Event.HOLD_QUESTIONED: "A reviewer asks you about a hold of your agent",
    Event.HOLD_ANSWERED: "Your question about a hold was answered",
    Event.GLASS_BROKEN: "Somebody broke the glass: two others look at it within a day",
    Event.GLASS_OVERDUE: "Too few have looked at a broken glass for more than a day",
    Event.INCIDENT_OPENED: "An incident opened",
    Event.CONTAINMENT_WITHHELD: "A suspension was left to you: the day's budget is used up",
    Event.AGENT_SUSPENDED: "Your agent was suspended",
    Event.AGENT_REINSTATED: "Your agent may act again",
    Event.AGENT_ACTIVATED: "Your agent may act",
    Event.AGENT_UNUSED: "Your agent is unused, and will be suspended by itself",
    Event.AGENT_OWNERLESS: "An agent's owner is gone: name another, or it is suspended by itself",
    Event.REINSTATEMENT_ASKED: "An agent waits for a second person to let it act",
    Event.POLICY_PROPOSED: "Policies wait for approval",
    Event.POLICY_ACTIVATED: "Policies were rolled back: a second person looks at that within a day",
    Event.POLICY_ROLLBACK_OVERDUE: "Nobody has looked at a roll-back of the policies for more than a day",
    Event.MEMBERSHIP_CHANGED: "Somebody joined a group; a second administrator can confirm it",
    Event.CHANGE_ASKED: "A change waits for a second administrator",
    Event.TOOL_QUARANTINED: "A tool server offers something new or changed: no agent gets it until you accept it",
    Event.WEBHOOK_STOPPED: "A webhook was stopped: nothing has reached it",
    Event.REPORT_MADE: "Your report is ready",
    Event.REPORT_FAILED: "Your report could not be made",
}
WATCHED: Final = (
    Event.HOLD_ASKED.value,
    Event.HOLD_STAGE.value,
    Event.HOLD_ESCALATED.value,
    Event.HOLD_HANDED.value,
    Event.HOLD_REMINDED.value,
    *map(str, OUTCOMES),
    *map(str, _OTHERS),
)
"""The events that may be worth telling."""


def title(kind: str, event: str) -> str:
    """What happened, in a few words of ours: nothing in it was typed by anybody."""
    if kind == Kind.STUCK:
        return "Too few people may review this hold"
    if kind == Kind.REVIEW:
        if event == Event.HOLD_HANDED:
            return "A colleague asks you to review a hold"
        still = " still" if event == Event.HOLD_REMINDED else ""
        return f"A hold{still} waits for your review"
    return OUTCOMES.get(event) or _OTHERS.get(event, "Something happened")
