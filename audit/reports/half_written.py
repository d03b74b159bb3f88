"""A file of entries that is being written: how far it is on disk, so that whoever takes up the making of the dead goes on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from core.files import write_private

ENDING = ".at"


@dataclass(frozen=True)
class HalfWritten:
    """So many bytes are written for good, up to the entry `after`; `state` is what its taker has to know. Nothing yet: `state` is None."""

    size: int = 0
    after: int = -1
    state: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, part: Path) -> HalfWritten:
        """How far the file is; nothing where that is not known."""
        try:
            found = cls(**json.loads(_beside(part).read_bytes()))
            return found if part.stat().st_size >= found.size else cls()
        except (OSError, ValueError, TypeError):
            return cls()

    def keep(self, part: Path, file: IO[bytes]) -> None:
        """Note it, once the bytes are on disk."""
        file.flush()
        os.fsync(file.fileno())
        said = {"size": self.size, "after": self.after, "state": self.state}
        write_private(_beside(part), json.dumps(said).encode())


def forget(part: Path) -> None:
    """It is whole, or not wanted: what was noted goes."""
    _beside(part).unlink(missing_ok=True)


def _beside(part: Path) -> Path:
    return part.with_name(part.name + ENDING)
