"""The embedded Ed25519 verification: the vectors of RFC 8032 section 7.1 and of Wycheproof, and every way to be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.verify_primitives import ORDER, ed25519_verifies

# (public key, message, signature)
RFC_8032 = {
    "TEST 1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "TEST 2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "TEST 3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "TEST SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}


@pytest.mark.parametrize("name", RFC_8032)
def test_the_rfc_vectors(name: str) -> None:
    public, message, signature = (bytes.fromhex(part) for part in RFC_8032[name])
    assert ed25519_verifies(public, message, signature)
    assert not ed25519_verifies(public, message + b"x", signature)
    assert not ed25519_verifies(public, message, signature[:-1])
    assert not ed25519_verifies(public, message, b"")


def test_the_wycheproof_vectors() -> None:
    path = Path(__file__).parent / "vectors" / "wycheproof_ed25519.json"
    tests = json.loads(path.read_text(encoding="utf-8"))["tests"]
    assert len(tests) == 151
    for public, message, signature, valid, comment in tests:
        parts = (bytes.fromhex(part) for part in (public, message, signature))
        assert ed25519_verifies(*parts) is valid, comment


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=100), st.integers(0, 511))
def test_one_flipped_bit_is_noticed(message: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.generate()
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert ed25519_verifies(public, message, signature)
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << bit % 8
    assert not ed25519_verifies(public, message, bytes(changed))


def test_a_signature_has_one_form() -> None:
    """S must be below the group's order: else each signature had a twin (RFC 8032 section 5.1.7, step 1)."""
    private = Ed25519PrivateKey.generate()
    public, signature = private.public_key().public_bytes_raw(), private.sign(b"x")
    twin = int.from_bytes(signature[32:], "little") + ORDER
    assert not ed25519_verifies(public, b"x", signature[:32] + twin.to_bytes(32, "little"))


@pytest.mark.parametrize("public", [b"\xff" * 32, (2).to_bytes(32, "little"), b"", b"\x00" * 33])
def test_what_is_no_point_verifies_nothing(public: bytes) -> None:
    assert not ed25519_verifies(public, b"x", b"\x00" * 64)
