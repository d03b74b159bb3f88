"""Enrolling, stopping and starting agents; what is behind the gate; who sees what."""

from __future__ import annotations

import pytest

from accounts.objects import may_review, segments_reviewable_by
from agents import actions, keys, tokens
from agents.models import Credential, Resource, Segment
from agents.queries import visible_agents, visible_credentials, visible_resources, visible_segments
from agents.revision import current_revision
from core.errors import AlreadySettled, Invalid, Refused
from ledger.events import Event
from ledger.models import Outbox
from tests.agents.conftest import Enrolled, claims_of, enrol, request_with, sign
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def credential_of(enrolled: Enrolled) -> Credential:
    return tokens.issue(request_with(sign(enrolled, claims_of(enrolled)))).credential


def test_an_enrolled_agent_has_an_identity(enrolled: Enrolled) -> None:
    agent = enrolled.agent
    assert (agent.function, agent.environment, agent.status) == ("support", "production", "active")
    assert agent.spiffe_id == "spiffe://narrowgate.test/agent/support.production"
    assert agent.keys.get().kid == keys.kid_of(enrolled.key)
    assert Outbox.objects.filter(event=Event.AGENT_ENROLLED.value).count() == 1


def test_names_and_keys_are_used_once(cast: Cast, segment: Segment, resource: Resource, enrolled: Enrolled) -> None:
    with pytest.raises(Invalid, match="taken"):
        enrol(cast, segment, resource, keys.generate("ES256"))
    with pytest.raises(Invalid, match="taken"):
        enrol(cast, segment, resource, enrolled.key, name="other.production")


@pytest.mark.parametrize("who", ["outsider", "owner", "administrator", "ciso", "reviewer"])
def test_only_engineers_enrol(cast: Cast, segment: Segment, who: str) -> None:
    jwk = keys.public_jwk(keys.generate("ES256"))
    with pytest.raises(Refused):
        actions.enrol(
            "a.test", purpose="x", segment=segment, owner=cast.owner, public_jwk=jwk, actor=getattr(cast, who)
        )


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "RSA", "n": "x", "e": "AQAB"},
        {"kty": "EC", "crv": "P-384", "x": "x", "y": "y"},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "oct", "k": "c2VjcmV0"},
        keys.generate("ES256").as_dict(private=True),
    ],
)
def test_a_key_that_is_not_a_public_one_of_ours_is_refused(cast: Cast, segment: Segment, jwk: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        actions.enrol("a.test", purpose="x", segment=segment, owner=cast.owner, public_jwk=jwk, actor=cast.engineer)


def test_somebody_else_is_the_deputy(cast: Cast, segment: Segment) -> None:
    jwk = keys.public_jwk(keys.generate("ES256"))
    with pytest.raises(Invalid, match="deputy"):
        actions.enrol(
            "a.test",
            purpose="x",
            segment=segment,
            owner=cast.owner,
            deputy=cast.owner,
            public_jwk=jwk,
            actor=cast.engineer,
        )


def test_suspending_ends_every_credential_and_tells_the_gateways(cast: Cast, enrolled: Enrolled) -> None:
    credential, before = credential_of(enrolled), current_revision()
    actions.suspend(enrolled.agent.id, actor=cast.owner, reason="I saw something odd")
    credential.refresh_from_db()
    assert credential.revoked_at is not None
    assert current_revision() == before + 1
    with pytest.raises(AlreadySettled):
        actions.suspend(enrolled.agent.id, actor=cast.owner, reason="again")


def test_who_may_stop_an_agent_and_who_may_start_it(cast: Cast, enrolled: Enrolled) -> None:
    for person in (cast.outsider, cast.reviewer, cast.auditor):
        with pytest.raises(Refused):
            actions.suspend(enrolled.agent.id, actor=person, reason="x")
    actions.suspend(enrolled.agent.id, actor=cast.ciso, reason="x")
    for person in (cast.outsider, cast.administrator, cast.reviewer, cast.auditor):
        with pytest.raises(Refused):
            actions.ask_to_reinstate(enrolled.agent.id, actor=person, reason="x")


def test_revoking_a_credential_twice_is_one_entry(cast: Cast, enrolled: Enrolled) -> None:
    credential = credential_of(enrolled)
    for _ in range(2):
        actions.revoke_credential(credential.id, actor=cast.engineer, reason="leaked")
    assert Outbox.objects.filter(event=Event.CREDENTIAL_REVOKED.value).count() == 1
    with pytest.raises(Refused):
        actions.revoke_credential(credential_of(enrolled).id, actor=cast.outsider, reason="x")


def test_revoking_a_key_ends_its_credentials(cast: Cast, enrolled: Enrolled) -> None:
    credential = credential_of(enrolled)
    actions.revoke_key(enrolled.agent.keys.get().id, actor=cast.engineer, reason="leaked")
    credential.refresh_from_db()
    assert credential.revoked_at is not None


def test_a_retired_agent_stays_retired(cast: Cast, enrolled: Enrolled) -> None:
    actions.retire(enrolled.agent.id, actor=cast.engineer, reason="replaced")
    with pytest.raises(AlreadySettled):
        actions.ask_to_reinstate(enrolled.agent.id, actor=cast.engineer, reason="x")


def test_a_second_key_lets_keys_change(cast: Cast, enrolled: Enrolled) -> None:
    fresh = keys.generate("Ed25519")
    actions.add_key(enrolled.agent.id, public_jwk=keys.public_jwk(fresh), actor=cast.engineer)
    again = Enrolled(enrolled.agent, fresh, enrolled.resource)
    assert credential_of(again).key.algorithm == "Ed25519"


def test_risk_is_recorded_where_it_changes(cast: Cast, enrolled: Enrolled) -> None:
    from accounts.actors import SYSTEM

    for _ in range(2):
        actions.set_risk(enrolled.agent.id, 40, because=["three denials"], actor=SYSTEM)
    assert Outbox.objects.filter(event=Event.AGENT_CHANGED.value).count() == 1


def test_a_resource_beyond_this_machine_takes_tls(cast: Cast, segment: Segment) -> None:
    with pytest.raises(Invalid, match="TLS"):
        actions.add_resource(
            "far", segment=segment, actor=cast.engineer, host="db.example.com", database="x", tls="off"
        )


def test_moving_a_resource_is_noted_only_when_it_moves(cast: Cast, resource: Resource) -> None:
    for _ in range(2):
        actions.change_resource(resource.id, actor=cast.engineer, host="/run/elsewhere")
    assert Outbox.objects.filter(event=Event.RESOURCE_CHANGED.value).count() == 1


def test_each_sees_their_own(cast: Cast, segment: Segment, enrolled: Enrolled) -> None:
    credential_of(enrolled)
    for person, sees in ((cast.owner, 1), (cast.ciso, 1), (cast.auditor, 1), (cast.reviewer, 0), (cast.outsider, 0)):
        assert visible_agents(person).count() == sees
        assert visible_credentials(person).count() == sees
        assert visible_segments(person).count() == sees
    assert [visible_resources(person).count() for person in (cast.owner, cast.outsider, cast.engineer)] == [1, 0, 1]


def test_reviewers_see_what_they_review(cast: Cast, segment: Segment, enrolled: Enrolled) -> None:
    actions.let_review(cast.dba, segment, actor=cast.administrator)
    assert (may_review(cast.reviewer, segment), may_review(cast.reviewer2, segment)) == (True, False)
    assert segments_reviewable_by(cast.reviewer) == {segment.id}
    assert visible_agents(cast.reviewer).get() == enrolled.agent
    with pytest.raises(Refused):
        actions.let_review(cast.security, segment, actor=cast.engineer)


def test_a_member_without_the_role_reviews_nothing(cast: Cast, segment: Segment) -> None:
    from accounts.actions import add_member

    add_member(cast.outsider, cast.dba, actor=cast.administrator)
    actions.let_review(cast.dba, segment, actor=cast.administrator)
    assert not may_review(cast.outsider, segment)
    assert segments_reviewable_by(cast.outsider) == set()


def test_reviewers_see_who_came_to_what_they_review(cast: Cast, resource: Resource, enrolled: Enrolled) -> None:
    elsewhere = actions.create_segment("payments", actor=cast.engineer)
    visitor = enrol(cast, elsewhere, resource, keys.generate("ES256"), name="refunds.production")
    actions.let_review(cast.dba, resource.segment, actor=cast.administrator)
    assert set(visible_agents(cast.reviewer)) == {enrolled.agent}
    credential_of(visitor)
    assert set(visible_agents(cast.reviewer)) == {enrolled.agent, visitor.agent}
    assert set(visible_segments(cast.reviewer)) == {resource.segment}
    assert visible_credentials(cast.reviewer).count() == 1
    assert not visible_agents(cast.outsider).exists()
