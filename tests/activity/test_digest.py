"""A digest names one action with one salt and no other."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from activity.digest import SALT_BYTES, canonical, digest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ACTIONS = st.dictionaries(st.text(max_size=12), VALUES, max_size=6)
SALTS = st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES)


@given(ACTIONS)
def test_canonical_bytes_are_those_of_rfc_8785(action: dict[str, object]) -> None:
    assert canonical(action) == rfc8785.dumps(action)  # type: ignore[arg-type]  # JSON values only


@given(ACTIONS, ACTIONS, SALTS)
def test_different_actions_have_different_digests(
    one: dict[str, object], other: dict[str, object], salt: bytes
) -> None:
    assert (digest(canonical(one), salt) == digest(canonical(other), salt)) == (canonical(one) == canonical(other))


@given(ACTIONS, SALTS, SALTS)
def test_the_salt_decides_too(action: dict[str, object], one: bytes, other: bytes) -> None:
    assert (digest(canonical(action), one) == digest(canonical(action), other)) == (one == other)


def test_its_form() -> None:
    assert digest(b"{}", bytes(SALT_BYTES)).startswith("sha256:")
    assert len(digest(b"{}", bytes(SALT_BYTES))) == 71


@pytest.mark.parametrize("length", [0, 16, SALT_BYTES - 1, SALT_BYTES + 1])
def test_a_salt_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="a salt has"):
        digest(b"{}", bytes(length))


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot say"):
        canonical({"a": object()})
