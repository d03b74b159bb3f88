"""The ledger's page: found by who, what, when and words, within a bounded look; it follows along, and shows what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit import explorer
from audit.explorer import EntriesForm, entries_page, missing_before
from console.database import Logins
from ledger.models import Entry, Outbox
from tests.approvals.world import World, assemble
from tests.audit.test_pages import _as, _sequence
from tests.cast import Cast


@pytest.fixture
def world(fresh_database: Logins, fresh_cast: Cast, tmp_path: Path) -> World:
    """A world whose entries are in the log."""
    made = assemble(fresh_cast)
    _sequence(fresh_database, tmp_path)
    return made


def _found(**asked: str) -> list[Entry]:
    form = EntriesForm(asked)
    assert form.is_valid(), form.errors
    return entries_page(form.cleaned_data).rows


def test_entries_are_found_by_everything_that_they_name(world: World) -> None:
    size = Entry.objects.count()
    assert [entry.index for entry in _found()] == list(range(size))[::-1][:50]
    assert {entry.event for entry in _found(event="agent:enrolled")} == {"agent:enrolled"}
    by_engineer = _found(actor="enzo")
    assert {entry.actor_name for entry in by_engineer} == {str(world.cast.engineer)}
    assert {entry.subject_id for entry in _found(agent=world.agent.name)} == {str(world.agent.id)}
    assert {entry.subject_id for entry in _found(resource=world.resource.name)} == {str(world.resource.id)}
    assert {entry.subject_id for entry in _found(q=str(world.agent.id))} == {str(world.agent.id)}
    both = _found(actor="enzo", event="segment:created")
    assert [entry.index for entry in both] == [one.index for one in by_engineer if one.event == "segment:created"]
    assert {entry.event for entry in _found(q="segment created", actor="enzo")} <= {"segment:created"}
    assert _found(actor="nobody at all") == _found(agent="nobody") == _found(q="no such word") == []


def test_time_bounds_what_is_found(world: World) -> None:
    now = timezone.now().isoformat()
    assert _found(since=now) == _found(since=now, agent=world.agent.name) == _found(since=now, q="segment") == []
    assert len(_found(until=now)) == min(50, Entry.objects.count())
    assert _found(until="2001-01-01T00:00:00Z") == []
    assert _found(period="24h")


def test_a_page_looks_no_further_than_it_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer, "LOOK", 5)
    form = EntriesForm({"q": "person:invited"})
    assert form.is_valid()
    seen, key, pages = [], "", 0
    while True:
        page = entries_page(form.cleaned_data, key, 2)
        seen += page.rows
        pages += 1
        key = page.more
        if not key:
            break
    assert pages > 3
    assert [one.index for one in seen] == list(
        Entry.objects.filter(event="person:invited").order_by("-index").values_list("index", flat=True)
    )


def test_a_missing_number_is_shown_before_what_follows_it() -> None:
    numbers = [("b", 4), ("a", 9), ("b", 3), ("a", 6), ("a", 5)]
    rows = [Entry(index=9 - at, node=node, node_seq=number) for at, (node, number) in enumerate(numbers)]
    assert missing_before(rows) == {8: "7 to 8"}


def _get(client: Client, name: str, *parts: Any, **asked: str) -> tuple[int, str]:
    answer = client.get(reverse(name, args=parts), asked)
    return answer.status_code, answer.content.decode()


def test_a_page_that_is_open_follows_along_and_reads_once(world: World) -> None:
    client = _as(world.cast.auditor)
    status, page = _get(client, "record:ledger")
    size = Entry.objects.count()
    assert (status, reverse("record:tail", args=[size]) in page) == (200, True)
    before = Outbox.objects.count()
    status, rows = _get(client, "record:tail", size - 2)
    assert (status, rows.count("<tr>"), Outbox.objects.count()) == (200, 2, before)
    assert _get(client, "record:tail", size)[1].count("<tr>") == 0
    assert _get(_as(world.cast.reviewer), "record:tail", 0)[0] == 404


def test_what_cannot_be_asked_names_the_field_and_keeps_what_was_typed(world: World) -> None:
    status, page = _get(_as(world.cast.auditor), "record:ledger", event="no:such", actor="ada")
    assert (status, "Event:" in page, 'value="ada"' in page) == (422, True, True)


def test_an_entry_has_what_a_browser_needs_to_check_it(world: World) -> None:
    _, page = _get(_as(world.cast.auditor), "record:entry", 3)
    assert page.count("data-sibling=") >= 3
    assert "data-leaf=" in page
    assert "no witness has cosigned it yet" in page
