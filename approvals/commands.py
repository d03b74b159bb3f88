"""What a held command comes down to, for people: its parts, and a sentence about them. Pure of requests and of the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core import words

PREFIX: Final = "ssh:"
TERMINAL: Final = "ssh:terminal"
_CHIPS: Final = {"allow": "allow", "hold": "hold", "deny": "deny"}


@dataclass(frozen=True)
class Part:
    """A program that starts or a file that is opened; `how` is what starts it or why it cannot be told, `alone` the chip of its own answer."""

    text: str
    how: str
    alone: str


def parts_of(verb: str, estimate: Mapping[str, Any] | None) -> list[Part]:
    """The parts of a held command; none for anything else, or while they are still to come."""
    found = (estimate or {}).get("parts") if verb.startswith(PREFIX) else None
    return [_part(one) for one in found or ()]


def _part(said: Mapping[str, Any]) -> Part:
    through = words.listing([str(one) for one in said.get("through") or ()])
    how = str(said.get("why") or (f"through {through}" if through else ""))
    kinds = {"ssh:read": "reads a file", "ssh:write": "writes a file"}
    return Part(str(said["text"]), how or kinds.get(str(said["verb"]), ""), _CHIPS.get(str(said["alone"]), "deny"))


def says(verb: str, estimate: Mapping[str, Any] | None, resource: str) -> str:
    """One sentence: how many programs start, how many files are opened, what cannot be told."""
    if verb == TERMINAL:
        return f"Opens a terminal on {resource}: whatever is typed in it happens."
    counted = Counter(str(one["verb"]) for one in (estimate or {}).get("parts", ()))
    told = [
        f"starts {words.plural(counted['ssh:exec'], 'program')}" if counted["ssh:exec"] else "",
        f"reads {words.plural(counted['ssh:read'], 'file')}" if counted["ssh:read"] else "",
        f"writes {words.plural(counted['ssh:write'], 'file')}" if counted["ssh:write"] else "",
    ]
    sentence = words.listing([one for one in told if one])
    if not sentence and not counted["ssh:unknown"]:
        return f"Runs on {resource} as it is shown, once."
    known = f"{sentence[:1].upper()}{sentence[1:]} on {resource}." if sentence else ""
    unknown = "Some of it cannot be told before it runs." if counted["ssh:unknown"] else ""
    return f"{known} {unknown}".strip()


def heading(parts: Sequence[Part]) -> str:
    """What the text that will run is written in."""
    return f"shell, split into {words.plural(len(parts), 'part')}" if parts else "shell, as the agent sent it"
