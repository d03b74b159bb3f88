"""Checkpoints into a folder: another machine's, or one that a backup takes along."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from core.files import write_public
from ledger.checkpoint import NoteError, parse_body, split_note
from ledger.publishing.destinations import DeliveryError, Parcel, Receipt


class Folder:
    """A file for each checkpoint, by its size, and `checkpoint`, the newest. What is there is never written over."""

    every = timedelta(seconds=10)
    asks_proof = False
    name = "folder"

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, parcel: Parcel) -> Receipt:
        """Write it. Raises DeliveryError, also when the folder holds what this ledger does not continue."""
        newest, own = self._path / "checkpoint", self._path / f"{parcel.size:020}.txt"
        try:
            if (held := _size_of(newest)) > parcel.size:
                raise DeliveryError(
                    f"It holds a checkpoint of {held} entries, and the ledger has fewer: it was set back."
                )
            if not own.exists():
                write_public(own, parcel.cosigned.encode())
            write_public(newest, parcel.cosigned.encode())
        except OSError as error:
            raise DeliveryError(f"It cannot be written to: {error.strerror}.") from None
        return Receipt()


def _size_of(path: Path) -> int:
    """The size of the checkpoint in a file; 0 without one."""
    if not path.exists():
        return 0
    try:
        return parse_body(split_note(path.read_text(encoding="utf-8"))[0]).size
    except (NoteError, UnicodeDecodeError):
        raise DeliveryError("It holds a file `checkpoint` that is none.") from None
