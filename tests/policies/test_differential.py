"""Looking only at the policies whose scope can match gives exactly what Cedar says of all of them, given the text as it stands.

Four thousand cases each time; `NARROWGATE_CASES=100000 pytest tests/policies/test_differential.py` does more. Templates are not
there to compare: a policy with a slot is refused before it could be kept.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import cedarpy

from policies import schema
from policies.context import for_cedar
from policies.evaluate import Ask, Code, Engine, Verdict
from tests.policies.generated import WORLD, asks, texts

CASES = int(os.environ.get("NARROWGATE_CASES", "4000"))
A_TEXT = 50  # requests


def test_sliced_is_what_cedar_says_of_all_policies() -> None:
    entities = cedarpy.Entities.from_json_str(WORLD.entities_json(), schema.handle())
    chosen, met = random.Random(CASES), Counter[str]()
    for _ in range(CASES // A_TEXT):
        text = texts(chosen)
        engine, whole = Engine.build(text, WORLD, version=1), cedarpy.PolicySet.from_str(text)
        asked = list(asks(chosen, A_TEXT))
        full = cedarpy.is_authorized_batch([_request(one) for one in asked], whole, entities)
        for ask, answer in zip(asked, full, strict=True):
            ours = engine.decide(ask)
            if answer.diagnostics.errors:
                expected: object = (Verdict.DENY, Code.EVALUATION_ERROR, set())
            else:
                verdict = Verdict.ALLOW if answer.allowed else Verdict.DENY
                expected = (verdict, ours.code, set(answer.diagnostics.id_annotations_by_reason.values()))
            assert (ours.verdict, ours.code, set(ours.policies)) == expected, (text, ask)
            met[ours.code] += 1
    assert {Code.PERMITTED, Code.FORBIDDEN, Code.NO_MATCH, Code.EVALUATION_ERROR} <= met.keys()
    assert min(met.values()) > CASES // 100, met


def _request(ask: Ask) -> dict[str, object]:
    (verb,) = ask.verbs
    return {
        "principal": {"type": "Agent", "id": ask.agent},
        "action": {"type": "Action", "id": verb},
        "resource": {"type": "Resource", "id": ask.resource},
        "context": {name: for_cedar(name, value) for name, value in {**ask.context, **ask.ours}.items()},
    }
