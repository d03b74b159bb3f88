"""Bound parameters as policies read them: `$1` is `args.p1`. Pure.

A policy that looks at one has to be able to rely on it, whatever form the client chose: what cannot be read for certain is refused,
never passed over. Constants within the text are no arguments; a policy can insist on parameters by asking `has` first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from gateway.postgres.reader import Parameters
from gateway.postgres.values import known_text
from gateway.refusal import Refusal
from policies.arguments import COUNT, LARGEST

WHOLE: Final = frozenset({20, 21, 23, 26, 1700})
"""int8, int2, int4, oid, numeric."""
BOOL: Final = 16
UNDECLARED: Final = 0
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_TRUTHS: Final = {"t": True, "true": True, "f": False, "false": False}


def arguments_of(parameters: Parameters, types: Sequence[int], wanted: Collection[str] | None) -> dict[str, object]:
    """Those of the parameters that are `wanted` (None: all), by name, and how many there are. `types` are what the resource says of undeclared ones.

    Whole numbers and truth values are themselves, everything else its text, NULL the text `null`. Raises Refusal for one in a
    form that is not known here.
    """
    return {COUNT: len(parameters), **dict(_read(parameters, types, wanted))}


def _read(parameters: Parameters, types: Sequence[int], wanted: Collection[str] | None) -> Iterator[tuple[str, object]]:
    for number, (declared, form, value) in enumerate(parameters, 1):
        name = f"p{number}"
        if wanted is None or name in wanted:
            found = types[number - 1] if number <= len(types) else UNDECLARED
            yield name, _value(number, declared or found, form, value)


def _value(number: int, type_oid: int, form: int, value: bytes | None) -> object:
    if value is None:
        return "null"
    text = known_text(value, type_oid, form)
    if text is None or "\ufffd" in text:
        raise Refusal(
            f"A policy looks at parameter ${number}, whose form cannot be read here.",
            code="argument_unknown",
            remedy="Send it as text, or declare a type of PostgreSQL's own.",
        )
    if type_oid in WHOLE or type_oid == UNDECLARED:
        return int(text) if _WHOLE.match(text) and len(text) < 20 and abs(int(text)) <= LARGEST else text
    return _TRUTHS.get(text.lower(), text) if type_oid == BOOL else text
