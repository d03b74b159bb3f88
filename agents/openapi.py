"""Pure: the operations in an OpenAPI document (3.0 and 3.1), as JSON or YAML. Nothing is fetched: references point inside the document."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from core.errors import Invalid

LONGEST: Final = 1_000_000
"""Characters of a document; the console takes no larger request."""
MOST: Final = 2_000
"""Operations."""
DEEPEST: Final = 64
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
"""TRACE would give what the gate adds to a request back to the agent."""
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}\Z")
_FIELD: Final = re.compile(r"[!#$%&'*+.^_`|~A-Za-z0-9-]{1,64}\Z")
"""RFC 9110's token: the name of a header."""
_PATH: Final = re.compile(r"/[^?#\s\\]{0,300}\Z")


@dataclass(frozen=True)
class Operation:
    """One thing an API does: its name, its method, its path with parameters in braces, and what it may be given."""

    name: str
    method: str
    path: str
    queries: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    """The media types of its body; none where it has none."""
    summary: str = ""

    @property
    def reads(self) -> bool:
        """Whether its method says that it changes nothing."""
        return self.method in READS


@dataclass(frozen=True)
class Described:
    """A document, read."""

    title: str
    version: str
    digest: str
    operations: tuple[Operation, ...]


def read(text: str) -> Described:
    """Read a document. Raises Invalid, saying where it cannot be used."""
    if len(text) > LONGEST:
        raise _bad("The document is longer than a million characters.", "Leave out what agents are not to use.")
    document = _parsed(text)
    version = str(document.get("openapi", ""))
    if not version.startswith(("3.0", "3.1")):
        raise _bad("It is no OpenAPI document of version 3.0 or 3.1.", "Convert it first.")
    info = document.get("info")
    info = info if isinstance(info, dict) else {}
    operations = tuple(_operations(document))
    _require_distinct(operations)
    digest = f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return Described(str(info.get("title", "API"))[:200], str(info.get("version", ""))[:60], digest, operations)


def _parsed(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise _bad(f"It is neither JSON nor YAML: {type(error).__name__}.", "Validate it first.") from None
    if not isinstance(document, dict):
        raise _bad("It is no object.", "Give an OpenAPI document.")
    return document


def _yaml(text: str) -> object:
    """YAML without what can grow: aliases, and levels without end."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > DEEPEST:
            raise _bad("It points at parts of itself (*), or nests too deep.", "Write it out, or use $ref.")
    return yaml.load(text, Loader=LOADER)  # noqa: S506 -- the safe loader, with or without libyaml


def _operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    paths = document.get("paths")
    if not isinstance(paths, dict) or not paths:
        raise _bad("It has no paths.", "List what agents are to use.")
    for path, item in paths.items():
        if not isinstance(path, str) or not _PATH.match(path) or not isinstance(item, dict):
            raise _bad(f"The path {str(path)[:80]} cannot be used.", "A path begins with / and has no query.")
        if "$ref" in item:
            raise _bad(f"The path {path} is a reference.", "Write its operations out.")
        for method in METHODS:
            if isinstance(item.get(method), dict):
                yield _operation(document, path, method, item)


def _operation(document: Mapping[str, Any], path: str, method: str, item: Mapping[str, Any]) -> Operation:
    said = item[method]
    name = str(said.get("operationId") or _made_up(method, path))
    if not _NAME.match(name):
        raise _bad(f"The operationId {name[:80]} cannot be used.", "Letters, digits, . _ and -, up to 64.")
    given = [*_list(item, "parameters"), *_list(said, "parameters")]
    parameters = [_resolved(document, one) for one in given]
    body = said.get("requestBody")
    content = _resolved(document, body).get("content") if isinstance(body, dict) else None
    return Operation(
        name,
        method.upper(),
        path,
        _named(parameters, "query"),
        tuple(header.lower() for header in _named(parameters, "header")),
        tuple(str(media).lower() for media in content) if isinstance(content, dict) else (),
        str(said.get("summary", ""))[:200],
    )


def _made_up(method: str, path: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")
    return f"{method}_{words or 'root'}"[:64]


def _named(parameters: list[Mapping[str, Any]], place: str) -> tuple[str, ...]:
    names = dict.fromkeys(str(one.get("name", "")) for one in parameters if one.get("in") == place)
    if place == "header":
        wrong = next((name for name in names if not _FIELD.match(name)), None)
        if wrong is not None:
            raise _bad(f"The header {wrong[:60]} cannot be used.", "Give a header's name.")
    return tuple(names)


def _list(said: Mapping[str, Any], name: str) -> list[Any]:
    value = said.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _resolved(document: Mapping[str, Any], said: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference points at. Raises Invalid for one that leads out of the document, or to a further one."""
    if "$ref" not in said:
        return said
    reference, found = str(said["$ref"]), document
    if not reference.startswith("#/"):
        raise _bad(f"The reference {reference[:80]} leads out of the document.", "Bundle it first.")
    for part in reference[2:].split("/"):
        inner = found.get(part.replace("~1", "/").replace("~0", "~"))
        if not isinstance(inner, dict):
            raise _bad(f"The reference {reference[:80]} leads nowhere.", "Validate it first.")
        found = inner
    if "$ref" in found:
        raise _bad(f"The reference {reference[:80]} leads to another.", "Bundle it first.")
    return found


def _require_distinct(operations: tuple[Operation, ...]) -> None:
    if len(operations) > MOST:
        raise _bad(f"It has more than {MOST:,} operations.", "Leave out what agents are not to use.")
    names: set[str] = set()
    shapes: set[tuple[str, str]] = set()
    for one in operations:
        shape = (one.method, re.sub(r"\{[^}]*\}", "{}", one.path))
        if one.name in names or shape in shapes:
            raise _bad(f"{one.name} is there twice, or its path is that of another.", "Give each operation its own.")
        names.add(one.name)
        shapes.add(shape)


def _bad(message: str, remedy: str) -> Invalid:
    return Invalid("document", message, remedy)
