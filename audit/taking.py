"""Entries of the ledger as files: a package of evidence, OCSF events, JSON lines, CSV. Made while they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from django.http import StreamingHttpResponse

from audit import ocsf
from audit.explorer import matching
from core.cells import Value
from core.errors import Invalid, NotFound
from core.streaming import csv_file, streamed
from ledger import checkpoint, export_selected, queries
from ledger.models import Checkpoint, Entry
from ledger.personal import PERSON

COLUMNS = (
    "entry", "recorded", "event", "who", "who kind", "who id", "about", "about kind", "about id", "session", "action", "node", "number",
    "leaf hash", "leaf",
)  # fmt: skip
Pages = Iterator[list[Entry]]


def take(asked: Mapping[str, Any], form: str) -> StreamingHttpResponse:
    """The entries that were asked for, as a file of one of FORMS. Raises Invalid for another, NotFound where nothing is signed or found."""
    make = FORMS.get(form)
    if make is None:
        raise Invalid("format", f"There is no format {form[:20]!r}.", f"Known are {', '.join(FORMS)}.")
    newest = queries.last_checkpoint()
    if newest is None:
        raise NotFound("The ledger has no checkpoint yet.", "Record something, and wait a second.")
    pages = matching(asked, newest.size)
    first = next(pages, None)
    if first is None:
        raise NotFound("No signed entry matches.", "Change the filters.")
    return make(chain([first], pages), newest)


def _evidence(pages: Iterable[list[Entry]], newest: Checkpoint) -> StreamingHttpResponse:
    package = export_selected.stream(export_selected.pages(pages), newest)
    return streamed(package, name="narrowgate-evidence-selected.zip", kind="application/zip")


def _jsonl(pages: Iterable[list[Entry]], newest: Checkpoint) -> StreamingHttpResponse:
    lines = ({"index": entry.index, **says(entry)} for page in pages for entry in page)
    return streamed(_lines(lines), name="narrowgate-entries.jsonl", kind="application/jsonl")


def _ocsf(pages: Iterable[list[Entry]], newest: Checkpoint) -> StreamingHttpResponse:
    log = checkpoint.parse_body(checkpoint.split_note(newest.note)[0]).origin
    told = (ocsf.Told(entry.index, says(entry), bytes(entry.leaf)) for page in pages for entry in page)
    return streamed(_lines(ocsf.events(told, log)), name="narrowgate-entries.ocsf.ndjson", kind="application/x-ndjson")


def _csv(pages: Iterable[list[Entry]], newest: Checkpoint) -> StreamingHttpResponse:
    return csv_file("narrowgate-entries.csv", COLUMNS, (_cells(entry) for page in pages for entry in page))


FORMS: dict[str, Callable[[Iterable[list[Entry]], Checkpoint], StreamingHttpResponse]] = {
    "evidence": _evidence,
    "ocsf": _ocsf,
    "jsonl": _jsonl,
    "csv": _csv,
}


def says(entry: Entry) -> dict[str, Any]:
    """What an entry's leaf says, with the people's names of its row; empty where it cannot be read."""
    try:
        found = json.loads(bytes(entry.leaf))
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
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
