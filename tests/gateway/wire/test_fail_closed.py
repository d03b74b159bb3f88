"""Nothing is allowed by what is missing or broken: each way there is, looked at from where an agent stands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import transaction

from activity.models import Action
from agents.revision import bump_revision
from policies import actions as policies
from policies.evaluate import Ask, Code, Verdict
from policies.models import PolicyVersion
from tests.gateway.wire.doors import client, served
from tests.gateway.wire.world import POLICIES, World, eventually
from tests.policies.worlds import changed

READ = "SELECT name FROM customers WHERE id = 7"
OVERFLOWS = '@id("overflows") forbid (principal, action in Action::"sql:write", resource) when { context has where && context.where && 9223372036854775807 + 1 > 0 };'
FRESH = '@id("fresh") @why("Stale.") forbid (principal, action, resource) when { context has credential_age && context.credential_age > duration("5m") };'


@pytest.fixture(scope="module")
def world(standing_world: World) -> World:
    return standing_world


def says(world: World, statement: str = READ, **how: str) -> str:
    """`allowed`, or why not."""
    try:
        with world.connect(**how) as connection:
            connection.execute(statement)
    except psycopg.Error as error:
        return str(error)
    return "allowed"


@contextmanager
def active_is(**fields: object) -> Iterator[None]:
    """The version in force as somebody with the database in hand made it, or another one; afterwards as it was."""
    before = PolicyVersion.objects.get(status="active")
    kept = {name: getattr(before, name) for name in fields}
    _write(before, fields)
    try:
        yield
    finally:
        _write(before, kept)


def _write(version: PolicyVersion, fields: dict[str, object]) -> None:
    with transaction.atomic():
        changed(version, **fields)
        bump_revision()


@contextmanager
def ruled_by(world: World, text: str) -> Iterator[None]:
    """A version of that text, approved and in force; afterwards the one before it."""
    cast, before = world.cast, PolicyVersion.objects.get(status="active")
    made = policies.propose(policies.draft(text, actor=cast.engineer).id, actor=cast.engineer)
    made = policies.activate(policies.approve(made.id, actor=cast.ciso).id, actor=cast.engineer)
    assert eventually(lambda: decides(world, made))
    try:
        yield
    finally:
        policies.rollback(before.number, actor=cast.engineer, reason="The test is over.")
        assert eventually(lambda: decides(world, before))


def decides(world: World, version: PolicyVersion) -> bool:
    """Whether the gate decides by that version."""
    says(world)
    return Action.objects.latest("asked_at").policy_version == version.number


def test_no_bundle_denies(world: World) -> None:
    with active_is(status="retired"):
        assert eventually(lambda: "No version of the policies is active" in says(world))
    assert eventually(lambda: says(world) == "allowed")


def test_an_empty_bundle_denies(world: World) -> None:
    with ruled_by(world, "// Nothing.\n"):
        assert "There is no policy, so nothing is allowed" in says(world)
    assert says(world) == "allowed"


@pytest.mark.parametrize("field", ["text", "signature", "approval"])
def test_a_corrupt_bundle_denies(world: World, field: str) -> None:
    with active_is(**{field: "permit (principal, action, resource);"}):
        assert eventually(lambda: "The active policies cannot be used" in says(world))
    assert eventually(lambda: says(world) == "allowed")


def test_an_unknown_entity_is_denied(world: World) -> None:
    assert says(world, user="nobody.production") != "allowed"
    assert says(world, dbname="nowhere") != "allowed"


@pytest.mark.parametrize("statement", ["SECURITY LABEL ON TABLE customers IS 'x'", "LOAD 'x'", "SELEKT 1", "DO 'x'"])
def test_an_unknown_action_is_denied(world: World, statement: str) -> None:
    assert says(world, statement) != "allowed"
    assert Action.objects.latest("asked_at").decision == "deny"


def test_an_oversized_context_is_denied(world: World) -> None:
    with served(world) as address, client(world, address) as http:
        answer = http.post(
            "/v1/actions",
            json={
                "operation": "payments.transfer",
                "arguments": {"amount": 1, "notes": [str(n) for n in range(4_100)]},
            },
            headers={"Authorization": f"Bearer {world.token()}", "Idempotency-Key": "oversized"},
        )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")  # no door lets so much in
    engine = world.gateway.service._watch.current().engine
    large = Ask(world.agent.name, frozenset({"sql:select"}), "shop", {"tables": [f"t{n}" for n in range(4_100)]})
    assert (engine.decide(large).verdict, engine.decide(large).code) == (Verdict.DENY, Code.OVERSIZED_CONTEXT)


def test_an_error_in_evaluating_denies(world: World) -> None:
    with ruled_by(world, f"{POLICIES}\n{OVERFLOWS}"):
        assert "could not be evaluated" in says(world, "UPDATE orders SET note = 'x' WHERE id = 1")
        assert says(world) == "allowed"


def test_a_clock_that_jumps_allows_nothing_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock set back would make every credential fresh, one set on would make none: neither is believed."""
    now = time.time
    with ruled_by(world, f"{POLICIES}\n{FRESH}"), world.connect() as connection:
        connection.execute(READ)
        for jump in (-3600, 3600):
            monkeypatch.setattr(time, "time", lambda jump=jump: now() + jump)
            with pytest.raises(psycopg.Error):
                connection.execute("SELECT name FROM customers WHERE id = 8")
            monkeypatch.undo()
