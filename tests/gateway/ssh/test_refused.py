"""Whatever a connection can be asked for besides commands, shells and file transfer is refused."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import asyncssh
import pytest

from tests.gateway.ssh.agent import Agent
from tests.gateway.wire.world import eventually


def _connect(agent: Agent, token: str) -> Any:
    name, port = agent.address
    return asyncssh.connect(name, int(port), username=agent.name, password=token, known_hosts=None, config=[])


def test_no_port_is_forwarded_there(agent: Agent) -> None:
    token = agent.token()

    async def ask() -> None:
        async with _connect(agent, token) as connection:
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", agent.host.port)
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_unix_connection("/run/x")

    asyncio.run(ask())


def test_no_port_is_forwarded_back(agent: Agent) -> None:
    token = agent.token()

    async def ask() -> None:
        async with _connect(agent, token) as connection:
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_port("", 0, "127.0.0.1", 9)
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_path(f"{agent.folder}/socket", "/run/x")

    asyncio.run(ask())


def test_no_agent_no_display_no_tunnel(agent: Agent) -> None:
    token = agent.token()

    async def ask() -> None:
        async with _connect(agent, token) as connection:
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.create_process("echo x", x11_forwarding=True, x11_display="localhost:7")
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.create_tun(asyncssh.SSHTunTapSession)

    asyncio.run(ask())


@pytest.mark.parametrize("name", ["netconf", "sftp2", "x" * 1_000])
def test_no_other_subsystem(agent: Agent, name: str) -> None:
    assert agent.ssh("-s", name).returncode == 255


def test_a_certificate_permits_nothing_beyond(agent: Agent) -> None:
    said = agent.run("ssh-keygen", "-L", "-f", f"{agent.certificate()}-cert.pub").stdout.decode()
    assert said.partition("Extensions:")[2].split() == ["permit-pty"]
    assert "Critical Options: (none)" in said


def test_no_more_than_eight_channels(agent: Agent) -> None:
    token = agent.token()

    async def ask() -> list[int | None]:
        async with _connect(agent, token) as connection:
            waiting = [await connection.create_process("sleep 30") for _ in range(8)]
            one_more = await connection.run("echo x")
            for one in waiting:
                one.close()
            return [one_more.exit_status]

    assert asyncio.run(ask()) == [255]


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"SSH-1.5-old\r\n", b"SSH-2.0-x\r\n" + b"\xff" * 64, b"A" * 300_000],
    ids=["HTTP", "SSH 1", "packet", "flood"],
)
def test_what_does_not_speak_ssh_is_hung_up_on(agent: Agent, data: bytes) -> None:
    name, port = agent.address
    with socket.create_connection((name, int(port)), timeout=10) as stream:
        try:
            stream.sendall(data)
            while stream.recv(4_096):
                pass
        except ConnectionError:
            pass
    assert agent.ssh("echo x").stdout == b"x\n"


def test_tokens_are_tried_three_times(agent: Agent) -> None:
    async def attempt() -> int:
        tries = 0

        class Client(asyncssh.SSHClient):
            def password_auth_requested(self) -> str | None:
                nonlocal tries
                tries += 1
                return "nonsense" if tries < 50 else None

        name, port = agent.address
        with pytest.raises(asyncssh.Error):
            await asyncssh.connect(
                name, int(port), username=agent.name, client_factory=Client, known_hosts=None, config=[], client_keys=None,
                preferred_auth="password",
            )  # fmt: skip
        return tries

    assert asyncio.run(attempt()) <= 5
    assert eventually(lambda: agent.ssh("echo x").stdout == b"x\n")
