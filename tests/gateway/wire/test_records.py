"""What is recorded of what passes: actions, outcomes, frames, entries."""

from __future__ import annotations

import json

import psycopg
import pytest

from activity.hotpath import intent_record, outcome_record
from activity.models import Action, Frame, Question, Session
from ledger.entries import shared_details
from ledger.models import Outbox
from ledger.schemas import problem_of
from policies.evaluate import Engine
from policies.models import PolicyVersion
from policies.question import identifier_of
from policies.question import read as read_question
from tests.gateway.wire.world import World, eventually


def _finished(**which: object) -> list[Action]:
    eventually(lambda: not Action.objects.filter(status__in=("released", "pending")).exists())
    return list(Action.objects.filter(**which).order_by("number"))


def test_a_read_is_recorded_with_its_rows(world: World) -> None:
    with world.connect() as connection:
        connection.execute("SELECT id, name FROM customers ORDER BY id LIMIT 3")
    (action,) = _finished()
    assert (action.verb, action.decision, action.status, action.rows, action.number) == (
        "sql:select",
        "allow",
        "done",
        3,
        1,
    )
    assert all((action.entry_id, action.outcome_entry_id, action.released_at, action.finished_at))
    assert action.policies == ["reads"]
    frame = Frame.objects.get(action_id=action.id)
    assert frame.columns == [{"name": "id", "masked": False}, {"name": "name", "masked": False}]
    assert frame.rows == [["1", "Name 1"], ["2", "Name 2"], ["3", "Name 3"]]


def test_what_was_asked_is_kept_once_and_bound_by_the_ledger(world: World) -> None:
    with world.connect() as connection:
        for number in (1, 2, 3):
            connection.execute(f"SELECT name FROM customers WHERE id = {number}")
        connection.execute("INSERT INTO log (line) VALUES ('own entry')")
    *reads, written = _finished()
    assert len({action.question_id for action in reads}) == 1
    for action in (reads[0], written):
        assert action.question_id
        kept = Question.objects.get(id=action.question_id)
        asked = read_question(kept.text)
        assert identifier_of(kept.text) == str(kept.id)
        assert asked.agent.name == world.agent.name
        version = PolicyVersion.objects.get(number=action.policy_version)
        decided = Engine.build(version.text, asked.world, version=version.number).decide(asked.ask)
        assert (decided.verdict, list(decided.policies)) == (action.decision, action.policies)
    assert f'"question":"{reads[0].question_id}"' in intent_record(reads[0]).decode()
    details = _leaf(written.entry_id)["details"]
    assert isinstance(details, dict)
    assert details["question"] == str(written.question_id)


def test_recordings_are_bounded(world: World) -> None:
    with world.connect() as connection:
        connection.execute("SELECT * FROM orders, generate_series(1, 10)")
    (action,) = _finished()
    frame = Frame.objects.get(action_id=action.id)
    assert (action.rows, len(frame.rows), frame.cut) == (5000, 50, True)


def test_parameters_are_shown_and_counted_into_the_digest(world: World) -> None:
    with world.connect() as connection:
        for number in (1, 1, 2):
            connection.execute("SELECT name FROM customers WHERE id = %s", [number])
    actions = _finished()
    assert [action.shown.splitlines()[0] for action in actions] == ["SELECT name FROM customers WHERE id = $1"] * 3
    assert len({action.digest for action in actions}) == 3


def test_a_transaction_decides_what_became_of_its_actions(world: World) -> None:
    with world.connect() as connection:
        for end in ("COMMIT", "ROLLBACK"):
            connection.execute("BEGIN")
            connection.execute(f"INSERT INTO log (line) VALUES ('{end}')")
            eventually(lambda: Action.objects.filter(verb="sql:insert", status="pending").exists())
            connection.execute(end)
    inserts = _finished(verb="sql:insert")
    assert [action.status for action in inserts] == ["done", "rolled_back"]


def test_a_savepoint_undoes_what_came_after_it(world: World) -> None:
    with world.connect() as connection:
        for statement in (
            "BEGIN", "INSERT INTO log (line) VALUES ('kept')", "SAVEPOINT here", "INSERT INTO log (line) VALUES ('undone')",
            "ROLLBACK TO SAVEPOINT here", "INSERT INTO log (line) VALUES ('kept too')", "COMMIT",
        ):  # fmt: skip
            connection.execute(statement)
    assert [action.status for action in _finished(verb="sql:insert")] == ["done", "rolled_back", "done"]


def test_a_client_that_leaves_in_a_transaction_leaves_it_rolled_back(world: World) -> None:
    connection = world.connect()
    connection.execute("BEGIN")
    connection.execute("INSERT INTO log (line) VALUES ('gone')")
    connection.close()
    assert [action.status for action in _finished(verb="sql:insert")] == ["rolled_back"]


def test_a_failure_is_recorded_with_its_sqlstate(world: World) -> None:
    with world.connect() as connection, pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1 / 0")
    (action,) = _finished()
    assert (action.status, action.sqlstate, action.message) == ("failed", "22012", "division by zero")


def test_shared_entries_cover_exactly_their_rows(world: World) -> None:
    from ledger.entries import shared_details

    with world.connect() as connection:
        connection.execute("SELECT 1")
        connection.execute("INSERT INTO log (line) VALUES ('own entry')")
    read, written = _finished()
    assert read.entry_id
    assert read.outcome_entry_id
    assert Action.objects.get(entry_id=read.entry_id) == read
    assert Action.objects.get(outcome_entry_id=read.outcome_entry_id) == read
    leaf = _leaf(read.entry_id)
    assert leaf["event"] == "actions:allowed"
    assert leaf["details"] == shared_details([intent_record(read)])
    assert _leaf(written.entry_id)["event"] == "action:allowed"
    assert _leaf(written.entry_id)["digest"] == written.digest
    assert _leaf(written.outcome_entry_id)["event"] == "action:done"


def test_sessions_open_and_close(world: World) -> None:
    with world.connect(application_name="the tests"):
        session = Session.objects.get()
        assert (session.agent_name, session.resource_name, session.client, session.ended_at) == (
            "support.production",
            "shop",
            "the tests",
            None,
        )
    eventually(lambda: Session.objects.filter(ended_at__isnull=False).exists())
    assert {"session:opened", "session:closed", "secret:used"} <= set(Outbox.objects.values_list("event", flat=True))


def test_a_refused_sign_in_is_recorded(world: World) -> None:
    with pytest.raises(psycopg.OperationalError):
        world.connect(password="nonsense")
    assert Outbox.objects.filter(event="session:refused").count() == 1
    assert not Session.objects.exists()


def _leaf(entry: object) -> dict[str, object]:
    import json

    leaves = [json.loads(bytes(row)) for row in Outbox.objects.values_list("leaf", flat=True)]
    assert [problem_of(says["event"], says.get("details", {})) for says in leaves] == [""] * len(leaves)
    (found,) = [leaf for leaf in leaves if leaf["id"] == str(entry)]
    return dict(found)


def test_the_entry_of_a_read_in_a_long_transaction_covers_what_its_row_says(world: World) -> None:
    """Its counts were written while the transaction was open, its end in a later batch."""
    with world.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT note, '4111 1111 1111 1111' AS card FROM orders WHERE id < 4").fetchall()
        assert eventually(lambda: Action.objects.filter(status="pending", rows=3).exists())
        connection.execute("COMMIT")
    (read,) = _finished(verb="sql:select")
    assert (read.status, read.rows, read.detected) == ("done", 3, {"card_number": 3})
    covered = list(Action.objects.filter(outcome_entry_id=read.outcome_entry_id).order_by("id"))
    leaves = [
        json.loads(bytes(leaf)) for leaf in Outbox.objects.filter(event="actions:done").values_list("leaf", flat=True)
    ]
    (leaf,) = [one for one in leaves if one["id"] == str(read.outcome_entry_id)]
    assert leaf["details"] == shared_details([outcome_record(one) for one in covered])
