"""Starter packs can be used as they are: checked, tested, every policy met, and begun from without replacing anything."""

from __future__ import annotations

import pytest

from policies import actions
from policies.check import check
from policies.parse import policies
from policies.starters import packs
from tests.bring.callers import Caller, browser
from tests.cast import Cast

NAMES = ("ci-agent", "coding-agent", "customer-support", "finance", "production-database")


def test_there_are_five() -> None:
    assert tuple(packs()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_pack_passes_its_check_and_its_tests_and_every_policy_is_met(name: str) -> None:
    pack = packs()[name]
    assert check(pack.text) == []
    tested = pack.tested()
    assert [(one.name, one.wrong) for one in tested.failed] == []
    unmet = [policies(pack.text)[one].terms.effect for one in tested.uncovered]
    assert set(unmet) <= {"permit"}  # what is held is determined by what holds it


def test_packs_stand_beside_each_other_and_are_added_once() -> None:
    text = tests = ""
    for pack in packs().values():
        text, tests = pack.added_to(text, tests)
        assert pack.added_to(text, tests) == (text, tests)
    assert check(text) == []
    assert tests.count("---\n") == len(NAMES) - 1


@pytest.mark.django_db
def test_a_pack_is_looked_at_and_begun_from_and_nothing_comes_into_force(cast: Cast) -> None:
    active = actions.install(
        '@id("mine") permit (principal, action in Action::"sql:read", resource);', actor=cast.engineer
    )
    engineer = browser(cast.engineer)
    assert all(f"/policies/packs/{name}/" in engineer.get("/policies/packs/").content.decode() for name in NAMES)
    page = engineer.get("/policies/packs/finance/").content.decode()
    assert "Add it to a new version" in page
    assert "There is no group &quot;controllers&quot;" in page
    assert "Each policy" in page or "No case meets" in page
    editor = engineer.get("/policies/new/?pack=finance").content.decode()
    assert "@id(&quot;mine&quot;)" in editor
    assert "finance-pays" in editor
    assert "Adds the starter pack Finance." in editor
    assert engineer.get("/policies/packs/nothing/").status_code == 404
    assert engineer.get("/policies/new/?pack=nothing").status_code == 200
    assert "Add it" not in browser(cast.auditor).get("/policies/packs/finance/").content.decode()
    status, found = Caller(cast.engineer).get("policies/packs")
    assert (status, [one["name"] for one in found]) == (200, list(NAMES))
    active.refresh_from_db()
    assert active.status == "active"
