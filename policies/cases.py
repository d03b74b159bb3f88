"""Pure: test cases of policies. Each says who asks for what, and what must be answered; they are YAML, beside the policies.

One text may hold several documents (`---` between them). A document names agents and resources of its own, which need not
be in the registry, and cases:

    agents:
      - {name: support.staging.07, function: support, environment: staging, segment: staging}
    cases:
      - name: Support reads customers, e-mail addresses stay masked
        agent: support.staging.07
        resource: shop
        verbs: [sql:select]
        context: {tables: [public.customers], tags: [email]}
        expect: allow
        unmask: []
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final, Protocol

import yaml

from accounts.quorum import Requirement
from core.errors import Invalid
from policies import moment
from policies.arguments import NAME, readable
from policies.context import misfit
from policies.decision import Ask, Decision, Verdict
from policies.evaluate import Engine
from policies.parse import policies
from policies.world import AgentFacts, ResourceFacts, World

LONGEST: Final = 262_144
"""Characters of all test cases together: read again whenever their version is looked at."""
MOST_CASES: Final = 2_000
DEEPEST: Final = 12
"""Levels of YAML inside each other; a case needs four."""
LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where the wheel has it, is ten times as fast
_DOCUMENT: Final = ("agents", "cases", "resources")
_WRITE: Final[Mapping[str, str]] = {
    "time": "Write time: 2026-11-26T22:15:00Z.",
    "risk": "Write risk: 85, a whole number from 0 to 100.",
    "session": "Write session: {actions: 3, rows: 120, bytes: 4096}.",
}
_CASE: Final = ("agent", "by", "context", "expect", "limit", "name", "needs", "resource", "unmask", "verbs")
_NEEDED: Final = ("agent", "expect", "name", "resource", "verbs")
_AGENT: Final = ("environment", "function", "name", "purpose", "segment")
_RESOURCE: Final = ("kind", "name", "segment")


@dataclass(frozen=True)
class Case:
    """One case. What it does not say (None) may be anything."""

    line: int
    name: str
    ask: Ask
    expect: Verdict
    needs: str | None = None
    unmask: frozenset[str] | None = None
    limit: int | None = None
    by: frozenset[str] | None = None


@dataclass(frozen=True)
class Cases:
    """The cases of one document, with the agents and resources that it names itself."""

    agents: tuple[AgentFacts, ...]
    resources: tuple[ResourceFacts, ...]
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Result:
    """What a case came to: `wrong` is empty where it passed."""

    line: int
    name: str
    wrong: tuple[str, ...]
    determined: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything was as it must be."""
        return not self.wrong


@dataclass(frozen=True)
class Tested:
    """All results, the policies that no case was determined by, and which of those no action was either, where that was looked at."""

    results: tuple[Result, ...]
    uncovered: tuple[str, ...]
    unmet: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Result, ...]:
        """Those that did not pass."""
        return tuple(one for one in self.results if not one.passed)


def run(text: str, documents: Iterable[Cases], registry: World) -> Tested:
    """Run the cases against the policies of `text`. Raises Invalid for policies that no engine can use."""
    results = tuple(result for document in documents for result in _run(text, document, registry))
    met = frozenset().union(*(one.determined for one in results))
    return Tested(results, tuple(sorted(policies(text).keys() - met)))


def named(documents: Iterable[Cases]) -> tuple[frozenset[str], frozenset[str]]:
    """The agents and the resources that the cases ask about."""
    asked = [case.ask for document in documents for case in document.cases]
    return frozenset(ask.agent for ask in asked), frozenset(ask.resource for ask in asked)


def _run(text: str, document: Cases, registry: World) -> Iterator[Result]:
    world = _world(document, registry)
    engine = Engine.build(text, world, version=0)
    for case in document.cases:
        unknown = _unknown(case, world)
        if unknown:
            yield Result(case.line, case.name, (unknown,))
            continue
        decision = engine.decide(case.ask)
        yield Result(case.line, case.name, tuple(_wrong(case, decision)), decision.policies)


def _world(document: Cases, registry: World) -> World:
    """Only what the cases name: a registry of thousands would be made ready for nothing."""
    agents = {one.name: one for one in document.agents}
    resources = {one.name: one for one in document.resources}
    for case in document.cases:
        if case.ask.agent in registry.agents:
            agents.setdefault(case.ask.agent, registry.agents[case.ask.agent])
        if case.ask.resource in registry.resources:
            resources.setdefault(case.ask.resource, registry.resources[case.ask.resource])
    return World.of(agents.values(), resources.values())


def _unknown(case: Case, world: World) -> str:
    if case.ask.agent not in world.agents:
        return f"There is no active agent {case.ask.agent}; the file can name it under agents."
    if case.ask.resource not in world.resources:
        return f"There is no resource {case.ask.resource}; the file can name it under resources."
    return ""


def _wrong(case: Case, decision: Decision) -> Iterator[str]:
    if decision.verdict is not case.expect:
        yield f"Expected {case.expect}, but it is {decision.verdict}: {decision.why}"
        return
    needs = str(decision.requirement) if decision.requirement else ""
    if case.needs is not None and needs != case.needs:
        yield f'Expected to need "{case.needs}", but it needs "{needs}".'
    if case.unmask is not None and decision.unmask != case.unmask:
        yield f"Expected to unmask {_listed(case.unmask)}, but it unmasks {_listed(decision.unmask)}."
    if case.limit is not None and decision.limit != case.limit:
        yield f"Expected at most {case.limit} rows, but it is {decision.limit or 'any number'}."
    if case.by is not None and frozenset(decision.policies) != case.by:
        yield f"Expected by {_listed(case.by)}, but it is by {_listed(decision.policies)}."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def parse(text: str) -> list[Cases]:
    """Read test cases. Raises Invalid, with the line."""
    if len(text) > LONGEST:
        raise Invalid("tests", "The test cases are longer than 256 KiB.", "Split them, and test what differs.")
    try:
        _bounded(text)
        nodes = list(yaml.compose_all(text, Loader=LOADER))
        documents = [yaml.constructor.SafeConstructor().construct_document(node) for node in nodes]
    except (ValueError, OverflowError) as error:  # a date that no calendar has, say
        raise _bad(1, f"It holds what is no value: {error}.", "Put texts in quotation marks.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise _bad(_line(mark), f"It is no YAML: {getattr(error, 'problem', None) or error}.") from None
    pairs = zip(documents, nodes, strict=True)
    found = [_document(data, node) for data, node in pairs if data is not None]
    if sum(len(one.cases) for one in found) > MOST_CASES:
        raise Invalid("tests", f"There are more than {MOST_CASES:,} test cases.", "Keep those that tell you something.")
    return found


def _bounded(text: str) -> None:
    """Refuse what could grow: aliases, and levels without end."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise _bad(_line(event.start_mark), "A test case cannot point at another (*).", "Write it out.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _bad(_line(event.start_mark), f"It nests more than {DEEPEST} levels.", "A case needs four.")


def _document(data: object, node: yaml.Node) -> Cases:
    line = _line(node.start_mark)
    said = _mapping(data, _DOCUMENT, line, "A document of test cases")
    agents = tuple(AgentFacts(**_facts(one, _AGENT, line, "An agent")) for one in _list(said, "agents", line))
    resources = tuple(
        ResourceFacts(**_facts(one, _RESOURCE, line, "A resource")) for one in _list(said, "resources", line)
    )
    places = _places(node)
    cases = _list(said, "cases", line)
    return Cases(agents, resources, tuple(_case(one, at) for one, at in zip(cases, places, strict=True)))


class _Mark(Protocol):
    """A place in YAML; lines count from 0."""

    line: int


def _line(mark: _Mark | None) -> int:
    return mark.line + 1 if mark is not None else 1


def _places(node: yaml.Node) -> list[int]:
    """The line of each case."""
    for key, value in node.value:
        if key.value == "cases" and isinstance(value, yaml.SequenceNode):
            return [_line(one.start_mark) for one in value.value]
    return []


def _case(data: object, line: int) -> Case:
    said = _mapping(data, _CASE, line, "A case")
    missing = [name for name in _NEEDED if name not in said]
    if missing:
        raise _bad(line, f"The case says no {missing[0]}.", f"A case needs {', '.join(_NEEDED)}.")
    expect = _text(said, "expect", line)
    if expect not in list(Verdict):
        raise _bad(line, f'It cannot expect "{expect[:40]}".', "Write allow, hold or deny.")
    context = _mapping(said.get("context", {}), None, line, "The context")
    ours = {name: _time(value) if name == "time" else value for name, value in context.items() if name in moment.TYPES}
    ask = Ask(
        _text(said, "agent", line),
        _names(said, "verbs", line) or frozenset(),
        _text(said, "resource", line),
        {name: value for name, value in _sets(context).items() if name not in ours},
        ours,
    )
    wrong = misfit(ours, moment.TYPES)
    if wrong:
        raise _bad(line, f"The context's {wrong} is not as it must be.", _WRITE[wrong])
    try:
        hash(ask.keyed)
    except TypeError as error:
        raise _bad(line, f"The context cannot be asked: {error}.") from None
    limit = said.get("limit")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool)):
        raise _bad(line, "limit is no number of rows.", "Write limit: 1000.")
    return Case(
        line,
        _text(said, "name", line),
        ask,
        Verdict(expect),
        _needs(said, line),
        _names(said, "unmask", line),
        limit,
        _names(said, "by", line),
    )


def _time(value: object) -> object:
    """YAML reads an unquoted time as one; a text may have seconds, or an offset."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(at, datetime):
        return None
    return moment.time_text(at if at.tzinfo else at.replace(tzinfo=UTC))


def _needs(said: Mapping[str, Any], line: int) -> str | None:
    if "needs" not in said:
        return None
    try:
        return str(Requirement.parse(_text(said, "needs", line)))
    except Invalid as error:
        raise _bad(line, error.message, error.remedy) from None


def _sets(context: Mapping[str, object]) -> dict[str, object]:
    said = context.get(NAME)
    given = dict(context) | ({NAME: readable(said)} if isinstance(said, dict) else {})
    return {name: frozenset(map(str, value)) if isinstance(value, list) else value for name, value in given.items()}


def _mapping(data: object, names: Collection[str] | None, line: int, what: str) -> dict[str, Any]:
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        raise _bad(line, f"{what} is a mapping of names to values.")
    for name in data:
        if names is not None and name not in names:
            near = get_close_matches(name, names, n=1)
            raise _bad(
                line,
                f'{what} has no "{name[:40]}".',
                f"Did you mean {near[0]}?" if near else f"It may have {', '.join(names)}.",
            )
    return data


def _facts(data: object, names: Collection[str], line: int, what: str) -> dict[str, str]:
    said = _mapping(data, names, line, what)
    missing = [name for name in names if name not in said and name != "purpose"]
    if missing:
        raise _bad(line, f"{what} says no {missing[0]}.", f"It needs {', '.join(names)}.")
    return {name: _text(said, name, line) for name in said}


def _list(said: Mapping[str, Any], name: str, line: int) -> list[Any]:
    value = said.get(name) or []
    if not isinstance(value, list):
        raise _bad(line, f"{name} is a list.", "Begin each item with a hyphen.")
    return value


def _text(said: Mapping[str, Any], name: str, line: int) -> str:
    value = said[name]
    if not isinstance(value, str) or not value:
        raise _bad(line, f"{name} is a text.", "Put it in quotation marks.")
    return value


def _names(said: Mapping[str, Any], name: str, line: int) -> frozenset[str] | None:
    value = said.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _bad(line, f"{name} is a list of texts.", f"Write {name}: [one, another].")
    return frozenset(value)


def _bad(line: int, reason: str, remedy: str = "") -> Invalid:
    return Invalid("tests", f"Line {line} of the test cases: {reason}", remedy)
