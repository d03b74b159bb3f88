"""Clients that prove who they are with a certificate alone: real psql, and each way in which that is refused."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings

from activity.models import Session
from agents import actions as inventory
from agents import certificates, svid
from agents.certificates import CertificateRequest
from agents.models import Credential
from agents.svid_authority import SvidAuthority, svid_authority
from ledger.events import Event
from ledger.models import Outbox
from tests.gateway.wire.world import World, eventually, proven


class Holder:
    """An agent's certificate and key, as files that libpq reads."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._key, self._certificate = folder / "agent.key", folder / "agent.pem"
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(self._key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(pem)

    @property
    def csr(self) -> str:
        """A request for its key."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def take(self, chain: str) -> Holder:
        """Keep a certificate."""
        self._certificate.write_text(chain, encoding="utf-8")
        return self

    def forged(self, authority: SvidAuthority, world: World, *, now: datetime | None = None) -> Holder:
        """Keep a certificate of the world's agent, signed by whatever `authority`, whose credential nobody knows."""
        moment = now or datetime.now(UTC)
        certificate = svid.sign(
            self.key.public_key(), authority.signing, agent=world.agent.name, trust_domain=settings.TRUST_DOMAIN,
            credential=uuid4(), now=moment, ends=moment + timedelta(minutes=5),
        )  # fmt: skip
        below = authority.signing.certificate
        return self.take("".join(one.public_bytes(Encoding.PEM).decode() for one in (certificate, below)))

    def files(self, **changed: Any) -> dict[str, Any]:
        """libpq's parameters: no password at all."""
        return {"password": None, "sslcert": str(self._certificate), "sslkey": str(self._key), **changed}


@pytest.fixture
def holder(tmp_path: Path) -> Holder:
    return Holder(tmp_path)


def certified(world: World, holder: Holder) -> Credential:
    """The credential of a certificate that the holder asked for and took."""
    issued = certificates.certify(CertificateRequest(**proven(world.agent, world.key), csr=holder.csr))
    holder.take(issued.chain)
    return issued.credential


def test_psql_with_a_certificate_alone(world: World, holder: Holder) -> None:
    credential = certified(world, holder)
    done = world.psql("-w", "-Atc", "SELECT name FROM customers WHERE id = 7", **holder.files())
    assert (done.stdout, done.stderr, done.returncode) == ("Name 7\n", "", 0)
    session = Session.objects.get(credential_id=credential.id)
    assert session.agent_name == world.agent.name


def test_policies_see_how_it_proved_itself(world: World, holder: Holder) -> None:
    certified(world, holder)
    with world.connect(**holder.files()) as connection:
        _, session = next(iter(world.gateway.service._sessions.values()))
        assert session.caller.kind == "svid"
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_revoking_it_ends_the_connection(world: World, holder: Holder) -> None:
    credential = certified(world, holder)
    with world.connect(**holder.files()) as connection:
        inventory.revoke_credential(credential.id, actor=world.cast.engineer, reason="Lost.")
        eventually(lambda: not world.gateway.service._sessions)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert "The credential was revoked" in refusal(world, holder)


def test_it_is_no_other_agents(world: World, holder: Holder) -> None:
    certified(world, holder)
    assert "belongs to support.production, not to root.production" in refusal(world, holder, user="root.production")


def test_one_whose_credential_nobody_issued_is_refused(world: World, holder: Holder) -> None:
    holder.forged(certificates.authority(), world)
    assert "The credential was revoked" in refusal(world, holder)


def test_a_token_is_no_certificate(world: World, holder: Holder) -> None:
    """A certificate that names a token's credential is refused, were its authority to sign it."""
    world.token()
    bearer = Credential.objects.get()
    moment = datetime.now(UTC)
    authority = certificates.authority().signing
    certificate = svid.sign(
        holder.key.public_key(), authority, agent=world.agent.name, trust_domain=settings.TRUST_DOMAIN,
        credential=bearer.id, now=moment, ends=moment + timedelta(minutes=5),
    )  # fmt: skip
    chain = certificate.public_bytes(Encoding.PEM) + authority.certificate.public_bytes(Encoding.PEM)
    assert "The credential was revoked" in refusal(world, holder.take(chain.decode()))


@pytest.mark.parametrize("kind", ["expired", "not yet valid", "another authority's"])
def test_tls_itself_refuses(world: World, holder: Holder, tmp_path: Path, kind: str) -> None:
    own, moment = certificates.authority(), datetime.now(UTC)
    if kind == "another authority's":
        holder.forged(svid_authority(tmp_path / "other", "p", settings.TRUST_DOMAIN), world)
    else:
        holder.forged(own, world, now=moment + (timedelta(hours=1) if kind == "not yet valid" else -timedelta(hours=1)))
    alert = {"expired": "certificate expired", "not yet valid": "bad certificate", "another authority's": "unknown ca"}[
        kind
    ]
    with pytest.raises(psycopg.OperationalError, match=alert):
        world.connect(**holder.files())
    entry = eventually(lambda: Outbox.objects.filter(event=Event.SESSION_REFUSED).last())
    assert entry is not None
    said = json.loads(bytes(entry.leaf))
    assert said["details"]["code"] == "bad_certificate"
    assert not Session.objects.exists()


def refusal(world: World, holder: Holder, **changed: str) -> str:
    """What a client with this certificate is told."""
    with pytest.raises(psycopg.OperationalError) as refused:
        world.connect(**holder.files(**changed))
    return str(refused.value)
