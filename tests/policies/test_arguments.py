"""Policies that look at the arguments of an operation: the kinds they expect, and that anything else denies."""

from __future__ import annotations

from collections.abc import Mapping

import cedarpy
import pytest

from core.errors import Invalid
from policies.arguments import Kinds, cedar_type, kinds_of, readable
from policies.check import check
from policies.decision import Ask, Code, Verdict
from policies.evaluate import Engine
from policies.question import question_of, read
from policies.world import AgentFacts, ResourceFacts, World
from tests.policies.worlds import SECRET

AGENT = AgentFacts("billing.production", "billing", "production", "production")
RESOURCE = ResourceFacts("payments", "app", "production")
WORLD = World.of([AGENT], [RESOURCE])
POLICIES = """
@id("billing") permit (principal in Function::"billing", action == Action::"app:call", resource == Resource::"payments")
when { context has operation && context.operation == "payments.transfer" };
@id("large") @hold("security:1")
forbid (principal, action == Action::"app:call", resource)
when { context has args && context.args has amount && context.args.amount > 1000 }
unless { context has approval };
@id("abroad") forbid (principal, action == Action::"app:call", resource)
when { context has args && context.args has to && context.args.to has country && context.args.to.country != "DE" };
@id("marked") forbid (principal, action == Action::"app:call", resource)
when { context has args && context.args has labels && context.args.labels.contains("fraud") };
"""


def kinds(condition: str) -> Kinds:
    (policy,) = cedarpy.policies_to_pst(
        f"permit (principal, action, resource) when {{ {condition} }};"
    ).static_policies.values()
    return kinds_of(policy)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("context.args.amount > 1000", {"amount": "Long"}),
        ("1000 < context.args.amount + context.args.fee", {"amount": "Long", "fee": "Long"}),
        ("context.args.ok", {"ok": "Bool"}),
        ("!context.args.ok || context.args.sure", {"ok": "Bool", "sure": "Bool"}),
        ('"EUR" == context.args.currency', {"currency": "String"}),
        ("context.args.count != 3", {"count": "Long"}),
        ('context.args.iban like "DE*"', {"iban": "String"}),
        ('context.args.labels.contains("fraud")', {"labels": "Set<String>"}),
        ('["a"].contains(context.args.one)', {"one": "String"}),
        ("context.args.labels.isEmpty()", {"labels": "Set<String>"}),
        ('context["args"]["to"]["country"] == "DE"', {"to": {"country": "String"}}),
        ("context.args has to && context.args.to.amount > 1", {"to": {"amount": "Long"}}),
        ("context.args has note", {"note": "String"}),
        ("context.args has a.b", {"a": {"b": "String"}}),
        ("ip(context.args.address).isLoopback()", {"address": "String"}),
        ("if context.args.a then context.where else false", {"a": "Bool"}),
        ('context.purpose == "args"', {}),
    ],
)
def test_a_policy_says_of_what_kind_an_argument_is(condition: str, expected: Kinds) -> None:
    assert kinds(condition) == expected


def test_names_are_written_so_that_cedar_reads_them() -> None:
    assert cedar_type({"a b": "Long", 'q"': {"x": "Bool"}}) == '{ "a b"?: Long, "q\\""?: { "x"?: Bool } }'
    assert cedar_type({}) == "{}"


def decide(args: Mapping[str, object], operation: str = "payments.transfer") -> tuple[Verdict, str]:
    context = {"operation": operation, "args": readable(args)}
    decision = Engine.build(POLICIES, WORLD, version=1).decide(
        Ask("billing.production", frozenset({"app:call"}), "payments", context)
    )
    return decision.verdict, str(decision.code)


def test_arguments_decide() -> None:
    assert decide({"amount": 1000}) == (Verdict.ALLOW, Code.PERMITTED)
    assert decide({"amount": 1001}) == (Verdict.HOLD, Code.HELD)
    assert decide({"amount": 1, "to": {"country": "DE"}}) == (Verdict.ALLOW, Code.PERMITTED)
    assert decide({"amount": 1, "to": {"country": "FR"}}) == (Verdict.DENY, Code.FORBIDDEN)
    assert decide({"labels": ["fraud", "x"]}) == (Verdict.DENY, Code.FORBIDDEN)
    assert decide({"labels": []}) == (Verdict.ALLOW, Code.PERMITTED)
    assert decide({}, "payments.refund") == (Verdict.DENY, Code.NO_MATCH)


@pytest.mark.parametrize(
    "args",
    [
        {"amount": "5000"},
        {"amount": 5000.5},
        {"amount": None},
        {"amount": True},
        {"amount": [5000]},
        {"amount": {"value": 5000}},
        {"amount": 2**63},
        {"to": "FR"},
        {"to": {"country": 33}},
        {"labels": "fraud"},
        {"labels": ["fraud", 1]},
    ],
    ids=str,
)
def test_an_argument_of_another_kind_denies(args: Mapping[str, object]) -> None:
    assert decide(args) == (Verdict.DENY, Code.MALFORMED_REQUEST)


def test_what_no_policy_looks_at_makes_no_difference() -> None:
    assert decide({"amount": 1, "note": None, "more": {"deep": [1, {"x": 2.5}]}})[0] is Verdict.ALLOW


@pytest.mark.parametrize("args", [{"__entity": {"type": "Agent", "id": "x"}}, {"to": {"__extn": {}}}])
def test_names_that_cedar_keeps_for_itself_are_refused(args: Mapping[str, object]) -> None:
    with pytest.raises(Invalid):
        readable(args)


def test_what_was_asked_is_asked_again_alike() -> None:
    context = {"operation": "x.y", "args": readable({"labels": ["b", "a"], "to": {"tags": ["z", "y"], "n": 1}})}
    asked = Ask("billing.production", frozenset({"app:call"}), "payments", context)
    kept = question_of(asked, AGENT, RESOURCE, SECRET)
    again = read(kept.text)
    assert again.ask.context == context
    assert question_of(*again, SECRET) == kept


def test_a_use_that_contradicts_another_is_refused_with_its_line() -> None:
    guard = "context has args && context.args has amount"
    text = (
        '@id("one") permit (principal, action, resource) when { context has where && context.where };\n'
        f'@id("two") permit (principal, action, resource) when {{ {guard} && context.args.amount > 1 && context.args.amount == "a" }};\n'
    )
    assert [problem.line for problem in check(text)] == [2]
    assert not check(f'@id("two") permit (principal, action, resource) when {{ {guard} && context.args.amount > 1 }};')


def test_an_argument_that_may_be_missing_is_asked_for_first() -> None:
    text = '@id("one") permit (principal, action, resource) when { context has args && context.args.amount > 1 };'
    (problem,) = check(text)
    assert "Guard it" in problem.suggestion
