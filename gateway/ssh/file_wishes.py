"""Pure. What a request of SFTP asks for: which paths it names, whether it follows a link at their end, and the action that it is."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.ssh.parts import Part
from gateway.ssh.reading import Wish
from gateway.ssh.sftp_wire import (
    APPEND,
    CREAT,
    READ,
    TRUNC,
    WRITE,
    Kind,
    Malformed,
    Packet,
    number_at,
    paths_of,
    string,
    strings,
)
from policies.verbs import SSH_READ, SSH_WRITE

LONGEST_PATH: Final = 4_096
_WRITES: Final = WRITE | APPEND | CREAT | TRUNC
_SHOWN: Final[Mapping[int, str]] = {
    Kind.OPENDIR: "list",
    Kind.LSTAT: "look at",
    Kind.STAT: "look at",
    Kind.READLINK: "look at",
    Kind.SETSTAT: "change attributes of",
    Kind.REMOVE: "remove",
    Kind.MKDIR: "make directory",
    Kind.RMDIR: "remove directory",
    Kind.RENAME: "rename",
    Kind.SYMLINK: "make link",
    Kind.EXTENDED: "rename",
}
_READS: Final = frozenset({Kind.OPENDIR, Kind.LSTAT, Kind.STAT, Kind.READLINK})
_FOLLOWS: Final = frozenset({Kind.OPEN, Kind.OPENDIR, Kind.STAT, Kind.SETSTAT})
"""Those that act on what a link at the path's end leads to."""
OF_PATHS: Final = frozenset({Kind.OPEN, *_SHOWN})
OF_HANDLES: Final = frozenset({Kind.CLOSE, Kind.READ, Kind.WRITE, Kind.FSTAT, Kind.FSETSTAT, Kind.READDIR})


@dataclass(frozen=True)
class Named:
    """A path in a request. `follows`: a link at its end is followed."""

    path: str
    follows: bool


def named_in(packet: Packet) -> Sequence[Named]:
    """The paths that have to be known for what they are. Raises Malformed."""
    found = [_text(path) for path in paths_of(packet)]
    if packet.kind == Kind.SYMLINK:  # OpenSSH sends the target first, which is a text, and then the link
        return [Named(found[1], follows=False)]
    return [Named(path, follows=packet.kind in _FOLLOWS) for path in found]


def _text(path: bytes) -> str:
    if len(path) > LONGEST_PATH or b"\0" in path:
        raise Malformed("a path that is none")
    try:
        return path.decode()
    except UnicodeDecodeError:
        raise Malformed("a path that is not UTF-8") from None


def wish_of(packet: Packet, paths: Sequence[str]) -> Wish:
    """The action of a request whose paths lead to `paths`. Raises Malformed."""
    does, verbs = _does(packet)
    target = f" to {_text(paths_of(packet)[0])}" if packet.kind == Kind.SYMLINK else ""
    text = f"{does} {' to '.join(paths)}{target}"
    parts = [Part(verb, f"{does} {path}", path=path) for path in paths for verb in verbs]
    covers = {"request": packet.kind, "paths": list(paths), "rest": forwarded(packet, paths).hex()}
    return Wish(parts, f"sftp> {text}", covers, text[:160] if SSH_WRITE in verbs else "")


def _does(packet: Packet) -> tuple[str, tuple[str, ...]]:
    if packet.kind != Kind.OPEN:
        return _SHOWN[packet.kind], ((SSH_READ,) if packet.kind in _READS else (SSH_WRITE,))
    _, rest = strings(packet.body, 1)
    flags = number_at(rest)
    verbs = ((SSH_READ,) if flags & READ else ()) + ((SSH_WRITE,) if flags & _WRITES else ())
    if not verbs:
        raise Malformed("a file opened for nothing")
    return " and ".join(verb.removeprefix("ssh:") for verb in verbs), verbs


def forwarded(packet: Packet, paths: Sequence[str]) -> bytes:
    """The body of a request as it goes to the host: with the paths that were decided. Raises Malformed."""
    given = [path.encode() for path in paths]
    if packet.kind == Kind.EXTENDED:
        (name,), rest = strings(packet.body, 1)
        _, rest = strings(rest, 2)
        return string(name) + b"".join(map(string, given)) + rest
    if packet.kind == Kind.SYMLINK:
        (target, _link), rest = strings(packet.body, 2)
        return string(target) + string(given[0]) + rest
    _, rest = strings(packet.body, len(given))
    return b"".join(map(string, given)) + rest


def realpath(path: str) -> bytes:
    """The body of a question where a path leads."""
    return string(path.encode())


def handle_of(packet: Packet) -> bytes:
    """The open file that a request is about. Raises Malformed."""
    return strings(packet.body, 1)[0][0]


def data_in(packet: Packet) -> bytes:
    """What a WRITE request writes, or a DATA answer gives. Raises Malformed."""
    if packet.kind == Kind.WRITE:
        _, rest = strings(packet.body, 1)
        return strings(rest[8:], 1)[0][0]
    return strings(packet.body, 1)[0][0]


def status_of(packet: Packet) -> int:
    """The code of a STATUS answer. Raises Malformed."""
    (code,) = struct.unpack(">I", packet.body[:4]) if len(packet.body) >= 4 else (number_at(packet.body),)
    return int(code)
