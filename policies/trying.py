"""The making of a trial: the questions that actions of a period asked, each put once to both versions.

Actions share questions (`activity.models.Question`), so that a hundred thousand of them are a few hundred decisions. The
registry is today's; an agent that is not active any more is taken as it was when it asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from django.db.models import Count, Max, QuerySet, TextField
from django.db.models.functions import Cast

from activity import models as activity
from core.errors import NarrowgateError
from policies import sealing, snapshot, trial_actions
from policies.evaluate import Engine
from policies.models import PolicyTrial, PolicyVersion
from policies.question import read, whose
from policies.trial import Question, Trial
from policies.world import World

T = TypeVar("T")
AT_ONCE: Final = 500
"""Questions read together."""


class _Asked(NamedTuple):
    """A question of the period: how many actions asked it, and the newest of them."""

    id: UUID
    actions: int
    newest: str


def make_unfinished() -> int:
    """Make the trials that nobody is making, one after the other; gives how many."""
    made = 0
    while (trial := trial_actions.take_up()) is not None:
        try:
            _make(trial)
        except NarrowgateError as error:
            trial_actions.fail(trial.id, why=str(error))
        made += 1
    return made


def _make(trial: PolicyTrial) -> None:
    happened = activity.Action.objects.filter(asked_at__gte=trial.since, asked_at__lt=trial.until)
    untried = happened.filter(question_id=None).count()
    asked = _questions(happened)
    of = sum(one.actions for one in asked)
    world = _world(asked)
    before, after = _engine(trial.against, world), _engine(trial.version, world)
    compared = Trial(before, after)
    for some in _parts(asked):
        compared.compare(_read(some))
        if not trial_actions.tell(trial, tried=compared.actions, of=of):
            return
    trial_actions.finish(trial, tried=compared.actions, untried=untried, found=compared.as_json())


def _questions(happened: QuerySet[activity.Action]) -> list[_Asked]:
    rows = (
        happened.exclude(question_id=None)
        .values("question_id")
        .annotate(actions=Count("id"), newest=Max(Cast("id", TextField())))
        .order_by("question_id")
    )
    return [_Asked(row["question_id"], row["actions"], row["newest"]) for row in rows if row["question_id"]]


def _parts(asked: Sequence[_Asked]) -> Iterator[Sequence[_Asked]]:
    for begin in range(0, len(asked), AT_ONCE):
        yield asked[begin : begin + AT_ONCE]


def _read(asked: Sequence[_Asked]) -> Iterator[Question]:
    texts = _texts(asked)
    for one in asked:
        if one.id in texts:
            yield Question(_parsed(texts[one.id], read).ask, one.actions, one.newest)


def _texts(asked: Sequence[_Asked]) -> Mapping[UUID, str]:
    found = activity.Question.objects.filter(id__in=[one.id for one in asked])
    return dict(found.values_list("id", "text"))


def _parsed(text: str, reader: Callable[[str], T]) -> T:
    try:
        return reader(text)
    except ValueError as error:
        raise NarrowgateError(f"A question of the period cannot be read: {error}.") from None


def _world(asked: Sequence[_Asked]) -> World:
    """Today's registry, and who asked and is not in it any more."""
    now = snapshot.registered()
    agents, resources = dict(now.agents), dict(now.resources)
    for some in _parts(asked):
        for text in _texts(some).values():
            agent, resource = _parsed(text, whose)
            agents.setdefault(agent.name, agent)
            if resource is not None:
                resources.setdefault(resource.name, resource)
    return World.of(agents.values(), resources.values())


def _engine(version: PolicyVersion | None, world: World) -> Engine:
    if version is None:
        return Engine.closed("No version of the policies was in force.")
    return sealing.engine(version, world)


def counted(found: Mapping[str, Any]) -> int:
    """How many actions a trial's findings say would have gone otherwise."""
    return sum(int(one["actions"]) for one in found["changes"]) + int(found["unlisted"])
