"""What detectors find in the columns of an answer: the type stays valid, the record holds nothing of it."""

from __future__ import annotations

import psycopg
import pytest

from activity.models import Action, Frame
from tests.gateway.wire.world import World, eventually

CARD, KEY = "4111 1111 1111 1111", "AKIAIOSFODNN7EXAMPLE"


def last() -> Action:
    found = eventually(lambda: Action.objects.filter(status__in=["done", "committed"]).order_by("-asked_at").first())
    assert found is not None
    return found


@pytest.fixture
def noted(world: World) -> World:
    with world.target() as direct:
        direct.execute("UPDATE orders SET note = %s WHERE id = 1", [f"paid with {CARD}"])
        direct.execute("UPDATE orders SET note = %s WHERE id = 2", [f'{{"card": 4111111111111111, "key": "{KEY}"}}'])
    return world


@pytest.mark.parametrize("binary", [False, True])
def test_a_value_in_a_column_that_nobody_tagged(noted: World, binary: bool) -> None:
    with noted.connect() as connection:
        cursor = connection.cursor(binary=binary)
        asked = "SELECT note, note::varchar(12), note::char(15), id, total, ARRAY[note, 'x'] FROM orders WHERE id = 1"
        row = cursor.execute(asked).fetchone()
        assert row is not None
        assert row[:3] == ("paid with ***", "paid with 41", "paid with 4111 ")
        assert row[5] == (["paid with " + "*" * 19, "x"] if binary else ["paid with ***", "x"])
        assert (
            cursor.execute("SELECT note::jsonb, note::json FROM orders WHERE id = 2").fetchone()
            == ({"card": None, "key": "***"},) * 2
        )
    assert last().detected == {"card_number": 2, "aws_key": 2}
    assert eventually(lambda: Action.objects.filter(detected={"card_number": 2}).exists())
    assert CARD not in str(list(Frame.objects.values_list("rows", flat=True)))
    assert KEY not in str(list(Frame.objects.values_list("rows", flat=True)))


def test_copied_rows_and_errors_keep_their_lengths(noted: World) -> None:
    with noted.connect() as connection:
        with connection.cursor().copy("COPY (SELECT id, note FROM orders WHERE id = 1) TO STDOUT") as rows:
            assert b"".join(rows) == b"1\tpaid with " + b"*" * 19 + b"\n"
        with pytest.raises(psycopg.errors.InvalidTextRepresentation) as refused:
            connection.execute("SELECT note::int FROM orders WHERE id = 1")
        assert CARD not in str(refused.value)
    eventually(lambda: Action.objects.filter(status="failed").exists())
    assert CARD not in Action.objects.get(status="failed").message


def test_rows_without_text_are_not_looked_at(noted: World) -> None:
    with noted.connect() as connection:
        assert connection.execute("SELECT id, total FROM orders WHERE id <= 200").fetchall()
    assert last().detected is None
