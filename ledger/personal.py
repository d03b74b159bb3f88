"""People's names beside the log: entries hold commitments, `Name` what opens them, `Person` the key that can be destroyed.

`commitments_to` is part of recording; `reveal` and `revealed` are for whoever shows entries; `erase` ends all of it for a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection

from core.after_commit import after_commit
from core.errors import AlreadySettled
from ledger.entries import PERSON, Actor, Draft, Subject, commit_text
from ledger.models import Entry, Person
from ledger.sealing import Opening, new_key, opening_of, seal, unseal

ERASED = "erased person"
MOST_KNOWN = 20_000  # commitments remembered in a process

ADD_NAME_SQL = "INSERT INTO ledger_name (commitment, person, box) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
ADD_PERSON_SQL = "INSERT INTO ledger_person (person, key) VALUES (%s, %s) ON CONFLICT DO NOTHING"
BOXES_SQL = """
SELECT name.commitment, name.box, person.key FROM ledger_name AS name JOIN ledger_person AS person USING (person)
WHERE name.commitment = ANY(%s) AND person.key IS NOT NULL
"""

Who = tuple[str, str]  # a person's identifier and name

_known: dict[tuple[str, Who], str] = {}  # by database: commitments whose names are committed


def commitments_to(drafts: Sequence[Draft]) -> dict[Who, str]:
    """What stands for the names of the people in some entries; its openings are kept in the caller's transaction."""
    people = sorted({(one.id, one.name) for draft in drafts for one in _people_in(draft)})
    return {who: _known.get((_database(), who)) or _committed(who) for who in people}


def _people_in(draft: Draft) -> list[Actor | Subject]:
    return [
        one for one in (draft.actor, draft.subject, draft.on_behalf_of)
        if one and one.kind == PERSON and one.id and one.name
    ]  # fmt: skip


def _committed(who: Who) -> str:
    """The commitment to a person's name, its opening kept; for one who is erased, a word and nothing kept."""
    person, name = who
    key = _key_of(person)
    if key is None:
        return ERASED
    opening = opening_of(key, name)
    commitment = commit_text(opening.text, opening.salt)
    with connection.cursor() as cursor:
        cursor.execute(ADD_NAME_SQL, [commitment, person, seal(key, opening, commitment)])
    after_commit(_remember, _database(), who, commitment)
    return commitment


def _key_of(person: str) -> bytes | None:
    """A person's key, made at their first entry; None once it was destroyed."""
    found = Person.objects.filter(person=person).values_list("key", flat=True).first()
    if found is None and not Person.objects.filter(person=person).exists():
        with connection.cursor() as cursor:
            cursor.execute(ADD_PERSON_SQL, [person, new_key()])
        found = Person.objects.values_list("key", flat=True).get(person=person)
    return None if found is None else bytes(found)


def _remember(database: str, who: Who, commitment: str) -> None:
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    _known[database, who] = commitment


def _database() -> str:
    settings = connection.settings_dict
    return f"{settings['HOST']} {settings['NAME']}"


def openings(commitments: Iterable[str]) -> dict[str, Opening]:
    """What opens these commitments, of those whose person is not erased: one query."""
    wanted = sorted({one for one in commitments if one.startswith("sha256:")})
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(BOXES_SQL, [wanted])
        found = {name: unseal(bytes(key), bytes(box), name) for name, box, key in cursor.fetchall()}
    return {name: opening for name, opening in found.items() if opening is not None}


def reveal(entries: Iterable[Entry]) -> list[Entry]:
    """The entries with the names of people in their columns, or ERASED: one query for all."""
    found = list(entries)
    names = openings(one for entry in found for one in (entry.actor_name, entry.subject_name))
    for entry in found:
        if entry.actor_kind == PERSON:
            entry.actor_name = _shown(entry.actor_name, names)
        if entry.subject_kind == PERSON:
            entry.subject_name = _shown(entry.subject_name, names)
    return found


def revealed(says: dict[str, Any]) -> dict[str, Any]:
    """What a leaf says, with the names of people; for pages, never for proofs."""
    people = {
        field: who for field in ("actor", "subject", "on_behalf_of")
        if isinstance(who := says.get(field), dict) and who.get("kind") == PERSON
    }  # fmt: skip
    names = openings(str(who.get("name")) for who in people.values())
    return says | {field: {**who, "name": _shown(str(who.get("name")), names)} for field, who in people.items()}


def _shown(name: str, names: Mapping[str, Opening]) -> str:
    if not name.startswith("sha256:"):
        return name  # recorded before names were kept beside the log, or of nobody known
    return names[name].text if name in names else ERASED


def destroy_key(person: str) -> None:
    """Destroy what opens a person's names, in the caller's transaction. Raises AlreadySettled where that was done."""
    known = Person.objects.select_for_update().filter(person=person).first()
    if known is not None and known.key is None:
        raise AlreadySettled("This person was erased before.", "There is nothing left to erase.")
    with connection.cursor() as cursor:
        cursor.execute(ADD_PERSON_SQL, [person, None])  # who was in no entry yet gets no key later either
        cursor.execute("UPDATE ledger_person SET key = NULL WHERE person = %s AND key IS NOT NULL", [person])
