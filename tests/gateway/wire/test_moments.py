"""What differs from one action to the next decides through the gate: time, network, age, risk, rows, what the session did."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import asyncpg
import psycopg
import pytest

from activity.models import Action, Question
from agents import actions as inventory
from agents.revision import current_revision
from ledger.entries import Actor
from policies import actions as policies
from policies import parse
from policies.again import decide_again
from policies.evaluate import Engine
from policies.models import PolicyVersion
from policies.question import Asked, identifier_of, read
from policies.source import statements
from tests.gateway.wire.world import POLICIES, World, eventually

READ = "SELECT name FROM customers WHERE id < 11"
ALL = "SELECT name FROM customers"


def forbid(condition: str) -> str:
    return f'@id("not-now") @why("Not now.") forbid (principal, action in Action::"sql:read", resource) when {{ {condition} }};'


@pytest.fixture(scope="module")
def world(standing_world: World) -> World:
    return standing_world


@contextmanager
def ruled_by(world: World, condition: str, text: str = "") -> Iterator[PolicyVersion]:
    """A version that forbids reads on that condition, or says `text`, in force at the gate."""
    cast, text = world.cast, text or f"{POLICIES}\n{forbid(condition)}"
    version = policies.propose(policies.draft(text, actor=cast.engineer).id, actor=cast.engineer)
    version = policies.activate(policies.approve(version.id, actor=cast.ciso).id, actor=cast.engineer)
    with world.connect() as connection:
        assert eventually(lambda: _decides(version, connection))
    yield version


def _decides(version: PolicyVersion, connection: psycopg.Connection[object]) -> bool:
    says(connection, "SELECT 1")
    return Action.objects.filter(policy_version=version.number).exists()


def says(connection: psycopg.Connection[object], statement: str = READ) -> str:
    """`allowed`, or the first line of why not."""
    try:
        connection.execute(statement)
    except psycopg.Error as error:
        return str(error).splitlines()[0]
    return "allowed"


@pytest.mark.parametrize(
    ("condition", "statement", "denied"),
    [
        ("context has time && context.time.hour >= 0", READ, True),
        ('context has time && context.time.now < datetime("2026-01-01")', READ, False),
        ('context has time && context.time.weekday like "*day"', READ, True),
        ('context has source && !context.source.isInRange(ip("10.0.0.0/8"))', READ, True),
        ("context has source && !(context.source.isLoopback())", READ, False),
        ('context has credential_age && context.credential_age > duration("9m")', READ, False),
        ('context has credential_age && context.credential_age >= duration("0s")', READ, True),
        ("context has rows_estimated && context.rows_estimated > 50", "SELECT name FROM customers WHERE id = 7", False),
        ("context has rows_estimated && context.rows_estimated > 50", ALL, True),
        ('context has risk && context.risk.band == "quiet"', READ, True),
        ("context has risk && context.risk.score > 50", READ, False),
        ('context has credential && context.credential == "bearer"', READ, True),
        ('context has environment && context.environment == "staging"', READ, False),
        ('context has purpose && context.purpose == "Answers customers"', READ, True),
        ('context has claimed && context.claimed has purpose && context.claimed.purpose == "ticket 7"', READ, True),
        ("context has on_behalf_of", READ, False),
        ('context has shape && context.shape like "*"', READ, True),
        ("context has session && context.session.rows > 1000", READ, False),
    ],
)  # fmt: skip
def test_a_statement_is_decided_by_it(world: World, condition: str, statement: str, denied: bool) -> None:
    with (
        ruled_by(world, condition) as version,
        world.connect(password=world.token(purpose="ticket 7")) as connection,
    ):
        said = says(connection, statement)
        assert ("Not now." in said, said == "allowed") == (denied, not denied)
    action = Action.objects.filter(policy_version=version.number).latest("asked_at")
    text = Question.objects.get(id=str(action.question_id)).text
    asked = read(text)
    assert identifier_of(text) == str(action.question_id)
    again = Engine.build(version.text, asked.world, version=version.number).decide(asked.ask)
    assert (again.verdict, list(again.policies)) == (action.decision, action.policies)


def test_a_statement_is_decided_by_the_parts_that_it_touches(world: World) -> None:
    """A permit of the orders alone, beside it one of the log but for a tagged column; what was kept of each decides it again."""
    inventory.confirm_tag(
        world.resource.id, table="log", column="line", tag="secret", lookup=False, actor=world.cast.engineer
    )
    reads = 'principal in Function::"support", action in Action::"sql:read"'
    text = f"""
    @id("orders") permit ({reads}, resource == Table::"shop/public.orders");
    @id("log") permit ({reads}, resource == Table::"shop/public.log");
    @id("no-secrets") @why("Not that column.") forbid ({reads}, resource is Column) when {{ resource.tags.contains("secret") }};
    @id("one") permit ({reads}, resource == Resource::"shop") when {{ context has tables && context.tables.isEmpty() }};
    """
    with ruled_by(world, "", text) as version, world.connect() as connection:
        assert says(connection, "SELECT id FROM orders WHERE id = 1") == "allowed"
        assert says(connection, "SELECT l.id FROM orders o JOIN log l ON l.id = o.id") == "allowed"
        assert "sql:select (public.customers) at shop" in says(connection, "SELECT o.id FROM orders o, customers c")
        assert "Not that column." in says(connection, "SELECT line FROM log")
        assert "Not that column." in says(connection, "SELECT l FROM log l")
    actions = list(Action.objects.filter(policy_version=version.number, tables__contains=["public.log"]))
    assert [decide_again(one).agrees for one in actions] == [True] * 3
    with ruled_by(world, "context has risk && context.risk.score > 50"):
        pass  # the next tests ask for other tables


def test_a_statement_is_decided_by_its_parameters_in_whatever_form_they_come(world: World) -> None:
    """A number that psycopg declares and writes, one that asyncpg leaves open, and forms that cannot be read."""
    over = "!(context has args && context.args has p1 && context.args.p1 <= 50)"
    text = "SELECT name FROM customers WHERE id = "
    with ruled_by(world, over) as version, world.connect() as connection:
        assert [_with(connection, f"{text}%s", one) for one in (7, 99)] == ["allowed", "denied"]
        assert [_with(connection, f"{text}%b", one) for one in (7, 99)] == ["allowed", "denied"]
        assert [_with(connection, f"{text}%s", one) for one in ("7", "seven")] == ["allowed", "denied"]
        assert [_with(connection, f"{text}{one}") for one in (7, 99)] == ["denied"] * 2  # no parameter, so nobody knows
        assert asyncio.run(_asyncpg(world, world.token(), f"{text}$1", (7, 99))) == ["allowed", "denied"]
        action = Action.objects.filter(policy_version=version.number, decision="allow").latest("asked_at")
        asked = read_question(action)
        assert asked.ask.context["args"] == {"count": 1, "p1": 7}
    with (
        ruled_by(world, 'context has args && context.args has p2 && context.args.p2 == "x"'),
        world.connect() as connection,
    ):
        assert _with(connection, f"{text}%s AND name <> %s", 7, "x") == "denied"
        assert _with(connection, f"{text}%s AND name <> %s", 7, "y") == "allowed"
        action = Action.objects.latest("asked_at", "number")
        assert read_question(action).ask.context["args"] == {
            "count": 2,
            "p2": "y",
        }  # what no policy looks at is not kept


def read_question(action: Action) -> Asked:
    """What an action was decided by."""
    return read(Question.objects.get(id=str(action.question_id)).text)


def _with(connection: psycopg.Connection[object], statement: str, *parameters: object) -> str:
    try:
        connection.execute(statement.encode(), parameters)
    except psycopg.Error:
        return "denied"
    return "allowed"


async def _asyncpg(world: World, token: str, statement: str, parameters: tuple[int, ...]) -> list[str]:
    connection = await asyncpg.connect(
        host="localhost", port=world.port, user=world.agent.name, password=token, database="shop",
        ssl=ssl.create_default_context(cafile=str(world.ca)),
    )  # fmt: skip
    found = []
    for one in parameters:
        try:
            await connection.fetch(statement, one)
            found.append("allowed")
        except asyncpg.PostgresError:
            found.append("denied")
    await connection.close()
    return found


def test_a_session_is_cut_short_once_it_has_read_enough(world: World) -> None:
    enough = "context has session && (context.session.rows >= 20 || context.session.actions >= 9)"
    with ruled_by(world, enough), world.connect() as connection:
        assert [says(connection) for _ in range(2)] == ["allowed"] * 2
        assert "Not now." in says(connection)
        with world.connect() as other, suppress(psycopg.Error), other.pipeline():  # what is on its way counts
            for _ in range(3):
                other.execute(READ)
        last = Action.objects.order_by("-asked_at", "-number")[:3]
        assert [one.decision for one in last] == ["deny", "allow", "allow"]


def test_what_the_planner_cannot_say_is_denied(world: World) -> None:
    with (
        ruled_by(world, "context has rows_estimated && context.rows_estimated > 50"),
        world.connect() as connection,
    ):
        assert "planner cannot say" in says(connection, "SELECT 1; SELECT 2")


def test_an_agent_whose_risk_rises_is_denied_without_a_new_snapshot(world: World) -> None:
    with ruled_by(world, "context has risk && context.risk.score >= 60"), world.connect() as connection:
        assert says(connection) == "allowed"
        revision = current_revision()
        actor = Actor(kind="system", id="detector", name="detector")
        inventory.set_risk(world.agent.id, 61, because=["A test."], actor=actor)
        assert eventually(lambda: "Not now." in says(connection))
        assert current_revision() == revision
        inventory.set_risk(world.agent.id, 0, because=["Over."], actor=actor)
        assert eventually(lambda: says(connection) == "allowed")


def test_what_waits_to_come_into_force_is_read_ahead_where_another_release_wrote_its_plan(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{POLICIES}\n{forbid('context has time && context.time.hour == 25')}"
    policies.propose(policies.draft(text, actor=world.cast.engineer).id, actor=world.cast.engineer)
    own = [statement.text for statement in statements(text)][-1]
    monkeypatch.setattr("policies.plan.made_by", lambda: "another release")
    parse._known.pop(own, None)  # the console read it when it was proposed, and is this same process
    assert eventually(lambda: own in parse._known)
