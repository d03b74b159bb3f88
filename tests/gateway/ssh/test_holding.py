"""A held command waits in its client, is settled by people, and runs at most once."""

from __future__ import annotations

import signal

from django.db import connections

from activity.models import Action
from approvals import actions as approvals
from approvals.models import Hold
from tests.gateway.ssh.agent import Agent
from tests.gateway.wire.world import eventually


def _hold(agent: Agent) -> Hold:
    found = eventually(lambda: Hold.objects.filter(status="waiting", resource=agent.resource).first(), within=20)
    assert found is not None
    return found


def _held(agent: Agent) -> None:
    """As `_hold`, in a thread of its own."""
    try:
        _hold(agent)
    finally:
        connections.close_all()


def _approve(agent: Agent, hold: Hold) -> None:
    approvals.approve(hold.id, actor=agent.world.cast.reviewer, seen=hold.digest)


def test_an_approved_command_runs_once_exactly_as_shown(agent: Agent) -> None:
    victim = agent.sandbox / "victim"
    victim.write_text("x")
    client = agent.started(f"rm {victim} && echo gone")
    hold = _hold(agent)
    assert victim.exists()
    assert (hold.verb, hold.shown, hold.summary) == (
        "ssh:exec",
        f"$ rm {victim} && echo gone",
        f"rm {victim} && echo gone",
    )
    _approve(agent, hold)
    out, told = client.communicate(timeout=30)
    assert (out, client.returncode, victim.exists()) == (b"gone\n", 0, False)
    assert f"/queue/{hold.id}/".encode() in told
    assert b"Waiting for approval (1 of dba) until " in told
    hold.refresh_from_db()
    assert hold.status == "released"
    assert Action.objects.get(id=hold.action_id).decision == "hold"


def test_people_see_the_parts_and_what_policy_says_of_each_alone(agent: Agent) -> None:
    client = agent.started("ls | wc -l && rm a > /tmp/sandbox.log; $x eval")
    hold = _hold(agent)
    assert eventually(lambda: Hold.objects.get(id=hold.id).estimate is not None)
    estimate = Hold.objects.get(id=hold.id).estimate
    assert estimate is not None
    alone = [(part["text"], part["alone"]) for part in estimate["parts"]]
    assert alone[:4] == [("ls", "allow"), ("wc -l", "allow"), ("rm a", "hold"), ("> /tmp/sandbox.log", "allow")]
    client.kill()
    client.communicate()


def test_a_denied_command_never_runs(agent: Agent) -> None:
    client = agent.started(f"rm {agent.sandbox}/kept")
    hold = _hold(agent)
    approvals.deny(hold.id, actor=agent.world.cast.reviewer, seen=hold.digest, reason="Not that one.")
    _, told = client.communicate(timeout=30)
    assert client.returncode == 126
    assert b"Not run." in told


def test_a_hold_outlives_its_client_and_the_same_command_collects_it(agent: Agent) -> None:
    victim = agent.sandbox / "later"
    victim.write_text("x")
    client = agent.started(f"rm {victim}")
    hold = _hold(agent)
    client.send_signal(signal.SIGKILL)
    client.communicate()
    assert eventually(lambda: agent.session().ended_at is not None, within=10)
    hold.refresh_from_db()
    assert hold.status == "waiting"
    _approve(agent, hold)
    assert victim.exists()
    assert agent.ssh(f"rm {victim}").returncode == 0
    assert not victim.exists()
    hold.refresh_from_db()
    assert hold.status == "released"


def test_another_directory_is_another_command(agent: Agent) -> None:
    """Approved once, a text is not let through where it means something else."""
    client = agent.started("rm relative")
    hold = _hold(agent)
    client.kill()
    client.communicate()
    _approve(agent, hold)
    again = agent.started(f"cd {agent.sandbox} && rm relative")
    other = eventually(lambda: Hold.objects.filter(status="waiting", resource=agent.resource).first(), within=20)
    assert other is not None
    assert other.digest != hold.digest
    again.kill()
    again.communicate()
    approvals.deny(other.id, actor=agent.world.cast.reviewer, seen=other.digest, reason="No.")


def test_what_cannot_be_told_runs_with_people_alone(agent: Agent) -> None:
    client = agent.started("x=echo; $x 'eval of it'")
    hold = _hold(agent)
    assert hold.verb == "ssh:unknown"
    _approve(agent, hold)
    out, _ = client.communicate(timeout=30)
    assert out == b"eval of it\n"


def test_a_signal_withdraws(agent: Agent) -> None:
    import asyncio

    import asyncssh

    token = agent.token()

    async def ask() -> str:
        name, port = agent.address
        async with (
            asyncssh.connect(
                name, int(port), username=agent.name, password=token, known_hosts=None, config=[]
            ) as connection,
            connection.create_process("rm x") as process,
        ):
            await asyncio.to_thread(_held, agent)
            process.send_signal("INT")
            return str((await process.wait()).stderr)

    told = asyncio.run(ask())
    assert "Canceled by the client" in told
    assert Hold.objects.filter(status="withdrawn", resource=agent.resource).exists()
