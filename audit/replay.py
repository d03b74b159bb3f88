"""A session as something to play: frames on a time line, silence shortened, each with its proof."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from activity.models import Action, Frame, Session
from approvals.models import Hold
from approvals.presentation import refusal
from approvals.queries import WITH_REVIEWS
from core import words
from ledger.models import Entry
from ledger.proving import VERIFIED, Proof, Prover

MOST = 500
"""Actions shown of one session at a time; the list of actions has them all."""
IDLE = 20.0
"""Seconds of silence that are shortened on the map."""
_BARS = 150
_SHORTEST = 0.05  # seconds: a map needs some length


@dataclass(frozen=True)
class Shot:
    """One action on the time line: `t` seconds from the beginning, `at` per cent of the map."""

    action: Action
    t: float
    at: float
    frame: Frame | None
    hold: Hold | None
    entry: Entry | None
    proof: Proof | None

    @property
    def kind(self) -> str:
        """What a marker stands for: failed, deny, hold, mask or allow."""
        if self.action.status in {Action.Status.FAILED, Action.Status.UNCERTAIN, Action.Status.ROLLED_BACK}:
            return "failed"
        if self.action.decision != Action.Decision.ALLOW:
            return str(self.action.decision)
        return "mask" if self.action.masked else "allow"

    @property
    def took(self) -> timedelta | None:
        """From its release to its end."""
        ended, released = self.action.finished_at, self.action.released_at
        return ended - released if ended and released else None

    @property
    def result(self) -> str:
        """What came of it, in a column."""
        parts = [_hold_note(self.hold)] if self.hold else [refusal(self.action)] if self.kind == "deny" else []
        if self.kind == "failed":
            parts.append(f"{self.action.sqlstate} {self.action.get_status_display().lower()}".strip())
        elif self.action.rows is not None:
            parts.append(words.plural(self.action.rows, "row"))
        if self.took is not None and not self.hold:
            parts.append(words.column_span(self.took))
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True)
class Gap:
    """A shortened silence before the shot with this number."""

    before: int
    seconds: float
    begins: float
    ends: float


@dataclass(frozen=True)
class Replay:
    """A whole session: shots, silences, the map's bars and ticks."""

    session: Session
    shots: list[Shot]
    gaps: list[Gap]
    length: float
    prover: Prover
    earlier: bool = False
    later: bool = False
    focus: int = 1
    bars: list[tuple[float, float]] = field(default_factory=list)
    ticks: list[tuple[float, float]] = field(default_factory=list)

    @property
    def verified(self) -> int:
        """How many shots' entries were verified just now."""
        return sum(shot.proof is not None and shot.proof.state == VERIFIED for shot in self.shots)

    @property
    def kinds(self) -> dict[str, int]:
        """How many of each kind of marker."""
        found = [shot.kind for shot in self.shots]
        return {kind: found.count(kind) for kind in ("hold", "deny", "mask", "failed")}

    @property
    def rows(self) -> int:
        """Rows that came back or were changed."""
        return sum(shot.action.rows or 0 for shot in self.shots)

    @property
    def masked_values(self) -> int:
        """Values that were masked."""
        return sum(shot.action.masked_values for shot in self.shots)

    @property
    def octets(self) -> int:
        """Bytes that came back."""
        return sum(shot.action.bytes or 0 for shot in self.shots)

    @property
    def versions(self) -> str:
        """The policy versions that decided."""
        found = sorted({shot.action.policy_version for shot in self.shots})
        return (
            words.listing([f"v{number}" for number in found]) + (" throughout" if len(found) == 1 else "")
            if found
            else "none"
        )

    def items(self) -> list[Shot | Gap]:
        """Shots with the silences between them."""
        gaps = {gap.before: gap for gap in self.gaps}
        found: list[Shot | Gap] = []
        for number, shot in enumerate(self.shots):
            found += [gaps[number], shot] if number in gaps else [shot]
        return found


def replay_of(session: Session, focus: int = 1) -> Replay:
    """Put a session together around its action number `focus`: seven queries, whatever the number of frames, whose proofs are read at once."""
    first = max(1, focus - MOST // 2) if focus > MOST else 1
    actions = list(Action.objects.filter(session_id=session.id, number__gte=first).order_by("number")[: MOST + 1])
    later, actions = len(actions) > MOST, actions[:MOST]
    # A pipeline's statements may carry times out of order by a hair: a time line only goes forward.
    times = list(
        accumulate((max(0.0, (action.asked_at - session.began_at).total_seconds()) for action in actions), max)
    )
    lasted = (session.ended_at - session.began_at).total_seconds() if session.ended_at else 0.0
    length = max([lasted, _SHORTEST, *times])
    places, gaps = places_of(times, length)
    prover = Prover()
    shots = _shots(actions, times, places, prover)
    return Replay(
        session, shots, gaps, length, prover, first > 1, later, focus, _bars(places, length), _ticks(times, places)
    )


def places_of(times: Sequence[float], length: float) -> tuple[list[float], list[Gap]]:
    """Where each moment stands on the map, in per cent; silences over IDLE seconds count as IDLE / 4. Pure."""
    steps = [after - before for before, after in zip([0.0, *times], [*times, length], strict=True)]
    shown = [min(step, IDLE / 4) if step > IDLE else step for step in steps]
    whole = sum(shown) or 1.0
    ends = [100 * sum(shown[: number + 1]) / whole for number in range(len(shown))]
    gaps = [
        Gap(number, step, ends[number - 1] if number else 0.0, ends[number])
        for number, step in enumerate(steps[:-1])
        if step > IDLE
    ]
    return ends[:-1], gaps


def _shots(actions: list[Action], times: list[float], places: list[float], prover: Prover) -> list[Shot]:
    frames = Frame.objects.in_bulk([action.id for action in actions])
    holds = {hold.action_id: hold for hold in _holds([action.id for action in actions])}
    entries = _entries(actions)
    proofs = dict(zip(entries, prover.proofs(list(entries.values())), strict=True))
    return [
        Shot(action, t, at, frames.get(action.id), holds.get(action.id), entries.get(action.id), proofs.get(action.id))
        for action, t, at in zip(actions, times, places, strict=True)
    ]


def _entries(actions: list[Action]) -> dict[UUID, Entry]:
    """The entry of each action: the one it names, else (it was held) the last that names it."""
    uids = [action.entry_id for action in actions if action.entry_id]
    shared = {entry.uid: entry for entry in Entry.objects.filter(uid__in=uids)}
    found = {action.id: shared[action.entry_id] for action in actions if action.entry_id in shared}
    without = [str(action.id) for action in actions if action.id not in found]
    for entry in Entry.objects.filter(action__in=without).order_by("index"):
        found[UUID(entry.action)] = entry
    return found


def _holds(actions: list[UUID]) -> list[Hold]:
    return list(Hold.objects.filter(action_id__in=actions).prefetch_related(WITH_REVIEWS))


def _hold_note(hold: Hold) -> str:
    approvals = [review for review in hold.reviews.all() if review.verdict == "approve"]
    took = words.column_span((hold.settled_at or hold.deadline) - hold.asked_at)
    denial = next((review for review in hold.reviews.all() if review.verdict == "deny"), None)
    if denial:
        return f"denied by {denial.reviewer}"
    if hold.status in {Hold.Status.RELEASED, Hold.Status.APPROVED, Hold.Status.LAPSED}:
        return "covered by a grant" if hold.grant_id else f"approved by {len(approvals)} in {took}"
    return str(hold.get_status_display()).lower()


def _bars(places: Sequence[float], length: float) -> list[tuple[float, float]]:
    """Activity along the map: position in per cent and height from 0 to 1, on a logarithmic scale."""
    found: dict[int, int] = {}
    for at in places:
        slot = min(_BARS - 1, int(at * _BARS / 100))
        found[slot] = found.get(slot, 0) + 1
    most = math.log1p(max(found.values(), default=1))
    return [(100 * slot / _BARS, math.log1p(number) / most) for slot, number in sorted(found.items())]


def _ticks(times: Sequence[float], places: Sequence[float]) -> list[tuple[float, float]]:
    """At most seven (position, seconds) to write under the map, not closer than 9 per cent."""
    ticks: list[tuple[float, float]] = [(0.0, 0.0)]
    for t, at in zip(times, places, strict=True):
        if at - ticks[-1][0] >= 14 and at < 86:
            ticks.append((at, t))
    return ticks[:8]


def columns_of(frame: Frame | None) -> list[dict[str, Any]]:
    """The frame's columns, each with its name and whether it is masked."""
    return list(frame.columns) if frame else []
