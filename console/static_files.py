"""Static files gathered once for each state of their sources, so that a later start does not pay for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from core.files import write_public

STAMP = ".gathered-from"


def gather() -> None:
    """Run collectstatic when a source has changed since the last time."""
    root = Path(settings.STATIC_ROOT)
    wanted = _sources()
    stamp = root / STAMP
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    root.mkdir(parents=True, exist_ok=True)
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    write_public(stamp, wanted.encode())


def _sources() -> str:
    """What the sources are, told by name, size and time."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
