"""Commands over SSH through the gate, beside the same sshd without it, in one run.

OpenSSH's own client asks over one connection that is kept (`ControlMaster`), as agents that do many things do; and with a connection for each command. Through the
gate every command is parsed, decided, recorded in the ledger, and runs in a fresh bash. The gateway is a process of its own, as in production.

    python bench/gateway_ssh.py --json [--quick]
"""

from __future__ import annotations

import getpass
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import gateway_world
from bench.printed import printed

if TYPE_CHECKING:
    from console.embedded import Cluster

GATE, DIRECT = "gate", "sshd"
AGENT = "bench.production"
POLICY = '@id("runs") @why("The benchmark runs.") permit (principal in Function::"bench", action == Action::"ssh:exec", resource == Resource::"web") when { context has operation && ["true", "echo"].contains(context.operation) };'
COMMAND = "echo hello"
ROUNDS = 3
MOST_ADDED = 15.0


@dataclass(frozen=True)
class Way:
    """How `ssh` reaches the host: its arguments without a command."""

    name: str
    options: tuple[str, ...]
    target: str


def _key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


@contextmanager
def sshd(folder: Path) -> Iterator[int]:
    """Debian's sshd on a free port."""
    port = gateway_world.free_port()
    for name in ("host", "login"):
        _key(folder / name)
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nAuthorizedKeysFile {folder}/login.pub\nStrictModes no\nUsePAM no\n"
        "PermitRootLogin yes\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        gateway_world.wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def running(folder: Path) -> Iterator[tuple[Way, Way]]:
    """The host, the gate before it, and the ways to both."""
    from console import embedded

    main = embedded.start(folder, "main")
    try:
        with sshd(folder) as port:
            certified, known = _prepare(folder, main, port)
            ours = gateway_world.free_port()
            with gateway_world.process("gateway", ours, "bench.gateway_ssh"), gateway_world.process("sequencer", 0):
                gateway_world.wait_for_port(ours)
                hosts = folder / "known_hosts"
                theirs = (folder / "host.pub").read_text().strip()
                hosts.write_text(f"[127.0.0.1]:{ours} {known}\n[127.0.0.1]:{port} {theirs}\n")
                common = (
                    "-F",
                    "none",
                    "-o",
                    f"UserKnownHostsFile={hosts}",
                    "-o",
                    "StrictHostKeyChecking=yes",
                    "-o",
                    "IdentitiesOnly=yes",
                    "-o",
                    "LogLevel=ERROR",
                )
                yield (
                    Way(GATE, (*common, "-i", str(certified), "-p", str(ours)), f"{AGENT}+web@127.0.0.1"),
                    Way(
                        DIRECT,
                        (*common, "-i", str(folder / "login"), "-p", str(port)),
                        f"{getpass.getuser()}@127.0.0.1",
                    ),
                )
    finally:
        main.stop()
        embedded.destroy(folder, "main")


def _prepare(folder: Path, main: Cluster, port: int) -> tuple[Path, str]:
    """Our database, the host as a resource, an agent with a certificate; the agent's key file and the gate's host key."""
    from console import database

    logins = database.prepare(main, {role: secrets.token_urlsafe(16) for role in database.ROLES})
    os.environ.update(
        DJANGO_SETTINGS_MODULE="console.settings", NARROWGATE_STATE=str(folder), SECRET_KEY="bench", KEY_PASSPHRASE="bench",  # noqa: S106
        DATABASE_URL=logins.app, DATABASE_GATEWAY_URL=logins.gateway, DATABASE_SEQUENCER_URL=logins.sequencer,
    )  # fmt: skip
    import django

    django.setup()
    database.migrate(logins.owner)
    from django.conf import settings

    from accounts import actions as people
    from accounts.models import Role
    from agents import actions as inventory
    from agents import certificates, keys, ssh_host, tokens
    from agents.proof import ASSERTION_TYPE
    from cli.token import assertion
    from ledger.entries import Actor
    from policies import actions as policies

    system = Actor(kind="system", id="bench", name="bench")
    engineer = people.invite("enzo", email="enzo@example.com", name="Enzo", roles=[Role.ENGINEER], actor=system)
    segment = inventory.create_segment("production", actor=engineer)
    shown = subprocess.run(["ssh-keygen", "-lf", f"{folder}/host.pub"], check=True, capture_output=True, text=True)
    web = inventory.add_resource(
        "web",
        kind="ssh",
        segment=segment,
        actor=engineer,
        host="127.0.0.1",
        port=port,
        host_key=shown.stdout.split()[1],
    )
    inventory.store_secret(web.id, user=getpass.getuser(), password=(folder / "login").read_text(), actor=engineer)
    key: Any = keys.generate("ES256")
    inventory.enrol(
        AGENT, purpose="Measures", segment=segment, owner=engineer, public_jwk=keys.public_jwk(key), actor=engineer
    )
    policies.install(POLICY, actor=engineer)
    path = folder / "agent"
    _key(path)
    proof: dict[str, Any] = {
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(AGENT, key, audience=tokens.token_endpoint()),
    }
    asked = certificates.CertificateRequest(**proof, ssh_public_key=Path(f"{path}.pub").read_text())
    Path(f"{path}-cert.pub").write_text(certificates.certify(asked).chain)
    return path, ssh_host.host_key(settings.STATE_DIR / "keys", settings.KEY_PASSPHRASE).public


def gateway(port: int) -> None:
    """Run a gateway that speaks SSH until told to stop."""
    import asyncio
    import signal

    import django
    import uvloop

    django.setup()
    from django.conf import settings

    from agents import ca, ssh_host
    from gateway import service

    async def run() -> None:
        identity = ca.server_identity(settings.STATE_DIR / "keys", settings.KEY_PASSPHRASE)
        host_key = ssh_host.host_key(settings.STATE_DIR / "keys", settings.KEY_PASSPHRASE)
        config = service.Config(
            settings.DATABASE_GATEWAY_URL, "http://localhost", identity.certificate, identity.key, identity.passphrase, ssh_key=host_key,
            ssh_port=port,
        )  # fmt: skip
        gate = await service.start(config)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        await gate.stop()

    uvloop.run(run())


def _timed(run: Callable[[], None], count: int) -> list[float]:
    """Milliseconds of each of `count` runs."""
    found = []
    for _ in range(count):
        began = time.perf_counter()
        run()
        found.append((time.perf_counter() - began) * 1_000)
    return found


@contextmanager
def _kept(way: Way, folder: Path) -> Iterator[Callable[[], None]]:
    """A connection that stays; what runs one command over it."""
    control = folder / f"{way.name}.control"
    master = subprocess.Popen(["ssh", *way.options, "-S", str(control), "-M", "-N", way.target])
    try:
        while subprocess.run(
            ["ssh", "-S", str(control), "-O", "check", "x"], capture_output=True, check=False
        ).returncode:
            assert master.poll() is None, f"{way.name} did not let us in"
            time.sleep(0.05)
        yield lambda: _run(["ssh", "-S", str(control), "x", COMMAND])
    finally:
        master.terminate()
        master.wait(10)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == b"hello\n", done


def measure(ways: tuple[Way, Way], folder: Path, *, quick: bool) -> dict[tuple[str, str], list[float]]:
    """Medians of each round, by case and way; the ways take turns."""
    count, rounds = (10, 3) if quick else (100, ROUNDS)
    found: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as stack:
        kept = {way.name: stack.enter_context(_kept(way, folder)) for way in ways}
        for _ in range(rounds):
            for way in ways:
                found.setdefault(("kept connection", way.name), []).append(
                    statistics.median(_timed(kept[way.name], count))
                )
    for _ in range(rounds):
        for way in ways:
            alone = ["ssh", *way.options, way.target, COMMAND]
            found.setdefault(("connection each", way.name), []).append(
                statistics.median(_timed(partial(_run, alone), max(5, count // 5)))
            )
    return found


def figures(found: dict[tuple[str, str], list[float]]) -> list[dict[str, Any]]:
    """What the gate adds to the median of a command."""
    said = []
    for case in ("kept connection", "connection each"):
        ours, theirs = (statistics.median(found[case, name]) for name in (GATE, DIRECT))
        added = ours - theirs
        figure: dict[str, Any] = {
            "metric": "added_p50_ms", "case": case, "unit": "ms over sshd", "ours": round(added, 3), "peers": {DIRECT: 0.0},
            "ratio": round(ours / theirs, 3), "mark": None, "holds": None, "gate_p50_ms": round(ours, 3), "sshd_p50_ms": round(theirs, 3),
        }  # fmt: skip
        if case == "kept connection":
            figure |= {"mark": f"<= {MOST_ADDED}", "holds": added <= MOST_ADDED}
        said.append(figure)
    return said


def compared(quick: bool) -> list[dict[str, Any]]:
    """The figures of ours beside plain sshd, in one run."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="narrowgate-bench-")))
        folder.chmod(0o755)
        return figures(measure(stack.enter_context(running(folder)), folder, quick=quick))


def main() -> None:
    """Measure, and print."""
    printed("gateway_ssh", __doc__, compared)


if __name__ == "__main__":
    main()
