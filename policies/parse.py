"""Pure: Cedar text into policies under ids of our own."""

from __future__ import annotations

import gc
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import cedarpy
from cedarpy import pst

from core import collecting
from core.errors import Invalid
from policies import arguments, heads, schema
from policies.arguments import Kinds
from policies.context import for_cedar
from policies.expressions import asked_of_principal
from policies.parts import Uid
from policies.slicing import Scope, ScopeIndex, reads, scope_of
from policies.source import statements, too_nested
from policies.terms import Terms, terms_of

LONGEST_TEXT: Final = 16 * 1024 * 1024
AT_ONCE: Final = 50
"""Policies that Cedar reads in one go."""
MOST_KNOWN: Final = 30_000
"""Policies that are remembered, each a few kilobytes."""


@dataclass(frozen=True)
class Policy:
    """One policy: its Cedar, what its annotations mean, what its head names, what it reads of the context (None: all), and of arguments.

    Ten thousand of them are kept, so little is kept of each: the syntax tree is made again for whoever looks at it.
    """

    text: str
    body: str
    """What Cedar evaluates, as its JSON says it."""
    notes: Mapping[str, str]
    """Its annotations, as they are written."""
    terms: Terms
    scope: Scope
    reads: frozenset[str] | None
    arguments: Kinds
    names: frozenset[Uid]
    """Every entity in it."""
    of_agent: frozenset[str]
    """The attributes of the agent that it looks at."""
    conditional: bool
    """Whether it has conditions."""

    @cached_property
    def rule(self) -> pst.Template:
        """Its syntax tree."""
        (template,) = templates(self.text)
        return template


class Rules(Mapping[str, Policy]):
    """Policies by their @id, in the order of their text, and what an engine has to know of all of them before it looks at any."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self._policies = policies

    def __getitem__(self, name: str) -> Policy:
        return self._policies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies)

    def __len__(self) -> int:
        return len(self._policies)

    @cached_property
    def reads(self) -> frozenset[str] | None:
        """The context attributes that any of them looks at (None: all)."""
        return all_read(self.values())

    @cached_property
    def index(self) -> ScopeIndex:
        """Them by what their heads name."""
        return ScopeIndex.of({name: policy.scope for name, policy in self.items()})

    @cached_property
    def groups(self) -> frozenset[str]:
        """The groups of people that any of them names."""
        return frozenset().union(*(policy.terms.groups for policy in self.values()))

    @cached_property
    def tags(self) -> frozenset[str]:
        """The tags that any of them unmasks."""
        return frozenset().union(*(policy.terms.unmask for policy in self.values()))


_known: dict[str, Policy] = {}
"""Policies by their text, which is all that they are made of."""
_lent: deque[Callable[[str], Policy | None]] = deque(maxlen=4)
"""Where else what was read in a text is found: in the plans that were used last."""


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


def policies(text: str, rest: Callable[[], object] = lambda: None) -> Rules:
    """Parse and validate `text`; the policies by their @id. Raises Invalid for the first problem.

    A policy that was read before is not read again: a new version is mostly the one before it. What is new is read a
    few at a time, because Cedar holds the interpreter while it reads, and sessions wait for that; `rest` is called
    after each few, by whoever is in no hurry.
    """
    _require_readable(text)
    pieces = [statement.text for statement in statements(text)]
    read = {piece: policy for piece in set(pieces) if (policy := known(piece)) is not None}
    fresh = [piece for piece in dict.fromkeys(pieces) if piece not in read]
    with uncollected():
        read |= zip(fresh, _read(fresh, rest), strict=True)
    return by_id(read[piece] for piece in pieces)


def by_id(read: Iterable[Policy]) -> Rules:
    """Policies by their @id. Raises Invalid where two have the same."""
    found: dict[str, Policy] = {}
    for policy in read:
        if policy.terms.id in found:
            raise Invalid("id", f'Two policies have the @id "{policy.terms.id}".', "Give each a name of its own.")
        found[policy.terms.id] = policy
    return Rules(found)


def all_read(some: Iterable[Policy]) -> frozenset[str] | None:
    """The context attributes that any of `some` looks at; None where one looks at the context as a whole."""
    read = [policy.reads for policy in some]
    return None if None in read else frozenset().union(*filter(None, read))


def known(piece: str) -> Policy | None:
    """What was read in that text of one policy before, if it is still remembered or in a plan that was used lately."""
    return _known.get(piece) or next(filter(None, (find(piece) for find in _lent)), None)


def remembered(piece: str) -> Policy | None:
    """What was read in that text of one policy before, in this process."""
    return _known.get(piece)


def lend(find: Callable[[str], Policy | None]) -> None:
    """Look for what was read in a text there as well: a new version is mostly the one before it, whose plan knows it."""
    _lent.appendleft(find)


def remember(policy: Policy) -> Policy:
    """Keep what was read, for whoever reads the same text again."""
    if len(_known) > MOST_KNOWN:
        _known.clear()
    return _known.setdefault(policy.text, policy)


def forget() -> None:
    """Remember nothing: as in a process that has just begun."""
    _known.clear()
    _lent.clear()


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing that is read has cycles: looking for them in thousands of policies, again and again, would stop every session.

    What was read is old at once, unless this process has set aside all that it began with: that stays aside. Whoever found
    collecting on turns it on again, so that two at a time leave it on.
    """
    was, aside = gc.isenabled(), collecting.is_set_aside()
    gc.disable()
    try:
        yield
    finally:
        if was and not aside:
            gc.freeze()
            gc.unfreeze()  # now all that was young is old
        if was:
            gc.enable()


def _read(pieces: Sequence[str], rest: Callable[[], object]) -> list[Policy]:
    """Read policies, one a piece, and keep them. Raises Invalid."""
    found: list[Policy] = []
    for begin in range(0, len(pieces), AT_ONCE):
        some = pieces[begin : begin + AT_ONCE]
        parsed = templates("".join(some))
        if len(parsed) != len(some):
            raise Invalid("text", "Cedar finds other policies in it than its semicolons say.", "Write it more plainly.")
        _validate(parsed, some)
        found += [remember(_understood(*one)) for one in zip(some, _bodies("".join(some)), parsed, strict=True)]
        rest()
    return found


def _bodies(text: str) -> Iterator[str]:
    """Each policy as Cedar's JSON has it, in order, without its annotations."""
    found = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    for place in range(len(found)):
        body = found[f"policy{place}"]
        body.pop("annotations", None)
        yield json.dumps(body, separators=(",", ":"))


def _understood(text: str, body: str, template: pst.Template) -> Policy:
    scope, names = scope_of(template), names_in(template)
    for problem in heads.problems(template, scope, names):
        raise problem
    return Policy(
        text,
        body,
        dict(template.annotations),
        terms_of(template),
        scope,
        reads(template, scope),
        arguments.kinds_of(template),
        names,
        asked_of_principal(template),
        bool(template.clauses),
    )


def names_in(policy: pst.Template) -> frozenset[Uid]:
    """Every entity in it."""
    return frozenset((str(uid.type), uid.id) for uid in pst.entity_uids(policy))


def _validate(parsed: Sequence[pst.Template], pieces: Sequence[str]) -> None:
    problem = next(problems(parsed, pieces), None)
    if problem is not None:
        raise Invalid("text", f"Cedar refuses it: {problem[1]}.")


def problems(parsed: Sequence[pst.Template], pieces: Sequence[str]) -> Iterator[tuple[int, str]]:
    """What Cedar's validator says against policies, one a piece: the place of each among them, and its words.

    Those that look at the same arguments, mostly at none, of parts or of wholes, are validated together, a few at a time: Cedar holds the
    interpreter meanwhile.
    """
    alike: dict[_Alike, list[int]] = {}
    for place, template in enumerate(parsed):
        key = arguments.cedar_type(arguments.kinds_of(template)), bool(scope_of(template).part)
        alike.setdefault(key, []).append(place)
    for (kind, of_parts), places in _few(alike):
        against = schema.handle(kind, of_parts=of_parts)
        result = cedarpy.validate_policies("\n".join(pieces[place] for place in places), against)
        of_policy = {f"policy{number}": place for number, place in enumerate(places)}
        yield from ((of_policy.get(error.policy_id, places[0]), error.error) for error in result.errors)
        if not result.validation_passed and not result.errors:
            yield places[0], "it does not fit the schema"


_Alike: TypeAlias = tuple[str, bool]
"""The arguments that policies look at, and whether they speak of parts."""


def _few(alike: Mapping[_Alike, Sequence[int]]) -> Iterator[tuple[_Alike, Sequence[int]]]:
    for key, places in alike.items():
        for begin in range(0, len(places), AT_ONCE):
            yield key, places[begin : begin + AT_ONCE]


@dataclass(frozen=True)
class Slice:
    """The policies that can match a request, the context attributes they read (None: all), and the arguments."""

    handle: cedarpy.PolicySet
    reads: frozenset[str] | None
    arguments: tuple[Kinds, ...] = ()
    is_empty: bool = False

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
    """Build the handle Cedar evaluates from the policies named by `ids`, which its answers name. Text would take three times as long."""
    chosen = [rules[name] for name in sorted(ids)]
    bodies = ",".join([f'"{policy.terms.id}":{policy.body}' for policy in chosen])
    handle = cedarpy.PolicySet.from_json_str(f'{{"staticPolicies":{{{bodies}}},"templates":{{}},"templateLinks":[]}}')
    expected = tuple(policy.arguments for policy in chosen if policy.arguments)
    return Slice(handle, all_read(chosen), expected, not chosen)
