"""Decisions that people signed with a passkey: what the signature says, and whether it holds. Pure, on the standard library alone.

WebAuthn level 3, section 7.2, as far as it can be checked later: type, challenge, origin, relying party, presence, verification of
the user, signature. The challenge is the SHA-256 of canonical JSON (RFC 8785) with four members: `expires`, `holds` (pairs of a hold's identifier
and its action's digest), `nonce`, `verdict`. So the signature itself says what was decided.
Keys are COSE (RFC 9053): ES256, RS256 and EdDSA.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ledger.verify_primitives import Unreadable, ed25519_verifies, read_object
from ledger.verify_report import Report

PRESENT, VERIFIED = 0x01, 0x04  # flags of the authenticator's data
ES256, EDDSA, RS256 = -7, -8, -257
SIGNED = ("hold:approved", "hold:glass_broken")
MEMBERS = (
    "authenticator_data", "client_data", "credential", "expires", "holds", "nonce", "origin", "public_key", "rp", "signature",
    "verdict",
)  # fmt: skip
Holds = Sequence[Sequence[str]]  # pairs of a hold's identifier and its action's digest


def challenge(*, nonce: str, expires: str, verdict: str, holds: Holds) -> bytes:
    """What the authenticator is asked to sign: `nonce` as base64url, `expires` as RFC 3339."""
    says = {"expires": expires, "holds": [list(one) for one in holds], "nonce": nonce, "verdict": verdict}
    return hashlib.sha256(json.dumps(says, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).digest()


def check(signed: dict[str, Any], *, verdict: str, hold: str, digest: str) -> None:
    """See that `signed` is this verdict over this hold's digest. Raises Unreadable, with what is wrong."""
    if sorted(signed) != list(MEMBERS):
        raise Unreadable("the passkey's signature does not have the members that one has")
    holds = _pairs(signed["holds"])
    if signed["verdict"] != verdict or [hold, digest] not in holds:
        raise Unreadable("the passkey signed something else")
    client = from_url(signed["client_data"])
    says = read_object(client, "the client's data")
    wanted = challenge(nonce=str(signed["nonce"]), expires=str(signed["expires"]), verdict=verdict, holds=holds)
    if says.get("type") != "webauthn.get" or from_url(says.get("challenge")) != wanted:
        raise Unreadable("the passkey signed something else")
    if says.get("origin") != signed["origin"] or says.get("crossOrigin") is True:
        raise Unreadable("the passkey was used on another page")
    authenticator = from_url(signed["authenticator_data"])
    if len(authenticator) < 37 or authenticator[:32] != hashlib.sha256(str(signed["rp"]).encode()).digest():
        raise Unreadable("the passkey was used for another site")
    if not authenticator[32] & PRESENT or not authenticator[32] & VERIFIED:
        raise Unreadable("the passkey did not verify its user")
    message = authenticator + hashlib.sha256(client).digest()
    if not verifies(from_url(signed["public_key"]), message, from_url(signed["signature"])):
        raise Unreadable("the passkey's signature does not hold")


def _pairs(holds: object) -> list[list[str]]:
    if not isinstance(holds, list) or not all(
        isinstance(one, list) and len(one) == 2 and all(isinstance(part, str) for part in one) for one in holds
    ):
        raise Unreadable("the passkey's signature does not say what it is over")
    return holds


def from_url(text: object) -> bytes:
    """The bytes of base64url without padding. Raises Unreadable."""
    try:
        return base64.b64decode(str(text) + "=" * (-len(str(text)) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Unreadable("a part of the passkey's signature is not base64url") from None


def to_url(data: bytes) -> str:
    """`data` as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# ---- keys ----
def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` is by the holder of the COSE key `public`; not where the key is of another kind."""
    key, rest = _cbor(public)
    if rest or not isinstance(key, dict):
        raise Unreadable("the passkey's public key is malformed")
    kind, x, y = key.get(3), key.get(-2), key.get(-3)
    if kind == ES256 and key.get(1) == 2 and key.get(-1) == 1 and isinstance(x, bytes) and isinstance(y, bytes):
        return _p256_verifies((int.from_bytes(x, "big"), int.from_bytes(y, "big")), message, signature)
    if kind == EDDSA and key.get(1) == 1 and key.get(-1) == 6 and isinstance(x, bytes):
        return ed25519_verifies(x, message, signature)
    modulus = key.get(-1)
    if kind == RS256 and key.get(1) == 3 and isinstance(modulus, bytes) and isinstance(x, bytes):
        return _rsa_verifies(int.from_bytes(modulus, "big"), int.from_bytes(x, "big"), message, signature)
    return False


def _cbor(data: bytes, depth: int = 0) -> tuple[Any, bytes]:
    """The first value in `data` and what follows it, of the CBOR (RFC 8949) that keys are made of."""
    if not data or depth > 2:
        raise Unreadable("the passkey's public key is malformed")
    kind, size, rest = data[0] >> 5, data[0] & 31, data[1:]
    if size > 23:
        width = {24: 1, 25: 2, 26: 4}.get(size, 0)
        if not width or len(rest) < width:
            raise Unreadable("the passkey's public key is malformed")
        size, rest = int.from_bytes(rest[:width], "big"), rest[width:]
    if kind in (0, 1):
        return (size if kind == 0 else -1 - size), rest
    if kind == 2 and size <= len(rest):
        return rest[:size], rest[size:]
    if kind != 5 or size > 16:
        raise Unreadable("the passkey's public key is malformed")
    found: dict[Any, Any] = {}
    for _ in range(size):
        name, rest = _cbor(rest, depth + 1)
        value, rest = _cbor(rest, depth + 1)
        if not isinstance(name, int) or name in found:
            raise Unreadable("the passkey's public key is malformed")
        found[name] = value
    return found, rest


# ---- RSASSA-PKCS1-v1_5 with SHA-256, RFC 8017 section 8.2.2 ----
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


def _rsa_verifies(modulus: int, exponent: int, message: bytes, signature: bytes) -> bool:
    length = (modulus.bit_length() + 7) // 8
    if not 2048 <= modulus.bit_length() <= 8192 or not 3 <= exponent < 2**33 or len(signature) != length:
        return False
    value = int.from_bytes(signature, "big")
    if value >= modulus:
        return False
    told = _SHA256 + hashlib.sha256(message).digest()
    wanted = b"\x00\x01" + b"\xff" * (length - len(told) - 3) + b"\x00" + told
    return pow(value, exponent, modulus).to_bytes(length, "big") == wanted


# ---- ECDSA on P-256, SEC 1 section 4.1.4; points are (x, y), None is the neutral one ----
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def _p256_add(one: tuple[int, int] | None, two: tuple[int, int] | None) -> tuple[int, int] | None:
    if one is None or two is None:
        return one or two
    if one[0] == two[0]:
        if (one[1] + two[1]) % _P == 0:
            return None
        slope = (3 * one[0] * one[0] - 3) * pow(2 * one[1], _P - 2, _P) % _P
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], _P - 2, _P) % _P
    x = (slope * slope - one[0] - two[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def _p256_verifies(key: tuple[int, int], message: bytes, signature: bytes) -> bool:
    x, y = key
    numbers = _der_pair(signature)
    if not (0 <= x < _P and 0 <= y < _P) or (y * y - x * x * x + 3 * x - _B) % _P or numbers is None:
        return False
    r, s = numbers
    if not 0 < r < _N or not 0 < s < _N:
        return False
    inverse = pow(s, _N - 2, _N)
    u = int.from_bytes(hashlib.sha256(message).digest(), "big") * inverse % _N
    v = r * inverse % _N
    table = (None, _G, key, _p256_add(_G, key))
    point = None
    for bit in range(255, -1, -1):  # [u]G + [v]key in one pass
        point = _p256_add(point, point)
        step = (u >> bit & 1) | (v >> bit & 1) << 1
        point = _p256_add(point, table[step])
    return point is not None and point[0] % _N == r


def _der_pair(data: bytes) -> tuple[int, int] | None:
    """The two numbers of an ECDSA signature (RFC 3279 section 2.2.3), in the one form that DER allows."""
    if len(data) < 8 or data[0] != 0x30 or data[1] != len(data) - 2 or len(data) > 72:
        return None
    numbers, at = [], 2
    for _ in range(2):
        if at + 2 > len(data) or data[at] != 0x02:
            return None
        length = data[at + 1]
        part = data[at + 2 : at + 2 + length]
        if len(part) != length or not part or part[0] & 0x80 or (length > 1 and part[0] == 0 and not part[1] & 0x80):
            return None
        numbers.append(int.from_bytes(part, "big"))
        at += 2 + length
    return (numbers[0], numbers[1]) if at == len(data) else None


class Passkeys:
    """The signed decisions of a package, entry by entry, and the passkeys that its entries say people added."""

    def __init__(self) -> None:
        self._added: dict[tuple[str, str], str] = {}  # (person, credential) to public key
        self._signed = 0
        self._unknown = 0

    def read(self, index: int, says: dict[str, Any], report: Report) -> None:
        """One entry: keep what it adds, check what it signs. A signature that is wrong is a problem of its entry."""
        details, actor = says.get("details"), says.get("actor")
        if not isinstance(details, dict) or not isinstance(actor, dict):
            return
        if says.get("event") == "passkey:added":
            self._added[str(actor.get("id")), str(details.get("credential"))] = str(details.get("public_key"))
        signed = details.get("passkey")
        if says.get("event") not in SIGNED or not isinstance(signed, dict):
            return
        try:
            self._one(says, signed, str(actor.get("id")))
        except Unreadable as error:
            report.add("passkeys", f"Entry {index}: {error}.", index)

    def _one(self, says: dict[str, Any], signed: dict[str, Any], person: str) -> None:
        subject = says.get("subject")
        hold = str(subject.get("id")) if isinstance(subject, dict) else ""
        check(
            signed,
            verdict="approve" if says.get("event") == SIGNED[0] else "break",
            hold=hold,
            digest=str(says.get("digest")),
        )
        self._signed += 1
        added = self._added.get((person, str(signed["credential"])))
        if added is None:
            self._unknown += 1
        elif added != signed["public_key"]:
            raise Unreadable("it names a passkey that was added with another public key")

    def say(self, report: Report) -> None:
        """What was checked, and what not."""
        if self._signed:
            report.checked.append(
                f"decisions that people signed with a passkey, over what each decided: {self._signed}"
            )
        if self._unknown:
            report.not_checked.append(
                f"whose passkeys signed {self._unknown} of them: the entries that added them are not here"
            )
