"""Who may cut a live session, by action, page and API, and what is written down of it."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse
from django.utils import timezone

from activity.actions import close_session, cut_session
from activity.models import Session
from core.errors import AlreadySettled, NotFound, Refused
from core.ids import new_id
from ledger.models import Outbox
from ledger.personal import revealed
from tests.activity.asking import asked, session
from tests.approvals.world import World, assemble
from tests.bring.callers import Caller, browser
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


@pytest.fixture
def live(world: World) -> Session:
    return session(world.agent, world.resource, ago=90)


def test_a_cut_is_one_entry_and_happens_once(world: World, live: Session) -> None:
    cut = cut_session(live.id, actor=world.cast.ciso, reason="Too much")
    assert (cut.cut_by, cut.cut_reason, cut.ended_at) == ("Cleo Ciso", "Too much", None)
    with pytest.raises(AlreadySettled, match="cut already"):
        cut_session(live.id, actor=world.cast.engineer, reason="Again")
    close_session(live.id, because="This session was cut: Too much")
    with pytest.raises(AlreadySettled, match="has ended"):
        cut_session(live.id, actor=world.cast.engineer, reason="Again")
    (entry,) = [revealed(json.loads(bytes(row.leaf))) for row in Outbox.objects.filter(event="session:cut")]
    assert entry["session"] == entry["subject"]["id"] == str(live.id)
    assert entry["details"]["reason"] == "Too much"


def test_there_must_be_such_a_session(world: World) -> None:
    with pytest.raises(NotFound):
        cut_session(new_id(), actor=world.cast.ciso, reason="x")


@pytest.mark.parametrize("who", ["reviewer", "auditor", "administrator", "owner", "deputy", "outsider"])
def test_others_may_not(world: World, live: Session, who: str) -> None:
    person = getattr(world.cast, who)
    with pytest.raises(Refused):
        cut_session(live.id, actor=person, reason="x")
    assert browser(person).get(reverse("record:cut", args=[live.id])).status_code == 404
    assert browser(person).post(reverse("record:cut", args=[live.id]), {"reason": "x"}).status_code == 404
    assert Caller(person).post(f"sessions/{live.id}/cut", {"reason": "x"})[0] == 404
    assert "Cut…" not in browser(person).get(reverse("record:session", args=[live.id])).content.decode()
    live.refresh_from_db()
    assert live.cut_at is None


@pytest.mark.parametrize("who", ["ciso", "engineer"])
def test_the_page_says_what_it_will_do_and_wants_a_reason(world: World, live: Session, who: str) -> None:
    asked(world.agent, world.resource, session_id=live.id, status="released", shown="SELECT slow")
    asked(world.agent, world.resource, session_id=live.id, number=2, status="held", decision="hold")
    person, address = browser(getattr(world.cast, who)), reverse("record:cut", args=[live.id])
    assert address in person.get(reverse("record:session", args=[live.id])).content.decode()
    page = person.get(address).content.decode()
    assert "open for 1 min 3" in page
    assert "1 statement that runs in it is cancelled" in page
    assert "slow" in page
    assert "1 action of it waits for people" in page
    refused = person.post(address, {"reason": " "})
    assert (refused.status_code, "Say why" in refused.content.decode()) == (422, True)
    done = person.post(address, {"reason": "Too <b>much"}, follow=True).content.decode()
    assert "It is cut: the gate hangs up within a second." in done
    assert "“Too &lt;b&gt;much”" in done
    assert "there is nothing to cut" in person.get(address).content.decode()


def test_the_api_cuts_with_the_right_scope_and_says_what_is_wrong(world: World, live: Session) -> None:
    assert Caller(world.cast.ciso, "read").post(f"sessions/{live.id}/cut", {"reason": "x"})[0] == 403
    engineer = Caller(world.cast.engineer)
    assert engineer.post(f"sessions/{live.id}/cut", {})[1]["errors"].keys() == {"reason"}
    assert engineer.post(f"sessions/{new_id()}/cut", {"reason": "x"})[0] == 404
    status, said = engineer.post(f"sessions/{live.id}/cut", {"reason": "Too much"})
    assert (status, said["cut_by"], said["cut_reason"]) == (200, "Enzo Engineer", "Too much")
    assert engineer.post(f"sessions/{live.id}/cut", {"reason": "x"})[1]["code"] == "already_settled"


def test_a_session_that_has_ended_cannot_be_cut(world: World) -> None:
    ended = session(world.agent, world.resource, ago=90, ended_at=timezone.now())
    page = browser(world.cast.ciso).get(reverse("record:cut", args=[ended.id])).content.decode()
    assert "It has ended, so there is nothing to cut." in page
