"""Entries as files: a package that verifies, OCSF events as the schema has them, JSON lines and CSV; flat in memory."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.urls import reverse

from accounts.models import User
from audit import ocsf
from audit.explorer import EntriesForm, matching
from console.database import Logins
from ledger import export, export_selected, queries, verify
from ledger.entries import canonical
from ledger.events import Event
from ledger.models import Entry, Outbox
from ledger.schemas import problem_of
from tests.approvals.world import World, assemble
from tests.audit.test_pages import _as, _sequence
from tests.cast import Cast

FACTS = json.loads((Path(__file__).parent / "ocsf_1_9.json").read_text(encoding="utf-8"))
OBJECTS = {
    "metadata": "metadata", "product": "product", "api": "api", "actor": "actor", "user": "user", "src_endpoint": "network_endpoint",
    "entity": "managed_entity", "finding_info": "finding_info", "ai_agent": "ai_agent", "attestation_list": "attestation",
    "fingerprint": "fingerprint", "raw_data_hash": "fingerprint", "prev_event": "prev_event", "resources": "resource_details",
}  # fmt: skip


@pytest.fixture
def world(fresh_database: Logins, fresh_cast: Cast, tmp_path: Path) -> World:
    """A world whose entries are in the log."""
    made = assemble(fresh_cast)
    _sequence(fresh_database, tmp_path)
    return made


async def _sent(user: User, form: str, query: str) -> tuple[int, bytes]:
    client = AsyncClient()
    await client.aforce_login(user)
    answer = await client.post(f"{reverse('record:take_entries')}?{query}", {"format": form})
    if not answer.streaming:
        return answer.status_code, answer.content
    return answer.status_code, b"".join([part async for part in answer])  # type: ignore[attr-defined]


def _taken(user: User, form: str, query: str = "") -> bytes:
    status, data = async_to_sync(_sent)(user, form, query)
    assert status == 200
    return data


def test_selected_entries_verify_each_by_its_own_path(world: World, tmp_path: Path) -> None:
    path = tmp_path / "selected.zip"
    path.write_bytes(_taken(world.cast.auditor, "evidence", f"agent={world.agent.name}"))
    report = verify.verify(path)
    assert report.problems == []
    assert 0 < report.entries < Entry.objects.count()
    assert any("others lie between" in line for line in report.not_checked)
    assert any("names and reasons of people that it opens" in line for line in report.checked)
    says = json.loads(bytes(Outbox.objects.latest("id").leaf))
    assert (says["event"], says["details"]) == ("export:made", {"agent": world.agent.name, "format": "evidence"})


@pytest.mark.parametrize(
    ("change", "check"), [("leaf", "bytes"), ("path", "root"), ("order", "indexes"), ("less", "indexes")]
)
def test_a_changed_selection_is_refused_by_its_entry(world: World, tmp_path: Path, change: str, check: str) -> None:
    data = _taken(world.cast.auditor, "evidence", "event=person:invited")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    lines = [json.loads(line) for line in files["entries.ndjson"].splitlines()]
    if change == "leaf":
        lines[1]["leaf"] = lines[1]["leaf"].replace("invited", "unknown")
    elif change == "path":
        lines[1]["path"][0] = lines[1]["hash"]
    else:
        lines = [lines[1], lines[0], *lines[2:]] if change == "order" else lines[:-1]
    files["entries.ndjson"] = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
    with zipfile.ZipFile(tmp_path / "changed.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    report = verify.verify(tmp_path / "changed.zip")
    assert check in {problem.check for problem in report.problems}


def test_every_event_has_what_ocsf_requires_and_nothing_it_does_not_know(world: World) -> None:
    lines = _taken(world.cast.auditor, "ocsf").splitlines()
    assert len(lines) == queries.state().size
    for event in map(json.loads, lines):
        facts = FACTS["classes"][str(event["class_uid"])]
        _has(event, facts)
        assert event["activity_id"] in {*facts["activities"], 0, 99}
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]


def _has(value: dict[str, Any], facts: dict[str, Any]) -> None:
    assert set(facts["required"]) <= value.keys() <= set(facts["allowed"])
    assert not facts.get("at_least_one") or set(facts["at_least_one"]) & value.keys()
    for name, part in value.items():
        for one in part if isinstance(part, list) else [part]:
            if name in OBJECTS and isinstance(one, dict):
                _has(one, FACTS["objects"][OBJECTS[name]])


def test_every_kind_of_event_is_told(world: World) -> None:
    leaf = {"actor": {"id": "1", "kind": "agent", "name": "a"}, "id": "x", "node": "n", "occurred": "2026-01-01T00:00:00.000000Z",
            "recorded": "2026-01-01T00:00:00.000000Z", "subject": {"id": "2", "kind": "x", "name": "y"}}  # fmt: skip
    chain = ocsf.Chain("log")
    for number, event in enumerate(Event):
        told = chain.event(ocsf.Told(1, {**leaf, "event": event.value}, b"{}"))
        _has(told, FACTS["classes"][str(told["class_uid"])])
        assert told["ai_agent"]["uid"] == "1"
        assert number == 0 or "prev_event" in told["attestation_list"][0]


def test_an_edit_or_a_cut_of_the_ocsf_file_shows(world: World) -> None:
    events = [json.loads(line) for line in _taken(world.cast.auditor, "ocsf").splitlines()]
    for before, event in zip([None, *events], events, strict=False):
        (attestation,) = event["attestation_list"]
        stated = attestation.pop("fingerprint")
        assert stated["value"] == sha256(canonical(event)).hexdigest()
        if before is not None:
            assert attestation["prev_event"]["uid"] == before["metadata"]["uid"]
        attestation["fingerprint"] = stated


def test_json_lines_and_csv_hold_the_same_entries(world: World) -> None:
    lines = [json.loads(line) for line in _taken(world.cast.auditor, "jsonl", "event=segment:created").splitlines()]
    table = _taken(world.cast.auditor, "csv", "event=segment:created").decode().splitlines()
    assert [line["event"] for line in lines] == ["segment:created"] * (len(table) - 1)
    assert lines[0]["actor"]["name"] == str(world.cast.engineer)
    assert str(world.cast.engineer) in table[1]


@pytest.mark.parametrize("query", ["event=no:such", "q=no+such+word"])
def test_what_cannot_be_taken_says_so_and_is_no_entry(world: World, query: str) -> None:
    client: Client = _as(world.cast.auditor)
    answer = client.post(f"{reverse('record:take_entries')}?{query}", {"format": "ocsf"}, follow=True)
    assert "Nothing was taken." in answer.content.decode()
    assert not Outbox.objects.filter(event="export:made").exists()
    assert (
        "There is no format"
        in client.post(reverse("record:take_entries"), {"format": "x"}, follow=True).content.decode()
    )
    assert _as(world.cast.reviewer).post(reverse("record:take_entries"), {"format": "ocsf"}).status_code == 404


def test_memory_does_not_grow_with_what_is_taken(world: World) -> None:
    basis, form = export.newest_basis(), EntriesForm({})
    assert form.is_valid()
    (page,) = matching(form.cleaned_data, basis.checkpoint.size)

    def most(times: int) -> int:
        tracemalloc.start()
        size = sum(map(len, export_selected.stream(export_selected.pages(page for _ in range(times)), basis)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size
        return peak

    most(2)
    assert most(60) < most(6) * 1.5


def test_what_is_recorded_is_as_its_schema_says(world: World) -> None:
    for leaf in Outbox.objects.values_list("leaf", flat=True):
        says = json.loads(bytes(leaf))
        assert problem_of(says["event"], says.get("details", {})) == ""
