"""Erasing recordings: what agents sent and got back, in actions that two people chose, or in all that was done for an erased person.

Texts are overwritten and frames deleted, with the salts that entries' digests were made with. What is left of an action is what its
entries say of it, so no leaf changes and every proof holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.dispatch import Signal

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from activity.actions import OPEN
from activity.models import Action, Asked, Erasure, Frame, Question, Session
from agents.models import Credential
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from ledger.entries import Actor, Draft, Subject
from ledger.events import Event
from ledger.write import draft, record, record_all

MAY_ASK = (Role.AUDITOR, Role.ADMINISTRATOR)
MOST = 1_000
"""Actions, or sessions, that are chosen at once."""
WITH_PERSON = "The person it was done for was erased."

recordings_erased = Signal()
"""In the same transaction, with `erasure`, the identifiers of its `actions` and the `words` that stand for their texts now: apps that
this one does not know erase what they keep of them.
"""


class Chosen(NamedTuple):
    """What is to be erased: whole sessions, and single actions."""

    sessions: QuerySet[Session]
    actions: QuerySet[Action]

    @property
    def everything(self) -> QuerySet[Action]:
        """The actions of both."""
        within = Q(session_id__in=self.sessions.values("id")) | Q(id__in=self.actions.values("id"))
        return Action.objects.filter(within, erasure_id=None)


def ask_to_erase(*, because: str, actor: User, sessions: Iterable[UUID] = (), actions: Iterable[UUID] = ()) -> Erasure:
    """Ask that what was recorded of these be erased; an administrator confirms it. Not a word of theirs is kept with the wish.

    Raises Refused (role, or something of it still runs or waits), Invalid, NotFound and AlreadySettled (erased before).
    """
    require_role(actor, *MAY_ASK)
    with transaction.atomic():
        wanted = sorted(set(sessions)), sorted(set(actions))
        chosen = _chosen(*wanted)
        erasure = Erasure.objects.create(
            sessions=[one.id for one in chosen.sessions], actions=[one.id for one in chosen.actions.only("id")],
            because=because, asked_by=actor, asked_at=db_now(),
        )  # fmt: skip
        details = {"actions": len(erasure.actions), "sessions": len(erasure.sessions), "reason": because}
        record(Event.ERASURE_ASKED, actor=actor_of(actor), subject=_subject(erasure), details=details)
    return erasure


def confirm_erasure(erasure_id: UUID, *, actor: User) -> Erasure:
    """As another person than whoever asked, and an administrator, erase it. Nobody can undo that.

    Raises Refused (code `same_person`, the role, or something of it runs again), NotFound and AlreadySettled.
    """
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        erasure = _waiting(erasure_id)
        if erasure.asked_by is not None and erasure.asked_by.person == actor.person:
            raise Refused("You asked for it: an administrator who did not confirms it.", code="same_person")
        chosen = _chosen(erasure.sessions, erasure.actions)
        erasure.confirmed_by = actor
        details = {"asked_by": str(erasure.asked_by_id), "actions": _erase(erasure, chosen, actor)}
        record(Event.ERASURE_CONFIRMED, actor=actor_of(actor), subject=_subject(erasure), details=details)
    return erasure


def drop_erasure(erasure_id: UUID, *, actor: User) -> None:
    """Drop a wish that waits. Raises Refused (the role), NotFound and AlreadySettled."""
    require_role(actor, *MAY_ASK)
    with transaction.atomic():
        erasure = _waiting(erasure_id)
        record(Event.ERASURE_DROPPED, actor=actor_of(actor), subject=_subject(erasure))
        erasure.delete()


def record_refusal(erasure_id: UUID, *, actor: User, error: Refused) -> None:
    """Record that `actor` was refused to confirm or drop a wish."""
    with transaction.atomic():
        subject = Subject(kind="erasure", id=str(erasure_id), name="recordings")
        record(Event.ERASURE_REFUSED, actor=actor_of(actor), subject=subject, details={"code": error.code})


def erase_done_for(user: User, actor: User | Actor) -> None:
    """Erase what agents did for an erased person, in the transaction that erases them. Raises Refused while one still does."""
    theirs = Session.objects.filter(on_behalf_of=user.id, erasure_id=None)
    if not theirs.exists():
        return
    chosen = Chosen(theirs, Action.objects.none())
    _require_ended(chosen)
    Credential.objects.filter(on_behalf_of=user).update(purpose="")
    by = actor if isinstance(actor, User) else None
    _erase(Erasure.objects.create(because=WITH_PERSON, confirmed_by=by, asked_at=db_now()), chosen, actor)


def _chosen(sessions: Collection[UUID], actions: Collection[UUID]) -> Chosen:
    """What of these can be erased: the sessions, and the actions, that were not yet."""
    if not sessions and not actions:
        raise Invalid("actions", "Nothing was chosen.", "Choose a session, or actions.")
    for field, given in (("sessions", sessions), ("actions", actions)):
        if len(given) > MOST:
            raise Invalid(
                field, f"No more than {MOST:,} are erased at once.", "Narrow it, and erase the rest after it."
            )
    found = Chosen(Session.objects.filter(id__in=sessions), Action.objects.filter(id__in=actions))
    if found.sessions.count() < len(sessions) or found.actions.count() < len(actions):
        raise NotFound("There is no such session or action.")
    chosen = Chosen(found.sessions.filter(erasure_id=None), found.actions.filter(erasure_id=None))
    if not chosen.sessions and not chosen.actions:
        raise AlreadySettled("All of this was erased before.", "There is nothing left to erase.")
    _require_ended(chosen)
    return chosen


def _require_ended(chosen: Chosen) -> None:
    if chosen.sessions.filter(ended_at=None).exists():
        raise Refused("A session in it is live.", "Cut it, or wait for its end.", code="still_open")
    if chosen.everything.filter(status__in=(Action.Status.HELD, *OPEN)).exists():
        raise Refused(
            "An action in it still runs, or waits for people.", "Settle it, or wait for its end.", code="still_open"
        )


def _erase(erasure: Erasure, chosen: Chosen, actor: User | Actor) -> int:
    """Do it: give the number of actions. Each chosen session, and each action chosen by itself, has an entry."""
    erasure.erased_at = db_now()
    words, erased = words_of(erasure.erased_at), list(chosen.everything.values_list("id", "question_id"))
    ids = [one for one, _ in erased]
    record_all(_entries(erasure, chosen, actor))
    Credential.objects.filter(id__in=list(chosen.sessions.values_list("credential_id", flat=True))).update(purpose="")
    chosen.sessions.update(erasure_id=erasure.id, purpose="", client="")
    unless_policy_said = Case(When(policies=[], then=Value("")), default=F("reason"))  # a policy quotes nothing
    Action.objects.filter(id__in=ids).update(
        shown=words, summary="", salt=b"", message="", reason=unless_policy_said, erasure_id=erasure.id
    )
    Frame.objects.filter(action_id__in=ids).delete()
    Asked.objects.filter(action_id__in=ids).delete()  # whoever asks it again under its key asks anew
    _erase_questions({question for _, question in erased if question})
    recordings_erased.send(Erasure, erasure=erasure, actions=ids, words=words)
    erasure.count = len(ids)
    erasure.save(update_fields=["confirmed_by", "erased_at", "count"])
    return len(ids)


def _erase_questions(ids: Collection[UUID]) -> None:
    """Those that no other action was decided by: who claims the same as an action that stays is in that one too."""
    shared = Action.objects.filter(question_id__in=ids, erasure_id=None).values_list("question_id", flat=True)
    Question.objects.filter(id__in=set(ids) - set(shared.distinct())).delete()


def _entries(erasure: Erasure, chosen: Chosen, actor: User | Actor) -> list[Draft]:
    by, named = actor_of(actor), {"erasure": str(erasure.id)}
    whole = [
        draft(
            Event.SESSION_ERASED,
            actor=by,
            subject=Subject(kind="session", id=str(one.id), name=str(one)),
            session=one.id,
            details=named,
        )
        for one in chosen.sessions
    ]
    single = [
        draft(
            Event.ACTION_ERASED,
            actor=by,
            subject=Subject(kind="action", id=str(one.id), name=one.verb),
            session=one.session_id,
            action=one.id,
            digest=one.digest,
            details=named,
        )
        for one in chosen.actions.only("id", "verb", "session_id", "digest")
    ]
    return whole + single


def words_of(erased_at: datetime) -> str:
    """What stands for an erased text."""
    return f"Erased on {erased_at:%Y-%m-%d}."


def _waiting(erasure_id: UUID) -> Erasure:
    found = Erasure.objects.select_for_update(of=("self",)).select_related("asked_by").filter(id=erasure_id).first()
    if found is None:
        raise NotFound("There is no such wish to erase; it may have been dropped.")
    if found.erased_at is not None:
        raise AlreadySettled("This was erased already.", "There is nothing left to erase.")
    return found


def _subject(erasure: Erasure) -> Subject:
    return Subject(kind="erasure", id=str(erasure.id), name="recordings")
