"""Looking only at the policies whose scope can match gives exactly what Cedar says of all of them, given the text as it stands.

A hundred thousand cases each time. Templates are not there to compare: a policy with a slot is refused before it could be kept.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from functools import lru_cache
from itertools import pairwise

import cedarpy
import pytest

from core.errors import Invalid
from policies.context import for_cedar
from policies.evaluate import Ask, Code, Engine, Verdict
from policies.schema import handle as schema_handle
from tests.policies.generated import COLUMNS, RESOURCES, WORLD, asks, of_parts, texts, touching

CASES, PARTS = 100_000, 4
PARTED = 1_000
"""Cases that touch parts, of which Cedar is asked several questions each."""
A_TEXT = 500  # requests
POOL = 2_000
"""Requests that the texts are asked, each text some of them."""


@pytest.mark.parametrize("part", range(PARTS))
def test_sliced_is_what_cedar_says_of_all_policies(part: int) -> None:
    entities = cedarpy.Entities.from_json_str(WORLD.entities_json(), schema_handle())
    chosen, met = random.Random(part), Counter[str]()
    pool = [(ask, _request(ask)) for ask in asks(chosen, POOL)]
    for _ in range(CASES // PARTS // A_TEXT):
        text = texts(chosen)
        engine, whole = Engine.build(text, WORLD, version=1), cedarpy.PolicySet.from_str(text)
        asked = chosen.sample(pool, A_TEXT)
        full = cedarpy.is_authorized_batch([request for _, request in asked], whole, entities)
        for (ask, _), answer in zip(asked, full, strict=True):
            ours = engine.decide(ask)
            found = answer.diagnostics
            if found.errors:
                expected: object = (Verdict.DENY, Code.EVALUATION_ERROR, set())
            else:
                verdict = Verdict.ALLOW if answer.allowed else Verdict.DENY
                expected = (verdict, ours.code, set(found.id_annotations_by_reason.values()))
            assert (ours.verdict, ours.code, set(ours.policies)) == expected, (text, ask)
            assert engine.decide(engine.projected(ask)) == ours, (text, ask)
            met[ours.code] += 1
    assert met.total() == CASES // PARTS
    assert {Code.PERMITTED, Code.FORBIDDEN, Code.NO_MATCH, Code.EVALUATION_ERROR} <= met.keys()
    assert min(met.values()) > CASES // PARTS // 200, met


def test_parts_are_what_cedar_says_of_all_policies_of_each_part() -> None:
    """The engine against Cedar given every policy, asked about each part that is touched, as `docs/policy.md` says that it is decided."""
    chosen, met = random.Random(7), Counter[Verdict]()
    for _ in range(PARTED // 50):
        some = wholes, named, typed = of_parts(chosen)
        if not any(some):
            continue
        engine = Engine.build("\n".join(wholes + named + typed), WORLD, version=1)
        sets = [
            cedarpy.PolicySet.from_str("\n".join(policies).replace("resource == Table", "resource in Table"))
            for policies in some
        ]
        for ask in touching(chosen, 50):
            ours = engine.decide(ask)
            assert (ours.verdict, set(ours.policies)) == _by_parts(ask, sets), (some, ask)
            alike = engine.decide(engine.projected(ask))
            assert (alike.verdict, alike.policies) == (ours.verdict, ours.policies), (some, ask)
            met[ours.verdict] += 1
    assert min(met[Verdict.ALLOW], met[Verdict.DENY]) > PARTED // 20, met


def _by_parts(ask: Ask, sets: list[cedarpy.PolicySet]) -> tuple[Verdict, set[str]]:
    """Every part touched has to be permitted, by a policy of it, of what it lies in or of the resource; and none of these forbidden."""
    (verb,) = ask.verbs
    touched = [("Table", str(name)) for name in ask.context["tables"]]  # type: ignore[attr-defined]
    touched += [("Column", str(name)) for name in ask.context["columns"] if verb != "sql:ddl"]  # type: ignore[attr-defined]
    wholes, named, typed = sets
    answers = []
    for kind, name in touched or [("", "")]:
        pieces = name.split(".")
        chain = [
            (kind, ".".join(pieces[: end + 1])) for end, kind in enumerate(("Schema", "Table", "Column")[: len(pieces)])
        ]
        asked = [(wholes, "Resource", ask.resource)]
        if kind:
            asked += [(named, kind, f"{ask.resource}/{name}")]
            asked += [(typed, of, f"{ask.resource}/{part}") for of, part in chain]
        found = [_asked(ask, policies, of, uid) for policies, of, uid in asked]
        forbids = {one for allows, ids in found if not allows for one in ids}
        permits = {one for allows, ids in found if allows for one in ids}
        answers.append((Verdict.ALLOW, permits) if permits and not forbids else (Verdict.DENY, forbids))
    worst = Verdict.DENY if any(verdict is Verdict.DENY for verdict, _ in answers) else Verdict.ALLOW
    return worst, set().union(*(ids for verdict, ids in answers if verdict is worst))


def _asked(ask: Ask, policies: cedarpy.PolicySet, kind: str, name: str) -> tuple[bool, set[str]]:
    context = {key: for_cedar(key, value) for key, value in ask.context.items()}
    request = _request(ask) | {"resource": {"type": kind, "id": name}, "context": json.dumps(context)}
    answer = cedarpy.is_authorized(request, policies, _entities(frozenset(ask.context["tagged"])))  # type: ignore[call-overload]
    assert not answer.diagnostics.errors
    return answer.allowed, set(answer.diagnostics.id_annotations_by_reason.values())


@lru_cache(500)
def _entities(tagged: frozenset[str]) -> cedarpy.Entities:
    """Every table of every resource, with its schema and its columns."""
    found = list(json.loads(WORLD.entities_json()))
    for place in RESOURCES:
        for column in COLUMNS:
            schema, table, name = column.split(".")
            lies = [
                ("Resource", place),
                ("Schema", f"{place}/{schema}"),
                ("Table", f"{place}/{schema}.{table}"),
                ("Column", f"{place}/{column}"),
            ]
            for above, (kind, uid) in pairwise(lies):
                attrs: dict[str, object] = {"name": {"Schema": schema, "Table": table, "Column": name}[kind]}
                if kind == "Column":
                    attrs["tags"] = ["email"] if f"{column} email" in tagged else []
                entity = {
                    "uid": {"type": kind, "id": uid},
                    "attrs": attrs,
                    "parents": [{"type": above[0], "id": above[1]}],
                }
                if entity not in found:
                    found.append(entity)
    return cedarpy.Entities.from_json_str(json.dumps(found), schema_handle())


@pytest.mark.parametrize(
    "slot", ["principal == ?principal, action, resource", "principal, action, resource in ?resource"]
)
def test_a_template_is_no_policy_here(slot: str) -> None:
    with pytest.raises(Invalid, match="not used here"):
        Engine.build(f'@id("slotted") permit ({slot});', WORLD, version=1)


def _request(ask: Ask) -> dict[str, object]:
    (verb,) = ask.verbs
    return {
        "principal": {"type": "Agent", "id": ask.agent},
        "action": {"type": "Action", "id": verb},
        "resource": {"type": "Resource", "id": ask.resource},
        "context": json.dumps({name: for_cedar(name, value) for name, value in {**ask.context, **ask.ours}.items()}),
    }
