"""A version is tried on what happened: what differs is found and nothing is decided."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from activity.models import Action, Question
from agents.models import Agent, Resource
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from policies import actions, trial_actions, trying
from policies.decision import Ask
from policies.models import PolicyTrial
from policies.question import question_of
from policies.trial import Question as Asked
from policies.trial import Trial, effect, in_words
from policies.world import AgentFacts, ResourceFacts
from tests.activity.asking import asked as acted
from tests.bring.callers import Caller, browser
from tests.cast import Cast
from tests.policies.test_versions import events
from tests.policies.worlds import HELD, READS, SECRET, WRITES, ask, engine

UNMASKS = '@id("sees") @unmask("email") @limit("10") permit (principal, action in Action::"sql:read", resource == Resource::"shop");'


def test_what_differs_is_grouped_and_said_in_words() -> None:
    trial = Trial(engine(READS, WRITES), engine(READS, WRITES, HELD))
    trial.compare(
        [Asked(ask("sql:select"), 5, "a"), Asked(ask("sql:update"), 3, "b"), Asked(ask("sql:update", where=False), 2, "c"), Asked(ask("sql:ddl"), 1, "d")]
    )  # fmt: skip
    (change,) = trial.changes()
    assert (change.actions, change.newest, change.policies) == (5, "c", ("held",))
    assert (in_words(change.before), in_words(change.after)) == ("allowed", "held for dba:2, security:1")
    assert trial.actions == 11
    assert dict(trial.moved) == {("allow", "hold"): 5}
    assert trial.determined["reads"] == 5


def test_parameters_that_were_not_kept_are_not_compared() -> None:
    reads_two = '@id("two") forbid (principal, action, resource) when { context has args && context.args has p2 && context.args.p2 > 5 };'
    trial = Trial(engine(READS), engine(READS, reads_two))
    said = [{"count": 0}, {"count": 1}, {"count": 2, "p2": 9}, {"count": 2, "p1": 9}]
    trial.compare([Asked(ask("sql:select", args=one), 1, str(place)) for place, one in enumerate(said)])
    trial.compare([Asked(ask("sql:select", operation="pay", args={}), 1, "e"), Asked(ask("sql:select"), 1, "f")])
    assert trial.unknown == 2  # the last of the four, and the one of which nothing is kept
    assert [(change.newest, change.after.verdict) for change in trial.changes()] == [("2", "deny")]


def test_masks_and_limits_are_differences_too() -> None:
    question = ask("sql:select", tags={"email", "ssn"})
    before, after = engine(READS).decide(question), engine(UNMASKS).decide(question)
    assert in_words(effect(question, before)) == "allowed, email and ssn masked"
    assert in_words(effect(question, after)) == "allowed, ssn masked, at most 10 rows"
    assert effect(question, after).kind == "mask"


def test_a_proof_that_is_asked_for_no_more_is_a_difference() -> None:
    trial = Trial(engine(READS.replace('@id("reads")', '@id("reads") @proof("5m")')), engine(READS))
    trial.compare([Asked(ask("sql:select"), 3, "x")])
    (change,) = trial.changes()
    assert (in_words(change.before), in_words(change.after)) == ("allowed, with a proof at most 300 s old", "allowed")


def test_the_same_version_differs_in_nothing() -> None:
    trial = Trial(engine(READS, HELD), engine(READS, HELD))
    trial.compare(Asked(ask(verb), 1, "x") for verb in ("sql:select", "sql:delete"))
    assert trial.changes() == []


def test_what_there_is_no_room_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.trial.MOST_CHANGES", 1)
    trial = Trial(engine(READS, WRITES), engine())
    trial.compare([Asked(ask("sql:select"), 1, "a"), Asked(ask("sql:insert"), 7, "b")])
    assert (len(trial.changes()), trial.as_json()["unlisted"]) == (1, 7)


FIRST = '@id("all") permit (principal, action, resource);'
SECOND = '@id("reads") permit (principal, action in Action::"sql:read", resource);\n@id("never") permit (principal, action in Action::"sql:admin", resource);'


def _happened(verb: str, *, times: int = 1, days: float = 1, name: str = "gone.production") -> Action:
    """Actions of an agent that the registry does not hold any more."""
    facts = AgentFacts(name, "gone", "production", "production")
    kept = question_of(
        Ask(name, frozenset({verb}), "attic"), facts, ResourceFacts("attic", "postgres", "production"), SECRET
    )
    Question.objects.get_or_create(id=kept.id, defaults={"text": kept.text})
    for _ in range(times):
        last = acted(Agent(name=name), Resource(name="attic"), ago=days * 86_400, verb=verb, question_id=kept.id)
    return last


@pytest.mark.django_db
class TestMaking:
    @pytest.fixture(autouse=True)
    def _first(self, cast: Cast) -> None:
        actions.install(FIRST, actor=cast.engineer)
        self.draft = actions.draft(SECOND, actor=cast.engineer)
        self.cast = cast

    def test_a_trial_counts_what_would_have_gone_otherwise(self) -> None:
        _happened("sql:select", times=4)
        _happened("sql:update", times=3)
        updates = Action.objects.filter(verb="sql:update").values_list("id", flat=True)
        newest = max(map(str, updates))  # identifiers of one millisecond are in any order
        _happened("sql:update", times=5, days=8)
        acted(Agent(name="x"), Resource(name="y"), ago=60, decision="deny", question_id=None)
        trial = trial_actions.ask(self.draft.number, period="7d", actor=self.cast.ciso)
        assert trying.make_unfinished() == 1
        trial.refresh_from_db()
        assert (trial.status, trial.tried, trial.untried, trial.percent) == ("ready", 7, 1, 100)
        assert trial.found is not None
        (change,) = trial.found["changes"]
        assert (change["actions"], change["newest"]) == (3, newest)
        assert (change["before"]["words"], change["after"]["words"]) == ("allowed", "denied")
        assert trying.counted(trial.found) == 3
        assert (
            "policy:tried",
            {"against": 1, "since": trial.since.isoformat(), "until": trial.until.isoformat()},
        ) in events()

    def test_nothing_happened(self) -> None:
        trial = trial_actions.ask(self.draft.number, period="1d", actor=self.cast.engineer)
        trying.make_unfinished()
        trial.refresh_from_db()
        assert (trial.status, trial.tried) == ("ready", 0)

    def test_one_whose_maker_died_is_taken_up_and_the_dead_one_changes_nothing(self) -> None:
        trial = trial_actions.ask(self.draft.number, period="1d", actor=self.cast.engineer)
        first = trial_actions.take_up()
        assert first is not None
        assert trial_actions.take_up() is None
        PolicyTrial.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
        second = trial_actions.take_up()
        assert second is not None
        assert second.holder != first.holder
        assert not trial_actions.tell(first, tried=1, of=2)
        trial_actions.finish(first, tried=1, untried=0, found={})
        trial.refresh_from_db()
        assert trial.status == "making"
        assert trial_actions.tell(second, tried=1, of=2)

    def test_one_that_never_ends_is_given_up(self) -> None:
        trial = trial_actions.ask(self.draft.number, period="1d", actor=self.cast.engineer)
        PolicyTrial.objects.update(begun=3, status="making", beat_at=timezone.now() - timedelta(minutes=5))
        assert trial_actions.take_up() is None
        trial.refresh_from_db()
        assert trial.status == "failed"
        assert "never ended" in trial.why

    def test_a_question_that_cannot_be_read_fails_it_with_a_sentence(self) -> None:
        action = _happened("sql:select")
        assert action.question_id
        Question.objects.filter(id=action.question_id).update(text="{}")
        trial = trial_actions.ask(self.draft.number, period="7d", actor=self.cast.engineer)
        trying.make_unfinished()
        trial.refresh_from_db()
        assert trial.status == "failed"
        assert "cannot be read" in trial.why

    def test_who_may_ask_for_what(self) -> None:
        for who in ("reviewer", "auditor", "owner", "outsider"):
            with pytest.raises(Refused):
                trial_actions.ask(self.draft.number, period="7d", actor=getattr(self.cast, who))
        with pytest.raises(Invalid, match="no such period"):
            trial_actions.ask(self.draft.number, period="9d", actor=self.cast.ciso)
        with pytest.raises(NotFound):
            trial_actions.ask(99, period="7d", actor=self.cast.ciso)
        for _ in range(3):
            trial_actions.ask(self.draft.number, period="7d", actor=self.cast.ciso)
        with pytest.raises(Refused, match="3 trials waiting"):
            trial_actions.ask(self.draft.number, period="7d", actor=self.cast.ciso)

    def test_a_shadow_goes_on_until_it_is_stopped(self) -> None:
        _happened("sql:update", days=1)
        trial = trial_actions.ask(self.draft.number, period="shadow", actor=self.cast.engineer)
        with pytest.raises(AlreadySettled, match="a shadow already"):
            trial_actions.ask(self.draft.number, period="shadow", actor=self.cast.ciso)
        trying.make_unfinished()
        trial.refresh_from_db()
        assert (trial.status, trial.tried, trial.is_live) == ("ready", 0, True)
        _happened("sql:update", times=2, days=0)
        assert trying.make_unfinished() == 0  # not yet
        PolicyTrial.objects.update(finished_at=timezone.now() - timedelta(minutes=1))
        assert trying.make_unfinished() == 1
        trial.refresh_from_db()
        assert trial.found is not None
        assert (trial.tried, trying.counted(trial.found), trial.begun) == (2, 2, 0)
        page = browser(self.cast.ciso)
        address = f"/policies/{self.draft.number}/trials/{trial.id}/"
        assert b"In shadow" in page.get(address).content
        assert page.post(f"{address}stop/").status_code == 302
        PolicyTrial.objects.update(finished_at=timezone.now() - timedelta(minutes=1))
        assert trying.make_unfinished() == 0
        assert events()[-1] == ("policy:shadow_stopped", {"since": trial.since.isoformat()})
        with pytest.raises(AlreadySettled):
            trial_actions.stop(trial.id, actor=self.cast.ciso)
        with pytest.raises(Refused):
            trial_actions.stop(trial.id, actor=self.cast.reviewer)

    def test_a_shadow_ends_by_itself_after_a_week(self) -> None:
        trial = trial_actions.ask(self.draft.number, period="shadow", actor=self.cast.engineer)
        PolicyTrial.objects.update(since=timezone.now() - timedelta(days=8))
        trying.make_unfinished()
        trial.refresh_from_db()
        assert (trial.status, trial.is_live, trial.until - trial.since) == ("ready", False, timedelta(days=7))

    def test_by_page(self) -> None:
        _happened("sql:update")
        page = browser(self.cast.ciso)
        asked_for = page.post(f"/policies/{self.draft.number}/try/", {"period": "7d"})
        assert asked_for.status_code == 302
        address = asked_for["Location"]
        assert b"It is being tried" in page.get(address).content
        assert page.get(f"{address}progress/").status_code == 200
        trying.make_unfinished()
        assert page.get(f"{address}progress/")["HX-Refresh"] == "true"
        shown = page.get(address).content.decode()
        assert "1 of 1 action would have gone otherwise" in shown
        assert "gone.production" in shown
        assert "never" in shown
        refused = page.post(f"/policies/{self.draft.number}/try/", {"period": "x"})
        assert refused.status_code == 422
        assert b"no such period" in refused.content
        assert browser(self.cast.owner).get(address).status_code == 404

    def test_a_draft_is_kept_and_tried_from_the_editor(self) -> None:
        page = browser(self.cast.engineer)
        answer = page.post("/policies/new/", {"text": SECOND, "tests": "", "note": "less", "do": "try"})
        assert answer.status_code == 302
        assert "/trials/" in answer["Location"]
        assert PolicyTrial.objects.get().version.status == "draft"

    def test_by_api(self) -> None:
        api = Caller(self.cast.engineer)
        status, trial = api.post(f"policies/{self.draft.number}/trials", {"period": "7d"})
        assert (status, trial["status"], trial["found"]) == (202, "queued", None)
        trying.make_unfinished()
        status, trial = api.get(f"policies/{self.draft.number}/trials/{trial['id']}")
        assert (status, trial["status"], trial["against"]) == (200, "ready", 1)
        assert api.get(f"policies/1/trials/{trial['id']}")[0] == 404
        assert api.post(f"policies/{self.draft.number}/trials", {"period": "1y"})[0] == 400
        status, tested = api.post("policies/test", {"text": SECOND, "tests": "cases: []"})
        assert (status, tested) == (200, {"results": [], "uncovered": ["never", "reads"], "unmet": ["never", "reads"]})
        action = _happened("sql:select")
        Action.objects.filter(id=action.id).update(policies=["reads", "gone"])
        _, tested = api.post("policies/test", {"text": SECOND, "tests": "cases: []"})
        assert (tested["uncovered"], tested["unmet"]) == (["never", "reads"], ["never"])  # traffic met the other
        assert api.post("policies/test", {"text": SECOND, "tests": "cases: ["})[0] == 422

    def test_what_is_worth_a_look_is_said_by_api_and_by_page(self) -> None:
        status, checked = Caller(self.cast.engineer).post("policies/check", {"text": SECOND})
        assert (status, checked["problems"]) == (200, [])
        assert [(one["line"], one["kind"], one["policy"]) for one in checked["findings"]] == [
            (2, "unreachable", "never"), (1, "unreachable", "reads"),
            (2, "wider-than-a-segment", "never"), (1, "wider-than-a-segment", "reads"),
        ]  # fmt: skip
        page = browser(self.cast.engineer)
        assert b"every agent and every resource" in page.get(f"/policies/{self.draft.number}/worth-a-look/").content
        said = page.post("/policies/new/", {"text": SECOND, "tests": "", "note": "", "do": "check"}).content
        assert b"Worth a look" in said
