"""The authority of agents' certificates, kept in files: a root that can be taken away, and below it one that signs SVIDs.

Nothing of it is shared with the gate's own server certificates (`ca.py`): neither can speak for the other. The root signs an
authority once a year and is not needed in between: move `agents-root.key` to where no machine reaches it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agents.ca import encrypted, load_key
from agents.svid import SCHEME, Authority, usage
from core.errors import NarrowgateError
from core.files import write_private, write_public

ROOT, SIGNING = "agents-root", "agents-ca"
ROOT_LIFE = timedelta(days=3650)
SIGNING_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=60)
BACKDATED = timedelta(minutes=5)  # clocks differ


@dataclass(frozen=True)
class SvidAuthority:
    """What signs now, and the files that verify it: `bundle` holds the root, `chain` the authority below it."""

    signing: Authority
    bundle: Path
    chain: Path


def svid_authority(
    folder: Path,
    passphrase: str,
    trust_domain: str,
    *,
    now: datetime | None = None,
    own: ec.EllipticCurvePrivateKey | None = None,
) -> SvidAuthority:
    """The authority from `folder`, made or renewed where needed. Raises NarrowgateError.

    `own` is the key that signs SVIDs, where an HSM keeps it; else that is in the folder, too. Renewing takes the root's key; without
    it, the authority below signs until it ends.
    """
    if not passphrase:
        raise NarrowgateError("The agents' authority needs a passphrase.", "Set KEY_PASSPHRASE.")
    moment = now or datetime.now(UTC)
    bundle, chain = folder / f"{ROOT}.pem", folder / f"{SIGNING}.pem"
    try:
        if not bundle.exists():
            _make_root(folder, passphrase, trust_domain, moment)
        if not chain.exists() or _ends(chain) - moment < RENEW_BEFORE or _signing(folder, passphrase, own) is None:
            _renew(folder, passphrase, trust_domain, moment, own)
        signing = _signing(folder, passphrase, own)
    except OSError as error:
        raise NarrowgateError(f"The keys in {folder} cannot be used: {error.strerror}.") from None
    except ValueError:
        raise NarrowgateError(f"A certificate in {folder} is damaged.", "Restore it, or move it away.") from None
    if signing is None:
        place = "the HSM's key" if own else f"{SIGNING}.key"
        raise NarrowgateError(
            f"{SIGNING}.pem in {folder} and {place} do not belong together.", f"Bring {ROOT}.key back for one start."
        )
    return SvidAuthority(signing, bundle, chain)


def _signing(folder: Path, passphrase: str, own: ec.EllipticCurvePrivateKey | None) -> Authority | None:
    """The authority and its key; None where a crash left a key without its certificate, or the key is in another place now."""
    certificate = _certificate(folder / f"{SIGNING}.pem")
    path = folder / f"{SIGNING}.key"
    if own is None and not path.exists():
        return None
    key = own or load_key(path, passphrase)
    return Authority(certificate, key) if certificate.public_key() == key.public_key() else None


def _make_root(folder: Path, passphrase: str, trust_domain: str, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Narrowgate agents of {trust_domain}")
    builder = _builder(name, name, key.public_key(), now, ROOT_LIFE).add_extension(
        x509.BasicConstraints(ca=True, path_length=1), critical=True
    )
    write_private(folder / f"{ROOT}.key", encrypted(key, passphrase))
    write_public(folder / f"{ROOT}.pem", builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))


def _renew(
    folder: Path, passphrase: str, trust_domain: str, now: datetime, own: ec.EllipticCurvePrivateKey | None
) -> None:
    """Have the root sign a new authority; without the root's key, go on with the old one until it has ended."""
    path, chain = folder / f"{ROOT}.key", folder / f"{SIGNING}.pem"
    if not path.exists():
        if chain.exists() and _ends(chain) > now:
            return
        raise NarrowgateError(
            "The authority that signs agents' certificates has ended, and the root's key is not here.",
            f"Bring {path.name} back for one start.",
        )
    root, root_key = _certificate(folder / f"{ROOT}.pem"), load_key(path, passphrase)
    key = own or ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name("Narrowgate agents"), root.subject, key.public_key(), now, SIGNING_LIFE)
    domain = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"{SCHEME}{trust_domain}")])
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(domain, critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    certificate = builder.add_extension(issuer, critical=False).sign(root_key, hashes.SHA256())
    if own is None:
        write_private(folder / f"{SIGNING}.key", encrypted(key, passphrase))
    write_public(chain, certificate.public_bytes(Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - BACKDATED).not_valid_after(now + life)
    builder = builder.add_extension(usage(signs_certificates=True), critical=True)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _ends(path: Path) -> datetime:
    return _certificate(path).not_valid_after_utc
