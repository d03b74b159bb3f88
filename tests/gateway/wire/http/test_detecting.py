"""What nobody has tagged: detectors find it in an API's answer, wherever it is cut."""

from __future__ import annotations

import json
from typing import Any

from activity.models import Frame
from agents import detector_actions
from agents.models import Resource
from ledger.models import Outbox
from policies import actions as policies
from policies.models import PolicyVersion
from tests.gateway.wire.http.agent import Agent, last
from tests.gateway.wire.world import POLICIES, eventually

MASKED = {"card": None, "note": "key ***\n***", "mail": "ann@example.com", "price": 1.5}


def answered(agent: Agent, path: str, wanted: Any) -> Any:
    """The answer, once settings that were just changed have reached the gate."""
    found = None

    def ask() -> bool:
        nonlocal found
        found = agent.send("GET", path).json()
        return bool(found == wanted)

    eventually(ask)
    return found


def test_a_value_that_nobody_tagged_is_masked_counted_and_recorded_nowhere(agent: Agent) -> None:
    response = agent.send("GET", "/secrets/json", headers={"Range": "bytes=0-20"})
    assert response.json() == MASKED
    assert "accept-ranges" not in response.headers
    assert not agent.api.seen[0].header("range")
    found = last(shape="secrets", status="done")
    assert (found.detected, found.masked_values) == ({"aws_key": 1, "card_number": 2}, 3)
    kept = str(Frame.objects.get(action_id=found.id).rows)
    assert "AKIA" not in kept
    assert "4111" not in kept
    leaves = [bytes(row.leaf) for row in Outbox.objects.order_by("-id")[:20]]
    assert not any(b"AKIA" in leaf for leaf in leaves)


def test_text_is_looked_through_too(agent: Agent) -> None:
    assert agent.send("GET", "/secrets/text").text.startswith('{"card": ***, "note": "key ***')


def test_a_resource_says_what_detectors_do_there(agent: Agent) -> None:
    bank, engineer = Resource.objects.get(name="bank"), agent.world.cast.engineer
    changed = detector_actions.set_detectors(
        bank.id, said={"email": "partial", "card_number": "off", "aws_key": "hash"}, actor=engineer
    )
    assert changed["email"] == {"before": "", "after": "partial"}
    eventually(lambda: agent.send("GET", "/secrets/json").json()["card"] is not None)
    said = agent.send("GET", "/secrets/json").json()
    assert (said["card"], said["mail"]) == (4111111111111111, "***")
    assert said["note"].startswith("key aws_key:")
    detector_actions.set_detectors(bank.id, said=dict.fromkeys(changed, ""), actor=engineer)
    assert answered(agent, "/secrets/json", MASKED) == MASKED


def test_a_detector_of_ones_own_acts_where_it_was_written_to(agent: Agent) -> None:
    detector_actions.write_detector(
        "price", title="A price", pattern=r'"price": \d\.\d\d', sample='"price": 1.50', strategy="redact", everywhere=True,
        actor=agent.world.cast.engineer,
    )  # fmt: skip
    assert eventually(lambda: "1.50" not in agent.send("GET", "/secrets/text").text)
    detector_actions.remove_detector("price", reason="Too much.", actor=agent.world.cast.engineer)
    assert eventually(lambda: "1.50" in agent.send("GET", "/secrets/text").text)


def test_a_permit_lifts_a_detector_for_the_agent_and_never_for_the_recording(agent: Agent) -> None:
    before = PolicyVersion.objects.get(status="active")
    _activate(agent, POLICIES.replace('@id("banks")', '@id("banks") @unmask("card_number")'))
    lifted = {**MASKED, "card": 4111111111111111, "note": "key ***\n4111 1111 1111 1111"}
    assert answered(agent, "/secrets/json", lifted) == lifted
    eventually(lambda: last(shape="secrets").status == "done")
    found = last(shape="secrets", status="done")
    assert found.detected == {"aws_key": 1}
    assert "4111" not in json.dumps(Frame.objects.get(action_id=found.id).rows)
    _activate(agent, before.text)
    assert answered(agent, "/secrets/json", MASKED) == MASKED


def _activate(agent: Agent, text: str) -> None:
    cast = agent.world.cast
    version = policies.draft(text, actor=cast.engineer)
    policies.propose(version.id, actor=cast.engineer)
    policies.approve(version.id, actor=cast.ciso)
    policies.activate(version.id, actor=cast.engineer)
