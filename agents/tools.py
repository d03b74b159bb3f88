"""Pure. What a tool server offers, in its own words: read strictly, named by a hash, checked before a person may accept it.

Of a tool, a prompt or the server's instructions everything is kept that reaches an agent or decides what a call means. Whoever changes a
word of it after a person has accepted it has made another definition.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import jsonschema_rs

from core.errors import Invalid
from ledger.entries import canonical

TOOL, PROMPT, INSTRUCTIONS = "tool", "prompt", "instructions"
LONGEST_NAME: Final = 128
LONGEST_USABLE: Final = 64
"""Characters of a name that an action can be kept under."""
LONGEST: Final = 65_536
"""Bytes of one definition."""
MOST: Final = 1_000
"""Definitions of one server."""
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    TOOL: ("name", "title", "description", "inputSchema", "outputSchema", "annotations", "execution"),
    PROMPT: ("name", "title", "description", "arguments"),
    INSTRUCTIONS: ("text",),
}
"""What is kept, and what agents see; icons, and what a server adds of its own, are left out."""
LINEAR: Final = jsonschema_rs.RegexOptions()
"""Patterns that would take for ever are not taken."""


@dataclass(frozen=True)
class Definition:
    """One thing that is offered. `problem` says why nobody can accept it; empty where somebody can."""

    kind: str
    name: str
    body: Mapping[str, Any]
    digest: str
    problem: str = ""


def read(kind: str, said: object) -> Definition:
    """A definition as a server gives it. Raises Invalid for what has no name, or no form that can be kept."""
    if not isinstance(said, dict):
        raise Invalid("definition", "A definition is no object.")
    name = said.get("name", "") if kind != INSTRUCTIONS else ""
    if kind != INSTRUCTIONS and (not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME):
        raise Invalid("definition", f"A {kind} has no name, or one longer than {LONGEST_NAME} characters.")
    if "\0" in name:
        raise Invalid("definition", f"The name of a {kind} holds a NUL character.")
    body = {part: said[part] for part in PARTS[kind] if said.get(part) is not None}
    try:
        covered = canonical({"kind": kind, **body})
    except (ValueError, RecursionError):
        raise Invalid("definition", f"The {kind} {name[:60]} says what JSON cannot.") from None
    if len(covered) > LONGEST or b"\\u0000" in covered:
        raise Invalid("definition", f"The {kind} {name[:60]} is longer than {LONGEST} bytes, or holds a NUL character.")
    return Definition(kind, name, body, f"sha256:{sha256(covered).hexdigest()}", _problem(kind, body))


def _problem(kind: str, body: Mapping[str, Any]) -> str:
    if len(str(body.get("name", ""))) > LONGEST_USABLE:
        return f"Its name is longer than {LONGEST_USABLE} characters."
    if kind == TOOL:
        schema = body.get("inputSchema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            return "It does not say what arguments it takes."
        try:
            checker(json.dumps(schema))
        except Invalid as error:
            return error.message
    return ""


@lru_cache(2_048)
def checker(schema: str) -> jsonschema_rs.Validator:
    """What checks arguments by a JSON schema. Raises Invalid for a schema that cannot be used; nothing is ever fetched."""
    try:
        return jsonschema_rs.validator_for(json.loads(schema), retriever=_nowhere, pattern_options=LINEAR)
    except (ValueError, RecursionError, jsonschema_rs.ReferencingError) as error:
        why = "points outside of itself" if "nowhere" in str(error) else "cannot be used"
        raise Invalid("inputSchema", f"The schema of its arguments {why}.") from None


def _nowhere(address: str) -> Any:  # noqa: ANN401 -- as the library has it
    raise ValueError(f"nowhere: {address[:80]}")


def misfit(definition: Mapping[str, Any], arguments: Mapping[str, Any]) -> tuple[str, str]:
    """Where arguments do not fit a tool's schema, as a path, and how; both empty where they do."""
    try:
        checker(json.dumps(definition["inputSchema"])).validate(dict(arguments))
    except jsonschema_rs.ValidationError as error:
        return ".".join(map(str, error.instance_path)), str(error.message)[:300]
    except ValueError as error:
        return "", str(error)[:300]
    return "", ""


def written(body: Mapping[str, Any]) -> str:
    """A definition as people read it."""
    return json.dumps(body, ensure_ascii=False, indent=2)


@dataclass(frozen=True)
class Argument:
    """One argument of a tool, as its accepted definition says it."""

    name: str
    kind: str
    words: str
    required: bool


def arguments_of(body: Mapping[str, Any]) -> list[Argument]:
    """What a tool or a prompt takes, in its server's words."""
    schema = body.get("inputSchema")
    if isinstance(schema, dict):
        properties, required = schema.get("properties"), schema.get("required")
        wanted = required if isinstance(required, list) else []
        found = properties.items() if isinstance(properties, dict) else ()
        return [_argument(name, said, required=name in wanted) for name, said in found if isinstance(said, dict)]
    given = body.get("arguments")
    listed = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return [_argument(str(one.get("name", "")), one, required=one.get("required") is True) for one in listed]


def _argument(name: str, said: Mapping[str, Any], *, required: bool) -> Argument:
    kind, choices = said.get("type", ""), said.get("enum")
    told = " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
    told += f", one of {', '.join(map(str, choices))}" if isinstance(choices, list) else ""
    return Argument(name, told[:200], str(said.get("description", ""))[:500], required)


@dataclass(frozen=True)
class Line:
    """One line of a difference: `sign` is + for what is new, - for what is gone, empty for what stays."""

    sign: str
    text: str


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[Line]:
    """What differs between an accepted definition and another, line by line, with a little of what stays around it."""
    if before is None:
        return [Line("+", text) for text in written(after).splitlines()]
    lines = difflib.unified_diff(written(before).splitlines(), written(after).splitlines(), lineterm="", n=2)
    told = [text for text in lines if not text.startswith(("---", "+++"))][1:]
    return [Line("", "⋯") if text.startswith("@@") else Line(text[0].strip(), text[1:]) for text in told]


def named(definitions: Iterable[Definition]) -> dict[tuple[str, str], Definition]:
    """Definitions by kind and name. Raises Invalid where a name comes twice, or there are too many."""
    found: dict[tuple[str, str], Definition] = {}
    for one in definitions:
        if (one.kind, one.name) in found:
            raise Invalid("definition", f"The {one.kind} {one.name[:60]} is offered twice.")
        found[one.kind, one.name] = one
    if len(found) > MOST:
        raise Invalid("definition", f"More than {MOST:,} tools and prompts are offered.")
    return found
