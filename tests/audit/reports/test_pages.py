"""Reports by page and by API: who sees them, asking, errors that name the field, progress, taking files away."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from accounts import actions as people
from accounts.models import User
from accounts.scopes import EXPORT, READ
from audit.models import Report
from audit.reports import making
from ledger.models import Outbox
from tests.audit.reports.conftest import HOSTILE, Room, path_of
from tests.audit.reports.test_making import entries

READERS = ["auditor", "ciso"]
OTHERS = ["reviewer", "owner", "engineer", "administrator", "outsider"]


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def _typed(**changed: Any) -> dict[str, Any]:
    return {"kind": "oversight", "period": "7d", "scope": "all", "formats": ["csv"], **changed}


async def _taken(person: User, address: str) -> tuple[Any, bytes]:
    client = AsyncClient()
    await client.aforce_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    answer: Any = await client.post(address)
    assert answer.status_code == 200
    return answer, b"".join([part async for part in answer.streaming_content])


def _addresses(report: Report) -> list[tuple[str, str]]:
    one = {"report_id": report.id}
    return [
        ("get", reverse("record:reports")),
        ("get", reverse("record:report_new")),
        ("post", reverse("record:report_new")),
        ("get", reverse("record:report", kwargs=one)),
        ("get", reverse("record:report_progress", kwargs=one)),
        ("post", reverse("record:report_cancel", kwargs=one)),
        ("post", reverse("record:report_file", kwargs={**one, "name": "csv"})),
    ]


def test_for_others_reports_do_not_exist(room: Room) -> None:
    report = room.ask("oversight", "csv")
    for who in OTHERS:
        client = _as(getattr(room.cast, who))
        for method, address in _addresses(report):
            assert getattr(client, method)(address).status_code == 404, (who, address)
        assert "Reports" not in client.get(reverse("record:sessions")).content.decode()
    assert entries("record:read")[0]["subject"]["name"] == "sessions"
    assert Report.objects.get().status == "queued"


def test_asking_by_page_makes_what_was_asked(room: Room) -> None:
    for who in READERS:
        client = _as(getattr(room.cast, who))
        assert "No report yet." in client.get(reverse("record:reports")).content.decode() or who == "ciso"
        answer = client.post(reverse("record:report_new"), _typed(scope="agent", name="support.production"))
        report = Report.objects.latest("asked_at")
        assert answer.headers["Location"] == reverse("record:report", args=[report.id])
        assert (report.scope_kind, report.scope_name, report.formats) == (
            "agent",
            "support.production",
            ["csv", "jsonl"],
        )
        assert report.until - report.since == timedelta(days=7)
        assert abs(report.until - timezone.now()) < timedelta(minutes=1)
    assert "It is being made." in client.get(answer.headers["Location"]).content.decode()


@pytest.mark.parametrize(
    ("changed", "said", "kept"),
    [
        ({"scope": "agent", "name": "suport"}, "There is no agent of that name.", 'value="suport"'),
        ({"scope": "agent", "name": "billing"}, "Did you mean billing.production?", 'value="billing"'),
        ({"scope": "segment"}, "Say which segment.", 'value="segment" selected'),
        ({"name": "shop"}, "A name was given", 'value="shop"'),
        ({"period": "custom"}, "A period of your own needs its first day.", 'value="custom" selected'),
        ({"period": "custom", "first": "2026-10-01"}, "needs its last day", 'value="2026-10-01"'),
        ({"period": "custom", "first": "2026-10-09", "last": "2026-10-01"}, "The last day lies between", 'value="2026-10-09"'),
        ({"period": "custom", "first": "1999-01-01", "last": "2026-10-01"}, "The first day lies between", 'value="1999-01-01"'),
        ({"period": "custom", "first": "2999-01-01", "last": "2999-10-01"}, "The first day lies between", 'value="2999-01-01"'),
        ({"period": "custom", "first": "yesterday", "last": ""}, "Give a day as 2026-10-01.", 'value="yesterday"'),
        ({"first": "2026-10-01"}, "Days were given", 'value="2026-10-01"'),
        ({"formats": ["docx"]}, "There is no such file.", 'value="7d" selected'),
        ({"kind": "integrity", "scope": "resource", "name": "shop"}, "The log is one", 'value="shop"'),
        ({"kind": "<script>"}, "Select a valid choice", 'value="7d" selected'),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_and_kept(room: Room, changed: dict[str, Any], said: str, kept: str) -> None:
    answer = _as(room.cast.auditor).post(reverse("record:report_new"), _typed(**changed))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert kept in page
    assert not Report.objects.exists()


def test_a_page_shows_figures_charts_and_files(room: Room) -> None:
    report = room.made("access", "csv", "xlsx")
    before = len(entries("record:read"))
    page = _as(room.cast.ciso).get(reverse("record:report", args=[report.id])).content.decode()
    assert "2 agents asked for 10 actions at 1 resource" in page
    assert page.count('<svg class="report-chart"') == 2
    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert 'class="lookalike"' in page
    for file in report.files.all():
        assert file.sha256 in page
    assert "HYPERLINK" in HOSTILE
    (read,) = entries("record:read")[before:]
    assert (read["subject"]["name"], read["subject"]["id"]) == ("report", str(report.id))


def test_progress_is_no_read_and_ends_by_loading_the_page(room: Room) -> None:
    report, client = room.ask("oversight"), _as(room.cast.auditor)
    address = reverse("record:report_progress", args=[report.id])
    before = Outbox.objects.count()
    assert "Queued" in client.get(address).content.decode()
    assert Outbox.objects.count() == before
    making.make(report.id)
    assert client.get(address).headers["HX-Refresh"] == "true"


def test_taking_a_file_is_an_entry_and_gives_what_was_made(room: Room) -> None:
    report = room.made("oversight", "csv")
    file = report.files.get(format="csv")
    address = reverse("record:report_file", args=[report.id, "csv"])
    answer, data = async_to_sync(_taken)(room.cast.auditor, address)
    assert hashlib.sha256(data).hexdigest() == file.sha256
    assert answer.headers["Content-Length"] == str(len(data))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{file.download_name}"'
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
    assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    (taken,) = entries("export:made")
    assert taken["details"]["sha256"] == file.sha256
    assert taken["subject"]["kind"] == "report"
    client = _as(room.cast.auditor)
    for name in ("pdf", "zip", "..", "passwd"):
        assert client.post(reverse("record:report_file", args=[report.id, name])).status_code == 404
    path_of(report, "csv").write_bytes(b"something else")
    assert client.post(address).status_code == 302
    assert len(entries("export:made")) == 1
    assert "no longer there as it was made" in client.get(reverse("record:report", args=[report.id])).content.decode()


def test_the_list_filters_and_pages(room: Room, django_assert_max_num_queries: Callable[..., Any]) -> None:
    made = room.made("oversight")
    fields = {
        "since": made.since,
        "until": made.until,
        "asked_by": made.asked_by,
        "formats": ["jsonl"],
        "status": "ready",
    }
    Report.objects.bulk_create(Report(kind="access", **fields) for _ in range(60))
    client = _as(room.cast.auditor)
    with django_assert_max_num_queries(15):
        page = client.get(reverse("record:reports")).content.decode()
    assert page.count('class="row-link"') == 50
    assert "Older reports" in page
    found = client.get(reverse("record:reports"), {"kind": "oversight", "status": "ready"}).content.decode()
    assert found.count('class="row-link"') == 1
    assert "No report here matches." in client.get(reverse("record:reports"), {"status": "failed"}).content.decode()


def _api(person: User, scopes: list[str], method: str, path: str, body: object = None) -> Any:
    _, secret = people.create_api_token(person, name="t", scopes=scopes, lifetime=timedelta(hours=1), actor=person)
    client = Client(headers={"Authorization": f"Token {secret}"})
    more = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
    return getattr(client, method)(f"/api/v1/reports{path}", **more)


def test_the_api_asks_lists_shows_and_cancels(room: Room) -> None:
    both = [READ, EXPORT]
    said = {"kind": "access", "period": "24h", "scope": "resource", "name": "shop", "formats": ["csv"]}
    asked = _api(room.cast.auditor, both, "post", "", said)
    assert asked.status_code == 201
    assert (asked.json()["status"], asked.json()["formats"]) == ("queued", ["csv", "jsonl"])
    one = f"/{asked.json()['id']}"
    assert making.make_unfinished() == 1
    found = _api(room.cast.ciso, [READ], "get", one).json()
    assert (found["status"], found["progress"], len(found["files"])) == ("ready", 1.0, 2)
    assert found["headline"].startswith("2 agents asked for 10 actions")
    assert {figure["label"]: figure["value"] for figure in found["figures"]}["Denied"] == 2
    assert [row["id"] for row in _api(room.cast.auditor, [READ], "get", "?kind=access").json()["results"]] == [
        found["id"]
    ]
    file = _api(room.cast.auditor, both, "get", f"{one}/files/docx")
    assert (file.status_code, file.json()["code"]) == (404, "not_found")
    again = _api(room.cast.auditor, both, "post", f"{one}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "already_settled")
    later = _api(room.cast.auditor, both, "post", "", {"kind": "incidents", "period": "7d"}).json()
    assert later["formats"] == ["pdf", "xlsx", "csv", "jsonl", "zip"]
    assert _api(room.cast.auditor, both, "post", f"/{later['id']}/cancel").json()["status"] == "cancelled"


async def _downloaded(secret: str, path: str, **headers: str) -> tuple[int, bytes]:
    asking = {"Authorization": f"Token {secret}", **headers}
    answer: Any = await AsyncClient().get(f"/api/v1/reports{path}", headers=asking)
    return answer.status_code, b"".join([part async for part in answer]) if answer.streaming else answer.content


def test_the_api_gives_files_to_tokens_that_may_take_copies(room: Room) -> None:
    report = room.made("incidents", "csv")
    path = f"/{report.id}/files/csv"
    assert _api(room.cast.auditor, [READ], "get", path).status_code == 403
    assert _api(room.cast.auditor, [READ], "post", "", {"kind": "access", "period": "24h"}).status_code == 403
    auditor = room.cast.auditor
    _, secret = people.create_api_token(
        auditor, name="t", scopes=[READ, EXPORT], lifetime=timedelta(hours=1), actor=auditor
    )
    status, data = async_to_sync(_downloaded)(secret, path)
    assert (status, data) == (200, path_of(report, "csv").read_bytes())
    assert entries("export:made")[0]["actor"]["name"] == "Aldo Auditor"


def test_a_download_goes_on_where_it_broke_off(room: Room) -> None:
    report = room.made("incidents", "csv")
    auditor, file = room.cast.auditor, report.files.get(format="csv")
    whole, path = path_of(report, "csv").read_bytes(), f"/{report.id}/files/csv"
    _, secret = people.create_api_token(
        auditor, name="t", scopes=[READ, EXPORT], lifetime=timedelta(hours=1), actor=auditor
    )

    def asked(part: str, of: str) -> tuple[int, bytes]:
        return async_to_sync(_downloaded)(secret, path, Range=part, **{"If-Range": of})

    entity = f'"{file.sha256}"'
    assert asked("bytes=10-", entity) == (206, whole[10:])
    assert asked("bytes=10-19", entity) == (206, whole[10:20])
    assert asked("bytes=-5", entity) == (206, whole[-5:])
    assert asked("bytes=10-", '"another file"') == (200, whole)
    assert asked("bytes=5-2", entity) == (200, whole)
    assert asked(f"bytes={len(whole)}-", entity)[0] == 416


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"scope": "agent"}, "name"), ({"period": "custom"}, "first"), ({"kind": "integrity", "scope": "agent", "name": "support.production"}, "scope")],
)  # fmt: skip
def test_the_api_names_the_field(room: Room, changed: dict[str, Any], field: str) -> None:
    answer = _api(room.cast.auditor, [READ, EXPORT], "post", "", {"kind": "access", "period": "7d", **changed})
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.json()["detail"]


def test_in_the_api_reports_do_not_exist_for_others(room: Room) -> None:
    report = room.made("incidents", "csv")
    for who in OTHERS:
        person = getattr(room.cast, who)
        for method, path, body in (
            ("get", f"/{report.id}", None),
            ("get", f"/{report.id}/files/csv", None),
            ("post", f"/{report.id}/cancel", {}),
            ("post", "", {"kind": "access", "period": "24h"}),
        ):
            assert _api(person, [READ, EXPORT], method, path, body).status_code == 404, (who, method, path)
        assert _api(person, [READ], "get", "").json()["results"] == []
