"""The lists of actions and sessions: what is found, by whom, page after page, in a bounded number of looks and queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activity import listing
from activity.asked import ActionsForm, SessionsForm, read
from activity.listing import actions_page, all_actions, all_sessions, sessions_page
from core.errors import Invalid
from tests.activity.asking import asked, denied, ids, session
from tests.approvals.world import World, assemble, enrol
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def find(world: World, who: str = "auditor", **query: str) -> list[Any]:
    return ids(actions_page(getattr(world.cast, who), read(ActionsForm(query))).rows)


def test_each_filter_finds_what_it_names_and_nothing_else(world: World) -> None:
    other = enrol(world.cast, world.segment, "billing.production")
    agent, shop = world.agent, world.resource
    read_ = asked(agent, shop, ago=50)
    masked = asked(agent, shop, ago=40, masked=True, masked_values=3, tags=["email"])
    stopped = denied(other, shop, ago=30)
    held = asked(
        agent, shop, ago=20, decision="hold", verb="sql:update", status="uncertain", shown="UPDATE Orders SET x = 1"
    )
    old = asked(agent, shop, ago=10 * 86_400)
    for query, expected in (
        ({}, [held, stopped, masked, read_, old]),
        ({"agent": "support.production"}, [held, masked, read_, old]),
        ({"agent": "billing"}, [stopped]),
        ({"agent": "production"}, [held, stopped, masked, read_, old]),
        ({"agent": "nobody"}, []),
        ({"resource": "shop"}, [held, stopped, masked, read_, old]),
        ({"resource": "nowhere"}, []),
        ({"verb": "delete"}, [stopped]),
        ({"verb": "sql:update"}, [held]),
        ({"decision": "allow"}, [read_, old]),
        ({"decision": "mask"}, [masked]),
        ({"decision": "hold"}, [held]),
        ({"decision": "deny"}, [stopped]),
        ({"status": "uncertain"}, [held]),
        ({"period": "7d"}, [held, stopped, masked, read_]),
        ({"period": "90d", "decision": "allow"}, [read_, old]),
        ({"q": "orders update"}, [held]),
        ({"q": "orders % update"}, []),
        ({"q": str(masked.id)}, [masked]),
        ({"q": str(masked.session_id)}, [masked]),
        ({"session": str(masked.session_id)}, [masked]),
    ):
        assert find(world, **query) == [one.id for one in expected], query


def test_times_are_from_inclusive_to_exclusive(world: World) -> None:
    at = timezone.now().replace(microsecond=0) - timedelta(hours=1)
    one = asked(world.agent, world.resource, asked_at=at)
    since, later = at.isoformat(), (at + timedelta(seconds=1)).isoformat()
    assert find(world, since=since) == find(world, since=since, until=later) == [one.id]
    assert find(world, since=later) == find(world, until=since) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"decision": "maybe"}, "decision"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-01-02", "until": "2026-01-01"}, "until"),
        ({"period": "1y"}, "period"),
        ({"status": "gone"}, "status"),
        ({"q": "nul\0"}, "q"),
        ({"agent": "x" * 101}, "agent"),
        ({"session": "1"}, "session"),
    ],
)
def test_what_cannot_be_asked_names_its_field(query: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(ActionsForm(query))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("auditor", {"own", "other"}), ("ciso", {"own", "other"}), ("engineer", {"own", "other"}), ("administrator", {"own", "other"}),
        ("reviewer", {"own", "other"}), ("owner", {"own"}), ("deputy", {"own"}), ("outsider", set()),
    ],
)  # fmt: skip
def test_people_see_what_concerns_them(world: World, who: str, sees: set[str]) -> None:
    other = enrol(world.cast, world.segment, "billing.production", owner=world.cast.ciso)
    other.deputy = None
    other.save(update_fields=["deputy"])
    names = {asked(world.agent, world.resource).id: "own", asked(other, world.resource).id: "other"}
    assert {names[one] for one in find(world, who)} == sees
    assert {names[one] for one in find(world, who, q="orders")} == sees
    opened = {session(world.agent, world.resource).id: "own", session(other, world.resource).id: "other"}
    page = sessions_page(getattr(world.cast, who), {})
    assert {opened[one] for one in ids(page.rows)} == sees


def test_a_page_goes_on_where_the_last_one_ended_whatever_arrives(world: World) -> None:
    same = timezone.now()
    known = {asked(world.agent, world.resource, asked_at=same).id for _ in range(4)}
    known |= {asked(world.agent, world.resource, ago=number).id for number in range(1, 4)}
    seen: list[Any] = []
    key = ""
    while True:
        page = actions_page(world.cast.auditor, {}, key, 2)
        seen += ids(page.rows)
        asked(world.agent, world.resource)
        key = page.more
        if not key:
            break
    assert len(seen) == len(set(seen))
    assert set(seen) == known


@pytest.mark.parametrize("key", ["", "nonsense", "2026-01-01_x", "2026-13-01T00:00:00_" + "0" * 32])
def test_a_key_that_is_none_is_the_beginning(world: World, key: str) -> None:
    one = asked(world.agent, world.resource)
    assert ids(actions_page(world.cast.auditor, {}, key).rows) == [one.id]


def test_a_rare_answer_is_looked_for_a_bounded_way_back_and_then_further(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(listing.LOOK, "asked_at", 3)
    wanted = asked(world.agent, world.resource, ago=100, shown="SELECT needle")
    for ago in range(7):
        asked(world.agent, world.resource, ago=ago)
    found: list[Any] = []
    looks, key = 0, ""
    while True:
        page = actions_page(world.cast.auditor, {"q": "needle"}, key)
        looks, found = looks + 1, found + ids(page.rows)
        assert bool(page.back_to) == bool(page.more)
        if not page.more:
            break
        key = page.more
    assert found == [wanted.id]
    assert looks == 3
    assert ids(all_actions(world.cast.auditor, {"q": "needle"})) == [wanted.id]


def test_the_newest_of_several_agents_are_merged(world: World) -> None:
    agents = [world.agent, enrol(world.cast, world.segment, "billing.production")]
    made = [asked(agents[number % 2], world.resource, ago=number).id for number in range(6)]
    page = actions_page(world.cast.owner, {}, size=4)
    assert ids(page.rows) == made[:4]
    assert ids(actions_page(world.cast.owner, {}, page.more, 4).rows) == made[4:]


def test_sessions_are_found_by_what_was_in_them(world: World) -> None:
    live = session(world.agent, world.resource, ago=5)
    ended = session(
        world.agent, world.resource, ago=60, ended_at=timezone.now(), purpose="A quiet night", client="asyncpg"
    )
    asked(world.agent, world.resource, session_id=ended.id, decision="deny", status="denied")
    for query, expected in (
        ({}, [live, ended]),
        ({"live": "1"}, [live]),
        ({"decision": "deny"}, [ended]),
        ({"decision": "hold"}, []),
        ({"q": "quiet"}, [ended]),
        ({"q": "ASYNCPG night"}, [ended]),
        ({"q": str(ended.credential_id)}, [ended]),
        ({"agent": "support.production", "resource": "shop", "period": "24h"}, [live, ended]),
        ({"resource": "nowhere"}, []),
    ):
        found = sessions_page(world.cast.auditor, read(SessionsForm(query)))
        assert ids(found.rows) == [one.id for one in expected], query
    assert ids(all_sessions(world.cast.auditor, {})) == [live.id, ended.id]


@pytest.mark.parametrize(
    ("who", "query"),
    [
        ("auditor", {}),
        ("auditor", {"q": "orders", "agent": "support", "resource": "shop"}),
        ("owner", {}),
        ("reviewer", {"decision": "mask"}),
    ],
)
def test_a_page_takes_the_same_few_queries_however_long(world: World, who: str, query: dict[str, str]) -> None:
    def queries(size: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            actions_page(getattr(world.cast, who), read(ActionsForm(query)), size=size)
        return len(captured)

    for ago in range(30):
        asked(enrol(world.cast, world.segment, f"a{ago}.production"), world.resource, ago=ago)
    assert queries(1) == queries(30) <= 10
