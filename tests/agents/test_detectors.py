"""Detectors by page and API: written, tried, said at a resource, taken away; each an entry, and a refusal for each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.urls import reverse

from agents import detector_actions as actions
from agents.detecting import lines_of, load
from agents.detector_models import OwnDetector
from agents.detectors.known import USUAL, Strategy
from core.errors import Invalid, NotFound, Refused
from ledger.models import Outbox
from ledger.personal import revealed
from tests.approvals.world import World, assemble
from tests.bring.callers import Caller, browser
from tests.cast import Cast

pytestmark = pytest.mark.django_db
GIVEN: dict[str, Any] = {
    "title": "A customer",
    "pattern": "CU-[0-9]{6}",
    "sample": "of CU-123456",
    "strategy": "redact",
    "everywhere": True,
}


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def last(event: str) -> dict[str, Any]:
    row = Outbox.objects.filter(event=event).order_by("-id").first()
    assert row is not None
    details: dict[str, Any] = revealed(json.loads(bytes(row.leaf)))["details"]
    return details


def test_one_of_ones_own_is_written_written_anew_and_taken_away(world: World) -> None:
    engineer = world.cast.engineer
    actions.write_detector("customer", **GIVEN, actor=engineer)
    assert last("detector:written") == {
        "pattern": "CU-[0-9]{6}",
        "strategy": "redact",
        "everywhere": True,
        "before": None,
    }
    assert "customer" in load().at(world.resource.id).strategies
    actions.write_detector("customer", **{**GIVEN, "pattern": "CU-[0-9]{5,7}", "everywhere": False}, actor=engineer)
    assert last("detector:written")["before"] == "CU-[0-9]{6}"
    assert "customer" not in load().at(world.resource.id).strategies
    actions.set_detectors(world.resource.id, said={"customer": "hash"}, actor=engineer)
    assert load().at(world.resource.id).strategies["customer"] is Strategy.HASH
    actions.remove_detector("customer", reason="No more.", actor=engineer)
    assert last("detector:removed") == {"pattern": "CU-[0-9]{5,7}", "reason": "No more."}
    assert not world.resource.detectors.exists()
    with pytest.raises(NotFound):
        actions.remove_detector("customer", reason="Again.", actor=engineer)


def test_a_resource_says_what_differs_and_takes_it_back(world: World) -> None:
    engineer, resource = world.cast.engineer, world.resource
    changed = actions.set_detectors(resource.id, said={"email": "partial", "jwt": "off", "ssn": ""}, actor=engineer)
    assert (
        last("detectors:set")
        == {"changed": changed}
        == {"changed": {"email": {"before": "", "after": "partial"}, "jwt": {"before": "", "after": "off"}}}
    )
    acting = load().at(resource.id).strategies
    assert acting.keys() == USUAL.keys() - {"jwt"} | {"email"}
    assert {line.name for line in lines_of(resource) if line.acts != "off"} == acting.keys()
    assert actions.set_detectors(resource.id, said={"email": "partial"}, actor=engineer) == {}
    actions.set_detectors(resource.id, said={"email": "", "jwt": ""}, actor=engineer)
    assert load().at(resource.id).strategies == USUAL


def test_hashes_differ_between_resources_and_stay_within_one(world: World) -> None:
    one, other = load().at(world.resource.id), load().at(world.segment.id)
    assert one.key != other.key
    assert one.key == load().at(world.resource.id).key


@pytest.mark.parametrize("said", [{"nothing": "redact"}, {"jwt": "burn"}])
def test_what_cannot_be_said_is_refused(world: World, said: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        actions.set_detectors(world.resource.id, said=said, actor=world.cast.engineer)
    assert not world.resource.detectors.exists()


@pytest.mark.parametrize("role", ["reviewer", "ciso", "auditor", "owner", "administrator", "outsider"])
def test_only_engineers_change_them(world: World, role: str) -> None:
    person = getattr(world.cast, role)
    with pytest.raises(Refused):
        actions.write_detector("customer", **GIVEN, actor=person)
    with pytest.raises(Refused):
        actions.set_detectors(world.resource.id, said={"jwt": "off"}, actor=person)
    assert not OwnDetector.objects.exists()


def test_pages_write_try_and_remove(world: World) -> None:
    client = browser(world.cast.engineer)
    write = reverse("resources:write_detector")
    wrong = client.post(write, {**GIVEN, "name": "customer", "sample": "nothing", "everywhere": "on"})
    assert (wrong.status_code, "finds nothing in the sample" in wrong.content.decode()) == (422, True)
    assert "CU-[0-9]{6}" in wrong.content.decode()
    assert client.post(write, {**GIVEN, "name": "customer", "everywhere": "on"}).status_code == 302
    page = client.get(reverse("resources:detectors")).content.decode()
    assert "customer" in page
    at = reverse("resources:resource_detectors", args=[world.resource.name])
    assert client.post(at, {"d-jwt": "off", "d-customer": "partial"}).status_code == 302
    assert 'value="partial" selected' in client.get(at).content.decode()
    assert client.post(at, {"d-jwt": "burn"}).status_code == 422
    remove = reverse("resources:remove_detector", args=["customer"])
    assert "Remove the detector" in client.get(remove).content.decode()
    assert client.post(remove, {"reason": "No more."}).status_code == 302
    assert not OwnDetector.objects.exists()


def test_the_api_does_the_same(world: World) -> None:
    api = Caller(world.cast.engineer)
    assert api.put("detectors/customer", GIVEN)[0] == 200
    status, refused = api.put("detectors/customer", {**GIVEN, "pattern": "CU-.*"})
    assert (status, "pattern" in json.dumps(refused)) == (422, True)
    listed = api.get("detectors")[1]
    assert [one["name"] for one in listed["own"]] == ["customer"]
    assert {one["name"]: one["usual"] for one in listed["known"]}["email"] == "off"
    address = f"resources/{world.resource.name}/detectors"
    lines = api.patch(address, {"detectors": {"jwt": "off"}})[1]
    assert next(line for line in lines if line["name"] == "jwt")["acts"] == "off"
    assert api.get(address) == (200, lines)
    gone = api.client.delete(
        "/api/v1/detectors/customer", json.dumps({"reason": "No more."}), content_type="application/json"
    )
    assert gone.status_code == 204
