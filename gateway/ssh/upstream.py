"""The gate's own connection to a host: one a session, with the vault's secret, to nobody but the holder of the registered key."""

from __future__ import annotations

import asyncio
import re
import shlex
from contextlib import suppress
from typing import Any, Final

import asyncssh
import structlog

from gateway.refusal import Refusal
from gateway.ssh.login import Target
from gateway.ssh.parts import PATH

WITHIN: Final = 10.0
"""Seconds until the host has let the gate in."""
KEEPALIVE: Final = 15.0
"""Seconds between questions whether a silent host is still there; after three without an answer it is not."""
SILENT: Final = asyncssh.import_known_hosts("")
"""No host is known from elsewhere: the registered key decides."""
log = structlog.get_logger()


class _Pinned(asyncssh.SSHClient):
    """Believes the holder of one key, by its fingerprint."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        self.other = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Whether it is the registered one."""
        shown = key.get_fingerprint()
        if shown != self._fingerprint:
            self.other = shown
        return shown == self._fingerprint


class Upstream:
    """A host that let the gate in. `home` is the login's home directory there, `user` its name."""

    def __init__(self, connection: asyncssh.SSHClientConnection, home: str, user: str) -> None:
        self.connection, self.home, self.user = connection, home, user

    def wrapped(self, command: str, folder: str, environment: dict[str, str], mark: str) -> str:
        """The text that the login's shell gets: a bash with nothing in it but what is written here, in `folder`.

        Alias, function, PATH and start-up file of the host's or an agent's making change nothing of what `command` means.
        """
        names = " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(environment.items()))
        # The number of the process that becomes bash, and leads all that it starts.
        number = f"echo narrowgate:{mark}:$$ >&2; " if mark else ""
        return f"{number}cd -- {shlex.quote(folder)} && exec /usr/bin/env -i {names} bash --noprofile --norc -c -- {shlex.quote(command)}"

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        """The whole environment that a command has."""
        ours = {"HOME": self.home, "LANG": "C.UTF-8", "LOGNAME": self.user, "PATH": PATH, "USER": self.user}
        return {**more, **ours}

    async def kill(self, process: int, name: str) -> None:
        """Send a signal to a process group of ours."""
        with suppress(asyncssh.Error, OSError):
            await self.connection.run(f"kill -s {name} -- -{process}")

    def close(self) -> None:
        """Hang up."""
        self.connection.close()

    async def closed(self) -> None:
        """Wait for the connection's end."""
        await self.connection.wait_closed()


async def connect(target: Target) -> Upstream:
    """Sign in at a host. Raises Refusal: another key than the registered one, a login that is not taken, nobody there."""
    pinned = _Pinned(target.host_key)
    try:
        async with asyncio.timeout(WITHIN):
            connection = await asyncssh.connect(
                target.host,
                target.port,
                client_factory=lambda: pinned,
                known_hosts=SILENT,
                username=target.user,
                config=[],
                agent_path=None,
                gss_auth=False,
                host_based_auth=False,
                kbdint_auth=True,
                keepalive_interval=KEEPALIVE,
                client_version="narrowgate",
                **_secret(target),
            )
            return Upstream(connection, *await _home(connection))
    except (asyncssh.Error, OSError, TimeoutError, ValueError) as error:
        raise _refusal(target, pinned, error) from None


def _secret(target: Target) -> dict[str, Any]:
    """The vault's secret, a private key or a password."""
    if target.secret.lstrip().startswith("-----BEGIN "):
        try:
            key = asyncssh.import_private_key(_on_lines(target.secret))
        except asyncssh.KeyImportError:
            raise ValueError("the vault's key cannot be read") from None
        return {"client_keys": [key], "password": None, "preferred_auth": "publickey"}
    return {"client_keys": None, "password": target.secret, "preferred_auth": "password,keyboard-interactive"}


def _on_lines(pem: str) -> str:
    """A key as PEM has it: a form of one line takes its line ends away."""
    found = re.match(r"\s*(-----BEGIN [A-Z ]+-----)(.*?)(-----END [A-Z ]+-----)\s*\Z", pem, re.DOTALL)
    if found is None:
        return pem
    body = "".join(found[2].split())
    return "\n".join([found[1], *[body[at : at + 64] for at in range(0, len(body), 64)], found[3], ""])


async def _home(connection: asyncssh.SSHClientConnection) -> tuple[str, str]:
    """Where commands start, and as whom: asked once, so that a path in a command means one thing."""
    said = await connection.run("exec /usr/bin/env -i /bin/sh -c 'pwd -P; /usr/bin/id -un'", encoding="utf-8")
    lines = str(said.stdout or "").splitlines()
    if len(lines) < 2 or not lines[-2].startswith("/") or not lines[-1].isprintable():
        raise ValueError("it does not say where its home is")
    return lines[-2], lines[-1]


def _refusal(target: Target, pinned: _Pinned, error: Exception) -> Refusal:
    log.info("host_not_reached", host=target.host, error=f"{type(error).__name__}: {error}")
    if pinned.other:
        return Refusal(
            f"The host shows another key than the one registered: {pinned.other}.",
            code="host_key_changed",
            remedy="A platform engineer compares it at the host. If it was changed on purpose, they register the new one.",
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return Refusal(
            "The host does not take the vault's login.", code="no_login", remedy="A platform engineer stores another."
        )
    words = (
        f"It is no host that the gate can use: {error}."
        if isinstance(error, ValueError)
        else "The host does not answer."
    )
    return Refusal(words, code="resource_unavailable", remedy="A platform engineer tests the resource's connection.")
