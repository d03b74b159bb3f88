"""The log as files, in the layout of C2SP tlog-tiles: whoever reads them asks no database.

Everything that a checkpoint needs is written before the checkpoint itself: `checkpoint` never promises what is not there. Files are
written whole, once, and never changed; partial tiles go when the full one is there.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from django.conf import settings

from core.errors import NarrowgateError
from core.files import write_public
from ledger.checkpoint import NoteError, parse_body, split_note
from ledger.models import Entry
from ledger.queries import stored_tree
from ledger.stored import StoredTree
from ledger.tiles import HEIGHT, WIDTH, entry_bundle, join, tile_path, widths

AT_ONCE: Final = 64
"""Full tiles of entries written in one turn: the other destinations wait for no ledger of years."""
ENTRIES: Final = "entries"


def tile_folder() -> Path:
    """Where the files are."""
    return Path(settings.STATE_DIR) / "ledger"


class TileFiles:
    """Writes them; keeps in mind how far it is, and finds it again from the published checkpoint."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._note = ""
        self._published: int | None = None  # the size of the checkpoint that is there
        self._full = 0  # tiles of entries, from the left, that are there

    def catch_up(self, size: int, note: str) -> bool:
        """Write what the checkpoint of `size` needs, then the checkpoint; False if more turns are needed.

        Raises NarrowgateError for a folder that cannot be written to, or holds a larger ledger.
        """
        try:
            published = self._start()
            if published > size:
                raise NarrowgateError(
                    f"The folder {self._folder} holds {published} entries, and the ledger {size}: it was set back."
                )
            if published == size:
                self._put_checkpoint(note)  # it may have been cosigned meanwhile
                return True
            return self._write(published, size, note)
        except OSError as error:
            raise NarrowgateError(f"The folder {self._folder} cannot be written to: {error.strerror}.") from None

    def _start(self) -> int:
        """The size that is published."""
        if self._published is None:
            self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._published = _size_in(self._folder / "checkpoint")
            self._full = self._published >> HEIGHT
        return self._published

    def _write(self, published: int, size: int, note: str) -> bool:
        tree = stored_tree(size)
        goal = size >> HEIGHT
        for number in range(self._full, min(goal, self._full + AT_ONCE)):
            self._put(tree, 0, number, WIDTH)
            self._full = number + 1
        if self._full < goal:
            return False
        for level, width in enumerate(widths(size)):
            if level:
                for number in range(published >> HEIGHT * (level + 1), width >> HEIGHT):
                    self._put(tree, level, number, WIDTH)
            if width % WIDTH:
                self._put(tree, level, width >> HEIGHT, width % WIDTH)
        self._put_checkpoint(note)
        self._published = size
        self._forget_partials(published, size)
        return True

    def _put_checkpoint(self, note: str) -> None:
        if note != self._note:
            write_public(self._folder / "checkpoint", note.encode())
            self._note = note

    def _put(self, tree: StoredTree, level: int, number: int, width: int) -> None:
        """A tile; with one of level 0 the entries that it is over. Raises NarrowgateError where the tables lack some."""
        hashes = tree.tile(level, number)[:width]
        if len(hashes) != width:
            raise NarrowgateError(f"The ledger lacks entries: tile {level}/{number} is incomplete.")
        if level == 0:
            begin = number * WIDTH
            leaves = Entry.objects.filter(index__gte=begin, index__lt=begin + width).order_by("index")
            bundle = entry_bundle([bytes(leaf) for leaf in leaves.values_list("leaf", flat=True)])
            self._file(tile_path(ENTRIES, number, width), bundle)
        self._file(tile_path(level, number, width), join(hashes))

    def _file(self, name: str, content: bytes) -> None:
        path = self._folder / name
        for parent in reversed(path.relative_to(self._folder).parents):
            (self._folder / parent).mkdir(mode=0o755, exist_ok=True)
        write_public(path, content)

    def _forget_partials(self, published: int, size: int) -> None:
        """Remove the partial tiles whose full ones are there now."""
        for level in range(len(widths(published))):
            for number in range(published >> HEIGHT * (level + 1), size >> HEIGHT * (level + 1)):
                for kind in (level, ENTRIES) if level == 0 else (level,):
                    partials = self._folder / f"{tile_path(kind, number)}.p"
                    shutil.rmtree(partials, ignore_errors=True)


def _size_in(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        return parse_body(split_note(path.read_text(encoding="utf-8"))[0]).size
    except (NoteError, UnicodeDecodeError):
        raise NarrowgateError(f"The file {path} is no checkpoint.", "Remove its folder: it is written anew.") from None
