"""A backup that was taken without the keys of people: restored, it proves as before and names nobody, and the log goes on."""

from __future__ import annotations

from pathlib import Path

from django.db import transaction

from console.database import Logins
from ledger import export, personal, verify, write
from ledger.events import Event
from ledger.models import Entry
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from tests.ledger.conftest import ADA, SHOP, Hands, running, sequenced


def _cut(reason: str) -> None:
    with transaction.atomic():
        details = {"agent": "1", "reason": reason, "resource": "2"}
        write.record(Event.SESSION_CUT, actor=ADA, subject=SHOP, details=details)


def _told() -> list[tuple[str, str]]:
    return [(entry.actor_name, entry.words["reason"]) for entry in personal.reveal(Entry.objects.order_by("index"))]


def test_what_was_said_before_is_erased_and_what_is_said_after_is_read(
    fresh_database: Logins, signer: FileSigner, hands: Hands, tmp_path: Path
) -> None:
    with running(Sequencer(fresh_database.sequencer, signer)):
        _cut("Too risky")
        sequenced(1)
        assert _told() == [("ada", "Too risky")]
        hands("DELETE FROM ledger_person")  # what is in a dump that leaves this table's rows out
        personal._known.clear()  # a process of the restored deployment has seen nothing yet
        assert _told() == [(personal.ERASED, personal.ERASED_WORDS)]
        _cut("Restored")
        sequenced(2)
    assert _told() == [(personal.ERASED, personal.ERASED_WORDS), ("ada", "Restored")]
    export.export(tmp_path / "evidence.zip")
    report = verify.verify(tmp_path / "evidence.zip")
    assert report.problems == []
    assert any("names and reasons of people that it opens: 2" in line for line in report.checked)
