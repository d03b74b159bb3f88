"""Who may have a token: one way in, every other way refused with the reason and an entry."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from agents import actions, assertions, keys, replay, tokens
from agents.models import Credential, Resource, Segment
from agents.oauth_errors import OAuthError
from agents.tokens import TokenRequest
from core.db import db_now
from ledger.events import Event
from ledger.models import Outbox
from tests.agents.conftest import Enrolled, claims_of, enrol, request_with, sign
from tests.cast import Cast

Ask = Callable[..., TokenRequest]
pytestmark = pytest.mark.django_db


def refused(request: TokenRequest) -> OAuthError:
    """The refusal of `request`, after checking that it left its entry and no credential."""
    before = entries(Event.CREDENTIAL_REFUSED)
    with pytest.raises(OAuthError) as caught:
        tokens.issue(request)
    assert entries(Event.CREDENTIAL_REFUSED) == before + 1
    return caught.value


def entries(event: Event) -> int:
    return Outbox.objects.filter(event=event.value).count()


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_a_key_gets_a_token_for_one_resource(cast: Cast, segment: Segment, resource: Resource, algorithm: str) -> None:
    enrolled = enrol(cast, segment, resource, keys.generate(algorithm))
    issued = tokens.issue(request_with(sign(enrolled, claims_of(enrolled)), purpose="ticket 12"))
    identity = tokens.verify(issued.access_token, resource="shop")
    assert (identity.agent, identity.credential, identity.kind) == (
        "support.production",
        issued.credential.id,
        "bearer",
    )
    assert (issued.expires_in, identity.purpose, entries(Event.CREDENTIAL_ISSUED)) == (600, "ticket 12", 1)


def test_a_person_acted_for_travels_with_the_token(cast: Cast, enrolled: Enrolled) -> None:
    request = request_with(sign(enrolled, claims_of(enrolled)), on_behalf_of=cast.reviewer.username)
    identity = tokens.verify(tokens.issue(request).access_token, resource="shop")
    assert identity.on_behalf_of == str(cast.reviewer.id)


def test_a_second_use_is_a_replay(ask: Ask) -> None:
    request = ask()
    tokens.issue(request)
    assert "used before" in refused(request).message
    assert Credential.objects.count() == 1


def test_what_was_refused_is_used_all_the_same(ask: Ask) -> None:
    request = ask()
    assert refused(replace(request, resource="nowhere")).code == "invalid_target"
    assert "used before" in refused(request).message


def test_what_is_too_old_to_be_used_again_is_forgotten(ask: Ask) -> None:
    tokens.issue(ask())
    now = db_now()
    assert replay.forget_used(now) == 0
    assert replay.forget_used(now + assertions.LONGEST_LIFE + assertions.SKEW + replay.KEEP) == 1


def test_a_token_takes_few_statements_and_one_commit(ask: Ask, django_assert_num_queries: Any) -> None:
    """Nine between BEGIN and COMMIT, or a savepoint and its release here: many more are the difference between 100 tokens a second and 400."""
    tokens.issue(ask())  # the node has its lane
    request = ask()
    with django_assert_num_queries(8):
        tokens.issue(request)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"aud": "https://elsewhere.example/token"}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": ["https://elsewhere.example", "https://localhost:8443/oauth/token"]}, "aud"),
        ({"sub": "other.production"}, "iss and sub"),
        ({"sub": None}, "iss and sub"),
        ({"exp": None}, "exp and iat"),
        ({"iat": None}, "exp and iat"),
        ({"jti": None}, "jti"),
        ({"jti": "short"}, "jti"),
        ({"jti": 12345678}, "jti"),
        ({"exp": "soon"}, "not a time"),
        ({"exp": True}, "not a time"),
        ({"exp": 1e300}, "not a time"),
    ],
)
def test_a_claim_that_is_wrong_is_refused(ask: Ask, changed: dict[str, Any], says: str) -> None:
    error = refused(ask(**changed))
    assert (error.code, error.status) == ("invalid_client", 401)
    assert says in error.message


@pytest.mark.parametrize(
    ("issued", "expires", "not_before", "says"),
    [
        (-120, -31, None, "expired"),
        (0, 301, None, "longer than 5 minutes"),
        (-3000, 60, None, "longer than 5 minutes"),
        (45, 100, None, "not valid yet"),
        (0, 100, 60, "not valid yet"),
    ],
)
def test_a_time_that_is_wrong_is_refused(
    ask: Ask, issued: int, expires: int, not_before: int | None, says: str
) -> None:
    now = int(time.time())
    changed = {"iat": now + issued, "exp": now + expires}
    changed |= {"nbf": now + not_before} if not_before is not None else {}
    assert says in refused(ask(**changed)).message


@pytest.mark.parametrize("offset", [-20, 20])
def test_clocks_may_differ_by_half_a_minute(ask: Ask, offset: int) -> None:
    now = int(time.time()) + offset
    assert tokens.issue(ask(iat=now, exp=now + 60)).expires_in == 600


def test_no_signature_is_refused(enrolled: Enrolled) -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    header = {"alg": "none", "kid": keys.kid_of(enrolled.key)}
    assert "algorithm" in refused(request_with(f"{part(header)}.{part(claims_of(enrolled))}.")).message


def test_a_shared_secret_made_of_the_public_key_is_refused(enrolled: Enrolled) -> None:
    public = OctKey.import_key(json.dumps(keys.public_jwk(enrolled.key)))
    header = {"alg": "HS256", "kid": keys.kid_of(enrolled.key)}
    assertion = jwt.encode(header, claims_of(enrolled), public, algorithms=["HS256"])
    assert "algorithm" in refused(request_with(assertion)).message


def test_another_agents_key_is_refused(cast: Cast, segment: Segment, resource: Resource, enrolled: Enrolled) -> None:
    other = enrol(cast, segment, resource, keys.generate("ES256"), name="billing.production")
    assert "not registered" in refused(request_with(sign(other, claims_of(enrolled)))).message


def test_a_key_that_only_claims_the_identifier_is_refused(enrolled: Enrolled) -> None:
    thief = Enrolled(enrolled.agent, keys.generate("ES256"), enrolled.resource)
    assertion = sign(thief, claims_of(enrolled), kid=keys.kid_of(enrolled.key))
    assert "signature" in refused(request_with(assertion)).message


def test_an_algorithm_other_than_the_keys_is_refused(enrolled: Enrolled) -> None:
    thief = Enrolled(enrolled.agent, keys.generate("Ed25519"), enrolled.resource)
    assertion = sign(thief, claims_of(enrolled), kid=keys.kid_of(enrolled.key))
    assert "not registered" in refused(request_with(assertion)).message


def test_a_key_sent_along_is_ignored(enrolled: Enrolled) -> None:
    thief = Enrolled(enrolled.agent, keys.generate("ES256"), enrolled.resource)
    assertion = sign(thief, claims_of(enrolled), jwk=keys.public_jwk(thief.key))
    assert "not registered" in refused(request_with(assertion)).message


def test_a_changed_claim_breaks_the_signature(enrolled: Enrolled) -> None:
    header, _, signature = sign(enrolled, claims_of(enrolled)).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims_of(enrolled)).encode()).decode().rstrip("=")
    assert "signature" in refused(request_with(f"{header}.{body}.{signature}")).message


def test_a_revoked_key_is_refused(cast: Cast, enrolled: Enrolled, ask: Ask) -> None:
    actions.revoke_key(enrolled.agent.keys.get().id, actor=cast.engineer, reason="leaked")
    assert "not registered" in refused(ask()).message


def test_a_suspended_agent_is_refused(cast: Cast, enrolled: Enrolled, ask: Ask) -> None:
    actions.suspend(enrolled.agent.id, actor=cast.ciso, reason="odd hours")
    error = refused(ask())
    assert (error.code, "suspended" in error.message) == ("unauthorized_client", True)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"resource": ""}, "invalid_target"),
        ({"resource": "nowhere"}, "invalid_target"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "secret"}, "invalid_client"),
        ({"client_id": "other.production"}, "invalid_client"),
        ({"purpose": "x" * 301}, "invalid_request"),
        ({"on_behalf_of": "nobody-here"}, "invalid_request"),
    ],
)
def test_a_form_that_is_wrong_is_refused(enrolled: Enrolled, changed: dict[str, str], code: str) -> None:
    assert refused(request_with(sign(enrolled, claims_of(enrolled)), **changed)).code == code


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "!!.!!.!!", "e30.e30.e30", "W10.W10.W10", "x" * 5000])
def test_garbage_is_refused(enrolled: Enrolled, text: str) -> None:
    assert refused(request_with(text)).code == "invalid_client"
