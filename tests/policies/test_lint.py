"""What is allowed to be written and is probably not meant is told, each with its sentence; what is meant is left in peace."""

from __future__ import annotations

import pytest

from accounts.quorum import Seat
from policies.lint import Kind, People, _verbs, lint, seats_of
from policies.parse import policies
from policies.world import AgentFacts, World
from tests.policies.worlds import HELD, READS, WORLD, WRITES

ENOUGH = [Seat("a", frozenset({"dba"})), Seat("b", frozenset({"dba"})), Seat("c", frozenset({"security"}))]
WIDE = '@id("wide") permit (principal, action in Action::"sql:read", resource in Segment::"staging");'
REPORTS = '@id("reports") permit (principal in Function::"report", action in Action::"sql:read", resource in Segment::"staging");'


def found(*text: str, people: People | None = None, world: World = WORLD) -> list[tuple[Kind, str]]:
    return [(one.kind, one.policy) for one in lint(policies("\n".join(text)), world, people)]


def test_what_is_meant_is_left_in_peace() -> None:
    assert found(READS, WRITES, HELD, REPORTS, people=People(ENOUGH, {"z": 3})) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('@id("x") permit (principal in Function::"nobody", action, resource == Resource::"shop");', Kind.UNREACHABLE),
        ('@id("x") forbid (principal, action, resource == Resource::"nowhere");', Kind.UNREACHABLE),
        (
            '@id("x") permit (principal == Agent::"gone.production", action, resource in Segment::"production");',
            Kind.UNREACHABLE,
        ),
        ('@id("x") permit (principal, action in Action::"sql:read", resource == Resource::"shop");', Kind.WIDE),
        ('@id("x") permit (principal in Function::"support", action, resource);', Kind.WIDE),
        (
            '@id("x") permit (principal is Agent, action, resource == Resource::"shop") when { context has tables };',
            Kind.WIDE,
        ),
    ],
)
def test_each_kind_is_found(text: str, kind: Kind) -> None:
    assert (kind, "x") in found(text, READS, REPORTS)


@pytest.mark.parametrize(
    ("forbid", "beaten"),
    [
        ('forbid (principal, action, resource == Resource::"shop");', True),
        (
            'forbid (principal in Segment::"production", action in Action::"sql:read", resource in Segment::"production");',
            False,
        ),
        (
            'forbid (principal in Function::"support", action == Action::"sql:select", resource in Segment::"production");',
            True,
        ),
        ('forbid (principal in Function::"report", action, resource);', False),
        ('forbid (principal, action in Action::"sql:write", resource);', False),
        ("forbid (principal, action, resource) when { context has where };", False),
        ('@hold("dba:1") forbid (principal, action, resource);', False),
    ],
)
def test_a_permit_that_a_forbid_always_beats(forbid: str, beaten: bool) -> None:
    assert ((Kind.BEATEN, "reads") in found(READS, f'@id("never") {forbid}')) is beaten


def test_agents_without_a_permit_are_counted_and_named() -> None:
    many = World.of(
        [AgentFacts(f"idle.test.{n:02}", "idle", "test", "test") for n in range(5)], WORLD.resources.values()
    )
    (finding,) = [one for one in lint(policies(REPORTS), many) if one.kind is Kind.IDLE]
    assert (
        finding.says
        == "5 agents have no policy that permits anything: idle.test.00, idle.test.01, idle.test.02 and 2 more."
    )
    assert (Kind.IDLE, "") not in found('@id("x") permit (principal, action, resource);')
    assert (Kind.IDLE, "") in found('@id("x") forbid (principal, action, resource);')


def test_holds_that_nobody_could_approve() -> None:
    few = People(seats_of([("a", "dba"), ("a", "security"), ("b", "dba")]))
    assert (Kind.HOPELESS, "held") in found(WRITES, HELD, people=few)
    assert (Kind.HOPELESS, "held") not in found(WRITES, HELD, people=People(ENOUGH))
    assert (Kind.OWN, "held") in found(WRITES, HELD, people=People(ENOUGH, {"c": 2}))
    assert (Kind.OWN, "held") not in found(
        WRITES, HELD, people=People([*ENOUGH, Seat("d", frozenset({"security"}))], {"c": 2})
    )


def test_seats_join_the_groups_of_one_person() -> None:
    assert seats_of([("b", "x"), ("a", "x"), ("b", "y")]) == [
        Seat("a", frozenset({"x"})),
        Seat("b", frozenset({"x", "y"})),
    ]


def test_ten_thousand_policies_take_moments() -> None:
    """Each is looked at beside those that could hold it, not beside all: it was hours."""
    pieces = "".join(
        f'@id("a{n}") permit (principal in Function::"f{n}", action, resource == Resource::"shop");\n'
        f'@id("b{n}") forbid (principal in Function::"f{n}", action == Action::"sql:ddl", resource == Resource::"shop");\n'
        for n in range(1_000)
    )
    rules = policies(pieces)
    before = _verbs.cache_info()
    lint(rules, WORLD)
    after = _verbs.cache_info()
    assert after.hits + after.misses - before.hits - before.misses <= 4 * len(rules)


def test_thousands_of_one_kind_leave_room_for_another() -> None:
    many = "".join(
        f'@id("n{place:03}") permit (principal in Function::"f{place}", action, resource == Resource::"shop");\n'
        for place in range(100)
    )
    told = lint(policies(many + WIDE), WORLD)
    alike = [one for one in told if one.kind is Kind.UNREACHABLE]
    assert (len(alike), alike[0].policy, alike[-1].policy) == (26, "n000", "")
    assert alike[-1].says == "The same goes for 75 more policies."
    assert (Kind.WIDE, "wide") in [(one.kind, one.policy) for one in told]
