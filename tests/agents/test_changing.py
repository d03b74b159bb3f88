"""Changing and retiring what was brought: agents, resources and their tags, segments; each an entry with before and after."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from agents import actions
from agents.models import Agent, ColumnTag, Credential, ResourceSecret, Segment
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from core.ids import new_id
from ledger.models import Outbox
from ledger.personal import revealed
from policies.snapshot import load
from tests.approvals.world import World, assemble, enrol
from tests.bring.callers import Caller, browser
from tests.cast import Cast

pytestmark = pytest.mark.django_db
NOT_ENGINEERS = ("reviewer", "ciso", "auditor", "owner", "administrator", "outsider")


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


@pytest.fixture
def annex(world: World) -> Segment:
    return actions.create_segment("annex", actor=world.cast.engineer)


def last(event: str) -> dict[str, Any]:
    row = Outbox.objects.filter(event=event).order_by("-id").first()
    assert row is not None
    return revealed(json.loads(bytes(row.leaf)))


def credential(world: World, **changed: Any) -> Credential:
    now = timezone.now()
    fields = {
        "agent": world.agent, "key": world.agent.keys.get(), "resource": world.resource, "issued_at": now,
        "expires_at": now + timedelta(minutes=10),
    }  # fmt: skip
    return Credential.objects.create(**{**fields, **changed})


# ---- agents ----
def test_a_change_says_before_and_after_and_decides_at_once(world: World, annex: Segment) -> None:
    cast = world.cast
    about: Any = {"purpose": "Helps", "segment": annex, "owner": cast.ciso, "deputy": None}
    actions.change_agent(world.agent.id, actor=cast.engineer, **about)
    assert last("agent:changed")["details"]["changed"] == {
        "purpose": {"before": "Answers customers", "after": "Helps"},
        "segment": {"before": "production", "after": "annex"},
        "owner": {"before": str(cast.owner.id), "after": str(cast.ciso.id)},
        "deputy": {"before": str(cast.deputy.id), "after": None},
    }
    facts = load().agents["support.production"].facts
    assert (facts.segment, facts.purpose) == ("annex", "Helps")


def test_what_stays_the_same_is_no_change(world: World) -> None:
    actions.change_agent(world.agent.id, actor=world.cast.engineer, purpose="Answers customers")
    assert not Outbox.objects.filter(event="agent:changed").exists()


def test_what_an_agent_cannot_become(world: World, annex: Segment) -> None:
    cast = world.cast
    actions.retire_segment(annex.id, reason="Empty", actor=cast.engineer)
    cast.outsider.is_active = False
    cast.outsider.save()
    about: Any
    for about in ({"purpose": " "}, {"segment": annex}, {"owner": cast.outsider}, {"deputy": cast.owner}):
        with pytest.raises(Invalid):
            actions.change_agent(world.agent.id, actor=cast.engineer, **about)
    for who in NOT_ENGINEERS:
        with pytest.raises(Refused):
            actions.change_agent(world.agent.id, actor=getattr(cast, who), purpose="Mine")
    actions.retire(world.agent.id, actor=cast.engineer, reason="Over")
    with pytest.raises(AlreadySettled):
        actions.change_agent(world.agent.id, actor=cast.engineer, purpose="Late")


def test_every_live_credential_ends_with_an_entry_each(world: World) -> None:
    live = [credential(world), credential(world)]
    credential(world, issued_at=timezone.now() - timedelta(hours=2), expires_at=timezone.now() - timedelta(hours=1))
    with pytest.raises(Refused):
        actions.revoke_credentials(world.agent.id, actor=world.cast.reviewer, reason="x")
    assert actions.revoke_credentials(world.agent.id, actor=world.cast.owner, reason="A drill") == 2
    assert {one.id for one in Credential.objects.filter(revoked_reason="A drill")} == {one.id for one in live}
    assert Outbox.objects.filter(event="credential:revoked").count() == 2
    assert actions.revoke_credentials(world.agent.id, actor=world.cast.ciso, reason="Again") == 0
    assert Agent.objects.get().status == "active"


# ---- resources ----
def test_a_resource_is_changed_with_before_and_after(world: World, annex: Segment) -> None:
    given: Any = {"port": 6543, "segment": annex, "owner": None, "tls_ca": "x" * 400}
    actions.change_resource(world.resource.id, actor=world.cast.engineer, **given)
    changed = last("resource:changed")["details"]["changed"]
    assert changed["port"] == {"before": 5432, "after": 6543}
    assert changed["segment"] == {"before": "production", "after": "annex"}
    assert changed["owner"] == {"before": str(world.cast.owner.id), "after": None}
    assert changed["tls_ca"]["after"].startswith("sha256:")


def test_a_retired_resource_is_gone_from_the_gate_and_the_vault(world: World) -> None:
    cast = world.cast
    actions.store_secret(world.resource.id, user="gate", password="p", actor=cast.engineer)
    ended = credential(world)
    for who in NOT_ENGINEERS:
        with pytest.raises(Refused):
            actions.retire_resource(world.resource.id, reason="x", actor=getattr(cast, who))
    actions.retire_resource(world.resource.id, reason="Moved", actor=cast.engineer)
    ended.refresh_from_db()
    assert ended.revoked_at is not None
    assert not ResourceSecret.objects.exists()
    assert "shop" not in load().resources
    assert last("resource:retired")["details"] == {"reason": "Moved", "credentials": 1, "logins": 1}
    late: Any
    for late in (
        partial(actions.retire_resource, reason="x"),
        partial(actions.change_resource, port=1),
        partial(actions.store_secret, user="u", password="p"),
        partial(actions.confirm_tag, table="t", column="c", tag="email"),
    ):
        with pytest.raises(AlreadySettled):
            late(world.resource.id, actor=cast.engineer)


def test_a_tag_is_changed_and_removed_with_what_it_said_before(world: World) -> None:
    engineer, shop = world.cast.engineer, world.resource.id
    actions.confirm_tag(shop, table="customers", column="mail", tag="name", actor=engineer)
    assert last("tag:confirmed")["details"]["before"] is None
    actions.confirm_tag(shop, table="customers", column="mail", tag="email", lookup=True, actor=engineer)
    assert last("tag:confirmed")["details"]["before"] == {"tag": "name", "lookup": False}
    with pytest.raises(Refused):
        actions.remove_tag(shop, table="customers", column="mail", reason="x", actor=world.cast.ciso)
    actions.remove_tag(shop, table="customers", column="mail", reason="No mail in it", actor=engineer)
    assert last("tag:removed")["details"]["before"] == {"tag": "email", "lookup": True}
    assert not ColumnTag.objects.exists()
    with pytest.raises(NotFound):
        actions.remove_tag(shop, table="customers", column="mail", reason="x", actor=engineer)


# ---- segments ----
def test_a_segment_retires_only_when_empty_and_takes_nothing_more(world: World, annex: Segment) -> None:
    engineer = world.cast.engineer
    with pytest.raises(Refused, match="1 agents and 1 resources"):
        actions.retire_segment(world.segment.id, reason="x", actor=engineer)
    with pytest.raises(Refused):
        actions.retire_segment(annex.id, reason="x", actor=world.cast.administrator)
    actions.retire_segment(annex.id, reason="Empty", actor=engineer)
    assert last("segment:retired")["details"] == {"reason": "Empty"}
    with pytest.raises(Invalid, match="retired"):
        enrol(world.cast, annex, "late.production")
    where: Any = {"host": "localhost", "database": "d", "tls": "off"}
    with pytest.raises(Invalid, match="retired"):
        actions.add_resource("late", segment=annex, actor=engineer, **where)
    with pytest.raises(AlreadySettled):
        actions.retire_segment(annex.id, reason="x", actor=engineer)
    with pytest.raises(AlreadySettled):
        actions.change_segment(annex.id, purpose="x", actor=engineer)
    with pytest.raises(NotFound):
        actions.retire_segment(new_id(), reason="x", actor=engineer)


def test_a_segments_purpose_is_changed(world: World) -> None:
    with pytest.raises(Refused):
        actions.change_segment(world.segment.id, purpose="x", actor=world.cast.ciso)
    actions.change_segment(world.segment.id, purpose="All of it", actor=world.cast.engineer)
    after = {"before": "What customers use", "after": "All of it"}
    assert last("segment:changed")["details"] == {"changed": {"purpose": after}}


# ---- pages and API ----
@pytest.mark.parametrize("who", NOT_ENGINEERS)
def test_the_forms_are_there_for_engineers_alone(world: World, who: str) -> None:
    person = browser(getattr(world.cast, who))
    for address in (
        reverse("agents:edit", args=["support.production"]), reverse("resources:edit", args=["shop"]),
        reverse("resources:retire", args=["shop"]), reverse("resources:untag", args=["shop"]),
        reverse("resources:retire_segment", args=["production"]),
    ):  # fmt: skip
        assert person.get(address).status_code == 404, address
        assert person.post(address, {"reason": "x", "purpose": "x"}).status_code == 404, address


def test_an_agent_is_changed_by_page_and_what_was_typed_is_kept(world: World) -> None:
    engineer, address = browser(world.cast.engineer), reverse("agents:edit", args=["support.production"])
    page = engineer.get(address).content.decode()
    assert 'value="Answers customers"' in page
    form = {"purpose": "Helps “people”", "segment": "production", "owner": world.cast.owner.username}
    refused = engineer.post(address, {**form, "deputy": world.cast.owner.username})
    assert (refused.status_code, "The deputy is the owner." in refused.content.decode()) == (422, True)
    assert "Helps “people”" in refused.content.decode()
    assert "Changed." in engineer.post(address, form, follow=True).content.decode()
    assert Agent.objects.get().deputy is None


def test_a_resource_is_retired_and_untagged_by_page_after_saying_what_that_does(world: World) -> None:
    engineer = browser(world.cast.engineer)
    actions.confirm_tag(world.resource.id, table="customers", column="mail", tag="email", actor=world.cast.engineer)
    actions.store_secret(world.resource.id, user="gate", password="p", actor=world.cast.engineer)
    credential(world)
    untag = reverse("resources:untag", args=["shop"])
    column = {"schema": "public", "table": "customers", "column": "mail"}
    assert untag in engineer.get(reverse("resources:one", args=["shop"])).content.decode()
    assert "every agent that may read the column sees its values" in engineer.get(untag, column).content.decode()
    assert engineer.get(untag, {**column, "column": "other"}).status_code == 404
    assert engineer.post(untag, {**column, "reason": ""}).status_code == 422
    assert (
        "is masked no longer" in engineer.post(untag, {**column, "reason": "None in it"}, follow=True).content.decode()
    )
    retire = reverse("resources:retire", args=["shop"])
    page = engineer.get(retire).content.decode()
    assert "1 credential for it ends" in page
    assert "1 login leaves the vault for good" in page
    assert engineer.post(retire, {"reason": ""}).status_code == 422
    shown = engineer.post(retire, {"reason": "Moved"}, follow=True).content.decode()
    assert "is behind the gate no longer" in shown
    assert reverse("resources:edit", args=["shop"]) not in shown
    assert "It is retired already." in engineer.get(retire).content.decode()


def test_a_segment_is_changed_and_retired_by_page(world: World, annex: Segment) -> None:
    engineer = browser(world.cast.engineer)
    full = engineer.get(reverse("resources:retire_segment", args=["production"])).content.decode()
    assert "It is not empty" in full
    edit, retire = (reverse(f"resources:{name}_segment", args=["annex"]) for name in ("edit", "retire"))
    assert "Changed annex." in engineer.post(edit, {"purpose": "For a day"}, follow=True).content.decode()
    assert "annex is retired." in engineer.post(retire, {"reason": "Over"}, follow=True).content.decode()
    assert "annex" not in engineer.get(reverse("agents:enrol")).content.decode()
    assert engineer.post(edit, {"purpose": "Late"}).status_code == 422


def test_the_api_changes_and_retires_and_names_what_is_wrong(world: World, annex: Segment) -> None:
    engineer, ciso = Caller(world.cast.engineer), Caller(world.cast.ciso)
    for path in ("agents/support.production", "resources/shop", "segments/annex"):
        assert ciso.patch(path, {"purpose": "x"})[1]["code"] == "role_required", path
        status, said = engineer.patch(path, {"purpose": "New"})
        assert (status, said["purpose"]) == (200, "New"), path
    assert engineer.patch("agents/support.production", {"segment": "anex"})[1]["remedy"] == "Did you mean annex?"
    assert engineer.patch("agents/support.production", {"deputy": "nobody"})[1]["field"] == "deputy"
    assert engineer.patch("agents/support.production", {"deputy": ""})[1]["deputy"] is None
    assert engineer.patch("resources/shop", {"owner": ""})[1]["owner"] is None
    assert engineer.post("segments/production/retire", {"reason": "x"})[1]["code"] == "not_empty"
    assert engineer.post("segments/annex/retire", {"reason": "Over"})[1]["retired_at"]
    assert engineer.post("resources/shop/tags/remove", {"table": "t", "column": "c", "reason": "x"})[0] == 404
    assert ciso.post("resources/shop/retire", {"reason": "x"})[1]["code"] == "role_required"
    assert engineer.post("resources/shop/retire", {"reason": "Over"})[1]["retired_at"]
    assert engineer.post("agents/support.production/revoke-credentials", {"reason": "x"}) == (200, {"ended": 0})
    assert Caller(world.cast.reviewer).post("agents/support.production/revoke-credentials", {"reason": "x"})[0] == 404
