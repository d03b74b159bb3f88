"""Entries of the ledger as files: a package of evidence, OCSF events, JSON lines, CSV. Made while they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from django.db import DatabaseError, connection, transaction
from django.http import StreamingHttpResponse

from audit import ocsf
from audit.explorer import found_in, matching
from core.cells import Value, csv_lines
from core.errors import Invalid, NotFound
from core.streaming import streamed
from ledger import checkpoint, export_selected
from ledger.entries import PERSON
from ledger.export import Basis, newest_basis
from ledger.models import Entry

COLUMNS = (
    "entry", "recorded", "event", "who", "who kind", "who id", "about", "about kind", "about id", "session", "action", "node", "number",
    "leaf hash", "leaf",
)  # fmt: skip
AT_ONCE = 20_000  # entries that are sent while they are found; more are made in the background
COUNTED_WITHIN = 500  # milliseconds
Parts = Callable[[Iterable[list[Entry]], Basis], Iterator[bytes]]


class Form(NamedTuple):
    """A form that entries are taken away in: a file's name and media type, what writes it, and what reports call it."""

    name: str
    kind: str
    parts: Parts
    format: str


def take(asked: Mapping[str, Any], form: str) -> StreamingHttpResponse:
    """The entries that were asked for, as a file of one of FORMS. Raises Invalid for another, NotFound where nothing is signed or found."""
    made = form_of(form)
    basis = basis_of(asked)
    pages = matching(asked, basis.checkpoint.size)
    return streamed(made.parts(pages, basis), name=made.name, kind=made.kind)


def form_of(name: str) -> Form:
    """The form of that name. Raises Invalid."""
    found = FORMS.get(name)
    if found is None:
        raise Invalid("format", f"There is no format {name[:20]!r}.", f"Known are {', '.join(FORMS)}.")
    return found


def basis_of(asked: Mapping[str, Any]) -> Basis:
    """What proves the entries that were asked for. Raises NotFound where nothing is signed or found."""
    size = newest_basis().checkpoint.size
    last = found_in(asked, size).order_by("-index").values_list("index", flat=True).first()
    if last is None:
        raise NotFound("No signed entry matches.", "Change the filters.")
    return export_selected.basis_over(last)


def are_many(asked: Mapping[str, Any]) -> bool:
    """Whether what was asked for is too much to be sent while it is found: too many entries, or too long to count them."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [COUNTED_WITHIN])
            return found_in(asked, newest_basis().checkpoint.size)[: AT_ONCE + 1].count() > AT_ONCE
    except DatabaseError:
        return True


def _evidence(pages: Iterable[list[Entry]], basis: Basis) -> Iterator[bytes]:
    return export_selected.stream(export_selected.pages(pages), basis)


def _jsonl(pages: Iterable[list[Entry]], basis: Basis) -> Iterator[bytes]:
    return _lines({"index": entry.index, **says(entry)} for page in pages for entry in page)


def _ocsf(pages: Iterable[list[Entry]], basis: Basis) -> Iterator[bytes]:
    log = checkpoint.parse_body(checkpoint.split_note(basis.checkpoint.note)[0]).origin
    told = (ocsf.Told(entry.index, says(entry), bytes(entry.leaf)) for page in pages for entry in page)
    return _lines(ocsf.events(told, log))


def _csv(pages: Iterable[list[Entry]], basis: Basis) -> Iterator[bytes]:
    return (piece.encode() for piece in csv_lines(COLUMNS, (_cells(entry) for page in pages for entry in page)))


FORMS: Mapping[str, Form] = {
    "evidence": Form("narrowgate-evidence-selected.zip", "application/zip", _evidence, "zip"),
    "ocsf": Form("narrowgate-entries.ocsf.ndjson", "application/x-ndjson", _ocsf, "ocsf"),
    "jsonl": Form("narrowgate-entries.jsonl", "application/jsonl", _jsonl, "jsonl"),
    "csv": Form("narrowgate-entries.csv", "text/csv; charset=utf-8", _csv, "csv"),
}


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


def _lines(found: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """A line each, some at a time."""
    some: list[str] = []
    for one in found:
        some.append(json.dumps(one, ensure_ascii=False))
        if len(some) == 200:
            yield ("\n".join(some) + "\n").encode("utf-8", "replace")
            some = []
    if some:
        yield ("\n".join(some) + "\n").encode("utf-8", "replace")


def _cells(entry: Entry) -> Iterable[Value]:
    return (
        entry.index, entry.recorded, entry.event, entry.actor_name, entry.actor_kind, entry.actor_id, entry.subject_name,
        entry.subject_kind, entry.subject_id, entry.session, entry.action, entry.node, entry.node_seq,
        bytes(entry.leaf_hash).hex(), bytes(entry.leaf).decode("utf-8", "replace"),
    )  # fmt: skip
