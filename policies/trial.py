"""Pure: what another version of the policies would have made of what really happened.

Each question that was asked is put to two engines over one registry. Where their answers differ in anything an agent or a
reviewer would notice (the verdict, who must approve, what stays masked, how many rows), that is a change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from core.words import listing
from policies.arguments import COUNT, NAME
from policies.decision import Ask, Decision, Verdict
from policies.evaluate import Engine

MOST_CHANGES: Final = 500
"""Kinds of change that are listed one by one; beyond them actions are only counted."""


@dataclass(frozen=True)
class Effect:
    """What an agent and a reviewer notice of a decision."""

    verdict: str
    needs: str = ""
    """Who must approve, as `@hold` says it; empty but for a hold."""
    masked: tuple[str, ...] = ()
    """Tags of what it touches that stay masked."""
    limit: int | None = None
    proof: int | None = None
    """Seconds ago, at most, that the agent has to have proved that it holds its key."""

    @property
    def kind(self) -> str:
        """As people count: allow, mask, hold or deny."""
        return "mask" if self.verdict == Verdict.ALLOW and self.masked else self.verdict


@dataclass(frozen=True)
class Question:
    """One question, how many actions asked it, and the newest of them."""

    ask: Ask
    actions: int
    newest: str


@dataclass
class Change:
    """Actions alike in who asked for what and in how the answers differ. `policies` determine the new answer."""

    agent: str
    resource: str
    verbs: tuple[str, ...]
    before: Effect
    after: Effect
    policies: tuple[str, ...]
    why: str
    actions: int = 0
    newest: str = ""
    """One of the actions."""


@dataclass
class Trial:
    """What has been compared so far."""

    before: Engine
    after: Engine
    actions: int = 0
    unlisted: int = 0
    """Actions whose answer differs in a way that there was no more room to list."""
    determined: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """How many actions each policy of the new version would have determined."""
    moved: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """How many actions went from one kind of effect to another."""
    unknown: int = 0
    """Actions of which it was not kept what a version looks at: they are not compared."""
    _changes: dict[tuple[object, ...], Change] = field(default_factory=dict)

    def compare(self, questions: Iterable[Question]) -> None:
        """Put questions to both engines."""
        for question in questions:
            self._compare(question)

    def _compare(self, question: Question) -> None:
        ask = question.ask
        self.actions += question.actions
        if not_kept(ask, self.after) or not_kept(ask, self.before):
            self.unknown += question.actions
            return
        now = self.after.decide(self.after.projected(ask))
        for policy in now.policies:
            self.determined[policy] += question.actions
        before, after = effect(ask, self.before.decide(self.before.projected(ask))), effect(ask, now)
        if before == after:
            return
        self.moved[before.kind, after.kind] += question.actions
        verbs = tuple(sorted(ask.verbs))
        key = (ask.agent, ask.resource, verbs, before, after, now.policies)
        change = self._changes.get(key)
        if change is None:
            if len(self._changes) >= MOST_CHANGES:
                self.unlisted += question.actions
                return
            why = self.after.decide(ask).why  # with all that was asked
            change = Change(ask.agent, ask.resource, verbs, before, after, now.policies, why)
            self._changes[key] = change
        change.actions += question.actions
        change.newest = max(change.newest, question.newest)

    def changes(self) -> list[Change]:
        """The changes, those of most actions first."""
        return sorted(self._changes.values(), key=lambda one: (-one.actions, one.agent, one.resource, one.verbs))

    def as_json(self) -> dict[str, Any]:
        """What there is to keep of it."""
        return {
            "changes": [_change(one) for one in self.changes()],
            "moved": [[before, after, count] for (before, after), count in sorted(self.moved.items())],
            "determined": dict(sorted(self.determined.items())),
            "unlisted": self.unlisted,
            "unknown": self.unknown,
        }


def not_kept(ask: Ask, engine: Engine) -> frozenset[str]:
    """What the policies of `engine` look at and the question does not say: it was kept where those of then looked at it."""
    said = frozenset[str]().union(*(own.keys() for _, own in ask.each))
    missing = engine.wanted(ask.agent, ask.verbs, ask.resource) - ask.context.keys() - ask.ours.keys() - said
    return missing | {NAME} if _lacks_parameters(ask, engine) else missing


def _lacks_parameters(ask: Ask, engine: Engine) -> bool:
    """Whether a parameter was bound that `engine` looks at and the policies of then did not."""
    kept = ask.context.get(NAME)
    count = kept.get(COUNT) if isinstance(kept, Mapping) and not ask.each and "operation" not in ask.context else None
    if not isinstance(count, int) or not isinstance(kept, Mapping):
        return False
    read = engine.arguments_read(ask.agent, ask.verbs, ask.resource)
    return any((read is None or name in read) and name not in kept for name in (f"p{n + 1}" for n in range(count)))


def effect(ask: Ask, decision: Decision) -> Effect:
    """What is noticed of a decision about `ask`."""
    if decision.verdict is Verdict.DENY:
        return Effect(Verdict.DENY.value)
    tags = ask.context.get("tags")
    touched = frozenset(tags) if isinstance(tags, (frozenset, set, list, tuple)) else frozenset()
    needs = str(decision.requirement) if decision.requirement else ""
    proof = int(decision.proof.total_seconds()) if decision.proof else None
    return Effect(decision.verdict.value, needs, tuple(sorted(touched - decision.unmask)), decision.limit, proof)


def in_words(effect: Effect) -> str:
    """An effect as a sentence has it: `allowed, email masked, at most 10 rows`."""
    return ", ".join(_words(effect))


def _words(effect: Effect) -> Iterator[str]:
    if effect.verdict == Verdict.DENY:
        yield "denied"
        return
    yield f"held for {effect.needs}" if effect.verdict == Verdict.HOLD else "allowed"
    if effect.masked:
        yield f"{listing(list(effect.masked))} masked"
    if effect.limit is not None:
        yield f"at most {effect.limit:,} rows"
    if effect.proof is not None:
        yield f"with a proof at most {effect.proof} s old"


def _change(one: Change) -> dict[str, Any]:
    return {
        "agent": one.agent,
        "resource": one.resource,
        "verbs": list(one.verbs),
        "before": {"kind": one.before.kind, "words": in_words(one.before)},
        "after": {"kind": one.after.kind, "words": in_words(one.after)},
        "policies": list(one.policies),
        "why": one.why,
        "actions": one.actions,
        "newest": one.newest,
    }
