"""How long one decision takes, as policies grow from ten to a hundred thousand, beside three other engines.

A set has a share of functions, each with two permits, a hold and a plain denial; a question is of a random agent, and each is
new: nothing is remembered, and building the request is on the clock. Ours evaluates the policies whose scope can match. Peers:
cedarpy with all policies (parsed before), casbin (RBAC with deny-override), and the evaluator of the Microsoft toolkit
(agent-os-kernel). The peers know no holds: a hold is a denial there. Besides: how long a new version takes to come into force, and a
trial of one on what happened (`policy_trial.py`).

    python bench/policy.py --json [--quick]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

from bench import compared

SIZES, QUICK_SIZES = (10, 100, 1_000, 10_000, 100_000), (10, 1_000, 10_000)
A_FUNCTION = 4  # policies
MOST_AGENTS, RESOURCES = 1_000, 50
VERBS = {"allow": "sql:select", "hold": "sql:update", "deny": "sql:ddl"}
SAMPLES, MOST_SECONDS = 10_000, 1.0  # more than agents, of whom each is met for a first time
GROWN, MOST_GROWTH, MOST_US, MOST_ACTIVATION = 10_000, 1.3, 80.0, 2.0
MOST_PAUSE, RUNS = 100, 3  # ms; activations, of which the median counts
MOST_TRIAL = 60.0  # seconds, of 100,000 past actions
OURS, CEDAR, CASBIN, TOOLKIT = "ours", "cedarpy, all policies", "casbin", "agent-os-kernel"
Decide = Callable[[str, str, str, str], str]
"""Agent, resource, verb and a purpose that no other question has: the verdict."""
CASBIN_MODEL = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act
"""


def agent(number: int) -> tuple[str, str, str]:
    """An agent's name, its function and its resource."""
    return f"f{number}.production", f"f{number}", f"r{number % RESOURCES}"


def functions(size: int) -> int:
    """How many functions a set of that size has."""
    return max(1, size // A_FUNCTION)


def text(size: int, edition: str = "first") -> str:
    """A set of policies; no policy of one edition is in another."""
    pieces = (piece for number in range(functions(size)) for piece in _policies(number))
    return "\n".join(f'@why("The {edition} edition.") {piece}' for piece in pieces)


def _policies(number: int) -> Iterator[str]:
    _, function, resource = agent(number)
    scope = f'principal in Function::"{function}"'
    where = f'resource == Resource::"{resource}"'
    yield f'@id("reads-{number}") permit ({scope}, action in Action::"sql:read", {where});'
    yield f'@id("writes-{number}") permit ({scope}, action in Action::"sql:write", {where});'
    held = f'@id("held-{number}") @hold("dba:1") forbid ({scope}, action in Action::"sql:write", {where})'
    yield f"{held} unless {{ context has approval }};"
    yield f'@id("never-{number}") forbid ({scope}, action == Action::"sql:ddl", {where});'


def world(size: int) -> Any:  # noqa: ANN401 -- imported once Django's settings are there
    """The agents that ask, and the resources."""
    from policies.world import AgentFacts, ResourceFacts, World

    agents = (agent(number) for number in range(min(functions(size), MOST_AGENTS)))
    return World.of(
        (AgentFacts(name, function, "production", "production") for name, function, _ in agents),
        (ResourceFacts(f"r{number}", "postgres", "production") for number in range(RESOURCES)),
    )


def ours(size: int) -> Decide:
    """Our engine."""
    from policies.decision import Ask

    engine = _built(text(size), world(size), _planned(text(size)))

    def decide(name: str, resource: str, verb: str, purpose: str) -> str:
        context = {"purpose": purpose, "where": True, "tables": frozenset({"public.orders"})}
        return str(engine.decide(Ask(name, frozenset({verb}), resource, context)).verdict)

    return decide


def cedar(size: int) -> Decide:
    """Cedar given all policies, parsed before."""
    import cedarpy

    from policies import schema

    policies = cedarpy.PolicySet.from_str(text(size))
    entities = cedarpy.Entities.from_json_str(world(size).entities_json(), schema.handle())

    def decide(name: str, resource: str, verb: str, purpose: str) -> str:
        request = {
            "principal": {"type": "Agent", "id": name},
            "action": {"type": "Action", "id": verb},
            "resource": {"type": "Resource", "id": resource},
            "context": {"purpose": purpose, "where": True, "tables": ["public.orders"]},
        }
        return "allow" if cedarpy.is_authorized(request, policies, entities).allowed else "deny"

    return decide


def casbin(size: int) -> Decide:
    """Casbin, roles for functions."""
    from casbin import Enforcer, Model

    model = Model()
    model.load_model_from_text(CASBIN_MODEL)
    enforcer = Enforcer(model)
    lines = []
    for number in range(functions(size)):
        name, function, resource = agent(number)
        lines += [[function, resource, "sql:select", "allow"], [function, resource, "sql:update", "allow"]]
        lines += [[function, resource, "sql:update", "deny"], [function, resource, "sql:ddl", "deny"]]
        if number < MOST_AGENTS:
            enforcer.add_grouping_policy(name, function)
    enforcer.add_policies(lines)

    def decide(name: str, resource: str, verb: str, _purpose: str) -> str:
        return "allow" if enforcer.enforce(name, resource, verb) else "deny"

    return decide


def toolkit(size: int) -> Decide:
    """The Microsoft toolkit's evaluator: a rule has one condition, so agent, resource and verb are one field."""
    from agent_os.policies.evaluator import PolicyEvaluator
    from agent_os.policies.schema import (
        PolicyAction,
        PolicyCondition,
        PolicyDefaults,
        PolicyDocument,
        PolicyOperator,
        PolicyRule,
    )

    rules = []
    for number in range(functions(size)):
        name, _, resource = agent(number)
        for verb, action in (("sql:select", PolicyAction.ALLOW), ("sql:update", PolicyAction.DENY)) * 2:
            condition = PolicyCondition(field="asked", operator=PolicyOperator.EQ, value=f"{name} {verb} {resource}")
            rules.append(PolicyRule(name=f"{number} {verb}", condition=condition, action=action))
    document = PolicyDocument(rules=rules, defaults=PolicyDefaults(action=PolicyAction.DENY))
    evaluator = PolicyEvaluator([document])

    def decide(name: str, resource: str, verb: str, purpose: str) -> str:
        asked = {"asked": f"{name} {verb} {resource}", "purpose": purpose}
        return "allow" if evaluator.evaluate(asked).allowed else "deny"

    return decide


ENGINES: dict[str, Callable[[int], Decide]] = {OURS: ours, CEDAR: cedar, CASBIN: casbin, TOOLKIT: toolkit}


def latencies(decide: Decide, size: int, verb: str, expected: str) -> list[float]:
    """Microseconds of each of many decisions, or of as many as a second has. Raises SystemExit for a wrong answer."""
    agents = min(functions(size), MOST_AGENTS)
    chosen, fresh = random.Random(size), count()  # noqa: S311 -- a benchmark's questions
    found: list[float] = []
    give_up = time.perf_counter() + MOST_SECONDS
    while len(found) < SAMPLES and (time.perf_counter() < give_up or not found):
        name, _, resource = agent(chosen.randrange(agents))
        purpose = f"question {next(fresh)}"
        began = time.perf_counter()
        answer = decide(name, resource, verb, purpose)
        found.append((time.perf_counter() - began) * 1e6)
        if answer != expected:
            raise SystemExit(f"{name} was answered {answer} for {verb}, not {expected}.")
    return found


def measured(sizes: tuple[int, ...]) -> dict[tuple[str, int, str], float]:
    """The median of each engine, size and verdict, in microseconds."""
    found = {}
    for size in sizes:
        for engine, make in ENGINES.items():
            decide = make(size)
            for verdict, verb in VERBS.items():
                expected = "deny" if verdict == "hold" and engine != OURS else verdict
                found[engine, size, verdict] = statistics.median(latencies(decide, size, verb, expected))
    return found


def activation(size: int) -> tuple[float, float, float]:
    """Seconds until a new version of `size` policies can decide beside a thread that decides without rest, and what it costs.

    First by its plan, as every version has one that was drafted here, in a process that has never seen it; then by its text
    alone, as where another release wrote the plan; last the longest, in seconds, that decisions stood still for the former.
    """
    from policies import parse

    known, new = world(size), text(size, "second")
    packed = _planned(new)
    with _deciding(size) as gaps:
        took = _timed(lambda: _built(new, known, packed))
        longest = max(gaps)
        parse.forget()
        unplanned = _timed(lambda: _built(new, known, b""))
    return took, unplanned, longest


def _planned(new: str) -> bytes:
    """The plan of a text, which nothing remembers to have read."""
    from policies import parse, plan

    packed = plan.write(parse.policies(new))
    parse.forget()
    return packed


def _built(new: str, known: Any, packed: bytes) -> Any:  # noqa: ANN401 -- as `world` gives it
    from policies import plan
    from policies.evaluate import Engine

    return Engine.build(new, known, version=2, rules=plan.read(new, packed) if packed else None)


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def _deciding(size: int) -> Iterator[list[float]]:
    """Decide in a thread of its own until the block ends; gives the seconds between one decision and the next."""
    decide, done = ours(size), threading.Event()
    gaps: list[float] = []

    def deciding() -> None:
        fresh, last = count(), time.perf_counter()
        while not done.is_set():
            name, _, resource = agent(0)
            decide(name, resource, VERBS["allow"], f"meanwhile {next(fresh)}")
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    from core import collecting

    collecting.set_aside()  # as a gateway does when it has begun
    thread = threading.Thread(target=deciding)
    thread.start()
    try:
        yield gaps
    finally:
        done.set()
        thread.join()
        gc.unfreeze()


def figures(found: dict[tuple[str, int, str], float], sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    """As the design's contract has them: for each size the middle of the three verdicts, and each of them."""
    result = []
    for size in sizes:
        for verdict in (None, *VERBS):
            by = {
                engine: statistics.mean(found[engine, size, one] for one in ([verdict] if verdict else VERBS))
                for engine in ENGINES
            }
            mine = by.pop(OURS)
            case = f"{size} policies{f', {verdict}' if verdict else ''}"
            figure = _figure("decision_p50_us", case, "µs", mine, by)
            if (size, verdict) == (GROWN, None):
                least = statistics.mean(found[OURS, sizes[0], one] for one in VERBS)
                mark = f"< {MOST_US:.0f} µs and <= {MOST_GROWTH} times that of {sizes[0]} ({least:.1f})"
                figure |= {"mark": mark, "holds": mine < MOST_US and mine <= MOST_GROWTH * least}
            result.append(figure)
    took, unplanned, still = (
        statistics.median(one) for one in zip(*(activation(GROWN) for _ in range(RUNS)), strict=True)
    )
    active = _figure("activation_s", f"{GROWN} policies", "s", took, {})
    active |= {"mark": f"< {MOST_ACTIVATION}", "holds": took < MOST_ACTIVATION}
    by_text = _figure("activation_s", f"{GROWN} policies, by their text alone", "s", unplanned, {})
    pause = _figure("longest_pause_ms", "decisions while it comes into force", "ms", still * 1000, {})
    pause |= {"mark": f"< {MOST_PAUSE}", "holds": still * 1000 < MOST_PAUSE}
    return [*result, active, by_text, pause]


def trials(*, quick: bool) -> list[dict[str, Any]]:
    """How long a trial takes on what happened, in a process of its own: Django is set up once in a process."""
    command = [sys.executable, str(Path(__file__).with_name("policy_trial.py")), *(["--quick"] if quick else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [
        _figure("trial_s", case, "s", took, {}) | {"mark": f"< {MOST_TRIAL:.0f}", "holds": took < MOST_TRIAL}
        for case, took in json.loads(done.stdout).items()
    ]


def _figure(metric: str, case: str, unit: str, mine: float, by: dict[str, float]) -> dict[str, Any]:
    best = min(by.values(), default=None)
    return {
        "metric": metric,
        "case": case,
        "unit": unit,
        "ours": round(mine, 3),
        "peers": {name: round(value, 3) for name, value in by.items()},
        "ratio": round(mine / best, 3) if best else None,
        "mark": None,
        "holds": None,
    }


def main() -> None:
    """Measure, and print; exit status 1 where a mark is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="under a minute")
    asked = parser.parse_args()
    compared.require("casbin", "agent_os")
    import logging

    import django

    django.setup()
    logging.disable(logging.CRITICAL)  # the peers write a line a decision
    began = time.monotonic()
    sizes = QUICK_SIZES if asked.quick else SIZES
    found = figures(measured(sizes), sizes) + trials(quick=asked.quick)
    if asked.json:
        seconds = round(time.monotonic() - began, 1)
        print(json.dumps({"bench": "policy", "figures": found, "seconds": seconds, "cpus": os.cpu_count()}))
    else:
        for one in found:
            print(f"{one['metric']:>16} {one['case']:>28}: {one['ours']:>10} {one['unit']}, peers {one['peers']}")
    if any(one["holds"] is False for one in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
