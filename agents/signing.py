"""The key that signs access tokens: one file, encrypted with the deployment's passphrase, shared by all gateways."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from agents.keys import Key, from_pem, generate, kid_of, to_pem
from core.errors import NarrowgateError
from core.files import create_private

FILE = "tokens.key"


def signing_key() -> Key:
    """The private key, made at first use. Raises NarrowgateError."""
    return _load(settings.STATE_DIR / "keys" / FILE, settings.KEY_PASSPHRASE)


def verification_keys() -> dict[str, Key]:
    """The keys that a token of ours may be signed with, by identifier."""
    key = signing_key()
    return {kid_of(key): key}


@lru_cache(maxsize=8)
def _load(path: Path, passphrase: str) -> Key:
    if not passphrase:
        raise NarrowgateError("The key that signs tokens needs a passphrase.", "Set KEY_PASSPHRASE.")
    try:
        if not path.exists():
            create_private(path, to_pem(generate("ES256"), passphrase))
        return from_pem(path.read_bytes(), passphrase)
    except OSError as error:
        raise NarrowgateError(f"The key {path} cannot be used: {error.strerror}.") from None
    except (ValueError, TypeError):
        raise NarrowgateError(
            f"The key {path} does not open.", "Its passphrase is another one, or it is damaged."
        ) from None
