"""A person lets an agent act for them: what a chain of tokens reaches, and that it never reaches further."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import actions as people
from agents import access, actions, closing_actions, delegation_actions, exchange, keys, tokens
from agents.delegation import LONGEST_CHAIN, Reach
from agents.models import Credential, Delegation
from agents.oauth_errors import OAuthError
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from ledger.events import Event
from ledger.models import Outbox
from tests.agents.conftest import Enrolled, claims_of, enrol, request_with, sign
from tests.cast import Cast

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
verbs = st.none() | st.frozensets(st.sampled_from(["sql:select", "sql:insert", "sql:update", "sql:delete"]), min_size=1)
moments = st.integers(0, 10_000).map(lambda seconds: NOW + timedelta(seconds=seconds))
wishes = st.tuples(st.sampled_from(["shop", "ledger"]), verbs, moments, st.booleans())


@settings(deadline=None, max_examples=200)
@given(st.builds(Reach, st.just("shop"), verbs, moments), st.lists(wishes, max_size=8))
def test_a_chain_never_widens(first: Reach, chain: list[tuple[str, frozenset[str] | None, datetime, bool]]) -> None:
    """Whatever is asked for, in whatever order: no other resource, no other verb, no later end, no one left out of it."""
    reach, hands = first, 0
    for resource, wanted, ends, hand_on in chain:
        further = reach.handed_on(f"agent-{hands}") if hand_on else reach
        part = further and further.narrowed(resource=resource, verbs=wanted, expires_at=ends)
        if not part:
            continue
        hands += hand_on
        assert part.resource == reach.resource == first.resource
        assert part.expires_at <= reach.expires_at <= first.expires_at
        if reach.verbs is not None:
            assert part.verbs is not None
            assert part.verbs <= reach.verbs
        if wanted is not None:
            assert part.verbs is not None
            assert part.verbs <= wanted
        assert part.through[: len(reach.through)] == reach.through
        assert len(part.through) == hands < LONGEST_CHAIN
        reach = part


@pytest.fixture
def other(cast: Cast, enrolled: Enrolled) -> Enrolled:
    return enrol(cast, enrolled.agent.segment, enrolled.resource, keys.generate("ES256"), "billing.production")


def delegate(cast: Cast, enrolled: Enrolled, **changed: Any) -> Delegation:
    given: dict[str, Any] = {
        "resource": enrolled.resource,
        "purpose": "My ticket 42",
        "life": timedelta(hours=1),
        "actor": cast.reviewer,
    }
    return delegation_actions.delegate(enrolled.agent.id, **(given | changed))


def swap(by: Enrolled, subject: str | Delegation, **changed: str) -> tokens.Issued:
    """What `by` gets for a delegation, or for the token of another agent."""
    is_token = isinstance(subject, str)
    form = {
        "grant_type": exchange.GRANT_TYPE,
        "subject_token": subject if isinstance(subject, str) else str(subject.id),
        "subject_token_type": exchange.ACCESS_TOKEN if is_token else exchange.DELEGATION,
    }
    return tokens.issue(request_with(sign(by, claims_of(by)), **(form | changed)))


def refusal(by: Enrolled, subject: str | Delegation, **changed: str) -> str:
    with pytest.raises(OAuthError) as refused:
        swap(by, subject, **changed)
    return refused.value.code


def test_the_token_names_both(cast: Cast, enrolled: Enrolled) -> None:
    issued = swap(enrolled, delegate(cast, enrolled))
    identity = tokens.read(issued.access_token)
    assert identity.claims("x")["sub"] == str(cast.reviewer.id)
    assert identity.claims("x")["act"] == {"sub": enrolled.agent.name}
    assert (identity.agent, identity.delegated, identity.purpose) == (enrolled.agent.name, True, "My ticket 42")
    entry = json.loads(bytes(Outbox.objects.filter(event=Event.CREDENTIAL_ISSUED).latest("id").leaf))
    assert entry["on_behalf_of"]["id"] == str(cast.reviewer.id)


def test_what_an_agent_only_claims_is_no_delegation(cast: Cast, enrolled: Enrolled) -> None:
    claim = request_with(sign(enrolled, claims_of(enrolled)), on_behalf_of=cast.reviewer.username)
    assert tokens.read(tokens.issue(claim).access_token).delegated is False


def test_it_is_the_agents_that_it_was_granted_to(cast: Cast, enrolled: Enrolled, other: Enrolled) -> None:
    assert refusal(other, delegate(cast, enrolled)) == "invalid_grant"


def test_scope_narrows_and_never_widens(cast: Cast, enrolled: Enrolled) -> None:
    granted = delegate(cast, enrolled, verbs=["sql:select", "sql:insert"])
    some = tokens.read(swap(enrolled, granted, scope="act sql:select sql:delete").access_token)
    assert some.verbs == frozenset({"sql:select"})
    assert tokens.read(swap(enrolled, granted).access_token).verbs == frozenset({"sql:select", "sql:insert"})
    assert refusal(enrolled, granted, scope="sql:delete") == "invalid_scope"
    assert refusal(enrolled, granted, scope="everything") == "invalid_scope"


def test_it_is_for_one_resource(cast: Cast, enrolled: Enrolled) -> None:
    actions.add_resource(
        "ledger", segment=enrolled.agent.segment, actor=cast.engineer, host="localhost", database="ledger", tls="off"
    )
    assert refusal(enrolled, delegate(cast, enrolled), resource="ledger") == "invalid_scope"


def test_it_ends_no_later_than_the_delegation(cast: Cast, enrolled: Enrolled) -> None:
    granted = delegate(cast, enrolled, life=timedelta(minutes=2))
    issued = swap(enrolled, granted)
    assert issued.credential.expires_at <= granted.expires_at
    assert issued.expires_in <= 120


def test_handing_on_has_to_be_allowed(cast: Cast, enrolled: Enrolled, other: Enrolled) -> None:
    held = swap(enrolled, delegate(cast, enrolled)).access_token
    assert refusal(other, held) == "invalid_grant"


def test_a_chain_names_everybody_and_only_narrows(cast: Cast, enrolled: Enrolled, other: Enrolled) -> None:
    held = swap(enrolled, delegate(cast, enrolled, passes_on=True), scope="act sql:select").access_token
    onward = tokens.read(swap(other, held, scope="act").access_token)
    assert onward.claims("x")["act"] == {"sub": other.agent.name, "act": {"sub": enrolled.agent.name}}
    assert (onward.agent, onward.through, onward.verbs) == (
        other.agent.name,
        (enrolled.agent.name,),
        frozenset({"sql:select"}),
    )
    assert onward.expires_at <= tokens.read(held).expires_at


def test_a_token_without_delegation_is_nothing_to_exchange(enrolled: Enrolled, other: Enrolled) -> None:
    plain = tokens.issue(request_with(sign(enrolled, claims_of(enrolled)))).access_token
    assert refusal(other, plain) == "invalid_grant"


def test_a_bound_token_is_exchanged_by_whoever_shows_what_it_is_bound_to(
    cast: Cast, enrolled: Enrolled, other: Enrolled
) -> None:
    granted = delegate(cast, enrolled, passes_on=True)
    form = {
        "grant_type": exchange.GRANT_TYPE,
        "subject_token": str(granted.id),
        "subject_token_type": exchange.DELEGATION,
    }
    bound = tokens.issue(request_with(sign(enrolled, claims_of(enrolled)), **form, dpop="a thumbprint")).access_token
    assert refusal(other, bound) == "invalid_grant"


def test_ending_it_ends_every_credential_of_the_chain(cast: Cast, enrolled: Enrolled, other: Enrolled) -> None:
    granted = delegate(cast, enrolled, passes_on=True)
    swap(other, swap(enrolled, granted).access_token)
    delegation_actions.end_delegation(granted.id, actor=cast.reviewer, reason="Done.")
    assert not Credential.objects.filter(revoked_at=None).exists()
    assert refusal(enrolled, granted) == "invalid_grant"
    entry = json.loads(bytes(Outbox.objects.get(event=Event.DELEGATION_ENDED).leaf))
    assert entry["details"]["credentials"] == 2


def test_nobody_else_ends_it(cast: Cast, enrolled: Enrolled) -> None:
    granted = delegate(cast, enrolled)
    with pytest.raises(NotFound):
        delegation_actions.end_delegation(granted.id, actor=cast.outsider, reason="Mischief.")
    assert delegation_actions.end_delegation(granted.id, actor=cast.ciso, reason="Contained.").ended_at


@pytest.mark.parametrize(
    "changed",
    [
        {"purpose": " "}, {"life": timedelta(0)}, {"life": timedelta(days=31)}, {"verbs": []}, {"verbs": ["SELECT"]},
        {"verbs": ["sql:select"] * 33},
    ],
)  # fmt: skip
def test_what_is_no_delegation_is_told(cast: Cast, enrolled: Enrolled, changed: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        delegate(cast, enrolled, **changed)


def test_a_suspended_agent_acts_for_nobody(cast: Cast, enrolled: Enrolled) -> None:
    actions.suspend(enrolled.agent.id, actor=cast.engineer, reason="Odd.")
    with pytest.raises(AlreadySettled):
        delegate(cast, enrolled)


@pytest.mark.parametrize(
    "changed",
    [{"subject_token": "x"}, {"subject_token_type": "urn:other"}, {"on_behalf_of": "somebody"}, {"subject_token": ""}],
)
def test_a_malformed_exchange_is_refused(cast: Cast, enrolled: Enrolled, changed: dict[str, str]) -> None:
    assert refusal(enrolled, delegate(cast, enrolled), **changed) == "invalid_request"


def test_a_deep_chain_is_read_back() -> None:
    """What is signed is what is read, whoever is in it."""
    key = keys.generate("ES256")
    deep = access.Identity(
        "e.production", "shop", Credential().id, NOW + timedelta(minutes=1), on_behalf_of="p", delegated=True,
        through=("a.production", "b.production"), verbs=frozenset({"sql:select"}),
    )  # fmt: skip
    token = access.sign(deep, key=key, issuer="i", now=NOW)
    assert access.read(token, keys={keys.kid_of(key): key}, issuer="i", now=NOW) == replace(deep, issued_at=NOW)


def test_what_was_let_ends_with_the_account_and_stays_ended(cast: Cast, enrolled: Enrolled, other: Enrolled) -> None:
    granted, theirs = delegate(cast, enrolled, passes_on=True), delegate(cast, enrolled, actor=cast.owner)
    held = swap(enrolled, granted)
    onward, kept = swap(other, held.access_token), swap(enrolled, theirs)
    closing_actions.deactivate(cast.reviewer, actor=cast.administrator)
    closing_actions.deactivate(cast.reviewer, actor=cast.administrator)
    for one, lives in ((held, False), (onward, False), (kept, True)):
        one.credential.refresh_from_db()
        assert (one.credential.revoked_at is None) is lives
    assert refusal(enrolled, granted) == "invalid_grant"
    (entry,) = [json.loads(bytes(one.leaf)) for one in Outbox.objects.filter(event=Event.DELEGATION_ENDED)]
    assert (entry["details"]["credentials"], entry["details"]["delegation"]) == (2, str(granted.id))
    people.reactivate(cast.reviewer, actor=cast.administrator)
    assert refusal(enrolled, granted) == "invalid_grant"


def test_who_may_not_close_an_account_ends_nothing(cast: Cast, enrolled: Enrolled) -> None:
    granted = delegate(cast, enrolled)
    with pytest.raises(Refused):
        closing_actions.deactivate(cast.reviewer, actor=cast.engineer)
    swap(enrolled, granted)
