"""File transfer with OpenSSH's own sftp and scp: each file is an action, and a path leads only where it was decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activity.models import Action
from gateway.ssh import sftp_wire
from gateway.ssh.file_wishes import forwarded, named_in, wish_of
from gateway.ssh.sftp_wire import Kind, Malformed, Packet, read_packet, read_packets, string
from tests.gateway.ssh.agent import Agent
from tests.gateway.wire.world import eventually


def _sftp(agent: Agent, *lines: str) -> tuple[int, str]:
    name, port = agent.address
    batch = agent.folder / "batch"
    batch.write_text("\n".join(lines) + "\n")
    done = agent.run("sftp", *agent.options(BatchMode="no"), "-P", port, "-b", str(batch), f"{agent.name}@{name}")
    return done.returncode, (done.stdout + done.stderr).decode()


def _scp(agent: Agent, source: str, target: str, *more: str) -> tuple[int, str]:
    _, port = agent.address
    done = agent.run("scp", *more, *agent.options(), "-P", port, source, target)
    return done.returncode, done.stderr.decode()


def _there(agent: Agent, path: Path) -> str:
    return f"{agent.name}@{agent.address[0]}:{path}"


def _actions(agent: Agent) -> list[tuple[str, str, str]]:
    session = agent.session()
    eventually(lambda: not Action.objects.filter(session_id=session.id, status="released").exists())
    return list(Action.objects.filter(session_id=session.id).order_by("number").values_list("verb", "shown", "status"))


def test_scp_brings_a_file_and_takes_it_back(agent: Agent) -> None:
    local, there, back = agent.folder / "local", agent.sandbox / "there", agent.folder / "back"
    data = bytes(range(256)) * 4_096
    local.write_bytes(data)
    assert _scp(agent, str(local), _there(agent, there)) == (0, "")
    assert there.read_bytes() == data
    done = _actions(agent)
    assert ("ssh:write", f"sftp> write {there}", "done") in done
    assert _scp(agent, _there(agent, there), str(back)) == (0, "")
    assert back.read_bytes() == data
    read = Action.objects.get(session_id=agent.session().id, shown=f"sftp> read {there}")
    assert eventually(lambda: Action.objects.get(id=read.id).bytes == len(data))


def test_sftp_does_all_that_it_can(agent: Agent) -> None:
    folder = agent.sandbox / "sub"
    status, said = _sftp(
        agent, f"mkdir {folder}", f"put {agent.folder}/askpass {folder}/a", f"chmod 600 {folder}/a", f"rename {folder}/a {folder}/b",
        f"symlink {folder}/b {folder}/c", f"ls -l {folder}", f"get {folder}/c {agent.folder}/got", f"rm {folder}/c", f"rm {folder}/b", f"rmdir {folder}",
    )  # fmt: skip
    assert (status, folder.exists()) == (0, False), said
    shown = [what for _, what, _ in _actions(agent)]
    for what in (
        f"make directory {folder}",
        f"rename {folder}/a to {folder}/b",
        f"list {folder}",
        f"remove {folder}/b",
        f"remove directory {folder}",
    ):
        assert f"sftp> {what}" in shown
    assert f"sftp> read {folder}/b" in shown  # that is where the link leads


@pytest.mark.parametrize("path", ["/etc/passwd", f"sandbox/{'../' * 20}etc/passwd", "link"])
def test_a_path_leads_nowhere_else(agent: Agent, path: str) -> None:
    (agent.sandbox / "link").unlink(missing_ok=True)
    (agent.sandbox / "link").symlink_to("/etc/passwd")
    asked = path if path.startswith("/") else f"{agent.sandbox}/{path.removeprefix('sandbox/')}"
    status, said = _sftp(agent, f"get {asked} {agent.folder}/stolen")
    assert status != 0, said
    assert not (agent.folder / "stolen").exists()
    denied = Action.objects.filter(session_id=agent.session().id, status="denied")
    assert {action.shown.split()[-1] for action in denied} == {"/etc/passwd"}


def test_what_is_denied_is_told_to_scp(agent: Agent) -> None:
    status, said = _scp(agent, str(agent.folder / "askpass"), _there(agent, Path("/etc/narrowgate-test")))
    assert status != 0
    assert "No policy allows" in said or "ermission denied" in said
    assert not Path("/etc/narrowgate-test").exists()


def test_the_older_scp_is_a_command(agent: Agent) -> None:
    target = agent.sandbox / "older"
    assert _scp(agent, str(agent.folder / "askpass"), _there(agent, target), "-O") == (0, "")
    assert target.exists()
    assert _actions(agent) == [("ssh:exec", f"$ scp -t {target}", "done")]


def test_a_file_that_is_open_for_reading_keeps_its_attributes(agent: Agent) -> None:
    import asyncio

    import asyncssh

    kept = agent.sandbox / "kept"
    kept.write_text("x")
    kept.chmod(0o644)
    token = agent.token()

    async def ask() -> None:
        name, port = agent.address
        async with (
            asyncssh.connect(
                name, int(port), username=agent.name, password=token, known_hosts=None, config=[]
            ) as connection,
            connection.start_sftp_client() as sftp,
            sftp.open(str(kept), "rb") as file,
        ):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await file.chmod(0o777)
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await file.write(b"y")
            read: Any = await file.read()
            assert read == b"x"

    asyncio.run(ask())
    assert kept.stat().st_mode & 0o777 == 0o644


# ---- packets ----
def test_packets_are_read_at_every_split() -> None:
    whole = Packet(Kind.STAT, 7, string(b"/srv")).encoded() + Packet(Kind.CLOSE, 8, string(b"h")).encoded()
    for at in range(len(whole)):
        buffer = bytearray(whole[:at])
        found = read_packets(buffer)
        buffer += whole[at:]
        assert [read_packet(one).number for one in (*found, *read_packets(buffer))] == [7, 8]


@pytest.mark.parametrize("data", [b"\x00\x00\x00\x00", b"\xff\xff\xff\xff\x01", b"\x7f\xff\xff\xff"])
def test_a_length_that_is_none_ends_it(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_packets(bytearray(data))


@pytest.mark.parametrize("body", [b"", b"\x00\x00", b"\x00\x00\x00\x09abc", string(b"/a\x00b"), string(b"\xff\xfe")])
def test_a_body_that_is_none_is_no_path(body: bytes) -> None:
    with pytest.raises(Malformed):
        wish_of(Packet(Kind.STAT, 1, body), [named.path for named in named_in(Packet(Kind.STAT, 1, body))])


def test_what_was_decided_is_what_goes_up() -> None:
    attributes = b"\x00\x00\x00\x00"
    packet = Packet(Kind.OPEN, 1, string(b"/tmp/link") + b"\x00\x00\x00\x1a" + attributes)
    wish = wish_of(packet, ["/srv/real"])
    assert [(part.verb, part.path) for part in wish.parts] == [("ssh:write", "/srv/real")]
    assert forwarded(packet, ["/srv/real"]) == string(b"/srv/real") + b"\x00\x00\x00\x1a" + attributes
    assert wish.covers["rest"] == forwarded(packet, ["/srv/real"]).hex()
    assert sftp_wire.status(3, 4, "no")[:9] == b"\x00\x00\x00\x15\x65\x00\x00\x00\x03"
