"""Pure. Masking a JSON answer by path: `data[].email`, `**.ssn` for a name at any depth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

ANYWHERE: Final = "**"
EACH: Final = "[]"
MASK: Final = "***"
Path = tuple[str, ...]


def read_path(text: str) -> Path:
    """The steps of a path: names, `[]` for each element, `**` for any depth."""
    steps: list[str] = []
    for part in text.split("."):
        name = part
        after = 0
        while name.endswith(EACH):
            name, after = name[:-2], after + 1
        steps += ([name] if name else []) + [EACH] * after
    return tuple(steps)


def masked(value: object, paths: Iterable[Path]) -> tuple[object, int]:
    """`value` without what `paths` lead to, and how many values that were. Nothing of a masked object or list stays."""
    count = 0
    for path in paths:
        value, found = _masked(value, path)
        count += found
    return value, count


def _masked(value: object, path: Path) -> tuple[object, int]:
    if not path:
        return (None, 0) if value is None else (MASK if isinstance(value, str) else None, 1)
    step, rest = path[0], path[1:]
    if step == ANYWHERE:
        return _anywhere(value, rest)
    if step == EACH:
        return _each(value, rest)
    if isinstance(value, dict) and step in value:
        inner, count = _masked(value[step], rest)
        return {**value, step: inner}, count
    return value, 0


def _each(value: object, rest: Path) -> tuple[object, int]:
    if not isinstance(value, list):
        return value, 0
    done = [_masked(one, rest) for one in value]
    return [one for one, _ in done], sum(count for _, count in done)


def _anywhere(value: object, rest: Path) -> tuple[object, int]:
    """Here, and in everything inside."""
    value, count = _masked(value, rest)
    if isinstance(value, dict):
        done: Mapping[str, tuple[object, int]] = {name: _anywhere(inner, rest) for name, inner in value.items()}
        return {name: one for name, (one, _) in done.items()}, count + sum(more for _, more in done.values())
    if isinstance(value, list):
        parts = [_anywhere(one, rest) for one in value]
        return [one for one, _ in parts], count + sum(more for _, more in parts)
    return value, count


def parsed(body: bytes) -> Any:  # noqa: ANN401 -- JSON
    """What a JSON body says. Raises ValueError for what is none, RecursionError included."""
    try:
        return json.loads(body.decode())
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def written(value: object) -> bytes:
    """JSON again."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def hide(data: bytes, secrets: Sequence[bytes]) -> bytes:
    """`data` without the gate's own credential, should the API give it back."""
    for secret in secrets:
        data = data.replace(secret, b"*" * len(secret))
    return data
