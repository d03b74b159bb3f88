"""Pure: Cedar text into policies under ids of our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cedarpy
from cedarpy import pst

from core.errors import Invalid
from policies import arguments, schema
from policies.arguments import Kinds
from policies.context import for_cedar
from policies.slicing import reads
from policies.source import statements, too_nested
from policies.terms import Terms, terms_of

LONGEST_TEXT: Final = 16 * 1024 * 1024
AT_ONCE: Final = 50
"""Policies that Cedar reads in one go."""
MOST_KNOWN: Final = 20_000
"""Policies that are remembered, each a few kilobytes."""


@dataclass(frozen=True)
class Policy:
    """One policy: what Cedar evaluates, what its annotations mean, what it reads of the context (None: all), and of arguments."""

    rule: pst.Template
    terms: Terms
    reads: frozenset[str] | None
    arguments: Kinds


_known: dict[str, Policy] = {}
"""Policies by their text, which is all that they are made of."""


def templates(text: str) -> tuple[pst.Template, ...]:
    """Parse `text` in its own order. Raises Invalid where Cedar cannot read it, or it has a slot."""
    _require_readable(text)
    try:
        parsed = cedarpy.policies_to_pst(text)
    except (ValueError, RecursionError) as error:
        raise Invalid("text", f"Cedar cannot read it: {error}.") from None
    if parsed.templates:
        raise Invalid(
            "text", "?principal and ?resource are not used here.", "Name the agent, function or segment itself."
        )
    return tuple(sorted(parsed.static_policies.values(), key=_position))


def _require_readable(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise Invalid("text", "The policies are longer than 16 MiB.", "Split what different segments need.")
    if too_nested(text):
        raise Invalid(
            "text",
            "A policy nests more brackets and operators than can be read safely.",
            "Split it into several policies.",
        )


def _position(policy: pst.Template) -> int:
    return int(policy.id.removeprefix("policy"))


def policies(text: str) -> Mapping[str, Policy]:
    """Parse and validate `text`; the policies by their @id. Raises Invalid for the first problem.

    A policy that was read before is not read again: a new version is mostly the one before it. What is new is read a
    few at a time, because Cedar holds the interpreter while it reads, and sessions wait for that.
    """
    _require_readable(text)
    pieces = [statement.text for statement in statements(text)]
    known = {piece: policy for piece in set(pieces) if (policy := _known.get(piece)) is not None}
    fresh = [piece for piece in dict.fromkeys(pieces) if piece not in known]
    known |= zip(fresh, _read(fresh), strict=True)
    found: dict[str, Policy] = {}
    for piece in pieces:
        policy = known[piece]
        if policy.terms.id in found:
            raise Invalid("id", f'Two policies have the @id "{policy.terms.id}".', "Give each a name of its own.")
        found[policy.terms.id] = policy
    return found


def _read(pieces: Sequence[str]) -> list[Policy]:
    """Read policies, one a piece, and keep them. Raises Invalid."""
    found: list[Policy] = []
    for begin in range(0, len(pieces), AT_ONCE):
        some = pieces[begin : begin + AT_ONCE]
        parsed = templates("".join(some))
        if len(parsed) != len(some):
            raise Invalid("text", "Cedar finds other policies in it than its semicolons say.", "Write it more plainly.")
        _validate(parsed, some)
        read_now = [_understood(template) for template in parsed]
        if len(_known) > MOST_KNOWN:
            _known.clear()
        _known.update(zip(some, read_now, strict=True))
        found += read_now
    return found


def _understood(template: pst.Template) -> Policy:
    terms = terms_of(template)
    return Policy(replace(template, id=terms.id), terms, reads(template), arguments.kinds_of(template))


def _validate(parsed: Sequence[pst.Template], pieces: Sequence[str]) -> None:
    problem = next(problems(parsed, pieces), None)
    if problem is not None:
        raise Invalid("text", f"Cedar refuses it: {problem[1]}.")


def problems(parsed: Sequence[pst.Template], pieces: Sequence[str]) -> Iterator[tuple[int, str]]:
    """What Cedar's validator says against policies, one a piece: the place of each among them, and its words.

    Those that look at the same arguments, mostly at none, are validated together.
    """
    alike: dict[str, list[int]] = {}
    for place, template in enumerate(parsed):
        alike.setdefault(arguments.cedar_type(arguments.kinds_of(template)), []).append(place)
    for kind, places in alike.items():
        result = cedarpy.validate_policies("\n".join(pieces[place] for place in places), schema.handle(kind))
        of_policy = {f"policy{number}": place for number, place in enumerate(places)}
        yield from ((of_policy.get(error.policy_id, places[0]), error.error) for error in result.errors)
        if not result.validation_passed and not result.errors:
            yield places[0], "it does not fit the schema"


@dataclass(frozen=True)
class Slice:
    """The policies that can match a request, the context attributes they read (None: all), and the arguments."""

    handle: cedarpy.PolicySet
    reads: frozenset[str] | None
    arguments: tuple[Kinds, ...] = ()

    def needed(self, context: Mapping[str, object]) -> dict[str, object]:
        """The part of `context` that can make a difference: handing Cedar the rest is most of its cost."""
        read = self.reads
        found = {name: for_cedar(name, value) for name, value in context.items() if read is None or name in read}
        said = found.get(arguments.NAME)
        if isinstance(said, Mapping) and read is not None:
            found[arguments.NAME] = arguments.needed(self.arguments, said)
        return found

    def misfit(self, context: Mapping[str, object]) -> str:
        """Name the first argument that is of another kind than one of the policies expects; empty when all fit."""
        return arguments.misfit(self.arguments, context.get(arguments.NAME)) if self.arguments else ""


def slice_of(rules: Mapping[str, Policy], ids: frozenset[str]) -> Slice:
    """Build the handle Cedar evaluates from the policies named by `ids`."""
    chosen = {name: rules[name] for name in sorted(ids)}
    handle = cedarpy.PolicySet.from_pst(pst.PolicySet({}, {name: policy.rule for name, policy in chosen.items()}, ()))
    read = [policy.reads for policy in chosen.values()]
    expected = tuple(policy.arguments for policy in chosen.values() if policy.arguments)
    return Slice(handle, None if None in read else frozenset().union(*filter(None, read)), expected)
