"""The making of a report: taken up after a death, stopped by a person, given up with a reason, removed in its time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from audit import actions
from audit.models import Report, folder
from audit.reports import making
from core.errors import AlreadySettled, Invalid, Refused
from ledger.models import Outbox
from ledger.personal import revealed
from tests.audit.reports.conftest import Room, path_of

HELPER = Path(__file__).with_name("maker_process.py")


def entries(event: str) -> list[dict[str, Any]]:
    return [revealed(json.loads(bytes(row.leaf))) for row in Outbox.objects.filter(event=event).order_by("id")]


@contextmanager
def half_way(report: Report, pages: int = 1) -> Iterator[subprocess.Popen[str]]:
    """A worker process that has written the CSV and is writing the spreadsheet; or entries, so many pages of the file behind the CSV."""
    command = [sys.executable, "-m", "tests.audit.reports.maker_process", str(report.id), str(pages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
            yield process
        finally:
            process.kill()


def test_a_report_whose_worker_is_killed_goes_on_where_it_was(room: Room) -> None:
    report = room.ask("oversight", "csv", "xlsx", "zip")
    with half_way(report) as worker:
        before = {file.format: file.name for file in report.files.all()}
        assert set(before) == {"jsonl", "csv"}
        assert not making.make(report.id), "somebody is making it"
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    give_up = time.monotonic() + 60
    while not making.make_unfinished():  # its lock goes once PostgreSQL hears of its death
        assert time.monotonic() < give_up
        time.sleep(0.05)
    report.refresh_from_db()
    assert (report.status, report.begun) == ("ready", 2)
    after = {file.format: file.name for file in report.files.all()}
    assert after.items() >= before.items()
    assert len(entries("report:made")) == 1
    assert making.sweep(older_than=-1) == 1, "what the dead left half written"
    assert {path.name for path in folder().iterdir()} >= set(after.values())


def test_a_report_that_never_ends_is_given_up_and_says_so(room: Room) -> None:
    report = room.ask("oversight")
    for _ in range(actions.MOST_BEGUN):
        assert actions.begin(report.id) is not None
    assert not making.make(report.id)
    report.refresh_from_db()
    assert report.status == "failed"
    assert "never ended" in report.why
    assert entries("report:failed")[0]["details"]["why"] == report.why


def test_cancelling_stops_the_making_and_leaves_no_file(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    report, at_it, go_on = room.ask("access", "csv"), threading.Event(), threading.Event()
    before = set(folder().iterdir())

    def wait(source: Path, target: Path, passed: Callable[[int], None]) -> None:
        at_it.set()
        assert go_on.wait(10)
        passed(0)

    monkeypatch.setitem(making._WRITERS, "csv", ("Writing the CSV", wait))
    monkeypatch.setattr(making, "EVERY", 0.0)
    results: list[bool] = []

    def run() -> None:
        results.append(making.make(report.id))
        connections.close_all()

    worker = threading.Thread(target=run)
    worker.start()
    assert at_it.wait(20)
    report.refresh_from_db()
    assert (report.status, report.doing) == ("making", "Writing the CSV")
    assert report.progress >= 0.5
    actions.cancel(report.id, actor=room.cast.ciso)
    go_on.set()
    worker.join(20)
    report.refresh_from_db()
    assert (results, report.status, report.files.count()) == ([False], "cancelled", 0)
    assert set(folder().iterdir()) == before
    assert entries("report:cancelled")[0]["actor"]["name"] == "Cleo Ciso"
    with pytest.raises(AlreadySettled):
        actions.cancel(report.id, actor=room.cast.ciso)


def test_what_cannot_be_written_is_said(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path, passed: Callable[[int], None]) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setitem(making._WRITERS, "csv", ("Writing the CSV", full))
    report = room.ask("access", "csv")
    assert making.make(report.id)
    report.refresh_from_db()
    assert report.status == "failed"
    assert report.why.startswith("A file could not be written: No space left on device.")


class _NoPango(MetaPathFinder):
    """What a machine without pango answers when WeasyPrint loads it."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")


def test_without_pango_only_the_pdf_is_missing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_NoPango(), *sys.meta_path])
    report = room.made("incidents", "pdf", "xlsx")
    assert {file.format for file in report.files.all()} == {"jsonl", "xlsx"}
    assert report.why.startswith("The PDF was not made. This machine has no pango")
    assert "apt-get install libpangoft2-1.0-0" in report.why


def test_the_ledger_states_each_file_by_its_hash(room: Room) -> None:
    report = room.made("oversight", "csv", "pdf")
    (asked,), (made,) = entries("report:asked"), entries("report:made")
    assert asked["actor"]["name"] == "Aldo Auditor"
    assert asked["details"]["formats"] == ["pdf", "csv", "jsonl"]
    assert made["on_behalf_of"]["name"] == "Aldo Auditor"
    assert made["details"]["files"] == {file.download_name: f"sha256:{file.sha256}" for file in report.files.all()}
    assert made["details"]["root"] == report.root


def test_files_go_when_their_time_is_over_and_the_figures_stay(room: Room) -> None:
    report, path = room.made("oversight"), None
    path = path_of(report, "jsonl")
    assert actions.remove_old() == 0
    Report.objects.filter(id=report.id).update(finished_at=timezone.now() - timedelta(days=91))
    assert actions.remove_old() == 1
    report.refresh_from_db()
    assert (report.status, path.exists()) == ("removed", False)
    assert report.summary is not None
    assert report.files.get().sha256
    assert entries("report:removed")[0]["subject"]["id"] == str(report.id)


@pytest.mark.parametrize("who", ["reviewer", "owner", "engineer", "administrator", "outsider"])
def test_reports_are_for_auditors_and_cisos(room: Room, who: str) -> None:
    with pytest.raises(Refused):
        room.ask("oversight", actor=getattr(room.cast, who))
    report = room.ask("oversight")
    assert not Report.objects.visible_to(getattr(room.cast, who)).exists()
    with pytest.raises(Refused):
        actions.cancel(report.id, actor=getattr(room.cast, who))
    assert Report.objects.visible_to(room.cast.ciso).get() == report


def test_one_person_does_not_fill_the_queue(room: Room) -> None:
    for _ in range(actions.MOST_UNFINISHED):
        room.ask("oversight")
    with pytest.raises(Refused, match="waiting"):
        room.ask("oversight")
    assert room.ask("oversight", actor=room.cast.ciso).status == "queued"


def test_what_is_no_report_is_refused_by_its_field(room: Room) -> None:
    from audit.reports.scope import find

    for kind, formats, field in (("weather", (), "kind"), ("access", ("docx",), "formats")):
        with pytest.raises(Invalid) as error:
            room.ask(kind, *formats)
        assert error.value.field == field
    with pytest.raises(Invalid, match="The log is one"):
        room.ask("integrity", scope=find("agent", "support.production"))
    with pytest.raises(Invalid, match=r"Did you mean support\.production"):
        find("agent", "support")
