"""The ledger, a page at a time: newest first, each page within a bounded number of rows looked at, whatever is asked.

Who, what, which event and when are found through indexes. Words, and several of these at once, are looked for in the newest
entries, so many and no more; a page that found less says how far back it looked, and the next goes on there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet

from accounts.models import User
from activity.asked import FindForm, agents_named, containing, identifier_in, resource_named, window_of
from activity.listing import Listed
from core.keyset import A_PAGE
from ledger.events import Event
from ledger.models import Entry
from ledger.personal import reveal

LOOK = 20_000  # entries that follow each other, looked through for one page: at most 0.1 s
SCATTERED = 1_500  # entries that an index finds all over the table, likewise
MOST_PEOPLE = 50
TAKEN_AT_A_TIME = 1_000
LATE = 5_000  # entries that a late commit may stand from its place by time
_EXACT = {"subject": "subject_id", "session": "session", "action": "action"}
WORDS_IN = ("event", "actor_name", "subject_name", "subject_kind", "node")


class EntriesForm(FindForm):
    """What the ledger is filtered by."""

    event = forms.ChoiceField(
        required=False, choices=[("", "All events"), *((event.value, event.value) for event in sorted(Event))]
    )
    actor = forms.CharField(required=False, max_length=100, label="Who")


def entries_page(asked: Mapping[str, Any], before: str = "", size: int = A_PAGE) -> Listed:
    """The first `size` entries that were asked for, behind the index `before`, with the names of people."""
    found = _in_time(Entry.objects.all(), asked)
    found = (
        found.filter(index__lt=int(before)) if before.isascii() and before.isdecimal() and len(before) < 19 else found
    )
    event, groups = asked.get("event"), _groups(asked)
    if event:
        groups.append([Q(event=event)])
    keys, *others = groups or [[Q()]]
    rest = reduce(and_, [reduce(or_, group) for group in others], Q())
    words = "" if identifier_in(asked.get("q") or "") else asked.get("q") or ""
    rest &= containing(words, *WORDS_IN)
    if not rest:
        return _cut(_union(found, keys, Q(), size), size)
    return _looked(found, keys, rest, LOOK if keys == [Q()] else SCATTERED, size)


def found_in(asked: Mapping[str, Any], size: int) -> QuerySet[Entry]:
    """Every entry that was asked for among the first `size`."""
    found = _in_time(Entry.objects.filter(index__lt=size), asked)
    found = found.filter(event=asked["event"]) if asked.get("event") else found
    for group in _groups(asked):
        found = found.filter(reduce(or_, group))
    if not identifier_in(asked.get("q") or ""):
        found = found.filter(containing(asked.get("q") or "", *WORDS_IN))
    return found


def matching(asked: Mapping[str, Any], size: int, after: int = -1) -> Iterator[list[Entry]]:
    """What `found_in` finds, oldest first, behind the index `after`, with names; a thousand are held at a time."""
    found = found_in(asked, size)
    while page := reveal(found.filter(index__gt=after).order_by("index")[:TAKEN_AT_A_TIME]):
        yield page
        after = page[-1].index


def tail(after: int) -> list[Entry]:
    """The newest entries from the index `after` on, at most a page of them, newest first."""
    return reveal(_newest(Entry.objects.filter(index__gte=after), A_PAGE)[:A_PAGE])


def missing_before(rows: list[Entry]) -> dict[int, str]:
    """By index, which numbers of its node are missing before an entry, of entries that follow each other without a filter."""
    seen: dict[str, Entry] = {}
    found = {}
    for entry in rows:  # newest first
        later = seen.get(entry.node)
        if later is not None and None not in {later.node_seq, entry.node_seq}:
            first, last = (entry.node_seq or 0) + 1, (later.node_seq or 0) - 1
            if first <= last:
                found[later.index] = f"{first} to {last}" if first < last else str(first)
        seen[entry.node] = entry
    return found


def _groups(asked: Mapping[str, Any]) -> list[list[Q]]:
    """What is named, by name or identifier: each entry that was asked for matches one of each group, by an index of its own."""
    groups: list[list[Q]] = []
    if identifier := identifier_in(asked.get("q") or ""):
        groups.append(_identified(identifier))
    if asked.get("agent"):
        agents = [str(one) for one in agents_named(asked["agent"])[:MOST_PEOPLE]] or [asked["agent"]]
        groups.append([Q(**{f"{side}_id": one}) for one in agents for side in ("actor", "subject")])
    if asked.get("actor"):
        groups.append([Q(actor_id=one) for one in _actors(asked["actor"])])
    if asked.get("resource"):
        named = [str(one) for one in resource_named(asked["resource"])] or [asked["resource"]]
        groups.append([Q(subject_id=one) for one in named])
    groups += [[Q(**{column: str(asked[name])})] for name, column in _EXACT.items() if asked.get(name)]
    return groups


def _actors(name: str) -> list[str]:
    """The identifiers of people and agents of that name: the ledger holds commitments to people's names."""
    people = User.objects.filter(Q(name__icontains=name) | Q(username=name)).values_list("id", flat=True)[:MOST_PEOPLE]
    return [*map(str, people), *map(str, agents_named(name)[:MOST_PEOPLE]), name]


def _identified(identifier: UUID) -> list[Q]:
    text = str(identifier)
    return [Q(uid=identifier), *(Q(**{column: text}) for column in ("subject_id", "actor_id", "session", "action"))]


def _in_time(found: QuerySet[Entry], asked: Mapping[str, Any]) -> QuerySet[Entry]:
    """Those recorded in the time that was asked for, bounded by index: time follows it but for late commits."""
    window = window_of(asked)
    found = found.filter(window.on("recorded"))
    if window.since:
        first = _first_from(window.since)
        found = found.filter(index__gte=first - LATE) if first is not None else found.filter(pk__in=[])
    last = _first_from(window.until) if window.until else None
    return found.filter(index__lt=last + LATE) if last is not None else found


def _first_from(moment: datetime) -> int | None:
    return Entry.objects.filter(recorded__gte=moment).order_by("recorded").values_list("index", flat=True).first()


def _newest(found: QuerySet[Entry], size: int) -> QuerySet[Entry]:
    return found.order_by("-index")[: size + 1]


def _union(found: QuerySet[Entry], keys: Sequence[Q], rest: Q, size: int) -> list[Entry]:
    """The newest by several keys: those of each through its index, then the newest of all, in one query."""
    first, *others = [_newest(found.filter(key, rest), size) for key in keys]
    rows = first.union(*others, all=True).order_by("-index")[: len(keys) * (size + 1)] if others else first
    return list({entry.index: entry for entry in rows}.values())


def _looked(found: QuerySet[Entry], keys: Sequence[Q], rest: Q, most: int, size: int) -> Listed:
    """Look for `rest` among the newest by each key, `most` of them together."""
    each = max(most // len(keys), size)
    first, *others = [
        found.filter(key).order_by("-index").values_list("index", "recorded")[each : each + 1] for key in keys
    ]
    ends = list(first.union(*others, all=True) if others else first)
    end = max(ends, default=None)
    page = _cut(_union(found.filter(index__gt=end[0]) if end else found, keys, rest, size), size)
    return Listed(page.rows, str(end[0] + 1), end[1]) if end and not page.more else page


def _cut(rows: Collection[Entry], size: int) -> Listed:
    shown = list(rows)
    return Listed(reveal(shown[:size]), str(shown[size - 1].index) if len(shown) > size else "")
