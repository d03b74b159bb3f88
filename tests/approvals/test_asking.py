"""How an action comes to wait, joins what waits already, and how many may wait."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agents import actions as inventory
from agents.actors import agent_actor
from approvals import actions
from approvals.asking import MOST_PER_AGENT
from approvals.board import board
from approvals.models import Hold
from core.db import db_now
from core.errors import Invalid, NotFound, Refused
from core.ids import new_id
from ledger.models import Outbox
from tests.approvals.world import BOTH, World, approve, backdate, decided, enrol, held, release, request
from tests.bring.callers import Caller, browser

pytestmark = pytest.mark.django_db
Status = Hold.Status


def test_a_hold_keeps_what_was_asked_who_may_not_and_until_when(world: World) -> None:
    hold = held(world, BOTH, purpose="A customer asked", tags=("email",), tables=("public.customers",))
    hold.refresh_from_db()
    assert (hold.status, hold.requirement) == (Status.WAITING, {"dba": 1, "security": 1})
    assert hold.deadline - hold.asked_at == timedelta(minutes=15)
    assert hold.reasons == [{"policy": "held", "why": "Writes need people."}]
    assert {(one["user"], one["because"]) for one in hold.excluded} == {
        (str(world.cast.owner.id), "owner"),
        (str(world.cast.deputy.id), "deputy"),
        (str(world.cast.engineer.id), "enroller"),
    }
    assert hold.risk == sum(line["points"] for line in hold.risk_sum)


def test_an_open_transaction_waits_a_minute_at_most(world: World) -> None:
    hold = held(world, in_transaction=True, locks=("public.customers",))
    assert hold.deadline - hold.asked_at == timedelta(seconds=60)
    hold = approve(hold, world.cast.reviewer)
    assert hold.redeem_by is not None
    assert hold.settled_at is not None
    assert hold.redeem_by - hold.settled_at == timedelta(seconds=60)


def test_the_same_thing_asked_again_joins_whatever_the_salt(world: World) -> None:
    first = held(world)
    again = held(world, salt=b"another".ljust(32, b"."))
    assert again.id == first.id
    assert again.digest == first.digest
    assert Hold.objects.count() == 1


def test_an_approved_hold_is_joined_and_a_released_one_is_not(world: World) -> None:
    first = approve(held(world), world.cast.reviewer)
    assert held(world).id == first.id
    release(first)
    assert held(world).id != first.id


@pytest.mark.parametrize("status", [Status.DENIED, Status.WITHDRAWN, Status.EXPIRED, Status.LAPSED])
def test_what_is_over_is_not_joined(world: World, status: Status) -> None:
    first = held(world)
    backdate(first, status=status)
    assert held(world).id != first.id


def test_what_is_past_its_time_is_not_joined_before_a_task_says_so(world: World) -> None:
    first = held(world)
    backdate(first, asked_at=db_now() - timedelta(hours=1), deadline=db_now())
    second = approve(held(world), world.cast.reviewer)
    assert second.id != first.id
    backdate(second, redeem_by=db_now())
    assert held(world).id not in {first.id, second.id}


def test_another_text_another_agent_and_another_resource_do_not_join(world: World) -> None:
    first = held(world)
    assert held(world, text="DELETE FROM customers").id != first.id
    other = enrol(world.cast, world.segment, "report.production")
    assert held(replace(world, agent=other)).id != first.id
    where: Any = {"host": "localhost", "database": "attic", "tls": "off"}
    attic = inventory.add_resource("attic", segment=world.segment, actor=world.cast.engineer, **where)
    assert held(replace(world, resource=attic)).id != first.id


def test_five_wait_per_agent_and_the_next_is_refused(world: World) -> None:
    holds = [held(world, text=f"DELETE {number}") for number in range(MOST_PER_AGENT)]
    with pytest.raises(Refused) as refused:
        held(world, text="DELETE 6")
    assert refused.value.code == "too_many_holds"
    assert held(world, text="DELETE 0").id == holds[0].id  # joining is not one more
    actions.withdraw(holds[0].id, by=agent_actor(world.agent))
    assert held(world, text="DELETE 6").status == Status.WAITING


def test_twenty_five_wait_per_owner(world: World) -> None:
    agents = [enrol(world.cast, world.segment, f"support.production.{number:02}") for number in range(1, 7)]
    for agent in agents[:5]:
        for number in range(5):
            held(replace(world, agent=agent), text=f"DELETE {number}")
    with pytest.raises(Refused, match="owner's agents"):
        held(replace(world, agent=agents[5]))


def test_half_of_a_resources_connections_may_wait(world: World) -> None:
    inventory.change_resource(world.resource.id, connections=4, actor=world.cast.engineer)
    for number in range(2):
        held(world, text=f"DELETE {number}")
    with pytest.raises(Refused, match="of shop"):
        held(world, text="DELETE 3")


def test_a_suspended_agent_and_an_unknown_one_ask_nothing(world: World) -> None:
    with pytest.raises(NotFound):
        held(world, agent_id=new_id())
    inventory.suspend(world.agent.id, actor=world.cast.ciso, reason="Odd.")
    with pytest.raises(Refused, match="suspended"):
        held(world)


def test_only_a_hold_is_held_and_only_under_its_own_digest(world: World) -> None:
    with pytest.raises(Invalid):
        actions.ask(request(world, decision=decided(None)))
    with pytest.raises(Invalid):
        actions.ask(request(world, digest="sha256:" + "0" * 64))
    assert not Hold.objects.exists()


def test_the_count_that_comes_later_moves_the_risk(world: World) -> None:
    hold = held(world, has_where=True)
    counted = actions.estimated(hold.id, {"rows": 12_000, "of": 12_480, "exact": True})
    assert counted.risk > hold.risk
    assert any("half of the table" in line["because"] for line in counted.risk_sum)


def test_what_is_graver_comes_sooner_and_the_record_says_how_grave_it_is(world: World) -> None:
    holds = {}
    for severity in ("", "low", "critical", "high", "medium"):
        asked = request(world, f"DELETE FROM customers -- {severity}", decision=decided(severity=severity))
        holds[severity] = actions.ask(asked)
    one = next(iter(holds.values()))
    Hold.objects.update(asked_at=one.asked_at, deadline=one.deadline, risk=40)
    rows = board(world.cast.reviewer).needs
    assert [row.hold.severity for row in rows][:2] == ["critical", "high"]
    assert rows[-1].hold.severity == "low"
    entries = [json.loads(bytes(row.leaf)) for row in Outbox.objects.filter(event="hold:asked").order_by("id")]
    assert [entry["details"].get("severity") for entry in entries] == [None, "low", "critical", "high", "medium"]
    page = browser(world.cast.reviewer).get(f"/queue/{holds['critical'].id}/").content.decode()
    assert "Severity </span>Critical" in page
    assert Caller(world.cast.reviewer).get(f"holds/{holds['high'].id}")[1]["severity"] == "high"
