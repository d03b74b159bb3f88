"""Which witnesses make a checkpoint final: C2SP tlog-policy, read from a file. Pure: no Django, no I/O.

    witness alice    w.alice.example/1+…   https://w.alice.example
    witness bob      w.bob.example/1+…     https://w.bob.example
    group organisations 2 alice bob
    quorum organisations

A group is witnessed when so many of its members are; a group for each organisation makes their witnesses count once.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from core.errors import Invalid
from ledger.checkpoint import COSIGNER, NoteError, VerifierKey

SETTING: Final = "LEDGER_WITNESSES"
NONE: Final = "none"
MOST_LINES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Known:
    """A witness of the file: its name there, its key, and where it is asked; empty where it is not."""

    name: str
    key: VerifierKey
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """So many of its members have to witness."""

    enough: int
    members: tuple[str, ...]


@dataclass(slots=True)
class Quorum:
    """The policy: witnesses, groups, and the one of them that decides."""

    witnesses: dict[str, Known] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    decides: str = NONE

    def is_met(self, cosigned: Collection[str]) -> bool:
        """Whether witnesses of these names make a checkpoint final. Without a quorum nothing ever is."""
        return self.decides != NONE and self._witnessed(self.decides, cosigned)

    def _witnessed(self, name: str, cosigned: Collection[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._witnessed(member, cosigned) for member in group.members) >= group.enough

    def name_of(self, key_id: str, name: str) -> str:
        """The file's name of a witness, by its key; empty for one that the file does not have."""
        ids = {(one.key.key_id.hex(), one.key.name): one.name for one in self.witnesses.values()}
        return ids.get((key_id, name), "")


def read_policy(text: str) -> Quorum:
    """Read a policy file. Raises Invalid, naming the line."""
    found, used, quorums = Quorum(), set[str](), 0
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        raise Invalid(SETTING, f"The file of witnesses has more than {MOST_LINES} lines.")
    for number, line in enumerate(lines, start=1):
        words = re.split(r"[ \t]+", line.strip(" \t"))
        try:
            if line.strip(" \t") and not words[0].startswith("#"):
                _add(found, used, words)
                quorums += words[0] == "quorum"
        except (_Wrong, NoteError) as error:
            raise Invalid(SETTING, f"Line {number} of the file of witnesses: {error}") from None
    if quorums != 1:
        raise Invalid(SETTING, f"The file of witnesses has {quorums or 'no'} quorum lines.", "It needs exactly one.")
    return found


class _Wrong(ValueError):
    """What is wrong with a line."""


def _add(found: Quorum, used: set[str], words: list[str]) -> None:
    """Take one line in. Names are defined before they are used, and are members of one group at most."""
    kind, *rest = words
    if kind == "log" and len(rest) in {1, 2}:
        VerifierKey.parse(rest[0])
    elif kind == "witness" and len(rest) in {2, 3}:
        _add_witness(found, rest)
    elif kind == "group" and len(rest) >= 3:
        _add_group(found, used, rest)
    elif kind == "quorum" and len(rest) == 1:
        if rest[0] != NONE:
            _require_defined(found, rest[0])
        found.decides = rest[0]
    else:
        raise _Wrong("it is none of: log KEY, witness NAME KEY URL, group NAME COUNT MEMBERS, quorum NAME.")


def _add_witness(found: Quorum, rest: list[str]) -> None:
    name, key, url = rest[0], VerifierKey.parse(rest[1], COSIGNER), rest[2] if len(rest) > 2 else ""
    _require_new(found, name)
    if any(one.key.public == key.public for one in found.witnesses.values()):
        raise _Wrong("that witness's key is there twice.")
    if url and not re.fullmatch(r"https?://[^\s]+", url):
        raise _Wrong(f"{url} is no address of a witness.")
    found.witnesses[name] = Known(name, key, url.rstrip("/"))


def _add_group(found: Quorum, used: set[str], rest: list[str]) -> None:
    name, count, *members = rest
    _require_new(found, name)
    for member in members:
        _require_defined(found, member)
        if member in used:
            raise _Wrong(f"{member} is a member twice.")
        used.add(member)
    said = {"all": len(members), "any": 1}.get(count)
    enough = said if said is not None else int(count) if re.fullmatch(r"[1-9][0-9]{0,3}", count) else 0
    if not 1 <= enough <= len(members):
        raise _Wrong(f"{count} is no number of its members.")
    found.groups[name] = Group(enough, tuple(members))


def _require_new(found: Quorum, name: str) -> None:
    if name == NONE or name in found.witnesses or name in found.groups:
        raise _Wrong(f"the name {name} is taken.")


def _require_defined(found: Quorum, name: str) -> None:
    if name not in found.witnesses and name not in found.groups:
        raise _Wrong(f"{name} is not defined above.")
