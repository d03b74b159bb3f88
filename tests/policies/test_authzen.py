"""OpenID AuthZEN, Authorization API 1.0: decisions, several at once, searches, and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts import actions as people
from accounts.scopes import ASK, READ
from agents.revision import current_revision
from core.errors import Invalid
from policies import actions, authzen
from policies.current import current
from tests.approvals.world import World, assemble, enrol
from tests.cast import Cast
from tests.policies.worlds import WORLD

POLICY = """
@id("reads") @why("Reads.") @limit("5") permit (principal, action in Action::"sql:read", resource);
@id("writes") permit (principal, action in Action::"sql:write", resource);
@id("held") @hold("dba:1") @why("Somebody looks first.") forbid (principal, action in Action::"sql:write", resource) unless { context has approval };
@id("not-ssn") @why("Never.") forbid (principal, action, resource) when { context has tags && context.tags.contains("ssn") };
"""


class Point:
    """An enforcement point with a token."""

    def __init__(self, cast: Cast, who: str = "engineer", *scopes: str, scheme: str = "Bearer") -> None:
        user = getattr(cast, who)
        _, secret = people.create_api_token(
            user, name="pep", scopes=scopes or (ASK,), lifetime=timedelta(hours=1), actor=user
        )
        self.client = Client(headers={"Authorization": f"{scheme} {secret}", "X-Request-ID": "bfe9eb29"})

    def asks(self, path: str, body: object) -> tuple[int, Any]:
        answer = self.client.post(f"/access/v1/{path}", json.dumps(body), content_type="application/json")
        return answer.status_code, json.loads(answer.content)


@pytest.fixture
def world(cast: Cast) -> World:
    found = assemble(cast)
    actions.install(POLICY, actor=cast.engineer)
    return found


def question(world: World, verb: str = "sql:select", **context: object) -> dict[str, object]:
    asked: dict[str, object] = {
        "subject": {"type": "agent", "id": world.agent.name, "properties": {"department": "ignored"}},
        "action": {"name": verb},
        "resource": {"type": "resource", "id": world.resource.name},
    }
    return asked | ({"context": context} if context else {})


@pytest.mark.django_db
class TestDoor:
    def test_one_decision(self, world: World, cast: Cast) -> None:
        point = Point(cast)
        status, said = point.asks("evaluation", question(world))
        assert (status, said["decision"]) == (200, True)
        assert said["context"] == {
            "verdict": "allow", "code": "permitted", "reason": "Allowed by reads.", "policies": ["reads"],
            "policy_version": 1, "unmask": [], "limit": 5,
        }  # fmt: skip
        status, said = point.asks("evaluation", question(world, "sql:update"))
        assert (status, said["decision"], said["context"]["requirement"]) == (200, False, "dba:1")
        assert point.asks("evaluation", question(world, tags=["ssn"], colour="red"))[1]["context"]["reason"] == "Never."
        assert point.asks("evaluation", question(world, "sql:guess"))[1]["context"]["code"] == "unknown_verb"

    def test_the_request_keeps_its_identifier(self, world: World, cast: Cast) -> None:
        answer = Point(cast, scheme="Token").client.post("/access/v1/evaluation", "{", content_type="application/json")
        assert (answer.status_code, answer["X-Request-ID"]) == (400, "bfe9eb29")
        assert isinstance(json.loads(answer.content), str)

    def test_defaults_and_the_three_semantics(self, world: World, cast: Cast) -> None:
        point, asked = Point(cast), question(world)
        asked["evaluations"] = [{}, {"action": {"name": "sql:ddl"}}, {"resource": {"type": "house", "id": "x"}}, {}]
        status, said = point.asks("evaluations", asked)
        assert status == 200
        assert [one["decision"] for one in said["evaluations"]] == [True, False, False, True]
        assert said["evaluations"][2]["context"]["error"]["status"] == 400
        for semantic, expected in (("deny_on_first_deny", [True, False]), ("permit_on_first_permit", [True])):
            _, said = point.asks("evaluations", asked | {"options": {"evaluations_semantic": semantic}})
            assert [one["decision"] for one in said["evaluations"]] == expected
        assert point.asks("evaluations", asked | {"options": {"evaluations_semantic": "guess"}})[0] == 400
        assert point.asks("evaluations", question(world))[1]["decision"] is True

    def test_searches_page_by_page(self, world: World, cast: Cast) -> None:
        for number in (1, 2, 3):
            enrol(cast, world.segment, name=f"searched.production.{number:02}")
        point, asked = Point(cast), question(world)
        asked["subject"] = {"type": "agent"}
        names: list[str] = []
        page: dict[str, object] = {"limit": 2}
        while True:
            status, said = point.asks("search/subject", asked | {"page": page})
            assert status == 200
            names += [one["id"] for one in said["results"]]
            assert all(one["type"] == "agent" for one in said["results"])
            if not said["page"]["next_token"]:
                break
            page = {"limit": 2, "token": said["page"]["next_token"]}
        assert names == sorted({*names})
        assert {world.agent.name, "searched.production.03"} <= set(names)
        found = point.asks("search/resource", question(world) | {"resource": {"type": "resource"}})[1]
        assert {"type": "resource", "id": world.resource.name} in found["results"]
        verbs = point.asks("search/action", question(world))[1]["results"]
        assert verbs == [{"name": "sql:select"}, {"name": "sql:session"}]
        assert point.asks("search/subject", asked | {"page": {"token": "?"}})[0] == 400
        assert point.asks("search/subject", asked | {"subject": {"type": "user"}})[0] == 400

    @pytest.mark.parametrize(
        "changed",
        [
            {"context": {"approval": True}}, {"context": {"time": "now"}}, {"context": {"environment": "x"}},
            {"context": {"credential": "svid"}}, {"context": {"on_behalf_of": "x"}}, {"context": []},
            {"subject": None}, {"subject": {"type": "user", "id": "x"}}, {"subject": {"type": "agent"}},
            {"action": {}}, {"action": {"name": 3}}, {"resource": {"type": "resource", "id": ""}},
        ],
    )  # fmt: skip
    def test_what_is_no_question_is_a_sentence(self, world: World, cast: Cast, changed: dict[str, object]) -> None:
        status, said = Point(cast).asks("evaluation", question(world) | changed)
        assert status == 400
        assert isinstance(said, str)

    def test_who_may_ask(self, world: World, cast: Cast) -> None:
        assert Point(cast, "engineer", READ).asks("evaluation", question(world))[0] == 403
        assert Point(cast, "reviewer").asks("evaluation", question(world))[0] in {403, 404}
        assert Client().post("/access/v1/evaluation", "{}", content_type="application/json").status_code == 401
        assert Client().get("/access/v1/evaluation").status_code in {401, 405}

    def test_a_new_version_decides_at_once(self, world: World, cast: Cast) -> None:
        point = Point(cast)
        assert point.asks("evaluation", question(world))[1]["decision"] is True
        version = actions.propose(
            actions.draft('@id("no") forbid (principal, action, resource);', actor=cast.engineer).id,
            actor=cast.engineer,
        )
        actions.approve(version.id, actor=cast.ciso)
        actions.activate(version.id, actor=cast.engineer)
        assert point.asks("evaluation", question(world))[1]["decision"] is False
        assert current().revision == current_revision()
        assert current() is current()

    def test_where_everything_is(self, settings: Any) -> None:
        settings.CONSOLE_URL = "https://gate.example/"
        said = Client().get("/.well-known/authzen-configuration").json()
        assert said["policy_decision_point"] == "https://gate.example"
        assert said["search_action_endpoint"] == "https://gate.example/access/v1/search/action"
        assert len(said) == 6


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "id", "name", "tags", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["subject", "action", "resource", "context", "evaluations", "options", "page"]), values
    )
)
def test_whatever_is_asked_is_answered_or_refused(said: dict[str, Any]) -> None:
    for read in (
        lambda: authzen.ask_of(said, WORLD),
        lambda: authzen.evaluations_of(said),
        lambda: authzen.page_of(said),
    ):
        try:
            read()
        except Invalid as error:
            assert error.message  # noqa: PT017 -- anything but Invalid fails the test
