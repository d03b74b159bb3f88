"""A gateway, its database, a resource for pgbench behind it and an agent before it, for benchmarks."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents import keys
    from console.embedded import Cluster

LOGIN = "bench"
PASSWORD = "bench"  # noqa: S105 -- of a database that lives for a minute
AGENT = "bench.production"
POLICY = """
@id("reads") @why("The benchmark reads.")
permit (principal in Function::"bench", action in Action::"sql:read", resource == Resource::"shop");
@id("calls") @why("The benchmark calls tools.")
permit (principal in Function::"bench", action in Action::"mcp:use", resource == Resource::"till");
@id("asks") @why("The benchmark reads an API.")
permit (principal in Function::"bench", action == Action::"http:read", resource == Resource::"api");
"""


@dataclass
class World:
    """What runs, and how to reach it. `ports` are those of the peers by name."""

    shop: Cluster
    certificate: Path
    ca: Path
    plain_key: Path
    key: keys.Key
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def sockets(self) -> Path:
        """The resource's unix socket folder."""
        return self.shop.socket_folder

    @property
    def account(self) -> str:
        """The account that may open that socket; empty where it is ours."""
        return self.shop.home.account.name if self.shop.home.account else ""

    def environment(self, peer: str) -> dict[str, str]:
        """The environment that libpq reads, for pgbench."""
        common = {"PATH": os.environ["PATH"], "PGDATABASE": "shop", "LC_ALL": "C.UTF-8"}
        if peer == "direct":
            return {**common, "PGHOST": str(self.sockets), "PGUSER": LOGIN, "PGPASSWORD": PASSWORD}
        secure = {
            "PGHOST": "localhost",
            "PGPORT": str(self.ports[peer]),
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(self.ca),
        }
        if peer == "gate":
            return {**common, **secure, "PGUSER": AGENT, "PGPASSWORD": self.token()}
        return {**common, **secure, "PGUSER": LOGIN, "PGPASSWORD": PASSWORD}

    def token(self, resource: str = "shop") -> str:
        """A new token, by the front door's own code."""
        from joserfc import jwt

        from agents import keys, proof, tokens

        now, algorithm = int(time.time()), keys.algorithm_of(self.key)
        claims = {
            "iss": AGENT,
            "sub": AGENT,
            "aud": tokens.token_endpoint(),
            "iat": now,
            "exp": now + 60,
            "jti": uuid.uuid4().hex,
        }
        assertion = jwt.encode(
            {"alg": algorithm, "kid": keys.kid_of(self.key)}, claims, self.key, algorithms=[algorithm]
        )
        return tokens.issue(
            tokens.TokenRequest(
                grant_type=tokens.GRANT_TYPE,
                client_assertion_type=proof.ASSERTION_TYPE,
                client_assertion=assertion,
                resource=resource,
            )
        ).access_token


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def wait_for_port(port: int, within: float = 60.0) -> None:
    """Return once somebody listens there. Raises TimeoutError after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nobody listens on port {port}") from None
            time.sleep(0.05)
        else:
            return


@contextmanager
def running(folder: Path) -> Iterator[World]:
    """Everything but pgbouncer, stopped at the end."""
    from console import embedded

    main = embedded.start(folder, "main")
    try:
        shop = embedded.start(folder, "shop")
        try:
            world = _prepare(folder, main, shop)
            port = free_port()
            with process("gateway", port), process("sequencer", port):
                wait_for_port(port)
                world.ports["gate"] = port
                yield world
        finally:
            shop.stop()
            embedded.destroy(folder, "shop")
    finally:
        main.stop()
        embedded.destroy(folder, "main")


def _prepare(folder: Path, main: Cluster, shop: Cluster) -> World:
    """Our database, the resource with pgbench's tables, the agent, the policy, the keys."""
    from console import database

    passwords = {role: secrets.token_urlsafe(16) for role in database.ROLES}
    logins = database.prepare(main, passwords)
    os.environ.update(
        DJANGO_SETTINGS_MODULE="console.settings", NARROWGATE_STATE=str(folder), SECRET_KEY="bench", KEY_PASSPHRASE="bench",  # noqa: S106
        DATABASE_URL=logins.app, DATABASE_GATEWAY_URL=logins.gateway, DATABASE_SEQUENCER_URL=logins.sequencer,
    )  # fmt: skip
    import django

    django.setup()
    database.migrate(logins.owner)
    _fill(shop)
    return _enrol(folder, shop)


def _fill(shop: Cluster) -> None:
    import psycopg

    with psycopg.connect(shop.admin_dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {LOGIN} LOGIN PASSWORD '{PASSWORD}'")
        admin.execute(f"CREATE DATABASE shop OWNER {LOGIN}")
    with psycopg.connect(shop.admin_dsn("shop"), autocommit=True) as admin:
        admin.execute(f"GRANT ALL ON SCHEMA public TO {LOGIN}")
    environment = {
        "PATH": os.environ["PATH"],
        "PGHOST": str(shop.socket_folder),
        "PGUSER": LOGIN,
        "PGPASSWORD": PASSWORD,
        "PGDATABASE": "shop",
    }
    subprocess.run(["pgbench", "-i", "-s", "1", "-q"], env=environment, check=True, capture_output=True)


def _enrol(folder: Path, shop: Cluster) -> World:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    from accounts import actions as people
    from accounts.models import Role
    from agents import actions as inventory
    from agents import ca, keys
    from ledger.entries import Actor
    from policies import actions as policies

    system = Actor(kind="system", id="bench", name="bench")
    engineer = people.invite("enzo", email="enzo@example.com", name="Enzo", roles=[Role.ENGINEER], actor=system)
    segment = inventory.create_segment("production", actor=engineer)
    where: Any = {"host": str(shop.socket_folder), "database": "shop", "tls": "off", "connections": 200}
    resource = inventory.add_resource("shop", segment=segment, actor=engineer, **where)
    inventory.store_secret(resource.id, user=LOGIN, password=PASSWORD, actor=engineer)
    key = keys.generate("ES256")
    inventory.enrol(
        AGENT, purpose="Measures", segment=segment, owner=engineer, public_jwk=keys.public_jwk(key), actor=engineer
    )
    policies.install(POLICY, actor=engineer)
    identity = ca.server_identity(folder / "keys", os.environ["KEY_PASSPHRASE"])
    plain = folder / "pgbouncer.key"
    private: Any = load_pem_private_key(identity.key.read_bytes(), identity.passphrase.encode())
    plain.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    plain.chmod(0o644)
    for public in (identity.certificate.parent, identity.certificate):
        public.chmod(0o755)
    return World(shop, identity.certificate, identity.ca, plain, key)


@contextmanager
def process(part: str, port: int, module: str = "bench.gateway_world") -> Iterator[int]:
    """A part of the product, or what it is measured with, as a process of its own, and its number."""
    command = [sys.executable, "-c", f"from {module} import {part}; {part}({port})"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(15)


def gateway(port: int) -> None:
    """Run a gateway until told to stop."""
    import asyncio
    import signal

    import django
    import uvloop

    django.setup()
    from django.conf import settings

    from agents import ca
    from gateway import service

    async def run() -> None:
        identity = ca.server_identity(settings.STATE_DIR / "keys", settings.KEY_PASSPHRASE)
        config = service.Config(
            settings.DATABASE_GATEWAY_URL,
            "http://localhost",
            identity.certificate,
            identity.key,
            identity.passphrase,
            postgres_port=port,
        )
        gate = await service.start(config)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        await gate.stop()

    uvloop.run(run())


def door(port: int) -> None:
    """Run a gateway with its HTTPS door until told to stop."""
    import asyncio
    import signal
    import socket

    import django
    import uvloop

    django.setup()
    from django.conf import settings

    from agents import ca, certificates
    from gateway import https, service
    from gateway.door import Door

    async def run() -> None:
        identity = ca.server_identity(settings.STATE_DIR / "keys", settings.KEY_PASSPHRASE)
        agents_ca = certificates.authority().bundle
        config = service.Config(
            settings.DATABASE_GATEWAY_URL, "http://localhost", identity.certificate, identity.key, identity.passphrase,
            node="door-1",
        )  # fmt: skip
        gate = await service.start(config)
        tls = https.context(identity.certificate, identity.key, identity.passphrase, agents_ca)
        server = https.Server(Door(gate.ways), tls, timeout_graceful_shutdown=1)
        serving = asyncio.create_task(server.serve(sockets=[socket.create_server(("127.0.0.1", port))]))
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        server.should_exit = True
        await serving
        await gate.stop()

    uvloop.run(run())


def sequencer(_port: int) -> None:
    """Run the ledger's sequencer until told to stop."""
    import django

    django.setup()
    from django.conf import settings

    from core.told_to_stop import told_to_stop
    from ledger.sequencer import Sequencer
    from ledger.signer import FileSigner

    signer = FileSigner.load_or_create(
        settings.STATE_DIR / "keys" / "ledger.key", settings.KEY_PASSPHRASE, name="bench/ledger"
    )
    Sequencer(settings.DATABASE_SEQUENCER_URL, signer).run(told_to_stop())
