"""What the detector makes of entries: each success with the near miss that must not fire."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from activity.models import Action
from agents import actions as inventory
from agents.models import Agent
from approvals import actions as approvals
from core.ids import new_id
from ledger.models import Entry, Outbox
from ledger.queries import state
from monitoring import actions, detector, finding
from monitoring.detect import READS
from monitoring.models import AgentScore, Cursor, Incident, Signal
from tests.approvals.world import held, in_thread
from tests.monitoring.conftest import SOURCE, Watched, sequenced

ROOT = Path(__file__).parents[2]
ACTIVE, SUSPENDED = Agent.Status.ACTIVE, Agent.Status.SUSPENDED
EVERYBODY = "denied denied denied denied denied denial_burst".split()  # noqa: SIM905


def test_five_denials_in_a_minute_suspend_and_open_one_incident(watched: Watched) -> None:
    watched.deny(5)
    watched.read()
    agent, incident = watched.agent, watched.incident()
    assert agent.status == SUSPENDED
    assert agent.risk >= 80
    assert agent.status_reason.startswith("Risk ")
    assert (incident.agent, incident.severity, incident.status) == (agent, "high", "open")
    assert sorted(incident.signals.values_list("kind", flat=True)) == sorted(EVERYBODY)
    assert incident.began_at == Entry.objects.filter(event="action:denied").order_by("index")[0].recorded
    suspended = Entry.objects.get(event="agent:suspended")
    assert suspended.actor_name == "Monitoring"
    assert incident.contained_at is not None
    assert suspended.recorded is not None
    assert incident.began_at <= incident.detected_at <= suspended.recorded <= incident.contained_at
    events = set(Outbox.objects.filter(event__startswith="incident:").values_list("event", flat=True))
    assert events == {"incident:opened", "incident:contained"}


def test_four_denials_do_not(watched: Watched) -> None:
    watched.deny(4)
    watched.read()
    assert watched.agent.status == ACTIVE
    assert 0 < watched.agent.risk < 80
    assert not Incident.objects.exists()


@pytest.mark.parametrize("code", ["syntax_error", "no_policies", "record_unavailable"])
def test_slips_and_what_is_our_fault_do_not(watched: Watched, code: str) -> None:
    watched.deny(9, code=code)
    watched.read()
    assert watched.agent.status == ACTIVE
    assert not Incident.objects.exists()


def test_five_denials_of_several_agents_are_nobodys(watched: Watched) -> None:
    other = watched.enrol("billing.production")
    watched.deny(3)
    watched.deny(4, other)
    watched.read()
    assert set(Agent.objects.values_list("status", flat=True)) == {ACTIVE}


def test_the_risk_is_written_with_lines_that_add_up(watched: Watched) -> None:
    watched.deny(2)
    watched.connect()
    watched.read()
    scored = AgentScore.objects.get(agent=watched.agent)
    assert scored.score == watched.agent.risk == sum(line["points"] for line in scored.lines)
    assert "2 actions were denied" in [line["because"] for line in scored.lines]
    assert {"denied", "first_use"} <= {line["kind"] for line in scored.lines}


def test_read_again_it_counts_once(watched: Watched) -> None:
    watched.deny(3)
    watched.read()
    before = list(Signal.objects.order_by("id").values_list("id", flat=True))
    risk = watched.agent.risk
    Cursor.objects.filter(id=Cursor.DETECTOR).update(next=0)
    watched.read()
    assert list(Signal.objects.order_by("id").values_list("id", flat=True)) == before
    assert watched.agent.risk == risk


def test_a_turn_that_breaks_off_leaves_nothing_half_done(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.deny(5)
    sequenced()

    def broken(_new: object) -> None:
        raise DatabaseError("the connection is gone")

    with monkeypatch.context() as patched:
        patched.setattr(finding, "look_at", broken)
        with pytest.raises(DatabaseError):
            detector.turn()
    assert not Signal.objects.exists()
    watched.read()
    assert watched.kinds()["denied"] == 5
    assert watched.agent.status == SUSPENDED


def test_the_use_of_a_revoked_credential_is_an_incident_and_contained_at_the_door(watched: Watched) -> None:
    watched.refused(1, code="credential_revoked")
    watched.read()
    incident = watched.incident(Incident.Kind.REVOKED_CREDENTIAL)
    assert incident.agent == watched.agent
    assert incident.contained_at == incident.detected_at
    assert watched.kinds() == {"revoked_use": 1}
    assert watched.agent.status == ACTIVE


@pytest.mark.parametrize("code", ["expired_token", "agent_not_active", "resource_unavailable", "no_login"])
def test_an_expired_one_is_not(watched: Watched, code: str) -> None:
    watched.refused(9, code=code)
    watched.read()
    assert not Signal.objects.exists()
    assert not Incident.objects.exists()


def test_nobody_can_frame_an_agent_by_claiming_its_name(watched: Watched) -> None:
    for code in ("invalid_token", "no_token", "wrong_agent"):
        watched.refused(20, code=code)
    watched.read()
    assert watched.agent.status == ACTIVE
    assert watched.kinds() == {}
    assert "denied" not in str(AgentScore.objects.get(agent=watched.agent).lines)
    incident = watched.incident(Incident.Kind.UNPROVEN)
    assert (incident.agent, incident.source, incident.severity) == (None, SOURCE, "low")
    assert set(Signal.objects.values_list("source", flat=True)) == {SOURCE}
    assert not Signal.objects.exclude(agent=None).exists()


def test_four_refusals_of_one_address_and_one_of_another_are_no_incident(watched: Watched) -> None:
    watched.refused(4, code="invalid_token")
    watched.refused(1, code="invalid_token", source="203.0.113.8")
    watched.read()
    assert Signal.objects.count() == 5
    assert not Incident.objects.exists()


def test_people_denying_a_hold_counts(watched: Watched) -> None:
    hold = held(watched.world)
    approvals.deny(hold.id, actor=watched.cast.reviewer, seen=hold.digest, reason="No")
    watched.read()
    assert watched.kinds()["hold_denied"] == 1


def test_a_resource_is_used_for_the_first_time_once(watched: Watched) -> None:
    watched.connect()
    watched.read()
    watched.connect()
    watched.connect()
    watched.read()
    assert watched.kinds()["first_use"] == 1


def _reads(watched: Watched, number: int, **changed: object) -> None:
    entry = Entry.objects.order_by("index")[0].uid
    row = {
        "session_id": new_id(), "node_id": new_id(), "agent_id": watched.agent.id, "credential_id": new_id(),
        "resource_id": watched.world.resource.id, "number": 1, "verb": "sql:select", "shown": "SELECT", "digest": "",
        "salt": b"", "decision": "allow", "status": "done", "tags": ["email"], "entry_id": entry, **changed,
    }  # fmt: skip
    now = timezone.now() - timedelta(seconds=5)
    moments = [now + timedelta(milliseconds=one) for one in range(number)]
    Action.objects.bulk_create([Action(**{"asked_at": at, **row}) for at in moments])


def test_a_burst_of_reads_of_tagged_columns_is_an_incident_and_stops_nobody(watched: Watched) -> None:
    watched.read()
    _reads(watched, READS)
    Cursor.objects.update(reads_until=None)
    watched.read()
    incident = watched.incident(Incident.Kind.TAGGED_READS)
    assert incident.signals.get().kind == "tagged_burst"
    assert watched.agent.status == ACTIVE
    Cursor.objects.update(reads_until=None)
    watched.read()
    assert Signal.objects.filter(kind="tagged_burst").count() == 1


@pytest.mark.parametrize("changed", [{"tags": []}, {"decision": "deny"}, {"verb": "sql:insert"}])
def test_other_actions_are_no_reads_of_tagged_columns(watched: Watched, changed: dict[str, object]) -> None:
    watched.read()
    _reads(watched, READS + 1, **changed)
    _reads(watched, READS - 1)
    Cursor.objects.update(reads_until=None)
    watched.read()
    assert not Incident.objects.exists()


def test_a_revoked_credential_and_a_burst_together_suspend(watched: Watched) -> None:
    watched.refused(1, code="credential_revoked")
    watched.read()
    _reads(watched, 2, rows=10_000)
    Cursor.objects.update(reads_until=None)
    watched.read()
    assert watched.agent.status == SUSPENDED


def test_the_budget_leaves_the_second_agent_to_a_person(watched: Watched) -> None:
    others = [watched.enrol(f"billing.production.{number:02}") for number in (1, 2)]
    watched.deny(5)
    watched.read()
    for other in others:
        watched.deny(5, other)
    watched.read()
    assert Agent.objects.filter(status=SUSPENDED).count() == 1
    withheld = Incident.objects.exclude(withheld_at=None)
    assert {one.agent for one in withheld} == set(others)
    assert all(one.needs_person for one in withheld)
    assert Outbox.objects.filter(event="containment:withheld").count() == 2


def test_a_person_who_answers_frees_the_budget(watched: Watched) -> None:
    other = watched.enrol("billing.production")
    watched.deny(5)
    watched.read()
    watched.deny(5, other)
    watched.read()
    other.refresh_from_db()
    assert other.status == ACTIVE
    actions.acknowledge(Incident.objects.get(agent=watched.agent).id, actor=watched.cast.ciso)
    actions.expect_score([other.id])
    watched.read()
    other.refresh_from_db()
    assert other.status == SUSPENDED
    assert Incident.objects.get(agent=other).needs_person is False


def test_what_a_person_answered_for_does_not_suspend_again(watched: Watched) -> None:
    watched.deny(5)
    watched.read()
    asked = inventory.ask_to_reinstate(watched.agent.id, actor=watched.cast.engineer, reason="A bad deploy")
    inventory.reinstate(asked.id, actor=watched.cast.ciso)
    watched.read()
    assert watched.agent.status == ACTIVE
    assert not Signal.objects.filter(settled_at=None).exists()
    watched.deny(1)
    watched.read()
    assert watched.agent.status == ACTIVE
    assert watched.agent.risk < 20


def test_a_switch_leaves_every_suspension_to_people(watched: Watched, settings: Settings) -> None:
    settings.CONTAIN_AUTOMATICALLY = False
    watched.deny(5)
    watched.read()
    assert watched.agent.status == ACTIVE
    assert watched.incident().contained_at is None


def test_a_person_who_suspends_contains_the_incident(watched: Watched, settings: Settings) -> None:
    settings.CONTAIN_AUTOMATICALLY = False
    watched.deny(5)
    watched.read()
    inventory.suspend(watched.agent.id, actor=watched.cast.ciso, reason="Enough")
    watched.read()
    assert watched.incident().contained_at is not None
    assert watched.incident().suspended_at is None


def _behind() -> int:
    return state().size - Cursor.objects.get(id=Cursor.DETECTOR).next


def test_one_detector_reads_at_a_time_and_says_how_far_it_is(watched: Watched) -> None:
    watched.deny(1)
    with transaction.atomic():
        Cursor.objects.select_for_update().get(id=Cursor.DETECTOR)
        thread, results = in_thread(detector.turn)
        thread.join(10)
    assert results == [False]
    assert _behind() > 0
    watched.read()
    assert _behind() == 0
    assert watched.kinds() == {"denied": 1}


@pytest.mark.process
def test_it_runs_as_a_process_of_its_own(watched: Watched) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    process = subprocess.Popen([sys.executable, "manage.py", "detect"], env=environment, cwd=ROOT)
    try:
        watched.deny(5)
        give_up = time.monotonic() + 30
        while watched.agent.status == ACTIVE:
            assert process.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
