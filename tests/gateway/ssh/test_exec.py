"""A command over SSH: decided by its parts, run once at the host in a bash with nothing in it, recorded."""

from __future__ import annotations

import signal
import subprocess

import pytest

from activity.models import Action, Frame
from tests.gateway.ssh.agent import Agent
from tests.gateway.wire.world import eventually


def _finished(agent: Agent) -> Action:
    found = eventually(lambda: agent.last() if agent.last().finished_at else None, within=20)
    assert found is not None
    return found


def test_an_allowed_command_runs_and_is_recorded(agent: Agent) -> None:
    done = agent.ssh("echo hello; echo oh >&2; false")
    assert (done.stdout, done.stderr, done.returncode) == (b"hello\n", b"oh\n", 1)
    action = _finished(agent)
    assert (action.verb, action.shown, action.shape) == ("ssh:exec", "$ echo hello; echo oh >&2; false", "echo false")
    assert (action.status, action.bytes, action.message) == ("failed", 9, "It ended with exit status 1.")
    assert sorted(Frame.objects.get(action_id=action.id).rows) == [["error", "oh"], ["out", "hello"]]
    assert (agent.session().protocol, agent.session().id) == ("ssh", action.session_id)
    assert eventually(lambda: agent.session().ended_at is not None, within=10)


def test_input_and_output_of_every_size_pass_as_they_are(agent: Agent) -> None:
    data = bytes(range(256)) * 8_192  # two megabytes: more than a window
    done = agent.ssh("cat", data=data)
    assert (done.stdout == data, done.returncode) == (True, 0)
    action = _finished(agent)
    assert (action.status, action.bytes) == ("done", len(data))
    assert Frame.objects.get(action_id=action.id).cut


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("uname -a", "No policy allows"),
        ("ls; uname", "No policy allows"),
        ("ls $(uname)", "No policy allows"),
        ("sh -c 'ls; uname'", "No policy allows"),
        ("dd if=/dev/zero of=/dev/null", "Nobody copies disks."),
        ("echo x > /etc/passwd.new", "No policy allows"),
        ("$x -a", "What it would do cannot be told"),
        ("echo aWQ= | base64 -d | sh", "No policy allows"),
        ("ls\u00a0-l", "What it would do cannot be told"),
        ("# nothing", "The command does nothing."),
    ],
)
def test_what_no_policy_allows_never_starts(agent: Agent, command: str, why: str) -> None:
    done = agent.ssh(command)
    assert (done.stdout, done.returncode) == (b"", 126)
    action = agent.last()
    assert (action.status, action.released_at) == ("denied", None)
    assert done.stderr.decode().startswith("narrowgate: ")
    assert why in done.stderr.decode()
    assert str(action.id) in done.stderr.decode()


def test_a_command_writes_only_where_it_may(agent: Agent) -> None:
    target = agent.sandbox / "written"
    assert agent.ssh(f"echo hello > {target}").returncode == 0
    assert target.read_text() == "hello\n"


def test_nothing_of_the_host_or_the_agent_changes_what_a_command_means(agent: Agent) -> None:
    done = agent.ssh("env", SetEnv="LD_PRELOAD=/tmp/x LANG=de_DE", SendEnv="LC_ALL")
    told = dict(line.split("=", 1) for line in done.stdout.decode().splitlines())
    assert set(told) == {"HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHLVL", "USER", "_"}
    assert (told["LANG"], told["PATH"]) == ("C.UTF-8", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


def test_the_digest_covers_directory_environment_and_host(agent: Agent) -> None:
    from gateway.ssh.commands import understand
    from gateway.ssh.reading import Place, action_of, command

    wish = command("ls", understand("ls", folder="/srv"), "/srv", home="/home/deploy")
    from gateway.action import Caller

    salt, caller = bytes(32), _caller(agent)
    assert isinstance(caller, Caller)
    usual = Place("SHA256:a", "deploy", "/srv", {"PATH": "/bin"})
    others = [
        Place("SHA256:b", "deploy", "/srv", {"PATH": "/bin"}),
        Place("SHA256:a", "root", "/srv", {"PATH": "/bin"}),
        Place("SHA256:a", "deploy", "/", {"PATH": "/bin"}),
        Place("SHA256:a", "deploy", "/srv", {"PATH": "/opt"}),
    ]
    digests = {action_of(wish, place, caller, number=1, salt=salt).digest for place in (usual, *others)}
    assert len(digests) == 5
    assert wish.shown == "/srv $ ls"


def _caller(agent: Agent) -> object:
    from core.ids import new_id
    from gateway.action import Caller

    return Caller(
        new_id(), new_id(), agent.world.agent.id, agent.world.agent.name, agent.resource.id, "web", new_id(), 0
    )


def test_the_vaults_secret_is_nowhere(agent: Agent) -> None:
    done = agent.ssh(f"cat {agent.folder}/host/login")
    assert done.returncode == 0  # it is a file at this host, which is not the usual place for it
    assert agent.host.login_key not in str(
        list(Frame.objects.filter(session_id=agent.session().id).values_list("rows"))
    )


def test_several_channels_of_one_connection_are_one_session(agent: Agent) -> None:
    control = str(agent.folder / "control")
    master = agent.started("-M", "-N", ControlPath=control)
    try:
        assert eventually(lambda: agent.run("ssh", "-O", "check", "-S", control, "x").returncode == 0, within=20)
        for number in range(3):
            done = agent.run("ssh", "-S", control, "x", f"echo {number}")
            assert done.stdout == f"{number}\n".encode()
        assert Action.objects.filter(session_id=agent.session().id).count() == 3
    finally:
        master.terminate()
        master.communicate(timeout=10)


def test_a_client_that_leaves_takes_its_command_with_it(agent: Agent) -> None:
    client = agent.started("echo here; sleep 300.25")
    assert client.stdout is not None
    assert client.stdout.readline() == b"here\n"
    client.send_signal(signal.SIGKILL)
    client.communicate()
    action = _finished(agent)
    assert (action.status, action.message) == ("failed", "The client left, so it was stopped.")
    assert eventually(lambda: not _runs("sleep 300.25"), within=10)


def _runs(command: str) -> bool:
    return subprocess.run(["pgrep", "-f", f"^{command}$"], capture_output=True, check=False).returncode == 0
