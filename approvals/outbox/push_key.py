"""The key that says to push services who pushes (VAPID, RFC 8292): one file, under the deployment's passphrase, made at first use.

Browsers bind their subscriptions to it: with another key, each has to subscribe anew.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from agents.keys import Key, from_pem, generate, to_pem, using
from core.errors import NarrowgateError
from core.files import create_private

FILE: Final = "push.key"


def signing_key() -> Key:
    """The private key. Raises NarrowgateError."""
    path, passphrase = Path(settings.STATE_DIR) / "keys" / FILE, str(settings.KEY_PASSPHRASE)
    if not passphrase:
        raise NarrowgateError("The key that signs pushes needs a passphrase.", "Set KEY_PASSPHRASE.")
    with using(path):
        if not path.exists():
            create_private(path, to_pem(generate("ES256"), passphrase))
        return _read(path, passphrase)


def public_key() -> str:
    """Its public half as browsers take it: the uncompressed point, in base64url. Raises NarrowgateError."""
    point = signing_key().public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return urlsafe_b64encode(point).rstrip(b"=").decode()


@lru_cache(maxsize=4)
def _read(path: Path, passphrase: str) -> Key:
    return from_pem(path.read_bytes(), passphrase)
