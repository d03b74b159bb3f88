"""Erasing a person: two administrators, a closed account, and afterwards nothing in the database that says who it was."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from accounts import actions
from accounts.models import User
from accounts.role_actions import ask_to_erase, confirm_change
from core.errors import AlreadySettled, Invalid, Refused
from ledger import personal
from ledger.models import Name, Outbox, Person
from tests.cast import SETUP, Cast

pytestmark = pytest.mark.django_db

EVERY_COLUMN_SQL = """
SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'
AND data_type IN ('text', 'character varying', 'jsonb', 'bytea', 'ARRAY')
"""


def _says(event: str) -> dict[str, dict[str, str]]:
    said: dict[str, dict[str, str]] = json.loads(bytes(Outbox.objects.filter(event=event).latest("id").leaf))
    return said


def test_a_leaf_holds_no_name_of_a_person(cast: Cast) -> None:
    nina = actions.invite("nina", email="nina@example.com", name="Nina New", actor=cast.administrator)
    says = _says("person:invited")
    assert says["subject"]["id"] == str(nina.id)
    assert says["subject"]["name"].startswith("sha256:")
    assert not any(b"Nina New" in bytes(row.leaf) for row in Outbox.objects.all())
    assert personal.revealed(dict(says))["subject"] == {**says["subject"], "name": "Nina New"}


def test_one_name_has_one_commitment_and_nobody_elses_has_the_same(cast: Cast) -> None:
    one = actions.invite("nina", email="n@example.com", name="Sam Same", actor=SETUP)
    actions.deactivate(one, actor=SETUP)
    actions.invite("nora", email="o@example.com", name="Sam Same", actor=SETUP)
    first, again = (_says(event)["subject"]["name"] for event in ("person:deactivated", "person:invited"))
    assert first != again
    assert Name.objects.filter(person=str(one.id)).get().commitment == first


def test_nobody_is_erased_by_one_alone_or_while_their_account_is_open(cast: Cast) -> None:
    with pytest.raises(Invalid):
        ask_to_erase(cast.reviewer, actor=cast.administrator)
    actions.deactivate(cast.reviewer, actor=cast.administrator)
    with pytest.raises(Refused):
        ask_to_erase(cast.reviewer, actor=cast.ciso)
    with pytest.raises(Refused):
        ask_to_erase(cast.administrator, actor=cast.administrator)
    change = ask_to_erase(cast.reviewer, actor=cast.administrator)
    assert change is not None
    with pytest.raises(Refused):
        confirm_change(change.id, actor=cast.administrator)
    cast.reviewer.refresh_from_db()
    assert cast.reviewer.name == "Rita Reviewer"


def test_an_account_that_was_opened_again_is_not_erased(cast: Cast) -> None:
    actions.deactivate(cast.reviewer, actor=cast.administrator)
    change = ask_to_erase(cast.reviewer, actor=cast.administrator)
    assert change is not None
    actions.reactivate(cast.reviewer, actor=cast.administrator)
    with pytest.raises(Invalid):
        confirm_change(change.id, actor=cast.second_administrator)


def test_two_administrators_erase_and_nothing_says_the_name_any_more(cast: Cast) -> None:
    person = actions.invite("zoe", email="zoe@zebra.example", name="Zoe Zebra", actor=cast.administrator)
    actions.deactivate(person, actor=cast.administrator)
    change = ask_to_erase(person, actor=cast.administrator)
    assert change is not None
    confirm_change(change.id, actor=cast.second_administrator)
    person.refresh_from_db()
    assert (person.name, person.email, person.has_usable_password()) == ("Erased person", "", False)
    assert "zoe" not in person.username
    assert _says("person:erased")["subject"] == {"kind": "person", "id": str(person.id), "name": ""}
    assert personal.revealed(dict(_says("person:invited")))["subject"]["name"] == personal.ERASED
    assert Person.objects.get(person=str(person.id)).key is None
    assert columns_that_say(b"Zoe Zebra") == columns_that_say(b"zoe@zebra") == []
    with pytest.raises(AlreadySettled):
        ask_to_erase(person, actor=cast.administrator)


def test_a_later_entry_about_an_erased_person_keeps_no_name(cast: Cast) -> None:
    person = actions.invite("zoe", email="z@example.com", name="Zoe Zebra", actor=cast.administrator)
    actions.deactivate(person, actor=cast.administrator)
    ask_to_erase(person, actor=SETUP)
    names = Name.objects.count()
    User.objects.filter(id=person.id).update(name="Another")
    person.refresh_from_db()
    actions.reactivate(person, actor=SETUP)
    assert _says("person:reactivated")["subject"]["name"] == personal.ERASED
    assert Name.objects.count() == names


def columns_that_say(text: bytes) -> list[str]:
    """Where in the whole database the text is found."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(EVERY_COLUMN_SQL)
        for table, column in cursor.fetchall():
            value = f'"{column}"::text' if column != "leaf" else "encode(leaf, 'escape')"
            cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}" WHERE {value} ILIKE %s)', [f"%{text.decode()}%"])
            found += [f"{table}.{column}"] * cursor.fetchone()[0]
    return found
