"""Bound parameters as policies read them: by what the resource says of their types, and never passed over."""

from __future__ import annotations

import struct

import pytest

from gateway.postgres.arguments import arguments_of
from gateway.refusal import Refusal

INT4, INT8, BOOL, TEXT, NUMERIC, TIMESTAMPTZ = 23, 20, 16, 25, 1700, 1184


@pytest.mark.parametrize(
    ("declared", "form", "value", "found", "said"),
    [
        (INT4, 0, b"7", (), 7),
        (INT4, 1, struct.pack("!i", -7), (), -7),
        (INT8, 1, struct.pack("!q", 2**63 - 1), (), 2**63 - 1),
        (INT4, 0, b"1_000", (), "1_000"),  # PostgreSQL reads a thousand: of no kind that a number's policy expects
        (INT4, 0, b" 7", (), " 7"),
        (INT4, 0, b"0x7", (), "0x7"),
        (0, 0, b"7", (), 7),
        (0, 0, b"seven", (), "seven"),
        (0, 0, b"7", (TEXT,), "7"),
        (0, 1, struct.pack("!i", 7), (INT4,), 7),
        (TEXT, 0, b"7", (INT4,), "7"),
        (TEXT, 1, "ü".encode(), (), "ü"),
        (BOOL, 1, b"\x01", (), True),
        (BOOL, 0, b"F", (), False),
        (BOOL, 0, b"on", (), "on"),
        (NUMERIC, 0, b"12", (), 12),
        (NUMERIC, 0, b"12.5", (), "12.5"),
        (INT8, 0, b"9" * 40, (), "9" * 40),
        (INT4, 0, None, (), "null"),
    ],
)
def test_a_parameter_is_what_the_resource_takes_it_for(
    declared: int, form: int, value: bytes | None, found: tuple[int, ...], said: object
) -> None:
    read = arguments_of(((declared, form, value),), found, None)
    assert read == {"count": 1, "p1": said}
    assert type(read["p1"]) is type(said)


@pytest.mark.parametrize(
    ("declared", "form", "value"),
    [
        (0, 1, b"\x00\x00\x00\x07"),
        (TIMESTAMPTZ, 1, bytes(8)),
        (99_999, 1, b"admin"),
        (INT4, 1, b"\x07"),
        (TEXT, 1, b"\xff"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused_where_a_policy_looks(declared: int, form: int, value: bytes) -> None:
    parameters = ((INT4, 0, b"1"), (declared, form, value))
    assert arguments_of(parameters, (), frozenset({"p1"})) == {"count": 2, "p1": 1}
    for wanted in (frozenset({"p2"}), None):
        with pytest.raises(Refusal) as refused:
            arguments_of(parameters, (), wanted)
        assert refused.value.code == "argument_unknown"


def test_what_no_policy_looks_at_is_not_said() -> None:
    assert arguments_of(((TEXT, 0, b"secret"),), (), frozenset()) == {"count": 1}
