"""Policies of a resource's parts: each part that is touched has to be permitted, and none of them, nor what it lies in, forbidden."""

from __future__ import annotations

import pytest

from policies import parts
from policies.check import check
from policies.decision import Ask, Code, Decision, Verdict
from policies.difference import where
from policies.effective import Place, effective, told
from policies.lint import Kind, lint
from policies.parse import policies
from policies.trial import not_kept
from tests.policies.worlds import AGENT, WORLD, ask, engine

ORDERS = '@id("orders") permit (principal, action in Action::"sql:read", resource == Table::"shop/public.orders");'
AUDIT = '@id("audit") permit (principal, action in Action::"sql:read", resource in Schema::"shop/audit");'
WHOLE = '@id("whole") permit (principal, action in Action::"sql:read", resource == Resource::"shop");'
NO_SSN = '@id("no-ssn") forbid (principal, action, resource is Column in Resource::"shop") when { resource.tags.contains("ssn") };'
NO_PAY = '@id("no-pay") forbid (principal, action, resource == Table::"shop/hr.pay");'
HELD_PAY = """@id("held-pay") @hold("dba:1") forbid (principal, action, resource == Table::"shop/hr.pay")
unless { context has approval };"""


def asked(*policies: str, tables: tuple[str, ...] = (), verb: str = "sql:select", **context: object) -> Decision:
    return engine(*policies).decide(Ask(AGENT, frozenset({verb}), "shop", {"tables": frozenset(tables), **context}))


def test_a_permit_of_one_table_allows_nothing_that_touches_another() -> None:
    assert asked(ORDERS, tables=("public.orders",)).policies == ("orders",)
    decision = asked(ORDERS, tables=("public.orders", "public.customers"))
    assert (decision.verdict, decision.code) == (Verdict.DENY, Code.NO_MATCH)
    assert "sql:select (public.customers) at shop" in decision.why
    assert asked(ORDERS, tables=("public.orders",), verb="sql:delete").code is Code.NO_MATCH
    assert (
        engine(ORDERS).decide(ask("sql:select", resource="attic", tables=frozenset({"public.orders"}))).code
        is Code.NO_MATCH
    )


def test_a_column_needs_its_table_though_nobody_names_that() -> None:
    assert asked(ORDERS, columns=frozenset({"public.orders.id"})).verdict is Verdict.ALLOW
    assert asked(ORDERS, columns=frozenset({"public.customers.id"})).code is Code.NO_MATCH


def test_a_refusal_names_each_table_once() -> None:
    columns = frozenset({"public.customers.a", "public.customers.b", "public.orders.id"})
    decision = asked(ORDERS, NO_SSN, tables=("public.customers", "public.orders"), columns=columns)
    assert decision.why == f"No policy allows {AGENT} to do sql:select (public.customers) at shop."


def test_what_touches_no_part_needs_a_permit_of_the_whole() -> None:
    assert asked(ORDERS).code is Code.NO_MATCH
    assert asked(ORDERS, WHOLE).policies == ("whole",)


def test_what_arranges_the_session_goes_with_a_permit_of_a_part() -> None:
    assert asked(ORDERS, verb="sql:session").policies == ("orders",)
    assert asked(NO_PAY, verb="sql:session").code is Code.NO_MATCH


def test_several_permits_cover_several_parts_together() -> None:
    decision = asked(ORDERS, AUDIT, tables=("public.orders", "audit.a", "audit.b"))
    assert (decision.verdict, set(decision.policies)) == (Verdict.ALLOW, {"orders", "audit"})
    assert asked(ORDERS, AUDIT, tables=("public.orders", "audited.a")).code is Code.NO_MATCH


def test_a_forbid_of_a_part_beats_a_permit_of_the_whole() -> None:
    assert asked(WHOLE, NO_PAY, tables=("public.orders",)).verdict is Verdict.ALLOW
    assert asked(WHOLE, NO_PAY, tables=("public.orders", "hr.pay")).policies == ("no-pay",)
    never = '@id("never") forbid (principal, action, resource == Resource::"shop");'
    assert asked(ORDERS, never, tables=("public.orders",)).policies == ("never",)


def test_a_hold_of_a_part_holds_the_action() -> None:
    decision = asked(WHOLE, HELD_PAY, tables=("public.orders", "hr.pay"))
    assert (decision.verdict, decision.policies, str(decision.requirement)) == (Verdict.HOLD, ("held-pay",), "dba:1")
    assert asked(ORDERS, HELD_PAY, tables=("hr.pay",)).verdict is Verdict.DENY  # nobody permits it


def test_a_tag_is_unmasked_only_where_every_permit_of_every_part_unmasks_it() -> None:
    unmasks = '@id("u") @unmask("email") permit (principal, action, resource in Schema::"shop/public");'
    tables = ("public.customers",)
    assert asked(unmasks, tables=tables).unmask == {"email"}
    assert asked(unmasks, AUDIT, tables=(*tables, "audit.a")).unmask == frozenset()
    assert asked(unmasks, WHOLE, tables=tables).unmask == frozenset()


def test_a_columns_tags_decide() -> None:
    columns = frozenset({"public.customers.a", "public.customers.b"})
    assert (
        asked(WHOLE, NO_SSN, columns=columns, tagged=frozenset({"public.customers.a email"})).verdict is Verdict.ALLOW
    )
    decision = asked(WHOLE, NO_SSN, columns=columns, tagged=frozenset({"public.customers.b ssn"}))
    assert decision.policies == ("no-ssn",)


def test_a_function_touches_more_than_it_names() -> None:
    anything = '@id("any") permit (principal, action, resource == Table::"shop/public.orders");'
    both = ask("sql:select", "sql:call", tables=frozenset({"public.orders"}))
    assert engine(anything).decide(both).code is Code.NO_MATCH
    assert engine(anything, NO_PAY).decide(ask("sql:call", tables=frozenset({"hr.pay"}))).policies == ("no-pay",)


@pytest.mark.parametrize("name", ["a.b.c", "orders", "", ".", "a.", ".b"])
def test_a_name_that_can_be_read_in_two_ways_denies(name: str) -> None:
    assert asked(WHOLE, NO_PAY, tables=(name,)).code is Code.MALFORMED_REQUEST
    assert asked(WHOLE, tables=(name,)).verdict is Verdict.ALLOW  # no policy asks about parts


def test_an_error_in_a_policy_of_a_part_denies() -> None:
    broken = '@id("b") forbid (principal, action, resource is Table) when { context has where && context.where && 9223372036854775807 + 1 > 0 };'
    assert asked(WHOLE, broken, tables=("public.orders",), where=True).code is Code.EVALUATION_ERROR
    assert asked(WHOLE, broken, tables=("public.orders",), where=False).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("policy", "verb", "context", "verdict"),
    [
        ('permit (principal, action, resource in Path::"shop/var/log")', "ssh:read", {"args": {"path": "/var/log/a/b"}}, "allow"),
        ('permit (principal, action, resource in Path::"shop/var/log")', "ssh:read", {"args": {"path": "/var/logs"}}, "deny"),
        ('permit (principal, action, resource in Path::"shop/")', "ssh:write", {"args": {"path": "/"}}, "allow"),
        ('permit (principal, action, resource in Path::"shop/")', "ssh:write", {"args": {"path": "/a/../b"}}, "deny"),
        ('permit (principal, action, resource in Path::"shop/")', "ssh:exec", {"operation": "cat"}, "deny"),
        ('permit (principal, action, resource is Path in Path::"shop/var") when { resource.name like "*.log" }', "ssh:read", {"args": {"path": "/var/a.log"}}, "allow"),
        ('permit (principal, action, resource is Path in Path::"shop/var") when { resource.name like "*.log" }', "ssh:read", {"args": {"path": "/var/x.log/y"}}, "deny"),
        ('permit (principal, action, resource == Operation::"shop/createParcel")', "http:write", {"operation": "createParcel"}, "allow"),
        ('permit (principal, action, resource == Operation::"shop/createParcel")', "http:write", {"operation": "deleteParcel"}, "deny"),
        ('permit (principal, action, resource == Operation::"shop/pay.out")', "app:call", {"operation": "pay.out"}, "allow"),
        ('permit (principal, action, resource == Tool::"shop/till/refund")', "mcp:call", {"operation": "till/refund"}, "allow"),
        ('permit (principal, action, resource == Tool::"shop/refund")', "mcp:prompt", {"operation": "refund"}, "deny"),
        ('permit (principal, action, resource is Tool) unless { resource.name == "refund" }', "mcp:call", {"operation": "refund"}, "deny"),
    ],
)  # fmt: skip
def test_hosts_apis_and_tool_servers_have_parts(
    policy: str, verb: str, context: dict[str, object], verdict: str
) -> None:
    assert engine(f'@id("a") {policy};').decide(Ask(AGENT, frozenset({verb}), "shop", context)).verdict == verdict


@pytest.mark.parametrize(
    ("policy", "wrong"),
    [
        ('permit (principal, action, resource == Table::"orders")', 'No Table can be called "orders".'),
        ('forbid (principal, action, resource in Schema::"shop/a.b")', 'No Schema can be called "shop/a.b".'),
        ('forbid (principal, action, resource == Path::"web/a/../b")', "No Path can be called"),
        ('forbid (principal, action, resource) when { resource in Table::"shop/a.b" }', "its head speaks of whole resources"),
        ("forbid (principal, action, resource) when { resource is Table }", "its head speaks of whole resources"),
        ('forbid (principal, action, resource in Schema::"shop/a") when { resource.name == "b" }', "its head does not say which"),
        ("permit (principal, action, resource is Column)", "A permit of columns permits nothing"),
        ('forbid (principal, action == Action::"ssh:exec", resource is Table)', "Nothing that ssh:exec does is about a Table."),
        ('forbid (principal, action == Action::"sql:ddl", resource is Column)', "Nothing that sql:ddl does is about a Column."),
        ('permit (principal, action == Action::"sql:call", resource is Table)', "a permit of parts never covers it"),
        ('forbid (principal, action, resource is Table) when { resource.kind == "x" }', "Attribute `kind` on entity type `Table` not found"),
    ],
)  # fmt: skip
def test_what_no_part_would_ever_meet_is_refused(policy: str, wrong: str) -> None:
    (problem,) = check(f'\n@id("a") {policy};')
    assert problem.line == 2
    assert wrong in problem.reason
    assert problem.suggestion


def test_the_difference_the_lint_and_the_reach_speak_of_parts() -> None:
    rules = policies(ORDERS + AUDIT + NO_SSN + NO_PAY)
    assert [where(rule) for rule in rules.values()] == [
        "the table shop/public.orders",
        "the schema shop/audit",
        "each column in the resource shop",
        "the table shop/hr.pay",
    ]
    pay = '@id("pay") permit (principal, action in Action::"sql:read", resource == Table::"shop/hr.pay");'
    gone = '@id("gone") permit (principal, action in Action::"sql:read", resource == Table::"gone/hr.pay");'
    found = {(one.kind, one.policy) for one in lint(policies(pay + NO_PAY + gone + ORDERS), WORLD)}
    assert {(Kind.BEATEN, "pay"), (Kind.UNREACHABLE, "gone")} <= found
    assert (Kind.BEATEN, "orders") not in found
    lines = told(effective(engine(ORDERS, AUDIT), WORLD.agents[AGENT], [Place("shop")]).permissions)
    assert [line.objects for line in lines] == [("any other table of audit",), ("public.orders",)]


def test_actions_of_which_no_tags_were_kept_are_not_tried_by_them() -> None:
    said: dict[str, object] = {"columns": frozenset({"public.customers.ssn"})}
    before = Ask(AGENT, frozenset({"sql:select"}), "shop", said)
    assert not_kept(before, engine(WHOLE, NO_SSN)) == {parts.TAGGED}
    assert not_kept(before, engine(WHOLE, NO_PAY)) == frozenset()


def test_a_slice_does_not_grow_with_the_parts_that_policies_name() -> None:
    others = "".join(
        f'@id("o{n}") permit (principal, action in Action::"sql:read", resource == Table::"shop/public.t{n}");\n'
        for n in range(300)
    )
    decides = engine(others)
    assert decides._of_part(AGENT, "sql:select", "shop", parts.chain(("Table", "shop/public.t7")), True) is not None
    assert decides.decide(ask("sql:select", tables=frozenset({"public.t7"}))).policies == ("o7",)
    assert decides._slice.cache_info().currsize == 2  # type: ignore[attr-defined]  # the whole's, and that of one table


def test_every_part_that_is_written_as_an_example_is_one() -> None:
    assert all(parts.well_named((kind, name)) for kind, name in parts.WRITTEN.items())
    assert parts.WRITTEN.keys() == parts.DECLARED.keys() == parts.READS.keys()
