"""Our own certificate authority and the gateway's server certificate (RFC 5280), kept in files.

The authority's private key is encrypted with the deployment's passphrase. It signs server certificates of
the gateway and nothing else: its path length is zero.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agents.svid import usage
from core.errors import NarrowgateError
from core.files import write_private, write_public

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
AUTHORITY_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=90)
RENEW_BEFORE = timedelta(days=30)
BACKDATED = timedelta(minutes=5)  # clocks differ


@dataclass(frozen=True)
class ServerIdentity:
    """Where the gateway's certificate, its key and the authority to trust are."""

    certificate: Path
    key: Path
    ca: Path
    passphrase: str

    def context(self) -> ssl.SSLContext:
        """A server's TLS context: TLS 1.2 and 1.3, no compression, no renegotiation."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.load_cert_chain(self.certificate, self.key, password=self.passphrase)
        return context


def server_identity(
    folder: Path, passphrase: str, names: Iterable[str] = LOCAL_NAMES, *, now: datetime | None = None
) -> ServerIdentity:
    """The gateway's certificate from `folder`, made or renewed where needed. Raises NarrowgateError."""
    if not passphrase:
        raise NarrowgateError("The gateway's keys need a passphrase.", "Set KEY_PASSPHRASE.")
    moment = now or datetime.now(UTC)
    identity = ServerIdentity(folder / "gateway.pem", folder / "gateway.key", folder / "ca.pem", passphrase)
    try:
        authority, key = _authority(folder, passphrase, moment)
        if not _still_good(identity.certificate, authority, set(names), moment):
            _issue(identity, authority, key, list(names), moment)
    except OSError as error:
        raise NarrowgateError(f"The keys in {folder} cannot be used: {error.strerror}.") from None
    return identity


def _authority(folder: Path, passphrase: str, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The authority's certificate and key, made when there is none."""
    certificate_path, key_path = folder / "ca.pem", folder / "ca.key"
    if not certificate_path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(key_path, encrypted(key, passphrase))
        write_public(certificate_path, _self_signed(key, now).public_bytes(Encoding.PEM))
    return x509.load_pem_x509_certificate(certificate_path.read_bytes()), load_key(key_path, passphrase)


def load_key(path: Path, passphrase: str) -> ec.EllipticCurvePrivateKey:
    """An elliptic curve key from an encrypted file. Raises NarrowgateError, and OSError where it cannot be read."""
    try:
        key = load_pem_private_key(path.read_bytes(), passphrase.encode())
    except (ValueError, TypeError):
        raise NarrowgateError(
            f"The key {path} does not open.", "Its passphrase is another one, or it is damaged."
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise NarrowgateError(f"The key {path} is not an elliptic curve key.")
    return key


def _self_signed(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Narrowgate CA")])
    builder = _builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage(signs_certificates=True), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())


def _issue(
    identity: ServerIdentity,
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    names: list[str],
    now: datetime,
) -> None:
    """Make the gateway a new key and certificate."""
    own = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    builder = _builder(subject, authority.subject, own.public_key(), now, SERVER_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
    )
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    certificate = builder.add_extension(issuer, critical=False).sign(key, hashes.SHA256())
    write_private(identity.key, encrypted(own, identity.passphrase))
    write_public(identity.certificate, certificate.public_bytes(Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - BACKDATED).not_valid_after(now + life)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _still_good(path: Path, authority: x509.Certificate, names: set[str], now: datetime) -> bool:
    """Whether the certificate in `path` is the authority's, names the same servers and lasts a while."""
    if not path.exists() or not path.with_suffix(".key").exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    same = {_general_name(name) for name in names} == set(held)
    return same and certificate.issuer == authority.subject and certificate.not_valid_after_utc - now > RENEW_BEFORE


def encrypted(key: ec.EllipticCurvePrivateKey, passphrase: str) -> bytes:
    """The key as PKCS #8, encrypted with the passphrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode()))
