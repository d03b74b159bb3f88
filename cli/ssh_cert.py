"""`narrowgate ssh-cert`: a key for OpenSSH and a certificate over it, of an hour at most, as an agent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cli.state import StateOption, World, read
from cli.token import ask_as, read_key
from core.errors import NarrowgateError
from core.files import write_private, write_public


def ssh_cert(
    agent: Annotated[str, typer.Argument(help="The agent's name, as in support.production.")],
    out: Annotated[Path, typer.Option(help="Where the key goes; the rest is put beside it.")] = Path("narrowgate-ssh"),
    resource: Annotated[str, typer.Option(help="The host in the command that is printed.")] = "HOST",
    key: Annotated[Path | None, typer.Option(help="The agent's private key (JWK).")] = None,
    state: StateOption = None,
) -> None:
    """Make a key for ssh, scp, sftp, rsync and git with a certificate of an hour, and print how ssh is called with it.

    Beside the key are FILE-cert.pub, which OpenSSH finds by itself, and FILE-known_hosts, by which the gate is known. A key that is
    there already is certified again.
    """
    world = read(state)
    host, _, port = world.ssh.rpartition(":")
    if not host:
        raise NarrowgateError("The gate does not speak SSH.", "Start a newer server.")
    try:
        public = _key(out)
        answer = ask_as(
            world, agent, read_key(key or world.key_of(agent)), "/v1/certificate", {"ssh_public_key": public}
        )
        write_public(_beside(out, "-cert.pub"), f"{answer['certificate']}\n".encode())
        write_public(_beside(out, "-known_hosts"), _known(world, host, port).encode())
    except OSError as error:
        raise NarrowgateError(f"The key {out} cannot be kept: {error.strerror}.") from None
    typer.echo(f"ssh -i {out} -o UserKnownHostsFile={_beside(out, '-known_hosts')} -p {port} {agent}+{resource}@{host}")


def _key(path: Path) -> str:
    """The public half of the key in `path`, which is made where it is missing."""
    public = _beside(path, ".pub")
    if path.exists() and public.exists():
        return public.read_text(encoding="utf-8").strip()
    if path.exists():
        raise NarrowgateError(f"{path} is there already, without {public.name}.", "Choose another file with --out.")
    made = Ed25519PrivateKey.generate()
    write_private(path, made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    line = made.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    write_public(public, line + b"\n")
    return line.decode()


def _known(world: World, host: str, port: str) -> str:
    return f"[{host}]:{port} {world.ssh_host_key}\n"


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
