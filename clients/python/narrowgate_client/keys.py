"""The agent's key, and the assertion that it signs (RFC 7523): ES256 or Ed25519."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from narrowgate_client.errors import Unavailable

LIFE = 60
"""Seconds that an assertion counts."""


@dataclass(frozen=True)
class AgentKey:
    """A private key, and the thumbprint (RFC 7638) by which the gate knows it."""

    algorithm: str
    kid: str
    private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey = field(repr=False)

    def assertion(self, agent: str, audience: str) -> str:
        """A JWT that proves once, within a minute, that `agent` holds this key."""
        now = int(time.time())
        head = {"alg": self.algorithm, "kid": self.kid}
        claims = {"iss": agent, "sub": agent, "aud": audience, "iat": now, "exp": now + LIFE, "jti": uuid.uuid4().hex}
        signed = f"{_encoded(_json(head))}.{_encoded(_json(claims))}"
        return f"{signed}.{_encoded(self._sign(signed.encode()))}"

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(data)
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)


def read_key(path: Path) -> AgentKey:
    """The private key in a file (JWK). Raises Unavailable."""
    try:
        return _key(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise Unavailable(f"The key {path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise Unavailable(f"The key {path} is no private key of an agent (JWK: P-256 or Ed25519).") from None


def _key(jwk: dict[str, Any]) -> AgentKey:
    if (jwk["kty"], jwk["crv"]) == ("EC", "P-256"):
        kid = _thumbprint(jwk, "crv", "kty", "x", "y")
        return AgentKey("ES256", kid, ec.derive_private_key(int.from_bytes(_decoded(jwk["d"])), ec.SECP256R1()))
    if (jwk["kty"], jwk["crv"]) == ("OKP", "Ed25519"):
        kid = _thumbprint(jwk, "crv", "kty", "x")
        return AgentKey("Ed25519", kid, ed25519.Ed25519PrivateKey.from_private_bytes(_decoded(jwk["d"])))
    raise ValueError(jwk["kty"])


def _thumbprint(jwk: dict[str, Any], *members: str) -> str:
    return _encoded(hashlib.sha256(_json({name: jwk[name] for name in members})).digest())


def _json(said: dict[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":"), sort_keys=True).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
