"""A shell in lines: each is a command of its own; and a whole terminal, where policy allows one."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time

import pytest

from activity.models import Action, Frame
from gateway.ssh.commands import understand
from gateway.ssh.lines import Key, Typing
from gateway.ssh.shell import moves
from policies import actions as policies
from tests.gateway.ssh.agent import POLICIES, Agent
from tests.gateway.wire.world import eventually

TERMINAL = """
@id("terminals") @why("Support may have a terminal.")
permit (principal in Function::"support", action == Action::"ssh:terminal", resource == Resource::"web");
"""


def test_each_line_is_an_action_and_the_directory_is_kept(agent: Agent) -> None:
    done = agent.ssh(
        data=f"echo one\ncd {agent.sandbox}\npwd\nexport LANG=C\nenv | head -1 >/dev/null; echo two > here\nuname\n\n# nothing\nfalse\n"
    )
    assert done.stdout.decode() == f"one\n{agent.sandbox}\n"
    assert "No policy allows" in done.stderr.decode()
    assert done.returncode == 1
    assert (agent.sandbox / "here").read_text() == "two\n"
    session = agent.session()
    eventually(lambda: not Action.objects.filter(session_id=session.id, status="released").exists())
    shown = list(Action.objects.filter(session_id=session.id).order_by("number").values_list("shown", "status"))
    where = f"{agent.sandbox} $ "
    assert shown[:3] == [("$ echo one", "done"), (f"$ cd {agent.sandbox}", "done"), (f"{where}pwd", "done")]
    assert shown[-2:] == [(f"{where}uname", "denied"), (f"{where}false", "failed")]


def test_a_directory_that_is_not_there_changes_nothing(agent: Agent) -> None:
    done = agent.ssh(data="cd /nowhere/at/all\npwd\n")
    assert done.stdout.decode().strip() == os.path.expanduser("~")  # noqa: PTH111
    assert b"No such file or directory" in done.stderr


def test_a_line_leaves_nothing_behind(agent: Agent) -> None:
    done = agent.ssh(data="x=1; echo $x\necho [$x]\nls() { echo mine; }; echo\nls /nowhere\n")
    assert done.stdout == b"1\n[]\n\n"


def test_exit_ends_it(agent: Agent) -> None:
    done = agent.ssh(data="exit 7\necho not\n")
    assert (done.stdout, done.returncode) == (b"", 7)


class Screen:
    """A client in a terminal."""

    def __init__(self, agent: Agent) -> None:
        self._ours, theirs = pty.openpty()
        self.client = subprocess.Popen(
            agent.command(RequestTTY="force"), env={**agent.environment(), "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.seen = b""

    def until(self, text: bytes, within: float = 30) -> bytes:
        deadline = time.monotonic() + within
        while text not in self.seen and time.monotonic() < deadline:
            if select.select([self._ours], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._ours, 65_536)
                except OSError:
                    break
        assert text in self.seen, self.seen
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def type(self, text: bytes) -> None:
        os.write(self._ours, text)

    def close(self) -> None:
        self.client.kill()
        self.client.wait(10)
        os.close(self._ours)


def test_in_a_terminal_lines_are_edited_and_told_apart(agent: Agent) -> None:
    screen = Screen(agent)
    try:
        screen.until(b"web:~$ ")
        screen.type(b"echo hellx\x7fo\r")
        assert screen.until(b"hello\r\n").startswith(b"echo hellx\x08 \x08o\r\n")
        screen.until(b"web:~$ ")
        screen.type(b"uname\r")
        assert b"No policy allows" in screen.until(b"web:~$ ")
        screen.type(b"sleep 300.125\r")
        screen.until(b"sleep 300.125\r\n")
        assert eventually(lambda: agent.last().shown == "$ sleep 300.125", within=20)
        screen.type(b"\x03")
        screen.until(b"web:~$ ")
        screen.type(b"exit\r")
        screen.client.wait(20)
    finally:
        screen.close()
    assert eventually(lambda: Action.objects.get(shown="$ sleep 300.125").message == "The agent stopped it.", within=10)


def test_a_whole_terminal_is_one_action_recorded_byte_for_byte(agent: Agent) -> None:
    _activate(agent, POLICIES + TERMINAL)
    screen = Screen(agent)
    try:
        screen.until(b"# " if os.geteuid() == 0 else b"$ ")
        screen.type(b"x=41; echo $((x + 1))\r")
        screen.until(b"42")
        screen.type(b"exit\r")
        screen.client.wait(20)
    finally:
        screen.close()
        _activate(agent, POLICIES)
    action = eventually(lambda: agent.last() if agent.last().finished_at else None, within=20)
    assert action is not None
    assert (action.verb, action.status) == ("ssh:terminal", "done")
    rows = Frame.objects.get(action_id=action.id).rows
    assert "42" in "".join(data for _, stream, data in rows if stream == "out")
    assert "".join(data for _, stream, data in rows if stream == "in") == "x=41; echo $((x + 1))\rexit\r"


def _activate(agent: Agent, text: str) -> None:
    """In force in the gate before this ends."""
    cast = agent.world.cast
    version = policies.propose(policies.draft(text, actor=cast.engineer).id, actor=cast.engineer)
    policies.activate(policies.approve(version.id, actor=cast.ciso).id, actor=cast.engineer)
    gateway = agent.world.gateway
    gateway.run(gateway.service._watch.refresh())


# ---- typing ----
@pytest.mark.parametrize(
    ("typed", "lines"),
    [
        (b"ls\r", ["ls"]),
        (b"ls\r\nid\n", ["ls", "id"]),
        (b"l\xc3\xa9\x7fs\r", ["ls"]),
        (b"abc\x15ls\r", ["ls"]),
        (b"rm x\x17ls\r", ["rm ls"]),
        (b"l\x1b[As\x1bOB\r", ["ls"]),
        (b"ls\x03id\r", [Key.INTERRUPT, "id"]),
        (b"\x04", [Key.END]),
        (b"a\x04\r", ["a"]),
        (b"x" * 20_000, [Key.TOO_LONG]),
        (b"\xff\r", ["\udcff"]),
    ],
)
def test_typing(typed: bytes, lines: list[object]) -> None:
    assert Typing(terminal=True).feed(typed)[0] == lines
    one_by_one = Typing(terminal=True)
    assert [line for byte in typed for line in one_by_one.feed(bytes([byte]))[0]] == lines


@pytest.mark.parametrize(
    ("line", "whether"),
    [("cd /srv", True), ("cd '/a b'", True), ("cd", True), ("cd /srv; ls", False), ("cd $x", False), ("ls", False)],
)
def test_what_moves(line: str, whether: bool) -> None:
    assert moves(line, understand(line, folder="/")) is whether
