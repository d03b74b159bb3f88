"""The certificate endpoint's work: an agent proves that it holds its key and gets an X.509-SVID, or OpenSSH's certificate, over another one.

The private half of that other key never leaves the agent, and the certificate opens every protocol that takes client
certificates. It proves who asks, at whatever resource; policy says where that goes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.db import transaction

from agents import ssh_certificates, svid
from agents.actors import agent_actor, credential_subject
from agents.models import AgentKey, Credential
from agents.oauth_errors import OAuthError, invalid_request
from agents.proof import Proof, prove, record_refusal, require_active
from agents.svid_authority import SIGNING, SvidAuthority, svid_authority
from agents.tokens import audiences
from core.errors import Invalid
from ledger.events import Event
from ledger.write import record

LOOK_AGAIN = 300.0
"""Seconds after which it is looked whether the authority has to be renewed."""


@dataclass(frozen=True, kw_only=True)
class CertificateRequest(Proof):
    """The form of POST /v1/certificate. `csr` is a PKCS #10 request in PEM form; `ssh_public_key`, instead, a line as `ssh-keygen` writes it."""

    csr: str = ""
    ssh_public_key: str = ""


@dataclass(frozen=True)
class Certificate:
    """An SVID with the authority below the root, and the root that verifies both, in PEM form; and its row.

    For SSH: the certificate and the public key of the authority that signed it, a line each.
    """

    chain: str
    bundle: str
    credential: Credential


def authority() -> SvidAuthority:
    """The authority that signs the certificates of this deployment's agents. Raises NarrowgateError."""
    folder = Path(settings.STATE_DIR) / "keys"
    chain = folder / f"{SIGNING}.pem"
    version = chain.stat().st_mtime_ns if chain.exists() else 0
    place = settings.AGENTS_CA_KEY, settings.AGENTS_CA_KEY_PIN
    return _authority(
        folder, settings.KEY_PASSPHRASE, settings.TRUST_DOMAIN, place, version, int(time.time() // LOOK_AGAIN)
    )


@lru_cache(maxsize=4)
def _authority(
    folder: Path, passphrase: str, trust_domain: str, place: tuple[str, str], _version: int, _period: int
) -> SvidAuthority:
    """Opening a key takes milliseconds on purpose: once for each version of the file, and now and then for its renewal."""
    return svid_authority(folder, passphrase, trust_domain, own=_in_hsm(*place) if place[0] else None)


@lru_cache(maxsize=2)
def _in_hsm(uri: str, pin: str) -> EllipticCurvePrivateKey:
    from agents.hsm_key import HsmKey  # its library is loaded only where there is an HSM

    return HsmKey.load_or_create(uri, pin)


def certify(request: CertificateRequest) -> Certificate:
    """Answer a certificate request. Raises OAuthError; a refusal is recorded in a transaction of its own.

    Steps: 1. the request and its key; 2. who asks; 3. agent; 4. credential, entry and certificate.
    """
    try:
        return _certify(request)
    except OAuthError as error:
        record_refusal(request, error, asked={"kind": Credential.Kind.SVID})
        raise


def _certify(request: CertificateRequest) -> Certificate:
    # 1. The request is signed by the key that it names; for SSH the connection proves that it is held.
    ssh = bool(request.ssh_public_key)
    if ssh and request.csr:
        raise invalid_request("It is csr or ssh_public_key, not both.")
    try:
        public = ssh_certificates.read_public_key(request.ssh_public_key) if ssh else svid.read_request(request.csr)
    except Invalid as error:
        raise invalid_request(f"{error.message} {error.remedy}") from None
    # 2. Who asks.
    key, proved_at = prove(request, audiences=audiences())
    now = proved_at.replace(microsecond=0)  # certificates know whole seconds
    signer = authority()
    with transaction.atomic():
        # 3. The agent may act.
        require_active(key.agent)
        # 4. The credential and its entry, then the certificate.
        credential = _credential(request, key, now)
        if ssh:
            line = ssh_certificates.sign(
                public, signer.signing.key, agent=key.agent.name, credential=credential.id, now=now, ends=credential.expires_at
            )  # fmt: skip
            return Certificate(line, ssh_certificates.authority_line(signer.signing.key), credential)
        certificate = svid.sign(
            public, signer.signing, agent=key.agent.name, trust_domain=settings.TRUST_DOMAIN, credential=credential.id, now=now,
            ends=credential.expires_at,
        )  # fmt: skip
    chain = certificate.public_bytes(Encoding.PEM) + signer.signing.certificate.public_bytes(Encoding.PEM)
    return Certificate(chain.decode(), signer.bundle.read_text(encoding="utf-8"), credential)


def _credential(request: CertificateRequest, key: AgentKey, now: datetime) -> Credential:
    ends = now + svid.LIFE
    credential = Credential.objects.create(
        agent=key.agent, key=key, kind=Credential.Kind.SVID, source=request.source, issued_at=now, expires_at=ends
    )
    details = {"kid": key.kid, "kind": credential.kind, "expires_at": ends.isoformat()}
    record(
        Event.CREDENTIAL_ISSUED,
        actor=agent_actor(key.agent), subject=credential_subject(credential), details=details, source=request.source,
    )  # fmt: skip
    return credential
