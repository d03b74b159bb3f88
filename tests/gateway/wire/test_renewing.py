"""A live session and its credential: renewed in band, cut when it ends, stopped with everything, bound to what was delegated."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from activity.models import Action, Session
from agents import actions as inventory
from agents import closing_actions, exchange, halt_actions, keys, tokens
from agents.delegation_actions import delegate, end_delegation
from agents.models import Delegation
from gateway.postgres.renewing import token_in
from gateway.postgres.session import Session as Live
from ledger.events import Event
from ledger.models import Outbox
from tests.gateway.wire.world import World, eventually, proven, token_request


def live(world: World) -> Live:
    (session,) = (session for _, session in world.gateway.service._sessions.values())
    return session


def on_the_loop(world: World, work: Callable[[], None]) -> None:
    async def run() -> None:
        work()
        await asyncio.sleep(0)

    world.gateway.run(run())


def expire(world: World, in_seconds: float) -> None:
    """Have the session's credential end then."""
    session = live(world)
    eventually(lambda: session._clock is not None)

    def change() -> None:
        session.caller = replace(session.caller, expires=time.time() + in_seconds)
        assert session._clock is not None
        session._clock.cancel()
        session._end_in_time()

    on_the_loop(world, change)


def test_a_session_is_renewed_by_set_and_the_token_is_nowhere(world: World) -> None:
    with world.connect() as connection:
        before = Session.objects.get().credential_id
        fresh = world.token()
        connection.execute(f"SET narrowgate.token = '{fresh}'")
        assert live(world).caller.credential_id != before
        assert connection.execute("SELECT name FROM customers WHERE id = 7").fetchone() == ("Name 7",)
        action = eventually(lambda: Action.objects.filter(verb="sql:select").last())
        assert action is not None
        assert action.credential_id == live(world).caller.credential_id
        inventory.revoke_credential(before, actor=world.cast.engineer, reason="An old one.")
        assert connection.execute("SELECT 1").fetchone() == (1,)
    leaves = [bytes(entry.leaf).decode() for entry in Outbox.objects.all()]
    assert sum(json.loads(leaf)["event"] == Event.SESSION_RENEWED for leaf in leaves) == 1
    assert not any(fresh in leaf for leaf in leaves)
    assert not Action.objects.filter(shown__contains=fresh[:40]).exists()


def test_psql_renews_too(world: World) -> None:
    done = world.psql("-Atc", f"SET narrowgate.token TO '{world.token()}';", "-c", "SELECT 1")
    assert (done.stdout, done.stderr) == ("SET\n1\n", "")


def test_a_token_that_does_not_fit_renews_nothing(world: World) -> None:
    key = keys.generate("ES256")
    other = inventory.enrol(
        "billing.production", purpose="Bills", segment=world.segment, owner=world.cast.owner,
        public_jwk=keys.public_jwk(key), actor=world.cast.engineer,
    )  # fmt: skip
    with world.connect() as connection:
        kept = live(world).caller.credential_id
        for token in (
            "nonsense",
            tokens.issue(token_request(other, key)).access_token,
            world.token(networks="192.0.2.0/24"),
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(f"SET narrowgate.token = '{token}'")
        assert live(world).caller.credential_id == kept
        assert connection.execute("SELECT 1").fetchone() == (1,)
    denied = Action.objects.filter(status="denied")
    assert denied.count() == 3
    assert all("narrowgate.token" in action.shown and "eyJ" not in action.shown for action in denied)


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1; SET narrowgate.token = 'a.b.c'", "SET narrowgate.token = E'a'", "SET LOCAL narrowgate.token = 'a'"],
)
def test_in_any_other_form_it_is_a_setting_that_nobody_may_set(sql: str) -> None:
    assert token_in(sql) is None


def test_a_session_is_cut_when_its_credential_ends(world: World) -> None:
    with world.connect() as connection:
        expire(world, 0.3)
        eventually(lambda: not world.gateway.service._sessions)
        with pytest.raises(psycopg.OperationalError, match="credential of this session has expired"):
            connection.execute("SELECT 1")


def test_a_statement_that_runs_is_cancelled_then(world: World) -> None:
    connection = world.connect()
    expire(world, 0.5)
    with pytest.raises(psycopg.OperationalError, match="has expired"):
        connection.execute(
            "SELECT count(*) FROM customers a, customers b, customers c, customers d, customers e, customers f"
        )
    connection.close()
    with world.target() as target:
        running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'shop_gate' AND state = 'active'"
        eventually(lambda: target.execute(running).fetchone() == (0,))


def test_everything_stopped_ends_what_is_live_and_lets_nobody_in(world: World) -> None:
    token = world.token()
    with world.connect() as connection:
        halt_actions.halt(actor=world.cast.ciso, reason="Drill.")
        eventually(lambda: not world.gateway.service._sessions, within=1.0)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match=r"Everything is stopped|was revoked"):
        world.connect(password=token)
    halt_actions.ask_to_lift(actor=world.cast.ciso, reason="Over.")
    halt_actions.lift(actor=world.cast.engineer)
    eventually(lambda: not world.gateway.service._watch.current().halted)
    with pytest.raises(psycopg.OperationalError, match="revoked"):
        world.connect(password=token)
    world.connect().close()


def delegated(world: World) -> tuple[Delegation, str]:
    """The owner lets the agent read for an hour, and a token that says so."""
    granted = delegate(
        world.agent.id, resource=world.resource, purpose="My ticket", life=timedelta(hours=1), verbs=["sql:select"],
        actor=world.cast.owner,
    )  # fmt: skip
    form: dict[str, Any] = {
        "grant_type": exchange.GRANT_TYPE, "subject_token": str(granted.id), "subject_token_type": exchange.DELEGATION,
        "resource": "shop",
    }  # fmt: skip
    return granted, tokens.issue(tokens.TokenRequest(**proven(world.agent, world.key), **form)).access_token


def test_an_account_that_is_closed_ends_what_agents_do_for_it(world: World) -> None:
    _, token = delegated(world)
    with world.connect(password=token) as connection, world.connect() as its_own:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        closing_actions.deactivate(world.cast.owner, actor=world.cast.administrator)
        eventually(lambda: len(world.gateway.service._sessions) == 1)
        with pytest.raises(psycopg.OperationalError, match="was revoked"):
            connection.execute("SELECT 1")
        assert its_own.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="revoked"):
        world.connect(password=token)


def test_a_delegation_is_kept_to_and_ends_what_it_began(world: World) -> None:
    granted, token = delegated(world)
    with world.connect(password=token) as connection:
        assert live(world).caller.acts_for == world.cast.owner.username
        assert connection.execute("SELECT name FROM customers WHERE id = 7").fetchone() == ("Name 7",)
        with pytest.raises(psycopg.Error, match="good for sql:select alone, and this is sql:update"):
            connection.execute("UPDATE log SET line = 'x' WHERE id = 1")
        end_delegation(granted.id, actor=world.cast.owner, reason="Done.")
        eventually(lambda: not world.gateway.service._sessions)
