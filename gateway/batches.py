"""The entries that state a batch of intents or outcomes: their own, or one that several share. Pure but for the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from activity.hotpath import Identifier, Intent, Outcome, intent_record, outcome_details, outcome_record
from gateway.refusal import Refusal
from ledger.entries import Actor, Draft, Subject, shared_details
from ledger.events import Event
from ledger.write import draft

T = TypeVar("T", Intent, Outcome)
EVENT_OF_STATUS = {"done": Event.ACTION_DONE, "failed": Event.ACTION_FAILED, "uncertain": Event.ACTION_UNCERTAIN}


def intent_drafts(intents: Sequence[tuple[Intent, Draft | None]], actor: Actor) -> list[Draft]:
    """The entries for some intents, each noted in its rows: its own, or one that all allowed reads share."""
    own = []
    for intent, entry in intents:
        if entry is not None:
            intent.entry_id = entry.id
            own.append(entry)
    shared = [intent for intent, entry in intents if entry is None]
    return own + _shared(Event.ACTIONS_ALLOWED, shared, intent_record, actor, _note_intent)


def outcome_drafts(outcomes: Sequence[Outcome], actor: Actor) -> list[Draft]:
    """The entries for some outcomes, each noted in its rows; what is pending has none yet."""
    final = [one for one in outcomes if one.status != "pending"]
    own = []
    for one in final:
        if not one.shared:
            entry = _own_outcome(one, actor)
            one.entry_id = entry.id
            own.append(entry)
    shared = [one for one in final if one.shared]
    return own + _shared(Event.ACTIONS_DONE, shared, outcome_record, actor, _note_outcome)


def _own_outcome(outcome: Outcome, actor: Actor) -> Draft:
    return draft(
        EVENT_OF_STATUS.get(outcome.status, Event.ACTION_FAILED),
        actor=actor,
        subject=Subject(kind="action", id=str(outcome.id), name=outcome.status),
        session=outcome.session_id,
        action=outcome.id,
        details=outcome_details(outcome),
    )


def _shared(
    event: Event, rows: list[T], record: Callable[[T], bytes], actor: Actor, note: Callable[[T, str], None]
) -> list[Draft]:
    """One entry for all `rows`, whose order in the tree is that of their identifiers."""
    if not rows:
        return []
    rows.sort(key=_identifier)
    details = shared_details([record(row) for row in rows])
    entry = draft(event, actor=actor, subject=Subject(actor.kind, actor.id, actor.name), details=details)
    said_by = str(entry.id)
    for row in rows:
        note(row, said_by)
    return [entry]


def merged(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """One outcome an action: the last, with the counts of an earlier one whose transaction was still open."""
    last: dict[Identifier, Outcome] = {}
    for one in outcomes:
        before = last.get(one.id)
        if before is not None:
            one.finished_at = one.finished_at or before.finished_at
            one.rows = before.rows if one.rows is None else one.rows
            one.bytes = before.bytes if one.bytes is None else one.bytes
            one.masked_values = max(one.masked_values, before.masked_values)
            one.frame = one.frame or before.frame
            one.detected = one.detected or before.detected
        last[one.id] = one
    return list(last.values())


def _identifier(row: Intent | Outcome) -> str:
    return str(row.id)


def _note_intent(row: Intent, entry: str) -> None:
    row.entry_id = entry


def _note_outcome(row: Outcome, entry: str) -> None:
    row.entry_id = entry


def never_released(intent: Intent, because: BaseException | None = None) -> Outcome:
    """What became of an action that was recorded, perhaps, and then not let go: if its row is there, it did not run."""
    words = because.message if isinstance(because, Refusal) else "its record could not be confirmed in time."
    return Outcome(
        id=intent.id,
        session_id=intent.session_id,
        status="failed",
        finished_at=datetime.now(UTC),
        message=f"Never released: {words}",
        shared=False,
    )
