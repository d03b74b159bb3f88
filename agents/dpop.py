"""Demonstrating proof of possession: what a DPoP proof must say (RFC 9449 section 4.3), and the nonces given for it. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError

from agents.keys import ALGORITHMS, Key, algorithm_of, kid_of, public_key
from agents.oauth_errors import invalid_dpop_proof, use_dpop_nonce
from core.errors import Invalid

PROOF_TYPE = "dpop+jwt"
LONGEST_PROOF = 4096  # characters
SKEW = timedelta(seconds=60)
NONCE_LIFE = timedelta(minutes=2)
LONGEST_JTI = 128


@dataclass(frozen=True)
class DpopProof:
    """A verified proof: the thumbprint of its key, and what tells it from every other, still to be checked for use before."""

    thumbprint: str
    jti: str
    expires_at: datetime
    made_at: datetime
    """No later than now."""


def verify(
    text: str, *, method: str, address: str, knows_nonce: Callable[[str], bool], now: datetime, token: str = ""
) -> DpopProof:
    """Check a proof for one request; `token` is the access token that comes with it. Raises OAuthError.

    Steps: 1. form; 2. key and signature; 3. method and address; 4. time; 5. nonce; 6. token; 7. identifier.
    """
    # 1. Form.
    header = _header(text)
    if header.get("typ") != PROOF_TYPE or header.get("alg") not in ALGORITHMS:
        raise invalid_dpop_proof("The DPoP proof is a JWT of type dpop+jwt, signed with ES256 or Ed25519.")
    # 2. The key that it brings along, and the signature by that key and no other algorithm.
    key = _key(header)
    claims = _claims(text, key)
    # 3. This request.
    if claims.get("htm") != method or not _same_address(claims.get("htu"), address):
        raise invalid_dpop_proof(f"The DPoP proof's htm and htu are not {method} {address}.")
    # 4. Now.
    made_at = _moment(claims.get("iat"))
    if not now - SKEW <= made_at <= now + SKEW:
        raise invalid_dpop_proof("The DPoP proof's iat is more than a minute from now: check the clock.")
    # 5. Made since we gave the nonce.
    if not knows_nonce(str(claims.get("nonce", ""))):
        raise use_dpop_nonce()
    # 6. This token.
    if token and claims.get("ath") != _digest(token.encode()):
        raise invalid_dpop_proof("The DPoP proof's ath is not the hash of the access token.")
    # 7. It can be told from every other.
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 8 <= len(jti) <= LONGEST_JTI:
        raise invalid_dpop_proof(f"The DPoP proof needs a jti of 8 to {LONGEST_JTI} characters.")
    return DpopProof(kid_of(key), jti, made_at + SKEW, min(made_at, now))


def nonce(secret: bytes, now: datetime) -> str:
    """The nonce of now: every process with the same secret gives and knows the same ones."""
    return _nonce(secret, _window(now))


def knows_nonce(secret: bytes, given: str, now: datetime) -> bool:
    """Whether `given` is the nonce of now, or the one before."""
    window = _window(now)
    return any(
        hmac.compare_digest(given.encode("utf-8", "surrogatepass"), _nonce(secret, one).encode())
        for one in (window, window - 1)
    )


def _window(now: datetime) -> int:
    return int(now.timestamp() // NONCE_LIFE.total_seconds())


def _nonce(secret: bytes, window: int) -> str:
    return _base64(hmac.digest(secret, f"dpop-nonce {window}".encode(), hashlib.sha256)[:18])


def _header(text: str) -> dict[str, Any]:
    parts = text.split(".")
    unread = invalid_dpop_proof("The DPoP proof is not a signed JWT.")
    if len(text) > LONGEST_PROOF or len(parts) != 3:
        raise unread
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, RecursionError):
        raise unread from None
    if not isinstance(header, dict):
        raise unread
    return header


def _key(header: Mapping[str, Any]) -> Key:
    jwk = header.get("jwk")
    if not isinstance(jwk, dict):
        raise invalid_dpop_proof("The DPoP proof's header holds no public key (jwk).")
    try:
        key = public_key(jwk)
    except Invalid as error:
        raise invalid_dpop_proof(error.message) from None
    if header["alg"] != algorithm_of(key):
        raise invalid_dpop_proof("The DPoP proof's algorithm is not its key's.")
    return key


def _claims(text: str, key: Key) -> dict[str, Any]:
    try:
        return jwt.decode(text, key, algorithms=[algorithm_of(key)]).claims
    except (JoseError, ValueError):
        raise invalid_dpop_proof("The DPoP proof's signature is not that of its key.") from None


def _same_address(given: object, address: str) -> bool:
    """Compared without query and fragment; scheme and host in either case (RFC 3986 section 6.2.2)."""
    if not isinstance(given, str):
        return False
    try:
        ours, theirs = urlsplit(address), urlsplit(given)
    except ValueError:
        return False
    alike = (ours.scheme.lower(), ours.netloc.lower()) == (theirs.scheme.lower(), theirs.netloc.lower())
    return alike and ours.path == theirs.path


def _moment(value: object) -> datetime:
    unread = invalid_dpop_proof("The DPoP proof's iat is not a time.")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise unread
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise unread from None


def _digest(value: bytes) -> str:
    return _base64(hashlib.sha256(value).digest())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
