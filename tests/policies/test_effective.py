"""Everything an agent may do, asked of the engine that decides: nothing is told that it would not allow, or left out that it would."""

from __future__ import annotations

import time

import pytest

from policies.alike import Alike
from policies.decision import Ask, Verdict
from policies.effective import ASKABLE, ELSEWHERE, Effective, Place, effective, told
from policies.evaluate import Engine
from policies.parse import policies
from policies.world import AgentFacts, ResourceFacts, World
from tests.policies.worlds import AGENT, HELD, READS, WORLD, WRITES, engine

SHOP = Place("shop", frozenset({("public.customers", "email", "email"), ("public.customers", "ssn", "ssn")}))
FACTS = WORLD.agents[AGENT]
BY_TABLE = """
@id("orders") permit (principal in Function::"support", action in Action::"sql:read", resource == Resource::"shop")
when { context has tables && ["public.orders"].containsAll(context.tables) };
"""


def of(*rules: str, agent: AgentFacts = FACTS, place: Place = SHOP) -> Effective:
    return effective(engine(*rules), agent, [place])


def lines(found: Effective) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [(line.outcome.value, line.verbs, line.objects) for line in told(found.permissions)]


def test_what_is_allowed_and_what_is_held_with_whom_it_waits_for() -> None:
    found = of(READS, WRITES, HELD)
    assert lines(found) == [("allow", ("sql:read",), ()), ("hold", ("sql:write",), ())]
    held = told(found.permissions)[1]
    assert (held.policies, str(held.requirement)) == (("held",), "dba:2, security:1")


def test_nothing_is_told_where_nothing_is_permitted() -> None:
    assert of(HELD).permissions == ()
    assert of(READS, agent=WORLD.agents["report.staging"]).permissions == ()
    assert of('@id("never") forbid (principal, action, resource);', READS).permissions == ()


def test_a_policy_that_looks_at_tables_is_told_table_by_table() -> None:
    assert lines(of(BY_TABLE)) == [("allow", ("sql:read",), ("public.orders",))]
    but = BY_TABLE.replace('["public.orders"].containsAll(context.tables)', '!context.tables.contains("public.pay")')
    assert lines(of(but)) == [
        ("allow", ("sql:read",), ("any other table",)),
        ("allow", ("sql:read",), ("public.customers",)),  # apart, because something in it is masked
    ]


def test_a_policy_that_looks_at_tags_is_told_tag_by_tag() -> None:
    never = (
        '@id("never") forbid (principal, action, resource) when { context has tags && context.tags.contains("ssn") };'
    )
    assert lines(of(READS, never)) == [
        ("allow", ("sql:read",), ("public.customers", "any other table")),
        ("allow", ("sql:read",), ("public.customers, its email",)),
    ]
    column = never.replace(
        'tags && context.tags.contains("ssn")', 'columns && context.columns.contains("public.customers.ssn")'
    )
    assert lines(of(READS, column)) == lines(of(READS, never))


def test_what_is_read_stays_masked_but_for_what_every_permit_unmasks() -> None:
    unmask = READS.replace('@id("reads")', '@id("reads") @unmask("email") @limit("10")')
    (line,) = told(of(unmask).permissions)
    assert (line.masked, line.unmasked, line.limit) == (("ssn",), ("email",), 10)


def test_one_kind_of_credential_that_is_enough_is_enough() -> None:
    bearer = '@id("bearer") forbid (principal, action, resource) when { context has credential && context.credential == "bearer" };'
    assert lines(of(READS, bearer)) == [("allow", ("sql:read",), ())]


def test_what_only_an_action_can_say_is_named() -> None:
    claims = READS.replace(";", " when { context has on_behalf_of };")
    found = of(claims)
    assert (found.permissions, found.depends) == ((), {"shop": frozenset({"on_behalf_of"})})


def test_every_permission_is_one_that_the_engine_gives_for_that_table() -> None:
    """Held against the engine itself, verb by verb and table by table."""
    rules = [BY_TABLE, WRITES, HELD, READS.replace("reads", "staging").replace("support", "report")]
    found = of(*rules)
    decide = engine(*rules).decide
    for verb in ASKABLE:
        for table in ("public.orders", "public.customers", ELSEWHERE):
            context = {"tables": frozenset({table}), "where": True}
            verdict = decide(Ask(AGENT, frozenset({verb}), "shop", context)).verdict
            here = {one.outcome for one in found.permissions if one.verb == verb and one.table in {table, ""}}
            assert here == ({verdict} if verdict is not Verdict.DENY else set()), (verb, table)


# ---- agents that policies cannot tell apart ----
def crowd(many: int) -> list[AgentFacts]:
    return [
        AgentFacts(f"worker-{n}.production", f"worker-{n}", "production", f"s{n % 8}", f"Job {n}") for n in range(many)
    ]


@pytest.mark.parametrize(
    ("rule", "kinds"),
    [
        ("permit (principal, action, resource);", 2),
        ('permit (principal in Function::"worker-1", action, resource);', 3),
        ('permit (principal == Agent::"worker-2.production", action, resource);', 3),
        ('permit (principal, action, resource) when { principal in Function::"worker-3" };', 3),
        ('permit (principal, action, resource) when { principal.name == "x" };', 10),
        ('permit (principal, action, resource) when { context has purpose && context.purpose == "Job 1" };', 10),
        ('permit (principal, action, resource) when { principal.environment == "production" };', 2),
    ],
)
def test_agents_are_one_kind_where_no_policy_tells_them_apart(rule: str, kinds: int) -> None:
    agents = [
        AgentFacts(one.name, one.function, one.environment, f"s{n % 2}", one.purpose) for n, one in enumerate(crowd(10))
    ]
    found = Alike(policies(f'@id("one") {rule}')).kinds(agents)
    assert len(found) == kinds
    assert sorted(name for kind in found for name in kind.names) == sorted(one.name for one in agents)


def test_one_of_a_kind_speaks_for_all_of_them() -> None:
    agents, resource = crowd(40), ResourceFacts("shop", "postgres", "s1")
    rules = policies(
        '@id("own") permit (principal in Segment::"s1", action in Action::"sql:read", resource in Segment::"s1");'
        '@id("job") permit (principal, action == Action::"sql:insert", resource) when { context has purpose && context.purpose == "Job 7" };'
        '@id("no") forbid (principal == Agent::"worker-9.production", action, resource);'
    )
    decide = Engine(rules, World.of(agents, [resource]), version=1, snapshot="")
    for kind in Alike(rules).kinds(agents):
        spoken = effective(decide, kind.one, [SHOP]).permissions
        for name in kind.names:
            facts = next(one for one in agents if one.name == name)
            assert effective(decide, facts, [SHOP]).permissions == spoken, name


def test_where_no_permit_can_match_nothing_need_be_asked() -> None:
    alike = Alike(policies(READS))
    assert alike.may_meet(FACTS, WORLD.resources["shop"])
    assert not alike.may_meet(FACTS, WORLD.resources["attic"])
    assert not alike.may_meet(WORLD.agents["report.staging"], WORLD.resources["shop"])


def test_ten_thousand_agents_are_sorted_by_kind_in_a_moment() -> None:
    alike, agents = Alike(policies(READS)), crowd(10_000)
    began = time.process_time()
    assert len(alike.kinds(agents)) == 8
    assert time.process_time() - began < 1.0
