"""The vault's key and the key that signs tokens: in an HSM from the start, moved into it, changed there, and back. SoftHSM is the HSM."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections, transaction

from agents import access, actions, signing, tokens, vault, vault_keys
from agents.hsm_key import HsmKey
from agents.models import Resource, ResourceSecret
from agents.vault import Login
from core.errors import Invalid, NarrowgateError
from core.files import write_private
from ledger.models import Outbox
from monitoring import soft_keys
from tests.agents.conftest import Enrolled
from tests.agents.test_token_state import token_of
from tests.cast import Cast
from tests.hsm import MODULE, PIN

LOGIN = Login("shop_agent", "s3cret-word")
OTHER = Login("shop_agent", "another-word")


@pytest.fixture
def uri(hsm_token: str) -> Callable[[str], str]:
    return lambda label: f"pkcs11:token={hsm_token};object={label}?module-path={MODULE}"


@pytest.fixture
def state(settings: Any, tmp_path: Path) -> Any:
    """A deployment of its own, with its keys in files."""
    settings.STATE_DIR = tmp_path
    return settings


def _stored(resource: Resource, cast: Cast, login: Login = LOGIN) -> None:
    actions.store_secret(resource.id, user=login.user, password=login.password, actor=cast.engineer)


def _file(settings: Any, name: str) -> bytes:
    return (Path(settings.STATE_DIR) / "keys" / name).read_bytes()


def _in_hsm(settings: Any, name: str, uri: str) -> None:
    setattr(settings, name, uri)
    setattr(settings, f"{name}_PIN", PIN)


# ---- the vault ----
@pytest.mark.django_db
def test_a_login_is_sealed_and_opened_inside(
    state: Any, cast: Cast, resource: Resource, uri: Callable[[str], str]
) -> None:
    _in_hsm(state, "VAULT_KEY", uri("vault"))
    _stored(resource, cast)
    assert vault.open_secret(resource) == LOGIN
    assert json.loads(_file(state, vault_keys.FILE)) == {"keys": [{"id": "vault", "hsm": "vault"}]}
    state.VAULT_KEY = ""
    with pytest.raises(NarrowgateError, match=r"in an HSM. Set VAULT_KEY"):
        vault.open_secret(resource)


@pytest.mark.django_db
def test_the_vault_moves_into_an_hsm_changes_there_and_comes_back(
    state: Any, cast: Cast, resource: Resource, uri: Callable[[str], str]
) -> None:
    _stored(resource, cast)
    secret = ResourceSecret.objects.get()
    secret.pending = vault.sealed_login(resource, secret.use, OTHER)
    secret.save()
    seen = {bytes(secret.sealed)}
    _in_hsm(state, "VAULT_KEY", uri("kept"))
    for to_file in (False, False, True):
        call_command("rotate_vault_key", to_file=to_file, stdout=StringIO())
        opened = vault.open_secret(resource)
        assert (opened.password, opened.other) == (LOGIN.password, OTHER.password)
        seen.add(bytes(ResourceSecret.objects.get().sealed))
        assert len(json.loads(_file(state, vault_keys.FILE))["keys"]) == 2
    assert len(seen) == 4
    entries = [json.loads(bytes(row.leaf)) for row in Outbox.objects.filter(event="vault_key:changed").order_by("id")]
    assert [one["details"]["kept_in"] for one in entries] == ["hsm", "hsm", "file"]
    assert {one["details"]["secrets"] for one in entries} == {1}
    vault_keys.rotate(to_file=True)
    state.VAULT_KEY = ""  # nothing is left that the HSM would have to open
    assert vault.open_secret(resource).password == LOGIN.password


@pytest.mark.django_db
def test_a_file_from_before_keys_could_change_opens_and_changes(state: Any, cast: Cast, resource: Resource) -> None:
    _stored(resource, cast)
    (kept,) = vault_keys._kept()
    write_private(vault_keys._path(), kept.locked)
    assert vault.open_secret(resource) == LOGIN
    assert vault_keys.rotate() == 1
    assert vault.open_secret(resource) == LOGIN


@pytest.mark.django_db
def test_a_login_that_does_not_open_leaves_everything_as_it_was(state: Any, cast: Cast, resource: Resource) -> None:
    _stored(resource, cast)
    before = _file(state, vault_keys.FILE)
    ResourceSecret.objects.create(resource=resource, use="reading", login="u", sealed=bytes(120))
    with pytest.raises(CommandError, match="damaged"):
        call_command("rotate_vault_key")
    assert _file(state, vault_keys.FILE) == before
    assert vault.open_secret(resource) == LOGIN
    assert not Outbox.objects.filter(event="vault_key:changed").exists()


def test_what_is_sealed_while_the_key_changes_opens_afterwards(state: Any, fresh_cast: Cast) -> None:
    segment = actions.create_segment("annex", purpose="Else", actor=fresh_cast.engineer)
    where: Any = {"host": "localhost", "database": "shop", "tls": "off"}
    resource = actions.add_resource(
        "other", segment=segment, owner=fresh_cast.owner, actor=fresh_cast.engineer, **where
    )
    rotated = Flag()

    def rotate() -> None:
        vault_keys.rotate()
        connections.close_all()
        rotated.set()

    thread = Thread(target=rotate)
    with transaction.atomic():
        _stored(resource, fresh_cast)
        thread.start()
        assert not rotated.wait(0.3), "the rotation did not wait for what was being sealed"
    thread.join(10)
    assert rotated.is_set()
    assert vault.open_secret(resource) == LOGIN


# ---- tokens ----
@pytest.mark.django_db
def test_tokens_are_signed_inside_and_verify_outside(state: Any, enrolled: Enrolled, uri: Callable[[str], str]) -> None:
    _in_hsm(state, "TOKEN_KEY", uri("tokens"))
    token = token_of(enrolled)
    assert tokens.verify(token, resource="shop").agent == enrolled.agent.name
    assert b"PRIVATE" not in _file(state, signing.FILE)
    (published,) = signing.key_set()["keys"]
    assert published["kid"] == access._kid(token)
    assert "d" not in published


@pytest.mark.django_db
def test_the_signing_key_moves_into_an_hsm_changes_there_and_comes_back(
    state: Any, enrolled: Enrolled, uri: Callable[[str], str]
) -> None:
    issued = [token_of(enrolled)]
    for place in (uri("moving"), uri("moving"), ""):
        _in_hsm(state, "TOKEN_KEY", place)
        call_command("rotate_token_key", stdout=StringIO())
        issued.append(token_of(enrolled))
    assert len({access._kid(token) for token in issued}) == 4
    assert all(tokens.verify(token, resource="shop").agent == enrolled.agent.name for token in issued)
    assert _file(state, signing.FILE).count(b"PRIVATE KEY-----") == 2  # the one that signs: its first and last line


@pytest.mark.django_db
def test_a_file_with_private_halves_of_former_keys_is_read(state: Any, enrolled: Enrolled) -> None:
    token, old = token_of(enrolled), _file(state, signing.FILE)
    signing.rotate()
    current = _file(state, signing.FILE).partition(b"Retired: ")[0]
    retired = signing._ring().former[0].retired_at.isoformat().encode()
    write_private(signing._path(), current + b"Retired: " + retired + b"\n" + old)
    assert tokens.verify(token, resource="shop").agent == enrolled.agent.name


@pytest.mark.django_db
def test_another_hsm_is_not_signed_with(state: Any, enrolled: Enrolled, uri: Callable[[str], str]) -> None:
    _in_hsm(state, "TOKEN_KEY", uri("mine"))
    signing.signing_key()
    swapped = _file(state, signing.FILE).replace(b"In an HSM: mine", b"In an HSM: tokens")
    HsmKey.load_or_create(uri("tokens"), PIN, "TOKEN_KEY")
    write_private(signing._path(), swapped)
    with pytest.raises(NarrowgateError, match="is not the one that signs tokens"):
        signing.signing_key()
    state.TOKEN_KEY = ""
    with pytest.raises(NarrowgateError, match="Set TOKEN_KEY"):
        signing.signing_key()


@pytest.mark.django_db
def test_an_hsm_that_was_away_is_opened_again(
    state: Any, cast: Cast, enrolled: Enrolled, resource: Resource, uri: Callable[[str], str]
) -> None:
    _in_hsm(state, "TOKEN_KEY", uri("away"))
    _in_hsm(state, "VAULT_KEY", uri("away-vault"))
    _stored(resource, cast)
    key: Any = signing.signing_key()
    key.raw_value._held._session.close()
    wrapping: Any = vault_keys.ring()[0]
    wrapping._held._session.close()
    assert tokens.verify(token_of(enrolled), resource="shop").agent == enrolled.agent.name
    assert vault.open_secret(resource) == LOGIN


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("place", "pin", "says"),
    [
        ("pkcs11:token={token};object=v?module-path=/nowhere.so", PIN, "does not load"),
        ("pkcs11:token={token};object=v?module-path=" + MODULE, "", "VAULT_KEY_PIN"),
        ("pkcs11:token=none;object=v?module-path=" + MODULE, PIN, "cannot be used"),
        ("vault.key", PIN, "VAULT_KEY is no PKCS#11 URI"),
    ],
)
def test_what_is_wrong_is_one_sentence(state: Any, hsm_token: str, place: str, pin: str, says: str) -> None:
    state.VAULT_KEY, state.VAULT_KEY_PIN = place.format(token=hsm_token), pin
    with pytest.raises((NarrowgateError, Invalid), match=says):
        vault_keys.ring()
    assert not vault_keys._path().exists()


# ---- what posture says of them ----
@pytest.mark.django_db
def test_posture_counts_each_key_until_it_is_in_the_hsm(
    state: Any, cast: Cast, resource: Resource, uri: Callable[[str], str]
) -> None:
    _stored(resource, cast)
    signing.signing_key()
    assert len(soft_keys.in_files()) == 4
    _in_hsm(state, "VAULT_KEY", uri("counted-vault"))
    _in_hsm(state, "TOKEN_KEY", uri("counted-tokens"))
    assert len(soft_keys.in_files()) == 4, "a setting alone moves no key"
    call_command("rotate_vault_key", stdout=StringIO())
    call_command("rotate_token_key", stdout=StringIO())
    assert len(soft_keys.in_files()) == 2
    state.AGENTS_CA_KEY = uri("counted-agents")
    assert soft_keys.in_files() == ["The key that signs versions of the policies"]
    (Path(state.STATE_DIR) / "keys" / vault_keys.FILE).write_text("{")
    assert len(soft_keys.in_files()) == 2, "a key that cannot be looked at is not said to be in an HSM"
