"""People's names and words beside the log: entries hold commitments, `Name` what opens them, `Person` the key that can be destroyed.

`commitments_to` and `without_words` are part of recording; `reveal` and `revealed` are for whoever shows entries; `destroy_key` ends
all of it for a person.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import connection

from core.after_commit import after_commit
from core.errors import AlreadySettled
from ledger.entries import PERSON, Actor, Draft, Subject, commit_text
from ledger.models import Entry, Name, Person
from ledger.schemas import WORDS
from ledger.sealing import Opening, new_key, opening_of, seal, unseal

ERASED = "erased person"
ERASED_WORDS = "erased with the person who wrote it"
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
    return {who: _known.get((_database(), who)) or _named(who) for who in people}


def without_words(drafts: Sequence[Draft]) -> Sequence[Draft]:
    """The entries with commitments in place of what people typed; their openings are kept in the caller's transaction."""
    written = {one for draft in drafts if draft.event in WORDS for _, one in _typed_in(draft)}
    if not written:
        return drafts
    committed = {one: _committed(one) or ERASED_WORDS for one in sorted(written)}
    return [
        replace(draft, details={**draft.details, **{field: committed[one] for field, one in _typed_in(draft)}})
        if draft.event in WORDS else draft
        for draft in drafts
    ]  # fmt: skip


def _typed_in(draft: Draft) -> Iterator[tuple[str, Who]]:
    """The fields that hold what a person typed, each with who wrote it and the text."""
    for field, writer in WORDS[draft.event]:
        text = draft.details.get(field)
        by = draft.details.get(writer) if writer else draft.actor.id if draft.actor.kind == PERSON else None
        if text and by:
            yield field, (str(by), str(text))


def _people_in(draft: Draft) -> list[Actor | Subject]:
    return [
        one for one in (draft.actor, draft.subject, draft.on_behalf_of)
        if one and one.kind == PERSON and one.id and one.name
    ]  # fmt: skip


def _named(who: Who) -> str:
    """The commitment to a person's name, remembered: names come again and again."""
    commitment = _committed(who)
    if commitment is None:
        return ERASED
    after_commit(_remember, _database(), who, commitment)
    return commitment


def _committed(who: Who) -> str | None:
    """The commitment to a text of a person's, its opening kept; for one who is erased None, and nothing kept."""
    person, text = who
    key = _key_of(person)
    if key is None:
        return None
    opening = opening_of(key, text)
    commitment = commit_text(opening.text, opening.salt)
    with connection.cursor() as cursor:
        cursor.execute(ADD_NAME_SQL, [commitment, person, seal(key, opening, commitment)])
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
    """The entries with the names of people in their columns, or ERASED, and what they typed in `words`: one query for all."""
    found = list(entries)
    typed = {entry.index: dict(_words_in(_read(bytes(entry.leaf)))) for entry in found if entry.event in WORDS}
    wanted = [one for entry in found for one in (entry.actor_name, entry.subject_name)]
    names = openings([*wanted, *(one for words in typed.values() for one in words.values())])
    for entry in found:
        entry.words = {field: _shown(one, names, ERASED_WORDS) for field, one in typed.get(entry.index, {}).items()}
        if entry.actor_kind == PERSON:
            entry.actor_name = _shown(entry.actor_name, names)
        if entry.subject_kind == PERSON:
            entry.subject_name = _shown(entry.subject_name, names)
    return found


def revealed(says: dict[str, Any]) -> dict[str, Any]:
    """What a leaf says, with the names and words of people; for pages, never for proofs."""
    people = {
        field: who for field in ("actor", "subject", "on_behalf_of")
        if isinstance(who := says.get(field), dict) and who.get("kind") == PERSON
    }  # fmt: skip
    typed = dict(_words_in(says))
    names = openings([*(str(who.get("name")) for who in people.values()), *typed.values()])
    shown = says | {field: {**who, "name": _shown(str(who.get("name")), names)} for field, who in people.items()}
    words = {field: _shown(one, names, ERASED_WORDS) for field, one in typed.items()}
    return shown | {"details": {**says["details"], **words}} if words else shown


def _read(leaf: bytes) -> dict[str, Any]:
    try:
        says = json.loads(leaf)
    except ValueError:
        return {}
    return says if isinstance(says, dict) else {}


def _words_in(says: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields of a leaf's details that people typed, with what stands there."""
    details = says.get("details")
    if isinstance(details, dict):
        for field, _ in WORDS.get(str(says.get("event")), ()):
            if isinstance(text := details.get(field), str):
                yield field, text


def _shown(name: str, names: Mapping[str, Opening], erased: str = ERASED) -> str:
    if not name.startswith("sha256:"):
        return name  # recorded before it was kept beside the log, or of nobody known
    return names[name].text if name in names else erased


def texts_of(person: str) -> list[str]:
    """All that a person was called or typed, as entries committed to it; nothing once they are erased."""
    commitments = Name.objects.filter(person=person).values_list("commitment", flat=True)
    return sorted({opening.text for opening in openings(commitments).values()})


def destroy_key(person: str) -> None:
    """Destroy what opens a person's names, in the caller's transaction. Raises AlreadySettled where that was done."""
    known = Person.objects.select_for_update().filter(person=person).first()
    if known is not None and known.key is None:
        raise AlreadySettled("This person was erased before.", "There is nothing left to erase.")
    with connection.cursor() as cursor:
        cursor.execute(ADD_PERSON_SQL, [person, None])  # who was in no entry yet gets no key later either
        cursor.execute("UPDATE ledger_person SET key = NULL WHERE person = %s AND key IS NOT NULL", [person])
