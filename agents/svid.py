"""X.509-SVIDs of agents: what is signed, and what is believed of a client's certificate. Pure.

SPIFFE's X.509-SVID profile over RFC 5280: exactly one URI in the subject alternative name, no authority, keys for signatures
alone. The serial number is the credential's identifier, so that a certificate names the row that can revoke it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.errors import Invalid, Refused

LIFE = timedelta(hours=1)
BACKDATED = timedelta(minutes=1)
"""Clocks differ; a certificate's whole life, this included, stays within an hour and a minute."""
LONGEST_REQUEST = 4_096  # characters
LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name
SCHEME, FOLDER = "spiffe://", "/agent/"

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True)
class Authority:
    """What signs: a certificate that may, with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Svid:
    """What a client's certificate says, once the TLS layer has verified its chain and its times."""

    agent: str
    credential: UUID
    expires_at: datetime


def spiffe_id(agent: str, trust_domain: str) -> str:
    """`spiffe://<trust domain>/agent/<name>`."""
    return f"{SCHEME}{trust_domain}{FOLDER}{agent}"


def read_request(pem: str) -> PublicKey:
    """The key that a certificate request (PKCS #10, RFC 2986) asks for; nothing else it says is believed.

    Raises Invalid for one that is malformed, or not signed by that key, or of a key that is neither P-256 nor Ed25519.
    """
    if len(pem) > LONGEST_REQUEST:
        raise _unfit(f"It has more than {LONGEST_REQUEST} characters.")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key, signed = request.public_key(), request.is_signature_valid
    except (ValueError, InvalidSignature, UnsupportedAlgorithm, TypeError):
        raise _unfit("It is not a certificate request in PEM form (PKCS #10).") from None
    if not signed:
        raise _unfit("It is not signed by the key that it names.")
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise _unfit("Its key is neither P-256 nor Ed25519.")


def sign(
    key: PublicKey,
    authority: Authority,
    *,
    agent: str,
    trust_domain: str,
    credential: UUID,
    now: datetime,
    ends: datetime,
) -> x509.Certificate:
    """An SVID over `key`. Raises ValueError for a life that is longer than LIFE."""
    if not now < ends <= now + LIFE:
        raise ValueError("An SVID lives an hour at most.")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, agent[:LONGEST_COMMON_NAME])])
    uri = x509.UniformResourceIdentifier(spiffe_id(agent, trust_domain))
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority.certificate.subject)
        .public_key(key)
        .serial_number(credential.int)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([uri]), critical=False)
        .add_extension(issuer, critical=False)
    )
    return builder.sign(authority.key, hashes.SHA256())


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Signs certificates, or anything but certificates."""
    says: Mapping[str, bool] = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates, **says
    )


def read(der: bytes, trust_domain: str) -> Svid:
    """Who a certificate, whose chain is verified, says its holder is. Raises Refused (code `invalid_svid`)."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        uses = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (ValueError, x509.ExtensionNotFound, UnsupportedAlgorithm):
        raise _refused("The client's certificate is no SVID.") from None
    if len(names) != 1 or not isinstance(names[0], x509.UniformResourceIdentifier):
        raise _refused("An SVID has one name, a SPIFFE ID.")
    if limits.ca or uses.key_cert_sign or uses.crl_sign or not uses.digital_signature:
        raise _refused("The client's certificate is an authority's, and names no agent.")
    here = spiffe_id("", trust_domain)
    agent = names[0].value.removeprefix(here)
    if not names[0].value.startswith(here) or not agent or "/" in agent:
        raise _refused(f"The SPIFFE ID is not of an agent of {trust_domain}.")
    if not 0 < certificate.serial_number < 1 << 128:
        raise _refused("The client's certificate names no credential.")
    return Svid(agent, UUID(int=certificate.serial_number), certificate.not_valid_after_utc)


def _unfit(message: str) -> Invalid:
    return Invalid("csr", message, "Make one with: openssl req -new -key key.pem -subj /CN=agent")


def _refused(message: str) -> Refused:
    return Refused(message, "Get one with narrowgate agent run.", code="invalid_svid")
