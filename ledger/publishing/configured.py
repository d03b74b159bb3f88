"""Where this deployment's checkpoints go, by its settings: each destination has a switch of its own."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from core.errors import Invalid
from ledger.publishing.destinations import Destination
from ledger.publishing.folder import Folder
from ledger.publishing.store import Store
from ledger.publishing.witnesses import WitnessDoor
from ledger.quorum import SETTING, Quorum, read_policy

LARGEST_POLICY = 1 << 20  # bytes


def quorum() -> Quorum:
    """The policy of witnesses; without one nothing is ever final. Raises Invalid."""
    if not settings.LEDGER_WITNESSES:
        return Quorum()
    path = Path(settings.LEDGER_WITNESSES)
    try:
        with path.open("rb") as file:
            return read_policy(file.read(LARGEST_POLICY).decode("utf-8", "surrogateescape"))
    except OSError as error:
        raise Invalid(SETTING, f"The file of witnesses {path} cannot be read: {error.strerror}.") from None


def destinations() -> list[Destination]:
    """All of them. Raises Invalid for a setting that cannot be used."""
    found: list[Destination] = [WitnessDoor(known) for known in quorum().witnesses.values() if known.url]
    if settings.LEDGER_FOLDER:
        found.append(Folder(Path(settings.LEDGER_FOLDER)))
    if settings.LEDGER_STORE:
        found.append(Store.parse(settings.LEDGER_STORE, settings.LEDGER_STORE_ENDPOINT, settings.LEDGER_STORE_DAYS))
    if settings.LEDGER_TSA:
        from ledger.publishing.stamps import StampDoor, read_roots  # loaded only where there is an authority

        if not settings.LEDGER_TSA_ROOTS:
            raise Invalid("LEDGER_TSA_ROOTS", "A time-stamp authority needs the certificates that it is checked by.")
        found.append(StampDoor(settings.LEDGER_TSA, read_roots(Path(settings.LEDGER_TSA_ROOTS))))
    return found
