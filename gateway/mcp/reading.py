"""Pure. Step 2 for MCP: a request becomes an operation with arguments, and what goes up is written from these alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from activity.digest import SALT_BYTES, canonical, digest
from agents.tools import PROMPT, TOOL, misfit
from core.errors import Invalid
from core.ids import new_id
from gateway.action import SHARED_VERBS, Action, Caller
from gateway.asked.reading import one_line
from gateway.mcp.jsonrpc import Request
from gateway.mcp.offers import LISTS, Accepted, Key, require
from gateway.refusal import Refusal
from policies.arguments import readable
from policies.verbs import MCP_CALL, MCP_PROMPT, MCP_READ, MCP_SESSION

LONGEST_NAME: Final = 128
LONGEST_URI: Final = 2_000
LONGEST_CURSOR: Final = 4_096
LONGEST_SHOWN: Final = 20_000
LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
GOES_ON: Final = ("inputResponses", "requestState")
MAY_GO_ON: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
UNKNOWN: Final = "unknown"
PROGRESS: Final = "progressToken"


@dataclass(frozen=True)
class Call:
    """A request as it goes up: `params` is what the server gets, `arguments` what policies read."""

    method: str
    verb: str
    operation: str
    params: Mapping[str, Any]
    arguments: Mapping[str, Any]
    definition: str = ""
    """The hash of the definition by which it was understood; empty where there is none."""
    progress: int | str | None = None
    """The token under which the client wants to hear how far it is."""
    task: Mapping[str, Any] | None = field(default=None, compare=False)
    """What the client said of a task, where it wants one: the gate's affair alone."""

    @property
    def reads(self) -> bool:
        """Whether it says that it changes nothing."""
        return self.verb != MCP_CALL


Offered = Mapping[Key, Any]
Reader = Callable[[Mapping[str, Any], Accepted, Offered], Call]


def understand(request: Request, accepted: Accepted, offered: Offered) -> Call:
    """What a request means. Raises Refusal."""
    reader = READERS.get(request.method)
    if reader is None:
        raise Refusal(
            f"The gate knows no method {request.method[:40]}, so it does not pass.",
            code="unknown_method",
            remedy="Use tools, prompts and resources.",
        )
    meta = request.params.get("_meta", {})
    progress = meta.get(PROGRESS) if isinstance(meta, dict) else None
    if progress is not None and (
        isinstance(progress, bool) or not isinstance(progress, (int, str)) or len(str(progress)) > 200
    ):
        raise _unfit("A progress token is a short text or a whole number.")
    params = {name: value for name, value in request.params.items() if name not in {"_meta", *GOES_ON}}
    call = reader(params, accepted, offered)
    more = _going_on(request)
    if more:
        call = replace(call, params={**call.params, **more})
    return call if progress is None else replace(call, progress=progress)


def _going_on(request: Request) -> dict[str, Any]:
    """What a request says that goes on with an earlier one, once its server knows what it asked for. Raises Refusal."""
    said = {name: request.params[name] for name in GOES_ON if name in request.params}
    if said and request.method not in MAY_GO_ON:
        raise _unfit(f"There is no parameter {next(iter(said))}.")
    if not isinstance(said.get("inputResponses", {}), dict) or not isinstance(said.get("requestState", ""), str):
        raise _unfit("inputResponses is an object, and requestState a text.")
    return said


def _tool(params: Mapping[str, Any], accepted: Accepted, offered: Offered) -> Call:
    _require_only(params, "name", "arguments", "task")
    name, arguments, task = _text(params, "name", LONGEST_NAME), _object(params, "arguments"), params.get("task")
    definition = require(TOOL, name, accepted, offered)
    where, why = misfit(definition.body, arguments)
    if why:
        raise _unfit(f"The arguments of {name[:60]} do not fit its schema: {f'{where[:60]}: ' if where else ''}{why}")
    if task is not None and not isinstance(task, dict):
        raise _unfit("task is an object.")
    up = {"name": name} | ({"arguments": arguments} if "arguments" in params else {})
    return Call("tools/call", MCP_CALL, name, up, arguments, definition.digest, task=task)


def _prompt(params: Mapping[str, Any], accepted: Accepted, offered: Offered) -> Call:
    _require_only(params, "name", "arguments")
    name, arguments = _text(params, "name", LONGEST_NAME), _object(params, "arguments")
    if not all(isinstance(value, str) for value in arguments.values()):
        raise _unfit("The arguments of a prompt are texts.")
    definition = require(PROMPT, name, accepted, offered)
    up = {"name": name} | ({"arguments": arguments} if "arguments" in params else {})
    return Call("prompts/get", MCP_PROMPT, name, up, arguments, definition.digest)


def _by_uri(method: str, verb: str) -> Reader:
    def read(params: Mapping[str, Any], _accepted: Accepted, _offered: Offered) -> Call:
        _require_only(params, "uri")
        said = {"uri": _text(params, "uri", LONGEST_URI)}
        return Call(method, verb, method, said, said)

    return read


def _listing(method: str) -> Reader:
    def read(params: Mapping[str, Any], _accepted: Accepted, _offered: Offered) -> Call:
        _require_only(params, *(() if method in LISTS else ("cursor",)))  # the gate gives its own lists whole
        said = {"cursor": _text(params, "cursor", LONGEST_CURSOR)} if "cursor" in params else {}
        return Call(method, MCP_SESSION, method, said, said)

    return read


def _level(params: Mapping[str, Any], _accepted: Accepted, _offered: Offered) -> Call:
    _require_only(params, "level")
    if params.get("level") not in LEVELS:
        raise _unfit(f"level is one of {', '.join(LEVELS)}.")
    return Call("logging/setLevel", MCP_SESSION, "logging/setLevel", params, params)


def _discover(_params: Mapping[str, Any], _accepted: Accepted, _offered: Offered) -> Call:
    """What the gate knows already."""
    return Call("server/discover", MCP_SESSION, "server/discover", {}, {})


def _initialize(_params: Mapping[str, Any], _accepted: Accepted, _offered: Offered) -> Call:
    """Nothing of it goes up: the gate begins its own session with the server."""
    return Call("initialize", MCP_SESSION, "initialize", {}, {})


def _completion(params: Mapping[str, Any], accepted: Accepted, offered: Offered) -> Call:
    _require_only(params, "ref", "argument", "context")
    ref, argument, context = _object(params, "ref"), _object(params, "argument"), _object(params, "context")
    kind = ref.get("type")
    if kind == "ref/prompt":
        _require_only(ref, "type", "name", "title")
        about = {"type": kind, "name": require(PROMPT, _text(ref, "name", LONGEST_NAME), accepted, offered).name}
    elif kind == "ref/resource":
        _require_only(ref, "type", "uri")
        about = {"type": kind, "uri": _text(ref, "uri", LONGEST_URI)}
    else:
        raise _unfit("ref is of the type ref/prompt or ref/resource.")
    _require_only(argument, "name", "value")
    _require_only(context, "arguments")
    chosen = _object(context, "arguments")
    if not all(isinstance(value, str) for value in (*argument.values(), *chosen.values())) or len(argument) != 2:
        raise _unfit("argument has a name and a value, and what was chosen before are texts.")
    up = {"ref": about, "argument": argument} | ({"context": {"arguments": chosen}} if chosen else {})
    return Call("completion/complete", MCP_READ, "completion/complete", up, up)


READERS: Final[Mapping[str, Reader]] = {
    "initialize": _initialize,
    "server/discover": _discover,
    "tools/call": _tool,
    "prompts/get": _prompt,
    "resources/read": _by_uri("resources/read", MCP_READ),
    "resources/subscribe": _by_uri("resources/subscribe", MCP_READ),
    "resources/unsubscribe": _by_uri("resources/unsubscribe", MCP_SESSION),
    "completion/complete": _completion,
    "logging/setLevel": _level,
    **{
        method: _listing(method)
        for method in ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
    },
}


def _require_only(params: Mapping[str, Any], *known: str) -> None:
    unknown = sorted(params.keys() - set(known))
    if unknown:
        raise _unfit(f"There is no parameter {unknown[0][:40]}.")


def _text(params: Mapping[str, Any], name: str, longest: int) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest or "\0" in value:
        raise _unfit(f"{name} is a text of 1 to {longest} characters.")
    return value


def _object(params: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = params.get(name, {})
    if not isinstance(value, dict):
        raise _unfit(f"{name} is an object.")
    return value


def _unfit(why: str) -> Refusal:
    return Refusal(why, code="invalid_params", remedy="Send it as its schema says.")


# ---- the action ----
def action_of(call: Call, caller: Caller, tags: frozenset[str], *, number: int, salt: bytes = b"") -> Action:
    """The action of carrying it out once. A salt is made where none is given. Raises Refusal."""
    salt = salt or os.urandom(SALT_BYTES)
    try:
        arguments = readable(call.arguments)
        covered = canonical(
            {
                "agent": caller.agent,
                "definition": call.definition,
                "method": call.method,
                "on_behalf_of": str(caller.on_behalf_of or ""),
                "params": call.params,
                "resource": caller.resource,
            }
        )
    except Invalid as error:
        raise _unfit(f"{error.message} {error.remedy}") from None
    except ValueError:
        raise _unfit("A number is beyond what JSON carries exactly, or a text is no Unicode.") from None
    return Action(
        str(new_id()), number, call.verb, shown(call), covered, salt, digest(covered, salt), datetime.now(UTC),
        frozenset({call.verb}), tags=tags, shape=call.operation, summary=summary(call), shared=call.verb in SHARED_VERBS,
        operation=call.operation, arguments=arguments,
    )  # fmt: skip


def unread(request: Request, caller: Caller, number: int) -> Action:
    """The action of a request that was refused before it was understood: its method, and what it names, without arguments."""
    salt = os.urandom(SALT_BYTES)
    covered = canonical({"agent": caller.agent, "method": request.method, "resource": caller.resource})
    name = request.params.get("name", request.params.get("uri"))
    text = f"{request.method} {name[:200]}" if isinstance(name, str) else request.method
    return Action(str(new_id()), number, UNKNOWN, text, covered, salt, digest(covered, salt), datetime.now(UTC))


def shown(call: Call) -> str:
    """The request for people: the method or the tool, and its arguments a line each."""
    if not call.arguments:
        return call.operation
    said = json.dumps(call.arguments, ensure_ascii=False, indent=2, sort_keys=True)
    return f"{call.operation} {said}"[:LONGEST_SHOWN]


def summary(call: Call) -> str:
    """One line of it."""
    return one_line(call.operation, call.arguments)
