"""An agent's proof that it holds its key: `private_key_jwt` (RFC 7523, RFC 7521). Pure.

The header may name only a key; which algorithm goes with that key was settled when it was registered.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from agents.keys import ALGORITHMS, Key
from agents.oauth_errors import invalid_client

LONGEST_ASSERTION = 4096  # characters
LONGEST_LIFE = timedelta(minutes=5)
SKEW = timedelta(seconds=30)
LONGEST_JTI = 128


@dataclass(frozen=True)
class Claimed:
    """What an assertion says of itself before anything of it is verified."""

    kid: str
    algorithm: str
    issuer: str


@dataclass(frozen=True)
class Assertion:
    """A verified assertion; `jti` is still to be checked for use before."""

    issuer: str
    jti: str
    expires_at: datetime


def peek(text: str) -> Claimed:
    """Read which key an assertion names, and as whom. Raises OAuthError."""
    if len(text) > LONGEST_ASSERTION:
        raise invalid_client("The client assertion is too long.")
    parts = text.split(".")
    if len(parts) != 3:
        raise invalid_client("The client assertion is not a signed JWT.")
    header, claims = _json(parts[0]), _json(parts[1])
    algorithm, kid, issuer = header.get("alg"), header.get("kid"), claims.get("iss")
    if algorithm not in ALGORITHMS:
        raise invalid_client("The client assertion's algorithm is not ES256 or Ed25519.")
    if not isinstance(kid, str) or not isinstance(issuer, str) or not kid or not issuer:
        raise invalid_client("The client assertion names no key (kid) or no issuer (iss).")
    if not (kid + issuer).isascii() or not (kid + issuer).isprintable():
        raise invalid_client("The client assertion's kid and iss are printable ASCII.")
    return Claimed(kid=kid, algorithm=algorithm, issuer=issuer)


def verify(text: str, *, key: Key, algorithm: str, agent: str, audiences: Sequence[str], now: datetime) -> Assertion:
    """Check signature and claims against the registered `key` of `agent`. Raises OAuthError (`invalid_client`).

    Steps: 1. signature, by the key's own algorithm; 2. issuer and subject; 3. audience; 4. times; 5. identifier.
    """
    # 1. Signature.
    try:
        claims = jwt.decode(text, key, algorithms=[algorithm]).claims
    except (JoseError, ValueError):
        raise invalid_client("The client assertion's signature is not that of the registered key.") from None
    # 2. Issuer and subject are the agent.
    if claims.get("iss") != agent or claims.get("sub") != agent:
        raise invalid_client("The client assertion's iss and sub are not the agent that the key belongs to.")
    # 3. It is meant for this token endpoint, or for its issuer, alone.
    if claims.get("aud") not in (*audiences, *([one] for one in audiences)):
        raise invalid_client(f"The client assertion's aud is not this token endpoint, {audiences[0]}.")
    # 4. It is of now, and short-lived.
    expires_at = _check_times(claims, now)
    # 5. It can be told from every other.
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 8 <= len(jti) <= LONGEST_JTI:
        raise invalid_client(f"The client assertion needs a jti of 8 to {LONGEST_JTI} characters.")
    return Assertion(issuer=agent, jti=jti, expires_at=expires_at)


def _check_times(claims: Mapping[str, Any], now: datetime) -> datetime:
    """`exp` and `iat` are required, `nbf` is honoured; clocks may differ by `SKEW`."""
    expires_at, issued_at = _moment(claims, "exp"), _moment(claims, "iat")
    if expires_at is None or issued_at is None:
        raise invalid_client("The client assertion needs exp and iat.")
    if expires_at + SKEW <= now:
        raise invalid_client("The client assertion has expired.")
    if expires_at > now + LONGEST_LIFE + SKEW or expires_at - issued_at > LONGEST_LIFE:
        raise invalid_client("The client assertion lives longer than 5 minutes.")
    not_before = _moment(claims, "nbf") or issued_at
    if max(issued_at, not_before) > now + SKEW:
        raise invalid_client("The client assertion is not valid yet: check the clock.")
    return expires_at


def _moment(claims: Mapping[str, Any], name: str) -> datetime | None:
    """A NumericDate (RFC 7519). Raises OAuthError for anything else but its absence."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_client(f"The client assertion's {name} is not a time.")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise invalid_client(f"The client assertion's {name} is not a time.") from None


def _json(part: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise invalid_client("The client assertion is not a signed JWT.") from None
    if not isinstance(value, dict):
        raise invalid_client("The client assertion is not a signed JWT.")
    return value
