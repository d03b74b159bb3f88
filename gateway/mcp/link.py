"""The gate's side of a tool server: one session with it, over HTTP (`overhttp.py`) or with a program (`program.py`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from mcp_types import SERVER_INFO_META_KEY

from gateway.mcp.jsonrpc import Said
from gateway.refusal import Refusal

HANDSHAKE: Final = ("2025-11-25", "2025-06-18", "2025-03-26")
"""Revisions with `initialize` and a session that the gate speaks with servers, the newest first."""
MODERN: Final = "2026-07-28"
"""The revision in which every request says all of it."""
ABOUT: Final[Mapping[str, str]] = {"name": "narrowgate", "version": "1"}
"""What the gate calls itself to a server: nothing that an agent says of itself goes there undecided."""
LONGEST_ANSWER: Final = 8 * 1024 * 1024
"""Bytes of one message of a server."""


@dataclass(frozen=True)
class Welcome:
    """What a server says when a session begins."""

    version: str
    capabilities: Mapping[str, Any]
    about: Mapping[str, Any]
    instructions: str = ""


class SessionOver(Refusal):
    """The server does not know the session any more: the client begins another."""

    def __init__(self) -> None:
        super().__init__(
            "The tool server has ended the session.", code="session_ended", remedy="Begin another with initialize."
        )


class Link(Protocol):
    """One session with a tool server. Not for two tasks that begin or close at once."""

    async def begin(self, capabilities: Mapping[str, Any]) -> Welcome:
        """Begin, with what the client can do. Raises Refusal, Lost, and OSError of a program."""
        ...

    def ask(self, said: Said, client: Mapping[str, Any] | None = None) -> AsyncIterator[Said]:
        """Send a request; what the server sends because of it, its answer last. Raises as `begin`.

        `client` is what the agent can do where that is said anew with each request.
        """
        ...

    async def tell(self, said: Said) -> None:
        """Send a notification, or an answer to what the server asked. Raises as `begin`."""
        ...

    def listen(self) -> AsyncIterator[Said]:
        """What the server sends of itself, until it ends; nothing where it does not."""
        ...

    async def close(self) -> None:
        """End it. Never raises for what is wrong out there."""
        ...


def welcome_of(result: Mapping[str, Any], version: str) -> Welcome:
    """What the answer to `initialize`, or to `server/discover`, says. Raises Refusal."""
    meta = result.get("_meta")
    stamped = meta.get(SERVER_INFO_META_KEY) if isinstance(meta, dict) else None
    capabilities, about = result.get("capabilities", {}), result.get("serverInfo", stamped or {})
    instructions = result.get("instructions") or ""
    if not isinstance(capabilities, dict) or not isinstance(about, dict) or not isinstance(instructions, str):
        raise Refusal("The tool server begins with what cannot be read.", code="answer_unclear")
    return Welcome(version, capabilities, _about(about), instructions)


def _about(said: Mapping[str, Any]) -> dict[str, str]:
    """What a server calls itself, bounded."""
    known = {name: said[name][:100] for name in ("name", "title", "version") if isinstance(said.get(name), str)}
    return {"name": "", "version": ""} | known
