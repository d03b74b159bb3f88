"""Pure: what a request may say about itself, and the hashable form a decision is remembered under.

A value has three forms: as the gate says it and a question keeps it (plain), as Cedar reads it, and as a key.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Final

from policies import moment
from policies.arguments import NAME
from policies.parts import TAGGED

OURS: Final = frozenset({"approval", *moment.TYPES})
"""Attributes that only the engine sets: a caller that supplies one is refused."""

SET: Final = "Set<String>"
TEXT: Final = "String"
TRUTH: Final = "Bool"
CLAIMS: Final = "{ purpose?: String }"
ARGUMENTS: Final = "{}"
"""In the schema of all policies; one that looks at arguments is validated against those it names."""

CEDAR_TYPES: Final[Mapping[str, str]] = {
    "tables": SET,
    "columns": SET,
    "tags": SET,
    "shape": TEXT,
    "purpose": TEXT,
    "environment": TEXT,
    "credential": TEXT,
    "credential_age": moment.DURATION,
    "rows_estimated": moment.NUMBER,
    "source": moment.NETWORK,
    "where": TRUTH,
    "claimed": CLAIMS,
    "on_behalf_of": TEXT,
    "operation": TEXT,
    TAGGED: SET,
    NAME: ARGUMENTS,
}
"""Every attribute a caller may give, all optional: a policy must ask `context has x` first."""

ON_DEMAND: Final = frozenset({NAME, TAGGED, "credential_age", "rows_estimated", "source", *moment.TYPES})
"""What differs from one action to the next: said, and kept, only where a policy that can match looks at it. What is asked for by its
arguments (an operation, a program) always says them."""

COLLECTIONS: Final = (frozenset, set, list, tuple)
MAX_VALUES: Final = 4_000
MAX_CHARACTERS: Final = 262_144


def supplied_ours(context: Mapping[str, object]) -> frozenset[str]:
    """Name the attributes in `context` that are ours alone."""
    return OURS & context.keys()


def misfit(context: Mapping[str, object], types: Mapping[str, str] = CEDAR_TYPES) -> str:
    """Name the first attribute that no request has, or whose value has another type; empty when all fit.

    This is the check that Cedar would make against the schema, without its cost and without its message,
    which quotes the values. It also keeps out the records that Cedar's JSON reads as entities.
    """
    for name, value in context.items():
        kind = types.get(name)
        if kind is None or not _FITS[kind](value):
            return name
    return ""


def oversized(context: Mapping[str, object]) -> bool:
    """Say whether `context`, which fits, holds more values or characters than a decision will look at."""
    texts = [text for value in context.values() for text in _texts(value)]
    return len(texts) > MAX_VALUES or sum(map(len, texts)) > MAX_CHARACTERS


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, COLLECTIONS):
        return value
    if isinstance(value, Mapping):
        return (*value, *(text for inner in value.values() for text in _texts(inner)))
    return ()


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_set(value: object) -> bool:
    return isinstance(value, COLLECTIONS) and all(map(_is_text, value))


def _is_claims(value: object) -> bool:
    return isinstance(value, Mapping) and value.keys() <= {"purpose"} and all(map(_is_text, value.values()))


def _is_arguments(value: object) -> bool:
    return isinstance(value, Mapping) and all(_is_text(name) and _is_argument(one) for name, one in value.items())


def _is_argument(value: object) -> bool:
    return isinstance(value, (str, int)) or _is_set(value) or _is_arguments(value)


_FITS: Final[Mapping[str, Callable[[object], bool]]] = {
    SET: _is_set,
    TEXT: _is_text,
    TRUTH: lambda value: isinstance(value, bool),
    CLAIMS: _is_claims,
    ARGUMENTS: _is_arguments,
    **moment.FITS,
}


def frozen(value: object) -> Hashable:
    """Turn a context value into a key: equal only for values that Cedar would treat alike.

    Scalars carry their type, because Python holds `True == 1` and Cedar does not. Raises TypeError
    for a value that is neither text, number, truth value, set, list nor mapping of those.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict):  # before the other mappings: looking those up is slow
        return ("mapping", frozenset([(key, frozen(item)) for key, item in value.items()]))
    if isinstance(value, frozenset):
        return value if set(map(type, value)) <= {str} else frozenset(map(frozen, value))
    if isinstance(value, (bool, int)):
        return (type(value).__name__, value)
    if isinstance(value, COLLECTIONS):
        return frozenset(map(frozen, value))
    if isinstance(value, Mapping):
        return ("mapping", frozenset([(key, frozen(item)) for key, item in value.items()]))
    raise TypeError(f"a context cannot hold {type(value).__name__}")


def plain(value: object) -> object:
    """Turn a context value that fits into what JSON can say; sets in a stable order."""
    if isinstance(value, (str, int)):  # before the mappings: looking those up is slow
        return value
    if isinstance(value, COLLECTIONS):
        return sorted(value)
    return {name: plain(inner) for name, inner in value.items()} if isinstance(value, Mapping) else value


def for_cedar(name: str, value: object) -> object:
    """Turn the value of an attribute, which fits, into what Cedar's JSON says it with."""
    return moment.CEDAR[name](value) if name in moment.CEDAR else plain(value)
