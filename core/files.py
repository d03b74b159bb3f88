"""Files written whole or not at all, with the mode they are to have from their first byte."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Write `content` for the owner alone (0600), over what was there."""
    _put(_fresh(path, content, 0o600), path)


def write_public(path: Path, content: bytes) -> None:
    """Write `content` for everybody to read (0644), over what was there."""
    _put(_fresh(path, content, 0o644), path)


def create_private(path: Path, content: bytes) -> None:
    """Write `content` for the owner alone unless the file is there: of two processes at once, one wins."""
    fresh = _fresh(path, content, 0o600)
    with contextlib.suppress(FileExistsError):
        os.link(fresh, path)
    fresh.unlink()


def _put(fresh: Path, path: Path) -> None:
    """Give the file its name, and see that the folder has it after a loss of power."""
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _fresh(path: Path, content: bytes, mode: int) -> Path:
    """A file beside `path` that is safely on disk; its folder is made, for the owner alone, where missing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
