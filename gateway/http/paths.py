"""Pure. Where a request goes: one reading of its path and query, so that no other reader can understand another one.

What two servers are known to read differently (dots, double slashes, encoded slashes, semicolons, overlong UTF-8) is refused, not mended. What goes
up is written anew from what was understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from agents.openapi import Operation
from gateway.refusal import Refusal

LONGEST_PATH: Final = 4_096
LONGEST_QUERY: Final = 8_192
MOST_FIELDS: Final = 200
_PLAIN: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})*\Z")
"""RFC 3986's pchar, but for the semicolon, which some servers read as the end of a name."""
_QUERY: Final = re.compile(r"(?:[A-Za-z0-9._~!$'()*+,=:@/?\[\]|-]|[&]|%[0-9A-Fa-f]{2})*\Z")
_SAFE: Final = "-._~!$&'()*+,=:@"
_NEVER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f/\\;%?#\u2028\u2029]")
_BRACES: Final = re.compile(r"\{([^}]*)\}")


def segments(raw: str) -> tuple[str, ...]:
    """The decoded parts of a path that begins with a slash. Raises Refusal for what could be read in two ways."""
    if len(raw) > LONGEST_PATH or not raw.startswith("/"):
        raise _denied("It is too long, or does not begin with a slash.")
    parts = raw[1:].split("/")
    if any(not part for part in parts[:-1]):
        raise _denied("It has two slashes one after the other.")
    return tuple(_segment(part) for part in parts)


def _segment(part: str) -> str:
    if not _PLAIN.match(part):
        raise _denied("It holds a character that has to be encoded, or a broken escape.")
    try:
        text = unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise _denied("An escape in it is no UTF-8.") from None
    if _NEVER.search(text):
        raise _denied("An escape in it hides a slash, a semicolon, a percent sign or a control character.")
    if text in {".", ".."} or text.endswith((".", " ")) or text.startswith(" "):
        raise _denied("A part of it is dots, or ends with a dot or a blank.")
    return text


def fields(raw: str) -> tuple[tuple[str, str], ...]:
    """The decoded names and values of a query. Raises Refusal."""
    if len(raw) > LONGEST_QUERY or not _QUERY.match(raw):
        raise _denied("The query is too long, or holds a character that has to be encoded.")
    try:
        found = parse_qsl(
            raw, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict", strict_parsing=bool(raw)
        )
    except ValueError:
        raise _denied("The query cannot be read.") from None
    if any("\x00" in name or "\x00" in value for name, value in found):
        raise _denied("The query holds a NUL.")
    return tuple(found)


def target(base: str, parts: Iterable[str], query: Iterable[tuple[str, str]]) -> str:
    """The path and query that go up, written anew."""
    path = "/".join(quote(part, safe=_SAFE) for part in parts)
    asked = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    return f"{base.rstrip('/')}/{path}" + (f"?{asked}" if asked else "")


@dataclass(frozen=True)
class Found:
    """An operation, and the parameters in the path."""

    operation: Operation
    parameters: Mapping[str, str]


class Routes:
    """The operations of one API."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        # A path without parameters is meant before one with (OpenAPI, "Path Templating Matching").
        self._plain: dict[tuple[str, str], Operation] = {}
        self._templates: dict[tuple[str, int], list[tuple[Operation, list[str], re.Pattern[str]]]] = {}
        for one in sorted(operations, key=lambda one: len(_BRACES.findall(one.path))):
            names = _BRACES.findall(one.path)
            if names:
                where = one.method, one.path.count("/")
                self._templates.setdefault(where, []).append((one, names, _compiled(one.path)))
            else:
                self._plain.setdefault((one.method, one.path), one)

    def find(self, method: str, parts: tuple[str, ...]) -> Found:
        """The operation that a request is. Raises Refusal for one that is not listed."""
        path = "/" + "/".join(parts)  # no part holds a slash
        plain = self._plain.get((method, path))
        if plain is not None:
            return Found(plain, {})
        for operation, names, pattern in self._templates.get((method, len(parts)), ()):
            match = pattern.fullmatch(path)
            if match:
                return Found(operation, dict(zip(names, match.groups(), strict=True)))
        raise Refusal(
            f"The API's description lists no {method} at this path.",
            code="unlisted_operation",
            remedy="Whoever answers for the resource can list it.",
        )


def _compiled(template: str) -> re.Pattern[str]:
    """A parameter is anything but a slash, and never nothing."""
    pieces = _BRACES.split(template)
    return re.compile("".join("([^/]+)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces)))


def _denied(why: str) -> Refusal:
    return Refusal(f"The path could be read in two ways. {why}", code="path_denied", remedy="Write it plainly.")
