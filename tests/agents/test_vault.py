from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from agents import actions, vault, vault_keys
from agents.models import Resource, ResourceSecret
from agents.sealing import InMemory, lock_key, seal, unlock_key, unseal
from core.errors import Invalid, NarrowgateError, NotFound, Refused
from ledger.models import Outbox
from tests.cast import Cast

KEY = os.urandom(32)
UNDER = InMemory(KEY)


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_what_is_sealed_opens(secret: bytes, place: bytes) -> None:
    assert unseal(seal(secret, under=UNDER, belongs_to=place), under=[UNDER], belongs_to=place) == secret


def test_the_same_secret_never_seals_the_same() -> None:
    assert seal(b"x", under=UNDER, belongs_to=b"a") != seal(b"x", under=UNDER, belongs_to=b"a")


@given(st.integers(0, 104))
def test_a_changed_byte_does_not_open(position: int) -> None:
    sealed = bytearray(seal(b"secret bytes 123", under=UNDER, belongs_to=b"a"))
    sealed[position] ^= 1
    with pytest.raises(NarrowgateError):
        unseal(bytes(sealed), under=[UNDER], belongs_to=b"a")


def test_another_place_or_key_does_not_open() -> None:
    sealed = seal(b"x", under=UNDER, belongs_to=b"a")
    for key, place in ((KEY, b"b"), (os.urandom(32), b"a")):
        with pytest.raises(NarrowgateError):
            unseal(sealed, under=[InMemory(key)], belongs_to=place)


def test_a_key_opens_with_its_passphrase_alone() -> None:
    locked = lock_key(KEY, "right")
    assert unlock_key(locked, "right") == KEY
    with pytest.raises(NarrowgateError, match="does not open"):
        unlock_key(locked, "wrong")
    with pytest.raises(NarrowgateError, match="does not open"):
        unlock_key(locked[:-1], "right")


@pytest.mark.django_db
def test_a_stored_login_opens_for_the_gate_and_shows_nowhere(cast: Cast, resource: Resource) -> None:
    actions.store_secret(resource.id, user="shop_agent", password="s3cret-word", actor=cast.engineer)
    assert vault.open_secret(resource) == vault.Login("shop_agent", "s3cret-word")
    kept = ResourceSecret.objects.get()
    assert b"s3cret-word" not in bytes(kept.sealed)
    assert not any(b"s3cret-word" in bytes(entry.leaf) for entry in Outbox.objects.all())
    assert "s3cret-word" not in repr(vault.open_secret(resource))


@pytest.mark.django_db
def test_a_login_copied_to_another_use_does_not_open(cast: Cast, resource: Resource) -> None:
    actions.store_secret(resource.id, user="u", password="p", actor=cast.engineer)
    kept = ResourceSecret.objects.get()
    ResourceSecret.objects.create(resource=resource, use="reading", login="u", sealed=kept.sealed)
    with pytest.raises(NarrowgateError, match="does not open"):
        vault.open_secret(resource, "reading")


@pytest.mark.django_db
def test_none_stored_is_said(resource: Resource) -> None:
    with pytest.raises(NotFound, match="no login"):
        vault.open_secret(resource)


@pytest.mark.django_db
def test_only_engineers_store(cast: Cast, resource: Resource) -> None:
    for person in (cast.outsider, cast.administrator, cast.owner, cast.ciso):
        with pytest.raises(Refused):
            actions.store_secret(resource.id, user="u", password="p", actor=person)
    with pytest.raises(Invalid):
        actions.store_secret(resource.id, user="u", password="", actor=cast.engineer)


@pytest.mark.django_db
def test_the_key_file_is_private(cast: Cast, resource: Resource) -> None:
    actions.store_secret(resource.id, user="u", password="p", actor=cast.engineer)
    path = Path(settings.STATE_DIR) / "keys" / vault_keys.FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
