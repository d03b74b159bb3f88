"""Entries of the ledger as files made in the background: asked for, found, taken up after a death, proven, refused."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from accounts.scopes import EXPORT, READ
from audit import actions, explorer, taking
from audit.models import Report, folder
from audit.reading import note_read
from audit.reports import entries as written
from audit.reports import making
from audit.reports.half_written import HalfWritten
from ledger import export, verify
from ledger.export import Basis
from ledger.models import Checkpoint, Entry
from tests.audit.reports.conftest import Room, path_of
from tests.audit.reports.test_making import entries, half_way
from tests.audit.reports.test_pages import _api, _as
from tests.ledger.conftest import wait_until


def _ask(room: Room, *formats: str, **filters: str) -> Report:
    body = {**filters, "formats": list(formats)}
    answer = _api(room.cast.auditor, [READ, EXPORT], "post", "/entries", body)
    assert answer.status_code == 201, answer.json()
    return Report.objects.get(id=answer.json()["id"])


def _made(report: Report) -> Report:
    assert making.make(report.id)
    report.refresh_from_db()
    assert report.status == "ready", report.why
    return report


@pytest.fixture(autouse=True)
def signed(room: Room) -> None:
    wait_until(lambda: Entry.objects.filter(event="hold:denied").exists())


def test_what_the_explorer_found_is_made_in_the_background_when_it_is_much(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "AT_ONCE", 2)
    client, address = _as(room.cast.auditor), f"{reverse('record:take_entries')}?agent={room.world.agent.name}"
    answer: Any = client.post(address, {"format": "jsonl"}, follow=True)
    assert "These are many" in answer.content.decode()
    assert "It is being made." in answer.content.decode()
    report = _made(Report.objects.get())
    assert (report.kind, report.asked, report.formats) == ("entries", {"agent": room.world.agent.name}, ["jsonl"])
    lines = [json.loads(line) for line in path_of(report, "jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) > 2
    assert all(str(room.world.agent.id) in json.dumps(line) for line in lines)
    page = client.get(reverse("record:report", args=[report.id])).content.decode()
    assert f"agent “{room.world.agent.name}”" in page
    assert entries("report:asked")[0]["details"]["asked"] == report.asked
    stated = entries("report:made")[0]["details"]["files"]
    assert list(stated.values()) == [f"sha256:{report.files.get().sha256}"]


def test_few_are_sent_at_once(room: Room) -> None:
    answer = _as(room.cast.auditor).post(reverse("record:take_entries"), {"format": "csv"})
    assert answer.streaming
    assert not Report.objects.exists()


def test_engineers_who_see_no_reports_are_sent_many_too(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "AT_ONCE", 2)
    assert _as(room.cast.engineer).post(reverse("record:take_entries"), {"format": "csv"}).streaming


def test_a_period_is_a_span_that_proves_itself_and_a_selection_proves_each(room: Room) -> None:
    for filters, selected in (({"period": "24h"}, False), ({"event": "hold:denied"}, True)):
        report = _made(_ask(room, "zip", "ocsf", "csv", **filters))
        assert {file.format for file in report.files.all()} == {"zip", "ocsf", "csv"}
        found = verify.verify(path_of(report, "zip"))
        assert found.problems == []
        assert any("others lie between" in line for line in found.not_checked) == selected
        assert (found.entries == Entry.objects.filter(event="hold:denied").count()) == selected
        assert report.files.get(format="ocsf").download_name.endswith(".ocsf.ndjson")


def test_a_making_that_died_keeps_the_files_it_had_finished(room: Room) -> None:
    report = _ask(room, "csv", "jsonl")
    with half_way(report) as worker:
        before = {file.format: file.name for file in report.files.all()}
        assert set(before) == {"csv"}
        assert not making.make(report.id), "somebody is making it"
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert making.make_unfinished() == 1
    report.refresh_from_db()
    assert (report.status, report.begun, report.progress) == ("ready", 2, 1.0)
    assert {file.format: file.name for file in report.files.all()}.items() > before.items()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages as the worker that dies writes them."""
    monkeypatch.setattr(written, "PAUSED_EVERY", 2)
    monkeypatch.setattr(export, "PAGE", 3)
    monkeypatch.setattr(explorer, "TAKEN_AT_A_TIME", 3)


@pytest.mark.parametrize(
    ("format_", "filters"), [("zip", {}), ("zip", {"q": "o"}), ("ocsf", {"q": "o"})], ids=["span", "selection", "ocsf"]
)
@pytest.mark.usefixtures("small_pages")
def test_what_was_half_written_comes_out_bit_by_bit_the_same(
    room: Room, format_: str, filters: dict[str, str], tmp_path: Path
) -> None:
    report = _ask(room, "csv", format_, **filters)
    with half_way(report, pages=4) as worker:
        report.refresh_from_db()
        assert report.entries is not None
        basis = Basis(Checkpoint.objects.get(size=report.entries), report.asked_at)
        for name in report.formats:
            list(written.write(report, name, tmp_path / name, basis))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    half = HalfWritten.of(_part(report, format_))
    assert half.after >= 5, "two pages are on disk for good"
    note_read(room.cast.auditor, "ledger", "", {})
    wait_until(lambda: Checkpoint.objects.filter(size__gt=basis.checkpoint.size).exists())
    wait_until(lambda: making.make_unfinished() == 1)  # its lock goes once PostgreSQL hears of its death
    report.refresh_from_db()
    assert (report.status, report.begun, report.entries) == ("ready", 2, basis.checkpoint.size)
    for name in report.formats:
        assert path_of(report, name).read_bytes() == (tmp_path / name).read_bytes(), name
    if format_ == "zip":
        assert verify.verify(path_of(report, "zip")).problems == []
    assert not list(folder().glob(f"{report.id.hex}*.at"))


def _part(report: Report, name: str) -> Path:
    return folder() / f"{report.id.hex}-{name}.part"


@pytest.mark.usefixtures("small_pages")
def test_what_is_on_disk_for_good_is_not_written_again(room: Room) -> None:
    report = _ask(room, "csv", "jsonl")
    with half_way(report, pages=4) as worker:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    part = _part(report, "jsonl")
    kept = HalfWritten.of(part)
    with part.open("r+b") as file:
        file.write(b"!")
        file.seek(0, 2)
        file.write(b"what was not on disk for good")
    wait_until(lambda: making.make_unfinished() == 1)
    report.refresh_from_db()
    made = path_of(report, "jsonl").read_bytes()
    assert made[:1] == b"!"
    assert b"for good" not in made
    indexes = [json.loads(line)["index"] for line in made.splitlines()[1:]]
    assert indexes == list(range(indexes[0], indexes[-1] + 1))
    assert indexes[-1] > kept.after


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("spoilt", ["no JSON", '{"size": 99999999, "after": 3, "state": {}}', '{"other": 1}'])
def test_where_it_is_not_known_how_far_it_was_it_begins_anew(room: Room, spoilt: str, tmp_path: Path) -> None:
    report = _ask(room, "csv")
    part = _part(report, "csv")
    part.write_bytes(b"half a file")
    part.with_name(part.name + ".at").write_text(spoilt)
    _made(report)
    assert path_of(report, "csv").read_bytes().startswith(b"\xef\xbb\xbfentry,")


@pytest.mark.usefixtures("small_pages")
def test_a_cancelled_making_leaves_nothing_half_written(room: Room) -> None:
    report = _ask(room, "csv", "jsonl")
    with half_way(report, pages=4) as worker:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert list(folder().glob(f"{report.id.hex}-*"))
    actions.cancel(report.id, actor=room.cast.auditor)
    making.sweep(older_than=-1)
    assert not list(folder().glob(f"{report.id.hex}-*"))


def test_where_nothing_matches_its_page_says_so(room: Room) -> None:
    report = _ask(room, "zip", event="policy:activated", actor="nobody at all")
    assert making.make(report.id)
    report.refresh_from_db()
    assert (report.status, report.files.count()) == ("failed", 0)
    assert "No signed entry matches." in report.why


@pytest.mark.parametrize(
    ("body", "field"),
    [({"formats": ["pdf"]}, "formats"), ({"formats": []}, "formats"), ({}, "formats"), ({"formats": ["csv"], "event": "no:such"}, "event"),
     ({"formats": ["csv"], "since": "long ago"}, "since"), ({"formats": ["csv"], "since": "2026-02-02T00:00", "until": "2026-02-01T00:00"}, "until")],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_named(room: Room, body: dict[str, Any], field: str) -> None:
    answer = _api(room.cast.auditor, [READ, EXPORT], "post", "/entries", body)
    assert answer.status_code in {400, 422}
    assert field in json.dumps(answer.json())
    assert not Report.objects.exists()


def test_for_others_it_does_not_exist(room: Room) -> None:
    for who in ("reviewer", "owner", "engineer", "administrator", "outsider"):
        person = getattr(room.cast, who)
        assert _api(person, [READ, EXPORT], "post", "/entries", {"formats": ["csv"]}).status_code == 404, who
    assert _api(room.cast.auditor, [READ], "post", "/entries", {"formats": ["csv"]}).status_code == 403
