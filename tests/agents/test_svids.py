"""X.509-SVIDs: what is signed, what is believed, who may have one; `openssl` has the last word on the chain."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agents import actions, svid
from agents.certificates import CertificateRequest, certify
from agents.models import Credential
from agents.oauth_errors import OAuthError
from agents.proof import ASSERTION_TYPE, require_own
from agents.svid_authority import RENEW_BEFORE, ROOT, SIGNING, SIGNING_LIFE, svid_authority
from core.errors import Invalid, NarrowgateError, Refused
from ledger.events import Event
from ledger.models import Outbox
from tests.agents.conftest import Enrolled, claims_of, sign
from tests.cast import Cast

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DOMAIN = "narrowgate.test"
HERE = "spiffe://narrowgate.test"
AnyKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def csr(key: AnyKey | None = None) -> str:
    """A certificate request that claims to be somebody else: nothing but its key is taken."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root.production")])
    own = key or ec.generate_private_key(ec.SECP256R1())
    algorithm = None if isinstance(own, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .sign(own, algorithm)
        .public_bytes(Encoding.PEM)
        .decode()
    )


def made(folder: Path, *, now: datetime = NOW, ends: timedelta = svid.LIFE) -> tuple[x509.Certificate, UUID]:
    """A certificate by an authority in `folder`."""
    authority, credential = svid_authority(folder, "p", DOMAIN, now=now), uuid4()
    key = svid.read_request(csr())
    return svid.sign(
        key, authority.signing, agent="support.production", trust_domain=DOMAIN, credential=credential, now=now, ends=now + ends
    ), credential  # fmt: skip


# ---- the certificate ----
def test_it_says_who_and_for_how_long_and_is_believed(tmp_path: Path) -> None:
    certificate, credential = made(tmp_path)
    found = svid.read(certificate.public_bytes(Encoding.DER), DOMAIN)
    assert found == svid.Svid("support.production", credential, NOW + timedelta(hours=1))
    assert certificate.not_valid_before_utc > NOW - timedelta(minutes=5)


def test_it_has_the_profile_that_spiffe_asks_for(tmp_path: Path) -> None:
    certificate, _ = made(tmp_path)
    held = certificate.extensions
    names = held.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [f"{HERE}/agent/support.production"]
    assert held.get_extension_for_class(x509.BasicConstraints).value.ca is False
    uses = held.get_extension_for_class(x509.KeyUsage)
    assert (uses.critical, uses.value.digital_signature, uses.value.key_cert_sign, uses.value.crl_sign) == (
        True, True, False, False,
    )  # fmt: skip


def test_openssl_verifies_the_chain_for_clients_and_for_nothing_else(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    certificate, _ = made(tmp_path, now=now)
    (tmp_path / "leaf.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", f"{ROOT}.pem", "-untrusted", f"{SIGNING}.pem"]
    for purpose, good in (("sslclient", True), ("sslserver", False), ("crlsign", False)):
        done = subprocess.run(
            [*verify, "-purpose", purpose, "leaf.pem"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) is good, done.stdout + done.stderr


@pytest.mark.parametrize("life", [timedelta(0), timedelta(hours=1, seconds=1), timedelta(days=-1)])
def test_none_lives_longer_than_an_hour(tmp_path: Path, life: timedelta) -> None:
    with pytest.raises(ValueError, match="hour"):
        made(tmp_path, ends=life)


@pytest.mark.parametrize(
    ("names", "because"),
    [
        ([x509.UniformResourceIdentifier("spiffe://elsewhere.test/agent/a")], "not of an agent of narrowgate.test"),
        ([x509.UniformResourceIdentifier(f"{HERE}/agent/a/b")], "not of an agent"),
        ([x509.UniformResourceIdentifier(f"{HERE}/agent/")], "not of an agent"),
        ([x509.UniformResourceIdentifier(f"{HERE}.evil.test/agent/a")], "not of an agent"),
        ([x509.UniformResourceIdentifier(f"{HERE}/agent/a")] * 2, "one name"),
        ([x509.DNSName("a.test")], "one name"),
        ([], "no SVID"),
    ],
)
def test_other_names_are_not_believed(names: list[x509.GeneralName], because: str) -> None:
    with pytest.raises(Refused, match=because) as refused:
        svid.read(_certificate(names), DOMAIN)
    assert refused.value.code == "invalid_svid"


def test_an_authority_names_no_agent() -> None:
    with pytest.raises(Refused, match="authority"):
        svid.read(_certificate([x509.UniformResourceIdentifier(f"{HERE}/agent/a")], authority=True), DOMAIN)


@pytest.mark.parametrize("der", [b"", b"\x30\x82", b"no certificate"])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(Refused, match="no SVID"):
        svid.read(der, DOMAIN)


def _certificate(names: list[x509.GeneralName], *, authority: bool = False) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(uuid4().int).not_valid_before(NOW).not_valid_after(NOW + timedelta(hours=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    builder = builder.add_extension(svid.usage(signs_certificates=authority), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


# ---- the request ----
def test_both_kinds_of_key_are_signed_for() -> None:
    for key in (ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()):
        assert svid.read_request(csr(key)) == key.public_key()


@pytest.mark.parametrize(
    ("pem", "because"),
    [
        ("", "not a certificate request"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "not a certificate request"),
        ("ü", "not a certificate request"),
        ("x" * 5_000, "4096 characters"),
    ],
)
def test_what_is_no_request_is_refused(pem: str, because: str) -> None:
    with pytest.raises(Invalid, match=because) as refused:
        svid.read_request(pem)
    assert refused.value.field == "csr"


def test_keys_of_other_kinds_are_refused() -> None:
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())):
        with pytest.raises(Invalid, match="neither P-256 nor Ed25519"):
            svid.read_request(csr(key))


def test_a_request_must_be_signed_by_its_own_key() -> None:
    request = x509.load_pem_x509_csr(csr().encode())
    damaged = bytearray(request.public_bytes(Encoding.DER))
    damaged[-1] ^= 1
    pem = x509.load_der_x509_csr(bytes(damaged)).public_bytes(Encoding.PEM).decode()
    with pytest.raises(Invalid, match=r"signed by the key|not a certificate request"):
        svid.read_request(pem)


# ---- the authority ----
def test_the_authority_is_made_once_and_renewed_by_the_root(tmp_path: Path) -> None:
    first = svid_authority(tmp_path, "p", DOMAIN, now=NOW).signing.certificate
    assert svid_authority(tmp_path, "p", DOMAIN, now=NOW + timedelta(days=200)).signing.certificate == first
    soon = NOW + SIGNING_LIFE - RENEW_BEFORE + timedelta(days=1)
    renewed = svid_authority(tmp_path, "p", DOMAIN, now=soon).signing.certificate
    assert renewed != first
    assert renewed.issuer == first.issuer


def test_without_its_root_the_authority_signs_until_it_ends(tmp_path: Path) -> None:
    first = svid_authority(tmp_path, "p", DOMAIN, now=NOW).signing.certificate
    (tmp_path / f"{ROOT}.key").rename(tmp_path / "elsewhere")
    late = NOW + SIGNING_LIFE - timedelta(days=1)
    assert svid_authority(tmp_path, "p", DOMAIN, now=late).signing.certificate == first
    with pytest.raises(NarrowgateError, match="root's key is not here"):
        svid_authority(tmp_path, "p", DOMAIN, now=NOW + SIGNING_LIFE + timedelta(days=1))


def test_a_key_whose_certificate_was_lost_in_a_crash_is_made_anew(tmp_path: Path) -> None:
    svid_authority(tmp_path, "p", DOMAIN, now=NOW)
    other = svid_authority(tmp_path / "other", "p", DOMAIN, now=NOW)
    (tmp_path / f"{SIGNING}.key").write_bytes((tmp_path / "other" / f"{SIGNING}.key").read_bytes())
    mended = svid_authority(tmp_path, "p", DOMAIN, now=NOW).signing
    assert mended.certificate.public_key() == mended.key.public_key()
    assert mended.certificate != other.signing.certificate


@pytest.mark.parametrize("passphrase", ["", "another"])
def test_keys_open_with_their_passphrase_alone(tmp_path: Path, passphrase: str) -> None:
    svid_authority(tmp_path, "p", DOMAIN, now=NOW)
    with pytest.raises(NarrowgateError):
        svid_authority(tmp_path, passphrase, DOMAIN, now=NOW)


# ---- issuing ----
@pytest.fixture
def wish(enrolled: Enrolled) -> Callable[..., CertificateRequest]:
    """A proven request for a certificate."""

    def make(**changed: str) -> CertificateRequest:
        form: dict[str, Any] = {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": sign(enrolled, claims_of(enrolled)),
            "csr": csr(),
        }
        return CertificateRequest(**(form | changed))

    return make


def test_an_agent_gets_one_and_the_ledger_says_so(wish: Callable[..., CertificateRequest], enrolled: Enrolled) -> None:
    issued = certify(wish(source="192.0.2.7"))
    leaf, below = x509.load_pem_x509_certificates(issued.chain.encode())
    found = svid.read(leaf.public_bytes(Encoding.DER), DOMAIN)
    row = Credential.objects.get()
    assert (found.agent, found.credential, found.expires_at) == (enrolled.agent.name, row.id, row.expires_at)
    assert (row.kind, row.resource, row.source) == ("svid", None, "192.0.2.7")
    assert leaf.issuer == below.subject
    said = json.loads(bytes(Outbox.objects.get(event=Event.CREDENTIAL_ISSUED).leaf))
    assert (said["subject"]["id"], said["details"]["kind"]) == (str(row.id), "svid")


def test_one_that_has_expired_proves_nothing_on_a_connection_that_outlives_it(
    wish: Callable[..., CertificateRequest], enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf, _ = x509.load_pem_x509_certificates(certify(wish()).chain.encode())
    shown = leaf.public_bytes(Encoding.DER)
    require_own(shown, enrolled.agent)
    monkeypatch.setattr("agents.proof.db_now", lambda: leaf.not_valid_after_utc)
    with pytest.raises(OAuthError, match="has expired"):
        require_own(shown, enrolled.agent)


def test_without_proof_or_a_good_request_there_is_none(wish: Callable[..., CertificateRequest]) -> None:
    spent = wish()
    certify(spent)
    refused = [
        (spent, "used before"),
        (wish(csr="x"), "not a certificate request"),
        (wish(client_assertion=""), "proves"),
    ]
    for request, because in refused:
        with pytest.raises(OAuthError, match=because):
            certify(request)
    assert Credential.objects.count() == 1
    assert Outbox.objects.filter(event=Event.CREDENTIAL_REFUSED).count() == len(refused)


def test_a_suspended_agent_gets_none(wish: Callable[..., CertificateRequest], enrolled: Enrolled, cast: Cast) -> None:
    actions.suspend(enrolled.agent.id, actor=cast.engineer, reason="Odd.")
    with pytest.raises(OAuthError, match="suspended") as refused:
        certify(wish())
    assert refused.value.code == "unauthorized_client"
