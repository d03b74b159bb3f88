"""Pure. What detectors find in the columns of an answer: which columns are looked at, and what takes a value's place there.

The type of a column stays valid: JSON stays JSON, a text keeps within its declared length, and a binary form whose lengths are told already keeps
every byte in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from agents.detectors.forms import Form
from agents.detectors.masker import masked
from agents.detectors.scanner import Scanner
from gateway.postgres.backend import Field

_LENGTH_HEADER: Final = 4
_VARCHAR, _BPCHAR = 1043, 1042
_JSON: Final = frozenset({114, 3802})
_TEXTS: Final = frozenset({25, 142, 705, _VARCHAR, _BPCHAR, 2275})
_COMPOUND: Final = frozenset({143, 199, 1009, 1014, 1015, 1263, 2249, 2287, 3614, 3807})
"""Arrays of texts, rows: their binary form tells the lengths of its parts."""
_OWN_TYPES: Final = 16_384
"""From here on types are made in this database: citext, hstore, enumerations, rows of tables."""


def looked_at(fields: Sequence[Field]) -> tuple[int, ...]:
    """The columns that may hold text; numbers, times and bytes do not."""
    return tuple([
        index for index, one in enumerate(fields)
        if one.type_oid in _TEXTS or one.type_oid in _JSON or one.type_oid in _COMPOUND or one.type_oid >= _OWN_TYPES
    ])  # fmt: skip


def without(value: bytes, one: Field, scanner: Scanner) -> tuple[bytes, Counter[str]]:
    """A value without what detectors find in it, and how many each has found."""
    out, found = masked(value, scanner, _form(one))
    return (_within(out, one) if found else value), found


def _form(one: Field) -> Form:
    if one.type_oid in _JSON:
        return Form.JSON
    return Form.FIT if one.format and one.type_oid not in _TEXTS else Form.TEXT


def _within(value: bytes, one: Field) -> bytes:
    """Cut or padded to the declared length of varchar(n) and char(n), which counts characters."""
    if one.type_oid not in {_VARCHAR, _BPCHAR} or one.type_modifier < _LENGTH_HEADER:
        return value
    length = one.type_modifier - _LENGTH_HEADER
    text = value.decode("utf-8", "replace")[:length]
    return (text.ljust(length) if one.type_oid == _BPCHAR else text).encode()
