"""Pure: a version's policies as they were read when it was checked, kept beside its text so that nobody reads Cedar again.

Reading ten thousand policies takes Cedar seconds in which the interpreter is its own; reading a plan takes a few tenths of one,
in pieces. A plan says nothing that its text does not: it is signed with the text, and is left alone where another release of
Narrowgate or of Cedar wrote it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from typing import Any, Final

from cedarpy import pst

from core.errors import Invalid
from policies import schema
from policies.parse import AT_ONCE, LONGEST_TEXT, Policy, by_id, known, remember, uncollected
from policies.slicing import Scope
from policies.terms import terms_of
from policies.world import Uid

FORMAT: Final = 1
LARGEST: Final = 16 * LONGEST_TEXT
"""Bytes of a plan that is not packed."""


@dataclass(frozen=True)
class _Noted:
    """What `terms_of` looks at of a policy."""

    effect: pst.Effect
    annotations: Mapping[str, str]


@lru_cache(1)
def made_by() -> str:
    """Which plans can be used: those of this form, of this schema, of this Cedar."""
    return sha256(f"{FORMAT}\0{version('cedarpy')}\0{schema.text()}".encode()).hexdigest()


def write(rules: Mapping[str, Policy]) -> bytes:
    """The plan of policies in the order of their text, packed."""
    lines = [made_by(), *map(_line, rules.values())]
    return zlib.compress("\n".join(lines).encode(), 6)


def read(text: str, packed: bytes, rest: Callable[[], object] = lambda: None) -> Mapping[str, Policy] | None:
    """The policies of `text` by its plan; None where the plan is another release's. Raises Invalid for one that is damaged.

    `rest` is called after each few, by whoever is in no hurry.
    """
    try:
        plan = zlib.decompressobj().decompress(packed, LARGEST).decode()
        first, *lines = plan.split("\n")
        if first != made_by():
            return None
        with uncollected():
            return by_id(_policies(text, lines, rest))
    except (zlib.error, ValueError, TypeError, KeyError, IndexError) as error:
        raise Invalid("plan", f"What is kept beside the policies is damaged: {error}.") from None


def _policies(text: str, lines: Iterable[str], rest: Callable[[], object]) -> list[Policy]:
    found: list[Policy] = []
    at = 0
    for number, line in enumerate(lines, 1):
        length, _, said = line.partition(" ")
        piece = text[at : at + int(length)]
        at += len(piece)
        found.append(known(piece) or remember(_policy(piece, said)))
        if not number % AT_ONCE:
            rest()
    return found


def _line(policy: Policy) -> str:
    """How long its text is, and what was read in it."""
    said = [
        policy.terms.effect,
        policy.notes,
        policy.scope,
        None if policy.reads is None else sorted(policy.reads),
        policy.arguments,
        sorted(policy.names),
        sorted(policy.of_agent),
        policy.conditional,
        policy.body,
    ]
    return f"{len(policy.text)} {json.dumps(said, separators=(',', ':'))}"


def _policy(text: str, said: str) -> Policy:
    effect, notes, (agent, actions, resource), reads, arguments, names, of_agent, conditional, body = json.loads(said)
    return Policy(
        text,
        body,
        notes,
        terms_of(_Noted(effect, notes)),
        Scope(_uid(agent), tuple([_uid(action) for action in actions]), _uid(resource)),
        None if reads is None else frozenset(reads),
        arguments,
        frozenset([(kind, name) for kind, name in names]),
        frozenset(of_agent),
        conditional,
    )


def _uid(said: Any) -> Uid | None:  # noqa: ANN401 -- as JSON gives it
    return None if said is None else (said[0], said[1])
