"""The keys that sign access tokens: one file, encrypted with the deployment's passphrase, shared by all gateways.

The first key in it signs. Those behind it signed before: what they signed stays good until it expires, and then they go. Each
is a PEM block (RFC 7468), a former one with the moment of its retirement in the line above.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import transaction

from accounts.actors import SYSTEM
from agents.access import LONGEST_LIFE, SKEW
from agents.keys import Key, from_pem, generate, kid_of, public_jwk, to_pem
from agents.revision import bump_revision
from core.db import db_now
from core.errors import NarrowgateError
from core.files import create_private, write_private
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record

FILE = "tokens.key"
RETIRED = "Retired: "
_BLOCK = re.compile(
    rb"(?:^Retired: (?P<at>\S+)\n)?(?P<pem>-----BEGIN [A-Z ]+-----\n.*?-----END [A-Z ]+-----\n?)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Former:
    """A key that signs no more, since when, and its block in the file."""

    key: Key
    retired_at: datetime
    pem: bytes

    def is_needed(self, now: datetime) -> bool:
        """Whether a token that it signed may not have expired yet."""
        return now < self.retired_at + LONGEST_LIFE + SKEW


@dataclass(frozen=True)
class Ring:
    """The key that signs, its block in the file, and those that did before."""

    current: Key
    pem: bytes
    former: tuple[Former, ...] = ()


def signing_key() -> Key:
    """The private key, made at first use. Raises NarrowgateError."""
    return _ring().current


def verification_keys(now: datetime | None = None) -> dict[str, Key]:
    """The keys that a token of ours may be signed with, by identifier. Raises NarrowgateError."""
    ring, moment = _ring(), now or datetime.now(UTC)
    keys = [ring.current, *(one.key for one in ring.former if one.is_needed(moment))]
    return {kid_of(key): key for key in keys}


def key_set() -> dict[str, list[dict[str, str]]]:
    """Their public halves, as a JWK Set (RFC 7517 section 5)."""
    return {"keys": [public_jwk(key) | {"use": "sig"} for key in verification_keys().values()]}


def rotate() -> Key:
    """Sign with a new key from now on. What the one before signed stays good until it expires. Raises NarrowgateError."""
    with transaction.atomic():
        bump_revision()  # its row keeps a second rotation waiting
        before, now, fresh = _ring(), db_now(), generate("ES256")
        kept = [Former(before.current, now, before.pem), *(one for one in before.former if one.is_needed(now))]
        details = {"kid": kid_of(fresh), "replaces": kid_of(before.current)}
        record(
            Event.TOKEN_KEY_CHANGED, actor=SYSTEM, subject=Subject("token_key", kid_of(fresh), FILE), details=details
        )
        _write(to_pem(fresh, settings.KEY_PASSPHRASE), kept)
    return fresh


def _write(signing: bytes, former: list[Former]) -> None:
    blocks = [signing, *(RETIRED.encode() + one.retired_at.isoformat().encode() + b"\n" + one.pem for one in former)]
    try:
        write_private(_path(), b"".join(blocks))
    except OSError as error:
        raise NarrowgateError(f"The key {_path()} cannot be written: {error.strerror}.") from None


def _path() -> Path:
    return Path(settings.STATE_DIR) / "keys" / FILE


def _ring() -> Ring:
    """The keys in the file as it is now: another process may have put a new one in front."""
    path, passphrase = _path(), settings.KEY_PASSPHRASE
    if not passphrase:
        raise NarrowgateError("The key that signs tokens needs a passphrase.", "Set KEY_PASSPHRASE.")
    try:
        if not path.exists():
            create_private(path, to_pem(generate("ES256"), passphrase))
        state = path.stat()
        return _read(path, passphrase, (state.st_mtime_ns, state.st_ino))
    except OSError as error:
        raise NarrowgateError(f"The key {path} cannot be used: {error.strerror}.") from None
    except (ValueError, TypeError):
        raise NarrowgateError(
            f"The key {path} does not open.", "Its passphrase is another one, or it is damaged."
        ) from None


@lru_cache(maxsize=8)
def _read(path: Path, passphrase: str, _version: tuple[int, int]) -> Ring:
    """Open every key; once for each version of the file. Raises ValueError."""
    blocks = list(_BLOCK.finditer(path.read_bytes()))
    if not blocks:
        raise ValueError("there is no key in it")
    first, *rest = (from_pem(block["pem"], passphrase) for block in blocks)
    former = [
        Former(key, datetime.fromisoformat(block["at"].decode()), block["pem"])
        for key, block in zip(rest, blocks[1:], strict=True)
        if block["at"]
    ]
    return Ring(first, blocks[0]["pem"], tuple(former))
