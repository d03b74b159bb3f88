"""Packages of entries that do not follow each other: those of a session, an agent, a hold. Each has its own path to the root.

Written as a stream, like a package of a span (`ledger/export.py`), and checked by the same verify.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from django.db.models import Max

from ledger import export, merkle, queries, verify_package
from ledger.events import Event
from ledger.models import Checkpoint, Cosignature, Entry, Timestamp
from ledger.packing import Packing, Row

README = """{count} selected entries from the ledger of {origin}, under the checkpoint of {size}.

Check it, offline: `python3 verify.py THIS_PACKAGE.zip`, or open verify.html in a browser and choose the package. Take both from
the project's sources. Each entry is shown to be in the ledger; that no other entry belongs here is not.

manifest.json       what the package says it holds
entries.ndjson      an entry a line: its index, the hash of its leaf, the leaf's text, and the path to the root (RFC 6962)
checkpoints.ndjson  the signed root (C2SP tlog-checkpoint)
stamps/             an RFC 3161 time stamp over it and the text that it is over, where an authority gave one: for `openssl ts -verify`
keys.txt, handovers.ndjson, names.ndjson   as in every package
"""


def basis_over(last: int) -> export.Basis:
    """What entries up to number `last` are proved by: the first checkpoint over them that bears a time stamp, else the newest with a
    witness's cosignature, else the newest. Raises NotFound before the first checkpoint.

    None is from before the log's key changed last: a package holds every key, and the entries that introduce them.
    """
    changed = Entry.objects.filter(event=Event.LEDGER_KEY_CHANGED).aggregate(last=Max("index"))["last"]
    after = last if changed is None else max(last, changed)
    stamped = Timestamp.objects.filter(size__gt=after).order_by("size").values_list("size", flat=True)
    cosigned = Cosignature.objects.filter(size__gt=after).order_by("-size").values_list("size", flat=True)
    outside = stamped.filter(size__in=Cosignature.objects.values("size")).first() or stamped.first() or cosigned.first()
    newest = export.newest_basis()
    return newest if outside is None else newest._replace(checkpoint=Checkpoint.objects.get(size=outside))


def stream(entries: Iterable[list[Row]], basis: export.Basis) -> Iterator[bytes]:
    """The package's bytes as they are made. `entries` come in pages by index, all under the checkpoint of `basis`."""
    return packing(basis).stream(entries)


def packing(basis: export.Basis, state: Mapping[str, Any] | None = None) -> Packing:
    """The package in the making; with the `state` in which an earlier one paused, that one gone on with."""
    lines, after = partial(_lines, basis.checkpoint.size), partial(_after, basis)
    return Packing(lambda: (), lines, export.people_in, after, made=basis.made, state=state)


def _after(basis: export.Basis, people: set[str], count: int) -> Iterator[tuple[str, Iterable[bytes]]]:
    newest, made = basis
    whole = export.Package(0, 0, newest.size, newest)
    origin = export.origin_of(whole)
    says: dict[str, Any] = {
        "format": verify_package.FORMAT, "selected": True, "origin": origin, "made": made.isoformat(),
        "first": 0, "last": 0, "size": newest.size, "entries": count, "existing_checkpoints": 1,
    }  # fmt: skip
    yield "manifest.json", [json.dumps(says, indent=1, sort_keys=True).encode()]
    yield "README.txt", [README.format(count=count, origin=origin, size=newest.size).encode()]
    yield verify_package.NAMES, export.names(people)
    yield from export.common_files(whole)
    yield from export.stamps([newest.size])
    note = {"size": newest.size, "note": export.cosigned([newest.size])[newest.size]}
    yield "checkpoints.ndjson", [json.dumps(note, ensure_ascii=False).encode() + b"\n"]


def _lines(size: int, page: Sequence[Row]) -> bytes:
    """A line an entry with its path; a page's tiles are read at once."""
    tree = queries.stored_tree(size)
    paths = [merkle.inclusion_spans(index, size) for index, _, _ in page]
    tree.read(span for path in paths for span in path)
    return b"".join(
        export.line(index, leaf_hash, leaf, path=[export.text_of(part) for part in tree.hashes(spans)])
        for (index, leaf_hash, leaf), spans in zip(page, paths, strict=True)
    )


def pages(found: Iterable[list[Entry]]) -> Iterator[list[Row]]:
    """Pages of entries as pages of rows."""
    for page in found:
        yield [(entry.index, bytes(entry.leaf_hash), bytes(entry.leaf)) for entry in page]
