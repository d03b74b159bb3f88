"""What a passkey signed, checked on the standard library alone: the same answers as `cryptography` gives, and every way to be wrong."""

from __future__ import annotations

import json
import secrets
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor

from ledger.verify_passkeys import _N, Passkeys, challenge, check, to_url, verifies
from ledger.verify_primitives import Unreadable
from ledger.verify_report import Report

HOLDS = [["0198-hold", "sha256:abc"], ["0198-other", "sha256:def"]]


def _number(value: int, length: int = 32) -> bytes:
    return value.to_bytes(length, "big")


def es256(key: ec.EllipticCurvePrivateKey) -> bytes:
    point = key.public_key().public_numbers()
    return bytes(cbor.encode({1: 2, 3: -7, -1: 1, -2: _number(point.x), -3: _number(point.y)}))


def test_ecdsa_as_cryptography_signs_it_and_no_other_message() -> None:
    for _ in range(5):
        key, message = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(80)
        signature = key.sign(message, ec.ECDSA(SHA256()))
        assert verifies(es256(key), message, signature)
        assert not verifies(es256(key), message + b"x", signature)
        assert not verifies(es256(ec.generate_private_key(ec.SECP256R1())), message, signature)
        r, s = decode_dss_signature(signature)
        for wrong in ((0, s), (r, 0), (r + _N, s), (r, s + _N), (s, r)):
            assert not verifies(es256(key), message, encode_dss_signature(*wrong))
        for cut in (
            signature[:-1],
            signature + b"\x00",
            b"\x31" + signature[1:],
            b"",
            b"\x30\x06\x02\x01\x00\x02\x01\x00",
        ):
            assert not verifies(es256(key), message, cut)


def test_a_point_off_the_curve_is_no_key() -> None:
    key = bytes(cbor.encode({1: 2, 3: -7, -1: 1, -2: _number(5), -3: _number(7)}))
    assert not verifies(key, b"", b"\x30\x06\x02\x01\x01\x02\x01\x01")


def test_rsa_and_eddsa() -> None:
    private, message = rsa.generate_private_key(65537, 2048), b"what was approved"
    public = private.public_key().public_numbers()
    key = bytes(cbor.encode({1: 3, 3: -257, -1: _number(public.n, 256), -2: _number(public.e, 3)}))
    signature = private.sign(message, padding.PKCS1v15(), SHA256())
    assert verifies(key, message, signature)
    assert not verifies(key, message + b"x", signature)
    assert not verifies(key, message, bytes(256))
    assert not verifies(key, message, b"\xff" * 256)
    small = bytes(cbor.encode({1: 3, 3: -257, -1: _number(3 * 5, 1), -2: _number(3, 1)}))
    assert not verifies(small, message, b"\x01")
    other = ed25519.Ed25519PrivateKey.generate()
    okp = bytes(cbor.encode({1: 1, 3: -8, -1: 6, -2: other.public_key().public_bytes_raw()}))
    assert verifies(okp, message, other.sign(message))
    assert not verifies(okp, message, other.sign(b"another"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xa1",
        b"\xa1\x01",
        b"\xa1\x01\x02x",
        b"\x41a",
        b"\xa2\x01\x02\x01\x03",
        b"\xa1\x41a\x01",
        b"\xbf\xff",
    ],
)
def test_what_is_no_key_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(Unreadable, match="malformed"):
        verifies(data, b"", b"")


def signed(**changed: Any) -> dict[str, Any]:
    """A whole signed decision, with some parts otherwise before they are signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    says = {"nonce": to_url(bytes(32)), "expires": "2026-01-01T00:00:00.000000Z", "verdict": "approve", "holds": HOLDS}
    client = {"type": "webauthn.get", "challenge": to_url(challenge(**says)), "origin": "https://gate.example"}  # type: ignore[arg-type]
    client |= changed.pop("client", {})
    data = sha256(b"gate.example").digest() + bytes([changed.pop("flags", 5)]) + bytes(4)
    told = json.dumps(client).encode()
    signature = key.sign(data + sha256(told).digest(), ec.ECDSA(SHA256()))
    whole = {
        **says, "origin": "https://gate.example", "rp": "gate.example", "credential": "abc", "public_key": to_url(es256(key)),
        "client_data": to_url(told), "authenticator_data": to_url(data), "signature": to_url(signature),
    }  # fmt: skip
    return {**whole, **changed}


def _check(
    says: dict[str, Any], hold: str = "0198-other", digest: str = "sha256:def", verdict: str = "approve"
) -> None:
    check(says, verdict=verdict, hold=hold, digest=digest)


def test_one_signature_is_over_each_of_its_holds_and_nothing_else() -> None:
    _check(signed())
    _check(signed(), "0198-hold", "sha256:abc")
    for wrong in (("0198-hold", "sha256:def"), ("third", "sha256:abc"), ("0198-hold", "sha256:abc", "break")):
        with pytest.raises(Unreadable, match="something else"):
            _check(signed(), *wrong)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"verdict": "break"}, "something else"),
        ({"holds": [["0198-other", "sha256:def"]]}, "something else"),
        ({"holds": "all"}, "what it is over"),
        ({"holds": [["0198-other"]]}, "what it is over"),
        ({"nonce": to_url(b"1" * 32)}, "something else"),
        ({"expires": "2027-01-01T00:00:00.000000Z"}, "something else"),
        ({"client": {"type": "webauthn.create"}}, "something else"),
        ({"client": {"origin": "https://evil.example"}}, "another page"),
        ({"client": {"crossOrigin": True}}, "another page"),
        ({"rp": "evil.example"}, "another site"),
        ({"flags": 4}, "verify its user"),
        ({"flags": 1}, "verify its user"),
        ({"signature": to_url(bytes(70))}, "does not hold"),
        ({"client_data": "!"}, "base64url"),
        ({"authenticator_data": ""}, "another site"),
        ({"extra": 1}, "members"),
    ],
)
def test_every_part_is_bound(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        _check(signed(**changed))


def _entry(event: str, details: dict[str, Any]) -> dict[str, Any]:
    return {
        "event": event,
        "actor": {"id": "p1"},
        "subject": {"id": "0198-other"},
        "digest": "sha256:def",
        "details": details,
    }


def test_a_package_says_what_was_signed_and_by_whom_it_cannot_say() -> None:
    says, report, passkeys = signed(), Report(), Passkeys()
    passkeys.read(0, _entry("passkey:added", {"credential": "abc", "public_key": says["public_key"]}), report)
    passkeys.read(1, _entry("hold:approved", {"passkey": says}), report)
    passkeys.read(2, _entry("hold:approved", {"passkey": signed(credential="other")}), report)
    passkeys.read(3, _entry("hold:approved", {}), report)
    passkeys.say(report)
    assert report.ok
    assert [line for line in report.lines() if "passkey" in line] == [
        "  checked: decisions that people signed with a passkey, over what each decided: 2",
        "  NOT checked: whose passkeys signed 1 of them: the entries that added them are not here",
    ]


def test_a_false_signature_in_a_package_is_a_problem_of_its_entry() -> None:
    report, passkeys = Report(), Passkeys()
    passkeys.read(0, _entry("passkey:added", {"credential": "abc", "public_key": "another"}), report)
    passkeys.read(7, _entry("hold:approved", {"passkey": signed()}), report)
    assert (report.ok, report.first_bad_entry) == (False, 7)
    report = Report()
    passkeys.read(8, _entry("hold:approved", {"passkey": signed(flags=1)}), report)
    assert (report.ok, report.first_bad_entry) == (False, 8)
