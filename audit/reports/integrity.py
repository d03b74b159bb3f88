"""Log integrity: the entries of a period read and hashed again, each checkpoint's signature and root, each node's numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from django.db.models import CharField, Count, QuerySet, Value

from audit.reports.period import Period
from audit.reports.shape import Chart, Column, Content, Figure, Row, Table, moment
from audit.reports.timeline import over_time
from audit.reports.walk import Mark, Told, Walk, walk
from core import words
from core.errors import NarrowgateError
from ledger import merkle, queries
from ledger.checkpoint import VerifierKey
from ledger.events import Event
from ledger.models import Checkpoint, Entry, Key
from ledger.proving import Prover

CHUNK = 2_000
SAMPLES = 12
_NODES = (
    Column("node", "Node", "name"),
    Column("entries", "Entries", "count"),
    Column("first", "From number", "position"),
    Column("last", "To number", "position"),
    Column("missing", "Missing", "count"),
)
_EVENTS = (
    Column("event", "Event", "name"),
    Column("entries", "Entries", "count"),
    Column("meaning", "An entry of it states"),
)
_PROOFS = (
    Column("index", "Entry", "position"),
    Column("event", "Event", "name"),
    Column("recorded", "Recorded", "time"),
    Column("hashes", "Hashes to the root", "count"),
    Column("state", "Proof", "decision"),
)
_FINDINGS = (Column("finding", "What is wrong"),)
CHECKPOINTS = (
    Column("size", "Entries", "position"),
    Column("signed_at", "Signed", "time"),
    Column("state", "Signature and root", "decision"),
    Column("root", "Root", "hash"),
    Column("why", "What is wrong"),
)


def span_of(period: Period, size: int) -> tuple[int, int]:
    """The entries recorded in the period, as first and last (exclusive) places below `size`; equal where there are none."""
    inside = Entry.objects.filter(recorded__gte=period.since, recorded__lt=period.until, index__lt=size).order_by(
        "index"
    )
    first, last = inside.first(), inside.last()
    return (first.index, last.index + 1) if first and last else (size, size)


def content(period: Period, size: int, passed: Callable[[int, int], None]) -> Content:
    """The report's content over the ledger's first `size` entries; `passed` hears how many entries of how many were read."""
    first, last = span_of(period, size)
    walked = _walked(first, last, passed)
    inside = Entry.objects.filter(index__gte=first, index__lt=last)
    marks = Checkpoint.objects.filter(size__gt=first, size__lte=last)
    tables = (
        Table(
            "findings", "What does not hold", _FINDINGS, lambda: _findings(walked), printed=50, empty="Everything held."
        ),
        Table("nodes", "Numbers of each node", _NODES, lambda: _nodes(walked), printed=60),
        Table("proofs", "Entries proved one by one, in the newest checkpoint", _PROOFS, lambda: _proofs(first, last)),
        Table("events", "What was recorded", _EVENTS, lambda: _events(inside), printed=80),
        Table("checkpoints", "Every checkpoint", CHECKPOINTS, lambda: _checkpoints(marks, walked), printed=100, wide=4),
    )
    charts = (_over_time(inside, period),)
    return Content(_headline(walked, first, last), walked.checkpoints, _figures(walked, first, last), charts, tables)


def _walked(first: int, last: int, passed: Callable[[int, int], None]) -> Walk:
    try:
        before = merkle.CompactRange(first, queries.hashes(merkle.perfect_spans(0, first)))
    except NarrowgateError as error:
        return Walk(findings=[f"The tree before entry {first} cannot be read: {error}"])
    rows = Entry.objects.filter(index__gte=first, index__lt=last).order_by("index")
    fields = rows.values_list("index", "leaf_hash", "leaf", "node", "node_seq").iterator(CHUNK)
    told = (Told(index, bytes(stored), bytes(leaf), node, seq) for index, stored, leaf, node, seq in fields)
    signed = Checkpoint.objects.filter(size__gt=first, size__lte=last).order_by("size")
    marks = (
        Mark(size, bytes(root), note) for size, root, note in signed.values_list("size", "root", "note").iterator(CHUNK)
    )
    keys = [VerifierKey.parse(key.verifier) for key in Key.objects.order_by("-first_size")]
    found = walk(before, told, marks, keys, lambda read: passed(read, last - first))
    if found.entries < last - first and not found.missing:
        found.missing = last - first - found.entries
        found.find(f"{words.plural(found.missing, 'entry', 'entries')} of the period are missing.")
    return found


def _headline(walked: Walk, first: int, last: int) -> str:
    if first == last:
        return "Nothing was recorded in this period."
    read = f"{words.plural(walked.entries, 'entry', 'entries')} and {words.plural(walked.checkpoints, 'checkpoint')} were read and checked"
    if walked.ok:
        return f"The log holds: {read}; nothing is missing, nothing was changed."
    return f"The log does not hold: {read}; see what is wrong below."


def _figures(walked: Walk, first: int, last: int) -> tuple[Figure, ...]:
    numbers = sum(node.missing for node in walked.nodes.values())
    place = f"{words.position(first)} to {words.position(last - 1)}" if last > first else ""
    return (
        Figure("Entries read", walked.entries, note=place),
        Figure(
            "Entries that were changed",
            walked.wrong,
            note="whose bytes no longer give their hash",
            bad=walked.wrong > 0,
        ),
        Figure("Entries missing", walked.missing, bad=walked.missing > 0),
        Figure("Checkpoints checked", walked.checkpoints, note="signature, and the root that the entries give"),
        Figure("Checkpoints that do not hold", len(walked.bad), bad=bool(walked.bad)),
        Figure("Nodes", len(walked.nodes)),
        Figure("Numbers missing", numbers, note="each node numbers its entries without gaps", bad=numbers > 0),
    )


def _over_time(inside: QuerySet[Entry], period: Period) -> Chart:
    everything = Value("entries", output_field=CharField())
    series = (("entries", "Entries", "plain"),)
    return over_time("Entries recorded", inside, "recorded", period, kind=everything, series=series)


def _findings(walked: Walk) -> Iterator[Row]:
    yield from ({"finding": sentence} for sentence in walked.findings)
    yield from (
        {"finding": f"The checkpoint of {words.position(size)} entries: {why}."} for size, why in walked.bad.items()
    )


def _nodes(walked: Walk) -> Iterator[Row]:
    for name, node in sorted(walked.nodes.items()):
        yield {"node": name, "entries": node.entries, "first": node.first, "last": node.last, "missing": node.missing}


def _proofs(first: int, last: int) -> Iterator[Row]:
    """Some entries of the part, evenly spread, each with the path that leads to the newest signed root."""
    wanted = (
        sorted({first + (last - first - 1) * step // max(1, SAMPLES - 1) for step in range(SAMPLES)})
        if last > first
        else []
    )
    prover = Prover()
    for entry in Entry.objects.filter(index__in=wanted).order_by("index"):
        proof = prover.proof(entry)
        recorded: datetime | None = entry.recorded
        yield {
            "index": entry.index,
            "event": entry.event,
            "recorded": moment(recorded),
            "hashes": len(proof.hashes),
            "state": proof.state,
        }


def _events(inside: QuerySet[Entry]) -> Iterator[Row]:
    meanings = {event.value: event.meaning for event in Event}
    counted = inside.values_list("event").annotate(n=Count("pk")).order_by("-n", "event")
    for event, number in counted:
        yield {"event": event, "entries": number, "meaning": meanings.get(event, "")}


def _checkpoints(marks: QuerySet[Checkpoint], walked: Walk) -> Iterator[Row]:
    for size, root, signed_at in marks.order_by("size").values_list("size", "root", "signed_at").iterator(CHUNK):
        why = walked.bad.get(size, "")
        state = "broken" if why else "verified"
        yield {"size": size, "signed_at": moment(signed_at), "state": state, "root": bytes(root).hex(), "why": why}
