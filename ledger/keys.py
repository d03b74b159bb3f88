"""Which key signs the log, by the settings; and how another one takes over while the log goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction

from core.errors import NarrowgateError
from ledger import handover, queries
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.handover import Handover
from ledger.models import Entry
from ledger.signer import FileSigner, Signer
from ledger.write import record

SYSTEM: Final = Actor(kind="system", id="narrowgate", name="Narrowgate")
PATIENCE: Final = 30.0
"""Seconds that the sequencer gets to put the change into the log."""


def key_file() -> Path:
    """Where the key is, when it is in a file."""
    return Path(settings.STATE_DIR) / "keys" / "ledger.key"


def signer() -> Signer:
    """The signer of this deployment. Raises NarrowgateError when its key cannot be used."""
    return signer_at(settings.LEDGER_KEY)


def signer_at(place: str) -> Signer:
    """The signer of the key in an HSM, by its PKCS#11 URI, or in the state folder if `place` is empty; made where there is
    none. Raises NarrowgateError.
    """
    if not place:
        return signer_in(key_file())
    from ledger.hsm import HsmSigner  # its library is loaded only where there is an HSM

    return HsmSigner.load_or_create(place, settings.LEDGER_KEY_PIN, origin())


def signer_in(path: Path) -> Signer:
    """The signer whose key is in a file, made where there is none. Raises NarrowgateError."""
    return FileSigner.load_or_create(path, settings.KEY_PASSPHRASE, name=origin())


def origin() -> str:
    """The log's name."""
    return f"{settings.TRUST_DOMAIN}/ledger"


def change(old: Signer, new: Signer) -> None:
    """Record that the log goes on under the key of `new`, and wait until the log says so; once, however often it is called.

    Raises NarrowgateError when no sequencer puts it into the log in time.
    """
    if is_handed_to(new):
        return
    note = Handover(old.key, new.key).note(old.sign, new.sign)
    with transaction.atomic():
        subject = Subject("ledger", old.key.key_id.hex(), old.key.name)
        says = {"note": note, "key": new.key.key_id.hex()}
        uid = record(Event.LEDGER_KEY_CHANGED, actor=SYSTEM, subject=subject, details=says)
    deadline = time.monotonic() + PATIENCE
    while queries.entry(uid) is None:
        if time.monotonic() > deadline:
            raise NarrowgateError("No sequencer has put the change into the log yet.", "Start one, and run this again.")
        time.sleep(0.05)


def is_handed_to(new: Signer) -> bool:
    """Whether an entry of the log hands it over to the key of `new`."""
    found = Entry.objects.filter(event=Event.LEDGER_KEY_CHANGED).order_by("-index").values_list("leaf", flat=True)
    read = (handover.read_leaf(bytes(leaf)) for leaf in found[:100])
    return any(one is not None and one.new == new.key for one in read)
