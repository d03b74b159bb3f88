"""Tagged columns: masked on the way back, in text and binary, and always in recordings."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest

from activity.models import Action, Frame
from agents import actions as inventory
from policies import actions as policies
from policies.models import PolicyVersion
from tests.gateway.wire.world import POLICIES, World, eventually


@pytest.fixture
def tagged(world: World) -> World:
    """E-mail, SSN and birthday are tagged; nothing unmasks them; e-mail may be looked up."""
    for column, tag, lookup in (("email", "email", True), ("ssn", "ssn", False), ("born", "birthday", False)):
        inventory.confirm_tag(
            world.resource.id, table="customers", column=column, tag=tag, lookup=lookup, actor=world.cast.engineer
        )
    return world


@pytest.mark.parametrize("binary", [False, True])
def test_tagged_columns_are_masked_in_text_and_binary(tagged: World, binary: bool) -> None:
    with tagged.connect() as connection:
        cursor = connection.cursor(binary=binary)
        row = cursor.execute("SELECT id, name, email AS e, ssn, born FROM customers WHERE id = %s", [3]).fetchone()
        assert row == (3, "Name 3", "***", "***", None)
    (action,) = eventually(lambda: list(Action.objects.filter(status="done")))
    assert (action.masked, action.masked_values) == (True, 3)
    assert Frame.objects.get(action_id=action.id).rows == [["3", "Name 3", "***", "***", "***"]]


def test_simple_protocol_and_whole_rows_are_masked_too(tagged: World) -> None:
    done = tagged.psql("-Atc", "SELECT * FROM customers WHERE id = 3")
    assert done.stdout == "3|Name 3|***|***||3\n"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM customers WHERE ssn LIKE '123%'",
        "SELECT upper(email) FROM customers",
        "SELECT c FROM customers c",
        "SELECT id FROM customers ORDER BY ssn",
        "COPY customers TO STDOUT",
        "SELECT ssn FROM customers UNION SELECT 'x'",
        "UPDATE customers SET name = ssn",
    ],
)
def test_other_uses_are_refused(tagged: World, statement: str) -> None:
    with tagged.connect() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
        assert "123-45" not in str(Action.objects.get(status="denied").shown)


def test_a_look_up_hides_its_constant_in_the_record(tagged: World) -> None:
    with tagged.connect() as connection:
        assert connection.execute("SELECT id FROM customers WHERE email = 'c5@example.com'").fetchall() == [(5,)]
        assert connection.execute("SELECT id FROM customers WHERE email = %s", ["c6@example.com"]).fetchall() == [(6,)]
    shown = " ".join(Action.objects.values_list("shown", flat=True))
    assert "example.com" not in shown
    assert "***" in shown


def test_errors_do_not_quote_tagged_values(tagged: World) -> None:
    with tagged.connect() as connection:
        with pytest.raises(psycopg.errors.UniqueViolation) as refused:
            connection.execute("INSERT INTO customers (id, name, email) VALUES (1000, 'x', 'c5@example.com')")
        assert "example.com" not in str(refused.value.diag.message_primary) + str(refused.value.diag.message_detail)
    eventually(lambda: Action.objects.filter(status="failed").exists())
    assert "example.com" not in Action.objects.get(status="failed").message


def test_a_permit_unmasks_for_the_agent_but_never_for_the_recording(tagged: World) -> None:
    permitted = POLICIES.replace('@id("reads")', '@id("reads") @unmask("email")')
    _activate(permitted, tagged)
    with tagged.connect() as connection:
        row = eventually(
            lambda: _row(connection, "SELECT email, ssn FROM customers WHERE id = 4", ("c4@example.com", "***"))
        )
        assert row == ("c4@example.com", "***")
        assert _row(connection, "SELECT lower(email) FROM customers WHERE id = 4", ("c4@example.com",)) == (
            "c4@example.com",
        )
    eventually(lambda: not Action.objects.filter(status="released").exists())
    assert "example.com" not in str(list(Frame.objects.values_list("rows", flat=True)))


def test_prepared_once_masked_always(tagged: World) -> None:
    with tagged.connect() as connection:
        connection.prepare_threshold = 0
        for number in (1, 2, 3):
            assert connection.execute("SELECT email FROM customers WHERE id = %s", [number]).fetchone() == ("***",)


def test_a_tag_counts_from_the_next_statement(world: World) -> None:
    with world.connect() as connection:
        connection.prepare_threshold = 0
        assert connection.execute("SELECT born FROM customers WHERE id = %s", [1]).fetchone() == (dt.date(1990, 1, 1),)
        inventory.confirm_tag(
            world.resource.id, table="customers", column="born", tag="birthday", actor=world.cast.engineer
        )
        assert eventually(lambda: _row(connection, "SELECT born FROM customers WHERE id = 1", (None,))) == (None,)


def _row(connection: psycopg.Connection[Any], statement: Any, wanted: Any) -> Any:
    try:
        row = connection.execute(statement).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    return row if row == wanted else None


def _activate(text: str, world: World) -> None:
    version: PolicyVersion = policies.draft(text, actor=world.cast.engineer)
    policies.propose(version.id, actor=world.cast.engineer)
    policies.approve(version.id, actor=world.cast.ciso)
    policies.activate(version.id, actor=world.cast.engineer)


def test_a_limit_leaves_the_rest_out_and_says_so(world: World) -> None:
    _activate(POLICIES.replace('@id("reads")', '@id("reads") @limit("10")'), world)
    told: list[str] = []
    with world.connect() as connection:
        connection.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
        assert len(eventually(lambda: _at_most(connection, 10))) == 10
    assert told == ["Policy lets 10 rows through; the rest of the answer is left out."]


def _at_most(connection: psycopg.Connection[Any], count: int) -> list[Any]:
    rows = connection.execute("SELECT id FROM orders").fetchall()
    return rows if len(rows) <= count else []


def test_a_tagged_column_that_is_gone_closes_its_table(tagged: World) -> None:
    with tagged.connect() as connection:
        assert connection.execute("SELECT id FROM customers WHERE id = 1").fetchone() == (1,)
        with tagged.target() as target:
            target.execute("ALTER TABLE customers RENAME COLUMN ssn TO social")
        assert eventually(lambda: _refused(connection, "SELECT id FROM customers WHERE id = 1", "gone or renamed"))
        assert connection.execute("SELECT id FROM orders WHERE id = 1").fetchone() == (1,)


def _refused(connection: psycopg.Connection[Any], statement: Any, words: str) -> bool:
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        return words in str(error)
    return False
