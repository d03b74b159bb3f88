"""An agent with OpenSSH's own programs, and a host behind the gate."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activity.models import Action, Session
from agents import certificates
from agents.models import Resource
from tests.gateway.ssh.host import Host, make_key
from tests.gateway.wire.world import World, proven

POLICIES = r"""
@id("looks") @why("Support looks around.")
permit (principal in Function::"support", action == Action::"ssh:exec", resource == Resource::"web")
when { context has operation && ["ls", "cat", "echo", "printf", "sleep", "true", "false", "sh", "bash", "env", "pwd", "cd", "head", "tee", "wc", "sudo",
  "git-upload-pack", "git-receive-pack", "rsync", "scp", "rm", "exit", "kill", "dd", "export"].contains(context.operation) };
@id("files") @why("Support has a folder.")
permit (principal in Function::"support", action in [Action::"ssh:read", Action::"ssh:write"], resource == Resource::"web")
when { context has args && context.args has path && context.args.path like "*/sandbox*" };
@id("no-dd") @why("Nobody copies disks.")
forbid (principal, action == Action::"ssh:exec", resource) when { context has operation && context.operation == "dd" };
@id("rm-needs-people") @hold("dba:1") @ttl("5m") @why("Removing takes a person.")
forbid (principal, action == Action::"ssh:exec", resource)
when { context has operation && context.operation == "rm" } unless { context has approval };
@id("unknown-may-be-asked") @why("What cannot be told may be asked for.")
permit (principal in Function::"support", action == Action::"ssh:unknown", resource == Resource::"web");
@id("unknown-needs-people") @hold("dba:1") @ttl("5m") @why("What cannot be told takes a person.")
forbid (principal, action == Action::"ssh:unknown", resource)
when { context has args && context.args has command && context.args.command like "*eval*" } unless { context has approval };
"""


@dataclass(frozen=True)
class Agent:
    """`ssh` and its like through the gate, as the agent of `world`."""

    world: World
    host: Host
    resource: Resource
    sandbox: Path
    folder: Path

    @property
    def address(self) -> tuple[str, str]:
        """The gate's SSH address."""
        name, _, port = self.world.gateway.service.addresses["ssh"].rpartition(":")
        return name, port

    @property
    def name(self) -> str:
        """The login name."""
        return f"{self.world.agent.name}+web"

    def options(self, **changed: str) -> list[str]:
        """What every OpenSSH program is told."""
        options = {
            "UserKnownHostsFile": str(self._known_hosts()), "StrictHostKeyChecking": "yes", "PreferredAuthentications": "password",
            "NumberOfPasswordPrompts": "1", "IdentitiesOnly": "yes", "ControlPath": "none", "LogLevel": "INFO", **changed,
        }  # fmt: skip
        return ["-F", "none", *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))]

    def _known_hosts(self) -> Path:
        name, port = self.address
        path = self.folder / "known_hosts"
        assert self.world.config.ssh_key is not None
        path.write_text(f"[{name}]:{port} {self.world.config.ssh_key.public}\n")
        return path

    def environment(self, token: str | None = None) -> dict[str, str]:
        """The token is given by a program, as OpenSSH asks for passwords."""
        ask = self.folder / "askpass"
        ask.write_text('#!/bin/sh\nprintf "%s\\n" "$NARROWGATE_TOKEN"\n')
        ask.chmod(0o755)
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force",
            "NARROWGATE_TOKEN": self.token() if token is None else token,
        }  # fmt: skip

    def token(self) -> str:
        return self.world.token(resource="web")

    def command(self, *arguments: str, name: str = "", **changed: str) -> list[str]:
        host, port = self.address
        return ["ssh", *self.options(**changed), "-p", port, f"{name or self.name}@{host}", *arguments]

    def ssh(
        self, *arguments: str, data: str | bytes = b"", token: str | None = None, name: str = "", **changed: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `ssh` to its end."""
        return subprocess.run(
            self.command(*arguments, name=name, **changed), env=self.environment(token), capture_output=True, timeout=60, check=False,
            input=data.encode() if isinstance(data, str) else data,
        )  # fmt: skip

    def started(self, *arguments: str, **changed: str) -> subprocess.Popen[bytes]:
        """Start `ssh`."""
        return subprocess.Popen(
            self.command(*arguments, **changed), env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *command: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
        """Run another program of OpenSSH's, or one that uses it."""
        return subprocess.run(command, env=self.environment(), capture_output=True, timeout=60, check=False, **more)

    def certificate(self) -> Path:
        """A key with a certificate beside it, as `narrowgate ssh-cert` makes them."""
        key = self.folder / "id"
        if not key.exists():
            make_key(key)
        given = certificates.CertificateRequest(
            **proven(self.world.agent, self.world.key), ssh_public_key=Path(f"{key}.pub").read_text()
        )
        Path(f"{key}-cert.pub").write_text(certificates.certify(given).chain + "\n")
        return key

    def last(self) -> Action:
        """The last action at the host."""
        found = Action.objects.filter(resource_id=self.resource.id).order_by("-asked_at").first()
        assert found is not None
        return found

    def session(self) -> Session:
        """The last session at the host."""
        found = Session.objects.filter(resource_id=self.resource.id).order_by("-began_at").first()
        assert found is not None
        return found
