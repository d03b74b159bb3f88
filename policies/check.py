"""Pure: what is wrong with a policy text, each with its line, its reason and what to write instead."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from cedarpy import pst

from core.errors import Invalid, NarrowgateError
from policies import heads, terms
from policies.context import CEDAR_TYPES, OURS
from policies.expressions import asked_of_context
from policies.parse import LONGEST_TEXT, Policy, Rules, known, names_in, policies, templates
from policies.parse import problems as refused_by_cedar
from policies.parts import Uid, is_part, resource_of
from policies.slicing import scope_of
from policies.source import Statement, statements

MOST_PROBLEMS: Final = 200
CONTEXT: Final = OURS | CEDAR_TYPES.keys()
_PREFIX: Final = re.compile(r"^for policy `[^`]*`, ")
_PER_ACTION: Final = re.compile(r' (?:in context )?for Action::"[^"]*"')


@dataclass(frozen=True)
class Problem:
    """One thing wrong: `line` from 1, what it is, and what to do (may be empty)."""

    line: int
    reason: str
    suggestion: str = ""

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason} {self.suggestion}".strip()


@dataclass(frozen=True)
class Registry:
    """The names a policy may use. None for a kind means: do not check it."""

    groups: Collection[str] | None = None
    tags: Collection[str] | None = None
    uids: Collection[Uid] | None = None


@dataclass(frozen=True)
class _Parsed:
    """A policy that Cedar has parsed and nothing more, with its text and the line it begins on."""

    line: int
    text: str = field(repr=False)
    policy: pst.Template = field(repr=False)


def check(text: str, registry: Registry | None = None) -> list[Problem]:
    """Say everything that is wrong with `text`, in order of lines; nothing means an engine can use it.

    Policies that were read before, or are now, have only their names looked at: of ten thousand mostly a few are new.
    """
    if len(text) > LONGEST_TEXT:
        return [Problem(1, "The policies are longer than 16 MiB.", "Split what different segments need.")]
    refused = _refused(text)
    problems: list[Problem] = []
    unread: list[_Parsed] = []
    named: list[tuple[str | None, int]] = []
    for statement in statements(text):
        read = known(statement.text)
        if read is not None:
            problems += _names(statement.line, read, registry or Registry())
            named.append((read.terms.id, statement.line))
            continue
        for item in _parse(statement, problems):
            problems += _meaning(item, registry or Registry())
            named.append((item.policy.annotations.get("id"), item.line))
            unread.append(item)
    problems += _repeated(named)
    if refused and not problems:
        problems = _validated(unread) or [Problem(1, refused.message, refused.remedy)]
    return sorted(set(problems), key=lambda problem: (problem.line, problem.reason))[:MOST_PROBLEMS]


def _refused(text: str) -> Invalid | None:
    """Why an engine cannot use `text`, were it for one thing alone; what it can is remembered."""
    try:
        policies(text)
    except Invalid as error:
        return error
    return None


def _parse(statement: Statement, problems: list[Problem]) -> Iterator[_Parsed]:
    try:
        yield from (_Parsed(statement.line, statement.text, policy) for policy in templates(statement.text))
    except Invalid as error:
        problems.append(Problem(statement.line, error.message, error.remedy or _unfinished(statement)))


def _unfinished(statement: Statement) -> str:
    return "" if statement.ended else "Does it end with a semicolon, and is every quotation mark closed?"


def _names(line: int, read: Policy, registry: Registry) -> Iterator[Problem]:
    """Names in a policy that is right but for those it may use."""
    yield from _unknown_in(line, read.terms, registry)
    asked = asked_of_context(read.rule) if read.reads is None else read.reads
    yield from _unknown(line, "attribute of the context", sorted(asked), CONTEXT)
    yield from _unknown_entities(line, read.names, registry.uids)


def _meaning(item: _Parsed, registry: Registry) -> Iterator[Problem]:
    names = names_in(item.policy)
    wrong = [*terms.problems(item.policy), *heads.problems(item.policy, scope_of(item.policy), names)]
    yield from (_problem(item.line, error) for error in wrong)
    if not wrong:
        yield from _unknown_in(item.line, terms.terms_of(item.policy), registry)
    yield from _unknown(item.line, "attribute of the context", sorted(asked_of_context(item.policy)), CONTEXT)
    yield from _unknown_entities(item.line, names, registry.uids)


def unknown_names(read: Rules, registry: Registry) -> Iterator[Problem]:
    """Names in policies that were checked before which nobody knows any more. Lines are not told: each names its policy."""
    if _all_known(read.groups, registry.groups) and _all_known(read.tags, registry.tags):
        return  # mostly so: no policy is looked at
    for policy in read.values():
        for one in _unknown_in(1, policy.terms, registry):
            yield Problem(1, f"The policy {policy.terms.id}: {one.reason}", one.suggestion)


def _all_known(names: frozenset[str], known: Collection[str] | None) -> bool:
    return known is None or names <= set(known)


def _unknown_in(line: int, found: terms.Terms, registry: Registry) -> Iterator[Problem]:
    yield from _unknown(line, "group", sorted(found.groups), registry.groups)
    yield from _unknown(line, "tag", sorted(found.unmask), registry.tags)


def _problem(line: int, error: NarrowgateError) -> Problem:
    return Problem(line, error.message, error.remedy)


def _unknown(line: int, kind: str, names: Collection[str], known: Collection[str] | None) -> Iterator[Problem]:
    for name in names:
        if known is not None and name not in known:
            yield Problem(line, f'There is no {kind} "{name}".', _nearest(name, known))


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f'Did you mean "{near[0]}"?'
    return f"Known are {', '.join(sorted(known)[:12])}." if known else "None is known yet."


def _unknown_entities(line: int, uids: Iterable[Uid], known: Collection[Uid] | None) -> Iterator[Problem]:
    if known is None:
        return
    for kind, name in sorted({("Resource", resource_of(uid)) if is_part(uid) else uid for uid in uids}):
        if kind != "Action" and (kind, name) not in known:
            near = _nearest(name, [one for other, one in known if other == kind])
            yield Problem(line, f"There is no {kind}::{json.dumps(name, ensure_ascii=False)}.", near)


def _repeated(named: Iterable[tuple[str | None, int]]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for name, line in named:
        if name in first:
            yield Problem(
                line,
                f'The @id "{name}" is already that of line {first[name]}.',
                "Give each policy a name of its own.",
            )
        elif name is not None:
            first[name] = line


def _validated(parsed: list[_Parsed]) -> list[Problem]:
    found = refused_by_cedar([item.policy for item in parsed], [item.text for item in parsed])
    return [Problem(parsed[place].line, _sentence(error), _hint(error)) for place, error in found]


def _sentence(error: str) -> str:
    """Cedar repeats a problem for every action it meets: told once."""
    told = _PER_ACTION.sub(" in the context", _PREFIX.sub("", error)).rstrip(".")
    return f"{told[:1].upper()}{told[1:]}."


def _hint(error: str) -> str:
    if "optional attribute" in error or "unable to guarantee safety" in error:
        return "Guard it: context has x && context.x …"
    if "attribute" in error:
        return f"The context may hold {', '.join(sorted(CONTEXT))}."
    return ""
