"""What was recorded of an action goes for good, by two people or with the person it was done for; what entries say of it stays."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts import actions as people
from accounts.models import User
from accounts.role_actions import ask_to_erase as ask_to_erase_person
from accounts.role_actions import confirm_change
from activity.digest import digest
from activity.erasing_actions import MOST, WITH_PERSON, ask_to_erase, confirm_erasure, drop_erasure
from activity.models import Action, Asked, Erasure, Frame, Question, Session
from agents.models import Credential
from approvals import actions as approvals
from approvals.models import Grant, Hold
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NarrowgateError, NotFound, Refused
from core.ids import new_id
from ledger.entries import Actor
from ledger.events import Event
from ledger.models import Outbox
from ledger.schemas import problem_of
from policies.again import decide_again
from policies.decision import Ask
from policies.question import question_of
from policies.world import AgentFacts
from tests.activity.asking import asked, session
from tests.approvals.test_settling import row_of
from tests.approvals.world import World, assemble, held
from tests.cast import Cast
from tests.policies.worlds import SECRET

pytestmark = pytest.mark.django_db

JANE = "jane roe"
SALT = b"a salt of 32 bytes, to be erased"


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def kept_question(claim: str) -> Question:
    facts = AgentFacts("support.production", "support", "production", "production")
    kept = question_of(
        Ask(facts.name, frozenset({"sql:select"}), "shop", {"claimed": {"purpose": claim}}), facts, None, SECRET
    )
    return Question.objects.get_or_create(id=kept.id, defaults={"text": kept.text})[0]


def recorded(world: World, one: Session, **changed: Any) -> Action:
    """A read in which Jane Roe is wherever a recording may hold her."""
    action = asked(
        world.agent, world.resource, session_id=one.id, shown=f"SELECT * FROM t WHERE n = '{JANE}'", summary=f"Reads {JANE}",
        salt=SALT, digest=digest(JANE.encode(), SALT), message=f"no {JANE}", question_id=kept_question(JANE).id,
        **changed,
    )  # fmt: skip
    Asked.objects.create(
        action_id=action.id, agent_id=world.agent.id, key=f"{JANE} {action.id}", canonical=JANE.encode()
    )
    columns: list[dict[str, object]] = [{"name": f"of {JANE}", "masked": False}]
    Frame.objects.create(action_id=action.id, session_id=one.id, columns=columns, rows=[[JANE]])
    return action


def ended(world: World, **changed: Any) -> Session:
    """A session about her that has ended."""
    return session(
        world.agent, world.resource, ended_at=db_now(), purpose=f"For {JANE}", client=f"psql of {JANE}", **changed
    )


def withdrawn(world: World, one: Session) -> Hold:
    """A hold of hers that is over."""
    hold = held(world, text=f"DELETE '{JANE}'", session_id=one.id, purpose=f"{JANE} asked", summary=f"Deletes {JANE}")
    row_of(hold)
    approvals.withdraw(hold.id, by=Actor(kind="agent", id=str(world.agent.id), name=world.agent.name))
    return hold


def erased(world: World, **chosen: Any) -> Erasure:
    wish = ask_to_erase(because="Case 7", actor=world.cast.auditor, **chosen)
    return confirm_erasure(wish.id, actor=world.cast.administrator)


def told_since(last: int) -> list[dict[str, Any]]:
    """What the last entries say."""
    return [json.loads(bytes(row.leaf)) for row in Outbox.objects.order_by("-id")[:last]][::-1]


def everything_says(text: str) -> list[str]:
    """The tables of the whole database, written out as text, that hold it, or its bytes."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in cursor.fetchall():
            with cursor.copy(f'COPY (SELECT * FROM "{table}") TO STDOUT') as lines:
                dumped = b"".join(bytes(line) for line in lines).lower()
            if text.encode() in dumped or text.encode().hex().encode() in dumped:
                found.append(table)
    return found


def test_a_session_is_erased_and_nothing_of_it_is_left(world: World) -> None:
    credential = Credential.objects.create(
        agent=world.agent,
        key=world.agent.keys.get(),
        resource=world.resource,
        purpose=f"For {JANE}",
        expires_at=db_now() + timedelta(minutes=10),
    )
    one = ended(world, credential_id=credential.id)
    action, hold = recorded(world, one), withdrawn(world, one)
    assert len(everything_says(JANE)) >= 5
    assert everything_says(SALT.decode())
    erasure = erased(world, sessions=[one.id])
    assert everything_says(JANE) == everything_says(SALT.decode()) == []
    assert erasure.count == 2
    for row in (action, Action.objects.get(id=hold.action_id)):
        row.refresh_from_db()
        assert (row.shown, row.erasure_id) == (f"Erased on {erasure.erased_at:%Y-%m-%d}.", erasure.id)
    hold.refresh_from_db()
    assert (hold.shown, bytes(hold.salt)) == (action.shown, b"")
    one.refresh_from_db()
    assert (one.purpose, one.client, one.erasure_id) == ("", "", erasure.id)


def test_what_entries_say_stays(world: World) -> None:
    one = ended(world)
    action = recorded(world, one)
    before = (action.digest, action.verb, action.tables, action.policies, action.status, action.rows, action.reason)
    erased(world, actions=[action.id])
    action.refresh_from_db()
    assert before == (
        action.digest,
        action.verb,
        action.tables,
        action.policies,
        action.status,
        action.rows,
        action.reason,
    )
    with pytest.raises(NotFound, match="was erased"):
        decide_again(action)


def test_each_step_is_an_entry(world: World) -> None:
    one, other = ended(world), ended(world)
    action = recorded(world, one)
    recorded(world, other)
    erasure = erased(world, sessions=[other.id], actions=[action.id])
    asking, whole, single, confirmed = (says for says in told_since(4))
    assert asking["event"] == Event.ERASURE_ASKED
    assert (asking["details"]["actions"], asking["details"]["sessions"]) == (1, 1)
    assert asking["details"]["reason"].startswith("sha256:")
    assert (whole["event"], whole["session"]) == (Event.SESSION_ERASED, str(other.id))
    assert (single["event"], single["session"], single["action"]) == (Event.ACTION_ERASED, str(one.id), str(action.id))
    assert (single["digest"], single["details"]) == (action.digest, {"erasure": str(erasure.id)})
    assert confirmed["details"] == {"actions": 2, "asked_by": str(world.cast.auditor.id)}
    assert not any(problem_of(says["event"], says["details"]) for says in told_since(4))


def test_a_question_goes_with_the_last_action_that_it_decided(world: World) -> None:
    one, other = ended(world), ended(world)
    recorded(world, one)
    staying = recorded(world, other)
    erased(world, sessions=[one.id])
    assert list(Question.objects.values_list("id", flat=True)) == [staying.question_id]
    erased(world, sessions=[other.id])
    assert not Question.objects.exists()


def test_one_person_erases_nothing(world: World) -> None:
    cast, one = world.cast, ended(world)
    for nobody in (cast.reviewer, cast.ciso, cast.engineer, cast.owner):
        with pytest.raises(Refused):
            ask_to_erase(because="Case 7", actor=nobody, sessions=[one.id])
    wish = ask_to_erase(because="Case 7", actor=cast.administrator, sessions=[one.id])
    for refused in (cast.administrator, cast.auditor, cast.ciso):
        with pytest.raises(Refused):
            confirm_erasure(wish.id, actor=refused)
    one.refresh_from_db()
    assert one.purpose == f"For {JANE}"
    confirm_erasure(wish.id, actor=cast.second_administrator)
    with pytest.raises(AlreadySettled):
        confirm_erasure(wish.id, actor=cast.second_administrator)
    with pytest.raises(AlreadySettled):
        drop_erasure(wish.id, actor=cast.auditor)
    with pytest.raises(AlreadySettled):
        ask_to_erase(because="Again", actor=cast.auditor, sessions=[one.id])


def test_a_wish_that_is_dropped_erases_nothing(world: World) -> None:
    one = ended(world)
    wish = ask_to_erase(because="Case 7", actor=world.cast.auditor, sessions=[one.id])
    with pytest.raises(Refused):
        drop_erasure(wish.id, actor=world.cast.reviewer)
    drop_erasure(wish.id, actor=world.cast.auditor)
    assert told_since(1)[0]["event"] == Event.ERASURE_DROPPED
    with pytest.raises(NotFound):
        confirm_erasure(wish.id, actor=world.cast.administrator)


def _wish(world: World, **chosen: Any) -> type[NarrowgateError]:
    with pytest.raises(NarrowgateError) as refused:
        ask_to_erase(because="Case 7", actor=world.cast.auditor, **chosen)
    return refused.type


def test_what_runs_or_waits_or_is_too_much_is_not_erased(world: World) -> None:
    live, over = session(world.agent, world.resource), ended(world)
    hold = held(world, session_id=over.id)
    row_of(hold)
    assert _wish(world, sessions=[live.id]) is Refused
    assert _wish(world, sessions=[over.id]) is Refused
    assert _wish(world, actions=[hold.action_id]) is Refused
    running = recorded(world, ended(world), status="released")
    assert _wish(world, actions=[running.id]) is Refused
    assert _wish(world) is Invalid
    assert _wish(world, sessions=[new_id()]) is NotFound
    assert _wish(world, actions=[new_id() for _ in range(MOST + 1)]) is Invalid


def test_what_a_live_grant_rests_on_is_not_erased(world: World) -> None:
    one = ended(world)
    hold = withdrawn(world, one)
    soon = db_now() + timedelta(minutes=5)
    grant = Grant.objects.create(
        hold=hold, agent=world.agent, resource=world.resource, scope="same", expires_at=soon, most=2
    )
    wish = ask_to_erase(because="Case 7", actor=world.cast.auditor, sessions=[one.id])
    with pytest.raises(Refused, match="grant"):
        confirm_erasure(wish.id, actor=world.cast.administrator)
    Grant.objects.filter(id=grant.id).update(uses=2)
    assert confirm_erasure(wish.id, actor=world.cast.administrator).count == 1


def test_what_began_to_run_again_is_not_erased_at_the_confirmation_either(world: World) -> None:
    action = recorded(world, ended(world))
    wish = ask_to_erase(because="Case 7", actor=world.cast.auditor, actions=[action.id])
    Action.objects.filter(id=action.id).update(status="pending")
    with pytest.raises(Refused):
        confirm_erasure(wish.id, actor=world.cast.administrator)
    action.refresh_from_db()
    assert JANE in action.shown


def _erase_person(world: World, person: User) -> None:
    people.deactivate(person, actor=world.cast.administrator)
    change = ask_to_erase_person(person, actor=world.cast.administrator)
    assert change is not None
    confirm_change(change.id, actor=world.cast.second_administrator)


def test_what_was_done_for_a_person_is_erased_with_them(world: World) -> None:
    jane = people.invite("jane", email="jane@roe.example", name="Jane Roe", actor=world.cast.administrator)
    theirs, others = ended(world, on_behalf_of=jane.id), session(world.agent, world.resource, ended_at=db_now())
    recorded(world, theirs)
    kept = asked(world.agent, world.resource, session_id=others.id)
    _erase_person(world, jane)
    assert everything_says(JANE) == []
    kept.refresh_from_db()
    assert kept.shown == "SELECT id FROM orders"
    erasure = Erasure.objects.get()
    assert (erasure.because, erasure.asked_by, erasure.confirmed_by) == (
        WITH_PERSON,
        None,
        world.cast.second_administrator,
    )
    assert erasure.count == 1


def test_nobody_is_erased_while_an_agent_acts_for_them(world: World) -> None:
    jane = people.invite("jane", email="jane@roe.example", name="Jane Roe", actor=world.cast.administrator)
    session(world.agent, world.resource, on_behalf_of=jane.id)
    with pytest.raises(Refused, match="live"):
        _erase_person(world, jane)
    jane.refresh_from_db()
    assert jane.name == "Jane Roe"


def test_why_goes_with_whoever_asked(world: World) -> None:
    cast = world.cast
    erased(world, sessions=[ended(world).id])
    _erase_person(world, cast.auditor)
    assert "Case 7" not in Erasure.objects.get().because
