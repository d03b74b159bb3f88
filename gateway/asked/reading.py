"""Pure. Step 2 for what happens outside the data path: an operation with arguments, from JSON that nobody vouches for."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from activity.digest import SALT_BYTES, canonical, digest
from core.errors import Invalid
from gateway.action import Action, Caller
from policies.arguments import readable
from policies.verbs import CALL

LONGEST: Final = 65_536
"""Bytes of a request."""
LONGEST_NAME: Final = 64
LONGEST_KEY: Final = 100
DEEPEST: Final = 16
MOST: Final = 2_000
"""Values in the arguments."""
LONGEST_TOLD: Final = 40
"""Characters of one value in a line of it."""
LONGEST_SHOWN: Final = 20_000
"""Characters in the record; the digest covers all of it."""
_OPERATION: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+\Z")
_KEY: Final = re.compile(r"[!-~]{1,100}\Z")


@dataclass(frozen=True)
class Wish:
    """What an agent asks for: an operation by its dotted name, and its arguments."""

    operation: str
    arguments: Mapping[str, Any]


def read(body: bytes) -> Wish:
    """What a request's body says. Raises Invalid, naming the field."""
    said = _parsed(body)
    unknown = sorted(said.keys() - {"operation", "arguments"})
    if unknown:
        raise Invalid(unknown[0][:40], "There is no such field.", "Send operation and arguments.")
    operation, arguments = said.get("operation"), said.get("arguments", {})
    if not isinstance(operation, str) or len(operation) > LONGEST_NAME or not _OPERATION.match(operation):
        remedy = f"Small letters, digits and _ with dots between, up to {LONGEST_NAME}: payments.transfer."
        raise Invalid("operation", "operation is no dotted name.", remedy)
    if not isinstance(arguments, dict):
        raise Invalid("arguments", "arguments is no object.", 'Name each: {"amount": 250}.')
    _bounded(arguments)
    readable(arguments)
    return Wish(operation, arguments)


def read_key(text: str) -> str:
    """The key under which something is asked once. Raises Invalid."""
    if not text:
        raise Invalid(
            "Idempotency-Key",
            "The header Idempotency-Key is missing.",
            "Send one of your own, the same with every repetition.",
        )
    if not _KEY.match(text):
        raise Invalid("Idempotency-Key", f"A key is 1 to {LONGEST_KEY} printable ASCII characters.", "A UUID does.")
    return text


def object_of(body: bytes) -> dict[str, Any]:
    """A request's body, which is an object. Raises Invalid."""
    return _parsed(body)


def object_or_list(body: bytes) -> Any:  # noqa: ANN401 -- JSON
    """What a JSON body says, read strictly and of a size that people would review. Raises Invalid."""
    said = _json(body)
    _bounded({"body": said})
    return said


def _parsed(body: bytes) -> dict[str, Any]:
    said = _json(body)
    if not isinstance(said, dict):
        raise Invalid("body", "The body is no JSON object.", "Send an object.")
    return said


def _json(body: bytes) -> Any:  # noqa: ANN401 -- JSON
    try:
        return json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except Invalid:
        raise
    except (ValueError, RecursionError) as error:
        raise Invalid("body", "The body is no JSON.", f"{type(error).__name__}: send JSON in UTF-8.") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no name comes twice: which of two counts is understood differently everywhere."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid("body", f'"{twice[:40]}" is there twice.', "Send each name once.")
    return found


def _no_constant(name: str) -> object:
    raise Invalid("body", f"{name} is no JSON.", "Send it as a text.")


def _bounded(arguments: Mapping[str, Any]) -> None:
    """Raise Invalid for more values, or more levels of them, than a person would review."""
    level: list[object] = [arguments]
    count = depth = 0
    while level:
        depth += 1
        count += len(level)
        if depth > DEEPEST or count > MOST:
            raise Invalid(
                "arguments",
                f"There are more than {MOST:,} values, or more than {DEEPEST} levels of them.",
                "Send what decides; refer to the rest by name or hash.",
            )
        level = [inner for one in level for inner in _inside(one)]


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def covered(wish: Wish, caller: Caller) -> bytes:
    """What the digest covers. Raises Invalid for what canonical JSON cannot say."""
    said = {
        "agent": caller.agent,
        "arguments": wish.arguments,
        "on_behalf_of": str(caller.on_behalf_of or ""),
        "operation": wish.operation,
        "resource": caller.resource,
    }
    try:
        return canonical(said)
    except ValueError:
        raise Invalid(
            "arguments",
            "A number is beyond what JSON carries exactly, or a text is no Unicode.",
            "Send large numbers as texts.",
        ) from None


def wished(canonical_form: bytes) -> Wish:
    """The wish that `covered` was made of."""
    said = json.loads(canonical_form)
    return Wish(said["operation"], said["arguments"])


def action_of(wish: Wish, canonical_form: bytes, *, action_id: str, number: int, salt: bytes = b"") -> Action:
    """The action of carrying it out once. A salt is made where none is given."""
    salt = salt or os.urandom(SALT_BYTES)
    return Action(
        action_id,
        number,
        CALL,
        shown(wish),
        canonical_form,
        salt,
        digest(canonical_form, salt),
        datetime.now(UTC),
        frozenset({CALL}),
        shape=wish.operation,
        summary=summary(wish),
        operation=wish.operation,
        arguments=readable(wish.arguments),
        enforced=False,
    )


def shown(wish: Wish) -> str:
    """The operation and its arguments, a line each, for people."""
    if not wish.arguments:
        return wish.operation
    written = json.dumps(wish.arguments, ensure_ascii=False, indent=2, sort_keys=True)
    return f"{wish.operation} {written}"[:LONGEST_SHOWN]


def summary(wish: Wish) -> str:
    """One line of it."""
    return one_line(wish.operation, wish.arguments)


def one_line(operation: str, arguments: Mapping[str, Any]) -> str:
    """An operation with its arguments, shortly: what is inside of others is left out."""
    parts = ", ".join(f"{name} {_shortly(value)}" for name, value in arguments.items())
    return f"{operation}: {parts}"[:300] if parts else operation


def _shortly(value: object) -> str:
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return "[…]" if value else "[]"
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= LONGEST_TOLD else f"{written[:LONGEST_TOLD]}…"
