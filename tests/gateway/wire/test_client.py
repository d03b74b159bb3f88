"""The Python client and the hook for coding agents, against a gateway that runs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from narrowgate_client import Denied, Gate, Unavailable, changes, changes_async, guarded
from narrowgate_client.errors import StillHeld
from narrowgate_client.keys import read_key

from activity.models import Action
from agents import keys
from approvals import actions as approvals
from approvals.models import Hold
from tests.gateway.wire.doors import served
from tests.gateway.wire.world import World, eventually

CLIENT = Path(__file__).parents[3] / "clients" / "python"


@pytest.fixture(scope="module")
def door(standing_world: World) -> Iterator[str]:
    with served(standing_world) as address:
        yield address


@pytest.fixture
def environment(standing_world: World, door: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    (tmp_path / "agent.jwk").write_text(json.dumps(standing_world.key.as_dict(private=True)))
    yield {
        "NARROWGATE_GATEWAY": door,
        "NARROWGATE_AGENT": standing_world.agent.name,
        "NARROWGATE_AGENT_KEY": str(tmp_path / "agent.jwk"),
        "NARROWGATE_RESOURCE": "shop",
        "NARROWGATE_CA": str(standing_world.ca),
    }
    Hold.objects.filter(status="waiting").update(status="withdrawn")


@pytest.fixture
def gate(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Gate:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Gate.from_environment()


def last() -> Action:
    return Action.objects.filter(enforced=False).latest("asked_at")


def test_a_function_runs_when_it_may_and_its_end_is_reported(gate: Gate) -> None:
    @guarded("payments.transfer")
    def transfer(amount: int, to: str = "DE02") -> str:
        assert last().status == "released"
        return f"{amount} to {to}"

    assert transfer(250) == "250 to DE02"
    assert (last().status, last().summary) == ("done", 'payments.transfer: amount 250, to "DE02"')


def test_one_that_raises_is_reported_by_the_name_of_its_error_alone(gate: Gate) -> None:
    @guarded("payments.transfer", gate=gate)
    def transfer(amount: int) -> None:
        raise ConnectionError("secret-host:5432 password=hunter2")

    with pytest.raises(ConnectionError):
        transfer(1)
    assert (last().status, last().message) == ("failed", "ConnectionError")


def test_what_is_denied_never_runs(gate: Gate) -> None:
    @guarded("files.delete", gate=gate)
    def delete(path: str) -> None:
        pytest.fail("it ran")

    with pytest.raises(Denied) as denied:
        delete("/")
    assert denied.value.code == "no_match"
    assert denied.value.action == str(last().id)


def test_it_waits_for_people(gate: Gate, standing_world: World) -> None:
    ran: list[int] = []

    @guarded("payments.transfer", gate=gate)
    def transfer(amount: int) -> None:
        ran.append(amount)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(transfer, 5000)
        hold = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert hold is not None
        assert not ran
        approvals.approve(hold.id, actor=standing_world.cast.reviewer, seen=hold.digest)
        waiting.result(30)
    assert ran == [5000]


def test_a_denial_by_people_is_told_in_their_words(gate: Gate, standing_world: World) -> None:
    guard = guarded("payments.transfer", gate=gate)(lambda amount: pytest.fail("it ran"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(guard, amount=5001)
        hold = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert hold is not None
        approvals.deny(hold.id, actor=standing_world.cast.reviewer, seen=hold.digest, reason="Not this month")
        with pytest.raises(Denied, match="Not this month"):
            waiting.result(30)


def test_a_denied_function_is_asked_again_with_a_justification(gate: Gate, standing_world: World) -> None:
    said = "Invoice 4711 is due today."
    ask = gate.asker.ask("payments.transfer", {"amount": 5003}, uuid.uuid4().hex, 30)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(gate.run, ask)
        hold = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert hold is not None
        approvals.deny(hold.id, actor=standing_world.cast.reviewer, seen=hold.digest, reason="Why?")
        with pytest.raises(Denied) as denied:
            asking.result(30)
        again = pool.submit(gate.run, gate.asker.resubmit(denied.value.action, said, uuid.uuid4().hex, 30))
        new = eventually(lambda: Hold.objects.filter(status="waiting", resubmits=hold).first())
        assert new is not None
        approvals.approve(new.id, actor=standing_world.cast.reviewer, seen=new.digest)
        assert again.result(30) == str(new.action_id)


def test_an_action_is_followed_until_it_is_over(gate: Gate, standing_world: World) -> None:
    action = gate.run(gate.asker.find("payments.transfer", {"amount": 5004}, uuid.uuid4().hex))
    told = changes(gate, action)
    assert next(told)["status"] == "held"
    hold = Hold.objects.get(action_id=action)
    approvals.approve(hold.id, actor=standing_world.cast.reviewer, seen=hold.digest)
    assert list(told)[-1]["status"] == "released"


def test_a_stream_that_breaks_is_taken_up_where_it_was(
    gate: Gate, standing_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narrowgate_client.follow.PAUSE", 0.05)
    action = gate.run(gate.asker.find("payments.transfer", {"amount": 5005}, uuid.uuid4().hex))
    told = changes(gate, action)
    assert next(told)["status"] == "held"
    standing_world.gateway.service._visits.cut(Action.objects.get(id=action).session_id, "The gate restarts.")
    hold = Hold.objects.get(action_id=action)
    approvals.deny(hold.id, actor=standing_world.cast.reviewer, seen=hold.digest, reason="No")
    assert [one["status"] for one in told] == ["denied"]

    async def again() -> list[str]:
        return [str(one["status"]) async for one in changes_async(gate, action)]

    assert asyncio.run(again()) == ["denied"]


def test_it_waits_no_longer_than_it_was_told(gate: Gate) -> None:
    guard = guarded("payments.transfer", gate=gate, wait=1.5)(lambda amount: pytest.fail("it ran"))
    with pytest.raises(StillHeld) as held:
        guard(amount=5002)
    assert Hold.objects.get(action_id=held.value.action).status == "waiting"


def test_async_functions_are_guarded_alike(gate: Gate) -> None:
    @guarded("payments.transfer", gate=gate)
    async def transfer(amount: int) -> int:
        await asyncio.sleep(0)
        return amount

    @guarded("files.delete", gate=gate)
    async def delete(path: str) -> None:
        pytest.fail("it ran")

    async def both() -> int:
        with pytest.raises(Denied):
            await delete("/")
        return await transfer(7)

    assert asyncio.run(both()) == 7
    assert last().status == "done"


def test_without_a_gate_nothing_runs(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    @guarded("payments.transfer")
    def transfer(amount: Any) -> None:
        pytest.fail("it ran")

    with pytest.raises(Unavailable, match="cannot be shown"):
        transfer(object())
    with pytest.raises(Unavailable, match="cannot be shown"):
        transfer(float("nan"))
    monkeypatch.setenv("NARROWGATE_GATEWAY", "https://localhost:1")
    with pytest.raises(Unavailable, match="does not answer"):
        transfer(1)
    monkeypatch.setenv("NARROWGATE_GATEWAY", "http://localhost:1")
    with pytest.raises(Unavailable, match="https://"):
        transfer(1)
    monkeypatch.delenv("NARROWGATE_AGENT")
    with pytest.raises(Unavailable, match="NARROWGATE_AGENT is not set"):
        transfer(1)


def test_a_report_that_does_not_get_through_is_logged(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    @guarded("payments.transfer", gate=gate)
    def transfer(amount: int) -> str:
        gate.address = "https://localhost:1"
        return "paid"

    with caplog.at_level(logging.WARNING):
        assert transfer(3) == "paid"
    assert "could not be reported" in caplog.text


def test_another_authority_is_not_the_gate(gate: Gate, tmp_path: Path) -> None:
    gate.ca = None
    with pytest.raises(Unavailable):
        gate.run(gate.asker.ask("payments.transfer", {}, "k", 1))


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_both_kinds_of_keys_are_read(tmp_path: Path, algorithm: str) -> None:
    made = keys.generate(algorithm)
    (tmp_path / "key").write_text(json.dumps(made.as_dict(private=True)))
    read = read_key(tmp_path / "key")
    assert (read.algorithm, read.kid) == (algorithm, keys.kid_of(made))
    for text in ("", "{}", "[]", json.dumps(keys.public_jwk(made))):
        (tmp_path / "key").write_text(text)
        with pytest.raises(Unavailable):
            read_key(tmp_path / "key")


# ---- the hook ----
def hook(said: object, environment: dict[str, str], *options: str) -> tuple[str, str]:
    """The decision of the hook, run as a coding agent runs it, and its reason."""
    text = said if isinstance(said, str) else json.dumps(said)
    done = subprocess.run(
        [sys.executable, "-m", "narrowgate_client.hook", *options], input=text, capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CLIENT), **environment}, check=True,
    )  # fmt: skip
    if not done.stdout:
        return "", done.stderr
    answer = json.loads(done.stdout)["hookSpecificOutput"]
    assert answer["hookEventName"] == "PreToolUse"
    return answer["permissionDecision"], answer["permissionDecisionReason"]


def call(tool: str, event: str = "PreToolUse", **given: Any) -> dict[str, Any]:
    return {
        "session_id": "s",
        "tool_use_id": uuid.uuid4().hex,
        "hook_event_name": event,
        "tool_name": tool,
        "tool_input": given,
    }


def test_a_tool_call_is_allowed_and_reported(environment: dict[str, str]) -> None:
    said = call("Bash", command="ls " + "x" * 5_000)
    assert hook(said, environment)[0] == "allow"
    found = last()
    assert (found.shape, found.status) == ("tools.bash", "released")
    assert '"characters": 5003' in found.shown
    assert hook(said | {"hook_event_name": "PostToolUse"}, environment) == ("", "")
    assert Action.objects.get(id=found.id).status == "done"


def test_a_tool_call_is_denied_or_held(environment: dict[str, str]) -> None:
    decision, reason = hook(call("Write", file_path="/etc/passwd"), environment)
    assert decision == "deny"
    assert "No policy allows" in reason
    held = call("Bash", command="deploy", amount=5003)
    assert hook(held, environment, "--wait", "1")[0] == "deny"
    assert hook(held, environment, "--wait", "1", "--held", "ask")[0] == "ask"


@pytest.mark.parametrize(
    "said", ["", "no json", "[]", '{"tool_name": "Bash"}', '{"tool_name": 7, "tool_input": {"a": NaN}}']
)
def test_what_is_no_event_is_denied(environment: dict[str, str], said: str) -> None:
    assert hook(said, environment)[0] == "deny"


def test_a_hook_that_cannot_ask_denies(environment: dict[str, str]) -> None:
    assert hook(call("Bash", command="ls"), {})[0] == "deny"
    assert hook(call("Bash", command="ls"), environment | {"NARROWGATE_GATEWAY": "https://localhost:1"})[0] == "deny"
