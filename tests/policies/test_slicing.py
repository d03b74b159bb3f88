"""Which policies can match is found by their scope, and what they read of a request is known; `test_differential.py` compares."""

import cedarpy

from policies.context import CEDAR_TYPES
from policies.evaluate import Ask, Engine, Verdict
from policies.slicing import reads, scope_of
from tests.policies.generated import WORLD


def test_every_action_of_a_list_is_found() -> None:
    listed = '@id("listed") permit (principal, action in [Action::"sql:ddl", Action::"sql:write", Action::"sql:select"], resource);'
    engine = Engine.build(listed, WORLD, version=1)
    for verb in ("sql:ddl", "sql:truncate", "sql:select"):
        assert engine.decide(Ask("support.production", frozenset({verb}), "shop")).verdict is Verdict.ALLOW
    assert engine.decide(Ask("support.production", frozenset({"sql:call"}), "shop")).verdict is Verdict.DENY


def test_a_slice_does_not_grow_with_the_number_of_policies() -> None:
    others = "".join(
        f'@id("o{n}") permit (principal == Agent::"other{n}", action == Action::"sql:select", resource);\n'
        for n in range(2_000)
    )
    mine = '@id("mine") permit (principal == Agent::"support.production", action == Action::"sql:select", resource);'
    engine = Engine.build(others + mine, WORLD, version=1)
    assert engine._matching("support.production", "sql:select", "shop") == {"mine"}


def test_what_a_policy_reads_of_the_context_is_known() -> None:
    def of(condition: str) -> set[str] | None:
        (policy,) = cedarpy.policies_to_pst(
            f"permit (principal, action, resource) {condition};"
        ).static_policies.values()
        names = reads(policy, scope_of(policy))
        return None if names is None else set(names)

    assert of("") == set()
    assert of("when { context has where && context.where }") == {"where"}
    assert of('when { if context.claimed.purpose == "a" then true else [context["shape"]].isEmpty() }') == {
        "claimed",
        "shape",
    }
    assert of("when { context == {a: 1} }") is None
    assert of("unless { {x: context}.x has where }") is None


def test_every_attribute_of_the_schema_can_be_given() -> None:
    assert CEDAR_TYPES.keys() == {
        "tables",
        "columns",
        "tags",
        "shape",
        "purpose",
        "environment",
        "credential",
        "credential_age",
        "rows_estimated",
        "source",
        "where",
        "claimed",
        "on_behalf_of",
        "operation",
        "args",
        "tagged",
    }
