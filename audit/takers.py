"""What writes entries in each form that they are taken away in: what begins it, a page of them at a time, what ends it.

Where one pauses it says what another has to know to go on, so that a file whose making died is not begun again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias

from audit import ocsf
from core.cells import Value, csv_lines
from ledger import checkpoint, export_selected
from ledger.entries import PERSON
from ledger.export import Basis
from ledger.models import Entry

State: TypeAlias = Mapping[str, Any]
COLUMNS = (
    "entry", "recorded", "event", "who", "who kind", "who id", "about", "about kind", "about id", "session", "action", "node", "number",
    "leaf hash", "leaf",
)  # fmt: skip


class Taker(Protocol):
    """A file of entries in the making."""

    def begin(self) -> Iterable[bytes]:
        """What comes before the first entry."""

    def page(self, entries: list[Entry]) -> bytes:
        """More entries, behind the last."""

    def end(self) -> Iterable[bytes]:
        """What comes behind the last entry."""

    def pause(self) -> tuple[bytes, State]:
        """What was made and not given yet, and what another has to know to go on (for JSON)."""


class Evidence:
    """A package whose entries each have a path to the root."""

    def __init__(self, basis: Basis, state: State | None = None) -> None:
        self._packing = export_selected.packing(basis, state)

    def begin(self) -> Iterable[bytes]:
        """The package's beginning."""
        return self._packing.begin()

    def page(self, entries: list[Entry]) -> bytes:
        """More entries."""
        (rows,) = export_selected.pages([entries])
        return self._packing.page(rows)

    def end(self) -> Iterable[bytes]:
        """The package's end."""
        return self._packing.end()

    def pause(self) -> tuple[bytes, State]:
        """What is still inside, and the package's state."""
        return self._packing.pause()


class JsonLines:
    """A line an entry: what its leaf says, with names."""

    def __init__(self, _basis: Basis, _state: State | None = None) -> None:
        pass

    def begin(self) -> Iterable[bytes]:
        """Nothing."""
        return ()

    def page(self, entries: list[Entry]) -> bytes:
        """A line each."""
        return _lines({"index": entry.index, **says(entry)} for entry in entries)

    def end(self) -> Iterable[bytes]:
        """Nothing."""
        return ()

    def pause(self) -> tuple[bytes, State]:
        """No line depends on those before it."""
        return b"", {}


class Csv(JsonLines):
    """A row an entry."""

    def begin(self) -> Iterable[bytes]:
        """The columns."""
        return (piece.encode() for piece in csv_lines(COLUMNS, ()))

    def page(self, entries: list[Entry]) -> bytes:
        """A row each."""
        return "".join(csv_lines(None, (_cells(entry) for entry in entries))).encode()


class Ocsf(JsonLines):
    """An event a line, each bound to the one before."""

    def __init__(self, basis: Basis, state: State | None = None) -> None:
        log = checkpoint.parse_body(checkpoint.split_note(basis.checkpoint.note)[0]).origin
        self._chain = ocsf.Chain(log, state["previous"] if state else None)

    def page(self, entries: list[Entry]) -> bytes:
        """An event each."""
        told = (ocsf.Told(entry.index, says(entry), bytes(entry.leaf)) for entry in entries)
        return _lines(map(self._chain.event, told))

    def pause(self) -> tuple[bytes, State]:
        """The event that the next is bound to."""
        return b"", {"previous": self._chain.previous}


def written(taker: Taker, pages: Iterable[list[Entry]]) -> Iterator[bytes]:
    """All of a file, as it is made."""
    yield from taker.begin()
    for page in pages:
        yield taker.page(page)
    yield from taker.end()


def says(entry: Entry) -> dict[str, Any]:
    """What an entry's leaf says, with people's names and words as `reveal` found them; empty where it cannot be read."""
    try:
        found = json.loads(bytes(entry.leaf))
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    if entry.words:
        found["details"] = {**found["details"], **entry.words}
    named = {"actor": (entry.actor_kind, entry.actor_name), "subject": (entry.subject_kind, entry.subject_name)}
    return found | {field: {**found[field], "name": name} for field, (kind, name) in named.items() if kind == PERSON}


def _lines(found: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found).encode("utf-8", "replace")


def _cells(entry: Entry) -> Iterable[Value]:
    return (
        entry.index, entry.recorded, entry.event, entry.actor_name, entry.actor_kind, entry.actor_id, entry.subject_name,
        entry.subject_kind, entry.subject_id, entry.session, entry.action, entry.node, entry.node_seq,
        bytes(entry.leaf_hash).hex(), bytes(entry.leaf).decode("utf-8", "replace"),
    )  # fmt: skip
