"""The vault's keys: the one that seals data keys now, and the one before it, which opens what a reader may still have in hand.

They are named in one file, shared by all processes. A key is in that file, under the deployment's passphrase, or in an HSM by its
label (`VAULT_KEY`). A rotation seals every data key anew; no secret is touched.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import connection, transaction
from django.dispatch import Signal

from accounts.actors import SYSTEM
from agents.hsm_wrapping import SETTING, HsmWrapping
from agents.models import ResourceSecret
from agents.sealing import VERSION, InMemory, Wrapping, lock_key, rewrap, unlock_key
from core.errors import NarrowgateError
from core.files import create_private, write_private
from ledger.entries import Subject
from ledger.events import Event
from ledger.hsm import Place
from ledger.write import record

FILE: Final = "vault.key"
LOCK: Final = 0x7661756C74
"""The advisory lock that whoever seals shares, and a rotation has alone."""

rewrapping = Signal()
"""In a rotation's transaction, with `under` (the keys that opened) and `to` (the one that seals from now on): apps that this one does
not know seal the data keys that they keep anew, and answer how many those were.
"""


@dataclass(frozen=True)
class Kept:
    """A key of the file: `locked` under the passphrase, or in an HSM under `label`."""

    id: str
    locked: bytes = b""
    label: str = ""

    def written(self) -> dict[str, str]:
        """As the file has it."""
        where = {"hsm": self.label} if self.label else {"locked": b64encode(self.locked).decode()}
        return {"id": self.id, **where}

    @property
    def kept_in(self) -> str:
        """`hsm` or `file`."""
        return "hsm" if self.label else "file"


def ring() -> tuple[Wrapping, ...]:
    """The keys, the one that seals first; made at first use. Raises NarrowgateError."""
    return tuple(_opened(one) for one in _kept())


def kept_in() -> str:
    """Where the key that seals is: `hsm` or `file`. Raises NarrowgateError."""
    return _kept()[0].kept_in


def about_to_seal() -> None:
    """Wait for a rotation, and let none begin before the caller's transaction ends. Before any row of the vault is locked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])


def rotate(*, to_file: bool = False) -> int:
    """Seal every data key with a new key, which seals from now on; gives how many logins that were. It is made where `VAULT_KEY` says, or in the
    file, to take the vault out of an HSM that still opens it. Raises NarrowgateError.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        before, fresh = _kept(), _made_in_file() if to_file or not settings.VAULT_KEY else _made_in_hsm(again=True)
        number = _rewrap([_opened(one) for one in before], _opened(fresh))
        _write([fresh, *before])  # what crashes from here on leaves keys that open both
        subject = Subject("vault_key", fresh.id, FILE)
        details = {"replaces": before[0].id, "kept_in": fresh.kept_in, "secrets": number}
        record(Event.VAULT_KEY_CHANGED, actor=SYSTEM, subject=subject, details=details)
    _write([fresh, before[0]])
    return number


def _rewrap(under: Sequence[Wrapping], to: Wrapping) -> int:
    rows = ResourceSecret.objects.select_for_update().order_by("id")
    number = 0
    for secret in rows.iterator(chunk_size=500):
        at = place(secret.resource_id, secret.use)
        secret.sealed = rewrap(bytes(secret.sealed), under=under, to=to, belongs_to=at)
        if secret.pending is not None:
            secret.pending = rewrap(bytes(secret.pending), under=under, to=to, belongs_to=at)
        secret.save(update_fields=["sealed", "pending"])
        number += 1
    return number + sum(int(others or 0) for _, others in rewrapping.send(None, under=under, to=to))


def place(resource_id: UUID, use: str) -> bytes:
    """What a sealed login is bound to."""
    return f"{resource_id}/{use}".encode()


def _made_in_file() -> Kept:
    return Kept(secrets.token_hex(8), locked=lock_key(AESGCM.generate_key(bit_length=256), _passphrase()))


def _made_in_hsm(*, again: bool = False) -> Kept:
    """A new key in the HSM; `again` gives it a label of its own."""
    where = Place.parse(settings.VAULT_KEY, SETTING)
    where = replace(where, label=f"{where.label}-{secrets.token_hex(4)}") if again else where
    HsmWrapping.create(where, settings.VAULT_KEY_PIN)
    return Kept(where.label, label=where.label)


def _opened(kept: Kept) -> Wrapping:
    if not kept.label:
        return InMemory(_unlocked(kept.locked, _passphrase()))
    if not settings.VAULT_KEY:
        raise NarrowgateError("The vault's key is in an HSM.", f"Set {SETTING} to where, and {SETTING}_PIN.")
    return _in_hsm(replace(Place.parse(settings.VAULT_KEY, SETTING), label=kept.label), settings.VAULT_KEY_PIN)


@lru_cache(maxsize=8)
def _unlocked(locked: bytes, passphrase: str) -> bytes:
    return unlock_key(locked, passphrase)


@lru_cache(maxsize=8)
def _in_hsm(where: Place, pin: str) -> HsmWrapping:
    return HsmWrapping.load(where, pin)


def _passphrase() -> str:
    if not settings.KEY_PASSPHRASE:
        raise NarrowgateError("The vault's key needs a passphrase.", "Set KEY_PASSPHRASE.")
    return str(settings.KEY_PASSPHRASE)


def _path() -> Path:
    return Path(settings.STATE_DIR) / "keys" / FILE


def _kept() -> tuple[Kept, ...]:
    """The keys that the file names as it is now: another process may have put a new one in front."""
    path = _path()
    try:
        if not path.exists():
            create_private(path, _text([_made_in_hsm() if settings.VAULT_KEY else _made_in_file()]))
        state = path.stat()
        return _read(path, (state.st_mtime_ns, state.st_ino))
    except OSError as error:
        raise NarrowgateError(f"The vault's key {path} cannot be used: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise NarrowgateError(f"The file {path} of the vault's keys is damaged.", "Restore it.") from None


@lru_cache(maxsize=8)
def _read(path: Path, _version: tuple[int, int]) -> tuple[Kept, ...]:
    """What the file names; once for each version of it. Raises ValueError, KeyError and TypeError for what is none."""
    data = path.read_bytes()
    if data[:1] == VERSION:
        return (Kept("first", locked=data),)  # a file from before keys could change
    found = tuple(
        Kept(one["id"], b64decode(one.get("locked", ""), validate=True), one.get("hsm", ""))
        for one in json.loads(data)["keys"]
    )
    if not found:
        raise ValueError("there is no key in it")
    return found


def _text(kept: Sequence[Kept]) -> bytes:
    return json.dumps({"keys": [one.written() for one in kept]}, indent=1).encode() + b"\n"


def _write(kept: Sequence[Kept]) -> None:
    try:
        write_private(_path(), _text(kept))
    except OSError as error:
        raise NarrowgateError(f"The vault's key {_path()} cannot be written: {error.strerror}.") from None
