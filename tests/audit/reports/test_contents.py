"""What reports say: each kind in each format equals a recount, and nothing an agent typed becomes a formula or markup."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from pypdf import PdfReader

from activity.models import Action
from approvals.models import Hold
from audit.models import Report
from audit.reports.scope import find
from ledger.models import Checkpoint, Entry
from ledger.verify import verify
from monitoring.models import Incident
from tests.audit.reports.conftest import FORMULA, HOSTILE, Room, act, path_of

KINDS = ["oversight", "access", "incidents", "integrity"]


def json_lines(report: Report) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path_of(report, "jsonl").read_text(encoding="utf-8").splitlines()]


def rows_of(report: Report, name: str = "") -> list[dict[str, Any]]:
    """The rows of a table, of the last one unless named."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for line in json_lines(report):
        if "table" in line:
            tables[last := line["table"]] = []
        elif "row" in line:
            tables[last].append(line["row"])
    return tables[name or last]


def figures_of(report: Report) -> dict[str, Any]:
    return {line["figure"]: line["value"] for line in json_lines(report) if "figure" in line}


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def book_of(path: Path) -> Any:
    with path.open("rb") as file:
        return openpyxl.load_workbook(file)


def sheet_rows(path: Path, name: str) -> list[dict[str, Any]]:
    sheet = book_of(path)[name]
    heads, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(heads, row, strict=True)) for row in rows]


def pdf_text(path: Path) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(path).pages)


def test_oversight_equals_a_recount(room: Room) -> None:
    report = room.made("oversight", "pdf", "xlsx", "csv")
    holds = {str(hold.id): hold for hold in Hold.objects.all()}
    counted = Counter("approved" if hold.status == "released" else hold.status for hold in holds.values())
    figures, rows = figures_of(report), rows_of(report)
    assert counted == {"approved": 1, "denied": 1, "expired": 1, "waiting": 1}
    named = ("Waited for people", "Approved", "Denied", "Nobody decided in time", "People who decided")
    assert [figures[name] for name in named] == [4, 1, 1, 1, 2]
    assert figures["Decided by somebody excluded"] == 0
    assert Counter(row["outcome"] for row in rows) == counted
    for row in rows:
        hold = holds[row["hold"]]
        assert (row["statement"], row["digest"], row["purpose"]) == (hold.shown, hold.digest, hold.purpose)
    (approved,) = (row for row in rows if row["outcome"] == "approved")
    hold = holds[approved["hold"]]
    assert hold.settled_at is not None
    assert approved["seconds"] == round((hold.settled_at - hold.asked_at).total_seconds(), 3)
    assert (approved["decided_by"], approved["ran"], approved["rows"]) == ("Rita Reviewer approved", "done", 2)
    assert [row["Hold"] for row in csv_rows(path_of(report, "csv"))] == [row["hold"] for row in rows]
    assert [row["Hold"] for row in sheet_rows(path_of(report, "xlsx"), "Holds")] == [row["hold"] for row in rows]
    people = {row["person"]: (row["approved"], row["denied"]) for row in rows_of(report, "reviewers")}
    assert people == {"Rita Reviewer": (1, 0), "Tom Teammate": (0, 1)}
    assert all(row["slowest"] >= row["median"] > 0 for row in rows_of(report, "reviewers"))
    said = pdf_text(path_of(report, "pdf"))
    assert "4 actions waited for people: 1 approved, 1 denied" in said
    assert "Saywhich,=1+1" in "".join(said.split())


def test_access_equals_a_recount(room: Room) -> None:
    report = room.made("access", "pdf", "xlsx", "csv")
    actions = {str(action.id): action for action in Action.objects.all()}
    counted = Counter(
        "mask" if action.masked and action.decision == "allow" else action.decision for action in actions.values()
    )
    figures, rows = figures_of(report), rows_of(report)
    assert counted == {"allow": 6, "mask": 1, "hold": 1, "deny": 2}
    named = ("Actions", "Allowed", "Allowed, values masked", "Held for people", "Denied", "Agents", "Rows returned")
    assert [figures[name] for name in named] == [10, 6, 1, 1, 2, 2, 30]
    assert Counter(row["decision"] for row in rows) == counted
    for row in rows:
        action = actions[row["action"]]
        assert (row["statement"], row["rows"], row["rule"]) == (action.shown, action.rows, action.code)
        assert datetime.fromisoformat(row["asked_at"]) == action.asked_at.replace(
            microsecond=action.asked_at.microsecond // 1000 * 1000
        )
    by_agent = {row["agent"]: (row["actions"], row["deny"]) for row in rows_of(report, "agents")}
    assert by_agent == {"support.production": (8, 0), "billing.production": (2, 2)}
    assert {row["rule"]: row["actions"] for row in rows_of(report, "denials")} == {"forbidden": 1, "no_match": 1}
    in_csv, in_sheet = csv_rows(path_of(report, "csv")), sheet_rows(path_of(report, "xlsx"), "Actions")
    assert [row["Action"] for row in in_csv] == [row["Action"] for row in in_sheet] == [row["action"] for row in rows]
    assert [row["Rows"] for row in in_csv] == ["" if row["rows"] is None else str(row["rows"]) for row in rows]
    assert [row["Rows"] for row in in_sheet] == [row["rows"] for row in rows]
    first = in_sheet[0]["Asked"]
    assert abs((first.replace(tzinfo=UTC) - datetime.fromisoformat(rows[0]["asked_at"])).total_seconds()) < 0.01
    assert "2 agents asked for 10 actions at 1 resource" in pdf_text(path_of(report, "pdf"))


def test_incidents_equal_a_recount(room: Room) -> None:
    report = room.made("incidents", "pdf", "xlsx", "csv")
    incidents = list(Incident.objects.order_by("detected_at", "id"))
    took = [one.contained_in for one in incidents if one.contained_in]
    figures, rows = figures_of(report), rows_of(report)
    assert (figures["Incidents"], figures["High severity"], figures["Not resolved yet"]) == (2, 1, 0)
    assert figures["MTTD"] == 2
    assert figures["MTTC"] == sum(one.total_seconds() for one in took) / len(took) == 17
    assert figures["MTTR"] == 88
    assert [row["incident"] for row in rows] == [str(one.id) for one in incidents]
    assert [row["Incident"] for row in csv_rows(path_of(report, "csv"))] == [row["incident"] for row in rows]
    assert {row["Contained in"] for row in sheet_rows(path_of(report, "xlsx"), "Incidents")} == {4, 30}
    assert "2 incidents, 2 contained, 0 not resolved yet." in pdf_text(path_of(report, "pdf"))


def test_integrity_equals_a_recount_and_verifies(room: Room) -> None:
    report = room.made("integrity", "pdf", "xlsx", "csv", "zip")
    figures, rows = figures_of(report), rows_of(report)
    assert report.entries is not None
    assert figures["Entries read"] == report.entries <= Entry.objects.count()
    assert figures["Checkpoints checked"] == Checkpoint.objects.filter(size__lte=report.entries).count() == len(rows)
    for bad in ("Entries that were changed", "Entries missing", "Checkpoints that do not hold", "Numbers missing"):
        assert figures[bad] == 0
    assert rows[-1]["root"] == report.root
    assert sum(row["entries"] for row in rows_of(report, "events")) == report.entries
    assert {row["state"] for row in [*rows, *rows_of(report, "proofs")]} == {"verified"}
    assert sum(row["entries"] for row in rows_of(report, "nodes")) == report.entries
    assert len(csv_rows(path_of(report, "csv"))) == len(sheet_rows(path_of(report, "xlsx"), "Checkpoints")) == len(rows)
    assert "The log holds:" in pdf_text(path_of(report, "pdf"))
    found = verify(path_of(report, "zip"))
    assert found.ok, found
    assert any("the report's 4 files" in line for line in found.checked)


@pytest.mark.parametrize(
    ("kind", "name", "holds", "actions"),
    [
        ("agent", "billing.production", 1, 2),
        ("agent", "support.production", 3, 8),
        ("resource", "shop", 4, 10),
        ("segment", "production", 4, 10),
    ],
)
def test_a_scope_leaves_what_it_names(room: Room, kind: str, name: str, holds: int, actions: int) -> None:
    scope = find(kind, name)
    assert len(rows_of(room.made("oversight", scope=scope))) == holds
    assert len(rows_of(room.made("access", scope=scope))) == actions


def test_a_period_holds_its_beginning_and_not_its_end(room: Room) -> None:
    Action.objects.all().delete()
    period = room.period
    act(room.other, room.world, period.since)
    act(room.other, room.world, period.until)
    report = room.made("access")
    assert len(rows_of(report)) == 1 + (report.until > period.until)


@pytest.mark.parametrize("kind", KINDS)
def test_no_formula_comes_out_of_a_text(room: Room, kind: str) -> None:
    report = room.made(kind, "xlsx", "csv")
    book = book_of(path_of(report, "xlsx"))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert len(cells) > 20
    assert not [cell.coordinate for cell in cells if cell.data_type == "f" or cell.hyperlink]
    texts = [cell.value for cell in cells if isinstance(cell.value, str)]
    texts += [text for row in csv_rows(path_of(report, "csv")) for text in row.values()]
    assert not [text for text in texts if text.lstrip()[:1] in {"=", "+", "@", "-"}]
    if kind != "integrity":
        assert f"'{FORMULA}" in texts or f"'{FORMULA}".replace('";"', '";\'"') in texts


def test_an_agents_text_is_exact_in_json_lines_and_harmless_on_paper(room: Room) -> None:
    report = room.made("access", "pdf")
    assert HOSTILE in [row["statement"] for row in rows_of(report)]
    said = "".join(pdf_text(path_of(report, "pdf")).split())  # lines break anywhere
    assert "<script>alert(1)</script>" in said
    assert b"/JavaScript" not in path_of(report, "pdf").read_bytes()


def test_nothing_in_the_period_is_said_in_every_format(room: Room) -> None:
    scope = find("agent", room.enrol("idle.production").name)
    for kind in ("oversight", "access", "incidents"):
        report = room.made(kind, "pdf", "xlsx", "csv", scope=scope)
        assert rows_of(report) == csv_rows(path_of(report, "csv")) == []
        assert " in this period." in pdf_text(path_of(report, "pdf"))


def test_a_pdf_is_tagged_titled_and_numbered(room: Room) -> None:
    reader = PdfReader(path_of(room.made("oversight", "pdf"), "pdf"))
    assert reader.metadata is not None
    assert str(reader.metadata.title).startswith("Human oversight, ")
    root: Any = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    for number, page in enumerate(reader.pages, start=1):
        said = page.extract_text()
        assert f"{number} of {len(reader.pages)}" in said
        assert "for Aldo Auditor" in said
