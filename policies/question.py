"""Pure: everything a decision was made from but the policies, written down so that it can be asked again.

Policies see of a request the agent, the resource, what each is in, the verbs and the context, and nothing else: with these
and a version's text the same answer comes out years later, and another version's answer can be had of what really happened.

Entries name a question by an identifier made of its text. A salt in the text keeps whoever reads entries from guessing what was
asked, claims of agents among it, once the text is erased.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from ledger.entries import canonical
from policies.context import plain
from policies.decision import Ask
from policies.world import AgentFacts, ResourceFacts, World


class Question(NamedTuple):
    """A question as it is kept: `id` is made of `text`, so that the same question is kept once."""

    id: str
    text: str


class Asked(NamedTuple):
    """A question read again: `world` knows its agent and its resource, as they were, and nothing else."""

    ask: Ask
    agent: AgentFacts
    resource: ResourceFacts | None

    @property
    def world(self) -> World:
        """What the registry said when it was asked."""
        return World.of((self.agent,), (self.resource,) if self.resource else ())


def question_of(ask: Ask, agent: AgentFacts, resource: ResourceFacts | None, secret: bytes) -> Question:
    """The question in canonical JSON (RFC 8785). `resource` is None where the registry has none of that name.

    `secret` is the asking process's own and is kept nowhere: from it and the question comes the salt, so that the same question
    of one process is the same text, and no text leads to another's salt.
    """
    # Written out in the order of RFC 8785, because every action pays for it: a test holds this against an encoder.
    said = [f'{{"agent":{_said(agent)},"context":{_json(plain(ask.context))}']
    if ask.each:
        said.append(f',"each":{_json([[verb, plain(own)] for verb, own in ask.each])}')
    if ask.ours:
        said.append(f',"ours":{_json(plain(ask.ours))}')
    said.append(f',"resource":{_said(resource or ask.resource)},"verbs":{_sorted(ask.verbs)}')
    unsalted = "".join(said)
    salt = hmac.digest(secret, f"{unsalted}}}".encode(), "sha256").hex()
    text = f'{unsalted},"with_salt":"{salt}"}}'
    return Question(identifier_of(text), text)


def _json(value: object) -> str:
    return canonical(value).decode()


@lru_cache(4_096)
def _said(facts: AgentFacts | ResourceFacts | str) -> str:
    return _json(facts if isinstance(facts, str) else vars(facts))


@lru_cache(256)
def _sorted(verbs: frozenset[str]) -> str:
    return _json(sorted(verbs))


def identifier_of(text: str) -> str:
    """What names a question: half of its text's SHA-256, as a UUID."""
    half = sha256(text.encode()).hexdigest()[:32]
    return f"{half[:8]}-{half[8:12]}-{half[12:16]}-{half[16:20]}-{half[20:]}"


def whose(text: str) -> tuple[AgentFacts, ResourceFacts | None]:
    """Who asked, and where, of what `question_of` wrote. Raises ValueError for any other text."""
    try:
        return _whose(json.loads(text))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no question that was kept: {error}") from None


def read(text: str) -> Asked:
    """What `question_of` wrote. Raises ValueError for any other text."""
    try:
        said: Mapping[str, Any] = json.loads(text)
        agent, facts = _whose(said)
        ask = Ask(
            agent.name,
            frozenset(said["verbs"]),
            facts.name if facts else said["resource"],
            _again(said["context"]),
            _again(said.get("ours", {})),
            _each(said),
        )
        return Asked(ask, agent, facts)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no question that was kept: {error}") from None


def _whose(said: Mapping[str, Any]) -> tuple[AgentFacts, ResourceFacts | None]:
    resource = said["resource"]
    return AgentFacts(**said["agent"]), None if isinstance(resource, str) else ResourceFacts(**resource)


def _each(said: Mapping[str, Any]) -> tuple[tuple[str, Mapping[str, object]], ...]:
    return tuple([(str(verb), _again(own)) for verb, own in said.get("each", ())])


def _again(context: Mapping[str, object]) -> dict[str, object]:
    return {name: _once_more(value) for name, value in context.items()}


def _once_more(value: object) -> object:
    """A value as it was before `plain` took it: lists were sets."""
    if isinstance(value, list):
        return frozenset(value)
    return _again(value) if isinstance(value, Mapping) else value
