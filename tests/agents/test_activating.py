"""A production segment: whoever enrols an agent in it does not decide alone that it acts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from agents import actions, keys
from agents.models import Agent, Credential, Reinstatement, Resource, Segment
from agents.queries import reinstatements_for
from core.errors import AlreadySettled, Invalid, Refused
from ledger.events import Event
from ledger.models import Outbox
from policies import snapshot
from tests.bring.callers import Caller, browser, new_key
from tests.cast import Cast

Status = Agent.Status


@pytest.fixture
def live(cast: Cast) -> Segment:
    return actions.create_segment("live", production=True, actor=cast.engineer)


@pytest.fixture
def lab(cast: Cast) -> Segment:
    return actions.create_segment("lab", actor=cast.engineer)


def enrol(cast: Cast, segment: Segment, name: str = "support.production", **about: Any) -> Agent:
    return actions.enrol(
        name, purpose="Answers customers", segment=segment, owner=cast.owner, deputy=cast.deputy,
        public_jwk=keys.public_jwk(keys.generate()), actor=cast.engineer, **about,
    )  # fmt: skip


def test_in_a_production_segment_it_is_proposed_and_the_gate_does_not_know_it(cast: Cast, live: Segment) -> None:
    agent = enrol(cast, live)
    assert agent.status == Status.PROPOSED
    assert agent.name not in snapshot.load().agents
    assert [row.event for row in Outbox.objects.filter(event__startswith="reinstatement:")] == ["reinstatement:asked"]


@pytest.mark.parametrize("who", ["ciso", "administrator"])
def test_a_second_person_activates_it_and_that_is_an_entry(cast: Cast, live: Segment, who: str) -> None:
    agent = enrol(cast, live)
    (asked,) = reinstatements_for(getattr(cast, who))
    assert actions.reinstate(asked.id, actor=getattr(cast, who)).status == Status.ACTIVE
    assert agent.name in snapshot.load().agents
    assert Outbox.objects.filter(event="agent:activated").count() == 1
    with pytest.raises(AlreadySettled):
        actions.reinstate(asked.id, actor=cast.second_administrator)


def test_nobody_activates_what_they_enrolled_own_or_have_no_role_for(cast: Cast, live: Segment) -> None:
    enrol(cast, live)
    asked = Reinstatement.objects.get()
    from accounts import actions as people
    from accounts.models import Role

    people.set_roles(cast.engineer, [Role.ENGINEER, Role.CISO], actor=cast.administrator)
    cast.engineer.refresh_from_db()
    for who in ("engineer", "owner", "deputy", "auditor", "reviewer", "outsider"):
        with pytest.raises(Refused):
            actions.reinstate(asked.id, actor=getattr(cast, who))
        assert not reinstatements_for(getattr(cast, who))
    assert Agent.objects.get().status == Status.PROPOSED


def test_declined_it_stays_proposed_and_may_be_asked_for_again(cast: Cast, live: Segment) -> None:
    agent = enrol(cast, live)
    actions.decline_reinstatement(Reinstatement.objects.get().id, actor=cast.ciso, reason="No digest")
    agent.refresh_from_db()
    assert agent.status == Status.PROPOSED
    asked = actions.ask_to_reinstate(agent.id, actor=cast.owner, reason="Digest is there now")
    with pytest.raises(Refused):  # whoever enrolled it is a first person whoever asks
        actions.reinstate(asked.id, actor=cast.engineer)
    assert actions.reinstate(asked.id, actor=cast.administrator).status == Status.ACTIVE


def test_one_that_is_moved_in_stops_until_a_second_person_lets_it(cast: Cast, live: Segment, lab: Segment) -> None:
    agent = enrol(cast, lab)
    where: Any = {"host": "localhost", "database": "shop", "tls": "off"}
    resource: Resource = actions.add_resource("shop", segment=lab, actor=cast.engineer, **where)
    now = timezone.now()
    credential = Credential.objects.create(
        agent=agent, key=agent.keys.get(), resource=resource, issued_at=now, expires_at=now + timedelta(minutes=9)
    )
    assert actions.change_agent(agent.id, segment=live, actor=cast.engineer).status == Status.PROPOSED
    credential.refresh_from_db()
    assert credential.revoked_at is not None
    assert Reinstatement.objects.get().status == "waiting"


def test_one_that_is_suspended_stays_so_when_it_is_moved_in(cast: Cast, live: Segment, lab: Segment) -> None:
    agent = enrol(cast, lab)
    actions.suspend(agent.id, actor=cast.ciso, reason="Odd")
    assert actions.change_agent(agent.id, segment=live, actor=cast.engineer).status == Status.SUSPENDED
    assert not Reinstatement.objects.exists()


def test_what_acts_goes_on_when_its_segment_becomes_one_of_production(cast: Cast, lab: Segment) -> None:
    agent = enrol(cast, lab)
    actions.change_segment(lab.id, production=True, actor=cast.engineer)
    agent.refresh_from_db()
    assert agent.status == Status.ACTIVE
    assert enrol(cast, lab, "another.production").status == Status.PROPOSED


def unmark(live: Segment, actor: User) -> bool:
    """Whether it is of production afterwards."""
    return actions.change_segment(live.id, production=False, actor=actor).production


def test_two_administrators_take_back_that_it_is_of_production(cast: Cast, live: Segment) -> None:
    with pytest.raises(Refused) as refused:
        unmark(live, cast.engineer)
    assert refused.value.code == "still_production"
    assert unmark(live, cast.administrator)
    assert enrol(cast, live).status == Status.PROPOSED
    with pytest.raises(Refused) as refused:
        unmark(live, cast.administrator)
    assert refused.value.code == "same_person"
    assert not unmark(live, cast.second_administrator)
    said = Outbox.objects.filter(event__startswith="segment:").order_by("id").values_list("event", flat=True)
    assert list(said)[-2:] == [Event.SEGMENT_UNMARK_ASKED, Event.SEGMENT_CHANGED]
    actions.change_segment(live.id, production=True, actor=cast.engineer)
    assert unmark(live, cast.second_administrator)  # a mark that was set again takes two again


def test_the_accounts_of_one_person_are_one_administrator(cast: Cast, live: Segment) -> None:
    unmark(live, cast.administrator)
    User.objects.filter(id=cast.second_administrator.id).update(person=cast.administrator.person)
    with pytest.raises(Refused):
        unmark(live, User.objects.get(id=cast.second_administrator.id))


def test_a_wish_is_dropped_or_lapses_with_its_administrator(cast: Cast, live: Segment) -> None:
    unmark(live, cast.administrator)
    actions.change_segment(live.id, purpose="Else", actor=cast.engineer)
    assert Segment.objects.get(id=live.id).unmark_asked_by == cast.administrator
    actions.change_segment(live.id, production=True, actor=cast.engineer)
    assert unmark(live, cast.second_administrator)
    User.objects.filter(id=cast.second_administrator.id).update(is_active=False)
    assert unmark(live, cast.administrator)
    assert Outbox.objects.filter(event=Event.SEGMENT_UNMARK_DROPPED).count() == 1


def test_by_page_one_asks_and_another_confirms(cast: Cast, live: Segment) -> None:
    address, said = f"/resources/segments/{live.name}/edit/", {"purpose": "", "csrf": "x"}
    first, second = browser(cast.administrator), browser(cast.second_administrator)
    assert "until a second administrator" in first.post(address, said, follow=True).content.decode()
    assert "asks to take that back" in first.get("/resources/segments/").content.decode()
    assert "A second administrator confirms." in first.get(address).content.decode()
    assert "and that is confirmed" in second.get(address).content.decode()
    second.post(address, said | {"production": "on", "purpose": "Else"})
    assert Segment.objects.get(id=live.id).unmark_asked_by == cast.administrator
    second.post(address, said | {"production": "on", "keep": "1"})
    assert Segment.objects.get(id=live.id).unmark_asked_by is None
    first.post(address, said)
    second.post(address, said)
    assert not Segment.objects.get(id=live.id).production


def test_by_page_it_is_looked_at_and_activated(cast: Cast, live: Segment) -> None:
    enrol(cast, live, task_scope="Refunds up to 50", code_digest="sha256:" + "a" * 64)
    page = browser(cast.administrator).get("/agents/").content.decode()
    assert "may act" in page
    page = browser(cast.administrator).get("/agents/support.production/reinstate/").content.decode()
    assert "Refunds up to 50" in page
    assert "sha256:aaaa" in page
    asked = Reinstatement.objects.get()
    answer = browser(cast.administrator).post(f"/agents/support.production/reinstate/{asked.id}/confirm/")
    assert answer.status_code == 302
    assert Agent.objects.get().status == Status.ACTIVE


def test_by_api_it_is_enrolled_with_what_it_is_and_activated(cast: Cast, live: Segment) -> None:
    body = {
        "name": "billing.production", "purpose": "Bills", "segment": "live", "owner": "olga", "public_jwk": new_key(),
        "task_scope": "Invoices only", "runtime": "Kubernetes", "model_vendor": "acme", "model_name": "large",
        "model_version": "2026-05", "framework": "its own", "code_digest": "git:" + "0" * 40,
        "data_classes": ["ssn", "email", "ssn"], "review_by": "2999-01-31",
    }  # fmt: skip
    status, said = Caller(cast.engineer).post("agents", body)
    assert (status, said["status"], said["data_classes"], said["review_by"]) == (
        201,
        "proposed",
        ["email", "ssn"],
        "2999-01-31",
    )
    asked = Reinstatement.objects.get()
    assert Caller(cast.engineer).post(f"reinstatements/{asked.id}/confirm")[0] == 404
    assert Caller(cast.ciso).post(f"reinstatements/{asked.id}/confirm")[0] == 200
    status, said = Caller(cast.engineer).patch(
        "agents/billing.production", {"framework": "LangGraph 1.2", "review_by": None}
    )
    assert (status, said["framework"], said["review_by"]) == (200, "LangGraph 1.2", None)
    page = browser(cast.auditor).get("/agents/billing.production/").content.decode()
    assert "Framework" in page
    assert "LangGraph 1.2" in page


@pytest.mark.parametrize(
    ("about", "field"),
    [
        ({"code_digest": "latest"}, "code_digest"),
        ({"code_digest": "sha256:abc"}, "code_digest"),
        ({"data_classes": ["E-Mail!"]}, "data_classes"),
        ({"data_classes": [f"t{n}" for n in range(60)]}, "data_classes"),
        ({"review_by": timezone.now().date() - timedelta(days=2)}, "review_by"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field(cast: Cast, lab: Segment, about: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        enrol(cast, lab, **about)
    assert refused.value.field == field
    assert not Agent.objects.exists()


def test_a_name_is_never_used_again_and_a_free_one_is_named(cast: Cast, lab: Segment) -> None:
    actions.retire(enrol(cast, lab).id, actor=cast.engineer, reason="Over")
    enrol(cast, lab, "support.production.01")
    with pytest.raises(Invalid) as refused:
        enrol(cast, lab)
    assert refused.value.remedy == "A name is never used again. support.production.02 is free."


def test_a_form_keeps_what_was_typed_and_names_what_is_wrong(cast: Cast, lab: Segment) -> None:
    typed = {
        "purpose": "Helps",
        "segment": "lab",
        "owner": "olga",
        "code_digest": "latest",
        "data_classes": "email, ssn",
    }
    enrol(cast, lab)
    answer = browser(cast.engineer).post("/agents/support.production/edit/", typed)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "That is not a digest." in page
    assert 'value="email, ssn"' in page
