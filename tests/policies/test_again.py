"""An action is decided again, years later, by the version that decided it or by another."""

from __future__ import annotations

import pytest

from activity.models import Action, Question
from agents.models import Agent, Resource
from core.errors import NotFound, Refused
from core.ids import new_id
from policies import actions
from policies.again import decide_again
from policies.decision import Ask
from policies.question import question_of
from policies.world import AgentFacts, ResourceFacts
from tests.activity.asking import asked
from tests.approvals.world import assemble
from tests.bring.callers import Caller, browser
from tests.cast import Cast
from tests.policies.worlds import SECRET

pytestmark = pytest.mark.django_db
FIRST = '@id("reads") @why("Everybody reads.") permit (principal, action in Action::"sql:read", resource);'
SECOND = '@id("never") @why("Nobody reads.") forbid (principal, action, resource);'


@pytest.fixture
def action(cast: Cast) -> Action:
    """An allowed read, with facts that the registry does not hold any more."""
    world = assemble(cast)
    actions.install(FIRST, actor=cast.engineer)
    actions.draft(SECOND, actor=cast.engineer)
    facts = AgentFacts("gone.production", "gone", "production", "production")
    kept = question_of(
        Ask(facts.name, frozenset({"sql:select"}), "attic"),
        facts,
        ResourceFacts("attic", "postgres", "production"),
        SECRET,
    )
    Question.objects.create(id=kept.id, text=kept.text)
    return asked(world.agent, world.resource, question_id=kept.id)


def test_the_version_that_decided_gives_the_same_answer(action: Action) -> None:
    again = decide_again(action)
    assert (again.version, again.verdict, again.policies, again.agrees) == (1, "allow", ("reads",), True)


def test_another_version_answers_for_itself(action: Action) -> None:
    again = decide_again(action, 2)
    assert (again.verdict, again.why, again.agrees) == ("deny", "Nobody reads.", None)


def test_an_answer_that_differs_from_the_record_is_said(action: Action) -> None:
    Action.objects.filter(id=action.id).update(decision="deny")
    action.refresh_from_db()
    assert decide_again(action).agrees is False


def test_what_was_changed_or_not_kept_is_refused(action: Action, cast: Cast) -> None:
    with pytest.raises(NotFound, match="no version 9"):
        decide_again(action, 9)
    for text in ("{}", Question.objects.get().text.replace("sql:select", "sql:delete")):
        Question.objects.update(text=text)
        with pytest.raises(Refused, match="somebody changed it"):
            decide_again(action)
    Question.objects.all().delete()
    with pytest.raises(NotFound, match="Nothing is kept"):
        decide_again(action)
    with pytest.raises(NotFound, match="Nothing is kept"):
        decide_again(asked(Agent(name="x"), Resource(name="y"), id=new_id()))


def test_by_api_and_by_page(action: Action, cast: Cast) -> None:
    api = Caller(cast.ciso)
    status, again = api.get(f"actions/{action.id}/decision")
    assert (status, again["agrees"], again["question"]["agent"]["name"]) == (200, True, "gone.production")
    assert api.get(f"actions/{action.id}/decision?version=2")[1]["verdict"] == "deny"
    assert api.get(f"actions/{action.id}/decision?version=x")[0] == 422
    assert api.get(f"actions/{action.id}/decision?version=77")[0] == 404
    page = browser(cast.auditor)
    address = f"/record/actions/{action.id}/"
    assert b"Decide it again" in page.get(address).content
    assert b"gives the same answer" in page.get(f"{address}again/").content
    assert b"Version 2 would say" in page.get(f"{address}again/?version=2").content
    assert b"no version 77" in page.get(f"{address}again/?version=77").content
    assert b"no such version" in page.get(f"{address}again/?version=-1").content
