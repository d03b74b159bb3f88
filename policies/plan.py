"""Pure: a version's policies as they were read when it was checked, kept beside its text so that nobody reads Cedar again.

Reading ten thousand policies takes Cedar seconds in which the interpreter is its own, and a thread that decides without rest
leaves whoever wants it only moments. So a plan is read in a few hundredths of a second: what an engine has to know of all policies is
one document, and what it knows of one is read when a question first meets that. A plan says nothing that its text does not: it
is signed with the text, and is left alone where another release of Narrowgate or of Cedar wrote it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from itertools import accumulate
from typing import Any, Final

from cedarpy import pst

from core.errors import Invalid
from policies import schema
from policies.parse import LONGEST_TEXT, Policy, Rules, lend, remember, remembered
from policies.parts import Uid
from policies.slicing import Scope, ScopeIndex
from policies.terms import checked_terms_of

FORMAT: Final = 3
LARGEST: Final = 16 * LONGEST_TEXT
"""Bytes of a plan that is not packed."""


@dataclass(frozen=True)
class _Noted:
    """What `checked_terms_of` looks at of a policy."""

    effect: pst.Effect
    annotations: Mapping[str, str]


class Planned(Rules):
    """Policies by a plan: each is read when it is first looked at. Raises Invalid then, where its line is damaged."""

    def __init__(self, text: str, head: Mapping[str, Any], lines: Sequence[str]) -> None:
        """Raises ValueError, TypeError or KeyError where the head does not fit the text and the lines."""
        names, sizes = head["names"], head["sizes"]
        ends = list(accumulate(sizes))
        self._text, self._lines, self._ends = text, lines, ends
        self._met: dict[str, Policy] = {}
        self._by_text: dict[str, str] | None = None
        self._places = dict(zip(names, range(len(names)), strict=True))
        if not len(self._places) == len(sizes) == len(lines) or (ends and ends[-1] > len(text)):
            raise ValueError("it is not of this text")
        # What is worked out elsewhere is known here.
        self.reads = None if head["reads"] is None else frozenset(head["reads"])
        self.index = ScopeIndex(head["index"])
        self.groups, self.tags = frozenset(head["groups"]), frozenset(head["tags"])

    def __getitem__(self, name: str) -> Policy:
        policy = self._met.get(name)
        if policy is None:
            policy = self._met[name] = self._read(self._places[name])
        return policy

    def _read(self, place: int) -> Policy:
        piece = self._piece(place)
        return remembered(piece) or remember(_policy(piece, self._lines[place]))

    def of_text(self, piece: str) -> Policy | None:
        """The policy that is written so; None where none is."""
        if self._by_text is None:
            self._by_text = {self._piece(place): name for name, place in self._places.items()}
        name = self._by_text.get(piece)
        return None if name is None else self[name]

    def _piece(self, place: int) -> str:
        return self._text[self._ends[place - 1] if place else 0 : self._ends[place]]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@lru_cache(1)
def made_by() -> str:
    """Which plans can be used: those of this form, of this schema, of this Cedar."""
    return sha256(f"{FORMAT}\0{version('cedarpy')}\0{schema.text()}".encode()).hexdigest()


def write(rules: Rules) -> bytes:
    """The plan of policies in the order of their text, packed."""
    head = {
        "names": list(rules),
        "sizes": [len(policy.text) for policy in rules.values()],
        "reads": None if rules.reads is None else sorted(rules.reads),
        "index": rules.index.table,
        "groups": sorted(rules.groups),
        "tags": sorted(rules.tags),
    }
    lines = [made_by(), _json(head), *map(_line, rules.values())]
    return zlib.compress("\n".join(lines).encode(), 6)


def read(text: str, packed: bytes) -> Rules | None:
    """The policies of `text` by its plan; None where the plan is another release's. Raises Invalid for one that is damaged."""
    try:
        plan = zlib.decompressobj().decompress(packed, LARGEST).decode()
        first, *lines = plan.split("\n")
        if first != made_by():
            return None
        planned = Planned(text, json.loads(lines[0]), lines[1:])
    except (zlib.error, ValueError, TypeError, KeyError, IndexError) as error:
        raise _damaged(error) from None
    lend(planned.of_text)
    return planned


def _damaged(error: Exception) -> Invalid:
    return Invalid("plan", f"What is kept beside the policies is damaged: {error}.")


def _line(policy: Policy) -> str:
    """What was read in its text."""
    return _json([
        policy.terms.effect,
        policy.notes,
        policy.scope,
        None if policy.reads is None else sorted(policy.reads),
        policy.arguments,
        sorted(policy.names),
        sorted(policy.of_agent),
        policy.conditional,
        policy.body,
    ])  # fmt: skip


def _json(said: object) -> str:
    return json.dumps(said, separators=(",", ":"))


def _policy(text: str, line: str) -> Policy:
    try:
        effect, notes, (agent, actions, resource, of), reads, arguments, names, of_agent, conditional, body = (
            json.loads(line)
        )
        return Policy(
            text,
            body,
            notes,
            checked_terms_of(_Noted(effect, notes)),
            Scope(_uid(agent), tuple([_uid(action) for action in actions]), _uid(resource), of),
            None if reads is None else frozenset(reads),
            arguments,
            frozenset([(kind, name) for kind, name in names]),
            frozenset(of_agent),
            conditional,
        )
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise _damaged(error) from None


def _uid(said: Any) -> Uid | None:  # noqa: ANN401 -- as JSON gives it
    return None if said is None else (said[0], said[1])
