"""A folder of Cedar files as one text, with the way back from a line of the text to its file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import NarrowgateError

ENDING = "*.cedar"


@dataclass(frozen=True)
class Bundle:
    """The files' text, and the line (from 1) that each begins on."""

    text: str
    files: tuple[Path, ...]
    begins: tuple[int, ...]

    def place(self, line: int) -> str:
        """`line` of the text as `file:line`."""
        number = max(0, bisect_right(self.begins, line) - 1)
        return f"{self.files[number]}:{line - self.begins[number] + 1}"


def gather(paths: Iterable[Path]) -> Bundle:
    """The files, and those of the folders, in the order given and by name inside a folder. Raises NarrowgateError."""
    files = tuple(file for path in paths for file in _files(path))
    if not files:
        raise NarrowgateError("There is no policy file.", f"Name files, or a folder with {ENDING} in it.")
    texts = [_read(file) for file in files]
    return Bundle("".join(texts), files, _begins(texts))


def _files(path: Path) -> Sequence[Path]:
    return sorted(path.glob(ENDING)) if path.is_dir() else [path]


def _read(path: Path) -> str:
    """The file's text, ending with its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise NarrowgateError(f"The file {path} cannot be read.") from None
    return text if text.endswith("\n") else f"{text}\n"


def _begins(texts: Sequence[str]) -> tuple[int, ...]:
    begins, line = [], 1
    for text in texts:
        begins.append(line)
        line += text.count("\n")
    return tuple(begins)
