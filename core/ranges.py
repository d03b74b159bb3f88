"""Which part of a file a request asks for: the one range of RFC 9110 section 14 that downloads are resumed with. Pure."""

from __future__ import annotations

import re

_ONE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class Unsatisfiable(ValueError):
    """The range begins where the file has ended."""


def asked(header: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one behind the last; None for all of it, which is also what several ranges or a malformed one get.

    Raises Unsatisfiable.
    """
    found = _ONE.fullmatch(header.strip())
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:  # the last so many
        begin, end = max(0, size - int(last)), size
    else:
        begin, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < begin:
            return None
    if begin >= end:
        raise Unsatisfiable
    return begin, end
