"""`narrowgate agent run`: run a command as an agent, with a client certificate that is renewed while it runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, OKPKey

from cli.state import StateOption, World, read
from cli.token import ask_as, read_key
from core.errors import NarrowgateError
from core.files import write_private

RENEW_AT = 2 / 3
"""Of a certificate's life: what is left is time to try again."""
TRY_AGAIN = 20.0
"""Seconds after the gate did not renew."""


class Certificate:
    """An agent's certificate and its key in a folder that only its owner reads. The key stays; the certificate is renewed."""

    def __init__(self, world: World, agent: str, identity: ECKey | OKPKey, folder: Path) -> None:
        self._world, self._agent, self._identity = world, agent, identity
        self.file, self.key_file = folder / "certificate.pem", folder / "key.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        self._csr = request.public_bytes(Encoding.PEM).decode()
        write_private(self.key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def renew(self) -> float:
        """Get a certificate; the seconds until the next should be asked for. Raises NarrowgateError."""
        answer = ask_as(self._world, self._agent, self._identity, "/v1/certificate", {"csr": self._csr})
        write_private(self.file, str(answer["certificate"]).encode())
        left = datetime.fromisoformat(str(answer["expires_at"])) - datetime.now(UTC)
        return max(TRY_AGAIN, left.total_seconds() * RENEW_AT)

    def keep(self, first: float, stop: threading.Event) -> None:
        """Renew it until `stop` is set. What goes wrong is said, and tried again."""
        wait = first
        while not stop.wait(wait):
            try:
                wait = self.renew()
            except (NarrowgateError, OSError) as error:  # the gate is away, or the disk is full
                sys.stderr.write(f"The certificate was not renewed: {error}\n")
                wait = TRY_AGAIN


def run(
    name: Annotated[str, typer.Argument(help="The agent's name, as in support.production.")],
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
    resource: Annotated[str, typer.Option(help="The database that psql and other libpq clients open.")] = "shop",
    key: Annotated[Path | None, typer.Option(help="The agent's private key (JWK).")] = None,
    state: StateOption = None,
) -> None:
    """Run a command that proves to be this agent by a client certificate, of an hour at most, renewed while it runs.

    PostgreSQL clients find it by themselves (PGSSLCERT and the like); others by NARROWGATE_CERTIFICATE, _KEY and _CA.
    """
    world = read(state)
    identity, stop = read_key(key or world.key_of(name)), threading.Event()
    for wish in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(wish, _leave)  # until the command runs, which is told then
    folder = _folder()
    try:
        certificate, first = _first(world, name, identity, folder)
        keeper = threading.Thread(target=certificate.keep, args=(first, stop), daemon=True)
        keeper.start()
        status = _run(command, _environment(world, name, resource, certificate))
    finally:
        stop.set()
        shutil.rmtree(folder, ignore_errors=True)
    raise typer.Exit(status)


def _folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="narrowgate-"))
    except OSError as error:
        raise NarrowgateError(f"The certificate cannot be kept: {error.strerror}.") from None


def _first(world: World, name: str, identity: ECKey | OKPKey, folder: Path) -> tuple[Certificate, float]:
    """A certificate, and the seconds until the next should be asked for. Raises NarrowgateError."""
    try:
        certificate = Certificate(world, name, identity, folder)
        return certificate, certificate.renew()
    except OSError as error:
        raise NarrowgateError(f"The certificate cannot be kept in {folder}: {error.strerror}.") from None


def _leave(number: int, _frame: object) -> None:
    """Stop before there is a command to stop: the folder goes with us."""
    raise SystemExit(128 + number)


def _environment(world: World, agent: str, resource: str, certificate: Certificate) -> dict[str, str]:
    host, _, port = world.postgres.rpartition(":")
    ours = {
        "PGHOST": host,
        "PGPORT": port,
        "PGUSER": agent,
        "PGDATABASE": resource,
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(world.ca),
        "PGSSLCERT": str(certificate.file),
        "PGSSLKEY": str(certificate.key_file),
        "NARROWGATE_CERTIFICATE": str(certificate.file),
        "NARROWGATE_KEY": str(certificate.key_file),
        "NARROWGATE_CA": str(world.ca),
    }
    kept = {variable: value for variable, value in os.environ.items() if variable not in {"PGPASSWORD", "PGSERVICE"}}
    return kept | ours


def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run the command to its end, passing on a wish to stop; its exit status, as a shell would give it."""
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        raise NarrowgateError(f"{command[0]} cannot be run: {error.strerror}.") from None
    for wish in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(wish, lambda number, _frame: process.send_signal(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells the command itself
    status = process.wait()
    return status if status >= 0 else 128 - status
