"""A question that was kept is asked again: the same version gives the same answer."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entries import canonical
from policies.context import misfit
from policies.decision import Ask
from policies.evaluate import Engine, Verdict
from policies.moment import TYPES, time_text
from policies.question import identifier_of, question_of, read
from policies.world import AgentFacts, ResourceFacts
from tests.policies.worlds import AGENT, HELD, READS, SECRET, WORLD, WRITES, ask, engine

names = st.text(max_size=12)
sets = st.frozensets(names, max_size=4)
contexts = st.fixed_dictionaries(
    {},
    optional={
        "tables": sets, "columns": sets, "tags": sets, "shape": names, "where": st.booleans(), "purpose": names,
        "claimed": st.fixed_dictionaries({}, optional={"purpose": names}),
    },
)  # fmt: skip


moments = st.fixed_dictionaries(
    {},
    optional={
        "time": st.datetimes(min_value=dt.datetime(1970, 1, 1)).map(lambda at: time_text(at.replace(tzinfo=dt.UTC))),  # noqa: DTZ001
        "risk": st.integers(0, 100),
        "session": st.fixed_dictionaries(dict.fromkeys(("actions", "rows", "bytes"), st.integers(0, 2**53 - 1))),
    },
)


@given(st.frozensets(names, max_size=3), contexts, moments)
def test_what_is_kept_reads_the_same_again(
    verbs: frozenset[str], context: dict[str, object], ours: dict[str, object]
) -> None:
    agent, resource = WORLD.agents[AGENT], WORLD.resources["shop"]
    asked = Ask(AGENT, verbs, "shop", context, ours)
    assert not misfit(ours, TYPES)
    kept = question_of(asked, agent, resource, SECRET)
    again = read(kept.text)
    assert (again.ask.keyed, again.agent, again.resource) == (asked.keyed, agent, resource)
    assert question_of(*again, SECRET) == kept


def test_the_order_of_what_is_asked_is_no_other_question() -> None:
    agent, resource = WORLD.agents[AGENT], WORLD.resources["shop"]
    one = question_of(ask("sql:select", tables={"a", "b"}), agent, resource, SECRET)
    assert one == question_of(ask("sql:select", tables=["b", "a"]), agent, resource, SECRET)
    assert one.id != question_of(ask("sql:select", tables=["b"]), agent, resource, SECRET).id
    assert UUID(one.id)


def test_the_salt_cannot_be_had_from_anything_that_is_kept() -> None:
    asked, agent, resource = (
        ask("sql:select", claimed={"purpose": "Jane"}),
        WORLD.agents[AGENT],
        WORLD.resources["shop"],
    )
    kept = question_of(asked, agent, resource, SECRET)
    assert kept.id == identifier_of(kept.text)
    assert kept.id != question_of(asked, agent, resource, b"another process").id
    assert read(kept.text).ask.keyed == asked.keyed


def test_a_question_is_canonical_whatever_is_in_it() -> None:
    agent, shop, asked = WORLD.agents[AGENT], WORLD.resources["shop"], ask("sql:select", claimed={"purpose": 'J"ä'})
    parts: tuple[tuple[str, dict[str, object]], ...] = (("ssh:run", {"args": {"b": "2", "a": 1}}), ("ssh:read", {}))
    for one in (asked, replace(asked, each=parts), replace(asked, each=parts, ours={"risk": 7, "time": "1"})):
        for resource in (shop, None):
            kept = question_of(one, agent, resource, SECRET)
            assert canonical(json.loads(kept.text)).decode() == kept.text


def test_its_own_world_decides_as_the_registry_did() -> None:
    for asked in (ask("sql:select"), ask("sql:delete"), ask("sql:ddl"), ask("sql:select", resource="attic")):
        kept = question_of(asked, WORLD.agents[AGENT], WORLD.resources[asked.resource], SECRET)
        again = read(kept.text)
        small = Engine.build(f"{READS}\n{WRITES}\n{HELD}", again.world, version=7).decide(again.ask)
        whole = engine(READS, WRITES, HELD).decide(asked)
        assert (small.verdict, small.code, small.policies, small.why) == (
            whole.verdict,
            whole.code,
            whole.policies,
            whole.why,
        )


def test_a_resource_that_was_not_there_is_not_there_again() -> None:
    kept = question_of(ask("sql:select", resource="gone"), WORLD.agents[AGENT], None, SECRET)
    again = read(kept.text)
    assert again.ask.resource == "gone"
    assert Engine.build(READS, again.world, version=1).decide(again.ask).verdict is Verdict.DENY


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"agent": {"name": "x"}}', "null", '{"agent": 3, "resource": {}}'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"question|Expecting"):
        read(text)


def test_facts_stay_apart() -> None:
    asked = ask("sql:select")
    here = question_of(asked, WORLD.agents[AGENT], WORLD.resources["shop"], SECRET)
    moved = AgentFacts(AGENT, "support", "production", "elsewhere", "Answers customers")
    assert question_of(asked, moved, WORLD.resources["shop"], SECRET).id != here.id
    assert question_of(asked, WORLD.agents[AGENT], ResourceFacts("shop", "postgres", "x"), SECRET).id != here.id
