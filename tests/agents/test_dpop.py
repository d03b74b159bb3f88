"""Proof of possession: each way in which a DPoP proof is not one (RFC 9449 section 4.3)."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt

from agents import dpop, keys
from agents.dpop import DpopProof
from agents.oauth_errors import OAuthError

KEY, OTHER = keys.generate("ES256"), keys.generate("ES256")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRET = b"of the deployment"
ADDRESS = "https://gate.example/oauth/token"


def proof(key: keys.Key = KEY, header: dict[str, Any] | None = None, **changed: Any) -> str:
    algorithm = keys.algorithm_of(key)
    public = {name: value for name, value in keys.public_jwk(key).items() if name in {"kty", "crv", "x", "y"}}
    claims = {
        "htm": "POST", "htu": ADDRESS, "iat": int(NOW.timestamp()), "jti": uuid.uuid4().hex,
        "nonce": dpop.nonce(SECRET, NOW),
    }  # fmt: skip
    given = {"typ": "dpop+jwt", "alg": algorithm, "jwk": public} | (header or {})
    head = {name: value for name, value in given.items() if value is not None}
    said = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode(head, said, key, algorithms=[head["alg"]])


def check(text: str, *, token: str = "", now: datetime = NOW) -> DpopProof:
    return dpop.verify(
        text, method="POST", address=ADDRESS, now=now, token=token,
        knows_nonce=lambda given: dpop.knows_nonce(SECRET, given, now),
    )  # fmt: skip


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_a_good_proof_names_its_key(algorithm: str) -> None:
    key = keys.generate(algorithm)
    assert check(proof(key)).thumbprint == keys.kid_of(key)


@pytest.mark.parametrize(
    "changed",
    [
        {"htm": "GET"}, {"htm": None}, {"htu": "https://other.example/oauth/token"}, {"htu": ADDRESS + "/more"},
        {"htu": None}, {"htu": 7}, {"htu": "https://[broken"}, {"iat": None}, {"iat": "now"}, {"iat": True}, {"iat": 1e300},
        {"iat": int(NOW.timestamp()) - 61}, {"iat": int(NOW.timestamp()) + 61}, {"jti": None}, {"jti": "short"}, {"jti": "x" * 129},
    ],
)  # fmt: skip
def test_a_proof_of_something_else_is_none(changed: dict[str, Any]) -> None:
    assert refusal(proof(**changed)) == "invalid_dpop_proof"


def test_address_and_host_are_compared_as_addresses() -> None:
    check(proof(htu="HTTPS://Gate.Example/oauth/token?a=1#b"))


def test_a_nonce_is_needed_and_turns() -> None:
    assert refusal(proof(nonce=None)) == "use_dpop_nonce"
    assert refusal(proof(nonce="made up")) == "use_dpop_nonce"
    before = dpop.nonce(SECRET, NOW - dpop.NONCE_LIFE)
    check(proof(nonce=before))
    assert refusal(proof(nonce=dpop.nonce(SECRET, NOW - 2 * dpop.NONCE_LIFE))) == "use_dpop_nonce"
    assert refusal(proof(nonce=dpop.nonce(b"another's", NOW))) == "use_dpop_nonce"


def test_with_a_token_it_names_that_token() -> None:
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"the token").digest()).rstrip(b"=").decode()
    check(proof(ath=digest), token="the token")
    assert refusal(proof(ath=digest), token="another") == "invalid_dpop_proof"
    assert refusal(proof(), token="the token") == "invalid_dpop_proof"


def test_a_signature_by_another_key_is_refused() -> None:
    public = {name: value for name, value in keys.public_jwk(OTHER).items() if name in {"kty", "crv", "x", "y"}}
    assert refusal(proof(header={"jwk": public})) == "invalid_dpop_proof"


def test_a_private_key_is_refused() -> None:
    assert refusal(proof(header={"jwk": KEY.as_dict(private=True)})) == "invalid_dpop_proof"


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"jwk": None}, {"jwk": {"kty": "oct", "k": "AA"}}])
def test_another_form_is_refused(header: dict[str, Any]) -> None:
    assert refusal(proof(header=header)) == "invalid_dpop_proof"


def test_without_a_signature_it_is_refused() -> None:
    _, body, _ = proof().split(".")
    head = base64.urlsafe_b64encode(json.dumps({"typ": "dpop+jwt", "alg": "none"}).encode()).rstrip(b"=").decode()
    assert refusal(f"{head}.{body}.") == "invalid_dpop_proof"


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "W10.e30.x", "é.b.c", "x" * 5000, "e30." * 3])
def test_nonsense_is_refused(text: str) -> None:
    assert refusal(text) == "invalid_dpop_proof"


def test_it_is_forgotten_only_once_it_is_too_old() -> None:
    found = check(proof())
    assert refusal(proof(), now=found.expires_at + timedelta(seconds=1)) == "invalid_dpop_proof"


def refusal(text: str, **options: Any) -> str:
    with pytest.raises(OAuthError) as refused:
        check(text, **options)
    return refused.value.code
