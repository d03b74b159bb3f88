"""What a command wrote, for reading: its recorded lines, and a terminal's without what moves the cursor. Pure.

ECMA-48, 5.4 (control sequences) and 8.3.89 (operating system commands). What a terminal drew over is left out: what counts is in the recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

_LINES: Final = ["stream", "text"]
_MOMENTS: Final = ["at", "stream", "data"]
_CONTROLS: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]|[\x00\x07\x0e\x0f]"
)
_ERASED: Final = re.compile(r"[^\x08\n]\x08(?: \x08)?")
MOST_LINES: Final = 2_000


class Line(NamedTuple):
    """One line, and where it was written: out, error or in."""

    stream: str
    text: str


def lines(columns: Sequence[dict[str, Any]], rows: Sequence[Sequence[str | None]]) -> list[Line]:
    """The lines of a command's recording; none for a recording of anything else."""
    names = [column.get("name") for column in columns]
    if names == _LINES:
        return [Line(str(stream), str(text)) for stream, text in rows]
    return list(_of_terminal(rows)) if names == _MOMENTS else []


def _of_terminal(rows: Sequence[Sequence[str | None]]) -> Iterator[Line]:
    written = "".join(str(data) for _, stream, data in rows if stream == "out")
    plain = _CONTROLS.sub("", written).replace("\r\n", "\n")
    while _ERASED.search(plain):
        plain = _ERASED.sub("", plain)
    for line in plain.split("\n")[:MOST_LINES]:
        yield Line("out", line.rstrip("\r").rpartition("\r")[2])
