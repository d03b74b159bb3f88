"""Pure. JSON-RPC 2.0 as MCP uses it: one message at a time, read strictly, so that nobody behind the gate can understand it otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR

from core.errors import Invalid
from gateway.asked.reading import object_or_list
from gateway.refusal import Refusal

REFUSED: Final = -32003
"""An action that the gate refused. `data` has the reason's code, the remedy and the action's identifier."""
LONGEST_METHOD: Final = 64
LONGEST_ID: Final = 200
LARGEST_ID: Final = 2**53
Id: TypeAlias = int | str
Said: TypeAlias = dict[str, Any]
"""A message as JSON."""
CODES: Final[Mapping[str, int]] = {
    "unknown_method": METHOD_NOT_FOUND,
    "invalid_params": INVALID_PARAMS,
    "unlisted_tool": INVALID_PARAMS,
    "broken": INTERNAL_ERROR,
}
"""Of refusals that JSON-RPC has a number for."""


class Fault(Exception):
    """A message that is none, or not one that may come here."""

    def __init__(self, code: int, message: str, *, message_id: Id | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.message_id = code, message, message_id

    @property
    def said(self) -> Said:
        """The message that says so."""
        return {"jsonrpc": "2.0", "id": self.message_id, "error": {"code": self.code, "message": self.message}}


@dataclass(frozen=True)
class Request:
    """What wants an answer."""

    id: Id
    method: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Notification:
    """What wants none."""

    method: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Response:
    """An answer: `result`, or `error` where that is there."""

    id: Id
    result: Mapping[str, Any]
    error: Mapping[str, Any] | None = None


Message: TypeAlias = Request | Notification | Response


def read(body: bytes) -> Message:
    """What a client sent. Raises Fault for a batch too, which no revision since 2025-06-18 has."""
    try:
        said = object_or_list(body)
    except Invalid as error:
        raise Fault(PARSE_ERROR, f"{error.message} {error.remedy}") from None
    return message_of(said)


def message_of(said: object) -> Message:
    """The message that JSON says. Raises Fault."""
    if not isinstance(said, dict) or said.get("jsonrpc") != "2.0":
        raise Fault(INVALID_REQUEST, 'A message is one JSON object with "jsonrpc": "2.0"; batches are not taken.')
    number = said.get("id")
    if "id" in said and not _is_id(number):
        raise Fault(INVALID_REQUEST, f"An id is a text of up to {LONGEST_ID} characters or a whole number.")
    if "method" in said:
        return _asked(said, number)
    if number is None or ("result" in said) == ("error" in said):
        raise Fault(INVALID_REQUEST, "A message has a method, or an id with either a result or an error.")
    return _answered(said, number)


def _asked(said: Mapping[str, Any], number: Id | None) -> Request | Notification:
    _require_only(said, {"jsonrpc", "id", "method", "params"}, number)
    method, params = said["method"], said.get("params", {})
    if not isinstance(method, str) or not 0 < len(method) <= LONGEST_METHOD:
        raise Fault(INVALID_REQUEST, "A method is a short text.", message_id=number)
    if not isinstance(params, dict):
        raise Fault(INVALID_REQUEST, "Parameters are an object.", message_id=number)
    return Notification(method, params) if number is None else Request(number, method, params)


def _answered(said: Mapping[str, Any], number: Id) -> Response:
    _require_only(said, {"jsonrpc", "id", "result", "error"}, number)
    result, error = said.get("result", {}), said.get("error")
    if not isinstance(result, dict) or not (error is None or isinstance(error, dict)):
        raise Fault(INVALID_REQUEST, "A result and an error are objects.", message_id=number)
    return Response(number, result, error)


def _require_only(said: Mapping[str, Any], known: set[str], number: Id | None) -> None:
    unknown = sorted(said.keys() - known)
    if unknown:
        raise Fault(INVALID_REQUEST, f"A message has no {unknown[0][:40]}.", message_id=number)


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= LONGEST_ID
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_ID


def parsed(body: bytes) -> Any:  # noqa: ANN401 -- JSON
    """What a server sent, which is written anew before it goes on. Raises ValueError."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def written(said: Mapping[str, Any]) -> bytes:
    """A message as it goes out. Raises ValueError for a number that JSON has not, or too many levels."""
    try:
        return json.dumps(said, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def result(message_id: Id, given: Mapping[str, Any]) -> Said:
    """The answer to a request."""
    return {"jsonrpc": "2.0", "id": message_id, "result": given}


def request(message_id: Id, method: str, params: Mapping[str, Any]) -> Said:
    """A request."""
    return {"jsonrpc": "2.0", "id": message_id, "method": method, **({"params": params} if params else {})}


def notification(method: str, params: Mapping[str, Any]) -> Said:
    """A notification."""
    return {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}


def error(message_id: Id | None, code: int, message: str, data: Mapping[str, Any] | None = None) -> Said:
    """An answer that says what is wrong."""
    told: Said = {"code": code, "message": message} | ({"data": dict(data)} if data else {})
    return {"jsonrpc": "2.0", "id": message_id, "error": told}


def refused(message_id: Id, refusal: Refusal, action: str = "") -> Said:
    """A refusal as JSON-RPC says it: the reason, what to do about it, and the action's identifier."""
    data = {"code": refusal.code} | ({"remedy": refusal.remedy} if refusal.remedy else {})
    data |= {"action": action} if action else {}
    return error(message_id, CODES.get(refusal.code, REFUSED), refusal.message, data)
