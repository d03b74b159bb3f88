"""Looking only at the policies whose scope can match gives exactly what Cedar says of all of them, given the text as it stands.

A hundred thousand cases each time. Templates are not there to compare: a policy with a slot is refused before it could be kept.
"""

from __future__ import annotations

import json
import random
from collections import Counter

import cedarpy
import pytest

from core.errors import Invalid
from policies import schema
from policies.context import for_cedar
from policies.evaluate import Ask, Code, Engine, Verdict
from tests.policies.generated import WORLD, asks, texts

CASES, PARTS = 100_000, 4
A_TEXT = 500  # requests
POOL = 2_000
"""Requests that the texts are asked, each text some of them."""


@pytest.mark.parametrize("part", range(PARTS))
def test_sliced_is_what_cedar_says_of_all_policies(part: int) -> None:
    entities = cedarpy.Entities.from_json_str(WORLD.entities_json(), schema.handle())
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
            met[ours.code] += 1
    assert met.total() == CASES // PARTS
    assert {Code.PERMITTED, Code.FORBIDDEN, Code.NO_MATCH, Code.EVALUATION_ERROR} <= met.keys()
    assert min(met.values()) > CASES // PARTS // 200, met


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
