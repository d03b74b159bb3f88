from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt

from agents import access, keys
from agents.access import Identity
from core.errors import Refused

KEY = keys.generate("ES256")
KEYS = {keys.kid_of(KEY): KEY}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ISSUER = "https://gate.example"
IDENTITY = Identity("support.production", "shop", uuid.uuid4(), NOW + timedelta(minutes=10), purpose="a ticket")


def check(token: str, *, resource: str = "shop", now: datetime = NOW, issuer: str = ISSUER) -> Identity:
    return access.verify(token, keys=KEYS, issuer=issuer, resource=resource, now=now)


def token(key: keys.Key = KEY, identity: Identity = IDENTITY) -> str:
    return access.sign(identity, key=key, issuer=ISSUER, now=NOW)


def test_what_was_signed_is_read_back() -> None:
    assert check(token()) == IDENTITY


def test_it_is_for_one_resource() -> None:
    with pytest.raises(Refused, match="another resource"):
        check(token(), resource="ledger")


def test_it_expires() -> None:
    check(token(), now=IDENTITY.expires_at)
    with pytest.raises(Refused) as refused:
        check(token(), now=IDENTITY.expires_at + timedelta(seconds=6))
    assert refused.value.code == "expired_token"


def test_another_gates_token_is_refused() -> None:
    with pytest.raises(Refused, match="not one of this gate"):
        check(token(keys.generate("ES256")))
    with pytest.raises(Refused, match="not an access token"):
        check(token(), issuer="https://other.example")


def test_a_forged_signature_is_refused() -> None:
    header, body, signature = token().split(".")
    _, other, _ = token(identity=Identity("root.production", "shop", uuid.uuid4(), IDENTITY.expires_at)).split(".")
    with pytest.raises(Refused, match="signature"):
        check(f"{header}.{other}.{signature}")
    assert body != other


def test_a_client_assertion_is_not_an_access_token() -> None:
    claims = {"iss": ISSUER, "sub": "x", "aud": access.RESOURCE_URN + "shop", "scope": "act", "exp": 9999999999}
    made = jwt.encode({"alg": "ES256", "kid": keys.kid_of(KEY), "typ": "JWT"}, claims, KEY, algorithms=["ES256"])
    with pytest.raises(Refused, match="not an access token"):
        check(made)


@pytest.mark.parametrize("text", ["", "hunter2", "a.b.c", "ngp_" + "x" * 40, "x" * 5000, "\u00fc.\u00fc.\u00fc"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        check(text)
