"""Signatures of webhooks as the Standard Webhooks specification 1.0.0 has them (symmetric, `v1`). Pure: no Django, no I/O."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

PREFIX: Final = "whsec_"
SECRET_SIZE: Final = 32
"""Bytes of a secret; the specification allows 24 to 64."""


def written(secret: bytes) -> str:
    """A secret as people paste it."""
    return PREFIX + b64encode(secret).decode()


def headers(message: str, at: datetime, body: bytes, secrets: Sequence[bytes]) -> Mapping[str, str]:
    """What goes with `body`: the message's identifier, the moment of this try, and a signature by each of `secrets`."""
    stamp = str(int(at.timestamp()))
    signed = b".".join((message.encode(), stamp.encode(), body))
    signatures = " ".join(f"v1,{_by(secret, signed)}" for secret in secrets)
    return {"webhook-id": message, "webhook-timestamp": stamp, "webhook-signature": signatures}


def verifies(sent: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether `secret` signed what came with these headers: what a receiver does, but for looking at the time."""
    signed = b".".join((sent["webhook-id"].encode(), sent["webhook-timestamp"].encode(), body))
    expected = f"v1,{_by(b64decode(secret.removeprefix(PREFIX)), signed)}"
    return any(hmac.compare_digest(expected, one) for one in sent["webhook-signature"].split(" "))


def _by(secret: bytes, signed: bytes) -> str:
    return b64encode(hmac.digest(secret, signed, sha256)).decode()
