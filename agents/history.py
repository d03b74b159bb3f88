"""What was changed of an agent, a resource or a segment, as the ledger's entries say it; names for who they name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.models import User
from ledger.events import Event
from ledger.models import Entry
from ledger.personal import reveal

MOST = 12
_NO_CHANGE = (Event.SECRET_USED, Event.RECORD_READ, Event.EXPORT_MADE)
_PEOPLE = ("owner", "deputy", "asked_by")
_TOLD = ("reason", "column", "tag", "login", "use", "kid", "group", "asked_by", "credentials", "logins", "status")


@dataclass(frozen=True)
class Difference:
    """A field that was changed: empty words are nothing."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """One entry about a thing: what it changed, and what else it says."""

    entry: Entry
    differences: list[Difference]
    told: list[tuple[str, str]]


def history_of(identifier: UUID) -> list[Change]:
    """The newest entries about what has this identifier: three queries. The score that is kept of an agent is no change of it."""
    about = Entry.objects.filter(subject_id=str(identifier)).exclude(event=Event.AGENT_CHANGED, actor_kind="system")
    shown = about.exclude(event__in=_NO_CHANGE).exclude(event__startswith="session:")
    entries = reveal(shown.order_by("-index")[:MOST])
    details = [_details(entry) for entry in entries]
    names = _names(details)
    return [_change(entry, said, names) for entry, said in zip(entries, details, strict=True)]


def _change(entry: Entry, details: Mapping[str, Any], names: Mapping[str, str]) -> Change:
    changed = details.get("changed")
    fields = changed if isinstance(changed, dict) else {}
    differences = [
        Difference(field, _word(said.get("before"), names), _word(said.get("after"), names))
        for field, said in fields.items()
        if isinstance(said, dict)
    ]
    told = [
        (name.replace("_", " "), _word(details[name], names)) for name in _TOLD if details.get(name) not in {None, ""}
    ]
    return Change(entry, differences, told)


def _word(value: object, names: Mapping[str, str]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else names.get(str(value), str(value))


def _names(details: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The names of the people that entries name by identifier."""
    said: set[str] = set()
    for one in details:
        fields = one.get("changed")
        changed = fields if isinstance(fields, dict) else {}
        values = [one.get(name) for name in _PEOPLE]
        values += [part for name in _PEOPLE if isinstance(changed.get(name), dict) for part in changed[name].values()]
        said |= {value for value in values if isinstance(value, str) and _is_identifier(value)}
    return {str(user.id): str(user) for user in User.objects.filter(id__in=said)} if said else {}


def _is_identifier(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _details(entry: Entry) -> Mapping[str, Any]:
    try:
        says = json.loads(bytes(entry.leaf))
    except ValueError:
        return {}
    details = says.get("details") if isinstance(says, dict) else None
    return {**details, **entry.words} if isinstance(details, dict) else {}
