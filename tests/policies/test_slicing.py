"""Looking only at the policies whose scope can match gives exactly what looking at all of them gives."""

import cedarpy
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import schema
from policies.context import CEDAR_TYPES
from policies.evaluate import Ask, Engine, Verdict
from policies.slicing import reads
from policies.verbs import GROUPS
from policies.world import AgentFacts, ResourceFacts, World

FUNCTIONS, SEGMENTS, RESOURCES = ("support", "report"), ("production", "staging"), ("shop", "attic")
AGENTS = [
    AgentFacts(f"{function}.{segment}", function, segment, segment) for function in FUNCTIONS for segment in SEGMENTS
]
CEDAR_WORLD = World.of(
    AGENTS, [ResourceFacts(name, "postgres", segment) for name, segment in zip(RESOURCES, SEGMENTS, strict=True)]
)
ACTIONS = ["sql:select", "sql:delete", "sql:ddl"]

principals = st.sampled_from(
    ["principal", "principal is Agent"]
    + [f'principal == Agent::"{agent.name}"' for agent in AGENTS]
    + [f'principal in Function::"{name}"' for name in FUNCTIONS]
    + [f'principal is Agent in Segment::"{name}"' for name in SEGMENTS]
)
actions = st.sampled_from(
    [
        "action",
        'action in [Action::"sql:read", Action::"sql:ddl"]',
        'action in [Action::"sql:ddl", Action::"sql:select", Action::"sql:write"]',
        *(f'action == Action::"{verb}"' for verb in ACTIONS),
        *(f'action in Action::"{group}"' for group in sorted(GROUPS)),
    ]
)
resources = st.sampled_from(
    ["resource"]
    + [f'resource == Resource::"{name}"' for name in RESOURCES]
    + [f'resource in Segment::"{name}"' for name in SEGMENTS]
)
conditions = st.sampled_from(
    [
        "",
        "unless { context has approval }",
        "when { context has where && context.where }",
        'when { context has tables && context.tables.contains("public.t") }',
        'when { context has claimed && context.claimed has purpose && context.claimed.purpose like "a*" }',
        "when { context has where && context.where && 9223372036854775807 + 1 > 0 }",
    ]
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    count = draw(st.integers(1, 8))
    return "\n".join(
        f'@id("p{number}") {draw(st.sampled_from(["permit", "forbid"]))} '
        f"({draw(principals)}, {draw(actions)}, {draw(resources)}) {draw(conditions)};"
        for number in range(count)
    )


contexts = st.fixed_dictionaries(
    {},
    optional={
        "where": st.booleans(),
        "tables": st.frozensets(st.sampled_from(["public.t", "public.u"])),
        "claimed": st.fixed_dictionaries({}, optional={"purpose": st.sampled_from(["abc", "xyz"])}),
        "shape": st.text(max_size=3),
    },
)
asks = st.builds(
    Ask,
    st.sampled_from([agent.name for agent in AGENTS]),
    st.sampled_from([frozenset({verb}) for verb in ACTIONS]),
    st.sampled_from(RESOURCES),
    contexts,
)


@settings(max_examples=500, deadline=None)
@given(texts(), asks)
def test_sliced_is_what_cedar_says_of_all_policies(text: str, asked: Ask) -> None:
    ours = Engine.build(text, CEDAR_WORLD, version=1).decide(asked)
    full = _all_policies(text, asked)
    errors = bool(full.diagnostics.errors)
    assert (ours.verdict is Verdict.ALLOW) == (full.allowed and not errors)
    if not errors:
        assert {reason.policy for reason in ours.reasons} == set(full.diagnostics.id_annotations_by_reason.values())


def _all_policies(text: str, asked: Ask) -> cedarpy.AuthzResult:
    (verb,) = asked.verbs
    context = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asked.context.items()}
    entities = cedarpy.Entities.from_json_str(CEDAR_WORLD.entities_json(), schema.handle())
    request = {
        "principal": {"type": "Agent", "id": asked.agent},
        "action": {"type": "Action", "id": verb},
        "resource": {"type": "Resource", "id": asked.resource},
        "context": context,
    }
    return cedarpy.is_authorized(request, text, entities, schema.handle())


def test_every_action_of_a_list_is_found() -> None:
    listed = '@id("listed") permit (principal, action in [Action::"sql:ddl", Action::"sql:write", Action::"sql:select"], resource);'
    engine = Engine.build(listed, CEDAR_WORLD, version=1)
    for verb in ("sql:ddl", "sql:truncate", "sql:select"):
        assert engine.decide(Ask("support.production", frozenset({verb}), "shop")).verdict is Verdict.ALLOW
    assert engine.decide(Ask("support.production", frozenset({"sql:call"}), "shop")).verdict is Verdict.DENY


def test_a_slice_does_not_grow_with_the_number_of_policies() -> None:
    others = "".join(
        f'@id("o{n}") permit (principal == Agent::"other{n}", action == Action::"sql:select", resource);\n'
        for n in range(2_000)
    )
    mine = '@id("mine") permit (principal == Agent::"support.production", action == Action::"sql:select", resource);'
    engine = Engine.build(others + mine, CEDAR_WORLD, version=1)
    assert engine._matching("support.production", "sql:select", "shop") == {"mine"}


def test_what_a_policy_reads_of_the_context_is_known() -> None:
    def of(condition: str) -> set[str] | None:
        (policy,) = cedarpy.policies_to_pst(
            f"permit (principal, action, resource) {condition};"
        ).static_policies.values()
        names = reads(policy)
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
    }
