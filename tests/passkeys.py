"""An authenticator in software: it keeps a key, says what WebAuthn has it say, and signs."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor

from accounts.models import User
from accounts.passkeys import origin, relying_party
from ledger.verify_passkeys import to_url


@dataclass
class SoftPasskey:
    """One passkey; `flags` are those of its user's presence (1) and verification (4)."""

    flags: int = 5
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def public_key(self) -> bytes:
        point = self.key.public_key().public_numbers()
        return bytes(
            cbor.encode({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
        )

    def enrol(self, user: User, name: str = "Key ring") -> Authenticator:
        """Add it to an account, as allauth's page does."""
        data = self._data(0x45) + bytes(16) + len(self.id).to_bytes(2, "big") + self.id + self.public_key
        attestation = to_url(cbor.encode({"fmt": "none", "authData": data, "attStmt": {}}))
        client = to_url(json.dumps({"type": "webauthn.create", "challenge": "", "origin": origin()}).encode())
        response = {"clientDataJSON": client, "attestationObject": attestation}
        credential = {"id": to_url(self.id), "rawId": to_url(self.id), "response": response, "type": "public-key"}
        added = Authenticator.objects.create(
            user=user, type=Authenticator.Type.WEBAUTHN, data={"name": name, "credential": credential}
        )
        authenticator_added.send(Authenticator, user=user, authenticator=added, request=None)
        return added

    def answer(self, asked: dict[str, Any], **changed: Any) -> str:
        """What the page sends back for `asked`; `changed` is what its client says otherwise."""
        says = {"type": "webauthn.get", "challenge": asked["challenge"], "origin": origin(), "crossOrigin": False}
        client = json.dumps({**says, **changed}).encode()
        data = self._data(self.flags)
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        parts = {"clientDataJSON": client, "authenticatorData": data, "signature": signature}
        return json.dumps({"id": to_url(self.id), **{name: to_url(part) for name, part in parts.items()}})

    def _data(self, flags: int) -> bytes:
        return sha256(relying_party().encode()).digest() + bytes([flags]) + bytes(4)
