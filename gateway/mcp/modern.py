"""Revision 2026-07-28, in which every request says all of it: its rules for headers, and what its answers have beside others. Pure.

The rules are the official package's own (`mcp.shared.inbound`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundLadderRejection,
    classify_inbound_request,
    find_duplicated_routing_header,
    validate_mcp_param_headers,
)
from mcp_types import CLIENT_CAPABILITIES_META_KEY, HEADER_MISMATCH, METHOD_NOT_FOUND, PROTOCOL_VERSION_META_KEY

from gateway.mcp.asked_back import VERBS
from gateway.mcp.beginning import capabilities_of
from gateway.mcp.jsonrpc import Request, Said, error
from gateway.mcp.link import MODERN

METHODS: Final = frozenset(
    {
        "server/discover", "tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list", "resources/read",
        "resources/templates/list", "completion/complete",
    }
)  # fmt: skip
"""What the revision has, and the gate carries."""
CACHEABLE: Final = frozenset(
    {"server/discover", "tools/list", "prompts/list", "resources/list", "resources/read", "resources/templates/list"}
)
PARAMETERS: Final = "mcp-param-"
Headers = Iterable[tuple[str, str]]


def is_modern(version: str, params: Mapping[str, Any]) -> bool:
    """Whether a request is of this revision, by its header or by itself."""
    meta = params.get("_meta")
    return version == MODERN or (isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta)


def wrong(asked: Request, headers: Headers) -> Said | None:
    """What is wrong with a request's envelope and headers; None where they say the same, and something that is served."""
    given = list(headers)
    twice = find_duplicated_routing_header(given) or _twice(given)
    if twice is not None:
        return error(asked.id, HEADER_MISMATCH, f"The header {twice[:60]} is there twice.")
    body = {"method": asked.method, "params": dict(asked.params)}
    verdict = classify_inbound_request(body, headers=dict(given))
    if isinstance(verdict, InboundLadderRejection):
        return error(asked.id, verdict.code, verdict.message, verdict.data)
    if asked.method not in METHODS:
        return error(asked.id, METHOD_NOT_FOUND, f"The gate carries no {asked.method[:40]} in this revision.")
    return None


def _twice(headers: Headers) -> str | None:
    names = [name for name, _ in headers if name.startswith(PARAMETERS)]
    return next((name for name in names if names.count(name) > 1), None)


def mismatch(asked: Request, schema: Mapping[str, Any], headers: Headers) -> Said | None:
    """What is wrong with the headers that say arguments once more, for whoever routes by them (`x-mcp-header`)."""
    arguments = asked.params.get("arguments")
    found = validate_mcp_param_headers(schema, arguments if isinstance(arguments, dict) else {}, dict(headers))
    return None if found is None else error(asked.id, found.code, found.message, found.data)


def status_of(said: Said) -> int:
    """The status of HTTP that goes with an answer."""
    code = said.get("error", {}).get("code")
    return ERROR_CODE_HTTP_STATUS.get(code, 200) if isinstance(code, int) else 200


def client_of(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a client can do, by its request."""
    meta = params.get("_meta")
    said = meta.get(CLIENT_CAPABILITIES_META_KEY) if isinstance(meta, dict) else None
    return capabilities_of(said)


def completed(method: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with what this revision says beside it: whole, and for nobody to keep, because it is for this agent alone."""
    kept = {name: value for name, value in result.items() if name not in {"ttlMs", "cacheScope"}}
    done = {"resultType": "complete", **kept}
    return done | ({"ttlMs": 0, "cacheScope": "private"} if method in CACHEABLE else {})


def is_asking(result: Mapping[str, Any]) -> bool:
    """Whether a server answers that it needs more before it can answer."""
    return result.get("resultType") == "input_required"


def wishes(result: Mapping[str, Any]) -> dict[str, Request] | None:
    """What a server needs: each by its own name, as what it would ask of the agent. None where it cannot be read."""
    said = result.get("inputRequests") or {}
    state = result.get("requestState", "")
    if not isinstance(said, dict) or not isinstance(state, str) or len(said) > 20 or not (said or state):
        return None
    found = {}
    for name, one in said.items():
        if not isinstance(one, dict) or one.get("method") not in VERBS or not isinstance(one.get("params", {}), dict):
            return None
        found[name] = Request(name or "input", one["method"], one.get("params", {}))
    return found
