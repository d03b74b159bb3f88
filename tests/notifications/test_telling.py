"""Who is told what: each event with those it concerns, and nobody else; once, whatever crashes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction

from accounts import actions as people
from accounts.models import Role
from agents import actions as inventory
from approvals import actions
from approvals.notifications import reader
from approvals.notifications.actions import choose, forget_old
from approvals.notifications.kinds import WATCHED, Kind, title
from approvals.notifications.models import Notification, NotificationCursor
from approvals.notifications.places import place_of
from approvals.tasks import expire_due
from core.db import db_now
from core.ids import new_id
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record
from policies import actions as policies
from tests.approvals.world import BOTH, TWO, approve, backdate, held, in_thread
from tests.notifications.conftest import Telling

ADMINS = {"ada", "abel"}
POLICY = '@id("all") permit (principal, action, resource);'


def test_a_hold_is_told_to_those_who_may_review_it(telling: Telling) -> None:
    held(telling.world)
    telling.read()
    assert telling.who("review") == {"rita", "tom"}
    assert telling.who("stuck") == set()
    one = Notification.objects.filter(person=telling.cast.reviewer).get()
    assert (one.title, one.about) == ("A hold waits for your review", "sql:delete by support.production")


def test_what_waits_long_is_told_again_to_those_who_have_not_reviewed_it(telling: Telling) -> None:
    hold = approve(held(telling.world, TWO), telling.cast.reviewer)
    telling.read()
    backdate(hold, remind_at=db_now())
    expire_due()
    expire_due()
    telling.read()
    again = Notification.objects.filter(event="hold:reminded")
    assert [one.person.username for one in again] == ["tom"]
    assert again.get().title == "A hold still waits for your review"


def test_what_is_settled_or_short_is_not_told_again(telling: Telling) -> None:
    hold = held(telling.world)
    assert hold.remind_at == hold.asked_at + (hold.deadline - hold.asked_at) * 0.75
    approve(hold, telling.cast.reviewer)
    backdate(hold, remind_at=db_now())
    expire_due()
    short = held(telling.world, text="DELETE FROM customers WHERE id = 2", in_transaction=True)
    assert short.remind_at is None
    telling.read()
    assert not Notification.objects.filter(event="hold:reminded").exists()


def test_a_hold_for_two_groups_is_told_to_both(telling: Telling) -> None:
    held(telling.world, BOTH)
    telling.read()
    assert telling.who("review") == {"rita", "tom", "sam"}


def test_a_hold_that_too_few_may_review_is_told_to_administrators(telling: Telling) -> None:
    people.deactivate(telling.cast.teammate, actor=telling.cast.administrator)
    held(telling.world, TWO)
    telling.read()
    assert (telling.who("review"), telling.who("stuck")) == ({"rita"}, ADMINS)


def test_linked_reviewers_are_one_person_and_too_few(telling: Telling) -> None:
    people.link(telling.cast.teammate, telling.cast.reviewer, actor=telling.cast.administrator)
    held(telling.world, TWO)
    telling.read()
    assert telling.who("stuck") == ADMINS


def test_what_is_settled_when_it_is_read_needs_nobody(telling: Telling) -> None:
    actions.deny(held(telling.world).id, actor=telling.cast.reviewer, seen=_digest(), reason="No.")
    telling.read()
    assert telling.who("review") == set()


def _digest() -> str:
    from approvals.models import Hold

    return Hold.objects.latest("asked_at").digest


@pytest.mark.parametrize("ending", ["approved", "denied", "withdrawn"])
def test_the_outcome_is_told_to_whoever_answers_for_the_agent(telling: Telling, ending: str) -> None:
    hold = held(telling.world)
    if ending == "approved":
        approve(hold, telling.cast.reviewer)
    elif ending == "denied":
        actions.deny(hold.id, actor=telling.cast.reviewer, seen=hold.digest, reason="No.")
    else:
        actions.withdraw_own(hold.id, actor=telling.cast.owner, reason="Not needed.")
    telling.read()
    # whoever did it knows
    assert telling.who("outcome") == ({"dev"} if ending == "withdrawn" else {"olga", "dev"})


def test_suspending_and_reinstating_is_told_to_the_owner_and_deputy(telling: Telling) -> None:
    agent = telling.world.agent
    inventory.suspend(agent.id, actor=telling.cast.ciso, reason="Looks odd.")
    asked = inventory.ask_to_reinstate(agent.id, actor=telling.cast.engineer, reason="It was not.")
    inventory.reinstate(asked.id, actor=telling.cast.ciso)
    telling.read()
    assert telling.told(telling.cast.owner) == [("agent", "agent:suspended"), ("agent", "agent:reinstated")]
    assert telling.who("agent") == {"olga", "dev"}
    assert telling.who("reinstate") == set()  # it acts again: there is nothing left to confirm


def test_a_waiting_reinstatement_is_told_to_those_who_may_confirm_it(telling: Telling) -> None:
    agent, administrator = telling.world.agent, telling.cast.administrator
    people.set_roles(telling.cast.owner, [Role.OWNER, Role.ENGINEER], actor=administrator)
    people.set_roles(telling.cast.outsider, [Role.ENGINEER], actor=administrator)
    people.link(telling.cast.outsider, telling.cast.engineer, actor=administrator)
    inventory.suspend(agent.id, actor=telling.cast.ciso, reason="Looks odd.")
    inventory.ask_to_reinstate(agent.id, actor=telling.cast.engineer, reason="It was not.")
    telling.read()
    assert telling.who("reinstate") == {"cleo"}  # neither who asked, by whichever account, nor the owner
    assert place_of(Notification.objects.get(kind="reinstate")) == f"/agents/{agent.name}/reinstate/"


def test_an_incident_is_told_to_the_ciso(telling: Telling) -> None:
    monitoring = Actor("system", "monitoring", "Monitoring")
    for event in (Event.INCIDENT_OPENED, Event.CONTAINMENT_WITHHELD):
        with transaction.atomic():
            record(event, actor=monitoring, subject=Subject("incident", str(new_id()), "denials by support.production"))
    telling.read()
    assert [event for _, event in telling.told(telling.cast.ciso)] == ["incident:opened", "containment:withheld"]
    assert telling.who("incident") == {"cleo"}


def test_proposed_policies_are_told_to_those_who_may_approve_them(telling: Telling) -> None:
    policies.install(POLICY, actor=telling.cast.engineer)
    version = policies.draft(POLICY + "\n", actor=telling.cast.engineer)
    policies.propose(version.id, actor=telling.cast.engineer)
    telling.read()
    assert telling.who("policy") == {"cleo"} | ADMINS


def test_what_waits_for_a_second_administrator_is_told_to_the_others(telling: Telling) -> None:
    people.add_member(telling.cast.outsider, telling.cast.dba, actor=telling.cast.administrator)
    people.set_roles(telling.cast.outsider, [Role.ADMINISTRATOR], actor=telling.cast.administrator)
    people.remove_member(telling.cast.outsider.memberships.get(), actor=telling.cast.administrator)
    telling.read()
    assert telling.told(telling.cast.second_administrator) == [
        ("second", "membership:changed"),
        ("second", "change:asked"),
    ]
    assert telling.who("second") == {"abel"}


@pytest.mark.parametrize("became", [Event.REPORT_MADE, Event.REPORT_FAILED])
def test_what_became_of_a_report_is_told_to_who_asked_for_it(telling: Telling, became: Event) -> None:
    report = Subject("report", str(new_id()), "oversight")
    auditor, maker = telling.cast.auditor, Actor("system", "reports", "Reports")
    with transaction.atomic():
        asked = Actor("person", str(auditor.id), str(auditor))
        for event, actor in ((Event.REPORT_ASKED, asked), (became, maker)):
            record(event, actor=actor, subject=report)
    telling.read()
    assert telling.who("report") == {"aldo"}
    assert place_of(Notification.objects.get(kind="report")) == f"/record/reports/{report.id}/"


def test_nobody_outside_is_told_anything(telling: Telling) -> None:
    held(telling.world, BOTH)
    inventory.suspend(telling.world.agent.id, actor=telling.cast.ciso, reason="Looks odd.")
    telling.read()
    assert telling.told(telling.cast.outsider) == []


def test_an_entry_is_told_once_however_often_it_is_read(telling: Telling) -> None:
    begun = NotificationCursor.objects.get().next
    held(telling.world)
    telling.read()
    before = Notification.objects.count()
    NotificationCursor.objects.update(next=begun)
    telling.read()
    assert Notification.objects.count() == before


def test_a_turn_that_dies_tells_all_of_it_again(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor moves with what was told, or not at all."""
    held(telling.world)
    cursor = NotificationCursor.objects.get().next
    with monkeypatch.context() as patched:
        patched.setattr(NotificationCursor, "save", _dies)
        with pytest.raises(OSError, match="the machine is gone"):
            telling.read()
    assert NotificationCursor.objects.get().next == cursor
    assert not Notification.objects.exists()
    telling.read()
    assert telling.who("review") == {"rita", "tom"}


def _dies(*_: object, **__: object) -> None:
    raise OSError("the machine is gone")


def test_a_second_reader_leaves_the_turn_to_the_first(telling: Telling) -> None:
    held(telling.world)
    with transaction.atomic():
        NotificationCursor.objects.select_for_update().get(id=1)
        thread, results = in_thread(reader.turn)
        thread.join(10)
    assert results == [False]
    assert not Notification.objects.exists()


def test_what_is_old_is_no_news(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    held(telling.world)
    monkeypatch.setattr(reader, "NEWS", timedelta(0))
    telling.read()
    assert not Notification.objects.exists()


def test_each_person_is_told_as_they_chose(telling: Telling) -> None:
    for person, mailed in ((telling.cast.reviewer, []), (telling.cast.teammate, ["review"])):
        choose(actor=person, shown=[], mailed=mailed, quiet_from=None, quiet_until=None, zone="UTC")
    held(telling.world, BOTH)
    telling.read()
    rows = {row.person.username: row for row in Notification.objects.filter(kind="review").select_related("person")}
    assert set(rows) == {"tom", "sam"}
    assert (rows["tom"].on_page, rows["tom"].deliveries.count()) == (False, 1)
    assert rows["sam"].on_page


def test_many_holds_cost_no_more_queries_than_one(telling: Telling) -> None:
    def queries() -> int:
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as seen:
            telling.read()
        waiting = ("pending", "ledger_unsequenced", '"ledger_head"."frontier"', "ledger_checkpoint", "clock_timestamp")
        return len([one for one in seen if not any(word in one["sql"] for word in waiting)])  # not for the sequencer

    held(telling.world)
    one = queries()
    for number in range(4):
        held(telling.world, text=f"DELETE {number}")
    assert queries() <= one


def test_what_is_long_past_is_forgotten_and_nothing_else(telling: Telling) -> None:
    held(telling.world)
    telling.read()
    old = Notification.objects.filter(person=telling.cast.reviewer)
    old.update(at=db_now() - timedelta(days=91))
    assert forget_old() == 1
    assert telling.who("review") == {"tom"}


def test_every_event_that_is_watched_has_words() -> None:
    for event in WATCHED:
        kind = (
            Kind.REVIEW
            if event
            in {Event.HOLD_ASKED, Event.HOLD_STAGE, Event.HOLD_ESCALATED, Event.HOLD_HANDED, Event.HOLD_REMINDED}
            else Kind.OUTCOME
        )
        assert "Something" not in title(kind, event)
