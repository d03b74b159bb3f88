"""The past of carrier and till: agents call them through the gate's door, and somebody from security answers."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import structlog

from cli.state import World
from cli.token import request_token
from console.demo.history import PATIENCE, answer_hold, waiting_hold
from console.demo.neighbours import CARRIER, TILL
from core.errors import NarrowgateError

REVISION = "2026-07-28"
ABOUT = {
    "io.modelcontextprotocol/protocolVersion": REVISION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "demo", "version": "1"},
}
SUPPORT, REFUNDS = "support.production.01", "refunds.production"
ELSEWHERE = "/parcels/4411/redirect"
_numbers = itertools.count(1)
log = structlog.get_logger()


def make(world: World) -> None:
    """Some calls that pass, some that do not, one that was approved, and two that wait for whoever comes."""
    with _visit(world, SUPPORT, CARRIER, "Ticket 4411: where is my parcel?") as door:
        for number in (4411, 4420):
            door.get(f"/http/{CARRIER}/parcels/{number}")
        door.delete(f"/http/{CARRIER}/parcels/4420")
        _redirect(door, "/parcels/4420/redirect", "Parcel shop 12, Ghent")
        _approve(SUPPORT, "The customer confirmed it by telephone.")
        _redirect(door, "/parcels/4420/redirect", "Parcel shop 12, Ghent")  # the same again collects the answer
        _redirect(door, ELSEWHERE, "Box 99, Porto")
    with _visit(world, SUPPORT, TILL, "Ticket 4431: what was paid?") as door:
        _call(door, "payment", {"order": 77})
        _call(door, "refund", {"order": 77, "amount_cents": 900, "reason": "goodwill"})
    with _visit(world, REFUNDS, TILL, "Refunds that support has promised") as door:
        _call(door, "payment", {"order": 12})
        _call(door, "refund", {"order": 12, "amount_cents": 4_900, "reason": "Ticket 4388: damaged"})
        with suppress(httpx.ReadTimeout):  # whoever leaves finds the hold again
            _call(door, "refund", {"order": 31, "amount_cents": 24_900, "reason": "Ticket 4440: never arrived"}, wait=3)


@contextmanager
def _visit(world: World, agent: str, resource: str, purpose: str) -> Iterator[httpx.Client]:
    """An agent at the gate's door with the token of one resource; what goes wrong ends the visit."""
    try:
        token = request_token(world, agent, resource, key=Path(world.key_of(agent)), purpose=purpose)
        trusted = ssl.create_default_context(cafile=str(world.ca))
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(
            base_url=f"https://{world.http}", verify=trusted, headers=headers, timeout=PATIENCE, trust_env=False
        ) as door:
            yield door
    except (httpx.HTTPError, NarrowgateError) as error:
        log.warning("demo_visit_ended", agent=agent, resource=resource, error=str(error))


def _redirect(door: httpx.Client, path: str, address: str) -> None:
    door.post(f"/http/{CARRIER}{path}", json={"address": address})


def _call(door: httpx.Client, tool: str, arguments: Mapping[str, Any], *, wait: float = PATIENCE) -> None:
    params = {"name": tool, "arguments": dict(arguments), "_meta": ABOUT}
    said = {"jsonrpc": "2.0", "id": next(_numbers), "method": "tools/call", "params": params}
    headers = {
        "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": REVISION, "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
    }  # fmt: skip
    door.post(f"/mcp/{TILL}", json=said, headers=headers, timeout=wait)


def _approve(agent: str, reason: str) -> None:
    hold = waiting_hold(agent)
    if hold is None:
        log.warning("demo_hold_missing", agent=agent)
    else:
        answer_hold(hold, "priya", approved=True, reason=reason)
