"""Pure: what a request may say about itself, and the hashable form a decision is remembered under."""

from collections.abc import Hashable, Mapping
from typing import Final

OURS: Final = frozenset({"approval", "time", "risk", "session"})
"""Attributes that only the engine sets: a caller that supplies one is refused."""

CEDAR_TYPES: Final[Mapping[str, str]] = {
    "tables": "Set<String>",
    "columns": "Set<String>",
    "tags": "Set<String>",
    "shape": "String",
    "purpose": "String",
    "environment": "String",
    "credential": "String",
    "where": "Bool",
    "claimed": "{ purpose?: String }",
    "on_behalf_of": "String",
}
"""Every attribute a caller may give, all optional: a policy must ask `context has x` first."""

MAX_VALUES: Final = 4_000
MAX_CHARACTERS: Final = 262_144


def supplied_ours(context: Mapping[str, object]) -> frozenset[str]:
    """Name the attributes in `context` that are ours alone."""
    return OURS & context.keys()


def oversized(context: Mapping[str, object]) -> bool:
    """Say whether `context` holds more values or characters than a decision will look at."""
    values, characters = _size(context)
    return values > MAX_VALUES or characters > MAX_CHARACTERS


def _size(value: object) -> tuple[int, int]:
    if isinstance(value, str):
        return 1, len(value)
    if isinstance(value, Mapping):
        parts = [_size(part) for pair in value.items() for part in pair]
    elif isinstance(value, (set, frozenset, list, tuple)):
        parts = [_size(part) for part in value]
    else:
        return 1, 0
    return sum(values for values, _ in parts) + 1, sum(characters for _, characters in parts)


def frozen(value: object) -> Hashable:
    """Turn a context value into a key: equal only for values that Cedar would treat alike.

    Scalars carry their type, because Python holds `True == 1` and Cedar does not. Raises TypeError
    for a value that is neither text, number, truth value, set, list nor mapping of those.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, frozenset):
        return value if all(type(item) is str for item in value) else frozenset(map(frozen, value))
    if isinstance(value, Mapping):
        return ("mapping", frozenset((key, frozen(item)) for key, item in value.items()))
    if isinstance(value, (set, list, tuple)):
        return frozenset(map(frozen, value))
    if isinstance(value, (bool, int)):
        return (type(value).__name__, value)
    raise TypeError(f"a context cannot hold {type(value).__name__}")


def plain(value: object) -> object:
    """Turn a context value into what JSON can say; sets in a stable order."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(plain, value), key=str)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
