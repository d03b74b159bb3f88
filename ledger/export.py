"""Packages of evidence: a ZIP that convinces somebody who trusts nothing of ours. `ledger/verify.py` checks it.

Written as a stream: memory does not grow with the ledger. A package of a part holds the hashes of the subtrees
before and after it, so that its entries lead to a signed root like those of the whole.
"""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from django.db import connection

from core.errors import Invalid, NotFound
from ledger import (
    checkpoint,
    handover,
    merkle,
    personal,
    queries,
    verify,
    verify_keys,
    verify_package,
    verify_passkeys,
    verify_primitives,
    verify_report,
    verify_witnesses,
)
from ledger.events import Event
from ledger.models import Checkpoint, Cosignature, Entry, Key, Timestamp
from ledger.packing import Packing, Row
from ledger.publishing.configured import quorum

PAGE = 1_000  # entries read at a time
PART = 1 << 18  # bytes of a report's file read at a time
MOST_CHECKPOINTS = 500  # in a package; more are thinned evenly, the last always stays

NODES_SQL = """
WITH pending AS MATERIALIZED (SELECT node, count(*) AS entries FROM ledger_unsequenced(%(seen)s) GROUP BY node),
newer AS MATERIALIZED (SELECT node, count(*) AS entries FROM ledger_entry WHERE index >= %(size)s GROUP BY node)
SELECT name, seq - coalesce(pending.entries, 0) - coalesce(newer.entries, 0) FROM ledger_node
LEFT JOIN pending ON pending.node = name LEFT JOIN newer ON newer.node = name ORDER BY name
"""

PAGE_FOLDER = Path(__file__).parent / "verify_page"
PAGE_PARTS = ("page.html", "primitives.js", "package.js", "checks.js", "show.js")

# In a leaf, which is canonical. Reasons, and what was looked for, are what people type: what else is found so has nothing that opens it.
PERSON = re.compile(rb'(?:"kind":"person","name"|"reason"|"q"):"(sha256:[0-9a-f]{64})"')

HEAD_SQL = """
SELECT size - (SELECT count(*) FROM ledger_entry WHERE index >= %s), snapshot FROM ledger_head WHERE id = 1
"""

THINNED_SQL = """
SELECT max(size) FROM (
    SELECT size, ntile(%s) OVER (ORDER BY size) AS part FROM ledger_checkpoint WHERE size BETWEEN %s AND %s
) AS parts GROUP BY part ORDER BY 1
"""

README = """Evidence from the ledger of {origin}
Entries {first} to {end}; the last checkpoint covers {size}.

To check it, offline, with Python 3.9 or newer and nothing else:

    python3 verify.py THIS_PACKAGE.zip

Or open verify.html in a browser, which needs no network, and choose the package. It checks the same.

It prints VALID or NOT VALID, what it checked and what it did not. It says more when you give it a checkpoint that
you kept from earlier, or got from somebody else, and the verifier key that you were given by the organisation:

    python3 verify.py THIS_PACKAGE.zip --checkpoint FILE --key NAME+HASH+KEY

verify.py and verify.html in this package are copies for your convenience: take those that you have read, from the project's sources.
Keep checkpoint.txt: it is all you need to notice later whether anything recorded until now was changed or removed.

manifest.json       what the package says it holds
entries.ndjson      an entry a line: its index, the hash of its leaf, and the leaf's text, which is JSON (RFC 8785)
checkpoints.ndjson  signed roots (C2SP tlog-checkpoint); the tree is that of RFC 6962
checkpoint.txt      the last of them
stamps/             RFC 3161 time stamps over some of them, each with the text that it is over: for `openssl ts -verify`
witnesses.txt       keys of the witnesses whose cosignatures stand under checkpoints
keys.txt            the keys that signed them, in order; each but the first was introduced by the one before
handovers.ndjson    where that happened outside these entries: the entry that says so, and its path to the root
names.ndjson        names of people and reasons they gave, each with the salt that shows it is what entries committed to; not of those erased
report.json         with a report: the entry that states its files' hashes, and its path to the root
report/             with a report: its files
"""


@dataclass(frozen=True, slots=True)
class Attached:
    """A report to take along: its files by the names that entry `index` states with their hashes."""

    index: int
    files: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Package:
    """What an export holds: entries `first` to `last`, exclusive, under the checkpoint of `size`."""

    first: int
    last: int
    size: int
    checkpoint: Checkpoint
    attached: Attached | None = None
    made: datetime = field(default_factory=lambda: datetime.now(UTC))


class Basis(NamedTuple):
    """The checkpoint that a package ends under and the time that it says it was made: with the same two it is the same, bit by bit."""

    checkpoint: Checkpoint
    made: datetime


def newest_basis() -> Basis:
    """The newest checkpoint, and now. Raises NotFound before the first checkpoint."""
    newest = queries.last_checkpoint()
    if newest is None:
        raise NotFound("The ledger has no checkpoint yet.", "Record something, and wait a second.")
    return Basis(newest, datetime.now(UTC))


def plan(
    first: int = 0, last: int | None = None, attached: Attached | None = None, basis: Basis | None = None
) -> Package:
    """What an export of these entries would hold; `last` is exclusive, by default all that is signed.

    Raises NotFound where there are no such entries under a checkpoint, that of the attached report included.
    """
    newest, made = basis or newest_basis()
    end = newest.size if last is None else last
    if not 0 <= first < end <= newest.size:
        raise NotFound(f"The ledger has no signed entries {first} to {end - 1}.")
    if attached is not None and attached.index >= newest.size:
        raise NotFound("No checkpoint holds the report's entry yet.", "Wait a second.")
    return Package(first, end, newest.size, newest, attached, made)


def export(
    target: Path | IO[bytes], first: int = 0, last: int | None = None, attached: Attached | None = None
) -> Package:
    """Write a package to a file or a stream, which need not be seekable. Raises NotFound, and what `target` raises."""
    package = plan(first, last, attached)
    if isinstance(target, Path):
        with target.open("wb") as file:
            file.writelines(stream(package))
    else:
        target.writelines(stream(package))
    return package


def stream(package: Package) -> Iterator[bytes]:
    """The package's bytes as they are made, for a response that is sent while it is written."""
    return packing(package).stream(pages(package.first, package.last))


def packing(package: Package, state: Mapping[str, Any] | None = None) -> Packing:
    """The package in the making; with the `state` in which an earlier one paused, that one gone on with."""
    before, after = partial(_before, package), partial(_after, package)
    return Packing(before, _lines, people_in, after, made=package.made, state=state)


def _before(package: Package) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The files before the entries, each in parts."""
    sizes = _checkpoint_sizes(package)
    end = package.last - 1
    readme = README.format(origin=origin_of(package), first=package.first, end=end, size=package.size)
    yield "README.txt", [readme.encode()]
    yield from common_files(package)
    yield "manifest.json", [json.dumps(_manifest(package), indent=1, sort_keys=True).encode()]
    yield "checkpoints.ndjson", _checkpoints(sizes)
    yield from stamps(sizes)


def _after(package: Package, people: set[str], _count: int) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The files behind the entries."""
    yield verify_package.NAMES, names(people)
    if package.attached is not None:
        yield verify_package.REPORT, [_bound(package.attached.index, package.size)]
        for name, path in package.attached.files.items():
            yield f"{verify_package.REPORT_FILES}{name}", _parts(path)


def common_files(package: Package) -> Iterator[tuple[str, Iterable[bytes]]]:
    """What every package holds: the verifiers, the keys, and the checkpoint that it ends under."""
    yield "verify.py", [standalone_verifier().encode()]
    yield "verify.html", [verifying_page().encode()]
    yield "keys.txt", _keys()
    yield verify_package.HANDOVERS, _handovers(package)
    yield verify_package.WITNESSES, _witnesses()
    yield "checkpoint.txt", [cosigned([package.size])[package.size].encode()]


def _keys() -> Iterator[bytes]:
    """The log's keys in order. Of several that were known at one size only the last has signed: the log did not grow between."""
    for key in Key.objects.order_by("first_size", "-created_at").distinct("first_size"):
        yield f"{key.verifier}\n".encode()


def _handovers(package: Package) -> Iterator[bytes]:
    """The entries outside the package's in which the log's key handed over; those within speak for themselves."""
    found = Entry.objects.filter(event=Event.LEDGER_KEY_CHANGED, index__lt=package.size).order_by("index")
    for index, leaf in found.exclude(index__gte=package.first, index__lt=package.last).values_list("index", "leaf"):
        if handover.read_leaf(bytes(leaf)) is not None:
            yield _bound(index, package.size) + b"\n"


def _bound(index: int, size: int) -> bytes:
    """An entry that the package is bound by, and its path to the root of the tree of `size`."""
    proof = queries.inclusion(index, size=size)
    leaf = bytes(Entry.objects.values_list("leaf", flat=True).get(index=index)).decode()
    says = {"index": index, "leaf": leaf, "path": [text_of(part) for part in proof.hashes]}
    return json.dumps(says, ensure_ascii=False).encode()


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(PART):
            yield part


def origin_of(package: Package) -> str:
    """The log's name, as its checkpoint says."""
    return checkpoint.parse_body(checkpoint.split_note(package.checkpoint.note)[0]).origin


def _manifest(package: Package) -> dict[str, object]:
    left = queries.hashes(merkle.perfect_spans(0, package.first))
    right = queries.hashes(merkle.perfect_spans(package.last, package.size))
    covered = Checkpoint.objects.filter(size__gte=max(package.first, 1), size__lte=package.last)
    return {
        "format": verify_package.FORMAT,
        "origin": origin_of(package),
        "made": package.made.isoformat(),
        "first": package.first,
        "last": package.last,
        "size": package.size,
        "left": [text_of(part) for part in left],
        "right": [text_of(part) for part in right],
        "existing_checkpoints": covered.count() + (package.last < package.size),
        **_ends(package),
    }


def _ends(package: Package) -> dict[str, object]:
    """Where everything ends, as the tables say it besides the entries: a cut at the end shows."""
    if package.first or package.last < package.size:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(HEAD_SQL, [package.size])
        head, snapshot = cursor.fetchone()
        cursor.execute(NODES_SQL, {"size": package.size, "seen": snapshot})
        return {"head": head, "nodes": dict(cursor.fetchall())}


def _checkpoint_sizes(package: Package) -> list[int]:
    """The sizes of the checkpoints that a package holds: those over its entries, and the one it ends under."""
    with connection.cursor() as cursor:
        cursor.execute(THINNED_SQL, [MOST_CHECKPOINTS, max(package.first, 1), package.last])
        sizes = [size for (size,) in cursor.fetchall()]
    cosigned = Cosignature.objects.filter(size__range=(max(package.first, 1), package.last)).order_by("-size")
    stamped = Timestamp.objects.filter(size__range=(max(package.first, 1), package.last)).order_by("-size")
    outside = (found.values_list("size", flat=True)[:1] for found in (cosigned, stamped))
    return sorted({*sizes, package.size, *(size for found in outside for size in found)})


def stamps(sizes: Sequence[int]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The time stamps over checkpoints of these sizes, each with the note that was stamped: as the log signed it."""
    notes = dict(Checkpoint.objects.filter(size__in=sizes).values_list("size", "note"))
    for size, response in Timestamp.objects.filter(size__in=sizes).order_by("size").values_list("size", "response"):
        yield f"{verify_package.STAMPS}{size}.txt", [notes[size].encode()]
        yield f"{verify_package.STAMPS}{size}.tsr", [bytes(response)]


def _checkpoints(sizes: Sequence[int]) -> Iterator[bytes]:
    for size, note in sorted(cosigned(sizes).items()):
        yield json.dumps({"size": size, "note": note}, ensure_ascii=False).encode() + b"\n"


def cosigned(sizes: Sequence[int]) -> dict[int, str]:
    """The notes of checkpoints of these sizes, each with its cosignatures."""
    notes = dict(Checkpoint.objects.filter(size__in=sizes).values_list("size", "note"))
    for size, line in Cosignature.objects.filter(size__in=sizes).order_by("name").values_list("size", "line"):
        if size in notes:
            notes[size] += line
    return notes


def _witnesses() -> Iterator[bytes]:
    """The keys of the witnesses that this deployment names."""
    with suppress(Invalid):  # a file of witnesses that cannot be read takes nobody's evidence away
        for known in quorum().witnesses.values():
            yield f"{known.key}\n".encode()


def names(people: set[str]) -> Iterator[bytes]:
    """What opens the commitments to people's names and reasons, of those who are not erased."""
    for commitment, (salt, name) in sorted(personal.openings(people).items()):
        says = {"commitment": commitment, "salt": text_of(salt), "name": name}
        yield json.dumps(says, ensure_ascii=False).encode() + b"\n"


def people_in(leaves: Iterable[bytes]) -> set[str]:
    """The commitments to people's names and reasons in some leaves."""
    return {found.decode() for leaf in leaves for found in PERSON.findall(leaf)}


def pages(first: int, last: int) -> Iterator[list[Row]]:
    """The entries from `first` up to `last`, a page of them at a time; what is missing in the table is missing here."""
    after = first - 1
    while page := list(
        Entry.objects.filter(index__gt=after, index__lt=last)
        .order_by("index")
        .values_list("index", "leaf_hash", "leaf")[:PAGE]
    ):
        yield [(index, bytes(leaf_hash), bytes(leaf)) for index, leaf_hash, leaf in page]
        after = page[-1][0]


def _lines(page: Sequence[Row]) -> bytes:
    return b"".join(line(index, leaf_hash, leaf) for index, leaf_hash, leaf in page)


def line(index: int, leaf_hash: bytes, leaf: bytes, **more: object) -> bytes:
    """An entry's line."""
    says: dict[str, object] = {"index": index, "hash": text_of(leaf_hash), **more}
    try:
        says["leaf"] = leaf.decode()
    except UnicodeDecodeError:
        says["leaf_base64"] = text_of(leaf)
    return json.dumps(says, ensure_ascii=False).encode() + b"\n"


def text_of(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode()


def standalone_verifier() -> str:
    """verify.py as one file: the modules that it stands on are put where it imports them."""
    bases = (verify_primitives, verify_report, verify_keys, verify_passkeys, verify_witnesses, verify_package)
    top, *others = (Path(module.__file__ or "").read_text(encoding="utf-8") for module in (verify, *bases))
    imports = [node for node in ast.parse(top).body if _is_ours(node)]
    lines = top.splitlines()
    joined = lines[: imports[0].lineno - 1]
    for text in others:
        joined += [ast.unparse(node) for node in ast.parse(text).body if _is_library(node)]
    for text in others:
        body = [node for node in ast.parse(text).body if not isinstance(node, _PREAMBLE)]
        joined += ["", *text.splitlines()[body[0].lineno - 1 :], ""]
    return "\n".join([*joined, *lines[imports[-1].end_lineno or 0 :], ""])


def verifying_page() -> str:
    """verify.html: what verify.py checks, as one page that a browser opens from disk."""
    shell, *scripts = ((PAGE_FOLDER / name).read_text(encoding="utf-8") for name in PAGE_PARTS)
    return shell.replace("/* SCRIPT */", "\n".join(scripts))


_PREAMBLE = (ast.Expr, ast.Import, ast.ImportFrom)  # a module's docstring and its imports


def _is_ours(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ledger.")


def _is_library(node: ast.stmt) -> bool:
    """An import of the standard library; that of `__future__` may stand at the file's beginning alone."""
    own = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    return isinstance(node, ast.Import | ast.ImportFrom) and not own and not _is_ours(node)
