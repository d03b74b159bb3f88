"""Pure: whether what a policy says of parts can be meant. A head that no part ever meets forbids nothing, and nobody would notice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cedarpy import pst

from core.errors import Invalid
from policies.expressions import types_in, uses_resource
from policies.parts import COLUMN, DECLARED, UNBOUNDED, WRITTEN, Uid, is_part, types_of, well_named
from policies.slicing import Scope
from policies.verbs import VERBS
from policies.world import action_lineage


def problems(policy: pst.Template, scope: Scope, names: Iterable[Uid]) -> Iterator[Invalid]:
    """Everything wrong with the parts in a policy's head and conditions, each with what to write instead. `names` are the entities in it."""
    yield from _misnamed(names)
    if not scope.part:
        yield from _whole(policy)
        return
    yield from _unmet(scope, policy.effect)
    if not scope.of and uses_resource(policy):
        yield Invalid(
            "resource",
            f"Its conditions look at the part itself, and its head does not say which: it names the {scope.part} that parts are in.",
            "Write resource is Table, or Column, Path and so on, in its head.",
        )
    if policy.effect == "permit" and scope.part == COLUMN:
        yield Invalid(
            "resource",
            "A permit of columns permits nothing, because their table is asked about as well.",
            "Permit the table, and forbid the columns that it may not touch.",
        )


def _unmet(scope: Scope, effect: pst.Effect) -> Iterator[Invalid]:
    """Verbs that never touch such a part, or of which cannot be told what they touch besides."""
    verbs = {verb for verb in _verbs(scope) if scope.part in types_of(verb)}
    named = ", ".join(action[1] for action in scope.actions if action)
    if not verbs:
        yield Invalid(
            "resource", f"Nothing that {named} does is about a {scope.part}.", "Name other verbs, or the resource."
        )
    elif effect == "permit" and verbs <= UNBOUNDED:
        why = f"What {named} touches besides cannot be told, so a permit of parts never covers it."
        yield Invalid("resource", why, "Permit it of the resource.")


def _verbs(scope: Scope) -> Iterator[str]:
    return (verb for verb in VERBS if None in scope.actions or action_lineage(verb) & set(scope.actions))


def _misnamed(names: Iterable[Uid]) -> Iterator[Invalid]:
    for part in names:
        if is_part(part) and not well_named(part):
            yield Invalid(
                "resource",
                f'No {part[0]} can be called "{part[1][:100]}".',
                f'Name the resource and what is in it: {part[0]}::"{WRITTEN[part[0]]}".',
            )


def _whole(policy: pst.Template) -> Iterator[Invalid]:
    """A policy about whole resources that names parts in its conditions: a whole is never in a part."""
    if not policy.clauses:
        return
    named = sorted(types_in(policy) & DECLARED.keys())
    if named:
        yield Invalid(
            "resource",
            f"Its conditions name a {named[0]}, and its head speaks of whole resources.",
            f"Write resource is {named[0]} in its head.",
        )
