"""What was changed of a thing, read back from the ledger."""

from __future__ import annotations

from pathlib import Path

from django.urls import reverse

from accounts.scopes import READ
from agents import actions, history
from console.database import Logins
from ledger.entries import Actor
from tests.approvals.world import assemble
from tests.audit.test_api import sequence
from tests.bring.callers import Caller, browser
from tests.cast import Cast


def test_a_history_names_people_and_leaves_the_kept_score_out(
    fresh_database: Logins, fresh_cast: Cast, tmp_path: Path
) -> None:
    world = assemble(fresh_cast)
    monitoring = Actor(kind="system", id="monitoring", name="Monitoring")
    actions.set_risk(world.agent.id, 40, because=["x"], actor=monitoring)
    actions.change_agent(world.agent.id, actor=fresh_cast.engineer, owner=fresh_cast.ciso, deputy=None)
    actions.suspend(world.agent.id, actor=fresh_cast.ciso, reason="Od\u200bd")
    sequence(fresh_database, tmp_path)
    changes = history.history_of(world.agent.id)
    assert [one.entry.event for one in changes] == ["agent:suspended", "agent:changed", "agent:enrolled"]
    assert ("reason", "Od\u200bd") in changes[0].told
    assert b"Od" not in bytes(changes[0].entry.leaf)
    entry = browser(fresh_cast.auditor).get(reverse("record:entry", args=[changes[0].entry.index])).content.decode()
    assert '<dt>Reason</dt><dd class="break">Od' in entry
    assert {(one.field, one.before, one.after) for one in changes[1].differences} == {
        ("owner", "Olga Owner", "Cleo Ciso"), ("deputy", "Dev Deputy", ""),
    }  # fmt: skip
    page = browser(fresh_cast.auditor).get(reverse("console:agent", args=[world.agent.name])).content.decode()
    assert "<del>Olga Owner</del>" in page
    assert "U+200B" in page
    assert "entry " in page


def test_yes_and_no_are_said_as_people_say_them(fresh_database: Logins, fresh_cast: Cast, tmp_path: Path) -> None:
    segment = actions.create_segment("staging", purpose="Tries", actor=fresh_cast.engineer)
    actions.change_segment(segment.id, actor=fresh_cast.engineer, production=True)
    sequence(fresh_database, tmp_path)
    (changed, _created) = history.history_of(segment.id)
    assert [(one.field, one.before, one.after) for one in changed.differences] == [("production", "no", "yes")]


def test_a_history_is_told_over_the_api(fresh_database: Logins, fresh_cast: Cast, tmp_path: Path) -> None:
    world = assemble(fresh_cast)
    actions.change_agent(world.agent.id, actor=fresh_cast.engineer, owner=fresh_cast.ciso, deputy=None)
    sequence(fresh_database, tmp_path)
    newest, enrolled = Caller(fresh_cast.auditor, READ).get(f"agents/{world.agent.name}/history")[1]
    assert (newest["event"], enrolled["event"], newest["by"]) == ("agent:changed", "agent:enrolled", "Enzo Engineer")
    assert {"field": "deputy", "before": "Dev Deputy", "after": ""} in newest["differences"]
    assert Caller(fresh_cast.auditor, READ).get("segments/production/history")[1][-1]["event"] == "segment:created"
    assert Caller(fresh_cast.outsider, READ).get(f"agents/{world.agent.name}/history")[0] == 404
