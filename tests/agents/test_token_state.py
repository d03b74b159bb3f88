"""Introspection and revocation: an agent about its own tokens, and nobody about another's."""

from __future__ import annotations

import json

import pytest

from agents import access, keys, signing, token_state, tokens
from agents.models import Credential
from agents.oauth_errors import OAuthError
from agents.proof import ASSERTION_TYPE
from agents.token_state import StateRequest
from core.errors import Refused
from ledger.events import Event
from ledger.models import Outbox
from tests.agents.conftest import Enrolled, claims_of, enrol, request_with, sign
from tests.cast import Cast


def proven(enrolled: Enrolled, token: str, **changed: object) -> StateRequest:
    assertion = sign(enrolled, claims_of(enrolled, **changed))
    return StateRequest(client_assertion_type=ASSERTION_TYPE, client_assertion=assertion, token=token)


def token_of(enrolled: Enrolled) -> str:
    return tokens.issue(request_with(sign(enrolled, claims_of(enrolled)))).access_token


@pytest.fixture
def other(cast: Cast, enrolled: Enrolled) -> Enrolled:
    return enrol(cast, enrolled.agent.segment, enrolled.resource, keys.generate("ES256"), "billing.production")


def test_a_live_token_says_what_it_is(enrolled: Enrolled) -> None:
    said = token_state.introspect(proven(enrolled, token_of(enrolled)))
    assert said["active"] is True
    assert (said["sub"], said["aud"], said["scope"]) == (enrolled.agent.name, "urn:narrowgate:resource:shop", "act")
    assert said["jti"] == str(Credential.objects.get().id)


def test_an_assertion_may_be_meant_for_the_issuer(enrolled: Enrolled, settings: object) -> None:
    issuer = tokens.audiences()[1]
    assert token_state.introspect(proven(enrolled, token_of(enrolled), aud=[issuer]))["active"] is True


def test_what_is_no_token_is_not_active(enrolled: Enrolled) -> None:
    assert token_state.introspect(proven(enrolled, "nonsense")) == {"active": False}


def test_another_agents_token_is_not_active_for_this_one(enrolled: Enrolled, other: Enrolled) -> None:
    assert token_state.introspect(proven(other, token_of(enrolled))) == {"active": False}


def test_a_revoked_token_is_not_active(enrolled: Enrolled) -> None:
    token = token_of(enrolled)
    token_state.revoke(proven(enrolled, token))
    assert token_state.introspect(proven(enrolled, token)) == {"active": False}


def test_revoking_leaves_one_entry_however_often(enrolled: Enrolled) -> None:
    token = token_of(enrolled)
    for _ in range(2):
        token_state.revoke(proven(enrolled, token))
    entries = Outbox.objects.filter(event=Event.CREDENTIAL_REVOKED)
    assert [json.loads(bytes(entry.leaf))["actor"]["name"] for entry in entries] == [enrolled.agent.name]


def test_revoking_what_never_was_a_token_does_nothing(enrolled: Enrolled) -> None:
    token_state.revoke(proven(enrolled, "nonsense"))
    assert not Outbox.objects.filter(event=Event.CREDENTIAL_REVOKED).exists()


def test_another_agents_token_is_not_revoked(enrolled: Enrolled, other: Enrolled) -> None:
    token = token_of(enrolled)
    with pytest.raises(OAuthError, match="another agent"):
        token_state.revoke(proven(other, token))
    assert Credential.objects.get().revoked_at is None
    assert Outbox.objects.filter(event=Event.CREDENTIAL_REFUSED).count() == 1


def test_nobody_asks_without_proof(enrolled: Enrolled) -> None:
    asked = StateRequest(client_assertion_type="", client_assertion="", token=token_of(enrolled))
    with pytest.raises(OAuthError) as refused:
        token_state.introspect(asked)
    assert refused.value.code == "invalid_client"


def test_a_question_needs_a_token(enrolled: Enrolled) -> None:
    with pytest.raises(OAuthError, match="token parameter"):
        token_state.introspect(proven(enrolled, ""))


def test_after_a_rotation_what_the_old_key_signed_is_good(enrolled: Enrolled) -> None:
    before, old = token_of(enrolled), keys.kid_of(signing.signing_key())
    fresh = keys.kid_of(signing.rotate())
    after = token_of(enrolled)
    assert {access._kid(before), access._kid(after)} == {old, fresh}
    assert all(tokens.verify(token, resource="shop").agent == enrolled.agent.name for token in (before, after))
    published = [key["kid"] for key in signing.key_set()["keys"]]
    assert published[0] == fresh
    assert old in published
    entry = json.loads(bytes(Outbox.objects.get(event=Event.TOKEN_KEY_CHANGED).leaf))
    assert entry["details"] == {"kid": fresh, "replaces": old}


def test_a_former_key_goes_once_nothing_it_signed_can_live(enrolled: Enrolled) -> None:
    old = keys.kid_of(signing.signing_key())
    signing.rotate()
    later = signing._ring().former[0].retired_at + access.LONGEST_LIFE + access.SKEW
    assert old not in signing.verification_keys(later)


def test_a_swapped_kid_is_refused(enrolled: Enrolled) -> None:
    """A signature counts only under the key that the header names, each with its own."""
    before = token_of(enrolled)
    signing.rotate()
    after = token_of(enrolled)
    swapped = ".".join([after.split(".")[0], *before.split(".")[1:]])
    with pytest.raises(Refused):  # the new key's name over the old key's signature
        tokens.read(swapped)


def test_no_key_is_published_with_its_private_half(enrolled: Enrolled) -> None:
    assert all("d" not in key and key["alg"] == "ES256" for key in signing.key_set()["keys"])
