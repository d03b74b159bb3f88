"""`narrowgate-hook`: a coding agent's tool calls, decided by the gate. Whatever goes wrong, the answer is deny.

Reads the event of a hook (PreToolUse, PostToolUse) as JSON on standard input and answers on standard output.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from narrowgate_client.errors import Denied, GateError, StillHeld
from narrowgate_client.gate import Gate

LONGEST_TEXT = 2_000
BEGINS = 400
DEEPEST = 12
MOST_INPUT = 16 * 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one event; the exit status is 0 where an answer was given."""
    parser = argparse.ArgumentParser(
        prog="narrowgate-hook", description="Ask the gate about a coding agent's tool call."
    )
    parser.add_argument("--wait", type=float, default=50.0, help="seconds that people get before the answer is deny")
    parser.add_argument(
        "--held", choices=["deny", "ask"], default="deny", help="the answer while people have not decided"
    )
    options = parser.parse_args(arguments)
    try:
        event = json.loads(sys.stdin.read(MOST_INPUT))
        if event.get("hook_event_name") == "PostToolUse":
            _report(event)
            return 0
        decision, reason = _decide(event, options.wait, options.held)
    except Exception as error:  # noqa: BLE001 -- a hook that breaks must not let the call through
        decision, reason = "deny", f"The gate could not be asked: {error}"
    sys.stdout.write(json.dumps(_answer(decision, reason)) + "\n")
    return 0


def _decide(event: Mapping[str, Any], wait: float, held: str) -> tuple[str, str]:
    gate = Gate.from_environment()
    try:
        action = gate.run(gate.asker.ask(_operation(event), _arguments(event), _key(event), wait))
    except StillHeld as error:
        return held, f"{error} Ask again later: the same call finds the approval. (action {error.action})"
    except Denied as denied:
        return "deny", str(denied)
    return "allow", f"Allowed by the gate (action {action})."


def _report(event: Mapping[str, Any]) -> None:
    """After the call: it is done. What cannot be reported is the gate's to notice."""
    try:
        gate = Gate.from_environment()
        action = gate.run(gate.asker.find(_operation(event), _arguments(event), _key(event)))
        gate.run(gate.asker.report(action, "done"))
    except (GateError, ValueError) as error:
        sys.stderr.write(f"narrowgate-hook: what came of it could not be reported: {error}\n")


def _operation(event: Mapping[str, Any]) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", str(event["tool_name"]).lower())
    return f"tools.{name}"[:64]


def _key(event: Mapping[str, Any]) -> str:
    """The same for both events of one call."""
    call = event.get("tool_use_id")
    return _hashed(f"{event.get('session_id')}/{call}") if call else uuid.uuid4().hex


def _hashed(text: str) -> str:
    return f"hook-{hashlib.sha256(text.encode()).hexdigest()}"


def _arguments(event: Mapping[str, Any]) -> dict[str, Any]:
    given = event.get("tool_input")
    if not isinstance(given, dict):
        raise TypeError("tool_input is no object")
    return {name: _short(value, 1) for name, value in given.items()}


def _short(value: object, depth: int) -> object:
    """A value as it is sent: long texts by what identifies them."""
    if depth > DEEPEST:
        raise ValueError("tool_input is nested too deep")
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return {"begins": value[:BEGINS], "characters": len(value), "sha256": digest}
    if isinstance(value, dict):
        return {name: _short(inner, depth + 1) for name, inner in value.items()}
    return [_short(inner, depth + 1) for inner in value] if isinstance(value, list) else value


def _answer(decision: str, reason: str) -> dict[str, Any]:
    said = {"hookEventName": "PreToolUse", "permissionDecision": decision, "permissionDecisionReason": reason}
    return {"hookSpecificOutput": said}


if __name__ == "__main__":
    sys.exit(main())
