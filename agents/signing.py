"""The keys that sign access tokens: one file, shared by all gateways.

The first key in it signs: it is there under the deployment's passphrase, or it is in an HSM (`TOKEN_KEY`), and its public half and its
label are there. Those behind it signed before, and are there by their public halves: what they signed stays good until it expires, and
then they go. Each is a PEM block (RFC 7468), with the moment of its retirement and its label in the lines above.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import transaction

from accounts.actors import SYSTEM
from agents.access import LONGEST_LIFE, SKEW
from agents.hsm_key import HsmKey
from agents.keys import (
    Key,
    from_pem,
    generate,
    kid_of,
    public_half,
    public_jwk,
    public_pem,
    signing_with,
    to_pem,
    using,
)
from agents.revision import bump_revision
from core.db import db_now
from core.errors import NarrowgateError
from core.files import create_private, write_private
from ledger.entries import Subject
from ledger.events import Event
from ledger.hsm import Place
from ledger.write import record

FILE = "tokens.key"
RETIRED = "Retired: "
IN_HSM = "In an HSM: "
SETTING = "TOKEN_KEY"
_BLOCK = re.compile(
    rb"(?:^Retired: (?P<at>\S+)\n)?(?:^In an HSM: (?P<label>[^\n]+)\n)?(?P<pem>-----BEGIN [A-Z ]+-----\n.*?-----END [A-Z ]+-----\n?)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Former:
    """The public half of a key that signs no more, and since when."""

    key: Key
    retired_at: datetime

    def is_needed(self, now: datetime) -> bool:
        """Whether a token that it signed may not have expired yet."""
        return now < self.retired_at + LONGEST_LIFE + SKEW


@dataclass(frozen=True)
class Ring:
    """The key that signs, by its public half where an HSM keeps it under `label`, and those that did before."""

    current: Key
    label: str
    former: tuple[Former, ...] = ()


def signing_key() -> Key:
    """The private key, made at first use. Raises NarrowgateError."""
    found = _ring()
    return _from_hsm(found) if found.label else found.current


def verification_keys(now: datetime | None = None) -> dict[str, Key]:
    """The keys that a token of ours may be signed with, by identifier. Raises NarrowgateError."""
    ring, moment = _ring(), now or datetime.now(UTC)
    keys = [ring.current, *(one.key for one in ring.former if one.is_needed(moment))]
    return {kid_of(key): key for key in keys}


def key_set() -> dict[str, list[dict[str, str]]]:
    """Their public halves, as a JWK Set (RFC 7517 section 5)."""
    return {"keys": [public_jwk(key) | {"use": "sig"} for key in verification_keys().values()]}


def kept_in() -> str:
    """Where the key that signs is: `hsm` or `file`. Raises NarrowgateError."""
    return "hsm" if _ring().label else "file"


def rotate() -> Key:
    """Sign with a new key from now on, made where `TOKEN_KEY` says; gives its public half. What the one before signed stays good until it
    expires. Raises NarrowgateError.
    """
    with transaction.atomic():
        bump_revision()  # its row keeps a second rotation waiting
        before, now = _ring(), db_now()
        fresh, block = _made(again=True)
        kept = [Former(before.current, now), *(one for one in before.former if one.is_needed(now))]
        details = {"kid": kid_of(fresh), "replaces": kid_of(before.current)}
        record(
            Event.TOKEN_KEY_CHANGED, actor=SYSTEM, subject=Subject("token_key", kid_of(fresh), FILE), details=details
        )
        _write(block, kept)
    return fresh


def _made(*, again: bool = False) -> tuple[Key, bytes]:
    """A new key and its block in the file; `again` gives one in an HSM a label of its own."""
    if not settings.TOKEN_KEY:
        key = generate("ES256")
        return key, to_pem(key, _passphrase())
    place = Place.parse(settings.TOKEN_KEY, SETTING)
    place = replace(place, label=f"{place.label}-{secrets.token_hex(4)}") if again else place
    public = public_half(HsmKey.load_or_create(str(place), settings.TOKEN_KEY_PIN, SETTING).public_key())
    return public, f"{IN_HSM}{place.label}\n".encode() + public_pem(public)


def _from_hsm(ring: Ring) -> Key:
    """The key that signs, in the HSM. Raises NarrowgateError where that is not the one whose public half the file has."""
    if not settings.TOKEN_KEY:
        raise NarrowgateError("The key that signs tokens is in an HSM.", f"Set {SETTING} to where, and {SETTING}_PIN.")
    place = replace(Place.parse(settings.TOKEN_KEY, SETTING), label=ring.label)
    key = _opened(place, settings.TOKEN_KEY_PIN)
    if kid_of(key) != kid_of(ring.current):
        raise NarrowgateError(
            f"The HSM's key {ring.label} is not the one that signs tokens.", "Restore the HSM's keys."
        )
    return key


@lru_cache(maxsize=8)
def _opened(place: Place, pin: str) -> Key:
    return signing_with(HsmKey.load(str(place), pin, SETTING))


def _write(signing: bytes, former: list[Former]) -> None:
    blocks = [signing]
    blocks += [RETIRED.encode() + one.retired_at.isoformat().encode() + b"\n" + public_pem(one.key) for one in former]
    try:
        write_private(_path(), b"".join(blocks))
    except OSError as error:
        raise NarrowgateError(f"The key {_path()} cannot be written: {error.strerror}.") from None


def _passphrase() -> str:
    if not settings.KEY_PASSPHRASE:
        raise NarrowgateError("The key that signs tokens needs a passphrase.", "Set KEY_PASSPHRASE.")
    return str(settings.KEY_PASSPHRASE)


def _path() -> Path:
    return Path(settings.STATE_DIR) / "keys" / FILE


def _ring() -> Ring:
    """The keys in the file as it is now: another process may have put a new one in front."""
    path, passphrase = _path(), _passphrase()
    with using(path):
        if not path.exists():
            create_private(path, _made()[1])
        state = path.stat()
        return _read(path, passphrase, (state.st_mtime_ns, state.st_ino))


@lru_cache(maxsize=8)
def _read(path: Path, passphrase: str, _version: tuple[int, int]) -> Ring:
    """Open every key; once for each version of the file. Raises ValueError."""
    blocks = list(_BLOCK.finditer(path.read_bytes()))
    if not blocks:
        raise ValueError("there is no key in it")
    first, *rest = (from_pem(block["pem"], passphrase) for block in blocks)
    former = [
        Former(key, datetime.fromisoformat(block["at"].decode()))
        for key, block in zip(rest, blocks[1:], strict=True)
        if block["at"]
    ]
    return Ring(first, (blocks[0]["label"] or b"").decode(), tuple(former))
