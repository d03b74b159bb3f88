"""The authority of agents' certificates with its key in an HSM: SoftHSM, and openssl as the judge."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from agents import certificates, svid
from agents.certificates import CertificateRequest
from agents.hsm_key import HsmKey
from agents.proof import ASSERTION_TYPE
from agents.svid_authority import SIGNING, SvidAuthority, svid_authority
from core.errors import Invalid, NarrowgateError
from tests.agents.conftest import Enrolled, claims_of, sign
from tests.agents.test_svids import csr
from tests.hsm import MODULE, PIN

DOMAIN = "narrowgate.test"


@pytest.fixture
def uri(hsm_token: str) -> Callable[[str], str]:
    return lambda label: f"pkcs11:token={hsm_token};object={label}?module-path={MODULE}"


def signed(authority: SvidAuthority) -> bytes:
    now = datetime.now(UTC)
    certificate = svid.sign(
        ec.generate_private_key(ec.SECP256R1()).public_key(), authority.signing, agent="support.production",
        trust_domain=DOMAIN, credential=uuid4(), now=now, ends=now + timedelta(minutes=5),
    )  # fmt: skip
    return certificate.public_bytes(Encoding.PEM)


def verified(authority: SvidAuthority, certificate: bytes, folder: Path) -> bool:
    (folder / "leaf.pem").write_bytes(certificate)
    command = [
        "openssl",
        "verify",
        "-CAfile",
        str(authority.bundle),
        "-untrusted",
        str(authority.chain),
        str(folder / "leaf.pem"),
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_what_it_signs_verifies_and_no_file_holds_the_key(uri: Callable[[str], str], tmp_path: Path) -> None:
    own = HsmKey.load_or_create(uri("agents"), PIN)
    authority = svid_authority(tmp_path / "keys", "p", DOMAIN, own=own)
    with ThreadPoolExecutor(4) as threads:  # one session, many at once
        leaves = list(threads.map(lambda _: signed(authority), range(12)))
    assert all(verified(authority, leaf, tmp_path) for leaf in leaves)
    assert not (tmp_path / "keys" / f"{SIGNING}.key").exists()
    again = svid_authority(tmp_path / "keys", "p", DOMAIN, own=HsmKey.load_or_create(uri("agents"), PIN))
    assert again.signing.certificate == authority.signing.certificate


def test_an_authority_moves_into_the_hsm_while_the_root_is_there(uri: Callable[[str], str], tmp_path: Path) -> None:
    before = svid_authority(tmp_path, "p", DOMAIN)
    own = HsmKey.load_or_create(uri("moved"), PIN)
    after = svid_authority(tmp_path, "p", DOMAIN, own=own)
    assert after.signing.certificate != before.signing.certificate
    assert verified(after, signed(after), tmp_path)
    (tmp_path / "agents-root.key").unlink()
    with pytest.raises(NarrowgateError, match=r"do not belong together.*Bring agents-root\.key back"):
        svid_authority(tmp_path, "p", DOMAIN, own=HsmKey.load_or_create(uri("third"), PIN))


@pytest.mark.django_db
def test_agents_get_their_certificates_from_it(
    uri: Callable[[str], str], enrolled: Enrolled, settings: Any, tmp_path: Path
) -> None:
    settings.STATE_DIR, settings.AGENTS_CA_KEY, settings.AGENTS_CA_KEY_PIN = tmp_path, uri("agents"), PIN
    request = CertificateRequest(
        client_assertion=sign(enrolled, claims_of(enrolled)), client_assertion_type=ASSERTION_TYPE, csr=csr()
    )
    issued = certificates.certify(request)
    assert verified(certificates.authority(), issued.chain.encode(), tmp_path)
    assert not (tmp_path / "keys" / f"{SIGNING}.key").exists()


@pytest.mark.parametrize(
    ("module", "pin", "says"),
    [("/nowhere.so", PIN, "does not load"), (MODULE, "", "AGENTS_CA_KEY_PIN")],
)
def test_what_is_wrong_is_one_sentence(hsm_token: str, module: str, pin: str, says: str) -> None:
    with pytest.raises(NarrowgateError, match=says):
        HsmKey.load_or_create(f"pkcs11:token={hsm_token};object=k?module-path={module}", pin)
    with pytest.raises(Invalid, match="AGENTS_CA_KEY"):
        HsmKey.load_or_create("agents-ca.key", PIN)


def test_it_signs_and_gives_nothing_away(uri: Callable[[str], str]) -> None:
    key = HsmKey.load_or_create(uri("agents"), PIN)
    for taken in (key.private_numbers, key.private_bytes, key.exchange):
        with pytest.raises(NarrowgateError):
            taken()
