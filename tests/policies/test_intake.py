"""A text of many new policies is read beside the request: it becomes a draft, or its author hears why not; nobody waits in a request."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from core.errors import NarrowgateError, Refused
from policies import actions, intake, intake_actions, parse
from policies.models import PolicyIntake, PolicyVersion
from tests.bring.callers import Caller, browser
from tests.cast import Cast

pytestmark = pytest.mark.django_db
FIRST = '@id("all") permit (principal, action, resource);'
MANY = "\n".join(
    f'@id("n{place}") permit (principal in Function::"f{place}", action, resource);' for place in range(120)
)
WRONG = MANY + '\n@id("wrong") @hold("nobody:1") forbid (principal, action, resource);'


@pytest.fixture(autouse=True)
def few(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred are many here, and nothing was read before."""
    actions.install(FIRST, actor=cast.engineer)
    monkeypatch.setattr(intake, "MOST_IN_A_REQUEST", 100)
    parse.forget()


def test_by_api_it_is_read_meanwhile_and_becomes_a_draft(
    cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    caller = Caller(cast.engineer)
    status, said = caller.post("policies", {"text": MANY, "note": "Many"})
    assert (status, said["status"], said["version"]) == (202, "queued", None)
    assert not PolicyVersion.objects.filter(number=2).exists()
    assert intake.make_unfinished() == 1
    said = caller.get(f"policies/intakes/{said['id']}")[1]
    assert (said["status"], said["read"], said["of"], said["version"]) == ("ready", 0, 120, 2)
    made = PolicyVersion.objects.get(number=2)
    assert (made.status, made.note, made.author) == ("draft", "Many", cast.engineer)
    assert PolicyIntake.objects.get().text == ""
    assert (
        caller.post("policies", {"text": MANY + FIRST.replace("all", "more")})[0] == 201
    )  # what is known is not read again
    with django_assert_max_num_queries(60):
        assert intake.make_unfinished() == 0


def test_it_says_how_far_it_is(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "EVERY", 0.0)
    told: list[tuple[int, int]] = []
    tell = intake_actions.tell

    def telling(one: PolicyIntake, *, read: int, of: int) -> bool:
        told.append((read, of))
        return tell(one, read=read, of=of)

    monkeypatch.setattr(intake_actions, "tell", telling)
    intake_actions.ask(MANY, actor=cast.engineer)
    intake.make_unfinished()
    assert told == [(0, 120), (50, 120), (100, 120), (120, 120)]


def test_by_page_it_is_proposed_and_what_was_typed_is_kept_where_it_is_refused(cast: Cast) -> None:
    client = browser(cast.engineer)
    answer = client.post("/policies/new/", {"text": MANY, "note": "Many", "do": "propose"})
    where = answer.headers["Location"]
    assert b"Queued" in client.get(f"{where}progress/").content
    assert b"Reading your policies" in client.get(where).content
    assert browser(cast.administrator).get(where).status_code == 404
    intake.make_unfinished()
    assert client.get(f"{where}progress/").headers["HX-Redirect"] == "/policies/2/"
    assert client.get(where).headers["Location"] == "/policies/2/"
    assert PolicyVersion.objects.get(number=2).status == "proposed"
    parse.forget()
    where = client.post("/policies/new/", {"text": WRONG, "note": "Wrong", "do": "propose"}).headers["Location"]
    intake.make_unfinished()
    assert client.get(f"{where}progress/").headers["HX-Refresh"] == "true"
    html = client.get(where).content.decode()
    assert "Line 121: There is no group" in html
    kept = client.get(f"/policies/new/?intake={where.split('/')[-2]}").content.decode()
    assert "nobody:1" in kept
    assert "nobody:1" not in client.get("/policies/new/?intake=none").content.decode()


def test_whose_reader_died_is_taken_up_and_the_dead_one_changes_nothing(cast: Cast) -> None:
    intake_actions.ask(MANY, actor=cast.engineer)
    first = intake_actions.take_up()
    assert first is not None
    assert intake_actions.take_up() is None
    PolicyIntake.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
    second = intake_actions.take_up()
    assert second is not None
    assert not intake_actions.tell(first, read=1, of=2)
    intake_actions.finish(first)
    intake_actions.fail(first, NarrowgateError("No."))
    assert PolicyIntake.objects.get().status == "reading"
    assert not PolicyVersion.objects.filter(number=2).exists()
    PolicyIntake.objects.update(begun=3, beat_at=timezone.now() - timedelta(minutes=5))
    assert intake_actions.take_up() is None
    assert PolicyIntake.objects.get().status == "failed"


def test_who_may_ask_and_how_often_and_how_long_it_is_kept(cast: Cast) -> None:
    for who in ("reviewer", "ciso", "auditor", "outsider"):
        with pytest.raises(Refused):
            intake_actions.ask(MANY, actor=getattr(cast, who))
    for _ in range(3):
        intake_actions.ask(MANY, actor=cast.engineer)
    with pytest.raises(Refused, match="3 texts waiting"):
        intake_actions.ask(MANY, actor=cast.engineer)
    PolicyIntake.objects.update(status="failed", finished_at=timezone.now() - timedelta(days=2))
    assert intake_actions.take_up() is None
    assert not PolicyIntake.objects.exists()
