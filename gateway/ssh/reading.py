"""Pure. Step 2 for SSH: a command, a file or a terminal becomes an `Action` whose digest covers all that decides what it does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from activity.digest import SALT_BYTES, canonical, digest
from core.ids import new_id
from gateway.action import Action, Caller
from gateway.ssh.parts import Part
from policies.verbs import SSH_EXEC, SSH_READ, SSH_TERMINAL, SSH_UNKNOWN, SSH_WRITE

LONGEST_SHOWN: Final = 20_000
LONGEST_SUMMARY: Final = 100
UNKNOWN: Final = "unknown"
_STRONGEST: Final = (SSH_UNKNOWN, SSH_TERMINAL, SSH_EXEC, SSH_WRITE, SSH_READ)


@dataclass(frozen=True)
class Place:
    """Where at a host something happens: its key, the login there, the directory and the whole environment."""

    host_key: str
    user: str
    folder: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def said(self) -> dict[str, object]:
        """As the digest covers it."""
        return {
            "directory": self.folder,
            "environment": dict(self.environment),
            "host_key": self.host_key,
            "user": self.user,
        }


@dataclass(frozen=True)
class Wish:
    """What is asked for: the parts it comes down to, its text for people, and what of it the digest covers beside the place."""

    parts: Sequence[Part]
    shown: str
    covers: Mapping[str, object]
    summary: str = ""

    @property
    def verbs(self) -> frozenset[str]:
        """Every verb of its parts."""
        return frozenset(part.verb for part in self.parts)

    @property
    def unclear(self) -> str:
        """Why some of it cannot be told; empty where all can."""
        return next((part.why for part in self.parts if part.verb == SSH_UNKNOWN), "")


def command(text: str, parts: Sequence[Part], folder: str, *, home: str) -> Wish:
    """A command, for people after a prompt, which names the directory where that is not the login's home."""
    prompt = "$" if folder == home else f"{folder} $"
    first = " ".join(text.split())
    summary = first if len(first) <= LONGEST_SUMMARY else first[: LONGEST_SUMMARY - 1] + "…"
    return Wish(parts, f"{prompt} {text}"[:LONGEST_SHOWN], {"command": text}, summary)


@dataclass(frozen=True)
class Terminal:
    """A client's terminal: its type, and columns, rows and pixels."""

    kind: str
    size: tuple[int, int, int, int]


def terminal(one: Terminal) -> Wish:
    """A whole terminal. What will be typed in it nobody knows."""
    part = Part(SSH_TERMINAL, "a terminal", fixed=False)
    return Wish((part,), "$ (a terminal: whatever is typed happens)", {"terminal": one.kind}, "Opens a terminal")


def action_of(wish: Wish, place: Place, caller: Caller, *, number: int, salt: bytes = b"") -> Action:
    """The action of doing it once. A salt is made where none is given."""
    salt = salt or os.urandom(SALT_BYTES)
    said = {**place.said(), **wish.covers}
    covered = canonical(
        {
            **said,
            "agent": caller.agent,
            "on_behalf_of": str(caller.on_behalf_of or ""),
            "resource": caller.resource,
        }
    )
    verbs = wish.verbs
    return Action(
        str(new_id()), number, next(one for one in _STRONGEST if one in verbs), wish.shown, covered, salt, digest(covered, salt),
        datetime.now(UTC), verbs, shape=shape_of(wish.parts), summary=wish.summary, shared=verbs == {SSH_READ},
        each=tuple((part.verb, read_by_policies(part, place)) for part in wish.parts),
    )  # fmt: skip


def unread(text: str, caller: Caller, number: int) -> Action:
    """The action of something that was refused before it was understood."""
    salt = os.urandom(SALT_BYTES)
    covered = canonical({"agent": caller.agent, "command": text[:LONGEST_SHOWN], "resource": caller.resource})
    shown = f"$ {text}"[:LONGEST_SHOWN].replace("\0", "\ufffd")
    return Action(str(new_id()), number, UNKNOWN, shown, covered, salt, digest(covered, salt), datetime.now(UTC))


def shape_of(parts: Sequence[Part]) -> str:
    """What is alike in commands: the programs that they start, or the kind of file access."""
    programs = list(dict.fromkeys(part.program for part in parts if part.program))
    return (" ".join(programs) or " ".join(sorted({part.verb for part in parts})))[:200]


def read_by_policies(part: Part, place: Place) -> dict[str, object]:
    """What policies read of one part alone."""
    if part.path:
        return {"args": {"path": part.path}}
    args: dict[str, object] = {"command": part.text, "directory": place.folder, "fixed": part.fixed}
    args["through"] = frozenset(part.through)
    if part.verb == SSH_TERMINAL:
        return {}
    if not part.program:
        return {"args": args}
    return {
        "operation": part.program,
        "args": {**args, "program": part.program, "arguments": frozenset(part.arguments)},
    }
