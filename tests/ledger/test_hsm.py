"""The ledger's key in an HSM, by PKCS#11: SoftHSM, made for these tests."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pkcs11
import pytest
from django.core.management import call_command
from pkcs11 import Attribute, KeyType, Mechanism
from pkcs11.util.ec import encode_named_curve_parameters

from console.database import Logins
from core.errors import Invalid, NarrowgateError
from ledger import checkpoint, export, hsm, keys
from ledger.hsm import HsmSigner, Place
from ledger.models import Checkpoint, Key
from ledger.sequencer import Sequencer
from ledger.verify import verify
from monitoring.facts import soft_key
from tests.hsm import MODULE, PIN
from tests.ledger.conftest import running, sequenced, write_entries


@pytest.fixture
def token(hsm_token: str) -> str:
    return hsm_token


@pytest.fixture
def uri(token: str) -> Callable[[str], str]:
    return lambda label: f"pkcs11:token={token};object={label}?module-path={MODULE}"


def test_it_signs_and_the_key_is_the_same_the_next_time(uri: Callable[[str], str]) -> None:
    one = HsmSigner.load_or_create(uri("same"), PIN, "a.log")
    again = HsmSigner.load_or_create(uri("same"), PIN, "a.log")
    other = HsmSigner.load_or_create(uri("other"), PIN, "a.log")
    assert one.key == again.key != other.key
    root = checkpoint.Checkpoint("a.log", 3, bytes(32))
    for signer in (one, again):
        assert checkpoint.open_note(checkpoint.sign(root, signer.key, signer.sign), one.key) == root


def test_the_key_cannot_be_taken_out(uri: Callable[[str], str]) -> None:
    private = HsmSigner.load_or_create(uri("kept"), PIN, "a.log")._private
    assert private[Attribute.SENSITIVE]
    assert not private[Attribute.EXTRACTABLE]
    with pytest.raises(pkcs11.exceptions.AttributeSensitive):
        private[Attribute.VALUE]


def test_a_key_that_can_be_taken_out_is_refused(uri: Callable[[str], str]) -> None:
    session = hsm._session(hsm._token(Place.parse(uri("loose"))), PIN)
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(hsm.ED25519_OID)}
    parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, curve, local=True)
    loose = {Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False}
    for refusal in ("can be taken out", "holds one such key"):  # the second time there are two of them
        parameters.generate_keypair(
            mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label="loose", private_template=loose
        )
        with pytest.raises(NarrowgateError, match=refusal):
            HsmSigner.load_or_create(uri("loose"), PIN, "a.log")


@pytest.mark.parametrize(
    ("address", "pin", "says"),
    [
        ("pkcs11:token=gate;object=k?module-path=/nowhere.so", PIN, "does not load"),
        (f"pkcs11:token=elsewhere;object=k?module-path={MODULE}", PIN, "cannot be used"),
        (f"pkcs11:token=gate;object=k?module-path={MODULE}", "", "LEDGER_KEY_PIN"),
    ],
)
def test_what_is_wrong_is_one_sentence(token: str, address: str, pin: str, says: str) -> None:
    with pytest.raises(NarrowgateError, match=re.escape(says)):
        HsmSigner.load_or_create(address, pin, "a.log")


@pytest.mark.parametrize(
    "address", ["", "file:x", "pkcs11:", "pkcs11:token=a", "pkcs11:token=a;object=b;serial=1?module-path=c"]
)
def test_a_malformed_address_is_refused(address: str) -> None:
    with pytest.raises(Invalid, match="PKCS#11 URI"):
        Place.parse(address)


def test_an_address_may_be_quoted() -> None:
    assert Place.parse("pkcs11:token=my%20token;object=a%3Bb?module-path=/a/b.so") == Place(
        "/a/b.so", "my token", "a;b"
    )


def test_the_log_moves_from_a_file_into_the_hsm(
    fresh_database: Logins, uri: Callable[[str], str], tmp_path: Path, settings: object
) -> None:
    settings.STATE_DIR, settings.LEDGER_KEY_PIN = tmp_path, PIN  # type: ignore[attr-defined]  # pytest-django's
    with running(Sequencer(fresh_database.sequencer, keys.signer(), keys.signer)):
        write_entries(1)
        sequenced(1)
        assert soft_key().count() == 1
        call_command("change_ledger_key", to=uri("moved"))
        settings.LEDGER_KEY = uri("moved")  # type: ignore[attr-defined]  # as an administrator does, and restarts
        write_entries(1)
        sequenced(3)
    assert list(Key.objects.order_by("first_size").values_list("kept_in", flat=True)) == ["file", "hsm"]
    assert not soft_key().exists()
    checkpoint.open_note(Checkpoint.objects.get(size=3).note, keys.signer().key)
    export.export(tmp_path / "evidence.zip")
    assert verify(tmp_path / "evidence.zip", key=str(keys.signer().key)).problems == []


def test_a_wrong_pin_is_said(uri: Callable[[str], str]) -> None:
    """In a process of its own: within one, a login holds for everybody."""
    program = (
        "import sys; from ledger.hsm import HsmSigner; from core.errors import NarrowgateError\n"
        "try: HsmSigner.load_or_create(sys.argv[1], '9999', 'a.log')\n"
        "except NarrowgateError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program, uri("same")], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("The HSM refuses the PIN.")
