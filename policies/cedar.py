"""Pure: how Cedar is asked: about a resource or a part of it, by the policies that can match.

What forbids a part, or anything that it lies in, forbids it; what permits any of these permits it, where nothing forbids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import cedarpy

from policies import parts, schema
from policies.decision import Ask, Code
from policies.parse import Slice
from policies.parts import Chain, Uid
from policies.ruling import Ruling, refused
from policies.world import AgentFacts, ResourceFacts, World


class Answer(NamedTuple):
    """What Cedar says: whether it is allowed, and which policies say so; or what stands in the way of an answer."""

    allows: bool
    policies: tuple[str, ...]
    refusal: Ruling | None = None


class About:
    """What Cedar is asked about: the resource or a part of it, by the policies that can match and the entities that they can name."""

    __slots__ = ("answers", "context", "entities", "request", "sliced", "uid")

    def __init__(
        self, uid: Uid, sliced: Slice, entities: cedarpy.Entities, ask: Ask, *, verb: str, said: Mapping[str, object]
    ) -> None:
        self.uid, self.sliced, self.entities = uid, sliced, entities
        self.context = {**sliced.needed(said), **sliced.needed(ask.ours)}
        self.request: dict[str, object] = {
            "principal": {"type": "Agent", "id": ask.agent},
            "action": {"type": "Action", "id": verb},
            "resource": {"type": uid[0], "id": uid[1]},
        }
        self.answers: dict[bool, Answer] = {}
        """What was answered, and what would be if people had approved."""


def answer_about(abouts: Sequence[About], *, approved: bool = False) -> Answer:
    """The answer about a part and all that it lies in, or about one thing; `approved`: as if people had approved."""
    if len(abouts) == 1:
        return _evaluate(abouts[0], approved=approved)
    for about in abouts:
        if approved not in about.answers:
            about.answers[approved] = _evaluate(about, approved=approved)
    return _joined([about.answers[approved] for about in abouts])


def _evaluate(about: About, *, approved: bool) -> Answer:
    if about.sliced.is_empty:
        return Answer(False, ())  # Cedar would say the same of no policies
    context = {**about.context, "approval": True} if approved else about.context
    about.request["context"] = json.dumps(context) if context else "{}"
    answer = cedarpy.is_authorized(about.request, about.sliced.handle, about.entities)
    decision, found = answer.decision, answer.diagnostics
    # 3. No answer, or an answer beside an error, denies.
    if decision is cedarpy.Decision.NoDecision:
        why = f"The request does not fit the schema: {_first(answer)}."
        return Answer(False, (), refused(Code.MALFORMED_REQUEST, why))
    if found.errors:
        why = f"A policy could not be evaluated: {_first(answer)}."
        return Answer(False, (), refused(Code.EVALUATION_ERROR, why))
    return Answer(decision is cedarpy.Decision.Allow, tuple(sorted(found.reasons)))


def _joined(answers: Sequence[Answer]) -> Answer:
    """The answers about a part and all that it lies in as one: what forbids any of it forbids it, what permits any of it permits it."""
    refusal = next((one.refusal for one in answers if one.refusal), None)
    forbids = {policy for one in answers if not one.allows for policy in one.policies}
    permits = {policy for one in answers if one.allows for policy in one.policies}
    if refusal or forbids:
        return Answer(False, tuple(sorted(forbids)) if refusal is None else (), refusal)
    return Answer(bool(permits), tuple(sorted(permits)))


def _first(answer: cedarpy.AuthzResult) -> str:
    return str(answer.diagnostics.errors[0]).rstrip(".") if answer.diagnostics.errors else "no reason given"


@lru_cache(2)
def entities_in(document: str) -> cedarpy.Entities:
    """The registry in Cedar's hands: a new version of the policies mostly decides over the registry that the one before did."""
    return cedarpy.Entities.from_json_str(document, schema.handle())


@lru_cache(4_096)
def entities_of(agent: AgentFacts, resource: ResourceFacts, chain: Chain, tags: frozenset[str]) -> cedarpy.Entities:
    """Who asks, a part and what it lies in: what no registry lists, or thousands of times more than one question needs."""
    known = World.of((agent,), (resource,)).entities()
    return cedarpy.Entities.from_json_str(json.dumps([*known, *parts.entities(chain, tags)]), schema.handle())
