"""Entries of the ledger as files: a package of evidence, OCSF events, JSON lines, CSV. Made while they are sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django.db import DatabaseError, connection, transaction
from django.http import StreamingHttpResponse

from audit import takers
from audit.explorer import found_in, matching
from audit.takers import Taker
from core.errors import Invalid, NotFound
from core.streaming import streamed
from ledger import export_selected
from ledger.export import Basis, newest_basis

AT_ONCE = 20_000  # entries that are sent while they are found; more are made in the background
COUNTED_WITHIN = 500  # milliseconds
Making = Callable[[Basis, takers.State | None], Taker]


class Form(NamedTuple):
    """A form that entries are taken away in: a file's name and media type, what writes it, and what reports call it."""

    name: str
    kind: str
    taker: Making
    format: str


def take(asked: Mapping[str, Any], form: str) -> StreamingHttpResponse:
    """The entries that were asked for, as a file of one of FORMS. Raises Invalid for another, NotFound where nothing is signed or found."""
    made = form_of(form)
    basis = basis_of(asked)
    pages = matching(asked, basis.checkpoint.size)
    return streamed(takers.written(made.taker(basis, None), pages), name=made.name, kind=made.kind)


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


FORMS: Mapping[str, Form] = {
    "evidence": Form("narrowgate-evidence-selected.zip", "application/zip", takers.Evidence, "zip"),
    "ocsf": Form("narrowgate-entries.ocsf.ndjson", "application/x-ndjson", takers.Ocsf, "ocsf"),
    "jsonl": Form("narrowgate-entries.jsonl", "application/jsonl", takers.JsonLines, "jsonl"),
    "csv": Form("narrowgate-entries.csv", "text/csv; charset=utf-8", takers.Csv, "csv"),
}
