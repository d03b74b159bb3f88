"""What the CISO's page says, and that each figure leads to exactly the rows that it counts."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from activity.models import Action
from agents import halt_actions
from agents.models import Agent, AgentKey, Resource
from approvals import actions as approvals
from approvals.models import Hold
from core.db import db_now
from core.ids import new_id
from ledger.models import Outbox
from monitoring import counting, ledger_check
from monitoring.count_actions import add_counts
from monitoring.incident_list import incidents_page
from monitoring.models import AgentScore, Cursor, Incident, LedgerCheck, Mark
from monitoring.posture import posture_of
from monitoring.shortfalls import shortfalls
from monitoring.steps import SLUGS
from monitoring.tally import KINDS
from tests.approvals.world import World, approve, assemble, backdate, enrol, request
from tests.cast import Cast

DAY = timedelta(days=1)
EVERYBODY = ("reviewer", "owner", "deputy", "auditor", "engineer", "administrator", "outsider")


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def _page(world: World, **query: str) -> str:
    return _as(world.cast.ciso).get(reverse("console:posture"), query).content.decode()


def _incident(world: World, **changed: object) -> Incident:
    now = db_now()
    fields: dict[str, object] = {
        "kind": "denials", "severity": "high", "agent": world.agent, "began_at": now - timedelta(seconds=40),
        "detected_at": now - timedelta(seconds=10), "contained_at": now - timedelta(seconds=8),
    }  # fmt: skip
    return Incident.objects.create(**{**fields, **changed})


def _step(slug: str) -> tuple[str, str]:
    found = next(step for step in posture_of(DAY, timezone.now()).steps if step.slug == slug)
    return found.state, found.says


def _action(world: World, **changed: object) -> Action:
    fields: dict[str, object] = {
        "session_id": new_id(), "node_id": new_id(), "agent_id": world.agent.id, "resource_id": world.resource.id,
        "credential_id": new_id(), "number": 1, "verb": "sql:select", "shown": "SELECT 1", "digest": "sha256:00",
        "salt": b"", "decision": "allow", "status": "done", "policy_version": 1, "entry_id": new_id(),
        "released_at": db_now() - timedelta(minutes=1),
    }  # fmt: skip
    return Action.objects.create(**{**fields, **changed})


# ---- incidents and their means ----
def test_without_incidents_nothing_is_claimed(world: World) -> None:
    page = _page(world)
    assert "none in 24h" in page
    assert "baseline 48 h" in page
    assert "No incident ever." in page


def test_the_means_stand_beside_baseline_and_target(world: World) -> None:
    Mark.objects.filter(figure="detect").update(baseline=timedelta(hours=100))
    _incident(world)
    page = _page(world)
    assert "30 s" in page
    assert "from 100 h" in page
    figures = posture_of(DAY, timezone.now()).answers.figures
    assert [figure.met for figure in figures] == [True, True, None]


def test_what_waits_for_a_person_is_the_headline(world: World) -> None:
    _incident(world, contained_at=None, withheld_at=db_now())
    page = _page(world)
    assert "1 incident waits for a person to contain it." in page
    assert "1 needs a person" in page


def test_what_is_stopped_does_not_read_as_well(world: World) -> None:
    assert "Posture needs you." in _page(world)
    halt_actions.halt(actor=world.cast.ciso, reason="A key <leaked>.")
    page = _page(world)
    assert "Everything is stopped." in page
    assert "A key &lt;leaked&gt;." in page
    assert "Posture needs you." not in page


def test_each_mean_leads_to_the_incidents_that_it_is_over(world: World) -> None:
    long_ago = db_now() - 3 * DAY
    _incident(world)
    _incident(world, status="resolved", resolved_at=db_now())
    _incident(world, status="resolved", contained_at=None, resolved_at=db_now())
    _incident(world, agent=None, source="203.0.113.9", kind="unproven")
    _incident(world, status="resolved", detected_at=long_ago, began_at=long_ago, resolved_at=db_now())
    it = posture_of(DAY, db_now())
    window = {"since": it.since.isoformat(), "until": it.now.isoformat()}
    for figure in it.answers.figures:
        rows = incidents_page(world.cast.ciso, {"counted": figure.key, **window}, "").rows
        assert len(rows) == figure.count, figure.name
    assert [figure.count for figure in it.answers.figures] == [3, 2, 2]
    page = unescape(_page(world))
    for address in re.findall(r'href="(/incidents/\?counted=[^"]+)"', page):
        assert _as(world.cast.ciso).get(address).status_code == 200
    assert not incidents_page(world.cast.ciso, {"counted": "everything"}, "").rows


def test_the_time_line_spans_the_period_and_hides_nothing_that_is_open(world: World) -> None:
    now = db_now()
    for minute in range(0, 1400, 7):
        at = now - timedelta(minutes=minute + 1)
        _incident(
            world, status="resolved", severity="low", began_at=at, detected_at=at, contained_at=at, resolved_at=now,
        )  # fmt: skip
    open_one = _incident(world, began_at=now - 12 * DAY / 24, detected_at=now - 12 * DAY / 24, contained_at=None)
    dots = posture_of(DAY, now).answers.dots
    assert 50 <= len(dots) <= 61
    assert dots[0].at < 5
    assert dots[-1].at > 95
    assert [dot.id for dot in dots if dot.unresolved] == [open_one.id]


# ---- decisions of people ----
def _ask(world: World, number: int) -> Hold:
    return approvals.ask(request(world, f"DELETE FROM customers WHERE id = {number}"))


def test_time_to_decision_leads_to_the_holds_that_people_decided(world: World) -> None:
    now = db_now()
    for seconds in (10, 20, 60):
        hold = approve(_ask(world, seconds), world.cast.reviewer)
        backdate(hold, asked_at=now - timedelta(seconds=seconds), settled_at=now)
    backdate(_ask(world, 7), status="withdrawn", settled_at=now)
    it = posture_of(DAY, db_now())
    assert (it.decisions.median, it.decisions.decided) == (20, 3)
    assert it.decisions.p90 == pytest.approx(52)
    address = next(iter(re.findall(r'href="(/posture/decisions/\?[^"]+)"', unescape(_page(world)))))
    rows = _as(world.cast.ciso).get(address).content.decode()
    assert rows.count("row-link") == 3
    assert "1 m" in rows


def test_nobody_decided_yet(world: World) -> None:
    assert "nobody decided in 24h" in _page(world)
    assert "Nobody decided anything" in _as(world.cast.ciso).get(reverse("posture:decisions")).content.decode()


# ---- actions ----
def test_each_count_leads_to_exactly_the_actions_that_it_counts(world: World) -> None:
    """What the counter added up and what the reading room lists, for every decision and every period."""
    now = db_now()
    for decision, masked, number in (("allow", False, 3), ("allow", True, 2), ("hold", False, 4), ("deny", False, 1)):
        for place in range(number):
            _action(world, decision=decision, masked=masked, asked_at=now - timedelta(hours=place))
            _action(world, decision=decision, masked=masked, asked_at=now - timedelta(days=40, hours=place))
    add_counts(counting.counted(Action.objects.all()))
    client = _as(world.cast.ciso)
    for period, expected in (("24h", [3, 2, 4, 1]), ("30d", [3, 2, 4, 1]), ("90d", [6, 4, 8, 2])):
        page = unescape(_page(world, period=period))
        links = re.findall(r'href="(/record/actions/\?decision=(\w+)&[^"]+)"><b>([\d,]+)</b>', page)
        assert [kind for _, kind, _ in links] == list(KINDS)
        assert [int(number) for _, _, number in links] == expected, period
        for address, kind, number in links:
            rows = client.get(address).content.decode()
            assert rows.count('class="row-link"') == int(number), (period, kind)


def test_an_agents_week_leads_to_exactly_the_actions_that_it_counts(world: World) -> None:
    other = enrol(world.cast, world.segment, "billing.production")
    for days in (0, 3, 6, 9):
        _action(world, decision="deny", asked_at=db_now() - timedelta(days=days))
        _action(world, agent_id=other.id, asked_at=db_now() - timedelta(days=days))
    add_counts(counting.counted(Action.objects.all()))
    client = _as(world.cast.owner)
    page = unescape(client.get(reverse("console:agent", args=[world.agent.name])).content.decode())
    links = re.findall(r'href="(/record/actions/\?agent=[^"]+)">(\d+) \w+<', page)
    assert [int(number) for _, number in links] == [0, 0, 0, 3]
    for address, number in links:
        assert client.get(address).content.decode().count('class="row-link"') == int(number)


# ---- the nine steps ----
def test_every_step_counts_exactly_the_rows_that_it_lists(world: World) -> None:
    """Make everything fall short, some of it twice; each list is as long as its figure says."""
    now = timezone.now()
    others = [enrol(world.cast, world.segment, f"billing.production.{number:02}") for number in range(1, 4)]
    Agent.objects.filter(id=others[0].id).update(purpose="")
    AgentKey.objects.filter(agent__in=others[:2]).update(revoked_at=now)
    AgentScore.objects.create(agent=others[0], bearer=True, scored_at=now, granted=10, used=4)
    AgentScore.objects.create(agent=others[1], scored_at=now, granted=10, used=5)
    Resource.objects.create(name="bare", segment=world.segment, host="db", database="bare")
    for _ in range(2):
        _action(world, policy_version=0)
    for _ in range(3):
        _action(world, entry_id=None)
    it = posture_of(DAY, timezone.now())
    short = {step.slug: step.short for step in it.steps}
    listed = {slug: len(shortfalls(slug, since=it.since, now=it.now).rows) for slug in SLUGS}
    assert listed == short
    assert short == {
        "roles": 1, "identity": 2, "authentication": 1, "policy": 2, "privilege": 1, "monitoring": 3, "revocation": 0,
        "isolation": short["isolation"], "audits": 4,
    }  # fmt: skip
    for slug in SLUGS:
        page = _as(world.cast.ciso).get(reverse("posture:step", args=[slug]))
        assert page.status_code == 200
        assert page.content.decode().count("<tr>") == (1 + listed[slug] if listed[slug] else 0), slug


def test_a_long_list_goes_on_where_the_page_ended(world: World) -> None:
    for number in range(1, 61):
        enrol(world.cast, world.segment, f"billing.production.{number:02}")
    now = timezone.now()
    first = shortfalls("monitoring", since=now - DAY, now=now)
    second = shortfalls("monitoring", since=now - DAY, now=now, after=first.more)
    names = [row.name for row in (*first.rows, *second.rows)]
    assert len(names) == len(set(names)) == 62
    assert not second.more
    assert not shortfalls("monitoring", since=now - DAY, now=now, segment="elsewhere", after="a").rows


def test_a_key_that_is_none_is_only_a_place(world: World) -> None:
    for slug in SLUGS:
        page = _as(world.cast.ciso).get(reverse("posture:step", args=[slug]), {"after": "nonsense", "since": "never"})
        assert page.status_code == 200


def test_monitoring_is_met_while_the_detector_is_heard_and_everybody_is_scored(world: World) -> None:
    assert _step("monitoring") == ("short", "the detector is silent")
    Cursor.objects.update(beat_at=db_now())
    assert _step("monitoring") == ("short", "1 agent not scored yet")
    AgentScore.objects.create(agent=world.agent, scored_at=db_now())
    assert _step("monitoring")[0] == "met"
    Cursor.objects.update(beat_at=db_now() - timedelta(minutes=1))
    assert _step("monitoring")[0] == "short"


def test_least_privilege_counts_agents_that_use_less_than_half(world: World) -> None:
    assert _step("privilege")[0] == "unmeasured"
    AgentScore.objects.create(agent=world.agent, granted=12, used=6)
    assert _step("privilege")[0] == "met"
    AgentScore.objects.update(used=5)
    assert _step("privilege") == ("short", "1 agent used less than half")
    assert "7 of 12 permissions were never used." in _page(world)


# ---- the ledger and the counts ----
def test_the_ledger_is_checked_behind_the_page_and_its_silence_is_said(world: World) -> None:
    assert "The detector is silent" in _page(world)
    ledger_check.turn()
    row = LedgerCheck.objects.get(id=1)
    assert row.checked_at is not None
    assert row.pending == Outbox.objects.count()
    assert "The detector is silent" not in _page(world)
    ledger_check.turn()
    assert LedgerCheck.objects.get(id=1).checked_at == row.checked_at, "nobody checks again so soon"
    LedgerCheck.objects.update(signed_at=db_now(), proof="broken", why="A hash differs.")
    assert "The ledger does not verify: A hash differs." in _page(world)


def test_counts_that_differ_from_a_recount_are_the_headline(world: World) -> None:
    Cursor.objects.filter(id=Cursor.COUNTER).update(differing=2)
    assert "2 counts on this page differ from a recount." in _page(world)


# ---- the fleet ----
def test_a_large_fleet_is_grouped_and_every_agent_is_counted_once(world: World) -> None:
    made = [
        Agent(
            name=f"bulk.production.{number}", function="bulk", environment="production", purpose="Bulk", risk=number % 97,
            segment=world.segment, owner=world.cast.owner, enroller=world.cast.engineer, status="active",
        )
        for number in range(300)
    ]  # fmt: skip
    Agent.objects.bulk_create(made)
    it = posture_of(DAY, timezone.now())
    assert it.fleet.agents == 301
    tiles = [tile for group in it.groups for tile in group.tiles]
    assert sum(tile.agents for tile in tiles) == 301
    assert 0 < len([tile for tile in tiles if tile.agent]) <= 60
    assert min(tile.agent.risk for tile in tiles if tile.agent) >= 40
    assert it.fleet.attention == sum(agent.risk >= 60 for agent in made)
    assert sum(number for _, _, number in it.fleet.bands) == 301
    assert [total.score for _, total in it.riskiest] == sorted((agent.risk for agent in made), reverse=True)[:10]


def test_every_number_of_the_fleet_leads_to_exactly_those_agents(world: World) -> None:
    for number, risk in enumerate((0, 19, 20, 45, 59, 60, 79, 80, 96), start=1):
        agent = enrol(world.cast, world.segment, f"billing.production.{number:02}")
        Agent.objects.filter(id=agent.id).update(risk=risk, status="retired" if risk == 19 else "active")
    page, client = unescape(_page(world)), _as(world.cast.ciso)
    places = {
        r'href="(/agents/\?band=\d)"><i class="sw sw-r\d"></i>\w+ (\d+)<': 5,
        r'href="(/agents/\?band=attention)">(\d+) of 9 agents<': 1,
        r'href="(/agents/)">(\d+) agents as a list<': 1,
    }
    counted = []
    for place, expected in places.items():
        links = re.findall(place, page)
        assert len(links) == expected, place
        for address, number in links:
            assert client.get(address).content.decode().count("row-link") == int(number), address
            counted.append(int(number))
    assert counted == [2, 1, 2, 2, 2, 4, 9]


def test_more_agents_cost_no_more_queries(world: World, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(1, 30):
        agent = enrol(world.cast, world.segment, f"billing.production.{number:02}")
        AgentScore.objects.create(agent=agent, score=number)
        Agent.objects.filter(id=agent.id).update(risk=number)
    client = _as(world.cast.ciso)
    with django_assert_max_num_queries(15):
        client.get(reverse("console:posture"))
    ranked = posture_of(DAY, timezone.now()).riskiest
    assert [score.score for _, score in ranked][:3] == [29, 28, 27]


# ---- baselines and targets ----
def _typed(**changed: str) -> dict[str, str]:
    typed = {
        f"{figure}-{field}": value
        for figure in ("detect", "contain", "resolve")
        for field, value in (("baseline", "48"), ("own", ""), ("target", "60"), ("unit", "1"))
    }
    return typed | {name.replace("_", "-"): value for name, value in changed.items()}


def test_a_ciso_sets_baselines_and_targets_each_an_entry(world: World) -> None:
    client = _as(world.cast.ciso)
    typed = _typed(
        contain_baseline="own", contain_own="96", resolve_target="8", resolve_unit="3600", detect_baseline="72"
    )
    answer = client.post(reverse("posture:marks"), typed)
    assert answer.status_code == 302
    marks = {mark.figure: (mark.baseline, mark.target) for mark in Mark.objects.all()}
    assert marks["detect"] == (timedelta(hours=72), timedelta(minutes=1))
    assert marks["contain"] == (timedelta(hours=96), timedelta(minutes=1))
    assert marks["resolve"] == (timedelta(hours=48), timedelta(hours=8))
    assert Outbox.objects.filter(event="mark:changed").count() == 3
    client.post(reverse("posture:marks"), typed)
    assert Outbox.objects.filter(event="mark:changed").count() == 3, "the same again changes nothing"
    shown = client.get(reverse("posture:marks")).content.decode()
    assert 'value="96"' in shown


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"detect_target": ""}, "Say how long it may take."),
        ({"detect_target": "soon"}, "Give a whole number."),
        ({"contain_baseline": "own"}, "Say how many hours"),
        ({"contain_baseline": "own", "contain_own": "99999"}, "At most a year."),
        ({"resolve_target": "31000000", "resolve_unit": "3600"}, "Between a second and a year."),
    ],
)
def test_what_cannot_be_used_is_told_at_its_field_and_kept(world: World, changed: dict[str, str], told: str) -> None:
    answer = _as(world.cast.ciso).post(reverse("posture:marks"), _typed(**changed))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert told in page
    for value in filter(None, changed.values()):
        assert f'value="{value}"' in page
    assert not Outbox.objects.filter(event="mark:changed").exists(), "all of them, or none"


@pytest.mark.parametrize("who", EVERYBODY)
def test_nobody_else_has_these_pages(world: World, who: str) -> None:
    client = _as(getattr(world.cast, who))
    for address in (reverse("posture:marks"), reverse("posture:step", args=["roles"])):
        assert client.get(address).status_code == 404
    assert client.post(reverse("posture:marks"), _typed()).status_code == 404
    expected = 200 if who == "auditor" else 404
    assert client.get(reverse("posture:decisions")).status_code == expected
    assert _as(world.cast.ciso).get(reverse("posture:step", args=["tenth"])).status_code == 404
