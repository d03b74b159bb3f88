"""What verify.py stands on: Ed25519 verification, the Merkle tree, signed notes. Pure, on the standard library alone.

Exports join it and the other verify_*.py with verify.py into one file, which needs nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


class Unreadable(Exception):
    """The package cannot be checked at all; the message is one sentence, fit for a terminal."""

    def __str__(self) -> str:
        return plain(super().__str__())


def plain(text: str) -> str:
    """Text that no terminal takes for a command: of what a hostile package says, the unprintable is shown by its number."""
    if text.isprintable():
        return text
    return "".join(part if part.isprintable() else f"\\u{ord(part):04x}" for part in text)


# ---- Ed25519, RFC 8032 section 5.1.7, without the cofactor; points are (X, Y, Z, T) ----
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)


def _add(one: Point, two: Point) -> Point:
    a = (one[1] - one[0]) * (two[1] - two[0]) % P
    b = (one[1] + one[0]) * (two[1] + two[0]) % P
    c, d = 2 * one[3] * two[3] * D % P, 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _decode_point(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


BASE = _decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")) or NEUTRAL


def ed25519_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` is by the holder of `public`."""
    key = _decode_point(public) if len(public) == 32 else None
    if key is None or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    minus_key: Point = (P - key[0], key[1], 1, P - key[3])
    table = (NEUTRAL, BASE, minus_key, _add(BASE, minus_key))
    point = NEUTRAL
    for bit in range(255, -1, -1):  # [s]B - [k]A in one pass
        point = _add(point, point)
        step = (s >> bit & 1) | (k >> bit & 1) << 1
        point = _add(point, table[step]) if step else point
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# ---- RFC 6962 section 2.1 ----
class Tree:
    """A Merkle tree that grows to the right; subtrees are pushed as (height, hash)."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, bytes]] = []
        self.size = 0

    def push(self, height: int, node: bytes) -> None:
        """Add a perfect subtree; a leaf's hash has height 0."""
        self.size += 1 << height
        while self._stack and self._stack[-1][0] == height:
            node = hashlib.sha256(b"\x01" + self._stack.pop()[1] + node).digest()
            height += 1
        self._stack.append((height, node))

    def root(self) -> bytes:
        """The root over everything pushed."""
        if not self._stack:
            return hashlib.sha256(b"").digest()
        node = self._stack[-1][1]
        for _, left in reversed(self._stack[:-1]):
            node = hashlib.sha256(b"\x01" + left + node).digest()
        return node


def heights(begin: int, end: int) -> Iterator[int]:
    """The heights of the aligned perfect subtrees that cover `begin` to `end`."""
    while begin < end:
        height = (begin & -begin).bit_length() - 1 if begin else end.bit_length() - 1
        while begin + (1 << height) > end:
            height -= 1
        yield height
        begin += 1 << height


def root_by_path(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root of the tree of `size` that leads from the hash of leaf `index` up `path` (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size or any(len(part) != 32 for part in path):
        raise Unreadable("A path through the tree is malformed.")
    node, last = index, size - 1
    for part in path:
        if not last:
            raise Unreadable("A path through the tree is too long.")
        from_left = bool(node & 1) or node == last
        leaf = hashlib.sha256(b"\x01" + (part + leaf if from_left else leaf + part)).digest()
        while from_left and not node & 1 and node:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    if last:
        raise Unreadable("A path through the tree is too short.")
    return leaf


# ---- signed notes ----
KeyName = tuple[str, bytes]  # name and key id
Keys = dict[KeyName, bytes]  # to the public key


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose signature held."""

    origin: str
    size: int
    root: bytes


LOG, WITNESS = 1, 4  # what kind of signature a verifier key is for


def read_key(text: str, kind: int = LOG) -> tuple[KeyName, bytes]:
    """A verifier key `name+hash+key` of that kind as an item of Keys. Raises Unreadable."""
    name, _, rest = text.strip().partition("+")
    stated, _, encoded = rest.partition("+")
    data = from_base64(encoded, "a key")
    key_id = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if len(data) != 33 or data[0] != kind or key_id.hex() != stated:
        raise Unreadable("A verifier key is malformed.")
    return (name, key_id), data[1:]


def open_note(note: str, keys: Keys) -> Checkpoint:
    """The checkpoint in a signed note. Raises Unreadable when no known key's signature holds, or one of them fails."""
    lines = verified_text(note, keys).split("\n")
    if len(lines) < 4 or not re.fullmatch(r"0|[1-9]\d{0,18}", lines[1]):
        raise Unreadable("it is not a checkpoint")
    return Checkpoint(lines[0], int(lines[1]), from_base64(lines[2], "a root"))


def verified_text(note: str, keys: Keys) -> str:
    """The text of a signed note. Raises Unreadable when no known key's signature holds, or one of them fails."""
    text, separator, tail = note.rpartition("\n\n")
    body, held = f"{text}\n", False
    if not separator or not tail.endswith("\n"):
        raise Unreadable("it is not a signed note")
    for line in tail[:-1].split("\n"):
        found = re.fullmatch(r"— (\S+) (\S+)", line)
        if found is None:
            raise Unreadable("a line of its signatures is malformed")
        data = from_base64(found[2], "a signature")
        public = keys.get((found[1], data[:4]))
        if public is not None:
            if not ed25519_verifies(public, body.encode(), data[4:]):
                raise Unreadable("the signature does not hold")
            held = True
    if not held:
        raise Unreadable("it has no signature by a known key")
    return body


def from_base64(text: object, what: str) -> bytes:
    """The bytes of `text`; Unreadable, naming `what`, if they are not base64."""
    try:
        return base64.b64decode(str(text), validate=True)
    except ValueError:
        raise Unreadable(f"There is {what} that is not base64.") from None


def read_object(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `data`; Unreadable, naming `what`, if it is none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise Unreadable(f"{what} is not JSON.") from None
    if not isinstance(found, dict):
        raise Unreadable(f"{what} is not a JSON object.")
    return found


def read_count(value: object, what: str) -> int:
    """`value` if it is a count; Unreadable, naming `what`, otherwise."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise Unreadable(f"{what} is not a count.")
    return value


def leaf_of(found: dict[str, Any]) -> bytes:
    """The bytes of the entry on a line."""
    text = found.get("leaf")
    return text.encode() if isinstance(text, str) else from_base64(found.get("leaf_base64"), "an entry")


def is_canonical(leaf: bytes, says: dict[str, Any]) -> bool:
    """RFC 8785, for all but fractions and keys beyond the basic plane, which are let pass."""
    fractions: list[str] = []
    json.loads(leaf, parse_float=fractions.append)
    written = json.dumps(says, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return written.encode() == leaf or bool(fractions) or max(written) > "\uffff"
