"""State changes of what agents carry out themselves: asked once under a key, and reported afterwards. Each report leaves its entry."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.actors import SYSTEM
from activity.hotpath import Outcome, outcome_details
from activity.models import Action, Asked
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from core.ids import new_id
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

REPORTED: Final = {"done": Event.ACTION_DONE, "failed": Event.ACTION_FAILED}
LONGEST_MESSAGE: Final = 500
UNREPORTED: Final = timedelta(hours=24)
"""How long after its release an agent may still say what came of an action."""
MOST_AT_ONCE: Final = 500
_MOST_ROWS: Final = 2**63 - 1


@dataclass(frozen=True)
class Report:
    """What an agent says came of an action: its status, a sentence, how many things were touched."""

    status: str
    message: str = ""
    rows: int | None = None


def claim(agent_id: UUID, key: str, canonical: bytes) -> tuple[UUID, bool]:
    """The action that this agent asks for under `key`, and whether it asks for the first time.

    Raises Refused (`key_reused`) where it asked for something else under that key.
    """
    fresh = {"action_id": new_id(), "canonical": canonical, "asked_at": db_now()}
    asked, first = Asked.objects.get_or_create(agent_id=agent_id, key=key, defaults=fresh)
    if not hmac.compare_digest(bytes(asked.canonical), canonical):
        raise Refused(
            "Under this key something else was asked for.", "Use a new key for a new request.", code="key_reused"
        )
    return asked.action_id, first


def asked_under(agent_id: UUID, key: str) -> UUID | None:
    """The action that this agent asked for under `key`, if it did."""
    return Asked.objects.filter(agent_id=agent_id, key=key).values_list("action_id", flat=True).first()


def report(action_id: UUID, said: Report, *, agent: Actor) -> Action:
    """Note what came of an action that `agent` carried out itself, by its own word. The same again changes nothing.

    Raises NotFound, Invalid, and AlreadySettled for one that was not released, or of which something else was reported.
    """
    _require_usable(said)
    with transaction.atomic():
        action = Action.objects.select_for_update().filter(id=action_id, agent_id=agent.id).first()
        if action is None or action.enforced:
            raise NotFound(
                "There is no such action to report on.", "What passes through the gate, the gate sees itself."
            )
        if (action.status, action.message, action.rows) == (said.status, said.message, said.rows):
            return action
        if action.status != Action.Status.RELEASED:
            raise AlreadySettled(f"This action is {action.get_status_display().lower()}.", "Its outcome is on record.")
        _settle(action, Action.Status(said.status), said.message, said.rows, agent, REPORTED[said.status])
    return action


def _require_usable(said: Report) -> None:
    if said.status not in REPORTED:
        raise Invalid("status", "status is done or failed.", "Say which.")
    if len(said.message) > LONGEST_MESSAGE or "\x00" in said.message:
        raise Invalid("message", f"A message has at most {LONGEST_MESSAGE} characters, and no NUL.", "Shorten it.")
    if said.rows is not None and not 0 <= said.rows <= _MOST_ROWS:
        raise Invalid("rows", "rows is a count.", "Leave it out where there is nothing to count.")


def give_up_unreported() -> int:
    """Call uncertain what was released a day ago and never reported on; says how many."""
    with transaction.atomic():
        before = db_now() - UNREPORTED
        waiting = Action.objects.select_for_update(skip_locked=True).filter(
            enforced=False, status=Action.Status.RELEASED, released_at__lt=before
        )
        lost = list(waiting.order_by("asked_at")[:MOST_AT_ONCE])
        for action in lost:
            words = "The agent never said what came of it."
            _settle(action, Action.Status.UNCERTAIN, words, None, SYSTEM, Event.ACTION_UNCERTAIN)
    return len(lost)


def _settle(  # noqa: PLR0917 -- one line a call
    action: Action, status: Action.Status, message: str, rows: int | None, by: Actor, event: Event
) -> None:
    action.status, action.message, action.rows, action.finished_at = status, message, rows, db_now()
    outcome = Outcome(action.id, action.session_id, status, rows=rows)
    action.outcome_entry_id = record(
        event,
        actor=by,
        subject=Subject(kind="action", id=str(action.id), name=action.verb),
        session=action.session_id,
        action=action.id,
        digest=action.digest,
        details={**outcome_details(outcome), "enforced": False},
    )
    action.save(update_fields=["status", "message", "rows", "finished_at", "outcome_entry_id"])
