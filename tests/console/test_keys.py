"""An agent's keys by page and API: one more is added, one is ended with what was got with it, by whom it concerns."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.scopes import READ
from agents.models import Credential
from ledger.models import Outbox
from tests.approvals.world import World, assemble
from tests.bring.callers import Caller, browser, new_key
from tests.cast import Cast
from tests.console.test_fleet import live


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _revoking(world: World) -> str:
    return reverse("agents:revoke_key", args=[world.agent.name, world.agent.keys.get().kid])


def test_an_engineer_adds_a_key_and_what_was_typed_is_kept(world: World) -> None:
    engineer, address = browser(world.cast.engineer), reverse("agents:add_key", args=[world.agent.name])
    jwk = json.dumps(new_key())
    assert "can prove itself with the new key" in engineer.post(address, {"key": jwk}, follow=True).content.decode()
    assert world.agent.keys.count() == 2
    again = engineer.post(address, {"key": jwk})
    assert (again.status_code, again.context["form"].errors.keys()) == (422, {"key"})
    broken = engineer.post(address, {"key": "no <key>"})
    assert broken.status_code == 422
    assert "no &lt;key&gt;" in broken.content.decode()
    assert browser(world.cast.owner).get(address).status_code == 404


@pytest.mark.parametrize("who", ["owner", "deputy", "engineer", "ciso", "administrator"])
def test_whoever_may_stop_it_ends_its_key_and_what_was_got_with_it(world: World, who: str) -> None:
    live(world.agent, world, minutes=5)
    client, address = browser(getattr(world.cast, who)), _revoking(world)
    page = client.get(address).content.decode()
    assert "Ends 1 credential that was got with it" in page
    assert "It is the only one" in page
    assert client.post(address, {"reason": ""}).status_code == 422
    assert Credential.objects.get().revoked_at is None
    done = client.post(address, {"reason": "Leaked"}, follow=True).content.decode()
    assert "The key is revoked" in done
    assert Credential.objects.get().revoked_at is not None
    assert client.get(address).status_code == 404
    assert Outbox.objects.filter(event="key:revoked").count() == 1


@pytest.mark.parametrize("who", ["reviewer", "auditor", "outsider"])
def test_nobody_else_does(world: World, who: str) -> None:
    person = getattr(world.cast, who)
    assert browser(person).post(_revoking(world), {"reason": "Leaked"}).status_code == 404
    kid = world.agent.keys.get().kid
    assert Caller(person).post(f"agents/{world.agent.name}/keys/{kid}/revoke", {"reason": "Leaked"})[0] == 404
    assert world.agent.keys.get().revoked_at is None


def test_keys_are_listed_and_ended_over_the_api(world: World) -> None:
    owner, path = Caller(world.cast.owner), f"agents/{world.agent.name}/keys"
    (key,) = owner.get(path)[1]
    assert (key["algorithm"], key["revoked_at"]) == ("ES256", None)
    before = timezone.now()
    status, ended = owner.post(f"{path}/{key['kid']}/revoke", {"reason": "Leaked"})
    assert (status, ended["kid"]) == (200, key["kid"])
    assert ended["revoked_at"] > before.isoformat()
    assert owner.post(f"{path}/none/revoke", {"reason": "Leaked"})[0] == 404
    assert Caller(world.cast.owner, READ).post(f"{path}/{key['kid']}/revoke", {"reason": "x"})[0] == 403
