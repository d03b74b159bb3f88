"""What is erased leaves reports too, and changes no proof: packages of before and after verify."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from activity.erasing_actions import ask_to_erase, confirm_erasure
from activity.models import Action, Erasure
from audit.models import Report
from audit.reports.scope import Scope
from ledger import export, queries
from ledger.verify import verify
from tests.activity.test_erasing_recordings import everything_says
from tests.audit.reports.conftest import Room, act, path_of
from tests.audit.reports.test_making import entries
from tests.monitoring.conftest import sequenced


@pytest.fixture
def jane(room: Room) -> Action:
    return act(
        room.other,
        room.world,
        room.began,
        decision="deny",
        status="denied",
        shown="SELECT 'Jane Roe'",
        salt=b"of Jane Roe",
    )


def _erased(room: Room, action: Action) -> Erasure:
    wish = ask_to_erase(because="Case 7", actor=room.cast.auditor, actions=[action.id])
    return confirm_erasure(wish.id, actor=room.cast.administrator)


def test_reports_that_state_it_are_taken_back_and_others_stay(room: Room, jane: Action) -> None:
    stating, failing = room.made("access", "csv"), room.ask("access", "csv")
    aside = room.made("access", scope=Scope("agent", room.world.agent.id, room.world.agent.name))
    of_holds = room.made("oversight")
    paths = [path_of(stating, kind) for kind in ("jsonl", "csv")]
    assert b"Jane Roe" in paths[0].read_bytes()
    assert "audit_report" in everything_says("jane roe")
    erasure = _erased(room, jane)
    assert everything_says("jane roe") == []
    assert not any(path.exists() for path in paths)
    for report in (stating, failing, aside, of_holds):
        report.refresh_from_db()
    assert (stating.status, stating.why) == (Report.Status.REMOVED, "What it stated was erased.")
    assert stating.summary is not None
    assert stating.summary["figures"]
    assert (failing.status, "erased meanwhile" in failing.why) == (Report.Status.FAILED, True)
    assert aside.status == Report.Status.READY
    assert entries("report:removed")[0]["details"] == {"erasure": str(erasure.id)}
    again = room.made("access")
    assert f"Erased on {erasure.erased_at:%Y-%m-%d}." in path_of(again, "jsonl").read_text()


def test_a_package_of_before_verifies_and_so_does_one_of_after(room: Room, jane: Action, tmp_path: Path) -> None:
    before, after = tmp_path / "before.zip", tmp_path / "after.zip"
    sequenced()
    export.export(before)
    held_outside = queries.last_checkpoint()
    assert held_outside is not None
    _erased(room, jane)
    sequenced()
    export.export(after)
    assert [verify(path).problems for path in (before, after)] == [[], []]
    kept = tmp_path / "checkpoint"
    kept.write_text(held_outside.note)
    assert verify(after, against=kept).problems == []
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(after) as new:
        earlier, later = old.read("entries.ndjson"), new.read("entries.ndjson")
    assert later.startswith(earlier)
    events = [json.loads(line)["leaf"] for line in later[len(earlier) :].splitlines()]
    assert any("action:erased" in str(leaf) or "YWN0aW9uOmVyYXNlZ" in str(leaf) for leaf in events)
