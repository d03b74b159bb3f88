"""Letting a suspended agent act again takes two people, neither of whom answers for it where it counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.models import Role, User
from agents import actions
from agents.models import Agent, Reinstatement
from agents.queries import reinstatements_for
from console.database import Logins
from core.errors import AlreadySettled, NotFound, Refused
from core.ids import new_id
from ledger.models import Outbox
from ledger.personal import revealed
from tests.approvals.world import World, assemble, in_thread
from tests.bring.callers import Caller, browser
from tests.cast import Cast


@pytest.fixture
def world(cast: Cast) -> World:
    world = assemble(cast)
    actions.suspend(world.agent.id, actor=cast.ciso, reason="Odd")
    return world


def _ask(world: World, who: str = "engineer") -> Reinstatement:
    return actions.ask_to_reinstate(world.agent.id, actor=getattr(world.cast, who), reason="A bad deploy")


def _status(world: World) -> str:
    return Agent.objects.get(id=world.agent.id).status


@pytest.mark.parametrize("who", ["engineer", "ciso", "owner", "deputy"])
def test_those_concerned_ask_and_nothing_changes_yet(world: World, who: str) -> None:
    asked = _ask(world, who)
    assert (asked.status, _status(world)) == ("waiting", "suspended")
    (entry,) = [revealed(json.loads(bytes(row.leaf))) for row in Outbox.objects.filter(event="reinstatement:asked")]
    assert entry["details"]["reason"] == "A bad deploy"


@pytest.mark.parametrize("who", ["reviewer", "auditor", "administrator", "outsider"])
def test_others_do_not_ask(world: World, who: str) -> None:
    with pytest.raises(Refused):
        _ask(world, who)


def test_a_second_person_confirms_and_each_is_an_entry(world: World) -> None:
    asked = _ask(world)
    agent = actions.reinstate(asked.id, actor=world.cast.ciso)
    assert (agent.status, agent.status_reason) == ("active", "A bad deploy")
    (entry,) = [revealed(json.loads(bytes(row.leaf))) for row in Outbox.objects.filter(event="agent:reinstated")]
    assert entry["actor"]["name"] == "Cleo Ciso"
    assert entry["details"]["asked_by"] == str(world.cast.engineer.id)
    with pytest.raises(AlreadySettled):
        actions.reinstate(asked.id, actor=world.cast.ciso)


def _same_person(world: World) -> User:
    return world.cast.engineer


def _linked_account(world: World) -> User:
    world.cast.teammate.person = world.cast.engineer.person
    world.cast.teammate.roles = [Role.CISO]
    world.cast.teammate.save()
    return world.cast.teammate


def _owner_with_the_role(world: World) -> User:
    world.cast.owner.roles = [Role.OWNER, Role.ENGINEER]
    world.cast.owner.save()
    return world.cast.owner


def _became_deputy(world: World) -> User:
    actions.change_agent(world.agent.id, actor=world.cast.engineer, deputy=world.cast.ciso)
    return world.cast.ciso


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (_same_person, "same_person"),
        (_linked_account, "same_person"),
        (_owner_with_the_role, "own_agent"),
        (_became_deputy, "own_agent"),
        (lambda world: world.cast.administrator, "role_required"),
        (lambda world: world.cast.reviewer, "role_required"),
        (lambda world: world.cast.outsider, "role_required"),
    ],
)
def test_who_may_not_be_the_second(world: World, second: Callable[[World], User], code: str) -> None:
    asked = _ask(world)
    with pytest.raises(Refused) as refused:
        actions.reinstate(asked.id, actor=second(world))
    assert refused.value.code == code
    assert _status(world) == "suspended"


def test_it_is_asked_once_and_only_of_a_suspended_agent(world: World) -> None:
    asked = _ask(world)
    with pytest.raises(AlreadySettled, match="asked already"):
        _ask(world, "ciso")
    actions.decline_reinstatement(asked.id, actor=world.cast.ciso, reason="Not yet")
    with pytest.raises(AlreadySettled):
        actions.reinstate(asked.id, actor=world.cast.ciso)
    again = _ask(world)
    actions.reinstate(again.id, actor=world.cast.ciso)
    with pytest.raises(AlreadySettled, match="is active"):
        _ask(world)
    with pytest.raises(NotFound):
        actions.reinstate(new_id(), actor=world.cast.ciso)


def test_who_asked_takes_it_back_and_a_stranger_does_not(world: World) -> None:
    asked = _ask(world, "owner")
    for person in (world.cast.deputy, world.cast.auditor, world.cast.outsider):
        with pytest.raises(Refused):
            actions.decline_reinstatement(asked.id, actor=person, reason="x")
    declined = actions.decline_reinstatement(asked.id, actor=world.cast.owner, reason="Too early")
    assert (declined.status, declined.answer) == ("declined", "Too early")
    assert Outbox.objects.filter(event="reinstatement:declined").count() == 1


def test_retiring_the_agent_ends_the_wish(world: World) -> None:
    asked = _ask(world)
    actions.retire(world.agent.id, actor=world.cast.engineer, reason="Replaced")
    asked.refresh_from_db()
    assert asked.status == "declined"
    with pytest.raises(AlreadySettled):
        actions.reinstate(asked.id, actor=world.cast.ciso)


def test_the_database_refuses_one_person_for_both(world: World) -> None:
    asked = _ask(world)
    with pytest.raises(IntegrityError), transaction.atomic():
        Reinstatement.objects.filter(id=asked.id).update(status="confirmed", answered_by=world.cast.engineer)
    with pytest.raises(IntegrityError), transaction.atomic():
        Reinstatement.objects.create(agent=world.agent, reason="x", asked_by=world.cast.ciso)


def test_two_who_confirm_at_once_are_one(fresh_cast: Cast, fresh_database: Logins) -> None:
    world = assemble(fresh_cast)
    actions.suspend(world.agent.id, actor=fresh_cast.ciso, reason="Odd")
    asked = actions.ask_to_reinstate(world.agent.id, actor=fresh_cast.owner, reason="Fixed")
    runs = [
        in_thread(partial(actions.reinstate, asked.id, actor=who)) for who in (fresh_cast.ciso, fresh_cast.engineer)
    ]
    for thread, _ in runs:
        thread.join(10)
    results = [result for _, found in runs for result in found]
    assert sorted(type(one).__name__ for one in results) == ["Agent", "AlreadySettled"]
    assert Outbox.objects.filter(event="agent:reinstated").count() == 1


# ---- pages ----
def test_the_second_person_sees_it_as_something_to_do(world: World) -> None:
    asked = _ask(world, "owner")
    assert list(reinstatements_for(world.cast.engineer)) == list(reinstatements_for(world.cast.ciso)) == [asked]
    for who in ("owner", "deputy", "reviewer", "auditor", "administrator"):
        assert not reinstatements_for(getattr(world.cast, who))
    page = browser(world.cast.ciso).get(reverse("agents:agents")).content.decode()
    assert "It takes a second person." in page
    assert "need you" in page
    assert "It takes a second person." not in browser(world.cast.owner).get(reverse("agents:agents")).content.decode()


def test_by_page_one_asks_and_another_confirms_what_they_saw(world: World) -> None:
    engineer, ciso = browser(world.cast.engineer), browser(world.cast.ciso)
    address = reverse("agents:reinstate", args=[world.agent.name])
    empty = engineer.post(address, {"reason": " "})
    assert (empty.status_code, "Say why" in empty.content.decode()) == (422, True)
    assert (
        "Asked. A second person confirms"
        in engineer.post(address, {"reason": "Fixed <b>it"}, follow=True).content.decode()
    )
    assert "You asked for it, so another person confirms." in engineer.get(address).content.decode()
    page = ciso.get(address).content.decode()
    assert "“Fixed &lt;b&gt;it”" in page
    asked = Reinstatement.objects.get()
    confirm = reverse("agents:confirm", args=[world.agent.name, asked.id])
    assert confirm in page
    refused = engineer.post(confirm)
    assert (refused.status_code, "You asked for it: a second person confirms." in refused.content.decode()) == (
        403,
        True,
    )
    assert "may act." in ciso.post(confirm, follow=True).content.decode()
    assert _status(world) == "active"
    late = ciso.post(confirm)
    assert (late.status_code, "was confirmed already" in late.content.decode()) == (409, True)


def test_by_page_it_is_declined_with_a_reason(world: World) -> None:
    asked = _ask(world, "owner")
    ciso = browser(world.cast.ciso)
    address = reverse("agents:decline", args=[world.agent.name, asked.id])
    assert "Say why" in ciso.post(address, {}).content.decode()
    assert "stays suspended" in ciso.post(address, {"reason": "Not yet"}, follow=True).content.decode()
    assert ciso.post(reverse("agents:decline", args=[world.agent.name, new_id()]), {"reason": "x"}).status_code == 404


@pytest.mark.parametrize("who", ["reviewer", "auditor", "administrator", "outsider"])
def test_its_pages_are_not_there_for_others(world: World, who: str) -> None:
    asked, person = _ask(world), browser(getattr(world.cast, who))
    assert person.get(reverse("agents:reinstate", args=[world.agent.name])).status_code == 404
    for name in ("agents:confirm", "agents:decline"):
        assert person.post(reverse(name, args=[world.agent.name, asked.id]), {"reason": "x"}).status_code == 404
    assert _status(world) == "suspended"


def test_over_the_api(world: World) -> None:
    engineer, ciso = Caller(world.cast.engineer), Caller(world.cast.ciso)
    status, asked = engineer.post("agents/support.production/reinstate", {"reason": "Fixed"})
    assert (status, asked["status"], asked["asked_by"]) == (201, "waiting", "enzo")
    _, listed = ciso.get("reinstatements?status=waiting&agent=support.production")
    assert [one["id"] for one in listed["results"]] == [asked["id"]]
    assert Caller(world.cast.outsider).get("reinstatements")[1]["results"] == []
    assert Caller(world.cast.outsider).post(f"reinstatements/{asked['id']}/confirm")[0] == 404
    assert Caller(world.cast.ciso, "read").post(f"reinstatements/{asked['id']}/confirm")[0] == 403
    assert engineer.post(f"reinstatements/{asked['id']}/confirm")[1]["code"] == "same_person"
    assert ciso.post(f"reinstatements/{asked['id']}/decline", {})[1]["errors"].keys() == {"reason"}
    assert ciso.post(f"reinstatements/{asked['id']}/confirm")[1]["answered_by"] == "cleo"
